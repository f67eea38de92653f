"""The checks on proxies, where they were asked for: tables against what they are made from, and probes again."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transferability.files import csv_of, read_json
from transferability.inspection.findings import Finding, VerificationError, verified
from transferability.inspection.network_check import MOST_OF_STATISTICS, ROUNDING_TOLERANCE
from transferability.process.provenance import provenance
from transferability.proxies.probe_bases import Probing, SourceFiles, made_from, probe
from transferability.results.accuracies import Results, read_accuracies
from transferability.results.proxies import agreement, collect_proxies, read_proxies
from transferability.study.design import Study
from transferability.study.probed import probed_in
from transferability.training.recipe import Recipe

_NEARLY_SAME = ("_top1", "_balanced", "cka", "cka_independent", "dead_units")  # as columns end that are from 0 to 1


@dataclass(frozen=True)
class ProxyOutputs:
    """Where what was made of proxies is; only what is there is checked.

    Attributes:
        parts: the probes of each split and seed.
        table: the table of all of these.
        agreement: the table of proxies against measured drops.
        pictures: by the table that each is made with.
        cache_bytes: of features that are held in memory while probing again.
    """

    parts: Mapping[tuple[str, int], Path]
    table: Path
    agreement: Path
    pictures: Mapping[Path, Sequence[Path]]
    cache_bytes: float


def verify_proxies(
    study: Study,
    outputs: ProxyOutputs,
    accuracies: Path,
    sources_of: Callable[[tuple[str, int]], tuple[Recipe, SourceFiles]],
    again: Callable[[int, int], set[int]],
) -> Iterator[Finding]:
    """Check what there is of proxies; nothing, if they were never asked for, or not of this study.

    Args:
        study: the study.
        outputs: where all is.
        accuracies: the table of networks.
        sources_of: of a split and seed, the recipe of frozen networks and the files of what is probed.
        again: of so many jobs with so many networks each, the positions of those to be probed again.
    """
    if not outputs.parts or not outputs.table.exists():
        return

    def check_table() -> None:
        _require_same(outputs.table, csv_of(collect_proxies(outputs.parts.values(), study.layers)))

    def check_agreement() -> None:
        results = Results.of_study(read_accuracies(accuracies), study)
        _require_same(outputs.agreement, csv_of(agreement(read_proxies(outputs.table), results)))

    chosen = again(len(outputs.parts), max(1, _networks(outputs.parts)))
    for position, (key, path) in enumerate(outputs.parts.items()):
        check = _Part(path, *sources_of(key), probed_in(study, key[0]).targets, outputs.cache_bytes)
        yield verified(f"{path}: bases", check.check_bases)
        if position in chosen:
            yield verified(f"{path}: probed again", check.check_rows)
    yield verified(str(outputs.table), check_table)
    if outputs.agreement.exists():
        yield verified(str(outputs.agreement), check_agreement)


def _networks(parts: Mapping[tuple[str, int], Path]) -> int:
    """How many are probed in a job, by the first that can be read."""
    for path in parts.values():
        try:
            return len({row["network"] for row in read_json(path)["rows"]})
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return 0


def _require_same(path: Path, expected: str) -> None:
    if path.read_bytes() != expected.encode():
        raise VerificationError("not what its inputs give; delete it to have it made again")


@dataclass(frozen=True)
class _Part:
    """The probes of one split and seed."""

    path: Path
    recipe: Recipe
    files: SourceFiles
    targets: Sequence[str]
    cache_bytes: float

    def check_bases(self) -> None:
        """They are of the bases that are there."""
        if read_json(self.path)["made_from"] != made_from(self.files):
            raise VerificationError("made from other bases than those that are there; delete it to have it made again")

    def check_rows(self) -> None:
        """The same to the bit if made as this process computes, else nearly."""
        content, here = read_json(self.path), provenance("cpu")
        exact = all(content.get(key) == here[key] for key in ("versions", "device", "threads"))
        probing = Probing("cpu", self.cache_bytes, lambda _line: None)
        found = [row for target in self.targets for row in probe(self.recipe, target, self.files, probing)]
        if len(found) != len(content["rows"]):
            raise VerificationError(f"it has {len(content['rows'])} rows, not {len(found)}")
        for row, recorded in zip(found, content["rows"], strict=True):
            for key, value in row.items():
                if not (recorded[key] == value if exact else self._nearly(key, recorded[key], value)):
                    what = f"{key} of {row['network']}, {row['features']} features,"
                    raise VerificationError(f"probed again, {what} is {value}, recorded is {recorded[key]}")

    def _nearly(self, key: str, recorded: Any, value: Any) -> bool:
        """A regularization that is chosen by a few images may be another one, and so may accuracies by it."""
        if key == "regularization":
            return True
        if not isinstance(value, float):
            return bool(recorded == value)
        tolerance = MOST_OF_STATISTICS * ROUNDING_TOLERANCE[self.recipe.hyperparameters.precision]
        unit = 1.0 if key.endswith(_NEARLY_SAME) else max(1.0, abs(value))
        return math.isclose(recorded, value, rel_tol=0, abs_tol=tolerance * unit)
