"""The page of cut points: what it says about those of the study, about others, and about modules within blocks."""

from pathlib import Path

import pytest

from tests.networks import own_networks
from tests.support import DEFAULT
from transferability.figures.cuts import cuts_figure
from transferability.networks.within_blocks import Block
from transferability.results.cuts import blocks_of, blocks_text, cut_rows, cuts_text
from transferability.study.design import read_study

OWN = str(Path(own_networks.__file__))
GIVEN = "what the block is given crosses too"


@pytest.fixture
def study_of(tmp_path, described_in_process):
    def study_of(**networks):
        chosen = DEFAULT["networks"] | {"depths": "all", "fine_tuned_depths": [], **networks}
        return read_study(
            DEFAULT | {"results": str(tmp_path / "results"), "stores": str(tmp_path / "stores"), "networks": chosen}
        )

    return study_of


def test_the_page_shows_the_studys_cuts_other_cut_points_and_what_is_within_blocks(study_of):
    study = study_of(architecture=f"{OWN}:Dropping", cuts=["stem", "block2"])
    rows = cut_rows(study)
    assert [(row.name, row.depth, row.shape) for row in rows] == [
        ("stem", 1, (6, 12, 12)),
        ("block1", None, (6, 12, 12)),
        ("block2", 2, (6, 12, 12)),
    ]
    shares = [row.parameters for row in rows]
    assert shares == sorted(shares)
    assert shares[0] == (6 * 9 + 6) / (6 * 9 + 6 + 2 * (6 * 6 * 9 + 12) + 24 * 10 + 10)
    text = cuts_text(study, rows)
    assert "at 24 x 24 pixels, 1 channel: 3 layers, the last of them fc" in text
    assert "\n  1  stem " in text
    assert blocks_text(blocks_of(study)).splitlines() == [
        "within blocks, by the names in them:",
        "  block1, block2",
        f"    conv, norm, drop_path: no cut points: {GIVEN}",
    ]
    (axes,) = cuts_figure(rows).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["stem   n = 1", "block1", "block2   n = 2"]


def test_own_networks_have_their_layers_and_no_blocks(study_of):
    study = study_of(architecture="mini_caffenet", cuts="stages")
    assert [row.depth for row in cut_rows(study)] == [1, 2, 3, 4, 5, 6, 7]
    assert blocks_of(study) == []
    assert blocks_text([]) == ""


def test_blocks_that_are_alike_are_told_once_and_no_line_is_long():
    alike = [Block(f"layer1.{i}", {"conv": GIVEN, "free": ""}) for i in range(30)]
    other = Block("layer2.0", {f"branch.{i}": GIVEN for i in range(40)})
    lines = blocks_text(
        [*alike, other, Block("odd", {}, "odd.forward cannot be traced"), Block("plain", {})]
    ).splitlines()
    assert lines[1:4] == [
        "  layer1.0, layer1.1, layer1.2, layer1.3, layer1.4 and 25 more",
        f"    conv: no cut point: {GIVEN}",
        "    free: cut point too",
    ]
    assert lines[-2:] == ["  odd", "    cannot be looked into: odd.forward cannot be traced"]
    assert max(map(len, lines)) <= 120
