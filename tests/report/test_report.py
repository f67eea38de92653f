"""The report of a study: what it says, that it is self-contained, and what it says about a study with gaps."""

import base64
import io
import re
from dataclasses import replace
from functools import cache
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.report.made_up import MadeUp
from tests.results.support import frame, results
from tests.support import DEFAULT
from transferability.figures.catalog import FIGURES, OF_RESULTS
from transferability.figures.pictures import PICTURES
from transferability.files import PROJECT, read_json, write_json
from transferability.records.metrics import read_metrics
from transferability.report.alternatives import figure_shown
from transferability.report.html import TEXTS, caption, contact_sheet_on_page, figure_on_page
from transferability.report.proxy_views import proxies_shown
from transferability.report.runs import hours_by_device, jobs, makers
from transferability.report.sheets import sheet_of
from transferability.report.study_page import (
    _chip,
    page_of,
    report,
)
from transferability.report.table_views import table_views
from transferability.results.accuracies import Results, read_accuracies
from transferability.results.answers import NOT_CONCLUSIVE, ReusableLayers, headline
from transferability.results.reuse import reusable
from transferability.study.compared import BALANCED, COMPARED
from transferability.study.names import Network
from transferability.words import duration


def save_a_dot(_figure, *paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (1, 1)).save(path)


