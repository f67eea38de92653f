"""The workflow as its users run it: real Snakemake runs of a small study, in a copy of the project."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.torch import load_file

from tests.project import ACCURACIES, Project, store_of, text_of, wait_for
from tests.support import ROOT
from transferability.figures.catalog import OF_RESULTS
from transferability.networks.architectures.mini_caffenet import LAYERS
from transferability.records.checkpoints import read_about
from transferability.store.reading import checksum, open_store
from transferability.study.names import Network

AGGREGATES = {"accuracies", "tables", "figures", "report", "all"}
CURVES = {"learning_curves random0", "learning_curves letters_symbols"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(finished_study, tmp_path_factory):
    project = finished_study.copied(tmp_path_factory.mktemp("finished"))
    project.run()  # only the report, whose texts are now elsewhere
    return project


@pytest.fixture
def unchanged(finished):
    """The finished study; whatever the test does to its config is undone."""
    yield finished
    finished.configure({})


def trained(*stages, splits=("random0", "letters_symbols")):
    sources = {"frozen": "ABR", "fine_tuned": "AB"}
    jobs = {f"train_base {split} {target}" for split in splits for target in "AB" if "base" in stages}
    return jobs | {
        f"train_{stage}_n1_to_7 {split} {source} {target}"
        for stage in stages
        if stage != "base"
        for split in splits
        for source in sources[stage]
        for target in "AB"
    }


class TestAFinishedStudy:
    def test_every_network_has_its_files_and_its_row(self, finished):
        names = [f"{split}/seed0/{name}" for split in ("random0", "letters_symbols") for name in ("baseA", "baseB")]
        names += [
            f"{split}/seed0/{pattern.format(n=n)}"
            for split in ("random0", "letters_symbols")
            for n in (1, 4, 7)
            for pattern in (
                "A{n}A",
                "B{n}B",
                "A{n}A+",
                "B{n}B+",
                "A{n}B",
                "B{n}A",
                "A{n}B+",
                "B{n}A+",
                "R{n}A",
                "R{n}B",
            )
        ]
        assert set(finished.networks()) == {f"{name}.safetensors" for name in names}
        for name in names:
            assert (finished.results / "networks" / f"{name}.history.csv").exists()
        accuracies = pd.read_csv(finished.results / "accuracies.csv")
        assert set(accuracies["split"] + "/seed0/" + accuracies["network"]) == set(names)
        assert accuracies["difference_top1_final"].notna().all()
        assert (accuracies["training_images_evaluated"] == accuracies["validation_images"]).all()
        gap = accuracies["validation_cross_entropy"] - accuracies["training_cross_entropy"]
        assert np.allclose(accuracies["generalization_gap"], gap)

    def test_tables_and_figures_are_there_and_the_headline_is_printed(self, finished):
        for name in ("summary.csv", "table1.csv", "drops.csv", "effects.csv", "reuse.csv"):
            assert len(pd.read_csv(finished.results / name))
        figures = {
            str(path.relative_to(finished.results / "figures")) for path in finished.results.rglob("figures/**/*.p*")
        }
        both = ["figure2", "figure3", "effects", "parts", "reuse", "first_layer_filters"]
        both += [f"learning_curves/{split}_seed0" for split in ("random0", "letters_symbols")]
        sheets = {"contact_sheet.png", "halves/random0.png", "halves/letters_symbols.png"}
        assert figures == sheets | {f"{name}.{kind}" for name in both for kind in ("png", "pdf")}
        assert (finished.results / "report.html").stat().st_size > 1e6
        assert (finished.results / "headline.txt").read_text() in (finished.folder / "output.txt").read_text()

    def test_frozen_layers_equal_their_source_and_others_have_learned(self, finished):
        for name, path in finished.networks().items():
            network = Network.parse(path.stem)
            if network.source not in ("A", "B"):
                continue
            weights, source = load_file(path), load_file(path.with_name(f"base{network.source}.safetensors"))
            for key, value in weights.items():
                number = LAYERS.index(key.split(".")[0]) + 1
                same = value.shape == source[key].shape and bool((value == source[key]).all())
                assert same == (number <= network.frozen), (name, key)

    def test_random_layers_are_those_of_one_untrained_network(self, finished):
        for split in ("random0", "letters_symbols"):
            folder = finished.results / "networks" / split / "seed0"
            deep = load_file(folder / "R7A.safetensors")
            for name in ("R1A", "R4A", "R4B", "R7B"):
                weights = load_file(folder / f"{name}.safetensors")
                for key, value in weights.items():
                    if LAYERS.index(key.split(".")[0]) < Network.parse(name).n:
                        assert bool((value == deep[key]).all()), (name, key)

    def test_a_checkpoint_says_what_made_it(self, finished):
        path = finished.networks()["letters_symbols/seed0/A4B+.safetensors"]
        about = read_about(path)
        assert (about["network"], about["split"], about["seed"]) == ("A4B+", "letters_symbols", 0)
        assert len(about["classes"]) == 6
        assert about["hyperparameters"]["iterations"] == 12
        manifest = json.loads(store_of(finished, "glyphs").joinpath("manifest.json").read_text())
        assert about["store_checksum"] == manifest["checksum"]

    def test_halves_share_no_class_and_groups_are_kept_apart(self, finished):
        for split in ("random0", "letters_symbols"):
            halves = json.loads((finished.results / "splits" / f"{split}.json").read_text())["halves"]
            names = {half: {c["name"] for c in halves[half]["classes"]} for half in "AB"}
            assert not names["A"] & names["B"]
            assert len(names["A"]) == len(names["B"]) == 6
        groups = {half: {c["group"] for c in halves[half]["classes"]} for half in "AB"}
        assert groups == {"A": {"letter"}, "B": {"symbol"}}

    def test_logs_say_what_was_trained_without_control_characters(self, finished):
        log = (finished.results / "logs" / "random0" / "seed0" / "A1-7B.log").read_text()
        assert re.search(
            r"iteration 12 of 12, [\d,]+ images/s, 0 s left, top-1 \w+\+? [\d.]+, \w+\+? [\d.]+, \w+\+? [\d.]+\n", log
        )
        assert "3 networks for half B" in log
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", log)

    def test_a_network_a_job_gives_the_same_checkpoints(self, finished, tmp_path):
        project = Project(tmp_path)
        project.configure({"running": {"networks_per_job": 1}})
        names = [f"random0/seed0/{pattern.format(n=n)}" for n in (1, 7) for pattern in ("A{n}B", "B{n}B+", "R{n}A")]
        project.run(*(f"results/small/networks/{name}.safetensors" for name in names))
        alone = project.contents()
        assert {f"{name}.safetensors" for name in names} < alone.keys()
        assert alone.items() <= finished.contents().items()


def test_a_study_of_another_recipe_is_the_same_to_the_bit_after_a_kill_and_verified(tmp_path):
    """Every key of a recipe gets from the config to training, and resumed jobs and `verify` know it too."""
    changes = {
        "splits": ["random0"],
        "preprocessing": {
            "crop": 20,
            "mirror": True,
            "mean": [0.2],
            "std": [0.3],
            "random_resized_crop": {"scale": [0.5, 1], "ratio": [0.75, 1.3333]},
        },
        "networks": {"depths": [4], "treatments": ["transfer+"]},
        "training": {
            "optimizer": "adamw",
            "learning_rate": 0.002,
            "decay": "weights",
            "warmup_iterations": 3,
            "label_smoothing": 0.1,
            "fine_tuned": {"layer_decay": 0.8, "iterations": 400, "evaluate_every": 50},
        },
        "running": {"state_every_seconds": 0.2},  # a state is written before it ends, and not at every iteration
    }
    found = []
    for name, targets in {"undisturbed": [ACCURACIES], "killed": []}.items():  # what is verified is run whole
        (tmp_path / name).mkdir()
        project = Project(tmp_path / name)
        project.configure(changes)
        if name == "killed":
            process = project.start(*targets)
            wait_for(lambda project=project: [*(project.results / "states").rglob("A4B+/*.state")])
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        project.run(*targets)
        found.append(project.contents())
    assert found[0] == found[1]
    assert "verification: 4 networks, 4 of them evaluated again" in project.run("verify")
    metrics = project.results / "networks" / "random0" / "seed0" / "A4B+.metrics.json"
    made_from = json.loads(metrics.read_text())["made_from"]
    asked = changes["training"] | changes["training"]["fine_tuned"]
    assert {key: made_from["hyperparameters"].get(key) for key in asked if key != "fine_tuned"} == {
        key: value for key, value in asked.items() if key != "fine_tuned"
    }
    assert made_from["preprocessing"] == changes["preprocessing"]
    assert project.would_run() == set()


def test_what_others_wait_for_is_trained_first_and_then_what_takes_longest(tmp_path):
    priorities = dict.fromkeys(("train_base", "train_fine_tuned_n1_to_7", "train_frozen_n1_to_7"), 0)
    for rule, details in Project(tmp_path).planned():
        priority = re.search(r"^    priority: (\d+)$", details, re.MULTILINE)
        if priority and rule in priorities:
            priorities[rule] = int(priority[1])
    assert sorted(priorities, key=priorities.get, reverse=True) == list(priorities)
    assert len(set(priorities.values())) == 3


class TestWhatAChangeReruns:
    """A change reruns exactly these jobs, by dry runs of the finished study."""

    def test_nothing(self, unchanged):
        assert unchanged.would_run() == set()

    def test_a_color(self, unchanged):
        unchanged.configure({"figures": {"colors": {"transfer": "purple"}}})
        assert unchanged.would_run() == CURVES | {"figures", "report", "all"}

    def test_the_fine_tuning_rate(self, unchanged):
        unchanged.configure({"training": {"fine_tuned": {"learning_rate": 0.01}}})
        assert unchanged.would_run() == trained("fine_tuned") | AGGREGATES | CURVES

    def test_the_fine_tuning_recipe(self, unchanged):
        recipe = {"optimizer": "adamw", "decay": "weights", "warmup_iterations": 2, "layer_decay": 0.8}
        unchanged.configure({"training": {"fine_tuned": recipe}})
        assert unchanged.would_run() == trained("fine_tuned") | AGGREGATES | CURVES

    def test_what_is_not_used(self, unchanged):
        unchanged.configure({"training": {"step_every": 7, "step_factor": 0.5}})
        assert unchanged.would_run() == {"report", "all"}

    @pytest.mark.parametrize(
        "changes",
        [
            {"mean": [0.2], "std": [0.3]},
            {"random_resized_crop": {"scale": [0.5, 1], "ratio": [0.75, 1.3333]}},
        ],
    )
    def test_what_networks_see(self, unchanged, changes):
        unchanged.configure({"preprocessing": changes})
        assert unchanged.would_run() == trained("base", "frozen", "fine_tuned") | AGGREGATES | CURVES | {"filters"}

    def test_the_rate_of_the_bases(self, unchanged):
        unchanged.configure({"training": {"base": {"learning_rate": 0.01}}})
        expected = trained("base", "frozen", "fine_tuned") | AGGREGATES | CURVES | {"filters"}
        # Random layers come from no base, so those networks stay as they are.
        expected -= {job for job in expected if job.startswith("train_frozen") and " R " in job}
        assert unchanged.would_run() == expected

    def test_one_more_random_split(self, unchanged):
        splits = ["random0", {"name": "letters_symbols", "A": "letter", "B": "symbol"}, "random1"]
        unchanged.configure({"splits": splits})
        assert unchanged.would_run() == (
            trained("base", "frozen", "fine_tuned", splits=["random1"])
            | AGGREGATES
            | {"split random1", "halves_sheet random1", "learning_curves random1", "filters"}
        )

    def test_one_depth_fewer(self, unchanged):
        unchanged.configure({"networks": {"depths": [1, 7]}})
        assert unchanged.would_run() == AGGREGATES | CURVES

    def test_fewer_networks_a_job(self, unchanged):
        unchanged.configure({"running": {"networks_per_job": 1, "threads": 2, "state_every_seconds": 5}})
        assert unchanged.would_run() == set()

    def test_a_deleted_checkpoint(self, unchanged):
        path = unchanged.networks()["random0/seed0/A4B+.safetensors"]
        content = path.read_bytes()
        path.unlink()
        try:
            job = {"train_fine_tuned_n1_to_7 random0 A B"}
            assert unchanged.would_run() == job | AGGREGATES | {"learning_curves random0"}
        finally:
            path.write_bytes(content)
            os.utime(path, (0, path.with_name("A1B+.safetensors").stat().st_mtime))

    def test_touched_scripts(self, unchanged):
        for path in (unchanged.folder / "workflow" / "scripts").rglob("*.py"):
            path.touch()
        assert unchanged.would_run() == set()

    def test_a_raised_engine_version(self, unchanged):
        path = unchanged.folder / "workflow" / "scripts" / "transferability" / "study" / "settings.py"
        content = path.read_text()
        path.write_text(re.sub(r"ENGINE_VERSION = (\d+)", r"ENGINE_VERSION = 1\1", content))
        try:
            everything = trained("base", "frozen", "fine_tuned") | AGGREGATES | CURVES | {"filters"}
            assert unchanged.would_run() == everything
        finally:
            path.write_text(content)


class TestLostRecords:
    """Snakemake's records, `.snakemake`, are gone, and with them what it knows about changed settings."""

    @pytest.fixture
    def left(self, finished, tmp_path):
        project = Project(tmp_path)
        shutil.copytree(finished.folder / "results", tmp_path / "results")
        return project

    def test_the_same_study_is_up_to_date(self, left):
        assert "Nothing to be done" in left.run("--dry-run")

    @pytest.mark.parametrize(
        "arguments", [(), ("--dry-run",), ("report",), ("results/small/summary.csv",), ("--touch",)]
    )
    def test_another_study_is_refused_though_nothing_is_left_to_be_done(self, left, arguments):
        left.configure({"training": {"iterations": 16}})
        shutil.copytree(left.folder / "resources", left.folder / ".snakemake" / "metadata")  # records of other things
        output = left.run(*arguments, check=False)
        assert re.search(r"iterations is 12, by the config it is 16, .*; set the config back, or delete ", output)
        assert "Nothing to be done" not in output

    def test_what_watches_and_what_trains_all_again_are_not_held_up(self, left):
        left.configure({"training": {"iterations": 16}})
        assert "trained before, with other settings" in left.run("status")
        assert "This was a dry-run" in left.run("--dry-run", "--forceall")


