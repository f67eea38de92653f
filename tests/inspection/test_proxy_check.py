"""Which probes `verify` repeats: one source and target per job, in turn, and never with too many images."""

import pytest

from tests.support import DEFAULT
from transferability.files import write_json
from transferability.inspection import proxy_check
from transferability.inspection.proxy_check import ProxyOutputs, verify_proxies
from transferability.study.design import read_study


@pytest.fixture
def check(tmp_path, recipe, monkeypatch):
    """Returns a function that checks parts of two splits: its findings and log; probing only records its arguments."""
    study = read_study({**DEFAULT, "splits": ["random0", "random1"]})
    asked = []

    def probe(_recipe, target, _files, _probing, only):
        asked.append((target, only))
        return []

    monkeypatch.setattr(proxy_check, "probe", probe)
    parts = {(split, 0): tmp_path / f"{split}.json" for split in study.splits}
    for path in parts.values():
        rows = [{"target": target, "source": source} for target in "AB" for source in "ABR"]
        write_json(path, {"rows": rows, "made_from": {}})
    (tmp_path / "proxies.csv").touch()
    outputs = ProxyOutputs(parts, tmp_path / "proxies.csv", tmp_path / "agreement.csv", {}, 1e9)

    def run(again=frozenset({0, 1})):
        said = []
        files = dict.fromkeys("ABR")
        found = verify_proxies(study, outputs, pytest.fail, lambda _key: (recipe, files), again, say=said.append)
        return [finding.what for finding in found], said, asked

    return run


def test_one_source_and_target_a_job_in_turn(check):
    found, said, asked = check()
    assert asked == [("A", "A"), ("A", "B")]
    assert sum("probed again" in what for what in found) == 2
    assert said == []


def test_of_too_many_images_it_says_that_nothing_is_probed(check, monkeypatch):
    monkeypatch.setattr(proxy_check, "_MOST_PROBED_AGAIN", 10)
    found, said, asked = check()
    assert asked == []
    assert not any("probed again" in what for what in found)
    assert all("not probed again on a CPU" in line for line in said)
    assert len(said) == 2


@pytest.mark.parametrize(("recorded", "found"), [(None, 0.5), (0.5, None), (0.5, 0.75), (3, 4)])
def test_a_value_that_was_missing_or_another_is_no_repetition(tmp_path, recipe, recorded, found):
    part = proxy_check._Part(tmp_path / "probes.json", recipe, {}, "AB", 1e9)
    assert not part._nearly("top1", recorded, found)
