"""Whether the outputs of a finished study are what they say they are.

Every check goes back to what an output was made from: the store's files to their checksum, a split to the store's
classes, a network's frozen layers to their source, its accuracy to an evaluation of its weights, and the tables to the
metrics. Each check that fails names the file.
"""

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from transferability.data.splits import Split, make_split, samples_of, split_to_json
from transferability.data.stream import Preprocessing
from transferability.files import csv_of, read_json, sha256_of
from transferability.networks.build import build_network
from transferability.networks.copying import copy_layers
from transferability.process.log import Say
from transferability.process.provenance import provenance
from transferability.records.checkpoints import load_weights, read_about
from transferability.results.accuracies import STATISTICS, Results, collect, read_accuracies
from transferability.results.scores import accuracies_of
from transferability.results.tables import TABLES
from transferability.store.reading import Store, checksum, open_store
from transferability.study.compared import BALANCED
from transferability.study.design import Study
from transferability.study.groups import grouped, read_groups
from transferability.study.layout import NetworkFiles
from transferability.study.names import Network
from transferability.training.evaluation import evaluate
from transferability.training.recipe import Recipe, identity_of
from transferability.training.sources import source_weights
from transferability.words import counted

OK = "ok"
_BLOCK = 256  # images read at a time
# Another device, version or number of threads may add in another order, so that an image on the edge between two
# classes falls to the other side. With fewer bits there are more such images, and a CPU has none of a GPU's TF32.
ROUNDING_TOLERANCE = {"float32": 0.002, "tf32": 0.01, "bf16": 0.01}


class VerificationError(ValueError):
    """An output is not what it should be."""


@dataclass(frozen=True)
class Finding:
    """One check: of what, and `OK` or what is wrong."""

    what: str
    result: str


def verified(what: str, check: Callable[[], object]) -> Finding:
    """Run one check; what it raises is its result."""
    try:
        check()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        result = str(error) if isinstance(error, OSError | ValueError) else repr(error)
        return Finding(what, result.removeprefix(f"{what}: "))
    return Finding(what, OK)


def failures(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.result != OK]


def verify_store(folder: Path) -> Finding:
    """The store's files against the checksum in its manifest."""

    def check() -> None:
        store = open_store(folder)
        for start in range(0, len(store.labels), _BLOCK):
            store.images[start : start + _BLOCK]  # which names an image that is damaged
        if checksum(folder) != store.checksum:
            raise VerificationError("its files are not those of its checksum; build the store again")

    return verified(str(folder), check)


def verify_split(path: Path, store: Store, split: Split) -> Finding:
    """A split's file against the split that the store's classes give."""

    def check() -> None:
        if read_json(path) != split_to_json(split, store):
            raise VerificationError("not the split that the store's classes and its seed or groups give")

    return verified(str(path), check)


