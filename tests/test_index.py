"""An index in files finds what exact search finds."""

import sys

import numpy as np
import pytest

from speculo import fingerprints, index

pytest.importorskip("usearch", reason="the extra index is not installed")


@pytest.fixture(scope="module")
def gallery() -> np.ndarray:
    """Fingerprints of 300 people, ten of each."""
    rng = np.random.default_rng(0)
    people = np.repeat(rng.standard_normal((300, 64)), 10, axis=0)
    vectors = people + 0.5 * rng.standard_normal(people.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def made(gallery, tmp_path_factory):
    """An index of three files."""
    folder = tmp_path_factory.mktemp("index") / "prints"
    totals = [index.add(folder, part) for part in np.array_split(gallery, 3)]
    assert totals == [1000, 2000, 3000] and index.size(folder) == 3000
    return folder


def test_it_finds_what_exact_search_finds(made, gallery):
    queries = gallery[::50]
    found, distance = index.nearest(made, queries, 10)
    exact, closest = fingerprints.nearest(queries, gallery, 10)
    assert found.dtype == np.int64 and distance.dtype == np.float32
    assert index.recall(found, exact) > 0.98 and index.recall(exact, exact) == 1
    assert (found[:, 0] == np.arange(0, 3000, 50)).all()
    assert (np.diff(distance, axis=1) >= 0).all()
    assert np.allclose(np.sort(distance), np.sort(closest), atol=0.02)
    true = 1 - np.einsum("qd,qfd->qf", queries, gallery[found])
    assert np.allclose(distance, true, atol=0.01)


def test_the_same_fingerprints_make_the_same_index_and_each_finds_itself(gallery, tmp_path):
    files = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        index.add(folder, gallery)
        files += [path.read_bytes() for path in folder.glob(f"*{index.SUFFIX}")]
    assert len(files) == 2 and files[0] == files[1]
    found, _ = index.nearest(tmp_path / "one", gallery, 1)
    assert (found[:, 0] == np.arange(len(gallery))).all()


def test_all_of_a_small_index_are_found(gallery, tmp_path):
    index.add(tmp_path, gallery[:1])
    index.add(tmp_path, gallery[1:3])
    found, _ = index.nearest(tmp_path, gallery[2:3], 5)
    assert sorted(found[0]) == [0, 1, 2] and found[0, 0] == 2


def test_equal_fingerprints_are_all_found(gallery, tmp_path):
    index.add(tmp_path, np.repeat(gallery[:1], 500, axis=0))
    found, distance = index.nearest(tmp_path, gallery[:1], 500)
    assert sorted(found[0]) == list(range(500)) and np.isfinite(distance).all()


def test_what_is_wrong_is_named(made, gallery, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no index"):
        index.nearest(tmp_path, gallery[:1])
    with pytest.raises(ValueError, match="queries"):
        index.nearest(made, gallery[:1, :32])
    with pytest.raises(ValueError, match="vectors"):
        index.add(made, gallery[:1, :32])
    monkeypatch.setattr(index, "AT_ONCE", 10)
    with pytest.raises(ValueError, match="10 at a time"):
        index.add(tmp_path, gallery[:11])
    for part in (gallery[:10], gallery[10:20], gallery[20:30]):
        index.add(tmp_path, part)
    first, middle, _ = sorted(tmp_path.iterdir())
    whole = middle.read_bytes()
    for damaged in (b"", whole[:100], whole[:-20], b"no index" * 99):
        middle.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{middle.name} is damaged"):
            index.nearest(tmp_path, gallery[:1])
    middle.unlink()
    with pytest.raises(ValueError, match="does not follow the file before it"):
        index.nearest(tmp_path, gallery[:1])


def test_a_package_that_is_missing_is_named(gallery, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch", None)
    with pytest.raises(ModuleNotFoundError, match=r"\[index\]"):
        index.add(tmp_path, gallery)
