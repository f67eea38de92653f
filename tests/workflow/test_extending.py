"""docs/extending.md, followed word by word: its diffs are applied, its configs written and its commands run."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from tests.project import SMALL, Project, merged, store_of
from tests.support import DEFAULT, ROOT
from transferability.networks.architectures.mini_caffenet import LAYERS

PAGE = (ROOT / "docs" / "extending.md").read_text()
# What is shortened in the copy's config.yaml, which the page's own configs override.
SHORT = merged(SMALL, {"splits": ["random0"], "networks": {"treatments": ["transfer"]}})
# Panels' titles and legends that the copy's own code draws of a study.
DRAWN = """
import sys
from pathlib import Path
import pandas as pd, yaml
from transferability.figures.paper import figure3
from transferability.figures.style import figure_style
from transferability.figures.training import learning_curves
from transferability.networks.architectures import architecture_layers
from transferability.results.accuracies import Results, read_accuracies
results = Path(sys.argv[1])
colors = yaml.safe_load(Path(sys.argv[2]).read_text())["figures"]["colors"]
histories = {p.name.removesuffix(".history.csv"): pd.read_csv(p) for p in results.glob("networks/*/*/*.history.csv")}
accuracies = read_accuracies(results / "accuracies.csv")
with figure_style(colors):
    print([axes.get_title() for axes in learning_curves(histories).axes])
    figure = figure3(Results.by(accuracies, "top1_final", 0.02, architecture_layers("mini_caffenet")))
    print(figure.axes[-1].get_legend_handles_labels()[1])
"""

VGG_LAYERS = ("block1", "block2", "block3", "hidden", "classes")
TITLES = ("A data set of another kind", "Another network", "Another treatment")


@dataclass(frozen=True)
class Section:
    """The fenced blocks in a section of the page."""

    diffs: list[str]
    configs: dict[str, str]
    commands: list[str]

    @classmethod
    def titled(cls, title):
        (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        of_kind = {kind: [content for name, content in blocks if name == kind] for kind in ("diff", "yaml", "sh")}
        configs = {re.match(r"# (config/\w+\.yaml)\n", content)[1]: content for content in of_kind["yaml"]}
        return cls(of_kind["diff"], configs, "".join(of_kind["sh"]).splitlines())


class Extended(Project):
    """A copy of the project as a section of the page makes it."""

    def __init__(self, folder, section, changes=None):
        super().__init__(folder)
        self.section = section
        for name in ("pyproject.toml", "benchmarks"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        (folder / "config.yaml").write_text(yaml.safe_dump(merged(merged(DEFAULT, SHORT), changes or {})))
        calibration = folder / "workflow" / "scripts" / "transferability" / "planning" / "calibration.py"
        calibration.write_text(calibration.read_text().replace("\nSECONDS = 0.6\n", "\nSECONDS = 0.01\n"))
        for diff in section.diffs:
            # Outside any repository, because git would interpret the paths as relative to its root.
            done = subprocess.run(
                ["git", "apply", "-"],
                cwd=folder,
                input=diff,
                env={**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)},
                text=True,
                capture_output=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        (folder / "config").mkdir(exist_ok=True)
        for name, content in section.configs.items():
            (folder / name).write_text(content)

    def shell(self, command):
        """Run a command of the page, with this Python's Snakemake."""
        program, *arguments = shlex.split(command)
        assert program == "snakemake"
        done = subprocess.run(
            [sys.executable, "-m", program, *arguments], cwd=self.folder, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def follow(self):
        """Plan the study, run the page's commands, and ask for its status."""
        (config,) = self.section.configs
        self.output = {"plan": self.shell(f"snakemake --configfile {config} --cores 1 plan")}
        for command in self.section.commands:
            self.output[command.split()[-1]] = self.shell(command)
        self.output["status"] = self.shell(f"snakemake --configfile {config} --cores 1 status")
        assert re.search(r"all \d+ checks passed", self.output["verify"])
        assert "left: no training" in self.output["status"]
        return self

    @property
    def results(self):
        (config,) = self.section.configs.values()
        return self.folder / "results" / yaml.safe_load(config)["study"]

    def weights(self, name):
        return load_file(self.results / "networks" / "random0" / "seed0" / f"{name}.safetensors")


def extended(factory, title, changes=None):
    return Extended(factory.mktemp("extended"), Section.titled(title), changes)


@pytest.fixture(scope="module")
def blood(tmp_path_factory):
    project = extended(tmp_path_factory, TITLES[0])
    random = np.random.default_rng(0)
    labels = {"train": np.arange(8 * 12) % 8, "val": np.arange(8 * 5)[::-1] % 8}
    arrays = {f"{part}_labels": of_part[:, None].astype(np.uint8) for part, of_part in labels.items()}
    for part, of_part in labels.items():
        noise = random.integers(0, 60, (len(of_part), 28, 28, 3))
        arrays[f"{part}_images"] = (noise + 20 * of_part[:, None, None, None]).astype(np.uint8)
    (project.folder / "data").mkdir()
    np.savez_compressed(project.folder / "data" / "bloodmnist.npz", **arrays)
    project.arrays = arrays
    return project.follow()


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    changes = {"networks": {"treatments": ["transfer", "transfer+"]}}
    return extended(tmp_path_factory, TITLES[1], changes).follow()


@pytest.fixture(scope="module")
def permuted(tmp_path_factory):
    return extended(tmp_path_factory, TITLES[2]).follow()


@pytest.mark.slow
class TestADataSetOfAnotherKind:
    def test_the_store_has_the_files_images(self, blood):
        store = store_of(blood, "blood")
        assert json.loads((store / "manifest.json").read_text())["image_shape"] == [28, 28, 3]
        for kind in ("images", "labels"):
            expected = np.concatenate([blood.arrays[f"{part}_{kind}"] for part in ("train", "val")])
            assert np.array_equal(
                np.load(store / f"{kind}.npy"), expected.reshape(-1) if kind == "labels" else expected
            )
        assert list(pd.read_csv(store / "classes.csv", dtype=str)["name"]) == [f"{label:04}" for label in range(8)]

    def test_the_study_is_whole(self, blood):
        assert "8 classes, 96 training and 40 validation images of 28 x 28 x 3" in blood.output["plan"]
        assert set(pd.read_csv(blood.results / "accuracies.csv")["treatment"]) == {"base", "transfer"}

    def test_a_file_of_groups_makes_halves(self, blood):
        rows = [f"{label:04},{'low' if label < 4 else 'high'}" for label in range(8)]
        (blood.folder / "groups.csv").write_text("\n".join(["class,group", *rows]) + "\n")
        split = {"name": "low_high", "A": "low", "B": "high"}
        changes = {"datasets": {"blood": {"groups": "groups.csv"}}, "splits": [split]}
        (blood.folder / "groups.yaml").write_text(yaml.safe_dump(changes))
        target = "results/blood/splits/low_high.json"
        output = blood.shell(f"snakemake --configfile config/blood.yaml groups.yaml --cores 1 {target}")
        assert "rule store" not in output
        classes = json.loads((blood.folder / target).read_text())["halves"]["A"]["classes"]
        assert [c["name"] for c in classes] == ["0000", "0001", "0002", "0003"]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"val_labels": None}, "val_labels is not a file in the archive"),
            ({"val_labels": np.zeros(3, int)}, "not as many labels as images"),
            ({"train_images": np.zeros((96, 28, 28, 3))}, "images are float64 with 4 axes"),
            (None, "No such file"),
        ],
    )
    def test_a_file_that_is_none_is_refused_by_name(self, blood, tmp_path, changes, message):
        if changes is not None:
            arrays = {name: array for name, array in (blood.arrays | changes).items() if array is not None}
            np.savez(tmp_path / "x.npz", **arrays)
        code = (
            "import pathlib, sys\nfrom transferability.data.kinds.npz import npz_arrays\n"
            "npz_arrays('x', pathlib.Path(sys.argv[1]))"
        )
        scripts = blood.folder / "workflow" / "scripts"
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "x.npz"], cwd=scripts, text=True, capture_output=True, check=False
        )
        assert re.search(rf"StoreError: datasets\.x\.file: .*x\.npz cannot be used \(.*{message}", done.stderr)


