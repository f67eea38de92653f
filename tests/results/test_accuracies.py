import csv
import json
from functools import partial
from math import comb

import numpy as np
import pandas as pd
import pytest

from tests.results.support import PUBLISHED, metrics
from transferability.files import write_table
from transferability.networks.architectures import architecture_layers
from transferability.results import accuracies
from transferability.results.accuracies import COLUMNS, of_training_mode, read_accuracies
from transferability.results.published import PUBLISHED_COLUMNS, read_published
from transferability.results.unlearned import at_chance, bases_at_chance, others_at_chance

LAYERS = architecture_layers("caffenet")
collect = partial(accuracies.collect, layers=LAYERS)


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


GUESSED = {"classes": 10, "validation_images": 900, "majority_baseline": 0.1}


def guessing_reaches(right, images, chance):
    """The probability that guessing gets at least this many images right, by direct summation."""
    return sum(comb(images, k) * chance**k * (1 - chance) ** (images - k) for k in range(right, images + 1))


@pytest.mark.parametrize(("images", "chance"), [(900, 0.1), (40, 0.25), (15, 0.5), (12, 0.5), (300, 0.24), (10, 1.0)])
def test_a_network_has_learned_where_guessing_hardly_ever_does_as_well(images, chance):
    rights = np.arange(images + 1)
    frame = pd.DataFrame({"top1_final": rights / images, "majority_baseline": chance, "validation_images": images})
    for right, guesses in zip(rights, at_chance(frame), strict=True):
        learned = guessing_reaches(right, images, chance) <= 0.001
        assert learned == (guesses is not pd.NA and not guesses), right


@pytest.mark.parametrize(
    ("right", "images", "chance", "flag"),
    [
        (100, 900, 0.1, "baseA at chance"),
        (20, 900, 0.1, "baseA at chance"),
        (130, 900, 0.1, None),
        (10, 10, 0.5, None),
        (9, 10, 0.5, "baseA: too few images to tell from chance"),  # far better than guessing (1 in 93)
        (6, 10, 0.5, "baseA at chance"),
        (9, 9, 0.5, "baseA: too few images to tell from chance"),
        (4, 9, 0.5, "baseA: too few images to tell from chance"),
        (1, 1, 0.1, "baseA: too few images to tell from chance"),
    ],
)
def test_a_base_that_is_no_better_than_guessing_flags_itself(right, images, chance, flag, written):
    guessed = {"classes": 10, "validation_images": images, "majority_baseline": chance}
    frame = collect(written(metrics("baseA", right / images, **guessed)))
    assert frame["flag"].astype(object).where(frame["flag"].notna(), None).tolist() == [flag]


@pytest.mark.parametrize(
    ("accuracy", "images", "flag"),
    [(0.1, 900, "at chance"), (0.5, 900, ": loss never below that of guessing"), (1.0, 1, ": loss never below")],
)
def test_a_base_of_high_loss_is_told_first_for_its_accuracy(accuracy, images, flag, written):
    facts = {**GUESSED, "validation_images": images, "guessing_loss": 2.3}
    facts |= dict.fromkeys(("lowest_training_loss", "training_cross_entropy"), 2.4)
    bases = [metrics("baseA", accuracy, **facts), metrics("baseB", 0.5, **GUESSED)]
    frame = collect(written(*bases, metrics("A3B", 0.5, **GUESSED))).set_index("network")
    for name in ("baseA", "A3B"):
        assert flag in frame.loc[name, "flag"]
        assert frame.loc[name, "flag"].count("baseA") == 1
    assert frame["flag"].isna()["baseB"]


def test_a_base_at_chance_flags_what_is_compared_with_it_or_copied_from_it(written):
    names = ("A3A", "B3A+", "R3A", "A3B", "A3B+", "B3B", "R3B")
    frame = collect(
        written(
            metrics("baseA", 0.1, **GUESSED),
            metrics("baseB", 0.5, **GUESSED),
            *(metrics(name, 0.5, **GUESSED) for name in names),
            metrics("A3B", 0.5, seed=1, **GUESSED),
            metrics("baseA", 0.5, seed=1, **GUESSED),
        )
    )
    flagged = frame[frame["flag"].notna()]
    assert set(flagged["network"]) == {"baseA", "A3A", "B3A+", "R3A", "A3B", "A3B+"}
    assert set(flagged["seed"]) == {0}
    assert bases_at_chance(frame).startswith("at chance: baseA of random0, seed 0. ")


