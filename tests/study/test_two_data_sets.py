"""Splits of two data sets in a config, and studies of one direction: what they ask for, and what is refused."""

import pytest

from tests.project import merged
from tests.support import DEFAULT
from transferability.study.design import read_study
from transferability.study.names import Network
from transferability.study.schema import ConfigError

GLYPHS = DEFAULT["datasets"]["glyphs"]
SPLIT = {"name": "to_late", "A": {"dataset": "early", "group": "letter"}, "B": {"dataset": "late"}}
TWO = {"dataset": "early", "datasets": {"early": GLYPHS, "late": GLYPHS | {"seed": 1}}, "splits": [SPLIT]}


def study_of(**changes):
    return read_study(merged(merged(DEFAULT, TWO), changes))


def refusal(**changes):
    with pytest.raises(ConfigError) as refused:
        study_of(**changes)
    return str(refused.value)


def with_half(half, **task):
    return [SPLIT | {half: task}]


def test_each_half_is_of_its_own_data_set_and_store():
    study = study_of(splits=["random0", SPLIT])
    assert list(study.data_sets) == ["early", "late"]
    assert [study.data_set_of("to_late", half).name for half in "AB"] == ["early", "late"]
    assert [study.data_set_of("random0", half).name for half in "AB"] == ["early", "early"]
    assert study.data_sets["early"].store_folder != study.data_sets["late"].store_folder
    assert study.splits["to_late"].split_type == "data_sets"
    assert study.groups == {"to_late": {"A": "early: letter", "B": "late"}}


def test_a_network_is_of_its_targets_data_set_and_store():
    study, checksums = study_of(), {"early": "e", "late": "l"}
    for name, data_set in (("baseA", "early"), ("baseB", "late"), ("A3B", "late"), ("B3A", "early"), ("R3B", "late")):
        asked = study.asked_of("to_late", Network.parse(name), checksums)
        assert (asked["data_set"], asked["store_checksum"]) == (data_set, checksums[data_set])
    assert "store_checksum" not in study.asked_of("to_late", Network("B"), {"early": "e"})


def test_another_store_of_the_source_outdates_its_copies_and_not_what_has_none_of_it():
    study, old, new = study_of(), {"early": "old", "late": "l"}, {"early": "new", "late": "l"}
    metrics = {}
    for name in ("baseA", "baseB", "A3B", "B3B"):
        network = Network.parse(name)
        made_from = study.asked_of("to_late", network, old) | {"source_sha256": network.base and network.base.name}
        metrics["to_late", 0, name] = {"made_from": made_from, "sha256": name}
    assert study.current(metrics, old) == set(metrics)
    assert {name for _, _, name in study.current(metrics, new)} == {"baseB", "B3B"}


def test_another_store_of_the_half_whose_mean_image_is_subtracted_outdates_what_is_trained_on_the_other():
    study, old, new = (
        study_of(preprocessing={"mean": "A"}),
        {"early": "old", "late": "l"},
        {"early": "new", "late": "l"},
    )
    metrics = {}
    for name in ("baseB", "B3B"):
        network = Network.parse(name)
        made_from = study.asked_of("to_late", network, old) | {"source_sha256": network.base and network.base.name}
        metrics["to_late", 0, name] = {"made_from": made_from, "sha256": name, "mean_store": "another"}
    assert study.current(metrics, old) == set(metrics)
    assert study.current(metrics, new) == set()
    assert study.current(metrics, {"late": "l"}) == set()  # the store of early is not there, and was another one
    today = {key: made | {"mean_store": study.data_sets["early"].store_folder.name} for key, made in metrics.items()}
    assert study.current(today, {"late": "l"}) == set(metrics)


def test_a_mean_image_of_a_half_takes_halves_and_images_of_one_size():
    assert study_of(preprocessing={"mean": "A"})
    assert study_of(preprocessing={"mean": "A"}, networks={"random_for": "whole", "treatments": ["selffer"]})
    refused = refusal(datasets={"late": {"size": 28}}, preprocessing={"mean": "B", "crop": 24})
    assert refused == (
        "config: preprocessing.mean: is B, but images are 24 x 24 pixels in early and 28 x 28 pixels in late, and a "
        "mean image can only be subtracted from images of its own size; give the data sets one size, or set mean to "
        "own, whole, or a list of numbers with one for std"
    )
    of_all = [{"splits": [SPLIT, "whole"]}, {"networks": {"reduced": [3]}}]
    of_all += [
        {"networks": {"random_for": "whole", "treatments": ["selffer", random]}}
        for random in ("random", "random+", "random_truncated")
    ]
    for changes in of_all:
        message = "preprocessing.mean: is A, the mean image of a half, but "
        assert message in refusal(**changes, preprocessing={"mean": "A"})


