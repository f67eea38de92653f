"""A study's report: a single self-contained HTML file that opens offline and can be printed.

The page's template is ``workflow/report/report.html.j2``; Snakemake's own report uses the captions beside it too.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from transferability.figures.catalog import FIGURES, OF_PROXIES, OF_RESULTS
from transferability.files import read_json
from transferability.labels import visible
from transferability.report.alternatives import FILTERS_SHOWN, curves_shown, figure_shown, halves_shown, sheet_shown
from transferability.report.amount_view import accuracies_by_amount
from transferability.report.facts import facts_of, flags_in_words
from transferability.report.html import TEXTS, Picture, caption, contact_sheet_on_page, figure_on_page, render
from transferability.report.plan_rows import plan_rows
from transferability.report.proxy_views import PROXY_VIEWS, proxies_shown
from transferability.report.runs import jobs, makers
from transferability.report.sheets import Sheet, sheet_of, sheet_of_file
from transferability.report.table_views import JOBS, MAKERS, table_views
from transferability.results.accuracies import Results, read_accuracies
from transferability.results.amounts import answers_by_amount
from transferability.results.answers import Answer, ReusableLayers, answers, together
from transferability.results.effects import formula
from transferability.results.published import missing_networks
from transferability.results.reuse import WAYS_OF_REUSE, copied_from, tolerated
from transferability.results.unlearned import bases_at_chance, others_at_chance
from transferability.store.source import ImageClass
from transferability.study.design import Key, Study, without_running
from transferability.study.groups import read_titles
from transferability.study.names import WHOLE
from transferability.study.split_types import SEMANTIC
from transferability.words import counted

TEMPLATE = "report.html.j2"

# Each shows all networks of a split and seed; in large studies, more of them would make a page that nobody can open.
_MOST_LEARNING_CURVES = 12

_CONTACT_SHEETS = frozenset({"contact_sheet", "halves"})


def _effect(name: str) -> str:
    """An effect's name and what it is the difference of."""
    return f"{name}, {formula(name)}"


# Which networks a study has, for a target half B: the treatments, their names, their first n layers, what they show.
_NETWORKS: Sequence[tuple[frozenset[str], str, str, str]] = (
    (frozenset({"base"}), "base", "trained from scratch", "the reference for all others"),
    (
        *(frozenset({"selffer"}), "BnB, selffer", "from its own base, frozen"),
        f"{_effect('co-adaptation drop')}: the cost of separating co-adapted layers",
    ),
    (
        *(frozenset({"transfer"}), "AnB, transfer", "from the other half's base, frozen"),
        f"{_effect('total drop')}: the cost of copying the other half's layers",
    ),
    (
        *(frozenset({"selffer", "transfer"}), "BnB and AnB", "as above"),
        f"{_effect('specificity drop')}: the cost of features learned for other classes; "
        "with the co-adaptation drop, it adds up to the total drop",
    ),
    (
        *(frozenset({"random"}), "RnB, random", "untrained, frozen"),
        f"{_effect('random filter drop')}: the value of learned features",
    ),
    (
        *(frozenset({"selffer+"}), "BnB⁺", "from its own base, fine-tuned with the rest"),
        f"{_effect('retraining gain')}: the gain from training twice, with nothing to transfer",
    ),
    (
        *(frozenset({"transfer+"}), "AnB⁺", "from the other half's base, fine-tuned with the rest"),
        f"{_effect('fine-tuning gain')}: the gain from training twice and having seen the other half",
    ),
    (
        *(frozenset({"selffer+", "transfer+"}), "BnB⁺ and AnB⁺", "as above"),
        f"{_effect('transfer gain')}: the part of it from having seen the other half",
    ),
    (frozenset({"random+"}), "RnB⁺", "untrained, trained with the rest", "how much the initial weights matter"),
    (
        *(frozenset({"pretrained"}), "PnB, pretrained", "from published weights, frozen"),
        f"{_effect('pretrained drop')}: the cost of copying published layers",
    ),
    (
        *(frozenset({"selffer", "pretrained"}), "BnB and PnB", "as above"),
        f"{_effect('pretrained specificity drop')}: the cost of features learned from other images; "
        "with the co-adaptation drop, it adds up to the pretrained drop",
    ),
    (
        *(frozenset({"random", "pretrained"}), "PnB and RnB", "as above"),
        f"{_effect('pretrained feature gain')}: the value of published features",
    ),
    (
        *(frozenset({"pretrained+"}), "PnB⁺", "from published weights, fine-tuned with the rest"),
        f"{_effect('pretrained gain')}: the gain from starting with published weights",
    ),
    (
        *(frozenset({"selffer+", "pretrained+"}), "BnB⁺ and PnB⁺", "as above"),
        f"{_effect('pretrained transfer gain')}: the part of it beyond training twice",
    ),
    *plan_rows(),
    (frozenset({"reduced"}), "reduced", "trained from scratch on fewer images", "the cost of less data"),
)


