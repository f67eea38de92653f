"""Rehearsal: make everything that a study makes from its networks, from made-up accuracies, before any is trained.

Otherwise, a config that cannot be printed, a name that cannot be drawn or a font that cannot be used would show up only
after all networks are trained. What is made here is thrown away. It needs no data, so nothing is read in vain;
`transferability.figures.class_names.try_names` tries the names of the classes once they are known.

    python -m transferability.report.rehearsal < config.json

It is not a rule that training depends on, because such a rule would run again whenever a color changes. If a job
depends on a rerun job through an `ancient` input, Snakemake (9.27) does not check whether it has reasons of its own to
run, so networks with changed settings would be left as they are.
"""

import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from transferability.figures.catalog import drawn_of
from transferability.figures.pictures import picture
from transferability.figures.style import figure_style
from transferability.figures.training import first_layer_filters, learning_curves
from transferability.files import write_json, write_table, write_text
from transferability.labels import reason_of
from transferability.process.log import job_log
from transferability.report.html import TEXTS, caption
from transferability.report.rehearsed import remember_rehearsal
from transferability.report.runs import MAKER_COLUMNS
from transferability.report.study_page import ReportFiles, report
from transferability.results.accuracies import GUESSING, METRICS, Results, collect_contents, read_accuracies
from transferability.results.tables import TABLES, write_tables
from transferability.study.compared import (
    TRAINING_CROSS_ENTROPY,
    TRAINING_IMAGES_EVALUATED,
    TRAINING_TOP1,
    VALIDATION_CROSS_ENTROPY,
)
from transferability.study.design import Key, Study, read_study
from transferability.study.groups import read_groups
from transferability.study.names import WHOLE, Network

# Made-up accuracies between chance and 1, different for each treatment.
_TOP1 = {"base": 0.8, "selffer": 0.79, "selffer+": 0.82, "transfer": 0.7, "transfer+": 0.83, "random": 0.4}
_TOP1 |= {"pretrained": 0.75, "pretrained+": 0.85}
_DPI = 30
_CLASSES, _IMAGES = 10, 1000  # of a half; to evaluate on


class RehearsalError(ValueError):
    """Something that is made from the networks could not be made."""


def rehearse(study: Study, folder: Path) -> list[str]:
    """Make every table, figure and page of a study in a folder, as if its networks were trained.

    Args:
        study: the study. Each of its networks gets made-up accuracies, the same every time. Some bases are at chance,
            so that the text and figures about this are tried too.
        folder: an empty folder, which the caller throws away.

    Returns:
        What was tried, in words.

    Raises:
        RehearsalError: something could not be made; the message says what and why.
        OSError: the folder cannot be written to.
    """
    tried: list[str] = []
    paths = _Paths(folder, study)
    networks = dict(_made_up(study))
    with figure_style(study.figures.colors):
        with _trying("the table of accuracies", tried):
            contents = (("/".join(map(str, key)), content) for key, content in networks.items())
            write_table(paths.accuracies, collect_contents(contents, study.layers))
            accuracies = read_accuracies(paths.accuracies)
            results = Results.of_study(accuracies, study)
        for name, path in paths.tables.items():
            with _trying(f"the table {name}", tried):
                write_tables(results, {name: path})
        for name, path in paths.figures.items():
            with _trying(f"the figure {name}", tried):
                _sketch(picture(name, results), path)
        for split, path in paths.curves.items():
            with _trying(f"learning curves of {split}", tried):
                _sketch(learning_curves(_histories(study, split)), path)
        with _trying("first-layer filters", tried):
            filters = first_layer_filters(_filters(study))
            for path in (paths.filters, paths.filters.with_suffix(".pdf")):
                _sketch(filters, path)
        with _trying("the report", tried):
            for text in TEXTS.glob("*.rst"):
                caption(text.stem)
            for split, path in paths.splits.items():
                write_json(path, _split(study, split))
            write_text(folder / "report.html", report(study, paths.report_files, networks, "a rehearsal"))
    return tried


def _sketch(figure: Figure, path: Path) -> None:
    """Draw a figure once, at low resolution and without layout, the slowest part of `save`; fails where `save` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.set_layout_engine("none")
    figure.savefig(path, dpi=_DPI)


@contextmanager
def _trying(what: str, tried: list[str]) -> Iterator[None]:
    """Turn any error in the block, except an OSError, into a RehearsalError that says what could not be made."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise RehearsalError(
            f"{what} could not be made once the networks are trained, so none is trained yet ({reason_of(error)})"
        ) from error
    tried.append(what)


