"""This workflow as a module of another one, in a folder of its own, as docs/module.md says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.support import ROOT

SMALL = {
    "study": "small",
    "datasets": {
        "glyphs": {"letters": 6, "symbols": 6, "training_per_class": 12, "validation_per_class": 6, "distortion": 0.5}
    },
    "splits": ["random0"],
    "networks": {"depths": [1, 7], "treatments": ["transfer"]},
    "training": {"iterations": 12, "batch_size": 16, "evaluate_every": 4},
}
CONFIG = f"""
configfile: "{ROOT}/config.yaml"
configfile: "small.yaml"
"""
MODULE = """
module transferability:
    snakefile: {snakefile}
    config: config
    {more}

use rule * from transferability as transferability_*
"""
OWN_RULES = """
rule deepest_transfer:
    input:
        accuracies=rules.transferability_accuracies.output.accuracies,
    output:
        "deepest.csv",
    shell:
        "grep -E '^split,|,A7B,' {input.accuracies} > {output}"
"""

pytestmark = pytest.mark.slow


class Other:
    """A workflow of somebody else's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))

    def write(self, *parts: str, snakefile: str = f'"{ROOT}/Snakefile"', more: str = "") -> "Other":
        text = "\n".join(parts) if parts else "\n".join([CONFIG, MODULE])
        (self.folder / "Snakefile").write_text(text.replace("{snakefile}", snakefile).replace("{more}", more))
        return self

    def run(self, *arguments: str, check: bool = True, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=self.folder,
            text=True,
            capture_output=True,
            check=False,
            env=os.environ | environment,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        assert check or done.returncode != 0
        return done.stdout + done.stderr


def job_counts(output):
    return dict(re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE))


@pytest.fixture
def other(tmp_path):
    return Other(tmp_path)


def test_the_whole_study_is_planned_under_the_names_that_the_other_workflow_gives(other):
    expected = {
        **dict.fromkeys(["store", "contact_sheet", "split", "halves_sheet", "filters", "accuracies", "tables"], "1"),
        **dict.fromkeys(["train_base", "train_frozen_n1_to_7"], "2"),
        **dict.fromkeys(["figures", "learning_curves", "report", "all"], "1"),
    }
    counts = job_counts(other.write().run("--dry-run", "transferability_all"))
    counts.pop("total")
    assert counts == {f"transferability_{name}": count for name, count in expected.items()}


def test_a_rule_of_the_other_workflow_uses_the_accuracies(other):
    """With its own rule first, that one is the default target, and only what it needs is made."""
    own_target = "rule everything:\n    input: 'deepest.csv'\n"
    other.write(own_target, CONFIG, MODULE, OWN_RULES).run()
    accuracies = pd.read_csv(other.folder / "results" / "small" / "accuracies.csv")
    assert set(accuracies["network"]) == {"baseA", "baseB", *(f"{s}{n}{t}" for n in (1, 7) for s, t in ("AB", "BA"))}
    header, deepest = (other.folder / "deepest.csv").read_text().splitlines()
    assert header.startswith("split,split_type,network,")
    assert deepest.startswith("random0,random,A7B,")
    assert not (other.folder / "results" / "small" / "figures").exists()
    assert {path.name for path in other.folder.iterdir() if not path.name.startswith(".")} == {
        *("Snakefile", "small.yaml", "results", "deepest.csv")
    }


def test_without_rules_of_its_own_the_study_is_the_default(other):
    assert job_counts(other.write().run("--dry-run"))["transferability_all"] == "1"
    other.write(snakefile=f'"{ROOT}/workflow/Snakefile"')
    assert job_counts(other.run("--dry-run"))["transferability_all"] == "1"


def test_checks_and_headline_can_be_had(other):
    """The main workflow has to request them, and then gets them."""
    hooks = "onstart:\n    transferability.before_the_first_job()\n\nonsuccess:\n    transferability.print_headline()\n"
    other.write(CONFIG, MODULE, hooks)
    output = other.run("transferability_published_tables")
    assert (other.folder / ".snakemake" / "run.lock").exists()
    headline = (other.folder / "results" / "published" / "headline.txt").read_text()
    assert headline in output
    assert headline not in other.run("transferability_status")


def test_rules_of_seconds_are_local_whatever_they_are_called(other):
    """On a cluster these are not submitted, and no rule of the other workflow is mistaken for one of them."""
    output = other.write(CONFIG, MODULE, "print('local:', *workflow._localrules)").run("--dry-run")
    local = {name.removeprefix("transferability_") for name in re.search(r"local: (.*)", output)[1].split()}
    assert local == {
        *("all", "split", "image_list", "image_lists", "contact_sheet", "cuts", "accuracies", "tables", "figures"),
        *("halves_sheet", "learning_curves", "filters", "compare", "report", "report_so_far", "status"),
        *("published", "published_accuracies", "published_tables", "published_figures"),
        *("probe", "proxies", "measured_proxies"),
    }
    assert "localrules directive specifies" not in output


@pytest.mark.parametrize("more", ['prefix: "elsewhere"', 'replace_prefix: {"results/": "elsewhere/"}'])
def test_a_prefix_is_refused(other, more):
    output = other.write(more=more).run("--dry-run", check=False)
    assert "a module's prefix would move what rules write to results/small and not the training states" in output


def test_results_can_be_moved_by_the_config(other):
    other.write(CONFIG, 'config["results"] = "elsewhere"', MODULE)
    output = other.run("--dry-run", "transferability_accuracies")
    assert "elsewhere/small/networks/random0/seed0/A7B.metrics.json" in output


def test_a_module_from_a_repository_is_refused_in_one_line(other, tmp_path):
    """Snakemake reads it from its own clone, which the test provides, because tests have no network."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    project, clone = tmp_path / "project", tmp_path / "cache/snakemake/snakemake/source-cache/snakemake-git-cache"
    project.mkdir()
    shutil.copy(ROOT / "Snakefile", project)
    shutil.copytree(ROOT / "workflow", project / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.invalid"]
    for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "-m", "all"], ["tag", "v1"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    target = clone / "github.com" / "someone" / "transferability"
    subprocess.run(["git", "clone", "--quiet", "--bare", project, target], check=True)
    source = 'github("someone/transferability", path="workflow/Snakefile", tag="v1")'
    output = other.write(snakefile=source).run("--dry-run", check=False, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert "import a library that lies beside them, which Snakemake does not fetch from a repository" in output
    assert "ModuleNotFoundError" not in output


def test_the_main_workflow_has_both_of_its_names(tmp_path):
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("workflow", "resources"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    other = Other(tmp_path)
    counts = job_counts(other.run("--dry-run"))
    assert counts["all"] == "1"
    assert job_counts(other.run("--dry-run", "--snakefile", "workflow/Snakefile")) == counts
