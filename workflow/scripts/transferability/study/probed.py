"""What is probed in each split of a study."""

from typing import NamedTuple

from transferability.study.design import Study
from transferability.study.names import HALVES, PRETRAINED_SOURCE, RANDOM_SOURCE, WHOLE, Network


class Probed(NamedTuple):
    """What is probed in one split.

    Attributes:
        targets: the tasks that layers are probed for.
        sources: where these layers come from, the same for all targets: bases, by the names of their tasks, and others.
    """

    targets: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def bases(self) -> list[Network]:
        """The bases whose layers are probed."""
        return [Network(source) for source in self.sources if source in (*HALVES, WHOLE)]


def probed_in(study: Study, split: str) -> Probed:
    """The tasks whose own base, on all images, is a network of the study, and all sources that networks can have.

    The sources are these bases, untrained layers, and published weights if any network copies them.
    """
    networks = set(study.networks_of(split))
    bases = [one for one in (*HALVES, WHOLE) if Network(one) in networks]
    compared = (WHOLE,) if split == WHOLE else study.targets
    published = [PRETRAINED_SOURCE] * any(network.source == PRETRAINED_SOURCE for network in networks)
    return Probed(tuple(one for one in compared if one in bases), (*bases, RANDOM_SOURCE, *published))


def probed_splits(study: Study) -> list[str]:
    """The splits with a task that is probed; none if all networks are on few images and no base is copied."""
    return [split for split in study.splits if probed_in(study, split).targets]
