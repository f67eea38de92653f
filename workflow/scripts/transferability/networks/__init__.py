"""Models: architectures, how they are built, and the precision they compute in."""
