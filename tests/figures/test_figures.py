"""Figures show the numbers they are given, whatever is missing; how they look is for eyes to judge."""

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.path import Path as MatplotlibPath
from matplotlib.text import Text

from tests.results.support import LAYERS, PUBLISHED, frame, results
from transferability.figures import paper, training
from transferability.figures.comparison import comparison
from transferability.figures.contact_sheet import contact_sheet
from transferability.figures.effects import effects as draw_effects
from transferability.figures.parts import parts
from transferability.figures.reuse import reuse
from transferability.figures.style import LOOKS, depth_labels, figure_style, save
from transferability.results.accuracies import Results, by_metric
from transferability.results.answers import answers
from transferability.results.effects import paired_effects
from transferability.results.published import read_published
from transferability.store.reading import open_store
from transferability.study.names import SYMBOLS, TREATMENTS
from transferability.study.planned_treatments import BY_PLAN
from transferability.study.schema import SCHEMA

COLORS = yaml.safe_load((SCHEMA.parents[2] / "config.yaml").read_text())["figures"]["colors"]
METRIC = "top1_final"


def test_every_treatment_has_a_look_of_its_own():
    assert tuple(LOOKS) == tuple(one for one in TREATMENTS if one not in BY_PLAN)  # those have a figure of their own
    assert len({(look.marker, look.line) for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.label for look in LOOKS.values()}) == len(LOOKS)
    assert sorted(SYMBOLS) == sorted(TREATMENTS)
    assert len(set(SYMBOLS.values())) == len(SYMBOLS)


@pytest.fixture
def accuracies():
    rows = []
    for split in ("random0", "letters_symbols"):
        rows += [(split, 0, "baseA", 0.8), (split, 0, "baseB", 0.9)]
        for n in range(1, 8):
            for a, b in ("AB", "BA"):
                rows += [
                    (split, 0, f"{b}{n}{b}", 0.8),
                    (split, 0, f"{a}{n}{b}", 0.8 - 0.02 * n),
                    (split, 0, f"{a}{n}{b}+", 0.85),
                    (split, 0, f"R{n}{b}", 0.7 - 0.08 * n),
                ]
    return frame(*rows)


def test_halves_by_images_have_a_column_of_their_own_after_random_ones(accuracies):
    third = frame(
        *[("images0", 0, f"base{half}", 0.7) for half in "AB"],
        *[("images0", 0, f"{a}{n}{b}", 0.7 - 0.01 * n) for n in range(1, 8) for a, b in ("AB", "BA", "AA", "BB")],
    )
    of_all = results(pd.concat([third, accuracies]))
    titles = ["random halves", "halves by images (same classes)", "semantic halves"]
    with figure_style(COLORS):
        figure2, figure3, effects, reused = (draw(of_all) for draw in DRAWN)
    for figure in (figure2, effects, reused):
        assert [axes.get_title().replace("\n", " ").split(" (no ")[0] for axes in figure.axes[:3]] == titles
    assert has_line(figure3.axes[-1], range(8), [0, *range(1, 8)])
    assert [answer.halves for answer in answers(of_all)] == titles


def lines(axes):
    return [(line.get_xdata(), line.get_ydata()) for line in axes.get_lines()]


def has_line(axes, x, y):
    return any(len(a) == len(x) and np.allclose(a, x) and np.allclose(b, y) for a, b in lines(axes))


def test_figure_2_draws_the_means_from_the_base(accuracies):
    with figure_style(COLORS):
        figure = paper.figure2(results(accuracies))
    means = figure.axes[2]
    assert has_line(means, range(8), [85, *(80 - 2 * n for n in range(1, 8))])
    assert has_line(means, range(8), [85] * 8)


def test_figure_2_has_a_point_for_every_network(accuracies):
    with figure_style(COLORS):
        figure = paper.figure2(results(accuracies))
    random0 = accuracies[(accuracies["split_type"] == "random") & (accuracies["treatment"] != "random")]
    points = sum(len(x) for x, _ in lines(figure.axes[0]))
    assert points == len(random0) + 2  # and the two ends of the base line


DRAWN = (paper.figure2, paper.figure3, draw_effects, reuse)


def crosses(axes):
    return [tuple(line.get_xdata().round()) for line in axes.get_lines() if line.get_marker() == "x"]


def flagged(accuracies, which, text="baseB at chance"):
    return accuracies.assign(flag=accuracies["flag"].mask(which & (accuracies["split"] == "random0"), text))


