# The checked study, where things are, and the few functions that rules share.
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import IOFile
from snakemake.logging import logger

# Where this workflow is a module of another one, the main Snakefile is the other's; so what is looked for lies beside
# this file. And rules are called otherwise there; so those that take seconds, which are not worth a cluster's queue, say
# `localrule` themselves.
if not isinstance(workflow.current_basedir, os.PathLike):
    raise WorkflowError(
        f"{workflow.current_basedir}: the scripts import a library that lies beside them, which Snakemake does not fetch "
        "from a repository; clone it, and give the path of its Snakefile (docs/module.md)"
    )
sys.path.insert(0, str(Path(workflow.current_basedir).parent / "scripts"))

from transferability.study import design as studies
from transferability.planning.cluster import networks_mb, store_mb, training_mb, training_minutes
from transferability.study.colors import require_colors
from transferability.study.config_files import require_clear_files
from transferability.process.devices import require_gpus, throttled
from transferability.training.event_files import require_tensorboard
from transferability.figures.catalog import OF_RESULTS, drawn_of
from transferability.files import PROJECT, lock_file, read_json, require_writable
from transferability.study.groups import grouping_digest
from transferability.study.names import HALVES, SOURCES, WHOLE, Network, Series
from transferability.records.metrics import read_metrics
from transferability.inspection.outdated import read_splits, require_current
from transferability.store.same_images import of_manifest, require_apart
from transferability.study.schema import ConfigError
from transferability.process.slurm import fewest_cores, partition_nodes
from transferability.store.reading import MANIFEST, SAME_IMAGES, STORE_VERSION, read_manifest
from transferability.study.store_folder import store_of_run, stores_of_other_lists

try:
    if workflow.is_main_process and not workflow.modifier.skip_configfile:  # else they are another workflow's
        require_clear_files(workflow.configfiles)
    STUDY = studies.read_study(config, beside=[Path(file).parent for file in reversed(workflow.configfiles)])
    STORE = str(store_of_run(STUDY.settings_folder, lambda: STUDY.store_folder, begins=workflow.is_main_process))
except ConfigError as error:
    raise WorkflowError(str(error))
config.update(STUDY.config)  # for rules and scripts, in the spelling that all use

HELD = []
RESULTS = str(STUDY.folder)
SPLIT = f"{RESULTS}/splits/{{split}}.json"
IMAGE_LIST = f"{RESULTS}/splits/{{split}}_{{target}}"
NETWORKS = f"{RESULTS}/networks/{{split}}/seed{{seed}}"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
FIGURES = f"{RESULTS}/figures"
PUBLISHED = f"{config['results']}/published"
LONGEST_MINUTES = config["running"]["longest_minutes"]
NO_GPU = {"gpu": 0, "gpu_model": ""}  # a cluster's default model is for jobs that have a GPU
A_GPU = NO_GPU if config["running"]["device"] == "cpu" else {"gpu": 1}

for folder in (RESULTS, STORE):
    if workflow.modifier.path_modifier.replace_prefix(folder) != folder:
        raise WorkflowError(
            f"a module's prefix would move what rules write to {folder} and not the training states; "
            "set results and stores in its config instead"
        )


wildcard_constraints:
    split="|".join(STUDY.splits),
    seed="|".join(map(str, STUDY.seeds)),
    target="A|B|whole",
    source="|".join(SOURCES),
    examples=r"\d+",


def network_files(suffix, splits=STUDY.splits, seeds=STUDY.seeds):
    """One file of every network of the study, or of some of its splits and seeds.

    Rules call it in functions, for studies of thousands of networks: reading the workflow, as every job on a cluster
    does, then makes no lists, and Snakemake needs quadratic time for long ones among its named inputs.
    """
    return [
        f"{NETWORKS}/{network.name}{suffix}".format(split=split, seed=seed)
        for split in splits
        for seed in seeds
        for network in STUDY.networks_of(split)
    ]


def picture(stem, name, category, **labels):
    """A figure as PNG, which Snakemake's report shows with the caption of its name, and as PDF."""
    labels = {"figure": name.replace("_", " "), **labels}
    shown = report(f"{stem}.png", caption=f"../report/{name}.rst", category=category, labels=labels)
    return [shown, f"{stem}.pdf"]


def table(name):
    """A table of the study, which Snakemake's report shows with its caption."""
    caption = f"../report/{name}_table.rst"
    return report(f"{RESULTS}/{name}.csv", caption=caption, category="Tables", labels={"table": name})


