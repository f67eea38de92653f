"""Archives are read whole, or refused with the reason; nothing stays behind."""

import bz2
import errno
import gzip
import io
import lzma
import os
import shutil
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.folders.support import pack
from transferability.data.folders import archives
from transferability.data.folders.archives import unpacked
from transferability.data.folders.forward_file import ForwardFile, decompressed
from transferability.store.source import StoreError

FILES = {
    f"{part}/{name}/{i}.png": f"{part} {name} {i} ".encode() * 99
    for part in ("train", "val")
    for name in ("ant", "bee")
    for i in range(3)
}


def zip_of(archive, files=FILES, **how):
    with zipfile.ZipFile(archive, "w", **how) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return archive


def tar_bytes(files=FILES, **how):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", **how) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder that archives are unpacked to, which must be empty afterward."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def archive(tmp_path, temporary):
    return tmp_path / "images"


def contents(archive, train="train"):
    with unpacked(archive, train, "mine") as folder:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(archive, train="train"):
    with pytest.raises(StoreError) as caught, unpacked(archive, train, "mine"):
        pass
    start = f"datasets.mine.root: {archive} cannot be unpacked ("
    text = str(caught.value)
    assert text.startswith(start)
    assert len(text.splitlines()) == 1
    return text.removeprefix(start)


COMPRESSORS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "": bytes}
COMPRESSORS["lzma"] = lambda data: lzma.compress(data, lzma.FORMAT_ALONE)


@pytest.mark.parametrize("compress", COMPRESSORS.values(), ids=COMPRESSORS)
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_is_read_whatever_it_is_called(archive, compress, form):
    archive.write_bytes(compress(tar_bytes(format=form)))
    assert contents(archive) == FILES


@pytest.mark.parametrize("compress", COMPRESSORS.values(), ids=COMPRESSORS)
def test_a_tar_that_is_cut_off_anywhere_is_refused(archive, compress):
    whole = compress(tar_bytes())
    for share in (0.1, 0.3, 0.6):
        archive.write_bytes(whole[: int(len(whole) * share)])
        refusal(archive)


def test_a_tar_that_is_cut_off_between_two_files_is_refused(archive):
    whole = tar_bytes()
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        places = [member.offset for member in tar.getmembers()]
    for place in places[1:]:
        archive.write_bytes(whole[:place])
        assert refusal(archive).startswith(f"its end is missing: it is cut off at byte {place:,}")


@pytest.mark.parametrize("compress", COMPRESSORS.values(), ids=COMPRESSORS)
@pytest.mark.parametrize("byte", [0, 100, 124, 148])
def test_a_wrong_byte_in_a_header_is_refused(archive, compress, byte):
    """The byte is in the name, the mode, the size or the checksum, in any file of the tar."""
    whole = tar_bytes()
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        places = [member.offset for member in tar.getmembers()]
    for place in (places[0], places[5], places[-1]):
        damaged = bytearray(whole)
        damaged[place + byte] ^= 1
        archive.write_bytes(compress(bytes(damaged)))
        refusal(archive)


@pytest.mark.parametrize("compress", COMPRESSORS.values(), ids=COMPRESSORS)
@pytest.mark.parametrize("padding", [0, 512, 20480])
def test_several_tars_in_one_file_are_all_read(archive, compress, padding):
    more = {f"train/cat/{i}.png": b"cat" for i in range(3)}
    archive.write_bytes(compress(tar_bytes() + bytes(padding) + tar_bytes(more) + bytes(padding)))
    assert contents(archive) == FILES | more


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_several_streams_in_one_file_are_all_read(archive, kind):
    whole, compress = tar_bytes(), COMPRESSORS[kind]
    archive.write_bytes(compress(whole[:5000]) + compress(whole[5000:]) + (bytes(8) if kind == "gz" else b""))
    assert contents(archive) == FILES


@pytest.mark.parametrize("compress", COMPRESSORS.values(), ids=COMPRESSORS)
def test_something_else_behind_a_tar_is_refused(archive, compress):
    for garbage in (b"garbage" * 200, compress(b"garbage" * 200), b"\x1f\x8b" + bytes(range(99))):
        archive.write_bytes(compress(tar_bytes()) + garbage)
        refusal(archive)