@pytest.mark.slow
class TestAnotherNetwork:
    def test_checkpoints_are_of_the_new_network(self, vgg):
        assert {name.removeprefix("random0/seed0/").removesuffix(".safetensors") for name in vgg.networks()} == {
            "baseA",
            "baseB",
            *(f"{series.replace('n', n)}{plus}" for series in ("AnB", "BnA") for n in "1234" for plus in ("", "+")),
        }
        weights = vgg.weights("A4B")
        assert list(dict.fromkeys(key.split(".")[0] for key in sorted(weights))) == sorted(VGG_LAYERS)
        assert weights["block3.3.weight"].shape == (48, 48, 3, 3)

    def test_its_tables_have_its_layers(self, vgg):
        reuse = pd.read_csv(vgg.results / "reuse.csv")
        assert dict(zip(reuse["n"], reuse["layer"], strict=True)) == dict(enumerate(VGG_LAYERS[:-1], start=1))

    @pytest.mark.parametrize("name", ["A1B", "A2B", "A4B", "B2A", "A2B+", "A4B+"])
    def test_frozen_layers_and_their_statistics_are_the_sources_and_others_move(self, vgg, name):
        source, weights = vgg.weights(f"base{name[0]}"), vgg.weights(name)
        frozen = 0 if name.endswith("+") else int(name[1])
        for key in weights:
            number = VGG_LAYERS.index(key.split(".")[0]) + 1
            same = weights[key].shape == source[key].shape and bool((weights[key] == source[key]).all())
            if number <= frozen:
                assert same, key
            elif "num_batches_tracked" not in key:  # of a layer drawn anew, the same number of batches
                assert not same, key

    def test_fine_tuned_layers_go_on_with_the_sources_statistics(self, vgg):
        batches = {name: int(vgg.weights(name)["block1.1.num_batches_tracked"]) for name in ("baseA", "A4B+", "A4B")}
        assert batches == {"baseA": 12, "A4B+": 24, "A4B": 12}

    def test_a_network_a_job_is_the_same_to_the_bit(self, vgg):
        """Layers that networks share, with their statistics, are what each would have alone."""
        alone = {"study": "alone", "running": {"networks_per_job": 1}}
        (vgg.folder / "alone.yaml").write_text(yaml.safe_dump(alone))
        folder = "results/alone/networks/random0/seed0"
        names = [f"{folder}/{name}.safetensors" for name in ("A2B", "A4B", "A4B+")]
        vgg.shell(f"snakemake --configfile config/vgg.yaml alone.yaml --cores all {' '.join(names)}")
        for name in names:
            path = vgg.folder / name
            assert path.read_bytes() == (vgg.results / Path(name).relative_to("results/alone")).read_bytes()


