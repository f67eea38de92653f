"""How much target data: the tables by amount, and in a line for each what can be copied and what fine-tuning gains."""

from collections.abc import Callable, Iterator

import pandas as pd

from transferability.results.accuracies import Results
from transferability.results.answers import GAINS_OVER_BASE, Answer, ReusableLayers, answers, headline
from transferability.results.by_images import EXAMPLES
from transferability.results.reuse import WAYS_OF_REUSE
from transferability.study.amounts import Amount
from transferability.study.pretrained_weights import is_copied_from_weights


def of_each_amount(make: Callable[[Results], pd.DataFrame]) -> Callable[[Results], pd.DataFrame]:
    """A table of the networks on each amount of images, one below the other, with the column `EXAMPLES`.

    It is empty for networks on all images, as in the table of accuracies. Where a study has no others, the table is as
    it is made.
    """

    def made(results: Results) -> pd.DataFrame:
        if not results.has_few:
            return make(results)
        tables = [_with_amount(make(results.at(amount)), amount) for amount in results.amounts]
        return pd.concat(tables, ignore_index=True)

    return made


def _with_amount(table: pd.DataFrame, amount: Amount) -> pd.DataFrame:
    """With the column, behind what else tells the networks of a row."""
    place = 1 + list(table.columns).index("n" if "n" in table else "depths")
    table.insert(place, EXAMPLES, pd.Series([amount] * len(table), table.index, "Int64"))
    return table


def headline_by_amount(results: Results) -> str:
    """What a study found: of the most images in full, and of each amount in a line of `answers_by_amount`."""
    return headline(results, list(answers_by_amount(results)))


def answers_by_amount(results: Results) -> Iterator[str]:
    """A line for each amount of images and kind of halves: how deep layers can be copied, and what fine-tuning gains.

    Like "random halves, on 20 images per class: at a drop of at most 2 points, copy up to conv3 frozen". None for
    a study whose networks are all trained on all images.
    """
    for amount in results.amounts if results.has_few else ():
        for answer in answers(results.at(amount)):
            yield f"{answer.halves}: {'; '.join(_in_words(answer, results.max_drop))}"


def _in_words(answer: Answer, max_drop: float) -> Iterator[str]:
    if answer.advice:
        yield answer.advice
    ways = [
        _copied(treatment, layers)
        for treatment, layers in answer.reusable.items()
        if not is_copied_from_weights(treatment)  # the advice is of these
    ]
    if ways:
        yield f"at a drop of at most {100 * max_drop:g} points, copy {', '.join(ways)}"
    yield from (f"{what}: {gain}" for what, gain in answer.gains.items() if what.startswith(GAINS_OVER_BASE))
    yield f"base {answer.base_in_words}"


def _copied(treatment: str, layers: ReusableLayers) -> str:
    """Like up to conv3 frozen, and in brackets what that rests on."""
    to = f"up to {layers.layers[layers.deepest - 1]}" if layers.deepest else "no layer"
    proviso = layers.proviso.lstrip(",; ")
    return f"{to} {WAYS_OF_REUSE[treatment]}" + (f" ({proviso})" if proviso else "")