@pytest.fixture(scope="module", autouse=True)
def _quickly():
    """Skip rendering figures, which takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transferability.report.so_far.save", save_a_dot)
        patch.setattr("transferability.figures.pictures.save", save_a_dot)
        yield


@pytest.fixture(scope="module")
def complete(_quickly, tmp_path_factory):
    """A study with nothing missing."""
    study = MadeUp(tmp_path_factory.mktemp("complete"))
    study.files = cache(study.files)
    return study


@pytest.fixture
def made_up(tmp_path):
    """A study of its own, to be damaged."""
    return MadeUp(tmp_path)


def unfolded(text):
    """The text without line breaks, which a page may have anywhere."""
    return " ".join(text.split())


def test_it_says_what_the_headline_says(complete):
    page, html = complete.page(), unescape(unfolded(complete.html()))
    accuracies = read_accuracies(complete.folder / "so_far" / "accuracies.csv")
    lines = headline(Results.of_study(accuracies, complete.study)).splitlines()
    for answer in page.answers:
        assert f"<h3>{answer['halves']}</h3>" in html
        for what, points in [*answer["drops"], *answer["gains"]]:
            assert f"<dt>{what}</dt><dd>{points}</dd>" in html
            plain = f"  {what}:".replace("−", "-").replace("⁺", "+")
            assert any(line.startswith(plain) and line.endswith(points.replace("−", "-")) for line in lines)
        for reuse in answer["reuse"]:
            assert any(line.endswith(reuse["words"]) for line in lines)


def test_the_layers_that_can_be_reused_are_marked(complete):
    """Frozen transfer loses 11 points at n = 1, fine-tuned transfer gains 2 there and loses 4 at n = 7."""
    for answer in complete.page().answers:
        marked = {reuse["way"]: [verdict for _, verdict in reuse["layers"]] for reuse in answer["reuse"]}
        untried = ["untried"] * 5  # the study has n = 1 and 7
        assert marked == {"frozen": ["beyond", *untried, "beyond"], "fine-tuned": ["within", *untried, "beyond"]}
        assert answer["reuse"][1]["layers"][0] == ("layer 1: within by the mean, no interval", "within")


def test_only_a_conclusive_verdict_has_a_mark():
    found = ReusableLayers(["conv1", "conv2", "conv3"], {1: True, 2: True, 3: False}, {2: NOT_CONCLUSIVE}, 2, 1)
    assert [_chip(found, n) for n in (1, 2, 3)] == [
        ("layer 1 ✓", "yes"),
        ("layers 1-2 together: within by the mean, not conclusive", "within"),
        ("layers 1-3 together ✗", "no"),
    ]


def test_depths_that_were_not_tried_are_told_and_not_drawn_as_failed(tmp_path):
    study = MadeUp(tmp_path, networks=DEFAULT["networks"] | {"depths": [7]})
    html = unfolded(study.html())
    assert html.count('<li class="untried">layer 1</li>') == 2 * len(study.study.splits)
    assert "Depths in dashed boxes were not tried." in html
    assert "no layer, with n = 7 tried" in html
    assert "<dt>depths n tried</dt><dd>7</dd>" in html


def without_captions(html):
    return re.sub(
        r"<figcaption>.*?</figcaption>|<div class=.about.>.*?</div>|<pre>.*?</pre>", "", html, flags=re.DOTALL
    )


def test_nothing_is_said_of_treatments_that_were_not_asked_for(tmp_path):
    """The study has one split and only frozen selffer networks."""
    networks = {"depths": [3], "treatments": ["selffer"]}
    study = MadeUp(tmp_path, networks=DEFAULT["networks"] | networks)
    page, html = study.page(), without_captions(study.html())
    assert {sheet.name for sheet in page.tables} == {"effects", "summary", "accuracies"}
    assert [picture.title for picture in page.figures] == [
        OF_RESULTS[name].title for name in ("figure2", "effects", "parts")
    ]
    words = re.sub(r'"data:[^"]*"', "", html)
    for word in ("AnB", "BnB⁺", "transfer+", "RnB", "other half's", "fine-tuned", "drop of at most", "specific"):
        assert word not in words, word


def test_counts_of_one_are_singular_and_short_times_have_seconds(tmp_path):
    networks = {"depths": [3], "treatments": ["selffer"]}
    study = MadeUp(tmp_path, networks=DEFAULT["networks"] | networks)
    html = unfolded(study.html())
    count = len(study.metrics)
    assert "<dt>seeds</dt><dd>1 (seed 0), so nothing here tells how much another seed would change</dd>" in html
    assert f"<dd>{duration(36 * count)} on cpu (made up)</dd>" in html
    training = study.study.settings("base").hyperparameters
    epochs = training.iterations * training.batch_size / 1234  # images of each made-up half
    assert f"{training.iterations} iterations of 64 images, {epochs:.1f} epochs</dd>" in html
    next(path for (_, _, name), path in study.metrics.items() if name == "A3A").unlink()
    assert f"1 of {count} networks is <a" in unfolded(study.html())


@pytest.mark.parametrize(("chance", "told"), [(0.24, True), (0.05, False)])
def test_classes_of_very_unequal_size_are_told(made_up, chance, told):
    key = ("random0", 0, "baseB")
    write_json(made_up.metrics[key], read_json(made_up.metrics[key]) | {"majority_baseline": chance})
    words = (
        "the most common of the 32 classes of half B of random0 has 24 % of its validation images: top-1 accuracy "
        "rewards predicting it; balanced accuracy, 3.1 % for predicting nothing else, does not"
    )
    assert (words in unfolded(made_up.html())) == told
    assert ("classes of unequal size" in made_up.html()) == told


def test_balanced_accuracy_stands_beside_top_1(made_up):
    for path in made_up.metrics.values():
        write_json(path, read_json(path) | dict.fromkeys(BALANCED, 0.123))
    sheet = next(sheet for sheet in made_up.page().tables if sheet.name == "accuracies")
    assert {row[sheet.headings.index("balanced, %")].text for row in sheet.rows} == {"12.3"}


def test_a_statistic_that_some_networks_lack_is_refused_by_name(tmp_path):
    study = MadeUp(tmp_path, figures=DEFAULT["figures"] | {"metric": "balanced_final"})
    for (_, _, name), path in study.metrics.items():
        if name != "A7B":
            write_json(path, read_json(path) | dict.fromkeys(BALANCED, 0.123))
    message = "figures.metric: is balanced_final, which A7B of letters_symbols, seed 0; A7B of random0, seed 0 lack"
    with pytest.raises(ValueError, match=message):
        study.page()


class Addresses(HTMLParser):
    """What a page refers to."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found += [(tag, value) for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]


def test_it_refers_to_nothing_but_itself(complete):
    html = complete.html()
    addresses = Addresses(html).found
    assert {tag for tag, _ in addresses} == {"a", "img", "link"}
    assert all(address.startswith(("data:", "#")) for _, address in addresses)
    assert "://" not in re.sub(r'"data:[^"]*"', "", html)
    targets = [address for _, address in addresses if address.startswith("#")]
    assert all(f'id="{target[1:]}"' in html for target in targets)


