"""What metrics files say about how a network was made."""

import platform
import subprocess

import pytest
import torch

from tests.support import files_in
from transferability.files import PROJECT, read_json
from transferability.process import provenance as provenance_module
from transferability.process.provenance import commit_of, provenance
from transferability.study.settings import ENGINE_VERSION
from transferability.training.train import train


def git(folder, *arguments):
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    done = subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip()


@pytest.fixture
def commit():
    """Returns a function for what git says now, not what it said earlier in this process."""
    return commit_of.__wrapped__


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "file").write_text("1")
    git(folder, "add", "file")
    git(folder, "commit", "--quiet", "--message", "one")
    return folder


def test_the_commit_is_that_of_the_checkout(repository, commit):
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "tag", "--annotate", "v1", "--message", "v1")
    assert commit(repository) == head
    (repository / "untracked").write_text("")
    assert commit(repository) == head
    (repository / "file").write_text("2")
    assert commit(repository) == f"{head}-dirty"


def test_neither_git_nor_a_hook_points_elsewhere(repository, commit, tmp_path, monkeypatch):
    """A hook sets GIT_DIR; and a checkout without .git may lie in someone's repository."""
    inner = repository / "inner"
    inner.mkdir()
    assert commit(inner) is None
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    assert commit(tmp_path) is None


def test_a_worktree_has_its_own_commit(repository, commit, tmp_path):
    git(repository, "worktree", "add", "--quiet", "--detach", str(tmp_path / "worktree"))
    assert commit(tmp_path / "worktree") == git(repository, "rev-parse", "HEAD")


def test_without_git_or_without_commits_there_is_none(repository, commit, tmp_path, monkeypatch):
    git(tmp_path, "init", "--quiet")
    assert commit(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit(repository) is None


def test_git_that_hangs_is_not_waited_for(repository, commit, tmp_path, monkeypatch):
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(provenance_module, "GIT_SECONDS", 0.1)
    assert commit(repository) is None


def test_metrics_say_what_made_the_network(recipe, running, tmp_path):
    train(recipe, files_in(tmp_path, "baseA"), None, running)
    metrics = read_json(tmp_path / "baseA.metrics.json")
    assert provenance("cpu").items() <= metrics.items()
    assert metrics["versions"]["python"] == platform.python_version()
    assert metrics["threads"] == torch.get_num_threads() == 1
    assert metrics["device"].startswith("cpu (")
    assert metrics["seed"] == recipe.seed
    assert metrics["made_from"]["engine_version"] == ENGINE_VERSION
    assert metrics["made_from"]["hyperparameters"] == recipe.hyperparameters.to_json()


def test_the_documentation_names_every_key(recipe, running, tmp_path):
    train(recipe, files_in(tmp_path, "baseA"), None, running)
    metrics = read_json(tmp_path / "baseA.metrics.json")
    page = (PROJECT / "docs" / "reproducibility.md").read_text()
    for key in [*metrics, *metrics["made_from"]]:
        assert f"`{key}`" in page or key.startswith("top5_"), key


def test_a_commit_trains_nothing_anew_and_changes_no_checkpoint(recipe, running, tmp_path, monkeypatch):
    files = files_in(tmp_path, "baseA")
    (of_base,) = files.values()
    train(recipe, files, None, running)
    checkpoint = of_base.checkpoint.read_bytes()
    monkeypatch.setattr(provenance_module, "commit_of", lambda folder: "another")
    for path in of_base.all():
        path.unlink()
    train(recipe, files, None, running)
    assert read_json(of_base.metrics)["commit"] != "another"  # put back, not trained
    (running.states / "baseA" / "finished" / "note.json").unlink()
    train(recipe, files, None, running)
    assert read_json(of_base.metrics)["commit"] == "another"
    assert of_base.checkpoint.read_bytes() == checkpoint
