"""A small data set and recipe that train in a second, and a finished study."""

import fcntl
import os
import shutil
from pathlib import Path

import hypothesis
import pytest

from tests.project import Project, kill_started
from tests.support import Patterns, running_in, train_bases
from transferability.data.build import build_store
from transferability.data.splits import random_split
from transferability.networks.describe import describe
from transferability.networks.pretrained import describe_weights
from transferability.networks.tracing import CutError
from transferability.networks.weight_files import WeightsError
from transferability.process.determinism import use_threads
from transferability.store.reading import open_store
from transferability.study import foreign_networks, pretrained_weights
from transferability.study.settings import Hyperparameters, Preprocessing, Settings
from transferability.training.recipe import Recipe, Running

# A slow machine is no reason to fail, and neither is chance: the examples are the same in every run.
hypothesis.settings.register_profile("reproducible", deadline=None, derandomize=True)
hypothesis.settings.load_profile("reproducible")

# Otherwise, every job of a study would compile the library again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# They take minutes (the cluster's mostly wait) and come first, so that no worker is left alone with one at the end.
LONGEST = ("test_slurm.py", "test_workflow.py", "test_extending.py", "test_report_in_browser.py", "test_status.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first; the tests of a file stay together and in order."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Use one thread, as the workflow's jobs do."""
    use_threads(1)


@pytest.fixture(autouse=True)
def _nothing_keeps_running():
    """End runs that a failed test left behind, which would slow all later tests."""
    yield
    kill_started()


@pytest.fixture
def described_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Describe networks and weights in this process, where torch is already loaded, and anew for each test."""

    def ask(asked: foreign_networks.Question) -> dict[str, object]:
        try:
            return describe(**asked.to_json())
        except CutError as error:
            raise foreign_networks.refusal(asked, str(error)) from error

    def ask_of_weights(asked: dict[str, object]) -> dict[str, object]:
        try:
            return describe_weights(**asked)
        except (WeightsError, CutError) as error:
            raise pretrained_weights.refusal(str(asked["source"]), str(error)) from error

    foreign_networks._description.cache_clear()
    pretrained_weights._described.cache_clear()
    monkeypatch.setattr(foreign_networks, "_ask", ask)
    monkeypatch.setattr(pretrained_weights, "_ask", ask_of_weights)


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small study, run once for all workers; it must not be changed, so tests that change it use a copy.

    The output of the run is in its file ``output.txt``.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "finished"
    with (shared / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "output.txt").exists():
            shutil.rmtree(folder, ignore_errors=True)  # left by a worker whose run failed
            folder.mkdir()
            output = Project(folder).run("--resources", "gpu=4")
            (folder / "output.txt").write_text(output)
    return Project.there(folder)


@pytest.fixture(scope="session")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    build_store(Patterns(), folder)
    return folder


@pytest.fixture(scope="session")
def recipe(store_folder: Path) -> Recipe:
    store = open_store(store_folder)
    return Recipe(
        store=store,
        split=random_split(store.classes, "random0", 0),
        seed=0,
        settings=Settings(
            architecture="mini_caffenet",
            preprocessing=Preprocessing(crop=0, mirror=False, mean="own", scale=64.0),
            hyperparameters=Hyperparameters(
                iterations=24,
                batch_size=8,
                learning_rate=0.02,
                schedule="step",
                step_every=10,
                step_factor=0.5,
                momentum=0.9,
                weight_decay=0.0005,
                bias_lr_multiplier=2.0,
                clip_norm=0.0,
                precision="float32",
                evaluate_every=6,
            ),
        ),
    )


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return running_in(tmp_path, state_every_seconds=0.0)


@pytest.fixture(scope="session")
def bases(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with baseA and baseB, which is only read."""
    return train_bases(recipe, tmp_path_factory.mktemp("bases"))
