# The checked study, paths, and the functions that rules share.
import os
import sys
from dataclasses import asdict
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# If this workflow is a module of another one, the main Snakefile is the other's, so paths are relative to this file.
# Rules also have other names there, so the rules that take seconds, which are not worth a cluster's queue, are marked
# with `localrule` instead of being listed by name.
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
    if workflow.is_main_process and not workflow.modifier.skip_configfile:  # otherwise, they are another workflow's
        require_clear_files(workflow.configfiles)
    STUDY = studies.read_study(config, beside=[Path(file).parent for file in reversed(workflow.configfiles)])
    STORES = {
        name: str(store_of_run(a.settings_folder, lambda a=a: a.store_folder, begins=workflow.is_main_process))
        for name, a in STUDY.data_sets.items()
    }
except ConfigError as error:
    raise WorkflowError(str(error))
config.update(STUDY.config)  # rules and scripts use the normalized config

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
TARGETS = {} if STUDY.targets == HALVES else {"targets": STUDY.targets}  # for studies with only one direction
# What tables and pictures of accuracies depend on.
ABOUT_RESULTS = {
    **{key: getattr(STUDY.figures, key) for key in ("metric", "max_drop", "unlearned")},
    "groups": STUDY.groups,
    "layers": STUDY.layers,
    **TARGETS,
}
NO_GPU = {"gpu": 0, "gpu_model": ""}  # a cluster's default model applies only to jobs that have a GPU
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
    source="|".join(source for source in SOURCES if source != PRETRAINED_SOURCE),  # it has rules of its own
    examples=r"\d+",


def network_files(suffix, splits=STUDY.splits, seeds=STUDY.seeds):
    """The paths of one file of every network of the study, or of some of its splits and seeds.

    Rules call this inside functions, for the sake of studies with thousands of networks: every job on a cluster reads
    the workflow, which then makes no lists, and Snakemake takes quadratic time for long lists of named inputs.
    """
    return [
        f"{NETWORKS}/{network.name}{suffix}".format(split=split, seed=seed)
        for split in splits
        for seed in seeds
        for network in STUDY.networks_of(split)
    ]


def picture(stem, name, category, **labels):
    """A figure as a PNG, which Snakemake's report shows with the caption of the same name, and as a PDF."""
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
    """The files of each figure of the study's results, by name."""
    return {name: picture(f"{FIGURES}/{name}", name, "Figures") for name in drawn_of(STUDY)}


def pictures_of(paths):
    return [path for path in paths if path.endswith(".png")]


def halves_sheets():
    return [rules.halves_sheet.output.picture.format(split=split) for split in STUDY.splits if split != WHOLE]


def every_metrics_file():
    """Pairs of each network's split, seed and name, and the path of its metrics, whether or not it exists yet."""
    return [
        ((split, seed, network.name), path)
        for (split, seed, network), path in zip(STUDY.networks(), network_files(".metrics.json"))
    ]


def of_data_set(rule, name):
    """The name of a rule for a data set; unchanged for the config's ``dataset``."""
    return rule if name == config["dataset"] else f"{rule}_{name}"


def contact_sheets():
    """The picture of each data set's images, by data set."""
    return {name: f"{FIGURES}/{of_data_set('contact_sheet', name)}.png" for name in STUDY.data_sets}


def manifests(names=STUDY.data_sets):
    """The manifests of some data sets' stores, the only files of stores that Snakemake knows about."""
    return [f"{STORES[name]}/{MANIFEST}" for name in names]


def manifests_of(split):
    return manifests([data_set.name for data_set in STUDY.data_sets_of(split)])


def stores_of_wildcards(wildcards):
    return manifests_of(wildcards.split)


def groups_files(data_sets=None):
    """The files with the groups and readable names of classes, for those data sets that have one.

    They are meant as inputs, so paths that Snakemake would interpret as having wildcards are left out.
    """
    files = [data_set.groups_file for data_set in data_sets or STUDY.data_sets.values()]
    return [str(file) for file in files if file and "{" not in str(file)]


def groups_of_wildcards(wildcards):
    return groups_files(STUDY.data_sets_of(wildcards.split))


def grouping_of_split(wildcards):
    """A digest because of which a split by group, and no other, is remade when the grouping of classes changes."""
    plan = STUDY.splits[wildcards.split]
    asked = [task.data_set for task in (plan.tasks or {}).values() if task.group is not None]
    files = [STUDY.data_sets[name].groups_file for name in ([config["dataset"]] if plan.groups else asked)]
    return " ".join(grouping_digest(file) for file in files if file)


def report_texts():
    return sorted(map(str, PROJECT.glob("workflow/report/*")))


def groups_of_split(wildcards):
    """The group of each half's classes, or the half's data set and its classes there; None if halves are drawn."""
    plan = STUDY.splits[wildcards.split]
    return {half: asdict(task) for half, task in plan.tasks.items()} if plan.tasks else plan.groups


def source_checkpoint(few):
    """A function for the checkpoint that a series, on this many images, copies from; empty if it copies from none."""

    def checkpoint(wildcards):
        source = wildcards.get("source")
        base = Series(source, wildcards.target, examples_per_class=few).at(1).base if source else None
        return [] if base is None else f"{NETWORKS}/{base.name}.safetensors"

    return checkpoint


