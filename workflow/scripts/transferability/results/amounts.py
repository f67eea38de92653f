"""How much target data: tables by amount, and a line for each on what can be copied and what fine-tuning gains."""

from collections.abc import Callable, Iterator

import pandas as pd

from transferability.results.accuracies import Results
from transferability.results.answers import GAINS_OVER_BASE, Answer, ReusableLayers, answers, headline
from transferability.results.by_images import EXAMPLES
from transferability.results.reuse import WAYS_OF_REUSE, tolerated
from transferability.study.amounts import Amount
from transferability.study.pretrained_weights import is_copied_from_weights


def of_each_amount(make: Callable[[Results], pd.DataFrame]) -> Callable[[Results], pd.DataFrame]:
    """Make a table for each amount of images, one below the other, with the column `EXAMPLES`.

    That column is empty for networks trained on all images, as in the table of accuracies. If a study has no others,
    the table is made unchanged, without the column.
    """

    def made(results: Results) -> pd.DataFrame:
        if not results.has_few:
            return make(results)
        tables = [_with_amount(make(results.at(amount)), amount) for amount in results.amounts]
        return pd.concat(tables, ignore_index=True)

    return made


def _with_amount(table: pd.DataFrame, amount: Amount) -> pd.DataFrame:
    """The table with the column, after the others that say which networks a row is about."""
    place = 1 + list(table.columns).index("n" if "n" in table else "depths")
    table.insert(place, EXAMPLES, pd.Series([amount] * len(table), table.index, "Int64"))
    return table


def headline_by_amount(results: Results) -> str:
    """What a study found: in full for the most images, and with a line of `answers_by_amount` for each amount."""
    return headline(results, list(answers_by_amount(results)))


def answers_by_amount(results: Results) -> Iterator[str]:
    """Yield a line per amount of images and kind of halves: how deep layers can be copied, and what fine-tuning gains.

    An example is "random halves, on 20 images per class: at a drop of at most 2 points, copy up to conv3 frozen". There
    are no lines for a study whose networks are all trained on all images.
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
        if not is_copied_from_weights(treatment)  # the advice covers these
    ]
    if ways:
        yield f"{tolerated(max_drop)}, copy {', '.join(ways)}"
    yield from (f"{what}: {gain}" for what, gain in answer.gains.items() if what.startswith(GAINS_OVER_BASE))
    yield f"base {answer.base_in_words}"


def _copied(treatment: str, layers: ReusableLayers) -> str:
    """A phrase like "up to conv3 frozen", with what it rests on in parentheses."""
    to = f"up to {layers.layers[layers.deepest - 1]}" if layers.deepest else "no layer"
    proviso = layers.proviso.lstrip(",; ")
    return f"{to} {WAYS_OF_REUSE[treatment]}" + (f" ({proviso})" if proviso else "")
