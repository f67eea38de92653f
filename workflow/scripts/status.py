import sys
from pathlib import Path

from transferability.inspection.status import status_of
from transferability.inspection.status_text import status_text
from transferability.process.slurm import queue_of
from transferability.study.design import read_study

metrics = {(split, seed, name): Path(path) for (split, seed, name), path in snakemake.params.metrics}
sys.stdout.reconfigure(errors="backslashreplace")  # a terminal with another encoding is no reason to fail
print(status_text(status_of(read_study(snakemake.config), metrics, queue=queue_of(Path.cwd()))))
