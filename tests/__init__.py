"""Tests, in folders as the library's; `workflow` holds runs of Snakemake, `benchmarks` tests of the scripts there."""
