# What is checked before the first job: that nothing which is there is another study's, and that the run can end well.
import json
import subprocess
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

HELD = []  # locks, for as long as this process lives


def only_watching():
    """Whether this Snakemake only asks how a study stands that another one may be running."""
    asked = {rules.status.rule.name, rules.report_so_far.rule.name}
    return bool(workflow.dag_settings.targets) and asked.issuperset(workflow.dag_settings.targets)


def rehearse():
    """Try what is made of networks before any is trained, in a process of its own; ValueError if it cannot be made.

    What could be made once, and would be made alike today, is not tried again.
    """
    if workflow.deployment_settings.deployment_method and not find_spec("matplotlib"):
        return  # it is in the jobs' own environments
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
    """Refuse files that are there, that this run takes as they are, and that are not what the config asks for.

    Snakemake remakes what it knows to be outdated; what it knows is lost with its folder, `.snakemake`.
    """
    of_run = {str(path) for job in workflow.dag.jobs for path in job.output}
    remade = {str(path) for job in workflow.dag.needrun_jobs() for path in job.output}
    require_files(of_run - remade)


def require_files(taken):
    """Refuse those of the study's files at these paths, if they are there, that are not what the config asks for."""
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
            require_files({*unknown, *manifests()} if unknown else unknown)
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
        require_colors(STUDY.figures.colors)
        if STUDY.running.tensorboard and not workflow.deployment_settings.deployment_method:
            require_tensorboard()  # else it is the jobs' own environment that must have it
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
        for name in built:
            from transferability.data.kinds import require_images  # imports Pillow

            require_images(name, STUDY.data_sets[name].settings)
            for note in stores_of_other_lists(Path(STORES[name]), name, STUDY.data_sets[name].store_settings):
                print(note, file=sys.stderr)
        if STUDY.has_few and not built:
            from transferability.planning.data_size import data_size, half_sizes

            sizes = {name: data_size(data_set, Path(STORES[name])) for name, data_set in STUDY.data_sets.items()}
            half_sizes(STUDY, sizes)  # refuses more images than a class has
        require_this_study()
        if any(path.endswith(".safetensors") for job in workflow.dag.needrun_jobs() for path in job.output):
            rehearse()
        if built:
            require_writable(Path(config["stores"]), "image stores")
    except (ValueError, OSError) as error:
        raise WorkflowError(str(error))
