"""Tests, in folders like the library's; `workflow` has runs of Snakemake, `benchmarks` the tests of its scripts."""