@dataclass(frozen=True)
class ReportFiles:
    """The files of a study that its report shows; some may be missing while a study is unfinished.

    Attributes:
        accuracies: the table of all networks.
        tables: the tables made from it, by name.
        figures: pictures by their names in `transferability.figures.catalog.OF_RESULTS`.
        learning_curves: pictures by title.
        filters: the picture of first-layer filters.
        contact_sheets: the picture of each data set's images, by data set.
        halves: the picture of each split's halves, by split.
        splits: the file of each split's classes, by split.
        benchmarks: the folder of Snakemake's benchmark files.
        manifests: the content of each store's manifest, by data set.
        proxies: pictures by their names in `transferability.figures.catalog.OF_PROXIES`, if they were requested.
    """

    accuracies: Path
    tables: Mapping[str, Path]
    figures: Mapping[str, Path]
    learning_curves: Mapping[str, Path]
    filters: Path
    contact_sheets: Mapping[str, Path]
    halves: Mapping[str, Path]
    splits: Mapping[str, Path]
    benchmarks: Path
    manifests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    proxies: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """Everything that the template shows."""

    study: str
    about: str
    captions: Mapping[str, str]
    facts: Sequence[tuple[str, str]]
    answers: Sequence[Mapping[str, Any]]
    of_halves: bool
    by_amount: Sequence[str]
    accuracies_by_amount: Sheet | None
    reuse: Picture | None
    figures: Sequence[Picture]
    proxies: Sequence[Picture]
    tables: Sequence[Sheet]
    learning_curves: Sequence[Picture]
    learning_curves_left_out: int
    filters: Picture | None
    contact_sheets: Sequence[Picture]
    halves: Sequence[Picture]
    splits: Sequence[Mapping[str, Any]]
    config: str
    jobs: Sheet
    makers: Sheet
    networks: Sequence[tuple[str, str, str]]
    warnings: Sequence[str]
    flags: str
    expected: int
    missing: Sequence[str]
    status: str


def report(study: Study, files: ReportFiles, networks: Mapping[Key, Mapping[str, Any]], status: str = "") -> str:
    """The page of a study, as HTML.

    Args:
        study: the study.
        files: the files to show.
        networks: the metrics of the networks in these files, as returned by
            `transferability.records.metrics.read_metrics`.
        status: for an unfinished study, where it stands.
    """
    return render(TEMPLATE, page_of(study, files, networks, status))


def page_of(study: Study, files: ReportFiles, networks: Mapping[Key, Mapping[str, Any]], status: str = "") -> Page:
    """What the page of a study shows; see `report`."""
    accuracies = read_accuracies(files.accuracies)
    results = Results.of_study(accuracies, study)
    jobs_made = jobs(study, networks, files.benchmarks)
    expected = [(split, seed, network.name) for split, seed, network in study.networks()]
    missing = missing_networks(accuracies, expected)
    curves = list(files.learning_curves.items())
    titles = {name: read_titles(a.groups_file) for name, a in study.data_sets.items() if a.groups_file}
    splits = [read_json(path) for path in files.splits.values() if path.exists()]
    tables = {**files.tables, "accuracies": files.accuracies}
    there = set(accuracies["treatment"])
    of_halves = set(study.splits) != {WHOLE}
    figures = {name: path for name, path in files.figures.items() if OF_RESULTS[name].treatments & there}
    return Page(
        study=study.config["study"],
        about=caption("study" if of_halves else WHOLE),
        captions={path.stem: caption(path.stem) for path in TEXTS.glob("*_table.rst")},
        facts=list(facts_of(study, accuracies, jobs_made, files.manifests, splits)),
        answers=[_answer(answer, results.max_drop) for answer in answers(results.at_most)],
        of_halves=of_halves,
        by_amount=list(answers_by_amount(results)),
        accuracies_by_amount=accuracies_by_amount(results),
        reuse=_figure("reuse", figures.get("reuse"), results),
        figures=_there(_figure(name, figures.get(name), results) for name in OF_RESULTS if name != "reuse"),
        proxies=_there(
            _picture(name, files.proxies[name], proxies_shown(tables.get("proxy_agreement")))
            for name in OF_PROXIES
            if name in files.proxies
        ),
        tables=[
            sheet
            for name, view in (table_views(results.metric, results.halves) | PROXY_VIEWS).items()
            if name in tables and tables[name].exists() and (sheet := sheet_of_file(name, view, tables[name])).rows
        ],
        learning_curves=_there(
            _picture("learning_curves", path, curves_shown(accuracies, title), title.replace("_seed", ", seed "))
            for title, path in curves[:_MOST_LEARNING_CURVES]
        ),
        learning_curves_left_out=len(curves[_MOST_LEARNING_CURVES:]),
        filters=_picture("first_layer_filters", files.filters, FILTERS_SHOWN),
        contact_sheets=_there(
            _picture("contact_sheet", path, sheet_shown(name), f"{FIGURES['contact_sheet'].title} of {visible(name)}")
            for name, path in files.contact_sheets.items()
        ),
        halves=_there(
            _picture("halves", path, halves_shown(split, study.groups), f"{FIGURES['halves'].title} of {split}")
            for split, path in files.halves.items()
        ),
        splits=[_split(study, content, titles) for content in splits],
        config=_printed(without_running(study.config)),
        jobs=sheet_of("jobs", JOBS, jobs_made),
        makers=sheet_of("made_with", MAKERS, makers(networks)),
        networks=[(name, layers, tells) for needed, name, layers, tells in _NETWORKS if needed <= there],
        warnings=[
            *bases_at_chance(results.networks).splitlines(),
            *others_at_chance(results.networks).splitlines(),
        ],
        flags=flags_in_words(accuracies),
        expected=len(expected),
        missing=[f"{row.split} seed{row.seed} {row.network}" for row in missing.itertuples()],
        status=status,
    )


