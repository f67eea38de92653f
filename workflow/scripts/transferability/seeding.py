"""Random numbers that depend on what they are for, never on what was drawn before.

Every generator is seeded with words such as (study seed, split, network, purpose). A network's numbers therefore do not
depend on its siblings, and an interrupted training can resume without a saved generator state.
"""

import hashlib

import numpy as np


def seed_for(*words: str | int) -> int:
    """A 63-bit seed, the same on every machine, different for different words."""
    text = "\x1f".join(str(word) for word in words)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator_for(*words: str | int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed_for(*words)))
