"""Features at cut points as probes read them: one row of numbers per image, in two kinds."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional

from transferability.data.stream import EvaluationSet
from transferability.networks.forward import features_at
from transferability.networks.operations import channel_axis
from transferability.proxies.moments import Standardization
from transferability.seeding import generator_for
from transferability.study.proxies import FLATTENED, POOLED

# Sums of products have this many rows and columns, 134 MB in float64: as many as the paper's fc6 and fc7 have units.
MOST_FEATURES = 4096

Cut = tuple[int, str]  # depth, and kind of features
Rows = Mapping[Cut, torch.Tensor]  # B x dimension each, float32


class SeenImages:
    """The features of images at every depth, in batches, as often as wanted and the same to the bit each time.

    They are computed once and kept if all of them take at most ``cache_bytes``; otherwise they are recomputed each
    time, and no more than this plus one batch is held.
    """

    def __init__(self, images: EvaluationSet, trunk: nn.Sequential, precision: str, cache_bytes: float) -> None:
        self._images, self._trunk, self._precision = images, trunk, precision
        self._room = cache_bytes
        self._standards: Mapping[Cut, Standardization] = {}
        self._kept: list[tuple[Rows, torch.Tensor]] = []
        self._all_kept = False

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[tuple[Rows, torch.Tensor]]:
        """Yield features by cut, and classes, B."""
        if self._all_kept:
            yield from self._kept
            return
        self._kept, room = [], self._room
        for images, targets in self._images.batches():
            rows = self._rows(images)
            room -= sum(one.nbytes for one in rows.values())
            if room >= 0:
                self._kept.append((rows, targets))
            else:
                self._kept = []
            yield rows, targets
        self._all_kept = room >= 0

    def standardize(self, standards: Mapping[Cut, Standardization]) -> None:
        """Yield standardized features from now on."""
        self._standards = standards
        self._kept = [(self._standardized(rows), targets) for rows, targets in self._kept]

    def _standardized(self, rows: Rows) -> Rows:
        return {cut: self._standards[cut].applied(one) if cut in self._standards else one for cut, one in rows.items()}

    def _rows(self, images: torch.Tensor) -> Rows:
        depths = range(1, len(self._trunk) + 1)
        with torch.no_grad():
            at_depth = features_at(depths, self._trunk, images, self._precision)
            found = {(n, kind): rows for n in depths for kind, rows in rows_of(at_depth.pop(n)).items()}
            return self._standardized(found)


def rows_of(features: torch.Tensor) -> dict[str, torch.Tensor]:
    """A layer's output, B x ..., by kind of features; vectors are not pooled and count as flattened."""
    if features.ndim == 2:
        return {FLATTENED: _projected(features.float())}
    maps = _channels_first(features).float()
    return {POOLED: _projected(maps.flatten(2).mean(2)), FLATTENED: _projected(_on_grid(maps).flatten(1))}


def _projected(rows: torch.Tensor) -> torch.Tensor:
    """Rows as they are or, if longer than `MOST_FEATURES`, this many sums, each feature in one and with a random sign.

    This random projection preserves distances on average, and is the same for all images, sources and studies.
    """
    dimension = rows.shape[1]
    if dimension <= MOST_FEATURES:
        return rows
    order, signs = _projection(dimension)
    signed = (rows * signs.to(rows.device))[:, order.to(rows.device)]
    padded = functional.pad(signed, (0, -dimension % MOST_FEATURES))
    return padded.reshape(len(rows), -1, MOST_FEATURES).sum(1)


@lru_cache(maxsize=8)
def _projection(dimension: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A random order of this many features, and the sign of each."""
    random = generator_for("projection of features", dimension)
    order, signs = random.permutation(dimension), random.choice([-1.0, 1.0], dimension)
    return torch.from_numpy(order), torch.from_numpy(signs).float()


def _channels_first(features: torch.Tensor) -> torch.Tensor:
    """Features as B x channels x positions, of which more than two dimensions are flattened into one."""
    maps = features.movedim(channel_axis(features.shape[1:]) + 1, 1)
    return maps.flatten(2) if maps.ndim > 4 else maps


def _on_grid(maps: torch.Tensor) -> torch.Tensor:
    """Maps as they are or, if larger, averaged over the cells of the finest grid with at most `MOST_FEATURES`."""
    channels, sides = maps.shape[1], maps.shape[2:]
    grid = sides
    for cells in range(max(sides), 0, -1):
        grid = torch.Size(min(cells, side) for side in sides)
        if channels * grid.numel() <= MOST_FEATURES:
            break
    if grid == sides:
        return maps
    if len(grid) == 1:
        return functional.adaptive_avg_pool1d(maps, grid[0])
    return functional.adaptive_avg_pool2d(maps, (grid[0], grid[1]))