def test_every_picture_has_a_caption_and_is_a_picture(complete):
    page = complete.page()
    pictures = [page.reuse, *page.figures, *page.learning_curves]
    assert len(pictures) == 1 + 4 + 2
    for picture in pictures:
        assert len(picture.caption) > 100
        assert re.search(r"\d( %)? at n = 7", picture.shows)
        content = base64.b64decode(picture.source.removeprefix("data:image/png;base64,"))
        Image.open(io.BytesIO(content)).verify()


def test_what_can_be_downloaded_is_the_file(complete):
    files = complete.files()
    sheets = {sheet.name: sheet for sheet in page_of(complete.study, files, complete.networks()).tables}
    assert list(sheets) == ["reuse", "effects", "summary", "table1", "drops", "accuracies"]
    for name, path in {**files.tables, "accuracies": files.accuracies}.items():
        assert base64.b64decode(sheets[name].csv.partition("base64,")[2]) == path.read_bytes()
        metrics = 4 if name == "effects" else 1  # beside each other on the page, below each other in the file
        assert metrics * len(sheets[name].rows) == len(path.read_text().splitlines()) - 1


def test_the_same_study_gives_the_same_page(complete):
    assert complete.html() == complete.html()


def test_all_networks_there_and_none_flagged(complete):
    page, html = complete.page(), unfolded(complete.html())
    assert page.missing == []
    assert page.warnings == []
    assert "<b>glyphs</b>" in html
    assert f"All {len(complete.metrics)} networks of the study are finished." in html
    assert "No network is flagged: all that should have learned have." in html
    assert 'class="problem"' not in html


def test_networks_that_are_not_there_are_named_and_not_filled_in(made_up):
    gone = [("random0", 0, "A7B"), ("letters_symbols", 0, "baseB")]
    for key in gone:
        made_up.metrics[key].unlink()
    page, html = made_up.page(), unfolded(made_up.html("baseB: killed <here>"))
    assert set(page.missing) == {f"{split} seed{seed} {name}" for split, seed, name in gone}
    assert f"2 of {len(made_up.metrics)} networks are" in html
    assert "<li>random0 seed0 A7B</li>" in html
    assert "baseB: killed &lt;here&gt;" in html
    assert len(next(sheet for sheet in page.tables if sheet.name == "accuracies").rows) == len(made_up.metrics) - 2


def test_networks_of_other_settings_are_not_mixed_with_those_of_the_config(made_up):
    """After a change to the config they stay in place until their jobs start again."""
    for split, seed, network in made_up.study.networks():
        if network.name == "A7B":
            made_up.write(split, seed, network, 0.99, hyperparameters={"learning_rate": 99})
    page = made_up.page()
    assert set(page.missing) == {f"{split} seed0 A7B" for split in made_up.study.splits}
    networks = next(sheet for sheet in page.tables if sheet.name == "accuracies")
    assert "A7B" not in {row[networks.headings.index("network")].text for row in networks.rows}
    assert sum(int(row[page.jobs.headings.index("networks")].text) for row in page.jobs.rows) == len(networks.rows)


def test_pictures_of_an_earlier_time_are_not_shown(made_up):
    stale = made_up.folder / "so_far" / "figures" / "first_layer_filters.png"
    save_a_dot(None, stale)
    assert made_up.page().filters is None


def test_before_the_first_base_nothing_can_be_compared(made_up):
    for (_, _, name), path in made_up.metrics.items():
        if not name.startswith("R"):
            path.unlink()
    assert "No base network is finished yet" in made_up.html()