def test_networks_of_a_base_at_chance_are_crossed_out_and_the_base_is_named(accuracies):
    which = (accuracies["network"] == "baseB") | accuracies["network"].isin(["A3B", "B3B"])
    accuracies = flagged(accuracies, which)
    with figure_style(COLORS):
        figure2, figure3, effects, reused = (draw(results(accuracies)) for draw in DRAWN)
    points, _, means, _ = figure2.axes
    assert sorted(crosses(points)) == [(0,), (3,), (3,)]
    for axes in (means, *effects.axes, *reused.axes):  # of the other half, at every depth
        assert not crosses(axes)
    for text in (figure2.get_supxlabel(), *(figure.get_suptitle() for figure in (figure3, effects, reused))):
        assert "baseB of random0, seed 0" in text.replace("\n", " ")


def test_where_a_base_at_chance_leaves_nothing_a_cross_stands_in_every_figure(accuracies):
    """If one of the two bases of the only split is at chance, this concerns all transfer networks."""
    which = (accuracies["network"] == "baseB") | accuracies["treatment"].isin(("transfer", "transfer+"))
    accuracies = flagged(accuracies, which)
    depths = tuple(range(1, 8))
    with figure_style(COLORS):
        figure2, figure3, effects, reused = (draw(results(accuracies)) for draw in DRAWN)
    _, _, means, dissimilar = figure2.axes
    assert crosses(means) == [depths, depths]
    assert not has_line(means, range(8), [0.8, *(0.8 - 0.02 * n for n in range(1, 8))])
    assert not crosses(dissimilar)
    assert crosses(figure3.axes[-1]) == [depths]
    losses, _, gains, _ = effects.axes
    assert crosses(losses) == [depths, depths]  # of specificity and of the total
    assert crosses(gains) == [depths]
    cells, _, drops, _, gains, _ = reused.axes
    assert len(crosses(cells)) == 2 * 7
    assert not [text for text in texts(cells) if text.strip("−+0123456789.±") == ""]  # no digits below the crosses
    assert len(crosses(drops)) == len(crosses(gains)) == 7


def test_dead_networks_are_in_no_mean_that_is_drawn(accuracies):
    """Every accuracy of half B of the random halves is nonsense, since baseB is at chance."""
    of_b = (accuracies["split"] == "random0") & (accuracies["target"] == "B")
    clean = accuracies[~of_b]
    with figure_style(COLORS):
        drawn = []
        for data in (flagged(accuracies.assign(**{METRIC: accuracies[METRIC].mask(of_b, 0.01)}), of_b), clean):
            figure2, figure3, effects, reused = (draw(results(data)) for draw in DRAWN)
            panels = (figure2.axes[2], figure3.axes[2], effects.axes[0], reused.axes[2])
            lines_drawn = [line.get_ydata() for axes in panels for line in axes.get_lines()]
            drawn.append([*lines_drawn, list(bars_of(reused.axes[2]).values())])
    for one, other in zip(*drawn, strict=True):
        assert np.allclose(one, other)


def test_dead_networks_far_below_do_not_flatten_the_means_of_others(accuracies):
    of_b = (accuracies["split"] == "random0") & (accuracies["target"] == "B")
    accuracies = flagged(accuracies.assign(**{METRIC: accuracies[METRIC].mask(of_b, 0.01)}), of_b)
    with figure_style(COLORS):
        points, _, means, _ = paper.figure2(results(accuracies)).axes
    assert points.get_ylim()[0] < 1
    assert means.get_ylim()[0] > 50


def test_where_all_bases_are_at_chance_their_mean_is_crossed_out_too(accuracies):
    with figure_style(COLORS):
        means = paper.figure2(results(flagged(accuracies, True))).axes[2]
    assert (0,) in crosses(means)


@pytest.mark.parametrize("depths", [[1], [7], [6, 7]])
def test_few_depths_stand_beside_their_base_in_a_narrow_figure(depths, accuracies):
    few = accuracies[accuracies["n"].isin([0, *depths])]
    with figure_style(COLORS):
        figure = paper.figure2(results(few))
    points = figure.axes[0]
    left, base, first, right = points.transData.transform([(x, 0) for x in (-0.6, 0, depths[0], depths[-1] + 0.6)])[
        :, 0
    ]
    assert (first - base) / (right - left) == pytest.approx(1 / (1.2 + len(depths)), abs=0.05)
    assert figure.get_figwidth() < 9