def test_data_sets_that_no_split_is_of_are_not_looked_at():
    assert list(study_of(datasets={"broken": {"kind": "nonsense"}}).data_sets) == ["early", "late"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": with_half("B", dataset="no")}, "splits: 'no' is not one of datasets: early, glyphs, late"),
        ({"splits": with_half("B", group="letter")}, "splits[0].B: dataset is missing"),
        (
            {"splits": with_half("B", dataset="late", grop="letter")},
            "splits[0].B.grop: unknown key; did you mean group",
        ),
        (
            {"splits": with_half("B", dataset="late", group="no")},
            "asks for the group 'no' in B, which the data set late",
        ),
        ({"splits": with_half("B", dataset="late", classes=["a"])}, "splits: to_late has one class in B; at least 2"),
        ({"splits": with_half("B", dataset="late", classes=["a", "a"])}, "splits: to_late has in B the class a twice"),
        (
            {"splits": with_half("B", dataset="late", classes=["a", "b"], group="letter")},
            "splits: to_late has a group and classes in B; give one of the two",
        ),
        ({"splits": [SPLIT | {"B": SPLIT["A"]}]}, "splits: to_late has the same classes of early on both sides"),
        ({"splits": [SPLIT | {"B": "letter"}]}, "splits: to_late has a data set in one half only; give one in A and"),
        ({"splits": [SPLIT | {"by": "images"}]}, "splits: to_late has a data set in one half only"),
        ({"splits": [SPLIT | {"name": "random3"}]}, "splits: random3 is the name of a random split; give that of two"),
        ({"splits": [SPLIT | {"name": "whole"}]}, "splits: whole is the name of the split of all classes"),
        ({"dataset": "glyphs"}, "dataset: is glyphs, which no split uses; set it to one that is used: early or late"),
        ({"datasets": {"late": {"letters": -1}}}, "datasets.late.letters: is -1; it must be at least 0"),
        ({"networks": {"directions": []}}, "networks.directions: is empty; give at least one"),
        ({"networks": {"directions": ["AnC"]}}, "networks.directions[0]: is 'AnC'; it must be one of AnB, BnA"),
        ({"networks": {"directions": ["AnB", "AnB"]}}, "networks.directions: AnB appears twice"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(changes, message):
    assert message in refusal(**changes)


def test_images_of_two_sizes_are_cropped_to_one_or_refused():
    larger = {"datasets": {"late": {"size": 28}}}
    assert refusal(**larger) == (
        "config: preprocessing.crop: is 0, but images are 24 x 24 pixels in early and 28 x 28 pixels in late, and a "
        "network that copies layers needs images of one size; set it to at most 24, so that both are cropped to that, "
        "or give the data sets one size"
    )
    assert study_of(**larger, preprocessing={"crop": 24})
    assert "crop: is 26, but the images of early have a side of 24" in refusal(**larger, preprocessing={"crop": 26})


def test_a_mean_of_three_numbers_is_for_gray_images_too_that_are_beside_color_ones():
    color = {"kind": "torchvision", "set": "cifar10", "folder": "data"}
    three = {"crop": 24, "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}
    assert "the images of early and late have 1 channel" in refusal(preprocessing=three)
    config = merged(merged(DEFAULT, TWO), {"preprocessing": three})
    config["datasets"]["late"] = color
    assert read_study(config)
    config["splits"] = ["random0", SPLIT]
    with pytest.raises(ConfigError, match="the images of early have 1 channel"):
        read_study(config)


class TestDirections:
    def test_of_one_there_are_the_networks_of_its_target_and_the_base_that_these_copy_from(self):
        both, one = (
            {n.name for n in study_of(networks={"directions": directions}).networks_of("to_late")}
            for directions in (["AnB", "BnA"], ["AnB"])
        )
        assert one == {"baseA"} | {name for name in both if name.split("_")[0].rstrip("+").endswith("B")}

    @pytest.mark.parametrize("treatments", [["selffer"], ["random"]])
    def test_without_transfer_the_other_half_has_no_base_at_all(self, treatments):
        study = study_of(networks={"directions": ["BnA"], "treatments": treatments})
        assert {network.target for network in study.networks_of("to_late")} == {"A"}

    def test_hold_for_every_split_into_halves_and_not_for_the_whole_set(self):
        networks = {"directions": ["BnA"], "random_for": "whole", "treatments": ["transfer", "random"]}
        study = study_of(splits=["random0", SPLIT], networks=networks)
        assert {n.name for n in study.networks_of("random0")} == {"baseA", "baseB", *(f"B{n}A" for n in range(1, 8))}
        assert {n.name for n in study.networks_of("whole")} == {"basewhole", *(f"R{n}whole" for n in range(1, 8))}

    def test_in_any_order_are_the_same(self):
        turned = study_of(networks={"directions": ["BnA", "AnB"]})
        assert list(turned.networks()) == list(study_of().networks())
