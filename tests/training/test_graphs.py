"""Captured updates. Without a GPU, a stand-in captures: it calls the function again with the inputs that it kept."""

import gc
import weakref
from dataclasses import replace
from functools import partial

import pytest
import torch
from safetensors.torch import load_file

from tests.support import files_in
from tests.training.support import Capture
from transferability.training import lock_step
from transferability.training.graphs import CALLS_BEFORE_CAPTURE, Replayed, side_by_side
from transferability.training.learner import Learner
from transferability.training.train import train


def test_a_replayed_function_gives_what_it_would_give():
    capture = Capture()
    replayed = Replayed(lambda x, y: x * y, capture)
    for i in range(10):
        x, y = torch.full((3,), float(i)), torch.arange(3.0)
        assert torch.equal(replayed(x, y), x * y)
    assert (capture.captured, capture.replays) == (1, 10 - CALLS_BEFORE_CAPTURE)


def test_the_result_is_overwritten_by_the_next_call():
    replayed = Replayed(lambda x: x + 1, Capture())
    results = [replayed(torch.tensor(float(i))) for i in range(6)]
    assert results[4] is results[5]


def test_calls_without_a_gpu_come_one_after_the_other():
    order = []
    results = side_by_side([partial(lambda i: order.append(i) or torch.tensor(i), i) for i in range(3)])
    assert [int(result) for result in results] == order == [0, 1, 2]


def test_nothing_of_a_training_outlives_it(recipe, running, tmp_path, monkeypatch):
    """On a GPU, a captured graph that is left to the garbage collector is destroyed while another is captured."""
    alive = weakref.WeakSet()

    class Watched(Learner):
        def __init__(self, *about, **more):
            super().__init__(*about, **more)
            alive.add(self)

    def replayed(function):
        alive.add(made := Replayed(function, Capture()))
        return made

    monkeypatch.setattr("transferability.training.train.Learner", Watched)
    monkeypatch.setattr(lock_step, "replays", lambda learning, running: True)
    monkeypatch.setattr(lock_step, "Replayed", replayed)
    gc.disable()
    try:
        train(recipe, files_in(tmp_path, "R1B", "R3B"), None, running)
        assert not alive
    finally:
        gc.enable()


@pytest.mark.parametrize("pattern", ["base{n}", "R{n}B", "R{n}B+"])
def test_networks_are_the_same_to_the_bit(pattern, recipe, running, tmp_path, monkeypatch):
    names = ["baseB"] if pattern.startswith("base") else [pattern.format(n=n) for n in (1, 3, 7)]
    plain, replayed = (files_in(tmp_path / how, *names) for how in ("plain", "replayed"))
    train(recipe, plain, None, running)

    capture = Capture()
    monkeypatch.setattr(lock_step, "replays", lambda learning, running: True)
    monkeypatch.setattr(lock_step, "Replayed", partial(Replayed, capture=capture))
    train(recipe, replayed, None, replace(running, states=tmp_path / "other states"))
    assert capture.replays == recipe.hyperparameters.iterations - CALLS_BEFORE_CAPTURE
    for network in plain:
        one, other = (load_file(files[network].checkpoint) for files in (plain, replayed))
        assert all(torch.equal(one[name], other[name]) for name in one)
        assert plain[network].history.read_text() == replayed[network].history.read_text()