@pytest.mark.parametrize("metric", COMPARED)
def test_every_network_is_beside_its_base_by_any_metric(tmp_path, metric):
    study = MadeUp(tmp_path, figures=DEFAULT["figures"] | {"metric": metric})
    for path in study.metrics.values():
        content = read_json(path)
        write_json(path, content | dict.fromkeys(BALANCED, content["top1_final"]))
    page = study.page()
    networks = next(sheet for sheet in page.tables if sheet.name == "accuracies")
    column, accuracy, name = map(networks.headings.index, ("points below base", "accuracy, %", "network"))
    of_first = {row[name].text: row for row in networks.rows if row[0].text == networks.rows[0][0].text}
    for row in of_first.values():  # a drop is positive where a network is worse than its base
        base = of_first[f"base{row[name].text.rstrip('+')[-1]}"]
        below = float(base[accuracy].key) - float(row[accuracy].key)
        assert float(row[column].key) == pytest.approx(below)


@pytest.mark.parametrize("stale", ["data_set", "base", "source_sha256"])
def test_copies_of_another_base_or_data_set_are_not_mixed_with_those_of_the_config(made_up, stale):
    """An A3B copied from an old baseA, beside the baseA trained since, belongs to another study."""
    for split, seed, network in made_up.study.networks():
        path = made_up.metrics[split, seed, network.name]
        content = read_json(path)
        if network.name == "baseA":
            content["sha256"] = "new"
            if stale == "base":
                content["made_from"]["hyperparameters"]["learning_rate"] = 99
        if network.base == Network("A"):
            content["made_from"]["source_sha256"] = "old" if stale == "source_sha256" else "new"
        if stale == "data_set":
            content["made_from"]["data_set"] = "another"
        write_json(path, content)
    copies = {name for _, _, name in made_up.networks() if name != "baseA"}
    of_a = {network.name for *_, network in made_up.study.networks() if network.base == Network("A")}
    assert of_a
    assert not copies & of_a
    assert bool(copies) == (stale != "data_set")


def test_a_file_that_is_no_metrics_is_named(made_up):
    path = next(iter(made_up.metrics.values()))
    for content in ([], {"made_from": None}, "text"):
        write_json(path, content)
        with pytest.raises(ValueError, match=rf"{path.name}: not a network's metrics; delete it"):
            made_up.networks()


@pytest.mark.parametrize("kept", ["baseA", "A7B", "R1A", "B7B+"])
def test_a_single_network_makes_a_page(made_up, kept):
    for (split, _, name), path in made_up.metrics.items():
        if (split, name) != ("random0", kept):
            path.unlink()
    assert f"{len(made_up.metrics) - 1} of {len(made_up.metrics)} networks are" in unfolded(made_up.html())


def test_before_the_first_network_there_is_nothing_to_report(made_up):
    for path in made_up.metrics.values():
        path.unlink()
    with pytest.raises(ValueError, match="no network is finished with the config's settings; there is nothing to"):
        made_up.files()


def test_bases_at_chance_are_told_at_the_top(made_up):
    for network in made_up.study.networks_of("random0"):
        if network.name == "baseA":
            made_up.write("random0", 0, network, 1 / 32)
    page, html = made_up.page(), unfolded(made_up.html())
    assert page.warnings[0].startswith("at chance: baseA of random0, seed 0")
    assert html.index('class="problem"') < html.index('id="answer"')
    assert re.match(r"[1-9]\d networks are flagged", page.flags)


def test_names_of_classes_are_text_and_nothing_else(complete):
    html = complete.html()
    assert "class &lt;0&gt; (letter)" in html
    assert "<0>" not in html


def test_a_half_of_one_class_and_image_is_told_in_the_singular(made_up):
    path = made_up.folder / "splits" / "random0.json"
    content = read_json(path)
    half = content["halves"]["A"]
    content["halves"]["A"] = half | {"training_images": 1, "validation_images": 1, "classes": half["classes"][:1]}
    write_json(path, content)
    html = made_up.html()
    assert "A: 1 class, 1 training image and 1 validation image<" in html
    assert "B: 2 classes, 1,234 training images and 50 validation images<" in html


def test_every_caption_is_well_formed():
    for path in TEXTS.glob("*.rst"):
        assert caption(path.stem).strip().startswith(("<main", "<p", "<div")), path


def test_every_figure_of_results_is_drawn_by_a_function():
    assert PICTURES.keys() == OF_RESULTS.keys()