@dataclass(frozen=True)
class _Paths:
    """Where a rehearsal writes."""

    folder: Path
    study: Study

    @property
    def accuracies(self) -> Path:
        return self.folder / "accuracies.csv"

    @property
    def tables(self) -> dict[str, Path]:
        return {name: self.folder / f"{name}.csv" for name in TABLES}

    @property
    def figures(self) -> dict[str, Path]:
        return {name: self.folder / f"{name}.png" for name in drawn_of(self.study)}

    @property
    def curves(self) -> dict[str, Path]:
        """One split into halves and that of the whole set, if they exist; further splits have the same networks."""
        of_each_kind = {split == WHOLE: split for split in reversed(list(self.study.splits))}
        return {split: self.folder / "learning_curves" / f"{split}.png" for split in of_each_kind.values()}

    @property
    def filters(self) -> Path:
        return self.folder / "first_layer_filters.png"

    @property
    def splits(self) -> dict[str, Path]:
        return {split: self.folder / "splits" / f"{split}.json" for split in self.study.splits}

    @property
    def report_files(self) -> ReportFiles:
        return ReportFiles(
            accuracies=self.accuracies,
            tables={name: path for name, path in self.tables.items() if name != "headline"},
            figures=self.figures,
            learning_curves=self.curves,
            filters=self.filters,
            contact_sheets=dict.fromkeys(self.study.data_sets, self.figures["figure2"]),
            halves=dict.fromkeys(self.study.splits, self.figures["figure3"]),
            splits=self.splits,
            benchmarks=self.folder,
        )


def _made_up(study: Study) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Yield what the metrics of each network would say."""
    maker = dict.fromkeys(MAKER_COLUMNS[:-1], "made up") | {"versions": {"torch": "made up"}, "seconds": 1.0}
    about = (_CLASSES, _IMAGES, 1 / _CLASSES, math.log(_CLASSES), 0.0)
    guessing = dict(zip(GUESSING, about, strict=True))
    last = list(study.splits)[-1]
    for position, (split, seed, network) in enumerate(study.networks()):
        is_at_chance = network.treatment == "base" and network.target != "A" and split == last
        yield (
            (split, seed, network.name),
            {
                "split": split,
                "split_type": study.splits[split].split_type,
                "seed": seed,
                **network.facts,
                "iterations": study.settings_of(network).hyperparameters.iterations,
                "evaluations": 1,
                **dict.fromkeys(METRICS, 1 / _CLASSES if is_at_chance else _top1(network, position)),
                VALIDATION_CROSS_ENTROPY: 0.5 + 0.01 * network.n,
                TRAINING_CROSS_ENTROPY: 0.2 + 0.02 * network.n,
                TRAINING_TOP1: 0.9,
                TRAINING_IMAGES_EVALUATED: _IMAGES,
                **guessing,
                **maker,
                "made_from": {},
            },
        )


def _top1(network: Network, position: int) -> float:
    """An accuracy that falls with depth and differs slightly between networks."""
    return max(0.0, _TOP1.get(network.treatment, 0.5) - 0.02 * network.n + 0.001 * (position % 7))


def _split(study: Study, split: str) -> dict[str, Any]:
    """The content of a split's file, with the classes that the file of groups names."""
    file = next((a.groups_file for a in study.data_sets_of(split) if a.groups_file), None)
    groups = read_groups(file) if file else {"a class": "a group"}
    classes = [{"index": i, "name": name, "group": group} for i, (name, group) in enumerate(groups.items())]
    half = {"training_images": _IMAGES, "validation_images": _IMAGES, "class_count": len(groups), "classes": classes}
    plan = study.splits[split]
    return {"split": split, "split_type": plan.split_type, "seed": 0, "halves": dict.fromkeys(plan.targets, half)}


def _histories(study: Study, split: str) -> dict[str, pd.DataFrame]:
    history = pd.DataFrame({"iteration": [1, 2], "validation_top1": [0.1, 0.2]})
    return {network.name: history for network in study.networks_of(split)}


def _filters(study: Study) -> dict[str, NDArray[np.float32]]:
    few = np.linspace(0, 1, 4 * 3 * 3 * 3, dtype=np.float32).reshape(4, 3, 3, 3)
    return {f"{split}, seed{seed}, {network.name}": few for split, seed, network in study.drawn_bases()}


def main() -> None:
    """Rehearse the study whose config is given as JSON; one line and exit code 1 if something cannot be made.

    Success is recorded, so that the workflow does not ask again until something has changed.
    """
    started = time.monotonic()
    study = read_study(json.load(sys.stdin))
    with job_log(study.folder / "logs" / "rehearsal.log", "rehearsal") as say, TemporaryDirectory() as folder:
        tried = rehearse(study, Path(folder))
        remember_rehearsal(study)
        say(f"{', '.join(tried)}: all can be made, tried in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
