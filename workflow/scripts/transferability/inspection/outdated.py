"""Networks and splits that exist but do not match the config.

Snakemake notices a changed setting by its own records. If these are lost, what an earlier config left behind looks up
to date; only what the files say about themselves reveals that it is not.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from transferability.delimited_text import text_key
from transferability.files import read_json
from transferability.store.reading import manifest_there
from transferability.study.design import Key, Study
from transferability.study.names import Network
from transferability.study.split_plan import SplitPlan
from transferability.study.split_types import DATA_SETS

NO_COUNTS: Mapping[str, int] = MappingProxyType({})
_LONGEST = 60  # characters of a value in a message


class OutdatedError(ValueError):
    """Something was made with settings other than the config's."""


def require_current(
    study: Study,
    metrics: Mapping[Key, Mapping[str, Any]],
    files: Mapping[Key, Path],
    splits: Mapping[str, Mapping[str, Any]],
    checksums: Mapping[str, str],
) -> None:
    """Raise an OutdatedError if a network's metrics say that it is not what the config asks for.

    Args:
        study: the study.
        metrics: the contents of the metrics files of finished networks, as returned by
            `transferability.records.metrics.read_metrics`.
        files: the paths of these files.
        splits: the contents of the split files that exist, by name.
        checksums: the checksums of the stores that exist, by data set.
    """
    current = study.current(metrics, checksums)
    wrong = {}
    for key in metrics:
        difference = next(_differences(study, key, metrics, splits, checksums), None)
        if difference is not None or key not in current:
            wrong[key] = difference or "it is a copy of a base that is outdated"
    if wrong:
        key = next(iter(wrong))
        more = f", and so on for {len(wrong)} networks in all" if len(wrong) > 1 else ""
        raise OutdatedError(
            f"{files[key]}: {wrong[key]}{more}; set the config back, or delete {study.folder / 'networks'} and run the "
            "same command again: networks that are as the config asks for are put back, and only the others trained"
        )


def require_split(
    content: Mapping[str, Any], plan: SplitPlan, path: Path, counts: Mapping[str, int] = NO_COUNTS
) -> None:
    """Raise an OutdatedError if a split's file says that it is not the split that the config asks for.

    Args:
        content: the content of the file.
        plan: the plan of the split.
        path: the path of the file.
        counts: how many classes each half's data set has, as far as that is known.
    """
    groups = {half: sorted({c["group"] for c in part["classes"]}) for half, part in content["halves"].items()}
    asked = {"split": plan.name, "seed": plan.seed}
    for key, value in asked.items():
        if content[key] != value:
            raise _outdated_split(path, f"its {key} is {content[key]!r}, the config's {value!r}")
    if (content.get("split_type") == DATA_SETS) != bool(plan.tasks):
        raise _outdated_split(
            path, f"its split_type is {content.get('split_type')!r}, the config's {plan.split_type!r}"
        )
    tasks = plan.tasks or {}
    of_tasks = {half: task.group for half, task in tasks.items() if task.group is not None}
    for half, group in (plan.groups or of_tasks).items():
        if groups.get(half) != [group]:
            raise _outdated_split(path, f"half {half} has the groups {groups.get(half)}, the config's is {group!r}")
    for half, task in tasks.items():
        part = content["halves"][half]
        if part["data_set"] != task.data_set:
            raise _outdated_split(path, f"half {half} is of {part['data_set']!r}, by the config of {task.data_set!r}")
        if task.classes and {text_key(c["name"]) for c in part["classes"]} != set(map(text_key, task.classes)):
            raise _outdated_split(path, f"half {half} has other classes than the config asks for")
        there, every = len(part["classes"]), counts.get(half)
        if not task.classes and task.group is None and every not in (None, there):
            has = f"half {half} has {there} of the {every} classes of {task.data_set}"
            raise _outdated_split(path, f"{has}, by the config it has all")


def read_splits(files: Mapping[str, Path], study: Study) -> dict[str, dict[str, Any]]:
    """The contents of the split files that exist, by name; ValueError if one is damaged or not the config's."""
    contents = {}
    for name, path in files.items():
        if not path.exists():
            continue
        contents[name] = read_json(path)
        try:
            require_split(contents[name], study.splits[name], path, _class_counts(study, name))
        except (KeyError, TypeError, AttributeError) as error:
            raise _outdated_split(path, f"it is no split, or a damaged one ({error!r})") from error
    return contents


def _class_counts(study: Study, split: str) -> dict[str, int]:
    """How many classes the data set of each half of a split of two data sets has, as far as their stores are there."""
    halves = study.splits[split].tasks or {}
    manifests = {half: manifest_there(study.data_set_of(split, half).store_folder) for half in halves}
    return {half: manifest["classes"] for half, manifest in manifests.items() if manifest is not None}


def _outdated_split(path: Path, why: str) -> OutdatedError:
    return OutdatedError(f"{path}: {why}; set the config back, or delete the file to have it made again")


def _differences(
    study: Study,
    key: Key,
    metrics: Mapping[Key, Mapping[str, Any]],
    splits: Mapping[str, Mapping[str, Any]],
    checksums: Mapping[str, str],
) -> Iterator[str]:
    """Yield, in words, each way in which what a network was made from differs from what it would be made from now."""
    split, seed, name = key
    network, made_from = Network.parse(name), metrics[key]["made_from"]
    asked = {"network": name, "split": split, "seed": seed, **study.asked_of(split, network, checksums)}
    halves = splits[split]["halves"] if split in splits else {}
    for where, half in (("classes", network.target), ("mean_classes", study.half_of_mean(network))):
        if half in halves:
            asked[where] = [c["name"] for c in halves[half]["classes"]]
    for where, made, wanted in _unequal(made_from, asked):
        yield f"its {where} is {_short(made)}, by the config it is {_short(wanted)}"
    for where, made, today in study.stores_of_other_settings(key, metrics[key], checksums):
        yield f"its {where} is {_short(made)}, by the config and its lists {today!r}"
    base = (split, seed, network.base.name) if network.base else None
    if base is not None and base in metrics:
        copied, there = made_from.get("source_sha256"), metrics[base].get("sha256")
        if there is not None and copied != there:
            yield f"its source_sha256 is {_short(copied)}, that of {base[2]} is {_short(there)}"


def _unequal(made: Any, asked: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield where what was made differs from what is asked for, with both values."""
    if isinstance(made, Mapping) and isinstance(asked, Mapping):
        for key, value in asked.items():
            yield from _unequal(made.get(key), value, f"{where}.{key}".lstrip("."))
        if where:
            yield from ((f"{where}.{key}", made[key], None) for key in made.keys() - asked.keys())
    elif made != asked:
        yield where, made, asked


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