def test_every_figure_and_table_has_a_caption():
    """Snakemake's own report fails without those that rules name, some of them by functions of common.smk."""
    rules = "".join(path.read_text() for path in (PROJECT / "workflow" / "rules").glob("*.smk"))
    named = {*re.findall(r"\.\./report/(\w+)\.rst", rules), *FIGURES}
    named |= {f"{table}_table" for table in re.findall(r'table\("(\w+)"\)', rules)}
    assert len(named) == 1 + 14 + 8
    assert {path.stem for path in TEXTS.glob("*.rst")} == named | {"whole"}  # "study" where no classes are split


def test_a_small_picture_is_kept_and_a_large_one_reduced(tmp_path):
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    Image.new("RGB", (20, 10)).save(small)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (600, 3000, 3), dtype=np.uint8)).save(large)
    shown = figure_on_page("title", small, "figure2", "a dot")
    assert base64.b64decode(shown.source.partition("base64,")[2]) == small.read_bytes()
    assert (shown.title, shown.shows, shown.width) == ("title", "a dot", 11)
    split_type, _, content = figure_on_page("", large, "figure2", "").source.partition(";base64,")
    assert split_type == "data:image/webp"
    picture = Image.open(io.BytesIO(base64.b64decode(content)))
    assert picture.size == (2400, 480)
    sheet = contact_sheet_on_page("", large, "halves", "")
    kind, _, content = sheet.source.partition(";base64,")
    assert kind == "data:image/webp"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (sheet.width, 236) == (1178, 236)


def test_an_alternative_text_has_the_ends_of_what_is_drawn_and_what_is_beyond_them():
    drops = {1: 0.01, 4: 0.06, 7: 0.03}
    rows = [("random0", 0, "baseB", 0.8), *(("random0", 0, f"A{n}B", 0.8 - drop) for n, drop in drops.items())]
    assert figure_shown("figure3", results(frame(*rows))) == (
        "Points below base, AnB, random halves: from 1.0 at n = 1 to 3.0 at n = 7, up to 6.0 at n = 4."
    )
    assert "AnB, frozen: 1.0 at n = 1, 6.0 at n = 4, 3.0 at n = 7" in figure_shown("reuse", results(frame(*rows)))


def test_the_alternative_text_of_figure_3_has_one_line_of_random_filters_and_those_of_published_weights():
    """Of the halves, random ones drop 10 points in two networks, semantic ones 40 in one: 20 on average."""
    rows = [(split, 0, f"base{half}", 0.8) for split in ("random0", "letters_symbols") for half in "AB"]
    rows += [("random0", 0, "R2A", 0.7), ("random0", 0, "R2B", 0.7), ("letters_symbols", 0, "R2B", 0.4)]
    rows += [("random0", 0, "P2B", 0.75)]
    assert figure_shown("figure3", results(frame(*rows))) == (
        "Points below base, random filters, all halves: 20.0 at n = 2. "
        "Points below base, PnB, random halves: 5.0 at n = 2."
    )


def test_a_recipe_that_only_some_networks_have_is_flagged(tmp_path):
    """Validation accuracies may have chosen it; how often networks are evaluated does not affect the last accuracy."""
    own = {"fine_tuned": {"learning_rate": 0.005, "layer_decay": 0.8}, "frozen": {"evaluate_every": 50}}
    facts = dict(MadeUp(tmp_path, training=DEFAULT["training"] | own).page().facts)
    assert [what for what in facts if "recipe" in what] == ["fine-tuned networks' own recipe"]
    told = facts["fine-tuned networks' own recipe"]
    assert told.startswith("learning_rate 0.005 (bases: 0.05), layer_decay 0.8 (bases: 1")
    assert "look too good next to the others" in told
    assert not [what for what in dict(MadeUp(tmp_path / "same").page().facts) if "recipe" in what]


def test_more_evaluations_are_flagged_where_the_best_of_them_counts(tmp_path):
    training = DEFAULT["training"] | {"frozen": {"evaluate_every": 50}}
    page = MadeUp(tmp_path, training=training, figures=DEFAULT["figures"] | {"metric": "top1_best"}).page()
    assert dict(page.facts)["frozen networks' own recipe"].startswith("evaluate_every 50 (bases: 40). A recipe")