def learning_curve_files():
    return expand(rules.learning_curves.output.figure, split=STUDY.splits, seed=STUDY.seeds)


def drawn_checkpoints():
    return [
        f"{NETWORKS}/{network.name}.safetensors".format(split=split, seed=seed)
        for split, seed, network in STUDY.drawn_bases()
    ]


def figures_of_results():
    """By name, the files of each figure of the study's results."""
    return {name: picture(f"{FIGURES}/{name}", name, "Figures") for name in drawn_of(STUDY)}


def pictures_of(paths):
    return [path for path in paths if path.endswith(".png")]


def halves_sheets():
    return [rules.halves_sheet.output.picture.format(split=split) for split in STUDY.splits if split != WHOLE]


def every_metrics_file():
    """By split, seed and name of the network, where its metrics are or will be."""
    return [
        ((split, seed, network.name), path)
        for (split, seed, network), path in zip(STUDY.networks(), network_files(".metrics.json"))
    ]


def targets_of(split):
    return [WHOLE] if split == WHOLE else HALVES


def groups_file():
    """Where the groups and the readable names of classes are from, if the data set has such a file.

    As an input; where Snakemake would take a part of its path for a wildcard, `groups_params` says it instead.
    """
    return [str(STUDY.groups_file)] if STUDY.groups_file and not braces_in_groups_file() else []


def grouping_of_split(wildcards):
    """A split by group is made again when the file of groups groups the classes otherwise; no other is."""
    by_group = STUDY.splits[wildcards.split].groups is not None
    return grouping_digest(STUDY.groups_file) if by_group and STUDY.groups_file else ""


def report_texts():
    return sorted(map(str, PROJECT.glob("workflow/report/*")))


def braces_in_groups_file():
    """Whether Snakemake would take a part of the path for a wildcard."""
    return STUDY.groups_file is not None and "{" in str(STUDY.groups_file)


def groups_params():
    """In place of an input whose path Snakemake cannot have."""
    return {"groups_file": lambda wildcards: str(STUDY.groups_file)} if braces_in_groups_file() else {}


def source_checkpoint(few):
    """What a series, on so few images, copies its layers from; bases copy none, and untrained layers come from nowhere."""

    def checkpoint(wildcards):
        source = wildcards.get("source")
        base = Series(source, wildcards.target, examples_per_class=few).at(1).base if source else None
        return [] if base is None else f"{NETWORKS}/{base.name}.safetensors"

    return checkpoint


def training_resources(stage, networks):
    """What a training job asks of a cluster, once the store's size is known."""

    def runtime(wildcards, input, attempt):
        rate = config["running"]["images_per_second"]
        about = (STUDY.settings(stage).hyperparameters, networks, manifest_beside(input.store), rate)
        return training_minutes(*about, longest=LONGEST_MINUTES, attempt=attempt)

    def mem_mb(wildcards, input, attempt):
        return training_mb(manifest_beside(input.store), config["running"]["cache_gb"], networks, attempt)

    return {"runtime": runtime, "mem_mb": mem_mb, **A_GPU}


def store_threads(wildcards):
    """As many as the config says; on a cluster, no more than any node of the partition has, or the job waits for ever."""
    most = config["running"]["store_threads"]
    if workflow.local_exec or not workflow.is_main_process:
        return most
    partition = rules.store.rule.resources.get("slurm_partition")
    name = None if partition is None or partition.is_evaluable() else partition.value
    return min(most, fewest_cores(partition_nodes(), name) or most)


def is_worth_saying(record):
    """Snakemake warns that a first store which could not be built has no earlier version, as if something were lost."""
    return not record.getMessage().startswith(f"Cannot restore {STORE}/")


logger.addFilter(is_worth_saying)


def manifest_beside(store):
    return read_json(Path(store[0]))


def only_watching():
    """Whether this Snakemake only asks how a study stands that another one may be running."""
    asked = {rules.status.rule.name, rules.report_so_far.rule.name}
    return bool(workflow.dag_settings.targets) and asked.issuperset(workflow.dag_settings.targets)