def weights_of_job(is_pretrained):
    """What identifies the published weights that the jobs of a rule copy from; empty for other rules."""
    if not is_pretrained:
        return {}
    # A file may be older than the networks, so its digest counts; that of a download is known only afterward.
    return {"weights": STUDY.weights.source if STUDY.weights.is_downloaded else STUDY.weights.sha256}


def probed_checkpoints(wildcards):
    return [f"{NETWORKS}/{base.name}.safetensors" for base in probed_in(STUDY, wildcards.split).bases]


def probed_weights(wildcards):
    return [str(STUDY.weights.file)] if PRETRAINED_SOURCE in probed_in(STUDY, wildcards.split).sources else []


def probes_files():
    """Pairs of each split and seed and the path of its probes; WorkflowError if nothing can be probed in any split."""
    splits = probed_splits(STUDY)
    if not splits:
        raise WorkflowError(
            "networks.examples_per_class: has no all, so that no network on all images of its task is there for proxies "
            "to be told from; add all, or ask for no proxies"
        )
    path = rules.probe_bases.output.probes
    return [((split, seed), path.format(split=split, seed=seed)) for split in splits for seed in STUDY.seeds]


def probing_params(settings):
    """What affects probes besides the bases: of the training settings, only those that affect what layers compute."""
    hyperparameters = settings.hyperparameters
    of_training = {key: getattr(hyperparameters, key) for key in ("precision", "batch_size")}
    others = {key: value for key, value in settings.to_json().items() if key != "hyperparameters"}
    return {"version": PROBES_VERSION, **others, **of_training, **TARGETS}


def base_metrics():
    """The metrics of the base of every task that is probed; figures show probes beside these bases."""
    return [
        f"{NETWORKS}/{Network(target).name}.metrics.json".format(split=split, seed=seed)
        for split in STUDY.splits
        for seed in STUDY.seeds
        for target in probed_in(STUDY, split).targets
    ]


def asked_proxies():
    """The tables and figures of proxies and measured drops, if a study's proxies have been requested; else empty."""
    if not Path(rules.proxies.output.table).exists() or not probed_splits(STUDY):
        return {"tables": [], "pictures": []}
    made = (rules.proxies.output, rules.measured_proxies.output)
    return {"tables": [one.table for one in made], "pictures": [path for one in made for path in one.figure]}


def verifying_mb(attempt):
    """The main memory, in MB, for evaluating a network, and for probing again if there are probes."""
    mb = networks_mb(networks=1, attempt=attempt)
    if not asked_proxies()["tables"]:
        return mb
    return max(mb, probing_mb(len(STUDY.layers) - 1, STUDY.running.cache_gb, attempt))


def proxies_to_verify():
    """The paths of all outputs of proxies, whether or not they exist; figures are paired with their tables."""
    parts = probes_files() if probed_splits(STUDY) else []
    made = (rules.proxies.output, rules.measured_proxies.output)
    pictures = [(str(one.table), list(map(str, one.figure))) for one in made]
    return {"parts": parts, "table": pictures[0][0], "agreement": pictures[1][0], "pictures": pictures}


def training_resources(stage, networks):
    """The resources that a training job requests from a cluster, once the store's size is known."""

    def runtime(wildcards, input, attempt):
        rate = STUDY.running.images_per_second
        about = (STUDY.settings(stage).hyperparameters, networks, manifest_of(wildcards, input.store), rate)
        return training_minutes(*about, longest=LONGEST_MINUTES, attempt=attempt)

    def mem_mb(wildcards, input, attempt):
        return training_mb(manifest_of(wildcards, input.store), STUDY.running.cache_gb, networks, attempt)

    return {"runtime": runtime, "mem_mb": mem_mb, **A_GPU}


def store_threads(wildcards):
    """The config's number of threads; on a cluster, at most as many as every node has, or the job may wait forever."""
    most = STUDY.running.store_threads
    if workflow.local_exec or not workflow.is_main_process:
        return most
    partition = rules.store.rule.resources.get("slurm_partition")
    name = None if partition is None or partition.is_evaluable() else partition.value
    return min(most, fewest_cores(partition_nodes(), name) or most)


def is_worth_saying(record):
    """Whether to log a record: not the warning that a store whose first build failed has no earlier version."""
    return not record.getMessage().startswith(tuple(f"Cannot restore {store}/" for store in STORES.values()))


logger.addFilter(is_worth_saying)


def manifest_of(wildcards, stores):
    """The content of the manifest of the store that a job trains on."""
    names = [data_set.name for data_set in STUDY.data_sets_of(wildcards.split)]
    target = wildcards.get("target", WHOLE)  # the names of reduced bases have no target
    return read_json(Path(stores[names.index(STUDY.data_set_of(wildcards.split, target).name)]))


def print_headline():
    """Print the headlines that were requested: the study's, that of the authors' accuracies, or both."""
    asked = {job.rule.name for job in workflow.dag.jobs}
    for answer in (rules.tables, rules.published_tables):
        if answer.rule.name in asked:
            print(Path(answer.output.headline).read_text(encoding="utf-8"), end="", file=sys.stderr)
