from pathlib import Path

from transferability.files import sha256_of
from transferability.networks.pretrained import download
from transferability.process.log import job_log
from transferability.study.design import read_study
from transferability.study.foreign_networks import seen_shape

with job_log(Path(snakemake.log[0]), "pretrained weights") as say:
    study, path = read_study(snakemake.config), Path(snakemake.output.weights)
    network = {"architecture": study.config["networks"]["architecture"], **study.settings("base").building}
    weights = download(snakemake.params.source, path, network, seen_shape(study.config))
    say(f"{weights.source}, from {weights.address}, is {path}, SHA-256 {sha256_of(path)}")
