"""Data sets by name: true labels, official files only, and downloads that fail; all with files made here."""

import copy
import gzip
import hashlib
import os
import pickle
import socket
import struct
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10, CIFAR100, FashionMNIST

from tests.support import DEFAULT, ROOT
from transferability.data.build import build_store
from transferability.data.kinds import image_source
from transferability.data.official_sets import FASHION_MNIST_MD5, torchvision_set
from transferability.files import lock_file
from transferability.store.reading import open_store
from transferability.store.source import StoreError
from transferability.study.design import read_study
from transferability.study.groups import read_groups
from transferability.study.schema import ConfigError

RESOURCES = ROOT / "resources"
NOWHERE = "http://127.0.0.1:9/"  # the discard port: refused at once
UNSORTED = ["zebra", "ant", "moose", "bee", "yak", "cat", "wolf", "dog", "eel", "fox"]
COUNTS = {"train": 30, "t10k": 20}


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def fashion_labels(part):
    return np.arange(COUNTS[part], dtype=np.uint8)[::-1] % 10


def write_fashion(folder, packed=True):
    """Write images whose pixels are all ten times their official label."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in COUNTS.items():
        labels = fashion_labels(part)
        images = np.broadcast_to(10 * labels[:, None, None], (count, 28, 28))
        write_idx(folder / f"{part}-images-idx3-ubyte", images, packed)
        write_idx(folder / f"{part}-labels-idx1-ubyte", labels, packed)
    return folder


def take_for_official(monkeypatch, folder):
    """Take the content of these files for the official one, packed or not."""
    for name in FASHION_MNIST_MD5:
        path = folder / name
        content = path.read_bytes() if path.exists() else gzip.decompress(Path(f"{path}.gz").read_bytes())
        monkeypatch.setitem(FASHION_MNIST_MD5, name, hashlib.md5(content).hexdigest())


def write_idx(path, content, packed):
    data = struct.pack(f">4B{content.ndim}I", 0, 0, 8, content.ndim, *content.shape) + content.tobytes()
    if packed:
        Path(f"{path}.gz").write_bytes(gzip.compress(data))
    else:
        path.write_bytes(data)


class Planted:
    """An object that leaves a trace as soon as it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def write_cifar(root, trace=None):
    """Write a CIFAR-10 with 10 images per batch, pixels ten times their label, and a pickle that leaves a trace."""
    folder = root / CIFAR10.base_folder
    folder.mkdir(parents=True)
    labels = list(range(10))
    data = np.repeat(10 * np.arange(10, dtype=np.uint8)[:, None], 3072, axis=1)
    for name, _ in [*CIFAR10.train_list, *CIFAR10.test_list]:
        content = {"data": data, "labels": labels, "planted": trace and Planted(trace)}
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / CIFAR10.meta["filename"]).write_bytes(pickle.dumps({"label_names": UNSORTED}))
    return root


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder, and the address at which this machine serves it."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def cifar(tmp_path, monkeypatch, served):
    """A small CIFAR-10 whose checksums torchvision takes for the official ones; a folder, and served as an archive."""
    root = write_cifar(tmp_path / "official")
    folder = root / CIFAR10.base_folder
    for part in ("train_list", "test_list"):
        monkeypatch.setattr(CIFAR10, part, [[name, md5(folder / name)] for name, _ in getattr(CIFAR10, part)])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5(folder / "batches.meta")})
    archive = served[0] / CIFAR10.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, CIFAR10.base_folder)
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(archive))
    monkeypatch.setattr(CIFAR10, "url", served[1] + archive.name)
    return root


