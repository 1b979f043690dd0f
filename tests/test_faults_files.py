"""Files that are damaged, missing, no files at all or half-written: nothing breaks, and nothing is silent."""

import errno
import os
import warnings
import zipfile
from pathlib import Path

import faults
import faults_files
import faults_runs
import numpy as np
import pytest
import trees
from faults_files import ODD

import speculo
from speculo import cache, files, runs
from speculo.faces import FaceSet
from speculo.sources import heads
from speculo.sources.heads import asset

ARRAYS = {"a": np.arange(1000.0), "names": np.array(["anna", "ben"])}

KINDS = faults_files.KINDS | faults_runs.KINDS

# How many tries of each kind are made here; the long version makes `Kind.tries`.
TRIES = {
    "a photo, damaged": 60,
    "the cache, damaged": 20,
    "weights and states, damaged": 150,
    "the heads' asset, damaged": 15,
    "texts and poses beside photos, damaged": 12,
    "a download, damaged": 10,
    "ORL's package, damaged": 10,
    "something that is no file": 16,
    "a full disk": 10,
    "killed while reading photos": 4,
    "killed while drawing heads": 3,
    "a damaged cache opened by four": 2,
    "a run's file, damaged": 4,
    "killed while training": 1,
    "one run trained by two": 1,
}


@pytest.mark.parametrize("kind", TRIES)
def test_a_fault_is_mended_or_named(kind):
    if kind == "a full disk" and not faults.can_mount():
        pytest.skip("only root can make a small disk, on Linux")
    results = {number: faults.attempt(KINDS[kind], number) for number in range(TRIES[kind])}
    bad = {n: what for n, what in results.items() if what not in (faults.RIGHT, faults.NAMED)}
    assert not bad


# ---------------------------------------------------------------- arrays


def npz(path: Path, header: bytes, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "a.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content
        )
    return path


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\n", "longer than its header"),
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (5,), }\n", "damaged"),
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (1 << 60,), }\n", "damaged"),
        (b"{'descr': '|O', 'fortran_order': False, 'shape': (4,), }\n", "damaged"),
        (b"(" * 500 + b"\n", "damaged"),
        (b"", "damaged"),
    ],
)
def test_a_header_that_lies_is_found_though_its_checksum_is_right(header, words, tmp_path):
    with pytest.raises(ValueError, match=f"it.npz is damaged or not whole .*{words}|it.npz is dam"):
        files.read_arrays(npz(tmp_path / "it.npz", header, bytes(32)))


@pytest.mark.parametrize("what", [*ODD, "encrypted"])
def test_what_is_no_file_of_arrays_is_named(what, tmp_path):
    path = tmp_path / "it.npz"
    if what == "encrypted":
        files.write_arrays(path, ARRAYS)
        content = bytearray(path.read_bytes())
        content[content.index(b"PK\x01\x02") + 8] |= 1
        path.write_bytes(content)
    else:
        ODD[what](path)
    expected = FileNotFoundError if what == "a link to nothing" else ValueError
    with pytest.raises(expected, match="it.npz"):
        files.read_arrays(path)


def test_a_file_of_other_arrays_is_no_faceset(orl, tmp_path):
    for name in orl.arrays():
        files.write_arrays(tmp_path / "it.npz", orl.arrays() | {name: np.array(1.5)})
        if name == "name":  # anything can be one
            continue
        with pytest.raises(ValueError, match="FaceSet"):
            FaceSet.open(tmp_path / "it.npz")