def test_a_base_of_which_too_few_images_tell_is_questioned_and_not_crossed_out(accuracies):
    accuracies = flagged(accuracies, accuracies["target"] == "B", "baseB: too few images to tell from chance")
    with figure_style(COLORS):
        figure = paper.figure2(results(accuracies))
    marks = [line.get_marker() for line in figure.axes[0].get_lines()]
    # Marks are paths, because text would be a formula, which is not parsed: for base and three treatments.
    assert len([mark for mark in marks if isinstance(mark, MatplotlibPath)]) == 4
    assert not crosses(figure.axes[0])
    assert "too few images to tell from chance: baseB of random0, seed 0" in figure.get_supxlabel().replace("\n", " ")


@pytest.mark.parametrize("only", ["selffer", "transfer", "transfer+", "random"])
@pytest.mark.parametrize("draw", DRAWN)
def test_of_one_treatment_alone_no_axes_are_empty_and_no_other_is_named(draw, only, accuracies):
    with figure_style(COLORS):
        figure = draw(results(accuracies[accuracies["treatment"].isin(("base", only))]))
    for axes in figure.axes:
        assert axes.get_lines() or axes.patches or texts(axes)
    words = (
        " ".join(
            [text.get_text() for legend in figure.legends for text in legend.get_texts()]
            + [text for axes in figure.axes for text in [axes.get_title(), axes.get_xlabel(), *texts(axes)]]
        )
        .replace("BnA, base", "")
        .replace("AnB, base", "")
    )
    foreign = {"selffer": ("AnB", "BnB⁺"), "transfer": ("BnB", "⁺"), "transfer+": ("BnB", "frozen"), "random": ("nB",)}
    assert not [word for word in foreign[only] if word in words]


def test_bars_and_points_stand_together_at_their_ticks(accuracies):
    with figure_style(COLORS):
        alone = reuse(results(accuracies[accuracies["treatment"].isin(("base", "transfer+"))]))
        effects = draw_effects(results(accuracies[accuracies["treatment"].isin(("base", "selffer"))]))
    assert list(bars_of(alone.axes[-2])) == list(range(1, 8))
    assert has_line(effects.axes[0], range(1, 8), [5] * 7)


@pytest.mark.parametrize("draw", DRAWN)
def test_nothing_is_crossed_out_where_all_bases_have_learned(draw, accuracies):
    with figure_style(COLORS):
        figure = draw(results(accuracies))
    assert not any(crosses(axes) for axes in figure.axes)
    assert not figure.get_suptitle() + figure.get_supxlabel()


def test_figure_3_normalizes_each_network_by_its_own_base(accuracies):
    with figure_style(COLORS):
        together = paper.figure3(results(accuracies)).axes[2]
    assert has_line(together, range(8), [0, *(5 + 2 * n for n in range(1, 8))])
    assert has_line(together, range(8), [0, *(15 + 8 * n for n in range(1, 8))])
    assert together.yaxis.get_inverted()  # what is below base is drawn below it


def test_figure_3_says_over_which_halves_its_line_of_random_filters_is_pooled(accuracies, published):
    only_random = accuracies[accuracies["split_type"] == "random"]
    both = pd.concat([published[published["split_type"] == "whole"], only_random])
    with figure_style(COLORS):
        for table, halves in (
            (accuracies, "all halves"),
            (only_random, "random halves"),
            (published, "all classes"),
            (both, "all halves and all classes"),
        ):
            *_, label = paper.figure3(results(table)).axes[-1].get_legend_handles_labels()[1]
            assert label == f"random filters, {halves}"


@pytest.fixture(scope="module")
def published():
    return read_published(PUBLISHED)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_figure_2_of_the_published_accuracies_names_the_papers_two_reasons(published):
    with figure_style(COLORS):
        figure = paper.figure2(results(published, "top1_mean_best10"))
    random_halves, grouped = figure.axes[2:4]
    assert random_halves.get_xlabel().splitlines()[1:] == [
        "arrow: largest co-adaptation, base − BnB",
        "arrow: largest specificity, BnB − AnB",
    ]
    assert [text for text in texts(random_halves) if text] == ["co-adaptation", "specificity"]
    assert figure.axes[1].get_title() == "semantic halves\n(no BnB, BnB⁺, AnB⁺ networks)"
    assert not texts(grouped)
    assert len(grouped.get_xlabel().splitlines()) == 1


