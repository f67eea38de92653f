# Checks before the first job: that no existing file belongs to another study, and that the run can succeed.
import json
import subprocess
from functools import cache
from importlib.util import find_spec

from snakemake.io import IOFile

from transferability.files import lock_file, require_writable
from transferability.inspection.outdated import read_splits, require_current
from transferability.process.devices import require_gpus, throttled
from transferability.records.metrics import read_metrics
from transferability.report.rehearsed import is_rehearsed
from transferability.store.reading import SAME_IMAGES, read_manifest
from transferability.store.same_images import of_manifest, require_apart
from transferability.study.colors import require_colors
from transferability.study.pretrained_weights import notes_on
from transferability.study.store_folder import stores_of_other_lists
from transferability.training.event_files import require_tensorboard

HELD = []  # locks that are held as long as this process lives


def only_watching():
    """Whether this Snakemake only asks how far a study has come, which another Snakemake may be running."""
    asked = {rules.status.rule.name, rules.report_so_far.rule.name}
    return bool(workflow.dag_settings.targets) and asked.issuperset(workflow.dag_settings.targets)


def rehearse():
    """Try, in a separate process, what is made from networks before any is trained; ValueError if it cannot be made.

    What has been made once, and would be made the same way now, is not tried again.
    """
    if workflow.deployment_settings.deployment_method and not find_spec("matplotlib"):
        return  # matplotlib is in the jobs' own environments
    if is_rehearsed(STUDY):
        return
    command = [sys.executable, "-m", "transferability.report.rehearsal"]
    path = os.pathsep.join([str(Path(studies.__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    settings = json.dumps(config, default=str)
    done = subprocess.run(command, input=settings, env=environment, text=True, errors="replace", stderr=subprocess.PIPE)
    if done.returncode:
        raise ValueError(done.stderr.strip())


def require_this_study():
    """Refuse existing files that this run would use as they are but that are not what the config asks for.

    Snakemake remakes what it knows to be outdated, but what it knows is lost with its folder, `.snakemake`.
    """
    of_run = {str(path) for job in workflow.dag.jobs for path in job.output}
    remade = {str(path) for job in workflow.dag.needrun_jobs() for path in job.output}
    require_files(of_run - remade)


def require_files(taken):
    """Refuse any of the study's files at these paths that exist but are not what the config asks for."""
    checksums = {}
    for name, path in zip(STUDY.data_sets, manifests()):
        if path in taken and Path(path).exists():
            manifest, listed = read_manifest(Path(STORES[name])), Path(STORES[name], SAME_IMAGES)
            require_apart(of_manifest(manifest), STUDY.data_sets[name].duplicates, name, listed)
            checksums[name] = manifest["checksum"]
    splits = {split: path for split in STUDY.splits if (path := SPLIT.format(split=split)) in taken}
    splits = read_splits({split: Path(path) for split, path in splits.items()}, STUDY)
    files = {key: Path(path) for key, path in every_metrics_file() if path in taken}
    require_current(STUDY, read_metrics(files), files, splits, checksums)


def require_data(built, counts_files):
    """Refuse data sets whose stores are to be built but whose images do not exist or are too few for the study.

    Files are counted only on request, because there may be millions.
    """
    from transferability.data.kinds import data_set_kind, require_images  # imports Pillow

    for name in built:
        require_images(name, STUDY.data_sets[name].settings)
    settings = [STUDY.data_sets[name].settings for name in built]
    if STUDY.has_few and all(counts_files and data_set_kind(one).at_hand(one) for one in settings):
        from transferability.planning.data_size import data_size, half_sizes

        sizes = {name: data_size(data_set, Path(STORES[name])) for name, data_set in STUDY.data_sets.items()}
        half_sizes(STUDY, sizes)  # raises an error if more images are requested than a class has


@cache
def tell_what_data_lack():
    """In a dry run, say what a run would refuse before its first job; it may run elsewhere, where the images are."""
    if not (workflow.is_main_process and workflow.dryrun):
        return
    try:
        built = [name for name, path in zip(STUDY.data_sets, manifests()) if not Path(path).exists()]
        require_data(built, counts_files=False)
    except (ValueError, OSError) as error:
        print(f"{error}; a run would end with this", file=sys.stderr)


def images_looked_for(wildcards):
    """No input: images are none of Snakemake's files, so that a store outlives them."""
    tell_what_data_lack()
    return []


def is_on_record(path):
    """Whether Snakemake knows what a file was made from."""
    return bool(workflow.persistence.metadata(IOFile(path, rule=rules.accuracies.rule)))


def tabulated_metrics(wildcards):
    """The metrics files of all networks, after a check of those that exist but that Snakemake has no record of.

    Snakemake considers such files up to date, whatever the config was; if nothing is left to do, it would end
    successfully without any further check.
    """
    settings = workflow.dag_settings
    if workflow.is_main_process and not (only_watching() or settings.forceall or settings.forcerun):
        try:
            unknown = {path for _, path in every_metrics_file() if Path(path).exists() and not is_on_record(path)}
            require_files({*unknown, *manifests()} if unknown else unknown)
        except ValueError as error:
            raise WorkflowError(f"not up to date, though Snakemake has no record of it: {error}")
        except OSError:
            pass  # a file that cannot be read is reported, with a message of its own, before the first job
    return network_files(".metrics.json")


def before_the_first_job():
    """Refuse runs that are bound to fail: a second run in a folder, or one that cannot write, find images or draw."""
    if not workflow.is_main_process or only_watching():
        return
    try:
        # Held until this process ends, however it ends; Snakemake's own lock would outlive a kill.
        HELD.append(lock_file(Path(".snakemake", "run.lock"), "another snakemake is running in this folder"))
        require_colors(STUDY.figures.colors)
        if STUDY.running.tensorboard and not workflow.deployment_settings.deployment_method:
            require_tensorboard()  # otherwise, the jobs' own environment must have it
        wanted = workflow.global_resources.get("gpu")
        if wanted is not None and wanted.value is not None and workflow.local_exec:
            require_gpus(wanted.value, STUDY.running.device, STUDY.running.jobs_per_gpu)
            if note := throttled(wanted.value, STUDY.running.device):
                print(note, file=sys.stderr)
        for note in notes_on(STUDY.weights, config["preprocessing"]) if STUDY.weights else ():
            print(note, file=sys.stderr)
        require_writable(STUDY.folder)
        made = {str(path) for job in workflow.dag.needrun_jobs() for path in job.output}
        built = [name for name, manifest in zip(STUDY.data_sets, manifests()) if manifest in made]
        require_data(built, counts_files=True)
        for name in built:
            for note in stores_of_other_lists(Path(STORES[name]), name, STUDY.data_sets[name].store_settings):
                print(note, file=sys.stderr)
        require_this_study()
        if any(path.endswith(".safetensors") for job in workflow.dag.needrun_jobs() for path in job.output):
            rehearse()
        if built:
            require_writable(Path(config["stores"]), "image stores")
    except (ValueError, OSError) as error:
        raise WorkflowError(str(error))
