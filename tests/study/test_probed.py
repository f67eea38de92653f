"""Only what a study has is probed: no additional bases, and only those trained on all images."""

import pytest

from tests.study.test_study import changed
from transferability.study.design import read_study
from transferability.study.probed import probed_in, probed_splits


def study_of(**networks):
    return read_study(changed("networks", changed("seeds", [0])["networks"] | networks))


@pytest.mark.parametrize(
    ("networks", "split", "targets", "sources"),
    [
        ({}, "random0", "A B", "A B R"),
        ({"directions": ["AnB"]}, "random0", "B", "A B R"),
        ({"directions": ["AnB"], "treatments": ["selffer"]}, "random0", "B", "B R"),
        ({"examples_per_class": [5]}, "random0", "A B", "A B R"),  # both are copied from
        ({"examples_per_class": [5, "all"], "treatments": ["selffer"]}, "random0", "A B", "A B R"),
        ({"random_for": "whole"}, "whole", "whole", "whole R"),
        ({"random_for": "whole", "examples_per_class": [5]}, "whole", "", "R"),
    ],
)
def test_tasks_with_a_base_on_all_images_are_probed_and_all_such_bases(networks, split, targets, sources):
    study = study_of(**networks)
    probed = probed_in(study, split)
    assert (" ".join(probed.targets), " ".join(probed.sources)) == (targets, sources)
    assert {*probed.bases} <= {*study.networks_of(split)}
    assert (split in probed_splits(study)) == bool(targets)


@pytest.mark.parametrize("treatments", [["selffer"], ["random"]])
def test_of_few_images_without_transfer_nothing_is(treatments):
    assert probed_splits(study_of(treatments=treatments, examples_per_class=[5])) == []