def test_a_damaged_stream_is_refused(archive):
    whole = bytearray(gzip.compress(tar_bytes()))
    whole[len(whole) // 2] ^= 255
    archive.write_bytes(whole)
    refusal(archive)


def test_files_that_look_back_a_little():
    stream = ForwardFile(iter([b"abc", b"", b"defgh", b"ij"]))
    assert [stream.read(2), stream.tell(), stream.seek(1), stream.read(4), stream.seek(9), stream.read()] == [
        b"ab",
        2,
        1,
        b"bcde",
        9,
        b"j",
    ]
    assert [stream.seek(99), stream.read(5)] == [10, b""]
    assert b"".join(decompressed(io.BytesIO(bz2.compress(b"a") + bz2.compress(b"b")), bz2.BZ2Decompressor)) == b"ab"


@pytest.mark.parametrize("name", ["../escaped", "train/../../escaped", "/../escaped"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_nothing_is_written_outside(archive, tmp_path, name, kind):
    if kind == "zip":
        zip_of(archive, {name: b"x"})
    else:
        archive.write_bytes(tar_bytes({name: b"x"}))
    assert "outside" in refusal(archive)
    assert not list(tmp_path.rglob("escaped"))


def link(name, target, kind):
    if kind == "tar":
        member = tarfile.TarInfo(name)
        member.type, member.linkname = tarfile.SYMTYPE, target
        return member
    member = zipfile.ZipInfo(name)
    member.create_system, member.external_attr = 3, 0o120777 << 16
    return member


def with_link(archive, kind, name, target):
    if kind == "zip":
        with zipfile.ZipFile(zip_of(archive), "a") as packed:
            packed.writestr(link(name, target, kind), target)
        return
    with tarfile.open(archive, "w") as tar:
        for file, content in FILES.items():
            member = tarfile.TarInfo(file)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        tar.addfile(link(name, target, kind))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_links_within_are_links(archive, kind):
    with_link(archive, kind, "train/cat", "bee")
    with unpacked(archive, "train", "mine") as folder:
        assert (folder / "train" / "cat" / "0.png").read_bytes() == FILES["train/bee/0.png"]


@pytest.mark.parametrize("target", ["/etc", "../../.."])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_links_that_lead_outside_are_refused(archive, kind, target):
    with_link(archive, kind, "train/cat", target)
    refusal(archive)


def test_a_hard_link_to_what_is_missing_is_refused(archive):
    with tarfile.open(archive, "w") as tar:
        member = tarfile.TarInfo("train/ant/0.png")
        member.type, member.linkname = tarfile.LNKTYPE, "train/ant/nothing.png"
        tar.addfile(member)
    refusal(archive)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_name_that_is_there_twice_is_refused(archive, kind):
    if kind == "zip":
        with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(zip_of(archive), "a") as packed:
            packed.writestr("train/ant/0.png", b"another")
    else:
        archive.write_bytes(tar_bytes() + tar_bytes({"train/ant/0.png": b"another"}))
    assert refusal(archive).startswith("train/ant/0.png is in it twice")


def without_flag(archive):
    """Make the archive like a Mac's zip: its names are UTF-8, but no flag says so."""
    data = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\3\4", 7), (b"PK\1\2", 9)):
        start = -1
        while (start := data.find(signature, start + 1)) >= 0:
            data[start + offset] &= ~8
    archive.write_bytes(data)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_of_a_mac_are_utf8(archive, form):
    files = {unicodedata.normalize(form, f"train/bär/{name}.png"): b"x" for name in ("ä", "日本", "plain")}
    without_flag(zip_of(archive, files))
    assert contents(archive) == files


def test_names_of_dos_are_of_its_code_page(archive):
    files = {"train/b?r/a.png": b"x"}
    zip_of(archive, files)
    archive.write_bytes(archive.read_bytes().replace(b"train/b?r", b"train/b\x84r"))
    assert contents(archive) == {"train/bär/a.png": b"x"}


def test_backslashes_of_windows_are_separators(archive):
    zip_of(archive, {name.replace("/", "\\"): content for name, content in FILES.items()})
    assert contents(archive) == FILES


def test_a_backslash_in_a_name_of_unix_is_a_sign(archive):
    files = FILES | {"train/ant/a\\b.png": b"x"}
    assert contents(zip_of(archive, files)) == files


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_of_all_compressions(archive, compression):
    assert contents(zip_of(archive, compression=compression)) == FILES


def test_a_zip64_is_read(archive):
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in FILES.items():
            with packed.open(name, "w", force_zip64=True) as file:
                file.write(content)
    assert contents(archive) == FILES


def test_a_wrong_byte_in_a_zip_is_refused(archive):
    data = bytearray(zip_of(archive).read_bytes())
    data[200] ^= 1
    archive.write_bytes(data)
    assert "Bad CRC-32 for file 'train/ant/0.png'" in refusal(archive)


def changed(archive, offset, value):
    """Change a field of the first member, in both of its headers."""
    data = bytearray(zip_of(archive).read_bytes())
    for signature, more in ((b"PK\3\4", 0), (b"PK\1\2", 2)):
        place = data.index(signature) + offset + more
        data[place : place + len(value)] = value
    archive.write_bytes(data)


def test_an_encrypted_zip_is_refused(archive):
    changed(archive, 6, b"\1")
    assert refusal(archive).startswith("it is encrypted; unpack it")


def test_an_unknown_compression_is_refused(archive):
    changed(archive, 8, b"\x09")
    assert "compression" in refusal(archive)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_a_zip_that_is_cut_off_is_refused(archive, share):
    data = zip_of(archive).read_bytes()
    archive.write_bytes(data[: int(len(data) * share)])
    assert refusal(archive).startswith("it is a zip whose end is missing")


def test_two_zips_in_one_file_are_refused(archive, tmp_path):
    other = zip_of(tmp_path / "other.zip", {"train/cat/0.png": b"x"})
    archive.write_bytes(zip_of(archive).read_bytes() + other.read_bytes())
    assert refusal(archive).startswith("it begins with files that its directory does not list")


def test_a_zip_that_counts_its_files_as_a_mac_does_is_read(archive, monkeypatch):
    """It has more files than its end record can count, here three, and nothing else says how many."""
    monkeypatch.setattr(archives, "_MOST_COUNTED", len(FILES) - 3)
    data = bytearray(zip_of(archive).read_bytes())
    end = data.rfind(b"PK\5\6")
    data[end + 8 : end + 12] = 2 * (3).to_bytes(2, "little")
    archive.write_bytes(data)
    assert contents(archive) == FILES


def test_names_that_a_zips_character_set_lacks_are_in_a_field_of_their_own(archive):
    """This is how Info-ZIP and WinRAR write them on Windows: by their short names, all of these would be ??."""
    files = {name.replace("ant", "\u732b").replace("bee", "\u72ac"): content for name, content in FILES.items()}
    with zipfile.ZipFile(archive, "w") as packed:
        for i, (name, content) in enumerate(files.items()):
            short = f"{name.partition('/')[0]}/{i}.png"
            member = zipfile.ZipInfo(short)
            field = struct.pack("<BL", 1, zlib.crc32(short.encode())) + name.encode()
            member.extra = struct.pack("<HH", 0x9999, 2) + b"xx" + struct.pack("<HH", 0x7075, len(field)) + field
            packed.writestr(member, content)
    assert contents(archive) == files


def test_a_zip_whose_list_is_not_whole_is_refused(archive):
    """Its end says that there are 13 files."""
    data = zip_of(archive).read_bytes()
    archive.write_bytes(data[:-14] + b"\x0d\0\x0d\0" + data[-10:])
    assert refusal(archive).startswith("its directory lists 12 files, but should list 13")


def test_a_zip_behind_a_program_is_read(archive):
    archive.write_bytes(b"#!/bin/sh\nexec unzip $0\n" + zip_of(archive).read_bytes())
    assert contents(archive) == FILES


def test_a_tar_whose_last_file_is_a_zip_is_a_tar(archive, tmp_path):
    inner = zip_of(tmp_path / "inner.zip", {"a": b"b"}).read_bytes()
    files = FILES | {"val/notes.zip": inner}
    archive.write_bytes(tar_bytes(files))
    assert contents(archive) == files


@pytest.mark.parametrize(
    ("begin", "reason"),
    [
        (b"\x28\xb5\x2f\xfd", "tar --zstd"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        (b"PK\x07\x08PK\x03\x04", "a split zip"),
        (b"no archive", "not an archive, or damaged"),
        (b"", "not an archive, or damaged|empty|cut off"),
    ],
)
def test_other_archives_are_named(archive, begin, reason):
    archive.write_bytes(begin + bytes(range(1, 200)) * (1 if begin else 0))
    assert any(words in refusal(archive) for words in reason.split("|"))


@pytest.mark.parametrize("around", ["", "top", "top/mid", "a/b/c/d"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_folders_around_it_all(archive, around, kind):
    files = {str(Path(around, name)): content for name, content in FILES.items()}
    files |= {str(Path("__MACOSX", around, "train/._ant")): b"x", "README.txt": b"x", ".DS_Store": b"x"}
    if kind == "zip":
        zip_of(archive, files)
    else:
        archive.write_bytes(tar_bytes(files))
    with unpacked(archive, "train", "mine") as folder:
        assert {name: (folder / name).read_bytes() for name in FILES} == FILES


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_room_is_looked_for_before(archive, temporary, monkeypatch, kind):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**6, 10**6, 1000))
    if kind == "zip":
        zip_of(archive)
    else:
        archive.write_bytes(tar_bytes())
    assert f"in {temporary} only 1.0 kB are free; set the environment variable TMPDIR" in refusal(archive)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_disk_that_runs_full_is_named(archive, temporary, monkeypatch, kind):
    def full(*_args, **_settings):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if kind == "zip":
        zip_of(archive)
        monkeypatch.setattr(shutil, "copyfileobj", full)
    else:
        archive.write_bytes(tar_bytes())
        monkeypatch.setattr(tarfile, "copyfileobj", full)
    assert refusal(archive).startswith(f"the disk of {temporary} is full; set the environment variable TMPDIR")


def test_images_of_an_archive_are_those_of_the_folder(tmp_path, temporary):
    rng = np.random.default_rng(0)
    for name in FILES:
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(path)
    expected = {name: (tmp_path / "folder" / name).read_bytes() for name in FILES}
    for archive in (
        pack(tmp_path / "folder", tmp_path / "a.zip", "top"),
        pack(tmp_path / "folder", tmp_path / "a.tar"),
    ):
        assert contents(archive) == expected