def assert_true_names(source, official_names, folder):
    """Each image shows its official label; the store must say the name that belongs to it."""
    build_store(source, folder, duplicates="allow")
    store = open_store(folder)
    names = [store.classes[label].name for label in store.labels]
    assert names == [official_names[image.flat[0] // 10] for image in store.images]
    assert [c.name for c in store.classes] == sorted(official_names)
    return store


def test_images_keep_the_names_of_their_classes(cifar, tmp_path):
    source = torchvision_set("mine", "cifar10", cifar)
    store = assert_true_names(source, UNSORTED, tmp_path / "store")
    assert store.images.shape == (60, 32, 32, 3)
    assert (store.training_count, store.name) == (50, "mine")
    assert [sample.file for sample in source.training[:2]] == ["train 00000", "train 00001"]
    assert [sample.file for sample in source.validation[-2:]] == ["test 00008", "test 00009"]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("below", [".", "FashionMNIST/raw"])
def test_fashion_mnist_in_any_folder(tmp_path, monkeypatch, packed, below):
    take_for_official(monkeypatch, write_fashion(tmp_path / "data" / below, packed))
    before = sorted((tmp_path / "data").rglob("*"))
    source = torchvision_set("fashion", "fashion_mnist", tmp_path / "data")
    store = assert_true_names(source, FashionMNIST.classes, tmp_path / "store")
    assert store.images.shape == (50, 28, 28, 1)
    assert [source.classes[s.label].name for s in source.training] == [
        FashionMNIST.classes[label] for label in fashion_labels("train")
    ]
    assert sorted((tmp_path / "data").rglob("*")) == before


def test_a_relative_folder(tmp_path, monkeypatch):
    take_for_official(monkeypatch, write_fashion(tmp_path / "data", packed=False))
    monkeypatch.chdir(tmp_path)
    settings = {"kind": "torchvision", "set": "fashion_mnist", "folder": "data"}
    with image_source("fashion", settings) as source:
        assert len(source.training) == COUNTS["train"]


@pytest.mark.usefixtures("cifar")
def test_what_is_missing_is_downloaded_whole(tmp_path, served):
    data, said = tmp_path / "data", []
    source = torchvision_set("cifar10", "cifar10", data, said.append)
    assert len(source.training) == 50
    assert said == [f"downloading {CIFAR10.filename} from {served[1]} to {data}"]
    assert [path.name for path in data.iterdir()] == [CIFAR10.base_folder]
    torchvision_set("cifar10", "cifar10", data, said.append)
    assert len(said) == 1


@pytest.mark.usefixtures("cifar")
def test_downloads_leave_no_progress_bar(tmp_path, capfd):
    torchvision_set("cifar10", "cifar10", tmp_path / "data")
    assert capfd.readouterr() == ("", "")


def test_fashion_mnist_is_downloaded_too(tmp_path, monkeypatch, served):
    take_for_official(monkeypatch, write_fashion(served[0]))
    monkeypatch.setattr(FashionMNIST, "mirrors", [served[1]])
    monkeypatch.setattr(FashionMNIST, "resources", [(n, md5(served[0] / n)) for n, _ in FashionMNIST.resources])
    source = torchvision_set("fashion", "fashion_mnist", tmp_path / "data")
    assert len(source.validation) == COUNTS["t10k"]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["FashionMNIST"]


@pytest.mark.usefixtures("cifar")
def test_an_archive_that_was_put_there_is_unpacked(tmp_path, served):
    data, said = tmp_path / "data", []
    data.mkdir()
    (served[0] / CIFAR10.filename).rename(data / CIFAR10.filename)
    assert len(torchvision_set("cifar10", "cifar10", data, said.append).training) == 50
    assert said == [f"unpacking {data / CIFAR10.filename}"]
    assert sorted(path.name for path in data.iterdir()) == [CIFAR10.base_folder, CIFAR10.filename]


def test_an_incomplete_folder_is_completed(cifar, tmp_path):
    missing = cifar / CIFAR10.base_folder / "data_batch_3"
    missing.unlink()
    assert len(torchvision_set("cifar10", "cifar10", cifar).training) == 50
    assert missing.exists()


@pytest.mark.parametrize("trouble", ["no network", "not there", "truncated"])
@pytest.mark.parametrize(
    ("kind", "official"), [("cifar10", CIFAR10), ("cifar100", CIFAR100), ("fashion_mnist", FashionMNIST)]
)
def test_a_download_that_fails_says_what_to_do(tmp_path, monkeypatch, served, kind, official, trouble):
    if trouble == "truncated":
        for name in [CIFAR10.filename, CIFAR100.filename, *(name for name, _ in FashionMNIST.resources)]:
            (served[0] / name).write_bytes(b"\x1f\x8b\x08")
    data, url = tmp_path / "data", NOWHERE if trouble == "no network" else served[1]
    if official is FashionMNIST:
        files = [name for name, _ in FashionMNIST.resources]
        monkeypatch.setattr(FashionMNIST, "mirrors", [url])
    else:
        files = [official.filename]
        monkeypatch.setattr(official, "url", url + official.filename)
    with pytest.raises(StoreError) as caught:
        torchvision_set("mine", kind, data)
    message = str(caught.value)
    assert message.startswith(f"datasets.mine: {data} lacks the data set, and fetching it failed (")
    assert message.endswith(f"); put {', '.join(files)} from {url} into {data}")
    assert "\n" not in message
    assert list(data.iterdir()) == []


def test_a_silent_server_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("transferability.data.official_sets.TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hang_up = threading.Timer(20, silent.close)  # otherwise, this test would hang if it fails
        hang_up.start()
        monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{silent.getsockname()[1]}/{CIFAR10.filename}")
        with pytest.raises(StoreError, match="timed out"):
            torchvision_set("cifar10", "cifar10", tmp_path / "data")
        hang_up.cancel()
    assert socket.getdefaulttimeout() is None


def test_an_interrupted_download_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(_url, root, filename, **_):
        Path(root, filename).write_bytes(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        torchvision_set("cifar10", "cifar10", tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.usefixtures("cifar", "served")
def test_what_a_killed_download_left_goes_with_the_next_one_and_what_is_under_way_stays(tmp_path):
    data = tmp_path / "elsewhere"
    left, under_way = data / ".download-left", data / ".download-under-way"
    for folder in (left, under_way):
        (folder / "below").mkdir(parents=True)
        (folder / "below" / "half a file").write_bytes(b"half")
    lock = lock_file(under_way / ".lock", "")
    torchvision_set("cifar10", "cifar10", data)
    assert {path.name for path in data.iterdir()} == {CIFAR10.base_folder, under_way.name}
    os.close(lock)


def test_a_planted_pickle_does_leave_its_trace(tmp_path):
    """Otherwise, the next test would prove nothing."""
    root = write_cifar(tmp_path, trace=tmp_path / "trace")
    with (root / CIFAR10.base_folder / "test_batch").open("rb") as file:
        pickle.load(file)
    assert (tmp_path / "trace").exists()


TAMPERED = ["data_batch_1", "data_batch_5", "test_batch", "batches.meta"]


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_file_is_refused_before_anything_is_unpickled(cifar, tmp_path, monkeypatch, name):
    trace, tampered = tmp_path / "trace", cifar / CIFAR10.base_folder / name
    tampered.write_bytes(pickle.dumps({"planted": Planted(trace)}))
    opened = []
    monkeypatch.setattr(pickle, "load", lambda file, **_: opened.append(file.name))
    with pytest.raises(StoreError, match=f"^datasets.mine: {tampered} is not the official file, since its MD5 is not "):
        torchvision_set("mine", "cifar10", cifar)
    assert (opened, trace.exists()) == ([], False)


@pytest.mark.parametrize("name", TAMPERED)
def test_torchvision_itself_refuses_a_tampered_file(cifar, tmp_path, name):
    trace = tmp_path / "trace"
    (cifar / CIFAR10.base_folder / name).write_bytes(pickle.dumps({"planted": Planted(trace)}))
    with pytest.raises(RuntimeError, match="not found or corrupted"):
        CIFAR10(cifar)
    assert not trace.exists()


def test_a_tampered_archive_is_refused_and_kept(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    archive = data / CIFAR10.filename
    archive.write_bytes(b"something else")
    with pytest.raises(StoreError, match=f"{archive} is not the official file"):
        torchvision_set("cifar10", "cifar10", data)
    assert archive.read_bytes() == b"something else"


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", FASHION_MNIST_MD5)
def test_files_of_fashion_mnist_that_are_others_are_refused(tmp_path, monkeypatch, name, packed):
    """Such as MNIST's digits, whose files have the same names, shapes and labels."""
    take_for_official(monkeypatch, write_fashion(tmp_path, packed))
    path = tmp_path / (f"{name}.gz" if packed else name)
    content = bytearray(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(StoreError, match=f"^datasets.mine: {path} is not the official file of Fashion-MNIST, since"):
        torchvision_set("mine", "fashion_mnist", tmp_path)


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(bytes(99), mtime=0)[:-9]])
def test_damaged_files_are_named_by_their_folder(tmp_path, monkeypatch, content):
    take_for_official(monkeypatch, write_fashion(tmp_path))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(content)
    with pytest.raises(StoreError, match=f"^datasets.mine: the files in {tmp_path} cannot be read"):
        torchvision_set("mine", "fashion_mnist", tmp_path)


def test_an_unknown_set_is_refused_by_the_config():
    config = copy.deepcopy(DEFAULT)
    config["dataset"] = "mine"
    config["datasets"]["mine"] = {"kind": "torchvision", "set": "cifar", "folder": "data", "groups": "groups.csv"}
    with pytest.raises(
        ConfigError, match=r"datasets.mine.set: is 'cifar'; it must be one of cifar10, cifar100, fashion_"
    ):
        read_study(config)


def python2_pickle(content):
    """As Python 2 wrote dictionaries of lists, texts and small numbers, which is how CIFAR was published."""
    memo = iter(range(1, 256))

    def written(value):
        match value:
            case str():
                return b"U" + bytes([len(value)]) + value.encode() + b"q" + bytes([next(memo)])
            case int():
                return b"M" + struct.pack("<H", value)
            case list():
                start = b"]q" + bytes([next(memo)]) + b"("
                return start + b"".join(map(written, value)) + b"e"
            case dict():
                start = b"}q" + bytes([next(memo)]) + b"("
                return start + b"".join(written(k) + written(v) for k, v in value.items()) + b"u"

    return b"\x80\x02" + written(content) + b"."


def official_meta(official):
    """The official file of names, made again from our list of classes."""
    with (RESOURCES / official.__name__.lower() / "groups.csv").open() as file:
        rows = [line.strip().split(",") for line in file][1:]
    names = [row[0] for row in rows]
    if official is CIFAR100:
        superclasses = sorted({row[1] for row in rows})
        return python2_pickle({"fine_label_names": names, "coarse_label_names": superclasses})
    return python2_pickle({"num_cases_per_batch": 10000, "label_names": names, "num_vis": 3072})


@pytest.mark.parametrize("official", [CIFAR10, CIFAR100])
def test_the_classes_of_cifar_are_the_official_ones(official):
    """Byte by byte, by the checksum of the file that has them."""
    assert hashlib.md5(official_meta(official)).hexdigest() == official.meta["md5"]


def test_the_classes_of_fashion_mnist_are_the_official_ones():
    assert list(read_groups(RESOURCES / "fashion_mnist" / "groups.csv")) == sorted(FashionMNIST.classes)


@pytest.mark.parametrize(
    ("folder", "sizes"),
    [
        ("cifar10", {"man-made": 4, "natural": 6}),
        ("cifar100", {"man-made": 30, "natural": 70}),
        ("fashion_mnist", {"footwear-and-bags": 4, "garments": 6}),
    ],
)
def test_classes_are_grouped_and_sorted(folder, sizes):
    groups = read_groups(RESOURCES / folder / "groups.csv")
    assert list(groups) == sorted(groups)
    assert {group: list(groups.values()).count(group) for group in groups.values()} == sizes


def test_a_superclass_of_cifar100_has_five_classes_of_one_group():
    with (RESOURCES / "cifar100" / "groups.csv").open() as file:
        rows = [line.strip().split(",") for line in file][1:]
    of_superclass = {name: [group for _, s, group in rows if s == name] for name in {row[1] for row in rows}}
    assert len(of_superclass) == 20
    assert all(len(groups) == 5 and len(set(groups)) == 1 for groups in of_superclass.values())