def test_a_single_reason_in_figure_2_is_named_without_the_other(accuracies):
    """Each selffer is as good as its base, so that only specificity has an arrow."""
    selffer = accuracies["treatment"] == "selffer"
    accuracies = accuracies.assign(**{METRIC: accuracies[METRIC].mask(selffer, 0.85)})
    with figure_style(COLORS):
        means = paper.figure2(results(accuracies)).axes[2]
    assert [text for text in texts(means) if text] == ["specificity"]
    assert means.get_xlabel().splitlines()[1:] == ["arrow: largest specificity, BnB − AnB"]


def test_figure_2_leaves_out_networks_that_preserve_layers(accuracies):
    keeping = accuracies.assign(copied=accuracies["copied"] + (accuracies["network"] == "A3B").astype(int))
    with figure_style(COLORS):
        full, fewer = (paper.figure2(results(data)).axes[0] for data in (accuracies, keeping))
    assert sum(len(x) for x, _ in lines(full)) == sum(len(x) for x, _ in lines(fewer)) + 1


def test_effects_are_drawn_in_points_and_their_legend_names_each_once(accuracies):
    with figure_style(COLORS):
        figure = draw_effects(results(accuracies))
    losses, gains = figure.axes[0], figure.axes[2]
    drawn = {line.get_label(): line.get_ydata() for axes in (losses, gains) for line in axes.get_lines()}
    assert drawn["specificity drop (BnB − AnB)"] == pytest.approx([2 * n for n in range(1, 8)])
    assert drawn["total drop (base − AnB)"] == pytest.approx([5 + 2 * n for n in range(1, 8)])
    assert drawn["fine-tuning gain (AnB⁺ − base)"] == pytest.approx([0] * 7)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [  # column by column: drops above, gains below
        *("co-adaptation drop (base − BnB)", "fine-tuning gain (AnB⁺ − base)"),
        *("specificity drop (BnB − AnB)", ""),
        *("total drop (base − AnB)", ""),
    ]


def bars_of(axes):
    """Beginning and end of each bar, by its center."""
    boxes = [bar.get_bbox() for group in axes.containers for bar in group]
    return {round((box.x0 + box.x1) / 2, 3): (box.y0, box.y1) for box in boxes}


def test_bars_of_reuse_lead_from_base_over_the_selffer_to_frozen_transfer(accuracies):
    with figure_style(COLORS):
        drops, _, gains, _ = map(bars_of, reuse(results(accuracies)).axes[2:])
    assert len(drops) == 2 * 7
    for n in (1, 7):
        assert drops[n - 0.135] == pytest.approx((0, 5))
        assert drops[n + 0.135] == pytest.approx((5, 5 + 2 * n))
        assert gains[n] == pytest.approx((0, 0))


def intervals_of(axes):
    """Low and high ends of the vertical lines, by where they stand."""
    lines = [line for group in axes.collections for line in group.get_segments()]
    return {round(line[0, 0], 3): (line[0, 1], line[1, 1]) for line in lines}


@pytest.fixture
def uneven():
    """Co-adaptation and specificity cost 5 and 3 points in one split, 1 and 9 in the other: 8 and 10 in all."""
    drops = {"random0": (0.05, 0.08), "random1": (0.01, 0.10)}
    rows = [
        row
        for split, (own, total) in drops.items()
        for row in ((split, 0, "baseB", 0.9), (split, 0, "B3B", 0.9 - own), (split, 0, "A3B", 0.9 - total))
    ]
    return frame(*rows)


def test_the_line_at_the_end_of_a_stacked_bar_is_the_interval_of_the_total_drop(uneven):
    with figure_style(COLORS):
        cells, drops = reuse(results(uneven)).axes
    table = paired_effects(results(uneven)).set_index("effect")
    drawn = intervals_of(drops)
    assert drawn.keys() == {3 - 0.135, 3 + 0.135}
    for x, effect in ((3 - 0.135, "co-adaptation drop"), (3 + 0.135, "total drop")):
        assert drawn[x] == pytest.approx(tuple(100 * table.loc[effect, ["low", "high"]]))
    assert sum(drawn[3 + 0.135]) / 2 == pytest.approx(bars_of(drops)[3 + 0.135][1])
    assert texts(cells)[:2] == ["9.0", f"±{np.ptp(drawn[3 + 0.135]) / 2:.1f}"]


