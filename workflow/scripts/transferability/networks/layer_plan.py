"""The plan of a network: layer by layer, where its weights come from and whether they learn.

Light on purpose: network names contain plan names, so nothing here imports torch.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

# Where a layer's weights come from if not copied from a source: drawn as the architecture draws them, or with the mean
# and standard deviation of each of the source's tensors; or the network does not have the layer.
NEW, STATISTICS_OF_SOURCE, DROPPED = "new", "S", "dropped"

SURGICAL, STATISTICS, TRUNCATED = "surgical", "statistics", "truncated"
PROBE_THEN_TUNE, REINITIALIZED = "probe_then_tune", "reinitialized"
# Named plans. Without one, the lowest layers are copied and the others are new.
PLANS = (SURGICAL, STATISTICS, TRUNCATED, PROBE_THEN_TUNE, REINITIALIZED)


class PlannedLayer(NamedTuple):
    """Where a layer's weights come from, a source's letter or one of the above, and its rate: 0 frozen, 1 learns."""

    source: str
    rate: int


@dataclass(frozen=True)
class LayerPlan:
    """Layers from images to logits; layer numbers count from 0."""

    layers: tuple[PlannedLayer, ...]

    @property
    def learning(self) -> tuple[int, ...]:
        return tuple(k for k, layer in enumerate(self.layers) if layer.rate)

    @property
    def frozen(self) -> tuple[int, ...]:
        return tuple(k for k, layer in enumerate(self.layers) if not layer.rate and layer.source != DROPPED)

    @property
    def copied(self) -> tuple[int, ...]:
        made = (NEW, STATISTICS_OF_SOURCE, DROPPED)
        return tuple(k for k, layer in enumerate(self.layers) if layer.source not in made)

    @property
    def held(self) -> tuple[int, ...]:
        """Frozen copies."""
        return tuple(k for k in self.copied if not self.layers[k].rate)

    @property
    def drawn_like_source(self) -> tuple[int, ...]:
        """Layers drawn with the mean and standard deviation of the source's tensors."""
        return tuple(k for k, layer in enumerate(self.layers) if layer.source == STATISTICS_OF_SOURCE)

    @property
    def trunk(self) -> int:
        """How many of the lowest layers are frozen copies of one source, the same in all networks with that source."""
        return sum(1 for _ in takewhile(self.held.__contains__, range(len(self.layers))))


def layer_plans(source: str | None, copied: int, frozen: int, layers: int, plan: str | None = None) -> list[LayerPlan]:
    """The plans of a network's training, in order, each for an equal share of its iterations.

    Args:
        source: where copied layers come from.
        copied: how many of the lowest layers are copied; with a named plan, n.
        frozen: how many of these never learn; ignored with a named plan.
        layers: how many layers the network has, including the head, which is the last.
        plan: one of `PLANS`, or None.
    """
    n, held, tuned = copied, PlannedLayer(str(source), 0), PlannedLayer(str(source), 1)
    new, above = PlannedLayer(NEW, 1), layers - copied - 1  # above n, below the head
    if plan == SURGICAL:
        return [_plan([held] * (n - 1), [tuned], [held] * above, [new])]
    if plan == STATISTICS:
        return [_plan([held] * n, [PlannedLayer(STATISTICS_OF_SOURCE, 1)] * above, [new])]
    if plan == TRUNCATED:
        return [_plan([held] * n, [PlannedLayer(DROPPED, 0)] * above, [new])]
    if plan == PROBE_THEN_TUNE:
        return [_plan([copies] * n, [new] * (layers - n)) for copies in (held, tuned)]
    if plan == REINITIALIZED:
        return [_plan([held] * (n - 1), [PlannedLayer(NEW, 0)], [held] * (layers - n))]
    return [_plan([held] * frozen, [tuned] * (copied - frozen), [new] * (layers - copied))]


def _plan(*parts: Collection[PlannedLayer]) -> LayerPlan:
    return LayerPlan(tuple(layer for part in parts for layer in part))