def test_a_network_at_chance_whose_bases_are_not_is_a_finding_and_no_flag(written):
    frame = collect(written(metrics("baseA", 0.5, **GUESSED), metrics("R7A", 0.1, **GUESSED)))
    assert frame["flag"].isna().all()
    assert not bases_at_chance(frame)
    assert others_at_chance(frame).startswith("at chance, though their bases are not: R7A of random0, seed 0. ")


def test_without_a_known_chance_nothing_is_flagged(written):
    assert collect(written(metrics("baseA", 0.0)))["flag"].isna().all()


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


def test_every_network_with_copied_layers_has_the_name_of_the_one_below_its_cut(written):
    names = ("baseB", "A1B", "A2B_preserve1", "R3B+", "reduced5")
    frame = accuracies.collect(written(*(metrics(name, 0.5) for name in names)), ["stem", "block1", "block2", "head"])
    layers = frame.set_index("network")["layer"]
    assert layers[["A1B", "A2B_preserve1", "R3B+"]].tolist() == ["stem", "block1", "block2"]
    assert layers[["baseB", "reduced5"]].isna().all()


@pytest.mark.parametrize("name", ["A4B", "A2B_preserve2"])
def test_a_network_with_more_copied_layers_than_can_be_is_refused(name, written):
    with pytest.raises(ValueError, match=rf"0\.json: network is '{name}', which cannot be"):
        accuracies.collect(written(metrics(name, 0.5)), ["stem", "block1", "block2", "head"])


def test_a_network_twice_is_refused_by_name(written):
    with pytest.raises(ValueError, match="the network A3B of random0, seed 0, is there twice"):
        collect(written(metrics("A3B", 0.5), metrics("A3B", 0.6)))


def test_a_file_without_a_value_is_named(written):
    content = metrics("A3B", 0.5)
    del content["top1_final"]
    with pytest.raises(ValueError, match=r"0\.json: top1_final is missing"):
        collect(written(content))


@pytest.mark.parametrize("value", [1.2, -0.1, float("nan"), None, "0.5"])
def test_an_accuracy_that_cannot_be_is_refused_with_file_and_key(value, written):
    with pytest.raises(ValueError, match=r"0\.json: top1_best is .*; an accuracy is a number from 0 to 1"):
        collect(written(metrics("A3B", 0.5, top1_best=value)))


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), None, "0.5"])
@pytest.mark.parametrize("name", ["validation_cross_entropy", "training_cross_entropy"])
def test_a_cross_entropy_that_cannot_be_is_refused_with_file_and_key(value, name, written):
    with pytest.raises(ValueError, match=rf"0\.json: {name} is .*; a cross-entropy is a number from 0 up, in nats"):
        collect(written(metrics("A3B", 0.5, **{name: value})))


def test_the_gap_is_validation_less_training(written):
    frame = collect(written(metrics("A3B", 0.5, validation_cross_entropy=2.5, training_cross_entropy=0.75)))
    assert frame["generalization_gap"].tolist() == [1.75]
    assert not of_training_mode(frame)


