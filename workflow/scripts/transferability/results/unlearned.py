"""Which networks have not learned, and which depend on a base that has not, as recorded in the column ``flag``.

A base that is at chance makes everything meaningless that is compared with it or copied from it.
"""

import numpy as np
import pandas as pd

from transferability.results.guessing import guessing_test, may_be_at_chance
from transferability.study.compared import TRAINING_CROSS_ENTROPY
from transferability.study.names import Network

LEAVE_OUT = "leave_out"  # a value of figures.unlearned
AT_CHANCE = "at chance"
NO_LOWER_LOSS = "loss never below that of guessing"
TOO_FEW = "too few images to tell from chance"


def at_chance(accuracies: pd.DataFrame) -> pd.Series:
    """Whether guessing could reach each network's last top-1 accuracy too; NA where that cannot be told.

    Chance is the accuracy of always predicting the most common class. A network has learned something if the
    probability of as many correct answers by guessing is at most `SIGNIFICANCE`, by the exact binomial test. If it is
    higher, the network is at chance, unless there are too few images to tell: where even a perfect score would not pass
    the test, or where the accuracy, though it does not pass, is closer to 1 than to chance. The result is also NA where
    chance is not known. Balanced accuracy has no test of its own; top-1 decides for it too.
    """
    chance, images = (
        accuracies["majority_baseline"].to_numpy(np.float64),
        accuracies["validation_images"].to_numpy(np.float64),
    )
    top1 = accuracies["top1_final"].to_numpy(np.float64)
    guesses, too_few = guessing_test(top1, chance, images)
    unknown = too_few | np.isnan(chance) | np.isnan(images)
    return pd.Series(guesses | too_few, index=accuracies.index, dtype="boolean").mask(unknown)


def never_below_guessing(accuracies: pd.DataFrame) -> pd.Series:
    """Whether a network's loss was never below that of guessing; false where that is unknown.

    This means that neither the mean training loss of any interval between evaluations nor, where it was recorded, the
    final cross-entropy on training images was below it. The latter counts because the mean over one long interval can
    stay above guessing when training starts steeply. There is no margin: it would flag networks that learn slowly, and
    a dead network whose loss dips below by the luck of its batches is at chance by its accuracy.
    """
    lowest = accuracies[["lowest_training_loss", TRAINING_CROSS_ENTROPY]].min(axis=1).astype("float64")
    known = accuracies["lowest_training_loss"].notna()
    return (known & (lowest >= accuracies["guessing_loss"])).fillna(False).astype(bool)


def meaningless(accuracies: pd.DataFrame) -> pd.Series:
    """Which networks are unlearned, or depend on a base that is: no mean, interval or verdict counts them.

    None are where the column ``included`` says that means count them.
    """
    flagged = _flagged(accuracies, AT_CHANCE) | _flagged(accuracies, NO_LOWER_LOSS)
    return flagged & ~accuracies["included"] if "included" in accuracies else flagged


def doubtful(accuracies: pd.DataFrame) -> pd.Series:
    """Which networks have a base that may be at chance: means count them, but no verdict on them is conclusive."""
    return _flagged(accuracies, TOO_FEW) & ~meaningless(accuracies)


def _flagged(accuracies: pd.DataFrame, text: str) -> pd.Series:
    return accuracies["flag"].astype("string").str.contains(text, regex=False).fillna(False).astype(bool)


def bases_at_chance(accuracies: pd.DataFrame) -> str:
    """What to know about the bases before reading any number: a line for those at chance, one for doubtful ones."""
    bases = accuracies["treatment"] == "base"
    lines = (
        (meaningless, AT_CHANCE, "are meaningless and left out of means."),
        (doubtful, TOO_FEW, "may be meaningless; no verdict on them is conclusive."),
    )
    return "\n".join(
        f"{what}: {some_names(accuracies[bases & which(accuracies)])}. Networks compared with them or copied from "
        f"them {so}"
        for which, what, so in lines
        if (bases & which(accuracies)).any()
    )


def others_at_chance(accuracies: pd.DataFrame) -> str:
    """Lines that name the unlearned networks other than bases, and those at chance that means include."""
    own = [str(flag).startswith((f"{name} ", f"{name}:")) for flag, name in accuracies[["flag", "network"]].to_numpy()]
    unlearned = accuracies[np.array(own, bool) & (accuracies["treatment"] != "base") & meaningless(accuracies)]
    lines = []
    if len(unlearned):
        are = f"{len(unlearned)} besides the bases"
        lines.append(f"unlearned, {are}: {some_names(unlearned)}. Means leave out what has not learned.")
    if "included" in accuracies and accuracies["included"].any():
        flags = _flagged(accuracies, AT_CHANCE) | _flagged(accuracies, NO_LOWER_LOSS)
        them = f"{some_names(accuracies[flags])}. Means include them, as figures.unlearned asks."
        return f"unlearned, or dependent on a base that is: {them}" if flags.any() else ""
    guessing = accuracies["at_chance"].fillna(False).astype(bool)
    rows = accuracies[guessing & (accuracies["treatment"] != "base") & ~meaningless(accuracies)]
    if len(rows):
        lines.append(
            f"at chance, though their bases are not: {some_names(rows)}. This may be a finding; means include them."
        )
    return "\n".join(lines)


def flags_of(frame: pd.DataFrame) -> list[str | None]:
    """What makes, or may make, comparisons of each network meaningless, in words; None where nothing does."""
    bases = frame[frame["treatment"] == "base"]
    keys = bases[["split", "seed", "network"]].itertuples(index=False, name=None)
    guesses = dict(zip(keys, bases["at_chance"].mask(bases["majority_baseline"].isna(), False), strict=True))
    of_high_loss = bases.loc[never_below_guessing(bases), ["split", "seed", "network"]]
    high = set(of_high_loss.itertuples(index=False, name=None))
    flags: list[str | None] = []
    for row in frame.assign(no_lower_loss=never_below_guessing(frame)).itertuples():
        words = []
        own = row.treatment != "base" and not may_be_at_chance(Network.parse(str(row.network)))
        if own and row.at_chance is not pd.NA and row.at_chance:
            words.append(f"{row.network} {AT_CHANCE}")
        elif own and row.no_lower_loss:
            words.append(f"{row.network}: {NO_LOWER_LOSS}")
        network = Network.parse(str(row.network))
        for base in dict.fromkeys(base.name for base in (network.compared_with, network.base) if base):
            guessing = guesses.get((row.split, row.seed, base), False)
            if guessing is not pd.NA and guessing:
                words.append(f"{base} {AT_CHANCE}")
            elif (row.split, row.seed, base) in high:
                words.append(f"{base}: {NO_LOWER_LOSS}")
            elif guessing is pd.NA:
                words.append(f"{base}: {TOO_FEW}")
        flags.append("; ".join(words) or None)
    return flags


def some_names(rows: pd.DataFrame) -> str:
    """The first four networks by name, and how many more there are."""
    names = list(rows["network"] + " of " + rows["split"] + ", seed " + rows["seed"].astype(str))
    more = f"; and {len(names) - 4} more" if len(names) > 4 else ""
    return "; ".join(names[:4]) + more