# ---------------------------------------------------------------- writing


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, r"The disk is full: it.npz was not written \(it needs 8.* MB, and .* free"),
        (errno.EDQUOT, r"Your share of the disk is full: it.npz .*Free some space"),
        (errno.EROFS, "it.npz cannot be written .Read-only file system.*Make .* writable"),
        (errno.EIO, "it.npz cannot be written .Input/output error"),
    ],
)
@pytest.mark.parametrize("step", ["posix_fallocate", "fsync", "replace"])
def test_what_cannot_be_written_is_said_in_a_line_and_the_old_file_stays(
    number, words, step, tmp_path, monkeypatch
):
    path = tmp_path / "it.npz"
    files.write_arrays(path, ARRAYS)

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match=words) as error:
        files.write_arrays(path, {"a": np.zeros(1_000_000)})
    monkeypatch.undo()
    assert error.value.errno == number and "\n" not in str(error.value)
    assert np.array_equal(files.read_arrays(path)["a"], ARRAYS["a"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["it.npz"]


def test_what_is_in_the_way_is_named(tmp_path):
    (tmp_path / "runs").touch()
    with pytest.raises(OSError, match="Move .*runs out of the way"):
        files.write_text(tmp_path / "runs" / "v8" / "run.json", "{}")
    (tmp_path / "run.json").mkdir()
    with pytest.raises(OSError, match="Move .*run.json out of the way"):
        files.write_text(tmp_path / "run.json", "{}")
    assert {entry.name for entry in tmp_path.iterdir()} == {"runs", "run.json"}


@pytest.mark.parametrize("refusal", ["none", errno.EOPNOTSUPP, errno.EINVAL])
def test_a_disk_that_reserves_nothing_is_written_to_all_the_same(refusal, tmp_path, monkeypatch):
    files.write_arrays(tmp_path / "before.npz", ARRAYS)

    def refuse(*_):
        raise OSError(refusal, "no")

    if refusal == "none":
        monkeypatch.delattr(os, "posix_fallocate")
    else:
        monkeypatch.setattr(os, "posix_fallocate", refuse)
    files.write_arrays(tmp_path / "it.npz", ARRAYS)
    assert np.array_equal(files.read_arrays(tmp_path / "it.npz")["a"], ARRAYS["a"])
    assert (tmp_path / "it.npz").stat().st_size == (tmp_path / "before.npz").stat().st_size


def test_a_file_is_on_the_disk_before_it_has_its_name_and_so_is_the_name(tmp_path, monkeypatch):
    path, done = tmp_path / "it.npz", []
    fsync, replace = os.fsync, os.replace

    def written(handle):
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", written)
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("name"), replace(*names)))
    files.write_arrays(path, ARRAYS)
    assert done == ["file", "name", "folder"]


def test_what_killed_writers_left_goes_at_the_next_write_and_what_is_being_written_stays(tmp_path):
    (tmp_path / f"{files.UNFINISHED}1.npz").touch()
    (tmp_path / f"{files.UNFINISHED}2").mkdir()
    (tmp_path / f"{files.UNFINISHED}2" / "images.npy").touch()
    with files.replacing(tmp_path / "one.txt") as part, files.new_folder(tmp_path / "two") as other:
        files.write_text(tmp_path / "three.txt", "3")
        assert {each.name for each in tmp_path.iterdir()} == {part.name, other.name, "three.txt"}
        part.write_text("1")
    assert {each.name for each in tmp_path.iterdir()} == {"one.txt", "two", "three.txt"}


def test_opening_a_run_takes_away_what_killed_writers_left(home):
    run = home / "runs" / "v8"
    for folder in (run, run / "img", run / "snapshots"):
        folder.mkdir(parents=True)
        (folder / f"{files.UNFINISHED}it").touch()
    with pytest.raises(FileNotFoundError):
        runs.open("v8")
    assert not list(run.rglob(f"{files.UNFINISHED}*"))


# ---------------------------------------------------------------- the cache


@pytest.fixture
def mine(tmp_path):
    return trees.folder(tmp_path / "them", people=2, photos=3)


def at(home: Path) -> Path:
    return next((home / "build" / "cache").iterdir())


