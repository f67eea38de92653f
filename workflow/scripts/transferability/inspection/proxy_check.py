"""The checks on proxies, if requested: tables against what they are made from, and some probes repeated."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from itertools import count, product
from pathlib import Path
from typing import Any, NamedTuple

from transferability.files import csv_of, read_json
from transferability.inspection.findings import Finding, VerificationError, require_content, verified
from transferability.inspection.rounding import made_as_here, tolerance_of_statistics
from transferability.process.log import Say
from transferability.proxies.probe_bases import Probing, SourceFiles, made_from, probe
from transferability.results.accuracies import Results
from transferability.results.proxies import agreement, collect_proxies, read_proxies
from transferability.study.design import Study
from transferability.study.probed import probed_in
from transferability.training.recipe import Recipe

# Tasks with more training and validation images are not probed again: a CPU processes each image dozens of times.
_MOST_PROBED_AGAIN = 50_000
_NEARLY_SAME = ("_top1", "_balanced", "cka", "cka_independent", "dead_units")  # ends of columns with values from 0 to 1


class _Pair(NamedTuple):
    target: str
    source: str


@dataclass(frozen=True)
class ProxyOutputs:
    """Where the outputs of proxies are; only those that exist are checked.

    Attributes:
        parts: the file of probes of each split and seed.
        table: the table of all probes.
        agreement: the table that compares proxies with measured drops.
        pictures: the figures, by the table that they are made with.
        cache_bytes: how many bytes of features may be held in memory while probing again.
    """

    parts: Mapping[tuple[str, int], Path]
    table: Path
    agreement: Path
    pictures: Mapping[Path, Sequence[Path]]
    cache_bytes: float


def verify_proxies(
    study: Study,
    outputs: ProxyOutputs,
    results: Callable[[], Results],
    sources_of: Callable[[tuple[str, int]], tuple[Recipe, SourceFiles]],
    again: Set[int],
    *,
    say: Say,
) -> Iterator[Finding]:
    """Check the outputs of proxies that exist; there is nothing to check if none were requested for this study.

    Args:
        study: the study.
        outputs: where the outputs are.
        results: returns the results that measured drops are from; called only if they are needed.
        sources_of: returns, for a split and seed, the recipe of frozen networks and the files of what is probed.
        again: the positions, among the parts, of those of which one source and target are probed again.
        say: logs what is not checked.
    """
    if not outputs.parts or not outputs.table.exists():
        return

    def check_table() -> None:
        require_content(outputs.table, csv_of(collect_proxies(outputs.parts.values(), study.layers)))

    def check_agreement() -> None:
        require_content(outputs.agreement, csv_of(agreement(read_proxies(outputs.table), results())))

    turn = count()
    for position, (key, path) in enumerate(outputs.parts.items()):
        check = _Part(path, *sources_of(key), probed_in(study, key[0]).targets, outputs.cache_bytes)
        yield verified(f"{path}: bases", check.check_bases)
        if position not in again:
            continue
        pair = check.pair(next(turn))
        if (images := check.images_of(pair.target)) > _MOST_PROBED_AGAIN:
            bound = f"{images:,} images of {pair.target}, more than {_MOST_PROBED_AGAIN:,}"
            say(f"{path}: not probed again on a CPU: {bound}")
        else:
            yield verified(f"{path}: probed again", partial(check.check_rows, pair))
    yield verified(str(outputs.table), check_table)
    if outputs.agreement.exists():
        yield verified(str(outputs.agreement), check_agreement)


@dataclass(frozen=True)
class _Part:
    """The probes of one split and seed."""

    path: Path
    recipe: Recipe
    files: SourceFiles
    targets: Sequence[str]
    cache_bytes: float

    def check_bases(self) -> None:
        """Check that they are made from the bases that exist, and have all sources and targets of the study."""
        content = read_json(self.path)
        if content["made_from"] != made_from(self.files):
            raise VerificationError("made from other bases than those that are there; delete it to have it made again")
        if {(row["target"], row["source"]) for row in content["rows"]} != {*product(self.targets, self.files)}:
            raise VerificationError(
                "not of all sources and targets of the study, or of others; delete it to have it made again"
            )

    def pair(self, turn: int) -> _Pair:
        """The target and source to probe again, a different pair in each turn."""
        pairs = list(product(self.targets, self.files))
        return _Pair(*pairs[turn % len(pairs)])

    def images_of(self, target: str) -> int:
        task = self.recipe.task(target)
        return len(task.training()[1]) + len(task.validation()[1])

    def check_rows(self, pair: _Pair) -> None:
        """Probe again; rows must be equal to the bit if made under the conditions of this process, otherwise nearly."""
        content = read_json(self.path)
        exact = made_as_here(content)
        probing = Probing("cpu", self.cache_bytes, lambda _line: None)
        rows = [row for row in content["rows"] if (row["target"], row["source"]) == pair]
        found = probe(self.recipe, pair.target, self.files, probing, only=pair.source)
        if len(found) != len(rows):
            raise VerificationError(
                f"it has {len(rows)} rows of layers of {pair.source} for {pair.target}, not {len(found)}"
            )
        for row, recorded in zip(found, rows, strict=True):
            for key, value in row.items():
                if not (recorded[key] == value if exact else self._nearly(key, recorded[key], value)):
                    what = f"{key} of {row['network']}, {row['features']} features,"
                    raise VerificationError(f"probed again, {what} is {value}, recorded is {recorded[key]}")

    def _nearly(self, key: str, recorded: Any, value: Any) -> bool:
        """Whether two values are nearly equal.

        Any regularization is accepted, because the choice may depend on a few images.
        """
        if key == "regularization":
            return True
        if not isinstance(value, float) or not isinstance(recorded, float):
            return bool(recorded == value)
        tolerance = tolerance_of_statistics(self.recipe.hyperparameters.precision)
        unit = 1.0 if key.endswith(_NEARLY_SAME) else max(1.0, abs(value))
        return math.isclose(recorded, value, rel_tol=0, abs_tol=tolerance * unit)
