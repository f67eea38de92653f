"""What is probed in each split of a study."""

from typing import NamedTuple

from transferability.study.design import Study
from transferability.study.names import HALVES, PRETRAINED_SOURCE, RANDOM_SOURCE, WHOLE, Network


class Probed(NamedTuple):
    """Of one split.

    Attributes:
        targets: the tasks that layers are probed for.
        sources: whose layers these are, the same for all targets: bases, as their tasks are called, and others.
    """

    targets: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def bases(self) -> list[Network]:
        """Those whose layers are probed."""
        return [Network(source) for source in self.sources if source in (*HALVES, WHOLE)]


def probed_in(study: Study, split: str) -> Probed:
    """The tasks whose own base, on all images, is a network of the study, and all sources that networks can have.

    These are such bases, untrained layers, and published weights if any network copies them.
    """
    networks = set(study.networks_of(split))
    bases = [one for one in (*HALVES, WHOLE) if Network(one) in networks]
    compared = (WHOLE,) if split == WHOLE else study.targets
    published = [PRETRAINED_SOURCE] * any(network.source == PRETRAINED_SOURCE for network in networks)
    return Probed(tuple(one for one in compared if one in bases), (*bases, RANDOM_SOURCE, *published))


def probed_splits(study: Study) -> list[str]:
    """The splits with any task that is probed: none if all networks are on few images and no base is copied."""
    return [split for split in study.splits if probed_in(study, split).targets]
