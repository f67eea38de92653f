"""A real SLURM on a single machine: a controller, two nodes with two counted GPUs each, and no accounting.

The GPUs are character devices that SLURM hands out and counts, as on a GPU node, but not real ones. The configuration
goes to /etc/slurm, since the executor plugin keeps SLURM's variables, the path of another one too, from its jobs.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

CONFIGURATION = Path("/etc/slurm")
MARK = "# Written by tests/workflow/slurm_cluster.py\n"
NAME = "tests"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "munged")
PORTS = {"n1": 17001, "n2": 17002}


def why_not() -> str:
    """Why no cluster can be started here; empty if one can."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=_PATH) is None]
    if missing:
        return f"{missing[0]} is not installed (Debian: slurm-wlm and munge)"
    if os.geteuid() != 0:
        return "starting SLURM's daemons takes root"
    there = CONFIGURATION / "slurm.conf"
    if there.exists() and not there.read_text().startswith(MARK):
        return f"{there} is somebody's own"
    return ""


class SlurmCluster:
    """Started by `start`, stopped by `stop`; ``folder`` holds its logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self) -> None:
        for name in ("control", "spool.n1", "spool.n2"):
            (self.folder / name).mkdir(parents=True)
        self._configure()
        if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode:
            Path("/run/munge").mkdir(exist_ok=True)
            shutil.chown("/run/munge", "munge", "munge")
            self._daemon("runuser", "-u", "munge", "--", _found("munged"))
        self._daemon(_found("slurmctld"))
        for node in PORTS:
            self._daemon(_found("slurmd"), "-N", node)
        deadline = time.monotonic() + 60
        while self.states() != dict.fromkeys(PORTS, "idle"):
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the cluster did not come up: {self.states()}; see {self.folder}/*.log")
            time.sleep(0.5)

    def stop(self) -> None:
        slurm("scancel", "--user", "root")
        _wait_while(lambda: bool(slurm("squeue", "--noheader")))
        for pid_file in self.folder.glob("*.pid"):
            _end(int(pid_file.read_text()), signal.SIGTERM)
        for pid in job_processes():  # processes that SLURM has lost track of
            _end(pid, signal.SIGKILL)
        for name in ("slurm.conf", "gres.conf"):
            (CONFIGURATION / name).unlink(missing_ok=True)

    def set_down(self, node: str) -> None:
        """Set a node down, as an administrator does; SLURM ends its jobs and requeues them."""
        slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")

    def cut_off(self, node: str) -> None:
        """Cut a node off, like a lost network: SLURM gives it up and requeues its jobs, which live on there unseen."""
        pid_file = self.folder / f"slurmd.{node}.pid"
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
        pid_file.unlink()
        self.set_down(node)

    def bring_back(self, node: str) -> None:
        self._daemon(_found("slurmd"), "-N", node)

    def states(self) -> dict[str, str]:
        """The state of each node: idle, mixed, allocated, down, ..."""
        lines = slurm("sinfo", "--noheader", "-N", "-o", "%N %T").splitlines()
        return dict(line.split() for line in lines)

    def _daemon(self, *command: str) -> None:
        subprocess.run(["setsid", *command], capture_output=True, check=True, timeout=30)

    def _configure(self) -> None:
        CONFIGURATION.mkdir(exist_ok=True)
        host, folder = socket.gethostname(), self.folder
        nodes = [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=64000 Gres=gpu:2"
            for node, port in PORTS.items()
        ]
        settings = {
            "ClusterName": NAME,
            "SlurmctldHost": f"{host}(127.0.0.1)",
            "SlurmUser": "root",
            "SlurmdUser": "root",
            "AuthType": "auth/munge",
            "CredType": "cred/munge",
            "StateSaveLocation": folder / "control",
            "SlurmdSpoolDir": folder / "spool.%n",
            "SlurmctldPidFile": folder / "slurmctld.pid",
            "SlurmdPidFile": folder / "slurmd.%n.pid",
            "SlurmctldLogFile": folder / "slurmctld.log",
            "SlurmdLogFile": folder / "slurmd.%n.log",
            "SlurmdParameters": "config_overrides",  # memory is counted, however much there is
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_Core",
            "SchedulerParameters": "batch_sched_delay=0,sched_interval=2",
            "ReturnToService": 2,
            "KillWait": 5,
            "MpiDefault": "none",
            "AccountingStorageType": "accounting_storage/none",
            "JobAcctGatherType": "jobacct_gather/none",
            "MinJobAge": 3600,
            "GresTypes": "gpu",
        }
        lines = [f"{key}={value}" for key, value in settings.items()]
        partition = "PartitionName=gpu Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP"
        _write(CONFIGURATION / "slurm.conf", [*lines, *nodes, partition])
        devices = []
        for number in range(4):
            device = folder / f"gpu{number}"
            os.mknod(device, 0o20666, os.makedev(1, 3))
            devices.append(f"NodeName=n{number // 2 + 1} Name=gpu File={device}")
        _write(CONFIGURATION / "gres.conf", devices)


def job_processes() -> dict[int, dict[str, str]]:
    """The environment of every process of this cluster's jobs, by process id."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            entries = (path / "environ").read_bytes().decode().split("\0")
        except (OSError, UnicodeDecodeError):  # it has ended, or is not ours
            continue
        variables = dict(entry.split("=", 1) for entry in entries if "=" in entry)
        if "SLURM_JOB_ID" in variables and variables.get("SLURM_CLUSTER_NAME") == NAME:
            found[int(path.name)] = variables
    return found


def slurm(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout


def _end(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    _wait_while(Path(f"/proc/{pid}").exists)


def _wait_while(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while condition() and time.monotonic() < deadline:
        time.sleep(0.2)


def _write(path: Path, lines: list[str]) -> None:
    path.write_text(MARK + "\n".join(lines) + "\n")


_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _found(program: str) -> str:
    return shutil.which(program, path=_PATH) or program