@pytest.mark.slow
class TestAnotherTreatment:
    def test_frozen_layers_are_the_bases_shuffled(self, permuted):
        source, deep = permuted.weights("baseB"), permuted.weights("M7B")
        for name, frozen in (("M1B", 1), ("M4B", 4), ("M7B", 7)):
            weights = permuted.weights(name)
            for key in weights:
                if LAYERS.index(key.split(".")[0]) < frozen:
                    assert bool((weights[key] == deep[key]).all()), key
                    assert not bool((weights[key] == source[key]).all()), key
                    assert bool((weights[key].flatten().sort()[0] == source[key].flatten().sort()[0]).all()), key

    def test_it_is_in_every_table(self, permuted):
        accuracies = pd.read_csv(permuted.results / "accuracies.csv")
        of_treatment = accuracies[accuracies["treatment"] == "permuted"]
        assert set(of_treatment["network"]) == {f"M{n}{half}" for n in (1, 4, 7) for half in "AB"}
        assert of_treatment["difference_top1_final"].notna().all()
        assert set(pd.read_csv(permuted.results / "summary.csv")["treatment"]) >= {"permuted", "random", "selffer"}
        effects = pd.read_csv(permuted.results / "effects.csv")
        of_structure = effects[effects["effect"] == "structure drop"]
        assert [list(rows["n"]) for _, rows in of_structure.groupby("metric")] == 4 * [[1, 4, 7]]

    def test_it_is_in_the_figures(self, permuted):
        scripts, config = permuted.folder / "workflow" / "scripts", permuted.folder / "full.yaml"
        changes = [yaml.safe_load(text) for text in permuted.section.configs.values()]
        config.write_text(
            yaml.safe_dump(merged(yaml.safe_load((permuted.folder / "config.yaml").read_text()), *changes))
        )
        command = [sys.executable, "-c", DRAWN, str(permuted.results), str(config)]
        drawn = subprocess.run(command, cwd=scripts, text=True, capture_output=True, check=True).stdout
        assert "MnA, permuted" in drawn
        assert "own features, weights shuffled" in drawn

    def test_plan_and_status_count_its_networks(self, permuted):
        assert re.search(r"^frozen +6 +18 ", permuted.output["plan"], re.MULTILINE)
        assert re.search(r"^all +20 +0 +0 +0 +20$", permuted.output["status"], re.MULTILINE)

    def test_the_fine_tuned_form_is_there_too_and_asks_for_no_other_network(self, permuted):
        changes = {"networks": {"treatments": ["selffer", "random", "permuted", "permuted+"]}}
        (permuted.folder / "plus.yaml").write_text(yaml.safe_dump(changes))
        output = permuted.shell("snakemake --configfile config/permuted.yaml plus.yaml --cores 1 -n --quiet host")
        jobs = re.findall(r"rule (train\w+):.*?wildcards: (.*?)\n", output, re.DOTALL)
        assert len(jobs) == 2
        assert all(rule.startswith("train_fine_tuned") and "source=M" in wildcards for rule, wildcards in jobs)


@pytest.fixture
def all_three(tmp_path):
    """A copy with the diffs of all sections."""
    sections = map(Section.titled, TITLES)
    return Extended(tmp_path, Section([diff for section in sections for diff in section.diffs], {}, []))


def test_the_diffs_apply_together(all_three):
    """A fast test that fails at once when the code around a diff has changed; remake the diff from the current code."""
    library = Path("workflow", "scripts", "transferability")
    for path in (
        library / "data" / "kinds" / "npz.py",
        Path("config", "mini_vgg.py"),
        library / "training" / "sources.py",
    ):
        ast.parse((all_three.folder / path).read_text())


@pytest.mark.slow
def test_all_three_are_as_clean_as_the_project(all_three):
    """Formatting, lint, types and Snakemake's own lint report nothing."""
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=all_three.folder, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "good condition" in all_three.shell("snakemake --lint")
