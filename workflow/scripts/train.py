import time
from pathlib import Path

from transferability.data.split_stores import open_stores
from transferability.data.splits import split_from_json
from transferability.inspection.outdated import read_splits
from transferability.process.computing import computing_device
from transferability.process.log import job_log
from transferability.records.progress import LESS_MEMORY, SUFFIX, JobRecord, Process, progress_file, read_job_record
from transferability.store.reading import SAME_IMAGES, read_manifest
from transferability.store.same_images import of_manifest, require_apart
from transferability.study.design import read_study
from transferability.study.layout import NetworkFiles, event_folder, states_folder
from transferability.study.settings import Settings
from transferability.training.event_files import event_files
from transferability.training.recipe import Recipe, Running
from transferability.training.train import train

started = time.monotonic()
files = [NetworkFiles.beside(Path(checkpoint)) for checkpoint in snakemake.output.checkpoints]
log = Path(snakemake.log[0])
split, seed = snakemake.wildcards.split, int(snakemake.wildcards.seed)
states = states_folder(snakemake.config, split, seed)
names = tuple(network_files.network.name for network_files in files)
job = JobRecord(split, seed, log.stem, names, str(log), Process.this())
last = read_job_record(states / f"{log.stem}{SUFFIX}")

with (
    job_log(log, f"{split} {log.stem}", LESS_MEMORY) as say,
    progress_file(states / f"{log.stem}{SUFFIX}", job) as watch,
):
    study = read_study(snakemake.config)
    running = study.running
    with (
        event_files(event_folder(study.config, split, seed), wanted=running.tensorboard) as curves,
        computing_device(running.device, say, running.jobs_per_gpu, running.deterministic, running.threads) as device,
    ):
        if last is not None and last.death:
            say(last.death)
        manifests = [*map(Path, snakemake.input.store)]
        folders = (manifest.parent for manifest in manifests)
        for data_set, folder in zip(study.data_sets_of(split), folders, strict=True):
            listed = folder / SAME_IMAGES
            require_apart(of_manifest(read_manifest(folder)), data_set.duplicates, data_set.name, listed)
        stores = open_stores(study, split, manifests)
        splits = read_splits({split: Path(snakemake.input.split)}, study)
        recipe = Recipe(
            store=stores,
            split=split_from_json(splits[split], stores),
            seed=seed,
            settings=Settings.from_json(dict(snakemake.params.items())),
        )
        train(
            recipe,
            files={network_files.network: network_files for network_files in files},
            source=Path(snakemake.input.source) if snakemake.input.get("source") else None,
            running=Running(
                states=states,
                device=device,
                state_every_seconds=running.state_every_seconds,
                log_every_seconds=running.log_every_seconds,
                cache_bytes=running.cache_bytes,
                cuda_graphs=running.cuda_graphs,
                say=say,
                watchers=[watch, *curves],
            ),
        )
        say(f"done in {time.monotonic() - started:.0f} s")