_CHIPS = {True: ("yes", "✓"), False: ("no", "✗"), None: ("untold", "?")}
_BY_THE_MEAN = {True: "within", False: "beyond"}


def _answer(answer: Answer, max_drop: float) -> dict[str, Any]:
    return {
        "halves": answer.halves,
        "base": answer.base_in_words,
        "drops": [(what, str(drop)) for what, drop in answer.drops.items()],
        "gains": [(what, str(gain)) for what, gain in answer.gains.items()],
        "co_adaptation": answer.co_adaptation,
        "reuse": [
            {
                "source": copied_from(treatment),
                "way": WAYS_OF_REUSE[treatment],
                "layers": [_chip(found, n) for n in range(1, len(found.layers) + 1)],
                "untried": len(found.verdicts) < len(found.layers),
                "words": str(found),
            }
            for treatment, found in answer.reusable.items()
        ],
        "tolerated": tolerated(max_drop),
        "note": answer.note,
        "advice": answer.advice,
    }


def _chip(found: ReusableLayers, n: int) -> tuple[str, str]:
    """The text about copying the lowest n layers, and the kind of verdict that it shows."""
    name = together(n)
    if n not in found.verdicts:
        return name, "untried"
    verdict = found.verdicts[n]
    if verdict is not None and n in found.unsure:
        return f"{name}: {_BY_THE_MEAN[verdict]} by the mean, {found.unsure[n]}", _BY_THE_MEAN[verdict]
    kind, mark = _CHIPS[verdict]
    return f"{name} {mark}", kind


def _figure(name: str, path: Path | None, results: Results) -> Picture | None:
    """A figure of results by its name, if it exists."""
    return _picture(name, path, figure_shown(name, results)) if path else None


def _picture(name: str, path: Path, shows: str, title: str | None = None) -> Picture | None:
    """A figure by its name, if it exists; where several have this name, with a title of its own."""
    if not path.exists():
        return None
    make = contact_sheet_on_page if name in _CONTACT_SHEETS else figure_on_page
    return make(title or FIGURES[name].title, path, name, shows)


def _there(pictures: Iterator[Picture | None]) -> list[Picture]:
    return [picture for picture in pictures if picture is not None]


def _printed(config: Mapping[str, Any]) -> str:
    """A config as YAML, whatever types it was read into."""
    plain = json.loads(json.dumps(config, default=str))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def _split(study: Study, content: Mapping[str, Any], titles: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """A split's halves with their classes, shown with their titles and groups if they have any.

    Args:
        study: the study that has the split.
        content: the content of the split's file.
        titles: the titles of classes by name, by data set.
    """
    split, apart = content["split"], study.splits[content["split"]].halves_in_words
    semantic = content["split_type"] == SEMANTIC

    def shown(half: str, c: Mapping[str, str]) -> str:
        of_data_set = titles.get(study.data_set_of(split, half).name, {})
        title, group = of_data_set.get(c["name"], ""), "" if semantic else c["group"]
        name = ImageClass(c["name"], title=title).shown
        return visible(f"{name}, {group}" if group and title else f"{name} ({group})" if group else name)

    return {
        "name": split,
        "halves": [
            {
                "half": f"{half} ({visible(apart[half])})" if half in apart else half,
                "count": counted(len(part["classes"]), "class"),
                "training": counted(part["training_images"], "training image"),
                "validation": counted(part["validation_images"], "validation image"),
                "classes": [shown(half, c) for c in part["classes"]],
            }
            for half, part in content["halves"].items()
        ],
    }
