"""Batch norm statistics of frozen layers are verified, with each measured once for all depths."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.support import files_in, running_in, with_settings
from tests.training.support import CUTS, FOREIGN, of_dropping
from transferability.files import csv_of, read_json, write_json, write_text
from transferability.inspection import measurements
from transferability.inspection.findings import failures
from transferability.inspection.measurements import Measurements
from transferability.inspection.network_check import NetworkCheck
from transferability.records.checkpoints import read_about, save_checkpoint
from transferability.results.accuracies import collect, read_accuracies
from transferability.study.settings import ADAPT, FROZEN_BATCH_NORM, SOURCE
from transferability.training.train import train

LAYERS = (*CUTS, "fc")
SERIES = {"A": ("A1B", "A2B", "A3B"), "B": ("B1B", "B3B"), "R": ("R1B", "R3B"), "A+": ("A2B+",)}


@pytest.fixture(scope="module")
def adapting(recipe):
    return of_dropping(recipe, replace(FOREIGN, frozen_batch_norm=ADAPT))


@pytest.fixture(scope="module")
def trained(adapting, tmp_path_factory):
    """The files of two bases and of series from each source, with statistics measured on the target."""
    folder = tmp_path_factory.mktemp("trained")
    running = running_in(folder)
    short = adapting.with_hyperparameters(iterations=2, evaluate_every=1)
    files = {}
    for source, names in {"baseA": ("baseA",), "baseB": ("baseB",), **SERIES}.items():
        of_series = files_in(folder, *names)
        base = folder / f"base{source[0]}.safetensors"
        train(short, of_series, base if source[0] in "AB" else None, running)
        files |= of_series
    return short, {network.name: paths for network, paths in files.items()}


@pytest.fixture
def measured_of(monkeypatch):
    """The networks that statistics were measured for."""
    asked = []
    original = measurements.measured

    def measured(recipe, network, weights, device):
        asked.append(network.name)
        return original(recipe, network, weights, device)

    monkeypatch.setattr(measurements, "measured", measured)
    return asked


def wrong(recipe, files, measure):
    return failures(
        finding for paths in files.values() for finding in NetworkCheck(recipe, paths, measure).findings(False)
    )


def test_they_are_measured_once_for_all_depths(trained, measured_of):
    assert not wrong(*trained, Measurements())
    assert measured_of == ["A1B", "B1B", "R1B"]


def test_those_of_other_targets_splits_and_seeds_are_measured_apart(adapting, measured_of, trained):
    measure = Measurements()
    recipe, files = trained
    weights = load_file(files["baseA"].checkpoint)
    variants = [
        (recipe, "A1B"),
        (recipe, "A3B"),
        (recipe, "A1A"),
        (replace(recipe, seed=1), "A1B"),
        (replace(recipe, split=replace(recipe.split, name="random1")), "A1B"),
    ]
    for other, name in variants:
        (network,) = files_in(Path(), name)
        measure(other, network, weights, "cpu")
    assert measured_of == ["A1B", "A1A", "A1B", "A1B"]


def test_no_more_are_kept_than_fit(trained, measured_of, monkeypatch):
    recipe, files = trained
    monkeypatch.setattr(measurements, "_MOST_KEPT", 1)
    measure, weights = Measurements(), load_file(files["baseA"].checkpoint)
    for name in ("A1B", "A1A", "A2A", "A2B"):
        (network,) = files_in(Path(), name)
        measure(recipe, network, weights, "cpu")
    assert measured_of == ["A1B", "A1A", "A2B"]


def test_statistics_that_were_not_measured_so_are_noticed(trained, tmp_path):
    recipe, files = trained
    weights, about = load_file(files["A3B"].checkpoint), read_about(files["A3B"].checkpoint)
    weights["block2.norm.running_mean"][0] += 1e-3
    damaged = files_in(tmp_path, "A3B")
    (paths,) = damaged.values()
    shutil.copy(files["baseA"].checkpoint, tmp_path)
    save_checkpoint(paths.checkpoint, weights, about)
    write_text(paths.metrics, files["A3B"].metrics.read_text())
    with pytest.raises(ValueError, match=r"block2\.norm\.running_mean is frozen, but not"):
        NetworkCheck(recipe, paths, Measurements()).check_frozen_layers()


class TestWhatIsTold:
    """What metrics, the table and `verify` say about the statistics that a network has."""

    def test_the_table_says_which_of_the_two(self, trained, tmp_path):
        _, files = trained
        table = collect((paths.metrics for paths in files.values()), LAYERS)
        told = dict(table[["network", FROZEN_BATCH_NORM]].dropna().itertuples(index=False, name=None))
        # The stem has no batch norm; it is in the blocks.
        assert told == dict.fromkeys(("A2B", "A3B", "B3B", "R3B"), ADAPT)
        path = tmp_path / "accuracies.csv"
        write_text(path, csv_of(table))
        assert csv_of(read_accuracies(path)) == csv_of(table)

    def test_copied_ones_are_the_sources(self, trained, tmp_path, running):
        recipe, files = trained
        copying = with_settings(recipe, foreign=replace(FOREIGN, frozen_batch_norm=SOURCE))
        copies = files_in(tmp_path, "B2B")
        train(copying, copies, files["baseB"].checkpoint, running)
        untrained = files_in(tmp_path, "R2B")
        train(copying, untrained, None, running)
        told = [read_json(paths.metrics)[FROZEN_BATCH_NORM] for paths in (*copies.values(), *untrained.values())]
        assert told == [SOURCE, ADAPT]

    def test_networks_without_have_no_such_column(self, recipe, tmp_path, running):
        files = files_in(tmp_path, "R2B")
        train(recipe, files, None, running)
        (paths,) = files.values()
        assert FROZEN_BATCH_NORM not in read_json(paths.metrics)
        assert FROZEN_BATCH_NORM not in collect([paths.metrics], tuple("abcdefgh"))

    @pytest.mark.parametrize("name", ["A1B", "A3B"])
    def test_what_is_not_so_is_noticed(self, trained, tmp_path, name):
        recipe, files = trained
        check = NetworkCheck(recipe, files[name], Measurements())
        metrics = read_json(files[name].metrics)
        damaged = files_in(tmp_path, name)
        (paths,) = damaged.values()
        write_json(paths.metrics, metrics | {FROZEN_BATCH_NORM: SOURCE})
        other = NetworkCheck(recipe, replace(files[name], metrics=paths.metrics), Measurements())
        check.check_metrics()
        with pytest.raises(ValueError, match="its frozen_batch_norm is 'source', not"):
            other.check_metrics()

    def test_what_cannot_be_is_refused(self, trained, tmp_path):
        _, files = trained
        path = tmp_path / "A3B.metrics.json"
        write_json(path, read_json(files["A3B"].metrics) | {FROZEN_BATCH_NORM: "target"})
        with pytest.raises(ValueError, match="frozen_batch_norm is 'target', which cannot be"):
            collect([path], LAYERS)
