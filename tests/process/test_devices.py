"""Which GPU a job gets. The GPUs are fake, with names that no other process on the machine uses."""

import multiprocessing
import os
import shutil
import time
import uuid
from contextlib import ExitStack

import pytest
import torch

from transferability.process import devices
from transferability.process.devices import claimed_device, require_cuda, require_gpus, throttled, visible_gpus

SPAWN = multiprocessing.get_context("spawn")
OTHER_USER = 54321


@pytest.fixture(autouse=True)
def nvidia_smi(monkeypatch, tmp_path):
    """Gives the machine an nvidia-smi that lists these lines; without it, there is none."""
    for variable in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        monkeypatch.setenv(variable, "")  # so that it is put back in the end, whatever is set meanwhile and by whom
        monkeypatch.delenv(variable)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def pretend(*lines):
        command = folder / "nvidia-smi"
        command.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
        command.chmod(0o755)

    return pretend


@pytest.fixture
def two_gpus(monkeypatch):
    """The names of two GPUs that the machine has."""
    names = [f"GPU-{uuid.uuid4()}" for _ in range(2)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(names))
    return names


@pytest.fixture
def one_gpu(two_gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", two_gpus[0])
    return two_gpus[0]


def quiet(_line):
    pass


def never_waits(line):
    assert "waiting" not in line


class TestVisibleGpus:
    @pytest.mark.parametrize(
        ("value", "gpus"),
        [
            ("", []),
            ("-1", []),
            ("NoDevFiles", []),
            ("0", ["0"]),
            ("2, 3", ["2", "3"]),
            ("1,-1,0", ["1"]),
            ("0,0", ["0"]),
            ("GPU-5d5ba0d6,GPU-8e6b", ["GPU-5d5ba0d6", "GPU-8e6b"]),
            ("MIG-c6d4f1ef-42e4", ["MIG-c6d4f1ef-42e4"]),
            ("MIG-GPU-5d5ba0d6/7/0", ["MIG-GPU-5d5ba0d6/7/0"]),
        ],
    )
    def test_cuda_visible_devices_is_respected(self, monkeypatch, nvidia_smi, value, gpus):
        nvidia_smi("GPU 0: NVIDIA H100 (UUID: GPU-1)", "GPU 1: NVIDIA H100 (UUID: GPU-2)")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert visible_gpus() == gpus

    def test_without_nvidia_smi_there_are_none(self):
        assert visible_gpus() == []

    def test_they_are_counted_by_nvidia_smi(self, nvidia_smi):
        nvidia_smi("GPU 0: NVIDIA H100 (UUID: GPU-1)", "GPU 1: NVIDIA H100 (UUID: GPU-2)")
        assert visible_gpus() == ["0", "1"]

    def test_a_divided_gpu_is_its_instances(self, nvidia_smi):
        nvidia_smi(
            "GPU 0: NVIDIA A100 (UUID: GPU-1)",
            "  MIG 1g.5gb      Device  0: (UUID: MIG-2)",
            "  MIG 1g.5gb      Device  1: (UUID: MIG-3)",
            "GPU 1: NVIDIA A100 (UUID: GPU-4)",
        )
        assert visible_gpus() == ["MIG-2", "MIG-3", "1"]

    def test_a_driver_that_hangs_is_told(self, monkeypatch, tmp_path):
        command = tmp_path / "bin" / "nvidia-smi"
        command.write_text(f"#!/bin/sh\nexec {shutil.which('sleep', path=os.defpath)} 600\n")
        command.chmod(0o755)
        monkeypatch.setattr(devices, "LISTING_SECONDS", 0.1)
        with pytest.raises(TimeoutError, match="nvidia-smi has not answered for 0 s; check the driver"):
            visible_gpus()

    def test_a_driver_that_fails_shows_none(self, nvidia_smi):
        nvidia_smi("NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.")
        assert visible_gpus() == []


class TestClaims:
    def test_two_claims_are_two_devices_and_each_sees_only_its_own(self, two_gpus, monkeypatch):
        both = os.environ["CUDA_VISIBLE_DEVICES"]
        with claimed_device("auto", never_waits) as one:
            first = os.environ["CUDA_VISIBLE_DEVICES"]
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", both)
            with claimed_device("auto", never_waits) as other:
                second = os.environ["CUDA_VISIBLE_DEVICES"]
        assert (one, other) == ("cuda", "cuda")
        assert [first, second] == two_gpus
        with claimed_device("auto", never_waits):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == two_gpus[0]

    def test_the_environment_is_as_before_afterwards(self, one_gpu):
        with pytest.raises(KeyboardInterrupt), claimed_device("auto", quiet):
            raise KeyboardInterrupt
        assert os.environ["CUDA_VISIBLE_DEVICES"] == one_gpu
        assert "CUDA_DEVICE_ORDER" not in os.environ

    def test_cuda_numbers_gpus_as_they_are_claimed(self, one_gpu):
        with claimed_device("auto", quiet):
            assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"

    def test_no_gpu_is_the_cpu_unless_cuda_is_asked_for(self):
        with claimed_device("auto", quiet) as device:
            assert device == "cpu"
        with (
            pytest.raises(ValueError, match="device: is cuda, but no GPU is visible"),
            claimed_device("cuda", quiet),
        ):
            pass

    def test_the_cpu_claims_nothing(self, one_gpu):
        with claimed_device("auto", never_waits), claimed_device("cpu", never_waits) as device:
            assert device == "cpu"

    @pytest.mark.parametrize("name", ["0", "GPU-{0}", "GPU-{0:.8}"])
    def test_a_gpu_is_the_same_by_any_name(self, monkeypatch, nvidia_smi, name):
        """One user goes by the index, another by the UUID or its beginning."""
        of_gpu = str(uuid.uuid4())
        nvidia_smi(f"GPU 0: NVIDIA H100 (UUID: GPU-{of_gpu})")
        with claimed_device("auto", never_waits):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", name.format(of_gpu))
            assert waits_for_a_device()

    def test_an_nvidia_smi_that_fails_for_one_of_two_jobs(self, monkeypatch, nvidia_smi):
        monkeypatch.setenv("SLURM_JOB_ID", str(uuid.uuid4()))
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        nvidia_smi(f"GPU 0: NVIDIA H100 (UUID: GPU-{uuid.uuid4()})")
        with claimed_device("auto", never_waits):
            nvidia_smi("Failed to initialize NVML")
            assert waits_for_a_device()

    def test_gpus_of_different_slurm_allocations_do_not_get_in_each_others_way(self, monkeypatch):
        """With devices confined by SLURM, every job's only GPU is called 0."""
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        for job in (uuid.uuid4(), uuid.uuid4()):
            monkeypatch.setenv("SLURM_JOB_ID", str(job))
            with claimed_device("auto", never_waits):
                monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
                assert waits_for_a_device()

    def test_within_a_slurm_allocation_two_claims_are_two_devices(self, monkeypatch):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
        monkeypatch.setenv("SLURM_JOB_ID", str(uuid.uuid4()))
        with claimed_device("auto", never_waits):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "4"
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
            with claimed_device("auto", never_waits):
                assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"


def test_jobs_share_a_gpu_only_once_all_have_one(two_gpus, monkeypatch):
    both, order = os.environ["CUDA_VISIBLE_DEVICES"], []
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(claimed_device("auto", never_waits, jobs_per_gpu=2))
            order.append(os.environ["CUDA_VISIBLE_DEVICES"])
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", both)
        assert order == [*two_gpus, *two_gpus]
        assert waits_for_a_device(jobs_per_gpu=2)
    with claimed_device("auto", never_waits):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == two_gpus[0]


class StopWaitingError(Exception):
    pass


def waits_for_a_device(**how):
    def say(line):
        if "waiting" in line:
            raise StopWaitingError

    try:
        with claimed_device("auto", say, **how):
            return False
    except StopWaitingError:
        return True


def _claim_often(holding, rounds):
    devices.POLL_SECONDS = 0.001
    for _ in range(rounds):
        with claimed_device("auto", quiet):
            mine = holding / os.environ["CUDA_VISIBLE_DEVICES"]
            mine.touch(exist_ok=False)  # fails if another process holds the same device
            time.sleep(0.0005)
            mine.unlink()


def _hold(ready, user=None):
    if user is not None:
        os.umask(0o777)
        os.setuid(user)
    with claimed_device("auto", quiet):
        ready.set()
        time.sleep(60)


@pytest.fixture
def holders():
    """Starts processes that hold a device until they are killed."""
    started = []

    def start(**arguments):
        ready = SPAWN.Event()
        process = SPAWN.Process(target=_hold, args=(ready,), kwargs=arguments)
        process.start()
        started.append(process)
        assert ready.wait(60)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()


class TestContention:
    def test_processes_never_share_a_device(self, two_gpus, tmp_path):
        """Four processes, two devices, 400 claims."""
        processes = [SPAWN.Process(target=_claim_often, args=(tmp_path, 100)) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * 4

    def test_a_killed_holder_frees_its_device_at_once(self, one_gpu, holders):
        holder = holders()
        assert waits_for_a_device()
        holder.kill()
        holder.join()
        with claimed_device("auto", never_waits) as device:
            assert device == "cuda"

    def test_more_jobs_than_devices_wait_with_one_message(self, two_gpus, holders, monkeypatch):
        monkeypatch.setattr(devices, "POLL_SECONDS", 0.01)
        _, second = holders(), holders()
        lines = []

        def say(line):
            lines.append(line)
            if "waiting" in line:
                second.kill()

        with claimed_device("auto", say) as device:
            assert device == "cuda"
        assert lines == [
            "all 2 GPUs are taken; waiting for one (limit the jobs with --resources gpu=2)",
            f"claimed GPU {two_gpus[1]}",
        ]

    @pytest.mark.skipif(os.geteuid() != 0, reason="takes the right to become another user, which root has")
    def test_users_wait_for_each_other(self, one_gpu, holders, monkeypatch, tmp_path):
        """Whatever their umask and temporary folder are."""
        holder = holders(user=OTHER_USER)
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        assert waits_for_a_device()
        holder.kill()
        holder.join()
        with claimed_device("auto", never_waits):
            pass


def test_a_gpu_for_a_torch_without_cuda_is_told(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    require_cuda("cuda")
    monkeypatch.setattr(torch.version, "cuda", None)
    require_cuda("cpu")
    with pytest.raises(ValueError, match=r"^running\.device: a GPU is visible, but PyTorch .* is built without CUDA; "):
        require_cuda("cuda")


def test_a_limit_of_gpus_where_there_is_none_is_told(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "no GPU is visible" in throttled(2, "auto")
    assert "limits it to 2 jobs" in throttled(2, "auto")
    assert not throttled(2, "cpu")  # whose jobs ask for none
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert not throttled(2, "auto")


def test_more_gpus_than_there_are(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    require_gpus(2, "auto")
    require_gpus(4, "cpu")
    with pytest.raises(ValueError, match=r"--resources gpu=4: this machine shows 2 GPUs \(0, 1\); ask for gpu=2"):
        require_gpus(4, "auto")
    require_gpus(4, "auto", jobs_per_gpu=2)
    with pytest.raises(ValueError, match=r"gpu=5: this machine shows 2 GPUs \(0, 1\), for 2 jobs each; ask for gpu=4"):
        require_gpus(5, "auto", jobs_per_gpu=2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    require_gpus(4, "auto")
