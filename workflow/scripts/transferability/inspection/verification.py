"""Whether the outputs of a finished study are what they say they are.

Every check compares an output with what it was made from: the store's files with their checksum, a split with the
store's classes, a network's frozen layers with their source, its accuracy with an evaluation of its weights, and the
tables with the metrics. Each check that fails names the file.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from transferability.data.sharpness import without_sharpness
from transferability.data.split_stores import stores_of_split, with_groups
from transferability.data.splits import Split, Stores, planned_split, split_to_json
from transferability.files import csv_of, read_json
from transferability.inspection.findings import Finding, VerificationError, require_content, verified
from transferability.inspection.measurements import Measurements
from transferability.inspection.network_check import NetworkCheck
from transferability.inspection.proxy_check import ProxyOutputs, verify_proxies
from transferability.process.log import Say
from transferability.proxies.probe_bases import SourceFiles
from transferability.results.accuracies import Results, collect, read_accuracies
from transferability.results.tables import TABLES
from transferability.store.reading import checksum, open_store
from transferability.study.design import Study
from transferability.study.layout import NetworkFiles
from transferability.study.names import PRETRAINED_SOURCE, Network
from transferability.study.probed import probed_in
from transferability.training.recipe import Recipe
from transferability.words import counted

_BLOCK = 256  # images read at a time


def verify_store(folder: Path) -> Finding:
    """Check the store's files against the checksum in its manifest."""

    def check() -> None:
        store = open_store(folder)
        for start in range(0, len(store.labels), _BLOCK):
            store.images[start : start + _BLOCK]  # raises an error that names a damaged image
        if checksum(folder) != store.checksum:
            raise VerificationError("its files are not those of its checksum; build the store again")

    return verified(str(folder), check)


def verify_split(path: Path, stores: Stores, split: Split) -> Finding:
    """Check a split's file against the split that follows from its stores' classes."""

    def check() -> None:
        expected = split_to_json(split, stores)
        if read_json(path) not in (expected, without_sharpness(expected)):
            raise VerificationError("not the split that the store's classes and its seed or groups give")

    return verified(str(path), check)


@dataclass(frozen=True)
class Outputs:
    """Where the outputs of a study are.

    Attributes:
        stores: the folder of each store, by data set.
        splits: the file of each split, by name.
        checkpoints: the checkpoint of every network, by split, seed and network.
        tables: the tables by name: ``accuracies`` and those made from it.
        pictures: all figures except those of proxies.
        proxies: the outputs of proxies; None to check none.
    """

    stores: Mapping[str, Path]
    splits: Mapping[str, Path]
    checkpoints: Mapping[tuple[str, int, Network], Path]
    tables: Mapping[str, Path]
    pictures: Sequence[Path]
    proxies: ProxyOutputs | None = None


def verify_study(study: Study, outputs: Outputs, evaluations: int, say: Say) -> Iterator[Finding]:
    """Check every output of a study and evaluate some networks again, spread over the study.

    Args:
        study: the study.
        outputs: where its outputs are.
        evaluations: how many networks are evaluated again.
        say: logs what is and is not checked.
    """
    yield from map(verify_store, outputs.stores.values())
    try:
        opened = {name: open_store(folder) for name, folder in outputs.stores.items()}
    except (OSError, ValueError):
        say("the store cannot be opened, so nothing made from it is checked")
        return
    splits, stores = {}, {}
    for name, plan in study.splits.items():
        stores[name] = stores_of_split(study, name, opened)
        in_groups = with_groups(study, name, stores[name])
        splits[name] = planned_split(plan, {target: store.classes for target, store in in_groups.items()})
        yield verify_split(outputs.splits[name], in_groups, splits[name])
    evaluated = spread(len(outputs.checkpoints), evaluations)
    say(f"{counted(len(outputs.checkpoints), 'network')}, {len(evaluated)} of them evaluated again")
    measure = Measurements()
    for position, ((split, seed, network), checkpoint) in enumerate(outputs.checkpoints.items()):
        recipe = Recipe(stores[split], splits[split], seed, study.settings_of(network))
        files, weights = NetworkFiles.beside(checkpoint), study.weights.file if study.weights else None
        yield from NetworkCheck(recipe, files, measure, weights).findings(position in evaluated)
    metrics = [NetworkFiles.beside(checkpoint).metrics for checkpoint in outputs.checkpoints.values()]
    results = cache(lambda: Results.of_study(read_accuracies(outputs.tables["accuracies"]), study))
    yield from verify_tables(study, outputs.tables, metrics, results)
    yield from map(verify_picture, outputs.pictures)
    if outputs.proxies is not None:
        again = spread(len(outputs.proxies.parts), -(-evaluations // (len(study.layers) - 1)))
        probed = partial(_probed, study, outputs, stores, splits)
        yield from verify_proxies(study, outputs.proxies, results, probed, again, say=say)
        for table, of_table in outputs.proxies.pictures.items():
            yield from map(verify_picture, of_table if table.exists() else [])


def _probed(
    study: Study,
    outputs: Outputs,
    stores: Mapping[str, Stores],
    splits: Mapping[str, Split],
    key: tuple[str, int],
) -> tuple[Recipe, SourceFiles]:
    """The recipe of frozen networks for a split and seed, and the files of the sources that are probed."""
    split, seed = key
    folder = next(path.parent for (*of, _), path in outputs.checkpoints.items() if tuple(of) == key)
    probed = probed_in(study, split)
    files = {base.target: folder / f"{base.name}.safetensors" for base in probed.bases}
    if study.weights:
        files[PRETRAINED_SOURCE] = study.weights.file
    return Recipe(stores[split], splits[split], seed, study.settings("frozen")), {
        source: files.get(source) for source in probed.sources
    }


def spread(count: int, sample: int) -> set[int]:
    """``sample`` of the positions 0 to ``count`` - 1, evenly spread; all of them if there are not that many."""
    return {int(i) for i in np.linspace(0, count - 1, min(sample, count)).round()} if count else set()


def verify_tables(
    study: Study, tables: Mapping[str, Path], metrics: Iterable[Path], results: Callable[[], Results]
) -> Iterator[Finding]:
    """Check accuracies against the metrics, and the tables against the accuracies.

    Args:
        study: the study.
        tables: the paths of ``accuracies`` and of any of `TABLES`, by name.
        metrics: the metrics files of all networks.
        results: returns what tables are made from; called only for tables.
    """

    def check_table(name: str, path: Path) -> None:
        made = TABLES[name](results())
        require_content(path, made if isinstance(made, str) else csv_of(made))

    accuracies = tables["accuracies"]
    yield verified(str(accuracies), lambda: require_content(accuracies, csv_of(collect(metrics, study.layers))))
    for name, path in tables.items():
        if name in TABLES:
            yield verified(str(path), partial(check_table, name, path))


# What complete files of each format begin and end with.
_ENDS = {
    ".png": (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
    ".pdf": (b"%PDF-", b"%%EOF\n"),
    ".html": (b"<!DOCTYPE html>", b"</html>"),
}


def verify_picture(path: Path) -> Finding:
    """Check that a picture exists and is complete."""

    def check() -> None:
        content = path.read_bytes()
        begin, end = _ENDS[path.suffix]
        if not (content.startswith(begin) and content.endswith(end)):
            raise VerificationError("not a whole picture; delete it to have it drawn again")

    return verified(str(path), check)
