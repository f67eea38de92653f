"""The generators that a model's code may draw from besides those that it is given, and whether it did."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def generator_states() -> tuple[bytes, object, str]:
    """The states of torch's, Python's and NumPy's global generators; they differ if one has been drawn from between."""
    return (torch.get_rng_state().numpy().tobytes(), *other_generator_states())


def other_generator_states() -> tuple[object, str]:
    """Of Python's and NumPy's, which no seed of a study reaches."""
    numpy: Any = np.random.get_state()
    return random.getstate(), f"{numpy[1].tobytes().hex()} {numpy[2:]}"


@contextmanager
def generators_as_they_were() -> Iterator[None]:
    """All are afterwards what they were before."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
