"""The network architectures, one a file: a file's name is the architecture's name in the config.

Each file has an ``ARCHITECTURE``. Nothing here imports torch, since Snakemake asks for the names on every start.
"""

from pathlib import Path

LAYER_NAMES = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
DEEPEST_CUT = len(LAYER_NAMES) - 1


def architecture_names() -> tuple[str, ...]:
    """Of all files in this folder, found without importing them."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py")))