class TestInterruptions:
    def test_a_deleted_checkpoint_comes_back_the_same_without_training(self, finished, tmp_path):
        project = finished.copied(tmp_path)
        before = project.contents()
        checkpoint = project.networks()["random0/seed0/A4B+.safetensors"]
        checkpoint.unlink()
        (project.results / "logs" / "rehearsal.log").unlink()
        output = project.run(str(checkpoint.relative_to(project.folder)))
        assert "3 of 3 networks were finished before and are kept" in output
        assert not (project.results / "logs" / "rehearsal.log").exists()  # what could be made before is not tried again
        assert project.contents() == before

    def test_killed_again_and_again_it_ends_the_same(self, finished, tmp_path):
        project = Project(tmp_path)
        project.configure({"splits": ["random0"]})
        project.run_through_kills(5, 3, ACCURACIES)
        of_split = {name: content for name, content in finished.contents().items() if name.startswith("random0/")}
        assert project.contents() == of_split
        killed, undisturbed = (pd.read_csv(p.results / "accuracies.csv") for p in (project, finished))
        undisturbed = undisturbed[undisturbed["split"] == "random0"].reset_index(drop=True)
        pd.testing.assert_frame_equal(killed, undisturbed, check_exact=True)

    def test_asked_to_stop_it_says_so_and_goes_on_where_it_was(self, tmp_path):
        project = Project(tmp_path)
        running = {"log_every_seconds": 0.1, "state_every_seconds": 0.5}
        project.configure({"training": {"iterations": 4000}, "running": running})
        bases = [f"results/small/networks/random0/seed0/base{half}.safetensors" for half in "AB"]
        logs = [project.results / "logs" / "random0" / "seed0" / f"base{half}.log" for half in "AB"]
        process = project.start(*bases)
        wait_for(lambda: len(list(project.results.rglob("newest.state"))) == len(bases))
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(300) != 0
        for log in logs:
            assert re.search(r"stopped by SIG(INT|TERM) after iteration \d+; the state is written", log.read_text())
        process = project.start(*bases)
        wait_for(lambda: all("resuming at iteration" in text_of(log) for log in logs))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"training": {"learnig_rate": 1}},
                "config: training.learnig_rate: unknown key; did you mean learning_rate?",
            ),
            (
                {"networks": {"depths": [9]}},
                "config: networks.depths: mini_caffenet has no cut at 9; its cuts are n = 1 to 7",
            ),
            ({"splits": [{"name": "x", "A": "letter", "B": "animal"}]}, "'animal' in B, which the data set lacks"),
        ],
    )
    def test_a_wrong_config_stops_before_anything_runs(self, tmp_path, changes, message):
        project = Project(tmp_path)
        project.configure(changes)
        output = project.run(check=False)
        assert message in output
        assert "Traceback" not in output
        assert not (tmp_path / "results").exists()

    def test_more_gpus_than_there_are(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
        project = Project(tmp_path)
        project.configure({"running": {"device": "auto"}})
        output = project.run("--resources", "gpu=4", check=False)
        assert "--resources gpu=4: this machine shows 2 GPUs (0, 1); ask for gpu=2" in output
        assert not (tmp_path / "results" / "stores").exists()

    def test_gpus_without_a_limit_are_no_reason_to_refuse(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
        project = Project(tmp_path)
        project.configure({"running": {"device": "auto"}})
        project.run("results/small/splits/random0.json")

    def test_jobs_on_the_cpu_ask_for_no_gpu(self, tmp_path):
        output = Project(tmp_path).run("--dry-run", "--quiet", "host")
        asked = re.findall(r"rule (\w+):\n(?:    .*\n)*?    resources: (.*)", output)
        assert {"gpu=0" in resources for rule, resources in asked if rule.startswith("train_")} == {True}

    def test_a_second_run_in_the_same_folder(self, tmp_path):
        project = Project(tmp_path)
        first = project.start()
        wait_for((tmp_path / "results" / "stores").exists)
        output = project.run(check=False)
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        assert "another snakemake is running in this folder" in output


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("own"))
    random = np.random.default_rng(0)
    for number in range(6):
        for part, count in (("train", 7), ("val", 3)):
            folder = project.folder / "photos" / part / f"class{number}"
            folder.mkdir(parents=True)
            for i in range(count):
                noise = random.integers(0, 99, (20 + i, 30 - i, 3)) + 25 * number
                Image.fromarray(noise.astype("uint8")).save(folder / f"{i}.jpg")
    rows = [f"class{number},{'even' if number % 2 == 0 else 'odd'}" for number in range(6)]
    (project.folder / "groups.csv").write_text("\n".join(["class,group", *rows]) + "\n")
    project.configure(
        {
            "dataset": "photos",
            "datasets": {"photos": {"kind": "folder", "root": "photos", "size": 24, "groups": "groups.csv"}},
            "splits": [{"name": "even_odd", "A": "even", "B": "odd"}],
            "training": {"learning_rate": 0.01},
            "networks": {"depths": [1, 6], "preserve": [1, 3], "random_for": "whole", "reduced": [1, 3]},
        }
    )
    project.run()
    project.run("image_lists")
    return project


class TestAStudyOfOnesOwnImages:
    """Folders of JPEGs of odd sizes and a small CSV of groups, with every kind of network there is."""

    def test_the_networks_are_those_asked_for(self, own):
        names = {name.removesuffix(".safetensors").replace("/seed0", "") for name in own.networks()}
        series = {"AnA", "BnB", "AnB", "BnA"}
        of_halves = {one.replace("n", n) + plus for one in series for n in "16" for plus in ("", "+", "_preserve1")}
        of_halves |= {one.replace("n", "1") + "_preserve3" for one in series} | {"baseA", "baseB"}
        of_whole = {"basewhole", "R1whole", "R6whole", "reduced1", "reduced3"}
        assert names == {f"even_odd/{name}" for name in of_halves} | {f"whole/{name}" for name in of_whole}

    def test_a_wrong_root_is_refused_before_the_store_is_touched(self, own):
        store = store_of(own, "photos")
        before = {path.name: path.stat().st_mtime_ns for path in store.iterdir()}
        config = (own.folder / "small.yaml").read_text()
        try:
            (own.folder / "small.yaml").write_text(config.replace("root: photos", "root: fotos"))
            output = own.run(check=False)
        finally:
            (own.folder / "small.yaml").write_text(config)
        assert "config: datasets.photos.root: there is no fotos" in output
        assert "Traceback" not in output
        assert {path.name: path.stat().st_mtime_ns for path in store.iterdir()} == before

    def test_preserved_layers_are_copied_and_learn(self, own):
        folder = own.results / "networks" / "even_odd" / "seed0"
        source, kept = (load_file(folder / f"{name}.safetensors") for name in ("baseA", "A1B_preserve3"))
        weights = [f"{layer}.0.weight" for layer in LAYERS[:5]]
        assert (kept[weights[0]] == source[weights[0]]).all()
        distance = [float((kept[name] - source[name]).norm() / source[name].norm()) for name in weights]
        assert min(distance[1:4]) > 0
        assert max(distance[1:4]) < distance[4]  # what was copied has moved; what was drawn is elsewhere

    def test_groups_make_the_halves(self, own):
        content = json.loads((own.results / "splits" / "even_odd.json").read_text())
        names = {half: [c["name"] for c in part["classes"]] for half, part in content["halves"].items()}
        assert names == {"A": ["class0", "class2", "class4"], "B": ["class1", "class3", "class5"]}

    def test_a_half_is_listed_as_the_authors_listed_theirs(self, own):
        lines = (own.results / "splits" / "even_odd_B_training.txt").read_text().splitlines()
        assert lines == [f"class{number}/{i}.jpg {number // 2}" for number in (1, 3, 5) for i in range(7)]
        lines = (own.results / "splits" / "whole_whole_validation.txt").read_text().splitlines()
        assert lines == [f"class{number}/{i}.jpg {number}" for number in range(6) for i in range(3)]

    def test_tables_know_every_kind_of_network(self, own):
        accuracies = pd.read_csv(own.results / "accuracies.csv")
        assert accuracies["base_top1_final"].notna().all()
        summary = pd.read_csv(own.results / "summary.csv")
        assert set(summary["treatment"]) == {
            *("base", "reduced", "random", "selffer", "selffer+", "transfer", "transfer+")
        }
        assert set(summary.loc[summary["treatment"] == "selffer", "preserved"]) == {0, 1, 3}
        assert (own.results / "figures" / "reduced.png").stat().st_size > 0

    def test_other_groups_make_their_split_again_and_no_other(self, own):
        path = own.folder / "groups.csv"
        text = path.read_text()
        path.write_text(text.replace("class0,even", "class0,odd").replace("class1,odd", "class1,even"))
        jobs = own.would_run()
        path.write_text(text)
        assert {job for job in jobs if job.startswith(("split", "store"))} == {"split even_odd"}
        assert "train_base even_odd A" in jobs
        assert not {job for job in jobs if job.startswith("train") and "whole" in job}

    def test_readable_names_redraw_what_shows_them_and_train_nothing_again(self, own):
        path = own.folder / "groups.csv"
        text = path.read_text()
        header, *rows = text.splitlines()
        path.write_text("\n".join([f"{header},name", *(f"{row},a readable name" for row in rows)]) + "\n")
        jobs = own.would_run()
        path.write_text(text)
        assert jobs == {"contact_sheet", "halves_sheet even_odd", "report", "all"}


def test_lint_is_clean(tmp_path):
    assert "good condition" in Project(tmp_path).run("--lint")


def test_a_dry_run_on_a_fresh_clone_shows_the_jobs(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n"],
        cwd=Project(tmp_path).folder,
        text=True,
        capture_output=True,
        check=True,
    )
    counts = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE))
    assert counts["train_base"] == "8"
    assert counts["train_frozen_n1_to_7"] == "24"
    assert counts["train_fine_tuned_n1_to_7"] == "16"