def test_a_stacked_bar_has_no_line_where_no_base_tells_the_total_drop(uneven):
    """The transfer networks are for half A, which has no bases."""
    switched = {"A3B": "B3A"}
    rows = [(r.split, r.seed, switched.get(r.network, r.network), getattr(r, METRIC)) for r in uneven.itertuples()]
    rows += [(split, 0, "A3A", 0.85) for split in ("random0", "random1")]
    with figure_style(COLORS):
        drops = reuse(results(frame(*rows))).axes[-1]
    assert bars_of(drops).keys() == {3 - 0.135, 3 + 0.135}
    assert intervals_of(drops).keys() == {3 - 0.135}


def test_depths_that_were_not_tried_have_a_dash_among_cells_of_those_that_were(accuracies):
    untried = (accuracies["treatment"] == "transfer+") & ~accuracies["n"].isin([1, 4, 7])
    with figure_style(COLORS):
        cells = reuse(results(accuracies[~untried])).axes[0]
    assert [text.get_position() for text in cells.texts if text.get_text() == "—"] == [(n, 1) for n in (2, 3, 5, 6)]


def test_the_gain_of_transfer_stands_beside_those_whose_difference_it_is():
    """Fine-tuned copies of the other half's layers gain 5 points, those of the own layers 2."""
    data = frame(*(("random0", 0, name, top1) for name, top1 in {"baseB": 0.8, "B1B+": 0.82, "A1B+": 0.85}.items()))
    with figure_style(COLORS):
        figure = reuse(results(data))
    gains = bars_of(figure.axes[-1])
    assert [gains[1 + offset] for offset in (-0.27, 0, 0.27)] == [pytest.approx((0, points)) for points in (2, 5, 3)]
    assert [text.get_text() for text in figure.legends[0].get_texts() if "gain" in text.get_text()] == [
        *("retraining gain (BnB⁺ − base)", "fine-tuning gain (AnB⁺ − base)", "transfer gain (AnB⁺ − BnB⁺)")
    ]


def test_semantic_halves_have_the_names_of_their_groups_in_every_figure(accuracies):
    groups = {"letters_symbols": {"A": "letter", "B": "symbol"}, "of no network": {"A": "a", "B": "b"}}
    named = Results.by(accuracies, METRIC, 0.02, LAYERS, groups=groups)
    with figure_style(COLORS):
        for figure in (draw(named) for draw in DRAWN):
            text = " ".join(text.get_text() for text in figure.findobj(Text))
            assert "semantic halves (letter / symbol)" in text
        directions = paper.figure3(named).axes[0].get_legend_handles_labels()[1]
    assert directions[:2] == ["BnA, baseA: trained for letter", "AnB, baseB: trained for symbol"]


def test_depths_have_the_names_of_layers_where_there_is_room():
    assert depth_labels([1, 7], {1: "conv1", 7: "fc7"}, 0.5) == ["1\nconv1", "7\nfc7"]
    assert depth_labels([1, 7], {1: "conv1", 7: "a long name"}, 0.5) == ["1", "7"]


def test_a_loss_that_cannot_be_divided_is_one_bar(published):
    with figure_style(COLORS):
        figure = reuse(results(published, "top1_mean_best10"))
    grouped = bars_of(figure.axes[3])
    assert list(grouped) == list(range(1, 8))
    assert grouped[7] == pytest.approx((0, 25.012), abs=1e-3)
    assert "no fine-tuned networks" in texts(figure.axes[1])


def test_cells_of_reuse_have_points_and_intervals_and_the_legend_their_verdicts(published):
    with figure_style(COLORS):
        figure = reuse(results(published, "top1_mean_best10"))
    similar, dissimilar = figure.axes[:2]
    frozen = [text.get_text() for text in similar.texts if text.get_position()[1] < 0.5]
    assert frozen[:6] == ["−0.3", "±0.3", "0.1", "±0.3", "0.6", "±0.2"]
    assert texts(dissimilar)[:7] == ["−0.3", "0.9", "3.2", "7.3", "12.9", "16.6", "25.0"]
    assert similar.get_xlabel() == "base 62.5 %; 4 splits, 1 seed: ± and lines are 95 % intervals"
    assert dissimilar.get_xlabel() == "base 59.5 %; 1 split, 1 seed: no intervals"
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [
        *("at most 2 points below base", "co-adaptation drop (base − BnB)", "retraining gain (BnB⁺ − base)"),
        *("at most 2 points below base, mean only", "specificity drop (BnB − AnB)", "fine-tuning gain (AnB⁺ − base)"),
        *("more than 2 points below base", "total drop (base − AnB)", ""),
        *("more than 2 points below base, mean only", "", ""),
    ]