@dataclass(frozen=True)
class NetworkCheck:
    """A network of the study and the checks on its files."""

    recipe: Recipe
    files: NetworkFiles

    @property
    def network(self) -> Network:
        return self.files.network

    @property
    def source(self) -> Path | None:
        """The checkpoint whose layers it has."""
        if self.network.base is None:
            return None
        return self.files.checkpoint.with_name(f"{Network(self.network.base).name}.safetensors")

    @cached_property
    def weights(self) -> dict[str, torch.Tensor]:
        return load_weights(self.files.checkpoint)

    def findings(self, evaluated: bool) -> Iterator[Finding]:
        """The checks of one network, the evaluation only where it is asked for; none of weights that are unreadable."""
        yield verified(str(self.files.checkpoint), self.check_checkpoint)
        yield verified(str(self.files.history), self.check_history)
        yield verified(str(self.files.metrics), self.check_metrics)
        if failures([verified("weights", lambda: self.weights)]):
            return
        if self.network.frozen:
            yield verified(f"{self.files.checkpoint}: frozen layers", self.check_frozen_layers)
        if evaluated:
            yield verified(f"{self.files.checkpoint}: accuracy", self.check_accuracy)

    def check_checkpoint(self) -> None:
        """Readable, undamaged, and made from what the study says."""
        about = read_about(self.files.checkpoint)
        for key, value in self._identity.items():
            if about.get(key) != value:
                raise VerificationError(f"its {key} is {about.get(key)!r}, not {value!r}")
        model = build_network(
            self.recipe.architecture,
            self.recipe.seen_shape,
            len(self.recipe.split.halves[self.network.target]),
        )
        model.load_state_dict(self.weights)
        bad = [name for name, tensor in self.weights.items() if not torch.isfinite(tensor).all()]
        if bad:
            raise VerificationError(f"{bad[0]} has weights that are not finite")

    def check_history(self) -> None:
        """The accuracies in the metrics are those of the history."""
        with self.files.history.open(encoding="utf-8", newline="") as file:
            history = [
                {key: float(value) if value else None for key, value in row.items()} for row in csv.DictReader(file)
            ]
        metrics = read_json(self.files.metrics)
        expected = self.recipe.hyperparameters
        steps = [i for i in range(1, expected.iterations + 1) if expected.evaluates_after(i)]
        if [row["iteration"] for row in history] != steps:
            raise VerificationError("it does not have one row for each evaluation")
        for name, value in accuracies_of(history).items():
            if metrics.get(name) != value:
                raise VerificationError(f"its {name} is {value}, in {self.files.metrics.name} {metrics.get(name)}")

    def check_metrics(self) -> None:
        """Of this network, and made from the same as its checkpoint."""
        metrics = read_json(self.files.metrics)
        identity = self._identity
        facts = {
            **self.network.facts,
            "split": self.recipe.split.name,
            "kind": self.recipe.split.kind,
            "seed": self.recipe.seed,
            "made_from": identity,
        }
        for key, value in facts.items():
            if metrics[key] != value:
                raise VerificationError(f"its {key} is {metrics[key]!r}, not {value!r}")
        for name in STATISTICS:
            if name in BALANCED and metrics.get(name) is None:  # of a network of before it was recorded
                continue
            if not 0 <= metrics[name] <= 1:
                raise VerificationError(f"its {name} is {metrics[name]!r}, not from 0 to 1")

    def check_frozen_layers(self) -> None:
        """Bit-equal to those of the source."""
        expected = build_network(self.recipe.architecture, self.recipe.seen_shape, 2)
        copy_layers(source_weights(self.recipe, self.network, self.source), expected, self.network.frozen)
        for name, layer in list(expected.named_children())[: self.network.frozen]:
            for key, tensor in layer.state_dict(prefix=f"{name}.").items():
                if not torch.equal(tensor, self.weights[key]):
                    raise VerificationError(f"{key} is frozen, but not what it is in {self._source_name}")

    def check_accuracy(self) -> None:
        """The recorded accuracy is that of the weights: exactly if trained on a CPU as this process is, else nearly."""
        metrics = read_json(self.files.metrics)
        found = evaluate(self.recipe, self.network, self.weights, "cpu")
        here = provenance("cpu")
        alike = all(metrics.get(key) == here[key] for key in ("versions", "device", "threads"))
        tolerance = 0.0 if alike else ROUNDING_TOLERANCE[self.recipe.hyperparameters.precision]
        checks = [("top1_final", found.top1, tolerance), ("top5_final", found.top5, tolerance)]
        if metrics.get("balanced_final") is not None:  # else of a network of before it was recorded
            checks.append(("balanced_final", found.balanced, tolerance * self._most_of_an_image))
        for name, value, allowed in checks:
            if abs(metrics[name] - value) > allowed:
                raise VerificationError(f"evaluated again, its {name} is {value}, recorded is {metrics[name]}")

    @property
    def _most_of_an_image(self) -> float:
        """How much more an image of the rarest class counts in balanced accuracy than one does in top-1."""
        classes, validation = self.recipe.split.halves[self.network.target], self.recipe.store.validation
        images = np.bincount(samples_of(self.recipe.store, classes, validation)[1])
        images = images[images > 0]
        return float(images.mean() / images.min())

    @property
    def _source_name(self) -> str:
        return self.source.name if self.source else "the untrained network of its split and seed"

    @cached_property
    def _identity(self) -> dict[str, Any]:
        return identity_of(self.recipe, self.network, sha256_of(self.source) if self.source else None)


@dataclass(frozen=True)
class Outputs:
    """Where the outputs of a study are.

    Attributes:
        store: the store's folder.
        splits: the file of each split, by name.
        checkpoints: of every network, by split, seed and network.
        tables: by name, ``accuracies`` and those made from it.
        pictures: all figures.
    """

    store: Path
    splits: Mapping[str, Path]
    checkpoints: Mapping[tuple[str, int, Network], Path]
    tables: Mapping[str, Path]
    pictures: Sequence[Path]


