from pathlib import Path

from transferability.files import write_csv
from transferability.inspection.findings import VerificationError, failures, findings_text
from transferability.inspection.proxy_check import ProxyOutputs
from transferability.inspection.verification import Outputs, verify_study
from transferability.process.determinism import use_threads
from transferability.process.log import job_log
from transferability.study.design import read_study
from transferability.study.names import Network
from transferability.words import counted

params = snakemake.params

with job_log(Path(snakemake.log[0]), "verification") as say:
    study = read_study(snakemake.config)
    use_threads(study.running.threads)
    outputs = Outputs(
        stores={name: Path(path) for name, path in params.stores.items()},
        splits={name: Path(path) for name, path in params.splits.items()},
        checkpoints={
            (split, seed, Network.parse(name)): Path(path) for (split, seed, name), path in params.checkpoints
        },
        tables={name: Path(path) for name, path in params.tables.items()},
        pictures=[Path(path) for path in params.pictures],
        proxies=ProxyOutputs(
            parts={key: Path(path) for key, path in params.proxies["parts"]},
            table=Path(params.proxies["table"]),
            agreement=Path(params.proxies["agreement"]),
            pictures={Path(table): list(map(Path, paths)) for table, paths in params.proxies["pictures"]},
            cache_bytes=study.running.cache_bytes,
        ),
    )
    findings = list(verify_study(study, outputs, study.running.verify_networks, say))
    write_csv(Path(params.report), ["what", "result"], [(f.what, f.result) for f in findings])
    say(f"{params.report}: {counted(len(findings), 'check')}")
    if failures(findings):
        raise VerificationError(findings_text(findings))
    say(findings_text(findings))