def test_only_depths_that_a_study_has_are_named(accuracies):
    with figure_style(COLORS):
        figure = reuse(results(accuracies[accuracies["n"].isin((0, 3, 7))]))
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["layers 1-3", "layers 1-7"]
    assert [label.get_text() for label in figure.axes[-1].get_xticklabels()] == ["3\nconv3", "7\nfc7"]


def test_parts_draw_fit_and_generalization_beside_each_other_and_their_sum(published):
    with figure_style(COLORS):
        figure = parts(results(published, "top1_mean_best10"))
    co_adaptation, total, specificity, empty = figure.axes
    assert not empty.get_visible()
    assert [axes.get_title("left").partition(",")[0] for axes in (co_adaptation, specificity, total)] == [
        *("random halves\nco-adaptation drop", "specificity drop", "semantic halves\ntotal drop")
    ]
    heights = {patch.get_x() + patch.get_width() / 2: patch.get_height() for patch in co_adaptation.patches}
    fit, generalization = (dict(sorted(heights.items())).get(x) for x in (5 - 0.18, 5 + 0.18))
    assert (fit, generalization) == (pytest.approx(0.617, abs=0.001), pytest.approx(-0.5765, abs=0.001))
    (sums,) = (line for line in co_adaptation.get_lines() if line.get_marker() == "D")
    assert sums.get_ydata()[4] == pytest.approx(fit + generalization)
    assert "in training mode" in figure.get_supxlabel()


def test_parts_of_networks_without_cross_entropy_say_so(accuracies):
    with figure_style(COLORS):
        figure = parts(results(accuracies))
    assert not figure.axes
    assert "no pairs of networks" in figure.texts[0].get_text()


def test_parts_are_crossed_out_where_a_base_at_chance_leaves_nothing(accuracies):
    accuracies = accuracies.assign(validation_cross_entropy=2.0, training_cross_entropy=1.0, generalization_gap=1.0)
    accuracies = flagged(accuracies, accuracies["treatment"] == "transfer")
    with figure_style(COLORS):
        figure = parts(results(accuracies))
    co_adaptation, _, specificity, of_symbols = figure.axes
    assert crosses(specificity) == [tuple(range(1, 8))]
    assert not crosses(co_adaptation)
    assert not crosses(of_symbols)


def test_the_reduced_figure_has_a_point_for_every_number_of_images_and_the_base(published):
    with figure_style(COLORS):
        axes = paper.reduced(results(published, "top1_final")).axes[0]
    assert has_line(axes, [0, 1], [57.5179] * 2)
    curve = next(line for line in axes.get_lines() if len(line.get_xdata()) == 12)
    assert curve.get_xdata().tolist() == [1, 2, 5, 10, 25, 50, 100, 250, 500, 750, 1000, 1300]
    assert axes.get_xscale() == "log"


def test_the_comparison_shows_both_studies_where_both_have_networks(accuracies, published):
    with figure_style(COLORS):
        figure = comparison(by_metric(accuracies, METRIC), by_metric(published, METRIC))
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [
        "BnB\nrandom halves",
        "AnB\nrandom halves",
        "AnB⁺\nrandom halves",
        "random filters\nhalves or all classes",
        "AnB\nsemantic halves",
    ]
    transfer = figure.axes[1]
    assert has_line(transfer, range(1, 8), [5 + 2 * n for n in range(1, 8)])
    assert len(lines(transfer)) == 3  # the base line, ours, the published


def test_the_comparison_says_which_of_several_amounts_it_is_of(accuracies, published):
    amounts = [accuracies.assign(examples_per_class=few) for few in (5, 20)]
    for table, added in ((accuracies, ""), (pd.concat(amounts, ignore_index=True), ", 20 images per class")):
        with figure_style(COLORS):
            figure = comparison(by_metric(table, METRIC), by_metric(published, METRIC))
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == [f"this study{added}", "published"]


