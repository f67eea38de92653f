"""Problems of a config with treatments that have a plan for every layer."""

from collections.abc import Iterator, Sequence

from transferability.networks.layer_plan import PROBE_THEN_TUNE, STATISTICS
from transferability.study.planned_treatments import plan_of


def plan_problems(treatments: Sequence[str], depths: Sequence[int], deepest_cut: int, iterations: int) -> Iterator[str]:
    """A sentence for each problem.

    Args:
        treatments: those of the section ``networks``.
        depths: likewise; at least one.
        deepest_cut: the network's, above which is its head.
        iterations: those of fine-tuned networks.
    """
    for treatment in treatments:
        if plan_of(treatment) == STATISTICS and min(depths) >= deepest_cut:
            yield (
                f"networks.treatments: {treatment} draws the layers between the n-th and the last, but networks.depths "
                f"has only n = {deepest_cut}, above which is the last; add a smaller n, or remove {treatment}"
            )
        if plan_of(treatment) == PROBE_THEN_TUNE and iterations < 2:
            yield (
                f"training: {treatment} fine-tunes copied layers in the second half of its training, but fine_tuned "
                "networks have 1 iteration; give them at least 2"
            )