def rehearse():
    """Try what is made of networks before any is trained, in a process of its own; ValueError if it cannot be made."""
    if workflow.deployment_settings.deployment_method and not find_spec("matplotlib"):
        return  # it is in the jobs' own environments
    command = [sys.executable, "-m", "transferability.report.rehearsal"]
    path = os.pathsep.join([str(Path(studies.__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    settings = json.dumps(config, default=str)
    done = subprocess.run(command, input=settings, env=environment, text=True, errors="replace", stderr=subprocess.PIPE)
    if done.returncode:
        raise ValueError(done.stderr.strip())


def require_this_study():
    """Refuse files that are there, that this run takes as they are, and that are not what the config asks for.

    Snakemake remakes what it knows to be outdated; what it knows is lost with its folder, `.snakemake`.
    """
    of_run = {str(path) for job in workflow.dag.jobs for path in job.output}
    remade = {str(path) for job in workflow.dag.needrun_jobs() for path in job.output}
    require_files(of_run - remade)


def require_files(taken):
    """Refuse those of the study's files at these paths, if they are there, that are not what the config asks for."""
    checksum = None
    if rules.store.output.manifest in taken and Path(rules.store.output.manifest).exists():
        manifest = read_manifest(Path(STORE))
        require_apart(of_manifest(manifest), STUDY.duplicates, config["dataset"], Path(STORE, SAME_IMAGES))
        checksum = manifest["checksum"]
    splits = {split: path for split in STUDY.splits if (path := SPLIT.format(split=split)) in taken}
    splits = read_splits({split: Path(path) for split, path in splits.items()}, STUDY)
    files = {key: Path(path) for key, path in every_metrics_file() if path in taken}
    require_current(STUDY, read_metrics(files), files, splits, checksum)


def is_on_record(path):
    """Whether Snakemake knows what a file was made from."""
    return bool(workflow.persistence.metadata(IOFile(path, rule=rules.accuracies.rule)))


def tabulated_metrics(wildcards):
    """The metrics of all networks, after a look at those that are there and that Snakemake has no record of.

    Snakemake calls such files up to date, whatever the config was; where nothing is left to be done, it would end well
    and ask nothing more.
    """
    settings = workflow.dag_settings
    if workflow.is_main_process and not (only_watching() or settings.forceall or settings.forcerun):
        try:
            unknown = {path for _, path in every_metrics_file() if Path(path).exists() and not is_on_record(path)}
            require_files({*unknown, rules.store.output.manifest} if unknown else unknown)
        except ValueError as error:
            raise WorkflowError(f"not up to date, though Snakemake has no record of it: {error}")
        except OSError:
            pass  # what cannot be read is told, in words of its own, before the first job
    return network_files(".metrics.json")


def before_the_first_job():
    """Refuse what could only end badly: a second run in a folder, no way to write, no images, what cannot be drawn."""
    if not workflow.is_main_process or only_watching():
        return
    try:
        # Held until this process ends, however it ends; Snakemake's own lock would outlive a kill.
        HELD.append(lock_file(Path(".snakemake", "run.lock"), "another snakemake is running in this folder"))
        require_colors(config["figures"]["colors"])
        if config["running"]["tensorboard"] and not workflow.deployment_settings.deployment_method:
            require_tensorboard()  # else it is the jobs' own environment that must have it
        wanted = workflow.global_resources.get("gpu")
        if wanted is not None and wanted.value is not None and workflow.local_exec:
            require_gpus(wanted.value, config["running"]["device"], config["running"]["jobs_per_gpu"])
            if note := throttled(wanted.value, config["running"]["device"]):
                print(note, file=sys.stderr)
        require_writable(STUDY.folder)
        builds = any(job.rule.name == rules.store.rule.name for job in workflow.dag.needrun_jobs())
        if builds:
            from transferability.data.kinds import require_images  # imports Pillow

            require_images(config["dataset"], STUDY.data_set)
            for note in stores_of_other_lists(Path(STORE), config["dataset"], STUDY.store_settings):
                print(note, file=sys.stderr)
        if STUDY.has_few and not builds:
            from transferability.planning.data_size import data_size, half_sizes

            half_sizes(STUDY, data_size(STUDY, Path(STORE)))  # refuses more images than a class has
        require_this_study()
        if any(path.endswith(".safetensors") for job in workflow.dag.needrun_jobs() for path in job.output):
            rehearse()
        if builds:
            require_writable(Path(config["stores"]), "image stores")
    except (ValueError, OSError) as error:
        raise WorkflowError(str(error))


def print_headline():
    """The answer to what was asked for: the study's, or that of the authors' accuracies."""
    asked = {job.rule.name for job in workflow.dag.jobs}
    for answer in (rules.tables, rules.published_tables):
        if answer.rule.name in asked:
            print(Path(answer.output.headline).read_text(encoding="utf-8"), end="", file=sys.stderr)
