"""Verification passes what is right, and names whatever is not."""

import shutil
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from safetensors.torch import load_file

from tests.support import DEFAULT, files_in, flip, running_in
from transferability.data.splits import split_to_json
from transferability.figures.style import save
from transferability.files import read_json, write_json, write_table, write_text
from transferability.inspection import rounding
from transferability.inspection.findings import Finding, failures, findings_text
from transferability.inspection.verification import Outputs, spread, verify_study
from transferability.networks.precision import PRECISIONS
from transferability.records.checkpoints import read_about, save_checkpoint
from transferability.results.accuracies import Results, collect, read_accuracies
from transferability.results.effects import effects
from transferability.results.paper import summarize
from transferability.results.reuse import reusable
from transferability.study.config import STAGES
from transferability.study.design import Study
from transferability.study.sections import FiguresSection, RunningSection
from transferability.study.split_plan import SplitPlan
from transferability.training.recipe import Recipe
from transferability.training.train import train

NAMES = ("baseA", "baseB", "A3B", "A3B+", "R3B")


class Finished:
    """A finished study of five networks in a folder, as the workflow would leave it."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder = folder
        self.files = files_in(folder / "networks", *NAMES)
        self.outputs = Outputs(
            stores={"patterns": folder / "store"},
            splits={"random0": folder / "random0.json"},
            checkpoints={("random0", 0, network): files.checkpoint for network, files in self.files.items()},
            tables={name: folder / f"{name}.csv" for name in ("accuracies", "summary", "effects", "reuse")},
            pictures=[folder / "figure.png", folder / "figure.pdf"],
        )
        self.study = Study(
            config={
                "dataset": "patterns",
                "datasets": {"patterns": {"kind": "patterns"}},
                "stores": str(folder),
                "splits": ["random0"],
                "networks": {
                    "architecture": recipe.settings.architecture,
                    "directions": ["AnB", "BnA"],
                    "reduced": [],
                    "random_for": "halves",
                    "pretrained": "",
                },
            },
            splits={"random0": SplitPlan("random0", 0, None)},
            seeds=(0,),
            halves_series=(),
            whole_series=(),
            reduced=(),
            amounts=(None,),
            stages=dict.fromkeys(STAGES, recipe.settings),
            running=RunningSection(**DEFAULT["running"]),
            figures=FiguresSection(**DEFAULT["figures"]),
        )

    def __getitem__(self, name: str) -> Path:
        return self.folder / name

    def findings(self, evaluations: int = len(NAMES)) -> list[Finding]:
        return list(verify_study(self.study, self.outputs, evaluations, lambda _line: None))

    def wrong(self) -> dict[str, str]:
        """What is wrong, by the name of the file and, where there is one, its part."""
        return {
            f.what.removeprefix(f"{self.folder}/").removeprefix("networks/"): f.result
            for f in failures(self.findings())
        }


@pytest.fixture(scope="module")
def untouched(recipe, store_folder, tmp_path_factory):
    study = Finished(tmp_path_factory.mktemp("finished"), recipe)
    shutil.copytree(store_folder, study["store"])
    write_json(study["random0.json"], split_to_json(recipe.split, recipe.store))
    running = running_in(study.folder)
    for network, files in study.files.items():
        source = study["networks/baseA.safetensors"] if network.source == "A" else None
        train(recipe, {network: files}, source, running)
    write_table(study["accuracies.csv"], collect((files.metrics for files in study.files.values()), study.study.layers))
    results = Results.of_study(read_accuracies(study["accuracies.csv"]), study.study)
    write_table(study["summary.csv"], summarize(results))
    write_table(study["effects.csv"], effects(results))
    write_table(study["reuse.csv"], reusable(results))
    save(Figure(), *study.outputs.pictures)
    return study


@pytest.fixture
def study(untouched, recipe, tmp_path):
    """A copy to damage."""
    shutil.copytree(untouched.folder, tmp_path / "study")
    return Finished(tmp_path / "study", recipe)


def change(path: Path, **values: object) -> None:
    write_json(path, read_json(path) | values)


def test_a_finished_study_passes(untouched):
    findings = untouched.findings()
    assert not failures(findings)
    assert len({finding.what for finding in findings}) == len(findings) == 1 + 1 + 3 * 5 + 2 + 5 + 4 + 2
    assert findings_text(findings) == f"all {len(findings)} checks passed"


def test_a_changed_pixel_is_noticed(study):
    flip(study["store/images.npy"], -1)
    found = study.wrong()["store"]
    assert "images.npy: damaged (image 101, validation 29, is not what was written); delete" in found


def test_a_store_that_cannot_be_opened_is_noticed(study):
    (study["store/images.npy"]).write_bytes(b"")
    assert "images.npy" in study.wrong()["store"]


def test_a_split_of_other_classes_is_noticed(study):
    content = read_json(study["random0.json"])
    content["halves"] = {"A": content["halves"]["B"], "B": content["halves"]["A"]}
    write_json(study["random0.json"], content)
    assert list(study.wrong()) == ["random0.json"]


@pytest.mark.parametrize("kind", ["safetensors", "history.csv", "metrics.json"])
def test_a_missing_file_is_named(study, kind):
    study[f"networks/A3B.{kind}"].unlink()
    assert "No such file" in study.wrong()[f"A3B.{kind}"]


@pytest.mark.parametrize("kind", ["safetensors", "history.csv", "metrics.json"])
def test_a_truncated_file_is_named(study, kind):
    path = study[f"networks/A3B.{kind}"]
    path.write_bytes(path.read_bytes()[:-30])
    assert f"A3B.{kind}" in study.wrong()


def test_a_flipped_bit_in_weights_is_noticed(study):
    flip(study["networks/A3B+.safetensors"], -3)
    wrong = study.wrong()
    assert "its weights are damaged" in wrong["A3B+.safetensors"]


def test_swapped_checkpoints_are_noticed(study):
    one, other = study["networks/A3B.safetensors"], study["networks/A3B+.safetensors"]
    one.rename(study["kept"])
    other.rename(one)
    study["kept"].rename(other)
    wrong = study.wrong()
    assert wrong["A3B.safetensors"] == "its network is 'A3B+', not 'A3B'"
    assert wrong["A3B+.safetensors"] == "its network is 'A3B', not 'A3B+'"


@pytest.mark.parametrize(
    ("name", "tensor", "wrong"),
    [
        ("A3B", "conv2.0.weight", "A3B.safetensors: frozen layers"),
        ("R3B", "conv1.0.bias", "R3B.safetensors: frozen layers"),
        ("A3B+", "fc8.0.bias", "A3B+.safetensors: accuracy"),
    ],
)
def test_weights_that_are_whole_but_not_the_networks_own_are_noticed(study, name, tensor, wrong):
    """They are as another program would write them, with a digest that matches the weights."""
    path = study[f"networks/{name}.safetensors"]
    weights, about = load_file(path), read_about(path)
    weights[tensor][0] += 1e6 if wrong.endswith("accuracy") else 1e-6
    save_checkpoint(path, weights, about)
    found = set(study.wrong())
    assert wrong in found
    assert found <= {wrong, f"{name}.safetensors: accuracy"}  # its losses notice the least change


def test_weights_that_are_not_finite_are_noticed(study):
    path = study["networks/A3B+.safetensors"]
    weights, about = load_file(path), read_about(path)
    weights["fc8.0.bias"][0] = torch.nan
    save_checkpoint(path, weights, about)
    assert study.wrong()["A3B+.safetensors"] == "fc8.0.bias has weights that are not finite"


def test_a_base_trained_anew_makes_its_series_stale(study, recipe, tmp_path):
    other = recipe.with_hyperparameters(learning_rate=0.01)
    train(other, files_in(tmp_path, "baseA"), None, running_in(tmp_path))
    shutil.copy(tmp_path / "baseA.safetensors", study["networks"])
    wrong = study.wrong()
    assert "its hyperparameters is" in wrong["baseA.safetensors"]
    assert "its source_sha256 is" in wrong["A3B.safetensors"]
    assert "is frozen, but not what it is in baseA.safetensors" in wrong["A3B.safetensors: frozen layers"]
    assert not [name for name in wrong if name.startswith(("R3B", "baseB"))]


def test_another_accuracy_is_noticed(study):
    change(study["networks/A3B.metrics.json"], top1_final=0.123)
    wrong = study.wrong()
    assert {"A3B.history.csv", "A3B.safetensors: accuracy", "accuracies.csv"} <= wrong.keys()
    assert wrong["A3B.safetensors: accuracy"].endswith("recorded is 0.123")


@pytest.mark.parametrize("name", ["validation_cross_entropy", "training_cross_entropy", "training_top1"])
@pytest.mark.parametrize("by", [1e-9, 0.3])
def test_another_evaluation_is_noticed(study, name, by):
    path = study["networks/A3B.metrics.json"]
    change(path, **{name: read_json(path)[name] + by})
    wrong = study.wrong()
    expected = {"A3B.history.csv"} if name == "validation_cross_entropy" else set()
    assert expected | {"A3B.safetensors: accuracy", "accuracies.csv"} <= wrong.keys()
    assert f"its {name} is" in wrong["A3B.safetensors: accuracy"]


def test_another_number_of_training_images_is_noticed(study):
    change(study["networks/A3B.metrics.json"], training_images_evaluated=14)
    assert study.wrong()["A3B.metrics.json"] == "its training_images_evaluated is 14, not 15"


def test_metrics_of_another_network_are_noticed(study):
    shutil.copy(study["networks/A3B.metrics.json"], study["networks/R3B.metrics.json"])
    assert study.wrong()["R3B.metrics.json"] == "its network is 'A3B', not 'R3B'"


def test_networks_trained_on_another_device_may_differ_by_little(study, monkeypatch):
    path = study["networks/A3B.metrics.json"]
    recorded = read_json(path)
    monkeypatch.setattr(rounding, "ROUNDING_TOLERANCE", {"float32": 1.0})
    for made_with in ({"device": "NVIDIA H100"}, {"threads": 64}, {"versions": {"torch": "1.0"}}):
        write_json(path, recorded | made_with | {"top1_final": 1 - recorded["top1_final"]})
        assert "A3B.safetensors: accuracy" not in study.wrong()
    write_json(path, recorded | {"top1_final": 1 - recorded["top1_final"]})
    assert "A3B.safetensors: accuracy" in study.wrong()


def test_every_precision_has_a_tolerance():
    assert rounding.ROUNDING_TOLERANCE.keys() == set(PRECISIONS)


@pytest.mark.parametrize("name", ["accuracies.csv", "summary.csv", "effects.csv", "reuse.csv"])
def test_an_edited_table_is_noticed(study, name):
    path = study[name]
    write_text(path, path.read_text().replace("0", "1", 1))
    assert study.wrong()[name].startswith("not what its inputs give")


@pytest.mark.parametrize("name", ["figure.png", "figure.pdf"])
def test_half_a_picture_is_noticed(study, name):
    path = study[name]
    path.write_bytes(path.read_bytes()[:-20])
    assert study.wrong() == {name: "not a whole picture; delete it to have it drawn again"}


def test_only_as_many_networks_are_evaluated_as_asked_for(untouched):
    evaluated = [f.what for f in untouched.findings(evaluations=2) if f.what.endswith("accuracy")]
    assert [Path(what.split(":")[0]).stem for what in evaluated] == [NAMES[0], NAMES[-1]]


@pytest.mark.parametrize(("count", "sample"), [(0, 5), (1, 5), (5, 0), (10, 3), (144, 50), (7, 7)])
def test_a_sample_is_spread_over_all(count, sample):
    chosen = spread(count, sample)
    assert len(chosen) == min(count, sample)
    assert chosen <= set(range(count))


def test_many_failures_are_counted_and_twenty_told():
    findings = [Finding(f"file {i}", "wrong") for i in range(30)] + [Finding("file", "ok")]
    lines = findings_text(findings).splitlines()
    assert lines[0] == "30 of 31 checks failed:"
    assert lines[-1] == "and 10 more"
    assert len(lines) == 22
