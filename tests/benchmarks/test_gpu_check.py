"""The check of a GPU, rehearsed without one."""

import argparse
import csv
import io
import os
import shutil
import subprocess
import sys

import gpu_projects
import pytest
from gpu_budget import Step, limit_of, run_step
from gpu_check import GROUPS, VARIANTS, chosen, is_wrong, line_of
from gpu_correctness import different
from gpu_profile import covered
from gpu_projects import in_job, stage_of
from gpu_rows import CASE, CASES, EXTRAPOLATED, FAILED, LEFT_OUT, ROW

from tests.support import ROOT

SCRIPT = f"""
import json, os, sys, time
names = ["good", "dies", "hangs", "last"]
print({CASES!r} + json.dumps(names), flush=True)
for name in names:
    if name in json.loads(os.environ["GPU_CHECK_DONE"]):
        continue
    print({CASE!r} + name, flush=True)
    if name == "dies":
        os._exit(7)
    if name == "hangs":
        time.sleep(60)
    print({ROW!r} + json.dumps({{"what": name, "value": 1, "how": "measured"}}), flush=True)
"""


@pytest.fixture
def run(tmp_path):
    """Returns a function that runs a script as a step and returns its rows, by what they are about."""

    def run_script(text, seconds, case):
        (tmp_path / "step.py").write_text(text)
        rows = []
        step = Step("step", [str(tmp_path / "step.py")], least=1, most=60, case=case)
        run_step(step, seconds, dict(os.environ), io.StringIO(), rows.append)
        return {row["what"]: row for row in rows}

    return run_script


def test_a_case_that_dies_or_hangs_does_not_stop_the_next(run):
    rows = run(SCRIPT, seconds=30, case=1.0)
    assert rows["good"]["value"] == rows["last"]["value"] == 1
    assert rows["dies"]["how"] == FAILED
    assert "exit 7" in rows["dies"]["note"]
    assert rows["hangs"]["how"] == LEFT_OUT


def test_a_step_ends_at_its_limit_and_says_what_is_left_out(run):
    rows = run(SCRIPT, seconds=2, case=60.0)
    assert rows["good"]["value"] == 1
    assert "limit" in rows["hangs"]["note"]
    assert rows["last"]["how"] == LEFT_OUT


def test_a_step_that_cannot_start_is_said(run):
    rows = run("raise ValueError('no such thing')", seconds=5, case=5.0)
    assert rows["step"]["how"] == FAILED
    assert "no such thing" in rows["step"]["note"]


def test_limits_leave_later_steps_what_they_need():
    first, second = Step("1", [], least=10, most=50), Step("2", [], least=30, most=90)
    assert limit_of(first, [second], left=200) == 50
    assert limit_of(first, [second], left=60) == 30
    assert limit_of(first, [second], left=25) == 10  # earlier steps take precedence
    assert limit_of(second, [], left=20) == 20


@pytest.mark.parametrize(
    ("only", "variants", "steps"),
    [
        ("studies,ceilings", False, ["studies", "ceilings"]),
        ("large", False, ["prepare", "large"]),
        ("variants", False, ["prepare", "variants"]),
        ("variants", True, ["prepare", "variants"]),
        (None, True, ["prepare", "variants"]),
    ],
)
def test_steps_bring_what_they_need(only, variants, steps):
    groups = chosen(argparse.Namespace(only=only, variants=variants))
    assert [step.name for group in groups for step in group] == steps


def test_an_unknown_step_is_refused():
    with pytest.raises(SystemExit, match="larg: no such step; there are ceilings"):
        chosen(argparse.Namespace(only="larg,tests", variants=False))


def test_rows_that_are_wrong_are_found():
    row = {"what": "x", "value": 0, "unit": "networks", "expected": "0", "how": "measured", "note": ""}
    assert not is_wrong(row)
    assert is_wrong({**row, "value": 2})
    assert is_wrong({**row, "how": LEFT_OUT})
    assert "expected 0" in line_of(row)


