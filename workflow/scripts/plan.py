from pathlib import Path
from tempfile import TemporaryDirectory

from transferability.planning.calibration import peak_bytes
from transferability.planning.data_size import data_size
from transferability.planning.plan import plan_study, plan_text
from transferability.process.computing import computing_device
from transferability.process.log import job_log
from transferability.study.design import read_study
from transferability.training.recipe import Running

with job_log(Path(snakemake.log[0]), "plan") as say:
    study = read_study(snakemake.config)
    running = study.running
    with computing_device(running.device, say, running.jobs_per_gpu, running.deterministic, running.threads) as device:
        folders = {name: Path(path) for name, path in snakemake.params.stores.items()}
        sizes = {name: data_size(data_set, folders[name]) for name, data_set in study.data_sets.items()}
        with TemporaryDirectory(dir=study.folder, prefix=".plan-") as folder:
            plan = plan_study(
                study,
                sizes,
                Running(
                    states=Path(folder),
                    device=device,
                    state_every_seconds=float("inf"),
                    log_every_seconds=float("inf"),
                    cuda_graphs=running.cuda_graphs,
                    say=say,
                ),
            )
        say(plan_text(plan, device, peak_bytes(device)))
