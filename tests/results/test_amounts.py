"""Tables and figures of studies with several amounts of training images: what is paired with what."""

import pytest

from tests.results.support import frame, results
from transferability.figures.amounts import amounts as figure_of_amounts
from transferability.figures.catalog import OF_RESULTS
from transferability.figures.pictures import picture
from transferability.figures.style import figure_style
from transferability.files import csv_of
from transferability.report.amount_view import accuracies_by_amount
from transferability.results.amounts import answers_by_amount, headline_by_amount
from transferability.results.pairs import paired_differences
from transferability.results.tables import TABLES

# Base, own frozen and other half's frozen and fine-tuned layers, by amount: the fewer images, the more transfer gives.
ACCURACIES = {"_images5": (0.3, 0.28, 0.35, 0.45), "_images20": (0.5, 0.47, 0.49, 0.56), "": (0.8, 0.79, 0.7, 0.81)}


def rows(amounts=ACCURACIES, seeds=(0, 1, 2)):
    for few, accuracies in ACCURACIES.items():
        if few in amounts:
            for seed in seeds:
                names = (f"baseB{few}", f"B3B{few}", f"A3B{few}", f"A3B+{few}")
                yield from (
                    ("random0", seed, name, accuracy + 0.001 * seed * (i > 0))
                    for i, (name, accuracy) in enumerate(zip(names, accuracies, strict=True))
                )


@pytest.fixture
def study():
    return results(frame(*rows()))


def test_each_network_stands_beside_the_base_on_as_many_images(study):
    bases = study.accuracies.set_index(["network", "seed"])["base"]
    assert bases["A3B_images5", 0] == bases["B3B_images5", 0] == bases["baseB_images5", 0] == "baseB_images5"
    assert bases["A3B+", 1] == "baseB"
    difference = study.accuracies.set_index(["network", "seed"])["difference_top1_final"]
    assert difference["A3B_images20", 0] == pytest.approx(-0.01)


def test_pairs_are_of_the_same_amount_even_where_networks_of_all_are_given(study):
    found = paired_differences(study.accuracies, "base", "transfer")
    few = found["examples_per_class"].fillna(0)
    assert len(found) == 9
    assert found.loc[few == 5, "difference"].tolist() == pytest.approx([-0.05, -0.051, -0.052])
    assert found.loc[few == 0, "difference"].tolist() == pytest.approx([0.1, 0.099, 0.098])


@pytest.mark.parametrize("name", ["effects", "reuse", "drops", "table1"])
def test_a_table_has_for_each_amount_what_it_would_have_of_that_alone(study, name):
    table = TABLES[name](study)
    assert table["examples_per_class"].fillna(0).unique().tolist() == [5, 20, 0]
    for few, suffix in ((5, "_images5"), (20, "_images20"), (0, "")):
        alone = TABLES[name](results(frame(*rows(amounts=[suffix]))))
        of_amount = table[table["examples_per_class"].fillna(0) == few].drop(columns="examples_per_class")
        assert csv_of(of_amount) == csv_of(alone.drop(columns="examples_per_class", errors="ignore"))


def test_the_summary_compares_each_with_its_base(study):
    summary = TABLES["summary"](study)
    transfer = summary[summary["treatment"] == "transfer"]
    assert transfer["mean_difference_to_base"].tolist() == pytest.approx([0.051, -0.009, -0.099])


def test_tables_of_all_images_alone_have_no_column_of_amounts():
    study = results(frame(*rows(amounts=[""])))
    assert all("examples_per_class" not in TABLES[name](study) for name in ("effects", "reuse", "drops", "table1"))
    assert list(answers_by_amount(study)) == []
    assert "per class" not in headline_by_amount(study)


def test_the_headline_answers_for_each_amount(study):
    lines = list(answers_by_amount(study))
    assert [line.partition(":")[0] for line in lines] == [
        "random halves, on 5 images per class",
        "random halves, on 20 images per class",
        "random halves, on all images",
    ]
    assert "copy up to conv3 frozen" in lines[0]
    assert "copy up to conv3 frozen" in lines[1]
    assert "copy no layer frozen" in lines[2]
    assert "fine-tuning gain, AnB⁺ − base, the other half's layers, n = 3: +15.1 ± 0.2; base 30.0 %" in lines[0]
    text = headline_by_amount(study)
    assert "36 networks" in text
    assert "random halves, on all images: base 80.0 %" in text
    assert all(line.partition(";")[0] in text for line in lines)


