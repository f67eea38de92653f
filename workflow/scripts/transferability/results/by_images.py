"""How many images of each class the networks of a study are trained on."""

import pandas as pd

from transferability.study.amounts import Amount, in_order

EXAMPLES = "examples_per_class"  # the column; empty for all images


def amounts_of(accuracies: pd.DataFrame) -> tuple[Amount, ...]:
    """The amounts that networks with copied layers are trained on, or bases if there are none; fewest images first."""
    copies = accuracies[accuracies["source"].notna()]
    shown = accuracies[accuracies["treatment"] == "base"] if copies.empty else copies
    return in_order(None if pd.isna(few) else int(few) for few in shown[EXAMPLES].unique()) or (None,)


def on_amount(accuracies: pd.DataFrame, amount: Amount) -> pd.DataFrame:
    """Networks trained on this many images per class; reduced ones belong to all images, as do their bases."""
    few = accuracies[EXAMPLES].mask(accuracies["treatment"] == "reduced")
    return accuracies[few.isna() if amount is None else few.eq(amount).fillna(False).astype(bool)]
