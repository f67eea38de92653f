"""What a study takes, before it starts: the sizes, the arithmetic, and a calibration whose answer is known."""

import copy
import math
import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake.utils import update_config

from tests.project import SMALL as SMALL_STUDY
from tests.project import Project, merged, store_of
from tests.support import DEFAULT, ROOT
from transferability.data.build import build_store
from transferability.data.kind import Kind
from transferability.data.kinds import data_set_kind, image_source
from transferability.data.kinds.glyphs import Glyphs
from transferability.data.splits import SplitError
from transferability.data.stream import EVALUATION_BATCH
from transferability.data.tasks import TooFewImagesError
from transferability.planning import calibration
from transferability.planning.calibration import Cost, Workload, calibrate, start_seconds
from transferability.planning.data_size import data_size, half_sizes
from transferability.planning.plan import Plan, PlannedJob, _spread_of_all, plan_text
from transferability.store.source import StoreError
from transferability.study.design import read_study
from transferability.study.names import Network
from transferability.study.schema import config_schema

NINE_CLASSES = {"glyphs": {"letters": 5, "symbols": 4, "training_per_class": 7, "validation_per_class": 3}}


def study_of(*changes):
    config = copy.deepcopy(DEFAULT)
    for change in changes:
        update_config(config, change)
    return read_study(config)


def overlay(name):
    return yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text())


@pytest.fixture(scope="module")
def small():
    return study_of({"datasets": NINE_CLASSES})


@pytest.fixture(scope="module")
def size(small):
    return data_size(small.data_set, Path("no store"))


def plan_with(study, size, seconds):
    sizes = {study.data_set.name: size}
    jobs = [PlannedJob(*job) for job in study.jobs()]
    return Plan(study, sizes, half_sizes(study, sizes), dict(zip(jobs, seconds, strict=True)), images_per_second=1000.0)


