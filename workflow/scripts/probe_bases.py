import time
from pathlib import Path

from transferability.data.split_stores import open_stores
from transferability.data.splits import split_from_json
from transferability.files import write_json
from transferability.inspection.outdated import read_splits
from transferability.process.computing import computing_device
from transferability.process.log import job_log
from transferability.process.provenance import provenance
from transferability.proxies.probe_bases import Probing, made_from, probe
from transferability.study.design import read_study
from transferability.study.layout import NetworkFiles
from transferability.study.names import PRETRAINED_SOURCE
from transferability.study.probed import probed_in
from transferability.training.recipe import Recipe

started = time.monotonic()
log = Path(snakemake.log[0])
split, seed = snakemake.wildcards.split, int(snakemake.wildcards.seed)

with job_log(log, f"{split} probes") as say:
    study = read_study(snakemake.config)
    running = study.running
    with computing_device(running.device, say, running.jobs_per_gpu, running.deterministic, running.threads) as device:
        stores = open_stores(study, split, [*map(Path, snakemake.input.store)])
        splits = read_splits({split: Path(snakemake.input.split)}, study)
        recipe = Recipe(stores, split_from_json(splits[split], stores), seed, study.settings("frozen"))
        bases = {NetworkFiles.beside(Path(path)).network.target: Path(path) for path in snakemake.input.bases}
        probed = probed_in(study, split)
        files = {source: bases.get(source) for source in probed.sources}
        if PRETRAINED_SOURCE in files:
            files[PRETRAINED_SOURCE] = Path(snakemake.input.weights[0])
        probing = Probing(device, running.cache_bytes, say)
        content = {
            "split": split,
            "seed": seed,
            "rows": [row for target in probed.targets for row in probe(recipe, target, files, probing)],
            "made_from": made_from(files),
            **provenance(device),
            "seconds": round(time.monotonic() - started, 3),
        }
        write_json(Path(snakemake.output.probes), content)