@pytest.mark.parametrize("field", [*cache.FIELDS, "checksums"])
@pytest.mark.parametrize("how", ["emptied", "flipped", "a pipe"])
def test_a_damaged_cache_is_named_and_made_anew(field, how, mine, home):
    before = np.array(speculo.load(f"folder:{mine}").images)
    broken = next(at(home).glob(f"{field}.*"))
    content = bytearray(broken.read_bytes())
    content[len(content) // 2] ^= 4
    broken.unlink()
    if how == "a pipe":
        os.mkfifo(broken)
    else:
        broken.write_bytes(content if how == "flipped" else b"")
    with pytest.warns(
        UserWarning, match=f"build/cache/.*{'' if field == 'checksums' else field}.* is damaged"
    ):
        assert np.array_equal(speculo.load(f"folder:{mine}").images, before)
    with warnings.catch_warnings(action="error"):
        speculo.load(f"folder:{mine}")


def test_a_flip_that_leaves_no_trace_in_the_times_is_found_by_the_next_process(mine, home):
    before = np.array(speculo.load(f"folder:{mine}").images)
    broken = at(home) / "images.npy"
    status = broken.stat()
    with open(broken, "r+b") as file:
        file.seek(3000)
        file.write(b"\x01")
    os.utime(broken, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.warns(UserWarning, match="images.npy is damaged"):
        assert np.array_equal(speculo.load(f"folder:{mine}").images, before)


def test_each_file_is_checked_once_in_a_process(mine, monkeypatch):
    speculo.load(f"folder:{mine}")
    checked, checksum = [], cache._checksum
    monkeypatch.setattr(cache, "_checksum", lambda file: checked.append(file) or checksum(file))
    speculo.load(f"folder:{mine}")
    assert not checked
    monkeypatch.setattr(cache, "_good", set())  # as in another process
    for _ in range(2):
        speculo.load(f"folder:{mine}")
        assert len(checked) == len(cache.FIELDS)


def test_something_in_the_place_of_the_cache_is_named(mine, home):
    (home / "build").mkdir()
    (home / "build" / "cache").touch()
    with pytest.raises(OSError, match="Move .*cache out of the way"):
        speculo.load(f"folder:{mine}")
    (home / "build" / "cache").unlink()
    speculo.load(f"folder:{mine}")
    folder = at(home)
    files.remove(folder)
    folder.write_text("mine")
    with pytest.warns(UserWarning, match="is damaged"):
        assert len(speculo.load(f"folder:{mine}")) == 6


# ---------------------------------------------------------------- heads


@pytest.mark.parametrize("content", [None, b"", b"PK", "a pipe"])
def test_a_damaged_asset_says_how_to_get_it_again(content, tmp_path, monkeypatch):
    monkeypatch.setattr(asset, "PATH", tmp_path / "heads.npz")
    monkeypatch.setattr(asset, "digest", asset.digest.__wrapped__)
    monkeypatch.setattr(asset, "read", asset.read.__wrapped__)
    if content == "a pipe":
        os.mkfifo(asset.PATH)
    elif content is not None:
        asset.PATH.write_bytes(content)
    with pytest.raises(ValueError, match="heads.npz.*get it again .git checkout"):
        speculo.load("heads", people=1, photos=2)


def test_an_ended_worker_is_said_in_plain_words(monkeypatch):
    import joblib

    def ended(*_):
        raise heads.BrokenProcessPool("A worker process managed by the executor was terminated")

    monkeypatch.setattr(joblib.Parallel, "__call__", ended)
    with pytest.raises(RuntimeError, match="A process that draws heads was ended from outside"):
        speculo.load("heads", people=2, photos=2)


def test_heads_on_a_full_disk(monkeypatch, home):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fail)
    monkeypatch.setattr(heads, "_draw_all", None)  # it is said before anything is drawn
    with pytest.raises(
        OSError, match="The disk is full: heads-medium.* needs 1.* MB, and .* are free"
    ):
        speculo.load("heads", people=100, photos=10)
    assert not list((home / "build" / "cache").iterdir())