def test_random_splits_come_first_and_semantic_halves_have_their_groups(tmp_path):
    """Whatever the order of the config, and of the alphabet."""
    splits = [{"name": "letters_symbols", "A": "letter", "B": "symbol"}, "random10", "random2"]
    page = MadeUp(tmp_path, splits=splits).page()
    order = ["random10", "random2", "letters_symbols"]
    assert [split["name"] for split in page.splits] == order
    assert dict(page.facts)["splits"] == "3: random10, random2, letters_symbols (A: letter, B: symbol)"
    networks = next(sheet for sheet in page.tables if sheet.name == "accuracies")
    assert list(dict.fromkeys(row[0].text for row in networks.rows)) == ["random2", "random10", "letters_symbols"]
    assert [picture.title.partition(",")[0] for picture in page.learning_curves] == [
        *("random2", "random10", "letters_symbols")
    ]
    assert [answer["halves"] for answer in page.answers] == ["random halves", "semantic halves (letter / symbol)"]
    assert page.splits[-1]["halves"][0]["half"] == "A (letter)"
    effects = next(sheet for sheet in page.tables if sheet.name == "effects")
    shown = {row[effects.headings.index("halves")].text for row in effects.rows}
    assert shown == {"random halves", "semantic halves (letter / symbol)"}


def test_names_are_explained_before_they_are_used(complete):
    html = complete.html()
    assert html.index('id="names"') < html.index('id="answer"')


def test_a_verdict_without_an_interval_says_so_in_its_table(complete):
    sheet = next(sheet for sheet in complete.page().tables if sheet.name == "reuse")
    assert {row[sheet.headings.index("conclusive")].text for row in sheet.rows} == {"no, no interval"}


def test_layers_of_the_other_half_and_of_published_weights_are_told_apart_in_their_table():
    copies = [f"{source}{n}A{plus}" for source in "BP" for n in (1, 2) for plus in ("", "+")]
    reuse = reusable(results(frame(("random0", 0, "baseA", 0.8), *[("random0", 0, name, 0.7) for name in copies])))
    sheet = sheet_of("reuse", table_views("top1_final")["reuse"], reuse)
    told = [tuple(row[sheet.headings.index(name)].text for name in ("n", "copied layers")) for row in sheet.rows]
    assert len(set(told)) == len(told) == len(copies)
    assert ("1", "published weights, frozen") in told
    assert ("1", "the other half, frozen") in told


def test_numbers_are_sorted_by_value_and_what_is_not_there_has_no_value():
    differences = {"treatment": ["transfer"] * 2, "n": [7, 1], "mean_difference_to_base": [0.0123, float("nan")]}
    rows = sheet_of("summary", table_views("top1_final")["summary"], pd.DataFrame(differences)).rows
    assert [(cell.text, cell.key, cell.is_number) for cell in rows[0]] == [
        ("transfer", "transfer", False),
        ("7", "7", True),
        ("−1.2", "-0.0123", True),
    ]
    assert (rows[1][2].text, rows[1][2].key) == ("", "")


def test_the_answer_says_of_which_part_the_co_adaptation_drop_is_or_that_it_cannot_be_told(complete):
    page, html = complete.page(), unfolded(complete.html())
    for answer in page.answers:
        if answer["halves"] == "semantic halves (letter / symbol)":  # of one split and seed
            assert answer["co_adaptation"].startswith("not conclusive with one split and seed; largest at n = ")
        assert "largest at n = " in answer["co_adaptation"]
        assert f"Co-adaptation drop in cross-entropy: {answer['co_adaptation']}." in html


def test_losses_stand_beside_the_accuracy_of_an_effect_in_nats(complete):
    (sheet,) = (sheet for sheet in complete.page().tables if sheet.name == "effects")
    columns = [sheet.headings.index(f"{name}, nats") for name in ("cross-entropy", "fit", "generalization")]
    for row in sheet.rows:
        whole, fit, generalization = (float(row[column].key) for column in columns)
        assert fit + generalization == pytest.approx(whole)
        assert [len(row[column].text.lstrip("+−")) for column in columns] == [len("0.123")] * 3
    (accuracies,) = (sheet for sheet in complete.page().tables if sheet.name == "accuracies")
    assert {"training, nats", "generalization gap, nats", "training top-1, %"} <= set(accuracies.headings)


