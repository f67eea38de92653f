"""Models: architectures, how they are built, and in which precision they compute."""
