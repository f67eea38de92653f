"""Cheap proxies of transferability, by name: what is taken from a layer's features, and how."""

from collections.abc import Mapping

# Raised by hand when the same bases would give other probes; every probe is then made again, but no network.
PROBES_VERSION = 1

# What is taken: the mean over positions, or the whole map.
POOLED, FLATTENED = "pooled", "flattened"
FEATURES = (POOLED, FLATTENED)

# How classes are predicted from it. Columns of `proxies.csv` are these with the kind of accuracy, such as probe_top1.
PROXIES: Mapping[str, str] = {"probe": "linear probe", "center": "nearest class center"}
# What every proxy has to beat: depth alone, because deeper copies cost more.
DEPTH = "depth"

SIMILARITY, INDEPENDENT = "cka", "cka_independent"
