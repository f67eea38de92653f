"""Cheap proxies for transferability: what the features of bases show without training a network on them."""