def test_the_published_results_give_the_papers_numbers_whatever_network_the_study_has(tmp_path):
    project = Project(tmp_path)
    shutil.copy(ROOT / "config" / "small_resnet.py", tmp_path)
    of_three = {"architecture": "small_resnet.py:small_resnet", "cuts": ["stem", "stage1", "stage2"], "depths": "all"}
    project.configure({"networks": {**of_three, "fine_tuned_depths": []}})
    project.run("published")
    folder = tmp_path / "results" / "published"
    table1 = pd.read_csv(folder / "table1.csv")
    assert (100 * table1["over_base"]).round(1).tolist() == [1.6, 1.8, 2.1]
    assert (100 * table1["over_selffer+"]).round(1).tolist() == [1.4, 1.4, 1.7]
    assert (100 * pd.read_csv(folder / "drops.csv")["drop"]).round().tolist() == [8, 25]
    assert {path.stem for path in folder.glob("figures/*.pdf")} == set(OF_RESULTS)
    assert "at n = 5 (cut above conv5)" in (folder / "headline.txt").read_text()


def test_a_study_is_laid_over_the_published_one(finished):
    finished.run("compare")
    table = pd.read_csv(finished.results / "compare.csv")
    assert table["difference_ours_less_published"].notna().any()
    assert table["fit_ours_less_published"].notna().any()
    assert (finished.results / "figures" / "compare.png").exists()
    for path in finished.results.glob("figures/compare.*"):
        path.unlink()