def test_accuracies_stand_side_by_side_by_amount(study):
    sheet = accuracies_by_amount(study)
    assert sheet.headings == [
        "halves",
        "network",
        "n",
        "5 images per class, %",
        "20 images per class, %",
        "all images, %",
    ]
    found = {(row[1].text, row[2].text): [cell.text for cell in row[3:]] for row in sheet.rows}
    assert found == {
        ("base", "0"): ["30.0", "50.0", "80.0"],
        ("BnB", "3"): ["28.1", "47.1", "79.1"],
        ("AnB", "3"): ["35.1", "49.1", "70.1"],
        ("AnB⁺", "3"): ["45.1", "56.1", "81.1"],
    }
    assert accuracies_by_amount(results(frame(*rows(amounts=[""])))) is None


def test_published_weights_are_advised_on_for_each_amount():
    accuracies = {"_images5": (0.3, 0.35, 0.33), "": (0.8, 0.79, 0.84)}  # base, frozen, fine-tuned
    networks = [
        ("whole", seed, name.format(few), accuracy + 0.001 * seed * (i > 0))
        for few, of_amount in accuracies.items()
        for seed in (0, 1, 2)
        for i, (name, accuracy) in enumerate(zip(("basewhole{}", "P3whole{}", "P3whole+{}"), of_amount, strict=True))
    ]
    few, all_images = answers_by_amount(results(frame(*networks)))
    assert few.startswith("all classes, on 5 images per class: published weights: the highest accuracy, 35.1 %, ")
    assert "is with layers up to conv3 frozen, +5.1 ± 0.2 points over base" in few
    assert "84.1 %, is with layers up to conv3 fine-tuned" in all_images
    assert "; base 80.0 %" in all_images


def test_without_networks_on_all_images_the_largest_amount_is_told_in_full():
    extra = [("random0", seed, name, 0.8) for seed in (0, 1, 2) for name in ("baseA", "baseB")]
    study = results(frame(*rows(amounts=["_images5", "_images20"]), *extra))
    assert study.amounts == (5, 20)
    assert "random halves, on 20 images per class: base 50.0 %" in headline_by_amount(study)


def test_networks_are_flagged_by_the_bases_that_they_depend_on():
    guessing = {"majority_baseline": 0.1, "validation_images": 1000, "classes": 10}
    data = frame(
        *[("random0", 0, "baseA", 0.1), ("random0", 0, "baseB", 0.8), ("random0", 0, "baseB_images5", 0.1)],
        *[("random0", 0, name, 0.5) for name in ("B3B_images5", "B3B", "A3B_images5", "A3B", "B3B_images20")],
        **guessing,
    )
    flags = data.set_index("network")["flag"].fillna("")
    assert flags["B3B_images5"] == "baseB_images5 at chance"
    assert flags["B3B"] == flags["B3B_images20"] == flags["baseB"] == ""
    assert flags["A3B"] == "baseA at chance"
    assert flags["A3B_images5"] == "baseB_images5 at chance; baseA at chance"


def test_the_figure_has_a_panel_a_treatment_and_a_line_an_amount(study):
    with figure_style():
        figure = figure_of_amounts(study)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title().partition(",")[0] for axes in panels] == [
        "co-adaptation drop",
        "total drop",
        "fine-tuning gain",
    ]
    lines = {line.get_label(): line for line in panels[1].get_lines()}
    labels = ["5 images per class", "20 images per class", "all images"]
    assert [label for label in lines if label in labels] == labels
    assert [lines[label].get_ydata()[0] for label in labels] == pytest.approx([-5.1, 0.9, 9.9])
    assert len({lines[label].get_marker() for label in labels}) == 3


def test_other_figures_are_of_the_most_images_and_say_so(study):
    with figure_style():
        for name in ("reuse", "figure2", "effects"):
            assert not OF_RESULTS[name].every_amount
            texts = [axes.get_title() + axes.get_title(loc="left") for axes in picture(name, study).axes]
            assert any("random halves, on all images" in text for text in texts)
