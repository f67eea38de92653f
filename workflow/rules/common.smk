# The checked study, where things are, and the few functions that rules share.
import sys
from itertools import product
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir, "workflow", "scripts")))

from transferability import study as studies
from transferability.devices import require_gpus
from transferability.files import lock_file
from transferability.hyperparameters import ENGINE_VERSION
from transferability.names import HALVES, RANDOM_SOURCE, Network, Series
from transferability.store import STORE_FILES, STORE_VERSION

try:
    STUDY = studies.read_study(config)
except studies.ConfigError as error:
    raise WorkflowError(str(error))

HELD = []
RESULTS = str(STUDY.folder)
STORE = f"{config['stores']}/{config['dataset']}"
SPLIT = f"{RESULTS}/splits/{{split}}.json"
NETWORKS = f"{RESULTS}/networks/{{split}}/seed{{seed}}"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
FIGURES = f"{RESULTS}/figures"
PUBLISHED = f"{config['results']}/published"


wildcard_constraints:
    split="|".join(STUDY.splits),
    seed="|".join(map(str, STUDY.seeds)),
    target="A|B",
    source="A|B|R",


def network_files(suffix, split=None, seed=None):
    """One file of every network of the study, or of one of its splits and seeds."""
    return [
        f"{NETWORKS}/{network.name}{suffix}".format(split=of_split, seed=of_seed)
        for of_split, of_seed, network in STUDY.networks()
        if split in (None, of_split) and seed in (None, str(of_seed))
    ]


def base_checkpoints():
    bases = expand(f"{NETWORKS}/base{{target}}.safetensors", split=STUDY.splits, seed=STUDY.seeds[:1], target=HALVES)
    return bases[:12]


def source_checkpoint(wildcards):
    """What a series copies its layers from; untrained layers come from nowhere."""
    if wildcards.source == RANDOM_SOURCE:
        return []
    return f"{NETWORKS}/{Network(wildcards.source).name}.safetensors"


def chunk_label(chunk):
    """The depths of a job: 3, or 1-7."""
    return f"{chunk[0]}-{chunk[-1]}" if len(chunk) > 1 else str(chunk[0])


def before_the_first_job():
    """Refuse what could only end badly: a second run in the same folder, and more GPUs than there are."""
    if not workflow.is_main_process:
        return
    try:
        # Held until this process ends, however it ends; Snakemake's own lock would outlive a kill.
        HELD.append(lock_file(Path(".snakemake", "run.lock"), "another snakemake is running in this folder"))
        wanted = workflow.global_resources.get("gpu")
        if wanted is not None and workflow.local_exec:
            require_gpus(wanted.value, config["running"]["device"])
    except (ValueError, OSError) as error:
        raise WorkflowError(str(error))


def print_headline():
    headline = Path(rules.statistics.output.headline)
    if headline.exists():
        print(headline.read_text(), end="", file=sys.stderr)