class TestOneFolderOfStores:
    """Studies in folders of their own, with one folder of stores."""

    @pytest.fixture
    def two(self, tmp_path):
        projects = []
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            projects.append(Project(tmp_path / name))
            projects[-1].configure({"stores": str(tmp_path / "stores")})
        return projects

    SPLIT = "results/small/splits/random0.json"

    def test_two_that_build_a_store_at_the_same_time_share_it_whole(self, two, tmp_path):
        running = [project.start(self.SPLIT) for project in two]
        assert [process.wait(600) for process in running] == [0, 0]
        (store,) = (tmp_path / "stores").iterdir()
        before = {path.name: path.read_bytes() for path in store.iterdir()}
        assert checksum(store) == open_store(store).checksum
        assert two[0].folder.joinpath(self.SPLIT).read_bytes() == two[1].folder.joinpath(self.SPLIT).read_bytes()
        two[1].run("--forceall", self.SPLIT)
        assert {path.name: path.read_bytes() for path in store.iterdir()} == before

    def test_other_settings_have_another_store(self, two, tmp_path):
        two[1].configure({"stores": str(tmp_path / "stores"), "datasets": {"glyphs": {"seed": 1}}})
        for project in two:
            project.run(self.SPLIT)
        one, other = (json.loads((p.folder / self.SPLIT).read_text())["store_checksum"] for p in two)
        assert one != other
        assert len(list((tmp_path / "stores").iterdir())) == 2

    def test_a_run_that_fails_leaves_the_store_of_the_other(self, two, tmp_path):
        two[0].run(self.SPLIT)
        (store,) = (tmp_path / "stores").iterdir()
        before = {path.name: path.read_bytes() for path in store.iterdir()}
        needs = two[1].folder / "workflow" / "scripts" / "store.py"
        needs.write_text("raise SystemExit(1)\n")
        two[1].run("--forcerun", "store", "--until", "store", check=False)
        assert {path.name: path.read_bytes() for path in store.iterdir()} == before


