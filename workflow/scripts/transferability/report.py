"""A study's report: one HTML file with everything in it, that opens without a network and prints.

The page's frame is ``workflow/report/report.html.j2``; the captions beside it are those of Snakemake's own report too.
"""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml
from docutils.core import publish_parts
from PIL import Image

from transferability.accuracies import bases_at_chance, read_accuracies
from transferability.answers import Answer, answers
from transferability.files import read_json
from transferability.names import LAYER_NAMES
from transferability.report_tables import JOBS, MAKERS, Sheet, points, sheet_of, sheet_of_file, table_views
from transferability.runs import hours_by_device, jobs, makers
from transferability.same_images import shared_images
from transferability.splits import KINDS_IN_WORDS
from transferability.statistics import WAYS_OF_REUSE, missing_networks
from transferability.study import PROJECT, Key, Study, without_running

TEXTS = PROJECT / "workflow" / "report"
TEMPLATE = "report.html.j2"

# Pictures of photographs are many times larger without loss than anyone sees.
_LARGEST_PNG = 600_000
_LARGEST_SIDE = 2400
# One is of all networks of a split and seed; of large studies, more would make a page that nobody can open.
_MOST_LEARNING_CURVES = 12

FIGURE_TITLES: Mapping[str, str] = {
    "figure2": "Accuracy by depth",
    "effects": "What co-adaptation and specificity cost, what fine-tuning gains",
    "figure3": "Dissimilar halves, random filters, and differences to base",
    "reduced": "Fewer images of each class",
}


@dataclass(frozen=True)
class ReportFiles:
    """The files of a study that its report shows; those of a study that is not finished may be missing.

    Attributes:
        accuracies: the table of all networks.
        tables: the tables made from it, by name.
        figures: pictures by name, keys of `FIGURE_TITLES` and ``reuse``.
        learning_curves: pictures by title.
        filters: the picture of first-layer filters.
        contact_sheet: the picture of the data.
        halves: by split, the picture of its halves.
        splits: by name, the file of classes.
        benchmarks: the folder of Snakemake's benchmark files.
        manifest: the content of the store's.
    """

    accuracies: Path
    tables: Mapping[str, Path]
    figures: Mapping[str, Path]
    learning_curves: Mapping[str, Path]
    filters: Path
    contact_sheet: Path
    halves: Mapping[str, Path]
    splits: Mapping[str, Path]
    benchmarks: Path
    manifest: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Picture:
    """A picture on the page: its source is the picture itself."""

    title: str
    source: str
    caption: str


@dataclass(frozen=True)
class Page:
    """All that the template shows."""

    study: str
    about: str
    captions: Mapping[str, str]
    facts: Sequence[tuple[str, str]]
    answers: Sequence[Mapping[str, Any]]
    reuse: Picture | None
    figures: Sequence[Picture]
    tables: Sequence[Sheet]
    learning_curves: Sequence[Picture]
    learning_curves_left_out: int
    filters: Picture | None
    contact_sheet: Picture | None
    halves: Sequence[Picture]
    splits: Sequence[Mapping[str, Any]]
    config: str
    jobs: Sheet
    makers: Sheet
    warning: str
    flagged: int
    expected: int
    missing: Sequence[str]
    status: str


def report(study: Study, files: ReportFiles, networks: Mapping[Key, Mapping[str, Any]], status: str = "") -> str:
    """The page of a study.

    Args:
        study: the study.
        files: what it shows.
        networks: what the metrics of the networks in these say, as `transferability.metrics.read_metrics` gives it.
        status: for a study that is not finished, where it stands.
    """
    page = page_of(study, files, networks, status)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEXTS), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template(TEMPLATE).render(page=page)


def page_of(study: Study, files: ReportFiles, networks: Mapping[Key, Mapping[str, Any]], status: str = "") -> Page:
    """What the page of a study shows; see `report`."""
    accuracies = read_accuracies(files.accuracies)
    statistic, tolerated = study.config["figures"]["statistic"], study.config["figures"]["tolerated_loss"]
    jobs_made = jobs(study, networks, files.benchmarks)
    expected = [(split, seed, network.name) for split, seed, network in study.networks()]
    missing = missing_networks(accuracies, expected)
    curves = list(files.learning_curves.items())
    tables = {**files.tables, "accuracies": files.accuracies}
    return Page(
        study=study.config["study"],
        about=caption("study"),
        captions={path.stem: caption(path.stem) for path in TEXTS.glob("*_table.rst")},
        facts=list(_facts(study, accuracies, jobs_made, files.manifest)),
        answers=[_answer(answer, tolerated) for answer in answers(accuracies, statistic, tolerated)],
        reuse=_picture("Which layers can be reused?", files.figures.get("reuse"), "reuse"),
        figures=_there(_picture(title, files.figures.get(name), name) for name, title in FIGURE_TITLES.items()),
        tables=[
            sheet_of_file(name, view, tables[name])
            for name, view in table_views(statistic).items()
            if name in tables and tables[name].exists()
        ],
        learning_curves=_there(_picture(t, path, "learning_curves") for t, path in curves[:_MOST_LEARNING_CURVES]),
        learning_curves_left_out=len(curves[_MOST_LEARNING_CURVES:]),
        filters=_picture("First-layer filters of the bases", files.filters, "first_layer_filters"),
        contact_sheet=_picture("The data", files.contact_sheet, "contact_sheet"),
        halves=_there(_picture(f"Halves of {split}", path, "halves") for split, path in files.halves.items()),
        splits=[_split(read_json(path)) for path in files.splits.values() if path.exists()],
        config=yaml.safe_dump(without_running(study.config), sort_keys=False, allow_unicode=True),
        jobs=sheet_of("jobs", JOBS, jobs_made),
        makers=sheet_of("made_with", MAKERS, makers(networks)),
        warning=bases_at_chance(accuracies),
        flagged=int(accuracies["flag"].notna().sum()),
        expected=len(expected),
        missing=[f"{row.split} seed{row.seed} {row.network}" for row in missing.itertuples()],
        status=status,
    )