def test_networks_that_differ_are_counted():
    one = {"A": {"sha256": {"conv1": "1"}}, "B": {"sha256": {"conv1": "2"}}}
    assert different(one, one) == 0
    assert different(one, {**one, "B": {"sha256": {"conv1": "3"}}}) == 1
    assert different(one, {"A": one["A"]}) == different({"A": one["A"]}, one) == 1
    assert different({}, {}) != 0


def test_a_study_that_does_not_leave_in_time_is_ended(monkeypatch):
    monkeypatch.setattr(gpu_projects, "ENDING_SECONDS", 0.2)
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    assert gpu_projects.Run(None, process, io.StringIO()).wait(0.1) is None
    assert process.wait(5) < 0


def test_overlapping_kernels_count_once():
    assert covered([(0, 4), (1, 2), (3, 6), (8, 9)]) == 7


@pytest.mark.parametrize(
    ("network", "job", "belongs"),
    [
        ("baseA", "baseA", True),
        ("A3B", "A1-7B", True),
        ("A3B+", "A1-7B", False),
        ("A3B+", "A1-7B+", True),
        ("B3B", "A1-7B", False),
        ("A3B", "baseA", False),
    ],
)
def test_networks_belong_to_jobs(network, job, belongs):
    assert in_job(network, job) is belongs


def test_stages_of_jobs():
    assert [stage_of(job) for job in ("baseA", "A1-7B", "R1-7A", "B1-7B+")] == [
        "base",
        "frozen",
        "frozen",
        "fine_tuned",
    ]


def copy_of_tree(folder):
    """Copy what is sent to a machine with a GPU: no git, no environment."""
    names = ("Snakefile", "config.yaml", "pyproject.toml", "workflow", "profiles", "envs", "resources", "config")
    for name in (*names, "benchmarks", "tests"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)  # with compiled files, or every job would compile them again
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def rehearse(tmp_path):
    """Returns a function that rehearses in a copy of the tree, with PYTHONPATH and no home: the output and the rows."""

    def run_check(*arguments):
        tree, out = copy_of_tree(tmp_path), tmp_path / "out"
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": "/nonexistent",
            "OUT": str(out),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("site-packages")),
            "CUDA_VISIBLE_DEVICES": "",
        }
        done = subprocess.run(
            [sys._base_executable, "benchmarks/gpu_check.py", "rehearsal", *arguments],
            cwd=tree,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        with (out / "gpu_check_rehearsal.csv").open() as file:
            return done, list(csv.DictReader(file))

    return run_check


def test_without_a_gpu_it_says_so_and_ends(rehearse):
    done, rows = rehearse("--minutes", "1")
    assert done.returncode == 1
    assert "torch sees no GPU" in done.stderr
    assert {row["step"] for row in rows} == {"machine"}


@pytest.mark.slow
def test_every_step_is_rehearsed_without_a_gpu(rehearse):
    """It gets more minutes than it takes, because a machine may be busy."""
    steps = [step.name for group in (*GROUPS, *VARIANTS) for step in group]
    done, rows = rehearse("--rehearse", "few", "--minutes", "40", "--only", ",".join(steps))
    assert done.returncode == 0, done.stderr
    assert not [row for row in rows if row["how"] == FAILED], done.stdout
    # The profiler only traces a GPU's kernels.
    assert {row["step"] for row in rows if row["how"] == LEFT_OUT} == {"profile"}, done.stdout
    told = {row["step"] for row in rows if not row["what"].startswith("the step ")}
    assert told == {"machine", *steps}
    found = {row["what"]: row["value"] for row in rows}
    assert found["networks that killing and resuming changes"] == "0"
    assert int(found["resumed from iteration"]) > 0
    assert found["networks of each tiny study"] == "1"
    assert found["exit code: float32, killed and resumed"] == "0"
    extrapolated = [row for row in rows if row["what"] == "tiny-imagenet in full, wall clock"]
    assert [row["how"] for row in extrapolated] == [EXTRAPOLATED]
    assert all(row["device"] and row["versions"] and row["command"] for row in rows)