def write_list(project: Project, first: int) -> None:
    """Write a list of two validation images per class."""
    lines = [f"{name}/{name}{i}.png,{name}\n" for name in "abcd" for i in (first, 7)]
    (project.folder / "photos" / "val.csv").write_text("".join(lines))


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """A base network of a folder of images with a list."""
    project = Project(tmp_path_factory.mktemp("listed"))
    random_pixels = np.random.default_rng(0)
    for name in "abcd":
        (project.folder / "photos" / name).mkdir(parents=True)
        for i in range(8):
            pixels = random_pixels.integers(0, 255, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(project.folder / "photos" / name / f"{name}{i}.png")
    write_list(project, 0)
    mine = {"kind": "folder", "root": str(project.folder / "photos"), "size": 24, "val_list": "val.csv"}
    project.configure({"dataset": "mine", "datasets": {"mine": mine}, "splits": ["random0"]})
    project.run(*TestEditedLists.NETWORKS)
    return project


class TestEditedLists:
    """A list that is edited after its store was built."""

    NETWORKS = ("results/small/networks/random0/seed0/baseA.metrics.json",)

    def test_nothing_is_run_again_without_a_change(self, listed):
        assert "Nothing to be done" in listed.run("--dry-run", *self.NETWORKS)
        os.utime(listed.folder / "photos" / "val.csv")
        assert "Nothing to be done" in listed.run("--dry-run", *self.NETWORKS)

    def test_it_is_another_store_and_other_networks(self, listed):
        old = store_of(listed, "mine")
        write_list(listed, 1)
        output = listed.run(*self.NETWORKS)
        assert f"datasets.mine.val_list (photos/val.csv) changed since {old.relative_to(listed.folder)} was" in output
        (new,) = {*old.parent.iterdir()} - {old}
        assert checksum(new) != checksum(old)
        metrics = json.loads((listed.folder / self.NETWORKS[0]).read_text())
        assert metrics["store"] == new.name
        assert metrics["made_from"]["store_checksum"] == open_store(new).checksum
        shutil.rmtree(old)

    def test_a_first_store_that_cannot_be_built_is_told_by_its_own_words(self, listed):
        photo, there = (
            listed.folder / "photos" / "a" / "a3.png",
            {*listed.folder.glob("results/stores/*/manifest.json")},
        )
        labels, content = (listed.folder / "photos" / "val.csv").read_text(), photo.read_bytes()
        photo.write_bytes(b"")
        write_list(listed, 3)
        output = listed.run("--until", "store", check=False)
        photo.write_bytes(content)
        (listed.folder / "photos" / "val.csv").write_text(labels)
        assert "a/a3.png is not a usable image (it is empty); repair it or name it in skip" in output
        assert "Cannot restore" not in output
        assert {*listed.folder.glob("results/stores/*/manifest.json")} == there

    def test_networks_of_the_old_list_do_not_pass_where_records_and_stores_are_lost(self, listed, tmp_path):
        copy = tmp_path / "copy"
        shutil.copytree(listed.folder, copy, ignore=shutil.ignore_patterns(".snakemake", "stores"))
        other = Project.there(copy)
        assert "of those waiting" not in other.run("status")
        write_list(listed, 2)
        assert "its store is 'mine-" in other.run("--dry-run", check=False)
        assert "1 of those waiting was trained before" in other.run("status")


def test_a_study_of_halves_by_images(tmp_path):
    project = Project(tmp_path)
    networks = {"depths": [4], "treatments": ["selffer", "transfer"]}
    project.configure({"splits": [{"name": "images0", "by": "images"}], "networks": networks})
    project.run()
    assert "halves by images (same classes): base" in (project.results / "headline.txt").read_text()
    page = (project.results / "report.html").read_text()
    assert "12 classes, 72 training images and 72 validation images" in page
    assert "share all classes but no training images, so features can be specific only to images" in page
    project.run("verify", "image_lists")
    lists = {
        (half, part): (project.results / "splits" / f"images0_{half}_{part}.txt").read_text().splitlines()
        for half in "AB"
        for part in ("training", "validation")
    }
    assert len({*lists["A", "training"], *lists["B", "training"]}) == 12 * 12
    assert [len(lists[half, "training"]) for half in "AB"] == [72, 72]
    assert lists["A", "validation"] == lists["B", "validation"]
    assert "Nothing to be done" in project.run("--dry-run")


def test_networks_of_other_settings_are_refused_when_snakemakes_records_are_lost(finished, tmp_path):
    project = Project(tmp_path)
    shutil.copytree(finished.folder / "results", tmp_path / "results")
    project.configure({"training": {"iterations": 16}})
    metrics = "results/small/networks/random0/seed0/baseA.metrics.json"
    refusal = f"{metrics}: its hyperparameters.iterations is 12, by the config it is 16, and so on for 64 networks"
    assert refusal in project.run("--dry-run", check=False)
    (project.results / "accuracies.csv").unlink()
    output = project.run(check=False)
    assert refusal in output
    assert not (project.results / "accuracies.csv").exists()
