import pickle

import pytest
import torch

from transferability.records.checkpoints import (
    CheckpointError,
    first_layer_weights,
    load_weights,
    read_about,
    save_checkpoint,
)

WEIGHTS = {"conv1.0.weight": torch.arange(12.0).reshape(3, 1, 2, 2), "conv1.0.bias": torch.zeros(3)}
ABOUT = {"network": "baseA", "seed": 0, "classes": ["ä", "b"]}


@pytest.fixture
def path(tmp_path):
    save_checkpoint(tmp_path / "baseA.safetensors", WEIGHTS, ABOUT)
    return tmp_path / "baseA.safetensors"


def test_weights_and_what_made_them_come_back(path):
    assert read_about(path) == ABOUT
    loaded = load_weights(path, network="baseA", seed=0)
    assert loaded.keys() == WEIGHTS.keys()
    assert all(torch.equal(loaded[key], WEIGHTS[key]) for key in WEIGHTS)
    assert first_layer_weights(path, "conv1.").shape == (3, 1, 2, 2)


def test_the_same_network_is_the_same_file(path, tmp_path):
    save_checkpoint(tmp_path / "again", dict(reversed(WEIGHTS.items())), dict(reversed(ABOUT.items())))
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_layout_in_memory_does_not_matter(tmp_path):
    one = torch.randn(4, 3, 5, 5)
    for name, tensor in (("plain", one), ("channels last", one.to(memory_format=torch.channels_last))):
        save_checkpoint(tmp_path / name, {"w": tensor}, {})
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "channels last").read_bytes()


def test_another_network_is_refused_by_name(path):
    with pytest.raises(CheckpointError, match=r"baseA.safetensors: its network is 'baseA', not 'baseB'"):
        load_weights(path, network="baseB")


@pytest.mark.parametrize("length", [0, 5, 60, -4])
def test_a_truncated_checkpoint_is_refused(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load_weights(path)


def test_a_checkpoint_that_is_not_there_is_not_called_damaged(path):
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"baseA\.safetensors"):
        load_weights(path)


def test_a_pickle_is_not_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    path = tmp_path / "trap.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError):
        read_about(path)
