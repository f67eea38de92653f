import multiprocessing
import os
import time

import pytest

from transferability.devices import claimed_device, require_gpus, visible_gpus

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


def quiet(_line):
    pass


def never_waits(line):
    assert "waiting" not in line


@pytest.mark.parametrize(
    ("value", "gpus"), [("", []), ("-1", []), ("0", ["0"]), ("2, 3", ["2", "3"]), ("GPU-a", ["GPU-a"])]
)
def test_cuda_visible_devices_is_respected(monkeypatch, value, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert visible_gpus() == gpus


def test_without_nvidia_smi_there_are_no_gpus(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []


def test_gpus_are_counted_by_nvidia_smi(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-1)'\necho 'GPU 1: NVIDIA H100 (UUID: GPU-2)'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert visible_gpus() == ["0", "1"]


def test_two_claims_are_two_devices_and_each_sees_only_its_own(two_gpus, tmp_path):
    with claimed_device("auto", quiet, tmp_path) as one:
        first = os.environ["CUDA_VISIBLE_DEVICES"]
        os.environ["CUDA_VISIBLE_DEVICES"] = "0,1"
        with claimed_device("auto", quiet, tmp_path) as other:
            second = os.environ["CUDA_VISIBLE_DEVICES"]
    assert (one, other) == ("cuda", "cuda")
    assert {first, second} == {"0", "1"}
    with claimed_device("auto", quiet, tmp_path):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_the_environment_is_as_before_afterwards(two_gpus, tmp_path):
    with claimed_device("auto", quiet, tmp_path):
        pass
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_no_gpu_is_the_cpu_unless_cuda_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with claimed_device("auto", quiet, tmp_path) as device:
        assert device == "cpu"
    with (
        pytest.raises(ValueError, match="device: is cuda, but no GPU is visible"),
        claimed_device("cuda", quiet, tmp_path),
    ):
        pass


def test_the_cpu_claims_nothing(two_gpus, tmp_path):
    with claimed_device("cpu", quiet, tmp_path) as device:
        assert device == "cpu"
    assert not list(tmp_path.iterdir())


def test_gpus_of_different_slurm_allocations_do_not_get_in_each_others_way(monkeypatch, tmp_path):
    """With devices confined by SLURM, every job's only GPU is called 0."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    with claimed_device("auto", never_waits, tmp_path):
        monkeypatch.setenv("SLURM_JOB_ID", "2")
        with claimed_device("auto", never_waits, tmp_path) as device:
            assert device == "cuda"


def test_within_a_slurm_allocation_two_claims_are_two_devices(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    with claimed_device("auto", never_waits, tmp_path):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "4"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
        with claimed_device("auto", never_waits, tmp_path):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"


def _claim_often(folder, holding, rounds):
    for _ in range(rounds):
        with claimed_device("auto", quiet, folder / "locks"):
            mine = holding / os.environ["CUDA_VISIBLE_DEVICES"]
            mine.touch(exist_ok=False)  # fails if another process holds the same device
            time.sleep(0.001)
            mine.unlink()


def test_contending_processes_never_share_a_device(two_gpus, tmp_path):
    holding = tmp_path / "holding"
    holding.mkdir()
    processes = [SPAWN.Process(target=_claim_often, args=(tmp_path, holding, 60)) for _ in range(2)]
    for process in processes:
        process.start()
    _claim_often(tmp_path, holding, 60)
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]


def _hold(folder, ready):
    with claimed_device("auto", quiet, folder):
        ready.set()
        time.sleep(60)


def test_one_waits_for_a_killed_holder_with_a_message(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    ready = SPAWN.Event()
    holder = SPAWN.Process(target=_hold, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(30)
    lines = []

    def say(line):
        lines.append(line)
        if "waiting" in line:
            holder.kill()

    with claimed_device("auto", say, tmp_path) as device:
        assert device == "cuda"
    assert lines == ["all 1 GPUs are taken; waiting for one (limit the jobs with --resources gpu=1)", "claimed GPU 0"]
    holder.join()


def test_more_gpus_than_there_are(two_gpus, monkeypatch):
    require_gpus(2, "auto")
    require_gpus(4, "cpu")
    with pytest.raises(ValueError, match=r"--resources gpu=4: this machine shows 2 GPUs \(0, 1\); ask for gpu=2"):
        require_gpus(4, "auto")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    require_gpus(4, "auto")