@cache
def caption(name: str) -> str:
    """A caption as HTML."""
    text = (TEXTS / f"{name}.rst").read_text(encoding="utf-8")
    settings = {"report_level": 2, "halt_level": 2, "file_insertion_enabled": False, "raw_enabled": False}
    body: str = publish_parts(text, writer="html5", settings_overrides=settings)["body"]
    return body


def _facts(
    study: Study, accuracies: pd.DataFrame, jobs_made: pd.DataFrame, manifest: Mapping[str, Any] | None
) -> Iterator[tuple[str, str]]:
    """What the study is of, in numbers."""
    networks, training = study.config["networks"], study.hyperparameters["base"]
    yield "data set", str(study.config["dataset"])
    if manifest is not None:
        yield "same images", shared_images(manifest)
    yield "network", str(networks["architecture"])
    yield "splits", ", ".join(study.splits)
    yield "seeds", ", ".join(map(str, study.seeds))
    yield "depths n", ", ".join(map(str, sorted(networks["depths"])))
    yield "networks", f"{len(accuracies):,}"
    yield "base networks' training", f"{training.iterations:,} iterations of {training.batch_size:,} images"
    yield "accuracy compared", STATISTICS_IN_WORDS[study.config["figures"]["statistic"]]
    spent = hours_by_device(jobs_made)
    yield "time of training", "; ".join(f"{hours:,.2f} h on {device}" for device, hours in spent.items())


STATISTICS_IN_WORDS: Mapping[str, str] = {
    "top1_final": "top-1 on the validation images, last evaluation",
    "top1_best": "top-1 on the validation images, best evaluation (selected on them)",
    "top1_mean_best10": "top-1 on the validation images, mean of the ten best evaluations (selected on them)",
}


def _answer(answer: Answer, tolerated_loss: float) -> dict[str, Any]:
    return {
        "halves": KINDS_IN_WORDS[answer.kind],
        "base": f"{100 * answer.base:.1f} %",
        "differences": [(what, points(mean)) for what, mean in answer.differences.items()],
        "reuse": [
            {
                "way": WAYS_OF_REUSE[treatment],
                "layers": [(layer, n <= found.deepest) for n, layer in enumerate(LAYER_NAMES[:-1], start=1)],
                "words": str(found),
            }
            for treatment, found in answer.reusable.items()
        ],
        "tolerated": f"{100 * tolerated_loss:g}",
    }


def _picture(title: str, path: Path | None, name: str) -> Picture | None:
    if path is None or not path.exists():
        return None
    return Picture(title, picture_source(path), caption(name))


def _there(pictures: Iterator[Picture | None]) -> list[Picture]:
    return [picture for picture in pictures if picture is not None]


def picture_source(path: Path) -> str:
    """A PNG file as an address that is the picture itself; a large one reduced, and with a loss that is not seen."""
    content, kind = path.read_bytes(), "png"
    if len(content) > _LARGEST_PNG:
        with Image.open(path) as picture, io.BytesIO() as smaller:
            picture.thumbnail((_LARGEST_SIDE, _WEBP_HEIGHT))
            picture.convert("RGB").save(smaller, "webp", quality=85)
            content, kind = smaller.getvalue(), "webp"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


_WEBP_HEIGHT = 16383  # the format has no higher pictures


def _split(content: Mapping[str, Any]) -> dict[str, Any]:
    """A split's halves with their classes, named by their groups where they have any."""
    return {
        "name": content["split"],
        "halves": [
            {
                "half": half,
                "training": f"{part['training_images']:,}",
                "validation": f"{part['validation_images']:,}",
                "classes": [
                    c["name"] + (f" ({c['group']})" if c["group"] and content["kind"] != "grouped" else "")
                    for c in part["classes"]
                ],
            }
            for half, part in content["halves"].items()
        ],
    }
