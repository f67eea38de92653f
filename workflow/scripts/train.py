import time
from pathlib import Path

from transferability.determinism import deterministic_algorithms
from transferability.devices import claimed_device
from transferability.files import read_json
from transferability.hyperparameters import Hyperparameters
from transferability.joblog import job_log
from transferability.series import NetworkFiles, Recipe, Running, train, use_threads
from transferability.splits import split_from_json
from transferability.store import open_store
from transferability.stream import Preprocessing
from transferability.study import states_folder

started = time.monotonic()
running = snakemake.config["running"]
files = [NetworkFiles.beside(Path(checkpoint)) for checkpoint in snakemake.output.checkpoints]
log = Path(snakemake.log[0])

with (
    job_log(log, f"{snakemake.wildcards.split} {log.stem}") as say,
    claimed_device(running["device"], say, running["jobs_per_gpu"]) as device,
    deterministic_algorithms(device, wanted=running["deterministic"]),
):
    use_threads(running["threads"])
    store = open_store(Path(snakemake.input.store[0]).parent)
    recipe = Recipe(
        store=store,
        split=split_from_json(read_json(Path(snakemake.input.split)), store),
        seed=int(snakemake.wildcards.seed),
        architecture=snakemake.params.architecture,
        preprocessing=Preprocessing(**snakemake.params.preprocessing),
        hyperparameters=Hyperparameters(**snakemake.params.hyperparameters),
    )
    train(
        recipe,
        files={network_files.network: network_files for network_files in files},
        source=Path(snakemake.input.source) if snakemake.input.get("source") else None,
        running=Running(
            states=states_folder(snakemake.config, snakemake.wildcards.split, snakemake.wildcards.seed),
            device=device,
            state_seconds=running["state_seconds"],
            report_seconds=running["report_seconds"],
            resident_bytes=running["resident_gb"] * 1e9,
            cuda_graphs=running["cuda_graphs"],
            say=say,
        ),
    )
    say(f"done in {time.monotonic() - started:.0f} s")
