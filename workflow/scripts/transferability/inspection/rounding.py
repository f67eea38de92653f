"""How far what is computed again may be from what was recorded."""

from collections.abc import Mapping
from typing import Any

from transferability.process.provenance import provenance

# Another device, version or number of threads may add in a different order, which moves an image on the boundary
# between two classes to the other side. In reduced precision there are more such images, and CPUs have no TF32.
ROUNDING_TOLERANCE = {"float32": 0.002, "tf32": 0.01, "bf16": 0.01}
_MOST_OF_STATISTICS = 5  # these may be off by this many times the tolerance of an accuracy


def tolerance_of_accuracies(precision: str) -> float:
    """How far off an accuracy may be, or a loss as a share of what it is."""
    return ROUNDING_TOLERANCE[precision]


def tolerance_of_statistics(precision: str) -> float:
    """For statistics of features, such as those of batch norm, as a share of what they vary by."""
    return _MOST_OF_STATISTICS * tolerance_of_accuracies(precision)


def made_as_here(content: Mapping[str, Any]) -> bool:
    """Whether the file with this content was made on a CPU with the versions and threads of this process."""
    here = provenance("cpu")
    return all(content.get(key) == here[key] for key in ("versions", "device", "threads"))