def test_the_comparison_shows_fit_and_generalization_where_both_have_them(accuracies, published):
    ours = accuracies.assign(validation_cross_entropy=2.0, training_cross_entropy=accuracies["top1_final"])
    ours["generalization_gap"] = ours["validation_cross_entropy"] - ours["training_cross_entropy"]
    for table, rows in ((ours, 4), (accuracies, 2)):
        with figure_style(COLORS):
            figure = comparison(by_metric(table, METRIC), by_metric(published, METRIC))
        panels = np.array(figure.axes).reshape(rows, -1)
        assert ("published training cross-entropies are" in figure.get_suptitle().replace("\n", " ")) == (rows == 4)
    with figure_style(COLORS):
        figure = comparison(by_metric(ours, METRIC), by_metric(published, METRIC))
    panels = np.array(figure.axes).reshape(4, -1)
    selffers = [column.get_title() for column in panels[0]].index("BnB\nrandom halves")
    assert has_line(panels[2, selffers], range(1, 8), [0.0 - 0.05] * 7)  # 0.8 and 0.9 for the bases, 0.8 for selffers
    assert has_line(panels[3, selffers], range(1, 8), [0.05] * 7)
    assert all(axes.yaxis.get_inverted() for axes in figure.axes)  # what is worse than base is drawn below it


def test_a_comparison_of_nothing_in_common_says_so(accuracies, published):
    with figure_style(COLORS):
        figure = comparison(*(by_metric(table, METRIC) for table in (accuracies.iloc[:0], published)))
    assert not figure.axes
    assert texts(figure) == ["no treatment that both studies have"]


@pytest.mark.parametrize("draw", [*DRAWN, paper.reduced])
@pytest.mark.parametrize("split_type", ["whole", "random", "semantic"])
def test_published_accuracies_are_drawn_whatever_they_cover(draw, split_type, published):
    with figure_style(COLORS):
        figure = draw(results(published[published["split_type"] == split_type], "top1_final"))
        figure.draw_without_rendering()
    assert figure.texts or all(
        axes.get_lines() or axes.texts or axes.patches for axes in figure.axes if axes.get_visible()
    )


@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.parametrize("left_out", ["selffer", "transfer", "transfer+", "random", "base", "semantic", "everything"])
def test_whatever_is_missing_the_rest_is_drawn(draw, left_out, accuracies, tmp_path):
    rest = accuracies[(accuracies["treatment"] != left_out) & (accuracies["split_type"] != left_out)]
    if left_out == "everything":
        rest = accuracies.iloc[:0]
    with figure_style(COLORS):
        save(draw(results(rest)), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_figure_is_the_same_file(accuracies, tmp_path):
    for name in ("one", "other"):
        with figure_style(COLORS):
            figure = paper.figure2(results(accuracies))
            save(figure, tmp_path / f"{name}.png", tmp_path / f"{name}.pdf")
    for suffix in (".png", ".pdf"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"other{suffix}").read_bytes()


def test_learning_curves_show_every_network_in_the_panel_of_its_series():
    history = pd.DataFrame({"iteration": [10, 20], "validation_top1": [0.2, 0.4]})
    histories = dict.fromkeys(["baseA", "baseB", "A1B", "A7B", "B1B+", "R3A"], history)
    with figure_style(COLORS):
        figure = training.learning_curves(histories)
    drawn = {axes.get_title(): len(axes.get_lines()) for axes in figure.axes if axes.get_title()}
    assert drawn == {"RnA, random": 2, "BnB⁺, selffer": 2, "AnB, transfer": 3}
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == list(drawn)  # by target, then treatment
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(labels) == ["base", "n = 1", "n = 3", "n = 7"]


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_filters_become_pictures_stretched_to_their_own_range(channels):
    filters = np.random.default_rng(0).normal(size=(5, channels, 3, 3)).astype(np.float32)
    mosaic = training._mosaic(filters)
    assert mosaic.shape[:2] == (2 * 4 + 1, 3 * 4 + 1)
    first = mosaic[1:4, 1:4]
    assert (first.min(), first.max()) == (0, 1)
    if channels == 3:
        picture = filters[0].transpose(1, 2, 0)
        assert np.allclose(first, (picture - picture.min()) / (picture.max() - picture.min()), atol=1e-6)


def test_a_contact_sheet_has_a_row_for_every_class(store_folder, tmp_path):
    store = open_store(store_folder)
    with figure_style(COLORS):
        figure = contact_sheet(store)
        save(figure, tmp_path / "sheet.png")
    labels = {axes.get_ylabel() for axes in figure.axes if axes.get_visible()}
    assert labels == {f"{c.name}\n{c.group}" for c in store.classes}
