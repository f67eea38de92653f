import json

import pandas as pd
import pytest

from transferability.accuracies import COLUMNS, collect, read_accuracies
from transferability.files import write_table
from transferability.names import Network


def metrics(name, top1, split="random0", seed=0, **other):
    network = Network.parse(name)
    return {
        "split": split,
        "kind": "random" if split.startswith("random") else "grouped",
        "network": name,
        "treatment": network.treatment,
        "source": network.source,
        "target": network.target,
        "n": network.n,
        "copied": network.copied,
        "frozen": network.frozen,
        "seed": seed,
        "examples_per_class": network.examples_per_class,
        "iterations": 10,
        "evaluations": 3,
        **{f"{top}_{which}": top1 for top in ("top1", "top5") for which in ("final", "best", "mean_best10")},
        "device": "cpu",
        **other,
    }


@pytest.fixture
def written(tmp_path):
    def write(*contents):
        paths = [tmp_path / f"{i}.json" for i in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_text(json.dumps(content))
        return paths

    return write


def test_each_network_stands_beside_the_base_of_its_own_target_split_and_seed(written):
    frame = collect(
        written(
            metrics("A3B", 0.5),
            metrics("B3B+", 0.7, seed=1),
            metrics("A3B", 0.4, split="other"),
            metrics("baseA", 0.9),
            metrics("baseB", 0.6),
            metrics("baseB", 0.8, seed=1),
            metrics("baseB", 0.3, split="other"),
        )
    )
    differences = frame.set_index(["split", "seed", "network"])["difference_top1_final"]
    assert differences["random0", 0, "A3B"] == pytest.approx(-0.1)
    assert differences["random0", 1, "B3B+"] == pytest.approx(-0.1)
    assert differences["other", 0, "A3B"] == pytest.approx(0.1)
    assert differences["random0", 0, "baseA"] == 0


def test_without_a_base_there_is_no_difference(written):
    frame = collect(written(metrics("A3B", 0.5), metrics("baseA", 0.9)))
    row = frame[frame["network"] == "A3B"].iloc[0]
    assert pd.isna(row["base"])
    assert pd.isna(row["difference_top1_final"])


def test_the_order_of_the_files_does_not_matter(written):
    contents = [metrics(name, 0.5) for name in ("baseB", "A1B", "A7B+", "R2B", "baseA")]
    one, other = collect(written(*contents)), collect(written(*reversed(contents)))
    pd.testing.assert_frame_equal(one, other)
    assert one["network"].tolist() == ["baseA", "baseB", "A1B", "A7B+", "R2B"]


def test_accuracies_read_back_as_they_were_written(written, tmp_path):
    frame = collect(written(*(metrics(name, 1 / 3) for name in ("baseB", "A1B", "reduced5", "basewhole"))))
    write_table(tmp_path / "accuracies.csv", frame)
    again = read_accuracies(tmp_path / "accuracies.csv")
    assert list(again.columns[: len(COLUMNS)]) == COLUMNS
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)


def test_a_network_twice_is_refused_by_name(written):
    with pytest.raises(ValueError, match="the network A3B of random0, seed 0, is there twice"):
        collect(written(metrics("A3B", 0.5), metrics("A3B", 0.6)))


def test_a_file_without_a_value_is_named(written):
    content = metrics("A3B", 0.5)
    del content["top1_final"]
    with pytest.raises(ValueError, match=r"0\.json: top1_final is missing"):
        collect(written(content))