def verify_study(study: Study, outputs: Outputs, evaluations: int, say: Say) -> Iterator[Finding]:
    """Check every output of a study; of the networks, evaluate so many again, spread over the study."""
    of_store = verify_store(outputs.store)
    yield of_store
    try:
        store = open_store(outputs.store)
    except (OSError, ValueError):
        say("the store cannot be opened, so nothing made from it is checked")
        return
    splits = {}
    for plan in study.splits.values():
        classes = store.classes
        if plan.groups is not None and study.groups_file is not None:
            classes = grouped(classes, read_groups(study.groups_file), study.groups_file)
        splits[plan.name] = make_split(classes, plan.name, plan.seed, plan.groups)
        yield verify_split(outputs.splits[plan.name], replace(store, classes=classes), splits[plan.name])
    evaluated = spread(len(outputs.checkpoints), evaluations)
    say(f"{counted(len(outputs.checkpoints), 'network')}, {len(evaluated)} of them evaluated again")
    for position, ((split, seed, network), checkpoint) in enumerate(outputs.checkpoints.items()):
        recipe = _recipe(study, store, splits[split], seed, network)
        yield from NetworkCheck(recipe, NetworkFiles.beside(checkpoint)).findings(position in evaluated)
    metrics = [NetworkFiles.beside(checkpoint).metrics for checkpoint in outputs.checkpoints.values()]
    yield from verify_tables(study, outputs.tables, metrics)
    yield from map(verify_picture, outputs.pictures)


def _recipe(study: Study, store: Store, split: Split, seed: int, network: Network) -> Recipe:
    return Recipe(
        store=store,
        split=split,
        seed=seed,
        architecture=study.config["networks"]["architecture"],
        preprocessing=Preprocessing(**study.config["preprocessing"]),
        hyperparameters=study.hyperparameters[network.stage],
    )


def spread(count: int, sample: int) -> set[int]:
    """``sample`` of the positions 0 to ``count`` - 1, evenly spread; all of them if there are no more."""
    return {int(i) for i in np.linspace(0, count - 1, min(sample, count)).round()} if count else set()


def verify_tables(study: Study, tables: Mapping[str, Path], metrics: Iterable[Path]) -> Iterator[Finding]:
    """Accuracies against the metrics, and the tables against the accuracies.

    Args:
        study: the study.
        tables: by name: ``accuracies``, and any of those that `TABLES` makes.
        metrics: the metrics files of all networks.
    """

    def check(path: Path, expected: str) -> None:
        if path.read_bytes() != expected.encode():
            raise VerificationError("not what its inputs give; delete it to have it made again")

    def check_table(name: str, path: Path) -> None:
        made = TABLES[name](Results.of_study(read_accuracies(accuracies), study))
        check(path, made if isinstance(made, str) else csv_of(made))

    accuracies = tables["accuracies"]
    yield verified(str(accuracies), lambda: check(accuracies, csv_of(collect(metrics, study.layers))))
    for name, path in tables.items():
        if name in TABLES:
            yield verified(str(path), partial(check_table, name, path))


# What a whole file of a kind of picture begins and ends with.
_ENDS = {
    ".png": (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
    ".pdf": (b"%PDF-", b"%%EOF\n"),
    ".html": (b"<!DOCTYPE html>", b"</html>"),
}


def verify_picture(path: Path) -> Finding:
    """There, and whole."""

    def check() -> None:
        content = path.read_bytes()
        begin, end = _ENDS[path.suffix]
        if not (content.startswith(begin) and content.endswith(end)):
            raise VerificationError("not a whole picture; delete it to have it drawn again")

    return verified(str(path), check)


def report(findings: Collection[Finding]) -> str:
    """What to tell of all checks together, with up to twenty failures."""
    wrong = failures(findings)
    if not wrong:
        return f"all {len(findings)} checks passed"
    shown = [f"{finding.what}: {finding.result}" for finding in wrong[:20]]
    more = [f"and {len(wrong) - len(shown)} more"] if len(wrong) > len(shown) else []
    return "\n".join([f"{len(wrong)} of {len(findings)} checks failed:", *shown, *more])
