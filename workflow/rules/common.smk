# The checked study, where things are, and the few functions that rules share.
import os
import sys
from dataclasses import asdict
from pathlib import Path

from snakemake.exceptions import WorkflowError
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
from transferability.planning.cluster import networks_mb, probing_mb, store_mb, training_mb, training_minutes
from transferability.study.config_files import require_clear_files
from transferability.figures.catalog import OF_RESULTS, drawn_of
from transferability.files import PROJECT, read_json
from transferability.networks.architectures import architecture_layers
from transferability.study.groups import grouping_digest
from transferability.study.names import HALVES, PRETRAINED_SOURCE, SOURCES, WHOLE, Network, Series
from transferability.study.probed import probed_in, probed_splits
from transferability.study.proxies import PROBES_VERSION
from transferability.study.schema import ConfigError
from transferability.process.slurm import fewest_cores, partition_nodes
from transferability.store.reading import MANIFEST, STORE_VERSION
from transferability.study.store_folder import store_of_run

try:
    if workflow.is_main_process and not workflow.modifier.skip_configfile:  # else they are another workflow's
        require_clear_files(workflow.configfiles)
    STUDY = studies.read_study(config, beside=[Path(file).parent for file in reversed(workflow.configfiles)])
    STORES = {
        name: str(store_of_run(a.settings_folder, lambda a=a: a.store_folder, begins=workflow.is_main_process))
        for name, a in STUDY.data_sets.items()
    }
except ConfigError as error:
    raise WorkflowError(str(error))
config.update(STUDY.config)  # for rules and scripts, in the spelling that all use

RESULTS = str(STUDY.folder)
SPLIT = f"{RESULTS}/splits/{{split}}.json"
IMAGE_LIST = f"{RESULTS}/splits/{{split}}_{{target}}"
NETWORKS = f"{RESULTS}/networks/{{split}}/seed{{seed}}"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
FIGURES = f"{RESULTS}/figures"
PROBES = f"{RESULTS}/probes"
PUBLISHED = f"{config['results']}/published"
LONGEST_MINUTES = STUDY.running.longest_minutes
TARGETS = {} if STUDY.targets == HALVES else {"targets": STUDY.targets}  # of studies of one direction
# What tables and pictures of accuracies depend on.
ABOUT_RESULTS = {
    **{key: getattr(STUDY.figures, key) for key in ("metric", "max_drop", "unlearned")},
    "groups": STUDY.groups,
    "layers": STUDY.layers,
    **TARGETS,
}
NO_GPU = {"gpu": 0, "gpu_model": ""}  # a cluster's default model is for jobs that have a GPU
A_GPU = NO_GPU if STUDY.running.device == "cpu" else {"gpu": 1}

for folder in (RESULTS, *STORES.values()):
    if workflow.modifier.path_modifier.replace_prefix(folder) != folder:
        raise WorkflowError(
            f"a module's prefix would move what rules write to {folder} and not the training states; "
            "set results and stores in its config instead"
        )


wildcard_constraints:
    split="|".join(STUDY.splits),
    seed="|".join(map(str, STUDY.seeds)),
    target="A|B|whole",
    source="|".join(source for source in SOURCES if source != PRETRAINED_SOURCE),  # which has rules of its own
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


def of_data_set(rule, name):
    """What a rule is called for a data set; for the config's ``dataset`` as it is."""
    return rule if name == config["dataset"] else f"{rule}_{name}"


def contact_sheets():
    """By data set, the picture of its images."""
    return {name: f"{FIGURES}/{of_data_set('contact_sheet', name)}.png" for name in STUDY.data_sets}


def manifests(names=STUDY.data_sets):
    """Of the stores of some data sets, what Snakemake knows of each."""
    return [f"{STORES[name]}/{MANIFEST}" for name in names]


def manifests_of(split):
    return manifests([data_set.name for data_set in STUDY.data_sets_of(split)])


def stores_of_wildcards(wildcards):
    return manifests_of(wildcards.split)


def groups_files(data_sets=None):
    """Where the groups and the readable names of classes are from, as far as data sets have such a file.

    As inputs; without those of which Snakemake would take a part of the path for a wildcard.
    """
    files = [data_set.groups_file for data_set in data_sets or STUDY.data_sets.values()]
    return [str(file) for file in files if file and "{" not in str(file)]


def groups_of_wildcards(wildcards):
    return groups_files(STUDY.data_sets_of(wildcards.split))


def grouping_of_split(wildcards):
    """A split by group is made again when the file of groups groups the classes otherwise; no other is."""
    plan = STUDY.splits[wildcards.split]
    asked = [task.data_set for task in (plan.tasks or {}).values() if task.group is not None]
    files = [STUDY.data_sets[name].groups_file for name in ([config["dataset"]] if plan.groups else asked)]
    return " ".join(grouping_digest(file) for file in files if file)


def report_texts():
    return sorted(map(str, PROJECT.glob("workflow/report/*")))


def groups_of_split(wildcards):
    """By half, the group of its classes, or of which data set it is and of which classes of that; None if it is drawn."""
    plan = STUDY.splits[wildcards.split]
    return {half: asdict(task) for half, task in plan.tasks.items()} if plan.tasks else plan.groups


