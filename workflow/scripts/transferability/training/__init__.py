"""The engine: the networks of a series, trained in lock-step."""
