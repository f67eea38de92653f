"""The rules that train networks: a base, or some depths of all series of a kind."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from transferability.study.amounts import Amount, in_order, more_last
from transferability.study.names import PRETRAINED_SOURCE, Network, Series, depths_label, on_images

Chunks = Callable[[Series], tuple[tuple[int, ...], ...]]


@dataclass(frozen=True)
class TrainingRule:
    """What is specific to one rule that trains networks: a base, or some depths of all series of a kind.

    There are several rules, because Snakemake must know in advance how many outputs each has.

    Attributes:
        name: the rule's.
        stage: its networks', one of `STAGES`.
        job: the name of its jobs, in which ``source``, unless it is `PRETRAINED_SOURCE`, ``target`` and ``examples``
            are still wildcards.
        networks: the names of the networks that a job trains, likewise.
        priority: that of its jobs over others that could start.
        few: images per class of its networks, if these are drawn; None if they are all, or a wildcard.
        is_pretrained: whether the networks copy published weights, so that a replaced file retrains only these.
    """

    name: str
    stage: str
    job: str
    networks: tuple[str, ...]
    priority: int
    few: Amount = None
    is_pretrained: bool = False


def training_rules(bases: Iterable[Network], series: Iterable[Series], chunks: Chunks) -> Iterator[TrainingRule]:
    """Every kind of job that trains networks.

    Args:
        bases: all that are trained.
        series: likewise.
        chunks: the depths of each job of a series.
    """
    # The series of both halves wait for a base.
    for few in in_order(base.examples_per_class for base in bases):
        base = f"base{{target}}{on_images(few)}"
        yield TrainingRule(f"train_base{on_images(few)}", "base", base, (base,), priority=2, few=few)
    yield TrainingRule("train_reduced", "reduced", "reduced{examples}", ("reduced{examples}",), priority=0)
    patterns = {_pattern(one) for one in series}
    for pattern in sorted(patterns, key=_order):
        for chunk in chunks(pattern):
            depths = depths_label(chunk)
            yield TrainingRule(
                name=f"train_{pattern.stage}{_kind(pattern)}_n{depths.replace('-', '_to_')}",
                stage=pattern.stage,
                job=pattern.name_at(depths),
                networks=tuple(pattern.name_at(n) for n in chunk),
                # the longest first, or one would run alone at the end
                priority=int(pattern.stage == "fine_tuned"),
                few=pattern.examples_per_class,
                is_pretrained=pattern.source == PRETRAINED_SOURCE,
            )


def _pattern(series: Series) -> Series:
    """All series of a kind as one, with wildcards; published weights are a separate file."""
    source = series.source if series.source == PRETRAINED_SOURCE else "{source}"
    return replace(series, source=source, target="{target}")


def _order(pattern: Series) -> tuple[float, bool, bool, int, str]:
    few, is_pretrained = more_last(pattern.examples_per_class), pattern.source == PRETRAINED_SOURCE
    return few, is_pretrained, pattern.fine_tuned, pattern.preserved, pattern.plan or ""


def _kind(pattern: Series) -> str:
    pretrained = "_pretrained" * (pattern.source == PRETRAINED_SOURCE)
    preserved = f"_preserve{pattern.preserved}" * (pattern.preserved > 0)
    plan = f"_{pattern.plan}" if pattern.plan else ""
    return f"{pretrained}{preserved}{plan}{on_images(pattern.examples_per_class)}"