def published(path, *rows, header=PUBLISHED_COLUMNS):
    """A published-style file; each row is text of its first seven columns, and an accuracy for the rest."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *(row.split(",") + ["0.5"] * (10 - 7) for row in rows)])
    return path


def test_published_networks_become_rows_like_our_own(written):
    ours, theirs = collect(written(metrics("A3B", 0.5), metrics("baseB", 0.6))), read_published(PUBLISHED)
    assert len(theirs) == 148
    assert list(theirs.columns) == list(ours.columns)
    numbers = ours.select_dtypes("number").columns
    assert theirs[numbers].dtypes.equals(ours[numbers].dtypes)
    assert theirs[["top5_final", "evaluations"]].isna().all(axis=None)
    rows = theirs.set_index(["split", "network"])
    assert rows.loc[("random0", "A3B+"), ["split_type", "n", "copied", "frozen", "seed"]].tolist() == [
        "random",
        3,
        3,
        0,
        0,
    ]
    assert rows.loc[("man_made_natural", "B7A"), "split_type"] == "semantic"
    assert rows.loc[("whole", "R2whole"), ["source", "frozen"]].tolist() == ["R", 2]
    assert rows.loc[("whole", "reduced1300"), "iterations"] == 200_000
    losses = ["validation_cross_entropy", "training_cross_entropy", "generalization_gap"]
    assert rows.loc[("man_made_natural", "baseA"), losses].tolist() == pytest.approx([2.15036, 0.719259, 1.431101])
    assert "in training mode" in of_training_mode(theirs)


def test_every_published_network_stands_beside_the_base_of_its_target():
    frame = read_published(PUBLISHED)
    assert (frame["base"] == "base" + frame["target"]).all()
    row = frame[frame["network"] == "reduced500"].iloc[0]
    assert row["difference_top1_final"] == pytest.approx(0.47504 - 0.575179)
    row = frame[(frame["network"] == "A7B") & (frame["split"] == "man_made_natural")].iloc[0]
    assert row["difference_top1_mean_best10"] == pytest.approx(0.399026 - 0.6533991)


def test_the_order_of_published_rows_and_columns_does_not_matter(tmp_path):
    text = pd.read_csv(PUBLISHED, dtype=str)
    shuffled = text.sample(frac=1, random_state=0)[list(reversed(text.columns))]
    shuffled.to_csv(tmp_path / "shuffled.csv", index=False, lineterminator="\r\n")
    pd.testing.assert_frame_equal(read_published(tmp_path / "shuffled.csv"), read_published(PUBLISHED))


def test_a_published_table_that_went_through_another_program_reads_the_same(tmp_path):
    """Whole numbers beside gaps are often written as 50.0, and text files begin with a byte order mark."""
    pd.read_csv(PUBLISHED).to_csv(tmp_path / "again.csv", index=False, encoding="utf-8-sig")
    assert "1300.0" in (tmp_path / "again.csv").read_text(encoding="utf-8")
    pd.testing.assert_frame_equal(read_published(tmp_path / "again.csv"), read_published(PUBLISHED))


def test_published_networks_may_be_missing_even_bases(tmp_path):
    frame = read_published(published(tmp_path / "few.csv", "random0,transfer,A,B,3,,9", "random0,base,,A,0,,"))
    assert frame["network"].tolist() == ["baseA", "A3B"]
    assert frame["base"].isna().tolist() == [False, True]
    assert frame["iterations"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("random0,transfer,A,B,8,,9", "n is 8; it must be a whole number from 1 to 7 for transfer networks"),
        ("random0,transfer,A,B,0,,9", "n is 0; it must be a whole number from 1 to 7"),
        ("random0,transfer,A,B,2.5,,9", "n is 2.5; it must be a whole number"),
        ("random0,transfer,A,B,three,,9", "n is 'three', not a number"),
        ("random0,transfer,A,B,inf,,9", "n is inf; it must be a whole number"),
        ("random0,base,,B,1,,9", "n is 1; it must be 0 for base networks"),
        ("random0,base,A,B,0,,9", "source is 'A'; it must be empty for base networks"),
        ("random0,transfered,A,B,3,,9", "treatment is 'transfered'; it must be base or selffer or"),
        ("random0,selffer,A,B,3,,9", "source is 'A'; it must be B for selffer networks of split random0 and target B"),
        ("random0,selffer+,,B,3,,9", "source is ''; it must be B"),
        ("random0,transfer,B,B,3,,9", "source is 'B'; it must be A for transfer networks of split random0"),
        ("random0,random,A,B,3,,9", "source is 'A'; it must be empty or R"),
        ("random0,base,,whole,0,,9", "target is 'whole'; it must be A or B"),
        ("whole,base,,A,0,,9", "target is 'A'; it must be whole"),
        ("whole,transfer,A,whole,3,,9", "target is 'whole'; it must be A or B"),
        ("whole,reduced,,whole,0,,9", "examples_per_class is '', not a number"),
        ("whole,reduced,,whole,0,0,9", "examples_per_class is 0; it must be a whole number of at least 1"),
        ("random0,reduced,,A,0,5,9", "target is 'A'; it must be whole"),
        ("random0,transfer,A,B,3,5,9", "examples_per_class is '5'; it must be empty"),
        ("random0,base,,B,0,,0", "iterations is 0; it must be a whole number of at least 1"),
        (",base,,B,0,,9", "split is empty"),
        ("random0,base,,B", "line 3: the row has not as many fields as the header"),
    ],
)
def test_an_impossible_published_row_is_refused_by_line(row, message, tmp_path):
    path = published(tmp_path / "results.csv", "random0,base,,A,0,,9", row)
    with pytest.raises(ValueError, match=r"results\.csv, line 3: ") as refused:
        read_published(path)
    assert message in str(refused.value)


@pytest.mark.parametrize("value", ["57.6", "-0.1", "nan", "", "high"])
def test_a_published_accuracy_that_cannot_be_is_refused_by_line(value, tmp_path):
    (tmp_path / "results.csv").write_text(f"{','.join(PUBLISHED_COLUMNS)}\nrandom0,base,,A,0,,9,0.5,{value},0.5\n")
    with pytest.raises(ValueError, match=r"results\.csv, line 2: top1_best is "):
        read_published(tmp_path / "results.csv")


def test_published_losses_may_be_missing_as_a_column_or_in_a_row(tmp_path):
    rows = ("random0,base,,A,0,,9,0.5,0.5,0.5,1.5,2.5", "random0,base,,B,0,,9,0.5,0.5,0.5,,2.5")
    header = [*PUBLISHED_COLUMNS, "training_loss", "validation_loss_final"]
    (tmp_path / "results.csv").write_text("\n".join([",".join(header), *rows, ""]))
    frame = read_published(tmp_path / "results.csv").set_index("network")
    assert frame.loc["baseA", "generalization_gap"] == 1
    assert frame.loc["baseB", "validation_cross_entropy"] == 2.5
    assert frame.loc["baseB", ["training_cross_entropy", "generalization_gap"]].isna().all()
    without = read_published(published(tmp_path / "without.csv", "random0,base,,A,0,,9"))
    assert without[["validation_cross_entropy", "training_cross_entropy"]].isna().all(axis=None)
    assert not of_training_mode(without)


@pytest.mark.parametrize("value", ["-0.1", "nan", "inf", "high"])
def test_a_published_loss_that_cannot_be_is_refused_by_line(value, tmp_path):
    header = ",".join([*PUBLISHED_COLUMNS, "training_loss"])
    (tmp_path / "results.csv").write_text(f"{header}\nrandom0,base,,A,0,,9,0.5,0.5,0.5,{value}\n")
    with pytest.raises(ValueError, match=r"results\.csv, line 2: training_loss is "):
        read_published(tmp_path / "results.csv")


def test_a_published_network_twice_is_refused_with_both_lines(tmp_path):
    path = published(
        tmp_path / "results.csv", "random0,random,,A,3,,9", "random0,base,,A,0,,9", "random0,random,R,A,3,,8"
    )
    with pytest.raises(ValueError, match=r"line 4: the network R3A of random0.* is there twice; see .*line 2"):
        read_published(path)


def test_a_published_table_without_a_column_or_rows_is_refused(tmp_path):
    path = published(tmp_path / "results.csv", header=PUBLISHED_COLUMNS[:-1])
    with pytest.raises(ValueError, match="no column top1_mean_best10; it takes split, treatment"):
        read_published(path)
    with pytest.raises(ValueError, match="there is no row"):
        read_published(published(tmp_path / "results.csv"))