class TestWhatWasRun:
    def test_a_row_for_each_job_with_the_time_of_all_attempts_and_of_the_last(self, made_up):
        folder = made_up.folder / "benchmarks" / "random0" / "seed0"
        folder.mkdir(parents=True)
        (folder / "A1-7B.tsv").write_text("s\th:m:s\tmax_rss\n12.5\t0:00:12\t345.6\n")
        (folder / "baseA.tsv").write_text("s\th:m:s\tmax_rss\n1.0\t0:00:01\tNA\n")
        table = jobs(made_up.study, read_metrics(made_up.metrics), made_up.folder / "benchmarks")
        assert len(table) == len(list(made_up.study.jobs()))
        rows = table[table["split"] == "random0"].set_index("job")
        assert rows.loc["A1-7B", ["networks", "training_seconds", "last_attempt_seconds", "peak_mb"]].tolist() == [
            2,
            72.0,
            12.5,
            345.6,
        ]
        assert rows.loc["baseA", "last_attempt_seconds"] == 1.0
        assert pd.isna(rows.loc["baseA", "peak_mb"])
        assert pd.isna(rows.loc["baseB", "last_attempt_seconds"])
        assert hours_by_device(table) == {"cpu (made up)": pytest.approx(len(made_up.metrics) / 100)}

    def test_networks_made_otherwise_have_a_row_of_their_own(self, made_up):
        networks = read_metrics(made_up.metrics)
        networks["random0", 0, "baseA"]["commit"] = "abc-dirty"
        table = makers(networks)
        del networks["random0", 0, "baseB"]["deterministic"]  # like a network trained before this was recorded
        assert "unknown" in makers(networks)["deterministic"].tolist()
        assert table[["commit", "networks"]].to_numpy().tolist() == [["unknown", len(networks) - 1], ["abc-dirty", 1]]


def test_of_many_learning_curves_the_first_are_shown_and_the_others_are_told(complete):
    one = next(iter(complete.files().learning_curves.values()))
    files = replace(complete.files(), learning_curves={f"random{i}_seed0": one for i in range(40)})
    page = page_of(complete.study, files, complete.networks())
    assert [picture.title for picture in page.learning_curves] == [f"random{i}, seed 0" for i in range(12)]
    assert "28 more splits and seeds are in <code>figures/learning_curves</code>" in report(
        complete.study, files, complete.networks()
    )
    assert "more splits and seeds" not in complete.html()


def test_of_proxies_beside_nothing_measured_no_correlation_is_promised(tmp_path):
    table = tmp_path / "proxy_agreement.csv"
    table.write_text(
        "proxy,features,treatment,scope,networks,rank_correlation,low,high,mean_error,mean_absolute_error\n"
    )
    assert proxies_shown(table) == proxies_shown(None)


def test_proxies_are_shown_where_they_were_asked_for(tmp_path):
    made = MadeUp(tmp_path)
    files = made.files()
    assert page_of(made.study, files, made.networks()).proxies == []
    agreement = made.folder / "proxy_agreement.csv"
    agreement.write_text(
        "proxy,features,treatment,scope,networks,rank_correlation,low,high,mean_error,mean_absolute_error\n"
        "probe,flattened,transfer,all,14,0.75,0.5,0.9,0.02,0.03\n"
        "depth,,transfer,all,14,0.5,0.1,0.8,,\n"
    )
    pictures = {"probes": files.figures["figure2"], "proxies": files.figures["figure2"]}
    files = replace(files, proxies=pictures, tables={**files.tables, "proxy_agreement": agreement})
    page = page_of(made.study, files, made.networks())
    assert [one.title for one in page.proxies] == [FIGURES["proxies"].title, FIGURES["probes"].title]
    told = "linear probe of AnB 0.75; depth of AnB 0.50"
    assert told in page.proxies[0].shows
    (sheet,) = (sheet for sheet in page.tables if sheet.name == "proxy_agreement")
    assert [cell.text for cell in sheet.rows[0][:3]] == ["linear probe", "flattened", "AnB"]
    assert '<section id="proxies">' in report(made.study, files, made.networks())
