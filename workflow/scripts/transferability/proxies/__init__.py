"""Cheap proxies of transferability: what the features of bases tell without a network trained on them."""
