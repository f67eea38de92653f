"""The global random number generators that a model's code may draw from, and whether it did."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def generator_states() -> tuple[bytes, object, str]:
    """The states of torch's, Python's and NumPy's global generators; they change when one is drawn from."""
    return (torch.get_rng_state().numpy().tobytes(), *other_generator_states())


def other_generator_states() -> tuple[object, str]:
    """The states of Python's and NumPy's, which a study's seeds do not reach."""
    numpy: Any = np.random.get_state()
    return random.getstate(), f"{numpy[1].tobytes().hex()} {numpy[2:]}"


@contextmanager
def generators_as_they_were() -> Iterator[None]:
    """Restore all of them at the end of the block."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