def source_checkpoint(few):
    """What a series, on so few images, copies its layers from; bases copy none, and untrained layers come from nowhere."""

    def checkpoint(wildcards):
        source = wildcards.get("source")
        base = Series(source, wildcards.target, examples_per_class=few).at(1).base if source else None
        return [] if base is None else f"{NETWORKS}/{base.name}.safetensors"

    return checkpoint


def weights_of_job(is_pretrained):
    """The published weights that the jobs of a rule copy from, and what they are; nothing for other rules."""
    if not is_pretrained:
        return {}
    # A file's date may be older than the networks'. What is downloaded is only known then.
    return {"weights": STUDY.weights.source if STUDY.weights.is_downloaded else STUDY.weights.sha256}


def probed_checkpoints(wildcards):
    return [f"{NETWORKS}/{base.name}.safetensors" for base in probed_in(STUDY, wildcards.split).bases]


def probed_weights(wildcards):
    return [str(STUDY.weights.file)] if PRETRAINED_SOURCE in probed_in(STUDY, wildcards.split).sources else []


def probes_files():
    """Of every split and seed, by these; WorkflowError if in no split anything can be probed."""
    splits = probed_splits(STUDY)
    if not splits:
        raise WorkflowError(
            "networks.examples_per_class: has no all, so that no network on all images of its task is there for proxies "
            "to be told from; add all, or ask for no proxies"
        )
    path = rules.probe_bases.output.probes
    return [((split, seed), path.format(split=split, seed=seed)) for split in splits for seed in STUDY.seeds]


def probing_params(settings):
    """What shapes probes beside the bases: of the training, no more than what the layers of networks compute by it."""
    hyperparameters = settings.hyperparameters
    of_training = {key: getattr(hyperparameters, key) for key in ("precision", "batch_size")}
    others = {key: value for key, value in settings.to_json().items() if key != "hyperparameters"}
    return {"version": PROBES_VERSION, **others, **of_training, **TARGETS}


def base_metrics():
    """Of the base of every task that is probed, beside which its probes are drawn."""
    return [
        f"{NETWORKS}/{Network(target).name}.metrics.json".format(split=split, seed=seed)
        for split in STUDY.splits
        for seed in STUDY.seeds
        for target in probed_in(STUDY, split).targets
    ]


def asked_proxies():
    """What was made of proxies and measured drops, and is made again, of a study for which proxies were asked once."""
    if not Path(rules.proxies.output.table).exists() or not probed_splits(STUDY):
        return {"tables": [], "pictures": []}
    made = (rules.proxies.output, rules.measured_proxies.output)
    return {"tables": [one.table for one in made], "pictures": [path for one in made for path in one.figure]}


def verifying_mb(attempt):
    """Main memory for evaluating a network, and for probing again if there are probes."""
    mb = networks_mb(networks=1, attempt=attempt)
    if not asked_proxies()["tables"]:
        return mb
    return max(mb, probing_mb(len(STUDY.layers) - 1, STUDY.running.cache_gb, attempt))


def proxies_to_verify():
    """Where all of proxies is or would be; each picture with the table that it is made with."""
    parts = probes_files() if probed_splits(STUDY) else []
    made = (rules.proxies.output, rules.measured_proxies.output)
    pictures = [(str(one.table), list(map(str, one.figure))) for one in made]
    return {"parts": parts, "table": pictures[0][0], "agreement": pictures[1][0], "pictures": pictures}


def training_resources(stage, networks):
    """What a training job asks of a cluster, once the store's size is known."""

    def runtime(wildcards, input, attempt):
        rate = STUDY.running.images_per_second
        about = (STUDY.settings(stage).hyperparameters, networks, manifest_of(wildcards, input.store), rate)
        return training_minutes(*about, longest=LONGEST_MINUTES, attempt=attempt)

    def mem_mb(wildcards, input, attempt):
        return training_mb(manifest_of(wildcards, input.store), STUDY.running.cache_gb, networks, attempt)

    return {"runtime": runtime, "mem_mb": mem_mb, **A_GPU}


def store_threads(wildcards):
    """As many as the config says; on a cluster, no more than any node of the partition has, or the job waits for ever."""
    most = STUDY.running.store_threads
    if workflow.local_exec or not workflow.is_main_process:
        return most
    partition = rules.store.rule.resources.get("slurm_partition")
    name = None if partition is None or partition.is_evaluable() else partition.value
    return min(most, fewest_cores(partition_nodes(), name) or most)


def is_worth_saying(record):
    """Snakemake warns that a first store which could not be built has no earlier version, as if something were lost."""
    return not record.getMessage().startswith(tuple(f"Cannot restore {store}/" for store in STORES.values()))


logger.addFilter(is_worth_saying)


def manifest_of(wildcards, stores):
    """That of the store that a job trains on."""
    names = [data_set.name for data_set in STUDY.data_sets_of(wildcards.split)]
    target = wildcards.get("target", WHOLE)  # of reduced bases, whose names have none
    return read_json(Path(stores[names.index(STUDY.data_set_of(wildcards.split, target).name)]))


def print_headline():
    """The answer to what was asked for: the study's, or that of the authors' accuracies."""
    asked = {job.rule.name for job in workflow.dag.jobs}
    for answer in (rules.tables, rules.published_tables):
        if answer.rule.name in asked:
            print(Path(answer.output.headline).read_text(encoding="utf-8"), end="", file=sys.stderr)