class TestDataSize:
    def test_a_store_and_its_images_have_the_same_size(self, small, size, tmp_path):
        build_store(
            Glyphs(**{key: value for key, value in small.data_set.store_settings.items() if key != "kind"}), tmp_path
        )
        stored = data_size(small.data_set, tmp_path)
        assert sorted(c.group for c in stored.classes) == sorted(c.group for c in size.classes)
        assert stored.training.tolist() == size.training.tolist() == [7] * 9
        assert stored.validation.tolist() == size.validation.tolist() == [3] * 9
        assert stored.image_shape == size.image_shape == (24, 24, 1)

    def test_halves_are_those_of_the_splits(self, small, size):
        halves = half_sizes(small, {"glyphs": size})
        assert {key: (half.classes, half.training, half.validation) for key, half in halves.items()} == {
            ("random0", "A"): (4, 28, 12),
            ("random0", "B"): (5, 35, 15),
            ("letters_symbols", "A"): (5, 35, 15),
            ("letters_symbols", "B"): (4, 28, 12),
        }

    def test_halves_by_images_have_all_classes_and_half_of_the_training_images(self, size):
        study = study_of({"datasets": NINE_CLASSES, "splits": [{"name": "images0", "by": "images"}]})
        halves = half_sizes(study, {"glyphs": size})
        assert {target: (half.classes, half.training, half.validation) for (_, target), half in halves.items()} == {
            "A": (9, 27, 27),
            "B": (9, 27, 27),
        }
        with pytest.raises(SplitError, match="has 1 training image"):
            half_sizes(study, {"glyphs": replace(size, training=size.training // 7)})

    def test_imagenet_is_assumed_by_its_classes_where_it_is_not(self):
        paper = study_of(overlay("imagenet"))
        size = data_size(paper.data_set, Path("no store"))
        assert (len(size.classes), size.image_shape) == (1000, (256, 256, 3))
        assert (
            size.origin
            == "assumed: /data/imagenet is no folder; the classes are those of resources/imagenet/classes.csv"
        )
        halves = half_sizes(paper, {paper.data_set.name: size})
        assert [halves["man_made_natural", half].classes for half in "AB"] == [551, 449]
        assert halves["whole", "whole"].classes == 1000

    def test_an_official_set_is_known_without_its_files(self):
        size = data_size(study_of(overlay("cifar100")).data_set, Path("no store"))
        assert (len(size.classes), size.training.sum(), size.validation.sum()) == (100, 50_000, 10_000)

    def test_a_folder_that_tells_nothing_is_refused(self):
        config = {"dataset": "mine", "datasets": {"mine": {"kind": "folder", "root": "/no/such", "size": 32}}}
        study = study_of(config, {"splits": ["random0"]})
        with pytest.raises(StoreError, match=r"datasets\.mine: there is no /no/such, its root, and no file of groups"):
            data_size(study.data_set, Path("no store"))

    def test_any_kind_of_data_set_that_is_not_at_hand_is_refused(self, small, monkeypatch):
        elsewhere = Kind(image_source, at_hand=lambda settings: False)
        monkeypatch.setattr("transferability.planning.data_size.data_set_kind", lambda settings: elsewhere)
        with pytest.raises(StoreError, match=r"datasets\.glyphs: its images are not at hand, and no file of groups"):
            data_size(small.data_set, Path("no store"))

    def test_every_kind_that_the_config_may_name_has_its_file(self):
        for kind in config_schema()["$defs"]["data_sets"]:
            assert isinstance(data_set_kind({"kind": kind}), Kind)


class TestWallTime:
    @given(data=st.data(), devices=st.integers(1, 9))
    def test_it_lies_within_the_bounds_of_any_schedule(self, small, size, data, devices):
        jobs = [PlannedJob(*job) for job in small.jobs()]
        seconds = data.draw(st.lists(st.floats(0.1, 100), min_size=len(jobs), max_size=len(jobs)))
        plan = plan_with(small, size, seconds)
        total = sum(seconds)
        critical = max(plan.seconds[job] + (plan.seconds[job.source] if job.source else 0) for job in jobs)
        assert plan.wall_seconds(1) == pytest.approx(total)
        assert plan.wall_seconds(math.inf) == pytest.approx(critical)
        assert plan.wall_seconds(len(jobs)) == pytest.approx(critical)
        wall = plan.wall_seconds(devices)
        assert max(total / devices, critical) - 1e-6 <= wall <= total / devices + critical + 1e-6

    def test_a_series_waits_for_its_base(self, small, size):
        jobs = [PlannedJob(*job) for job in small.jobs()]
        sources = {job.networks[0].name: job.source and job.source.networks for job in jobs if job.split == "random0"}
        assert sources["A1B+"] == sources["A1A"] == (Network("A"),)
        assert sources["B1A"] == sources["B1B"] == (Network("B"),)
        assert sources["R1B"] is sources["baseA"] is None


class Clockwork:
    """A device that takes a known time for everything."""

    def __init__(self, fixed, iteration, evaluated):
        self.fixed, self.iteration, self.evaluated = fixed, iteration, evaluated
        self.now, self.trained = 0.0, []

    def __call__(self):
        return self.now

    def train(self, recipe, files, source, running):
        settings = recipe.hyperparameters
        images = settings.evaluations * EVALUATION_BATCH
        self.now += self.fixed
        for watch in running.watchers:
            watch(None)
        self.now += settings.iterations * self.iteration + images * self.evaluated
        for watch in running.watchers:
            watch(None)
        self.trained.append((settings.iterations, settings.evaluate_every))


@pytest.fixture
def workload(recipe):
    return Workload((1, 4), (16, 16, 1), 6, recipe.settings, cached=True)


@pytest.fixture
def calibrated_on(workload, running, monkeypatch):
    """Returns a function that calibrates the cost on a made-up device."""

    def found(device):
        monkeypatch.setattr(calibration, "train", device.train)
        monkeypatch.setattr(calibration, "device_clock", lambda _device: device)
        running.states.mkdir()
        return calibrate(workload, running)

    return found


class TestCalibration:
    @pytest.mark.parametrize("cost", [Cost(0.5, 0.02, 0.0001), Cost(2.0, 0.7, 0.0), Cost(0.0, 0.0001, 0.000001)])
    def test_a_known_device_is_found_out(self, cost, calibrated_on, running):
        device = Clockwork(cost.fixed, cost.iteration, cost.evaluated_image)
        found = calibrated_on(device)
        assert found.seconds(1000, 5000) == pytest.approx(cost.seconds(1000, 5000))
        assert found.iteration == pytest.approx(cost.iteration)
        assert found.spread == pytest.approx(0, abs=1e-6)
        assert list(running.states.iterdir()) == []

    def test_a_device_whose_speed_varies_says_how_much(self, calibrated_on):
        """Its speed alternates by a fifth up and down. The spread shows it, and is not reported for a steady device."""

        class Unsteady(Clockwork):
            def train(self, recipe, files, source, running):
                long = recipe.hyperparameters.iterations > 1
                self.iteration = 0.01 * (1.2 if long and len(self.trained) % 2 else 0.8 if long else 1.0)
                super().train(recipe, files, source, running)

        found = calibrated_on(Unsteady(0.1, 0.01, 0.0))
        assert 0.15 < found.spread < 0.25

    def test_no_time_is_lost_on_evaluations(self, calibrated_on):
        device = Clockwork(0.1, 0.001, 0.01)
        calibrated_on(device)
        evaluations = [-(-iterations // every) for iterations, every in device.trained]
        assert max(evaluations) <= calibration.EVALUATIONS + 1

    def test_a_slow_device_is_asked_once(self, calibrated_on):
        device = Clockwork(17.0, 20.0, 0.01)
        found = calibrated_on(device)
        assert device.trained == [(1, 1)]
        assert found.seconds(1, EVALUATION_BATCH) == pytest.approx(17.0 + 24.0)

    def test_slow_drawing_and_writing_are_no_slow_device(self, calibrated_on):
        """For seven caffenets they take some 17 s, whatever the GPU does."""
        device = Clockwork(17.0, 0.05, 0.0001)
        found = calibrated_on(device)
        assert (found.fixed, found.iteration) == (pytest.approx(17.0), pytest.approx(0.05))

    def test_the_networks_that_are_trained_have_the_layers_frozen_that_are_asked_for(self, workload):
        for frozen in ((0,), (0, 0, 0), (2,), (1, 3, 7)):
            networks = replace(workload, frozen=frozen).networks
            assert tuple(network.frozen for network in networks) == frozen
            assert len({network.source for network in networks}) == 1

    @pytest.mark.parametrize("changes", [{"scale": 1.0}, {"scale": 64.0}, {"mean": "whole"}, {"mean": "A"}])
    def test_the_engine_trains_it(self, changes, workload, running):
        running.states.mkdir()
        settings = replace(workload.settings, preprocessing=replace(workload.settings.preprocessing, **changes))
        found = calibrate(replace(workload, classes=2, settings=settings), running)
        assert found.iteration > 0
        assert list(running.states.iterdir()) == []


def test_a_start_finds_what_snakemake_adds_to_the_path_of_its_scripts(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("")
    monkeypatch.setattr(calibration, "START", "import only_here")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert start_seconds("cpu") >= 0


def test_the_report_adds_up(small, size):
    jobs = [PlannedJob(*job) for job in small.jobs()]
    text = plan_text(plan_with(small, size, [3600.0] * len(jobs)), "cpu", {"main": 600_000_000})
    rows = {line.split()[0]: line.split() for line in text.splitlines()}
    assert rows["base"][1:] == ["4", "4", "500", f"{4 * 500 * 64:,}", "4", "h", "0", "min"]
    assert rows["frozen"][1:] == ["12", "84", "500", f"{84 * 500 * 64:,}", "12", "h", "0", "min"]
    assert rows["fine-tuned"][1:] == ["8", "56", "500", f"{56 * 500 * 64:,}", "8", "h", "0", "min"]
    assert rows["in"][2:5] == ["24", "144", f"{144 * 500 * 64:,}"]
    assert "1: 24 h 0 min, 2: 12 h 0 min, 4: 6 h 0 min" in text
    assert "all: 2 h 0 min" in text
    assert "memory of a job: 0.60 GB of main memory" in text


def test_the_report_says_what_its_validation_images_can_tell(small, size):
    plan = plan_with(small, size, [10.0] * 24)
    text = plan_text(plan, "cpu", {"main": 600_000_000})
    fewest = min(half.validation for half in plan.halves.values())
    assert f"validation: {fewest} images in the smallest half" in text
    assert "figures.max_drop is 2 points" in text
    # The most that the difference of two independent shares of N images varies is where both are one half.
    draws = np.random.default_rng(0).binomial(fewest, 0.5, (2, 100_000)) / fewest
    (error,) = re.findall(r"standard error of up to ([\d.]+) points", text)
    assert float(error) == pytest.approx(100 * (draws[0] - draws[1]).std(), rel=0.02)


def test_the_report_says_what_its_times_have_in_them(small, size):
    plan = replace(plan_with(small, size, [10.0] * 24), start=4.0, spread=0.071)
    text = plan_text(plan, "cpu", {"main": 600_000_000})
    assert "these include 4.0 s to start each of 24 jobs" in text
    assert "± 8 %, the spread of repeated timings just now; other load" in text
    assert max(map(len, text.splitlines())) <= 120
    one = replace(plan, seconds=dict([*plan.seconds.items()][:1]))
    assert "these include 4.0 s to start the job" in plan_text(one, "cpu", {"main": 600_000_000})
    assert "its spread is not known" in plan_text(replace(plan, spread=None), "cpu", {"main": 600_000_000})


def test_errors_of_one_kind_of_job_do_not_cancel_each_other(small):
    jobs = [PlannedJob(*job) for job in small.jobs()]
    bases, others = jobs[0], jobs[-1]
    assert _spread_of_all({bases: 1.0, others: 3.0}, {bases: 0.1, others: 0.2}) == pytest.approx(0.175)
    assert _spread_of_all({bases: 1.0, others: 3.0}, {bases: 0.1, others: None}) is None


@pytest.mark.slow
class TestAgainstSnakemake:
    """What Snakemake itself would do, and what it has done."""

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"networks": {"depths": [1, 2, 5], "preserve": [1, 3], "treatments": ["selffer", "transfer+"]}},
            {
                "networks": {"random_for": "whole", "reduced": [2, 5]},
                "seeds": [0, 3],
                "running": {"networks_per_job": 2},
            },
        ],
    )
    def test_jobs_and_networks_are_those_of_its_plan(self, changes, tmp_path):
        project = Project(tmp_path)
        project.configure(changes)
        output = project.run("--dry-run", "--quiet", "host")
        jobs, networks = Counter(), Counter()
        pattern = r"^rule train_([a-z_]+?)(?:_preserve\d)?(?:_n\d.*)?:\n((?:    .*\n)*)"
        for rule, details in re.findall(pattern, output, re.MULTILINE):
            jobs[rule] += 1
            networks[rule] += re.search("output: (.*)", details)[1].count(".safetensors")
        planned = [PlannedJob(*job) for job in study_of(merged(SMALL_STUDY, changes)).jobs()]
        assert jobs == Counter(job.stage for job in planned)
        assert networks == sum((Counter({job.stage: len(job.networks)}) for job in planned), Counter())

    def test_a_finished_study_takes_the_disk_that_was_planned(self, finished_study, tmp_path):
        project = Project(tmp_path)
        project.run("plan")
        told = (project.results / "logs" / "plan.log").read_text()
        assert "in all            24        64                        12,288" in told
        assert not (tmp_path / "results" / "stores").exists()  # a plan makes nothing
        study = study_of(SMALL_STUDY)
        size = data_size(study.data_set, store_of(finished_study, "glyphs"))
        planned = plan_with(study, size, [1.0] * 24).disk()
        folders = {"store": "stores", "networks": "small/networks", "figures": "small/figures"}
        for what, folder in folders.items():
            files = (path for path in (finished_study.folder / "results" / folder).rglob("*") if path.is_file())
            assert planned[what] == pytest.approx(sum(path.stat().st_size for path in files), rel=0.2), what


class TestFewImages:
    """Of 12 classes with 30 training images each, halves have 6."""

    @staticmethod
    def plan_of(seeds=(0,), **training):
        changes = {"glyphs": {"letters": 6, "symbols": 6, "training_per_class": 30, "validation_per_class": 3}}
        networks = {"examples_per_class": [5, "all"], "treatments": ["selffer"], "depths": [1]}
        config = {"datasets": changes, "splits": ["random0"], "seeds": list(seeds), "networks": networks}
        study = study_of(config, {"training": {"iterations": 60, "evaluate_every": 10} | training})
        plan = plan_with(study, data_size(study.data_set, Path("no store")), [1.0] * len(list(study.jobs())))
        return {job.networks[0].name: plan.hyperparameters(job).iterations for job in plan.seconds}, plan_text(
            plan, "cpu", {"main": 1}
        )

    def test_iterations_are_those_that_are_trained(self):
        iterations, text = self.plan_of(few_images="epochs")
        assert iterations["baseA_images5"] == iterations["B1B_images5"] == 10
        assert iterations["baseA"] == iterations["B1B"] == 60
        rows = [line.split() for line in text.splitlines() if line.startswith("base ")]
        assert [(row[1], row[3]) for row in rows] == [("2", "10"), ("2", "60")]
        iterations, text = self.plan_of()
        assert set(iterations.values()) == {60}
        assert sum(line.startswith("base ") for line in text.splitlines()) == 1

    def test_one_draw_of_the_images_is_told_to_be_few(self):
        assert "seeds: there is only one, and so one draw of the few images" in self.plan_of()[1]
        assert "one draw" not in self.plan_of(seeds=(0, 1))[1]

    def test_more_images_than_a_class_has_are_refused(self, small, size):
        study = study_of({"datasets": NINE_CLASSES, "networks": {"examples_per_class": [7]}})
        with pytest.raises(TooFewImagesError, match="asks for 7 images per class, but in random0 the class"):
            half_sizes(study, {"glyphs": replace(size, training=size.training - 1)})
