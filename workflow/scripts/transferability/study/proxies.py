"""Cheap proxies of transferability, by name: what is read of a layer's features, and how."""

from collections.abc import Mapping

# Raised by hand when the same bases would give other probes; it makes every probe again, and no network.
PROBES_VERSION = 1

# What is read: the mean over places, or the whole map.
POOLED, FLATTENED = "pooled", "flattened"
FEATURES = (POOLED, FLATTENED)

# How classes are told by it. Columns of `proxies.csv` are these with the accuracy that they are, such as probe_top1.
PROXIES: Mapping[str, str] = {"probe": "linear probe", "center": "nearest class center"}
# What every proxy has to be better than: the depth alone, since deeper copies cost more.
DEPTH = "depth"

SIMILARITY, INDEPENDENT = "cka", "cka_independent"
