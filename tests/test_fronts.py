"""Which photo is a person's front: by choice, by angle, by symmetry."""

import numpy as np
import pytest

from speculo import pairs
from speculo.faces import FaceSet, angle_from_front


def random_faces(seed: int) -> FaceSet:
    """Some people with some photos in some series, of which some poses are known."""
    rng = np.random.default_rng(seed)
    names = tuple(f"p{number}" for number in range(rng.integers(2, 9)))
    n = len(names) * int(rng.integers(1, 12))
    person = rng.permutation(np.arange(n) % len(names)).astype(np.int32)
    series = (person * 3 + rng.integers(0, 3, n)).astype(np.int32)
    pose = rng.uniform(-90, 90, (n, 3)).astype(np.float32)
    pose[rng.random(n) < rng.choice([0, 0.3, 0.9, 1])] = np.nan
    front = np.full(n, -1, dtype=np.int64)
    if seed % 2:
        for number in np.unique(series)[::3]:
            front[series == number] = rng.choice(np.flatnonzero(series == number))
    images = rng.integers(0, 256, (n, 32, 32)).astype(np.uint8)
    origin = np.array([str(number) for number in range(n)])
    return FaceSet("random", images, person, names, pose, origin, series, front)


@pytest.mark.parametrize("seed", range(40))
def test_no_pair_crosses_two_people_and_fronts_are_the_best(seed):
    faces = random_faces(seed)
    target = pairs.fronts(faces)
    assert target.dtype == np.int64 and target.shape == (len(faces),)
    assert (faces.person[target] == faces.person).all()
    assert (faces.series[target] == faces.series).all()
    angle, asymmetry = angle_from_front(faces.pose), pairs.asymmetry(faces.images)
    for photo in range(len(faces)):
        same = np.flatnonzero(faces.series == faces.series[photo])
        if faces.front[photo] >= 0:
            assert target[photo] == faces.front[photo]
        elif np.isfinite(angle[same]).any():
            assert angle[target[photo]] == np.nanmin(angle[same])
        else:
            assert asymmetry[target[photo]] == asymmetry[same].min()


@pytest.mark.parametrize("seed", range(20))
def test_a_split_keeps_people_apart_and_leaves_single_photos_out(seed):
    faces = random_faces(seed)
    photos = np.bincount(faces.person)
    single = {faces.names[number] for number in np.flatnonzero(photos == 1)}
    assert set(pairs.gallery_only(faces)) == single
    if len(faces.names) - len(single) < 2:
        with pytest.raises(ValueError, match="two photos or more"):
            pairs.split(faces, test=0.5, seed=seed)
        return
    both = pairs.split(faces, test=0.5, seed=seed)
    train, test = (set(side.people) for side in both)
    assert not train & test
    assert train | test == set(faces.names) - single
    for side in both:
        assert (faces.person[side.input] == faces.person[side.target]).all()


def test_by_default_a_person_is_one_series():
    faces = random_faces(0)
    plain = FaceSet("x", faces.images, faces.person, faces.names, faces.pose, faces.origin)
    assert np.array_equal(plain.series, plain.person)
    assert (plain.front == -1).all() and plain.skipped == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"series": np.zeros(6, dtype=np.int32)}, "two people into one series"),
        ({"series": np.full(6, -1, dtype=np.int32)}, "expected 0 or above"),
        ({"series": np.zeros(6)}, "FaceSet.series is float64"),
        ({"front": np.array([3, -1, -1, -1, -1, -1])}, "another person"),
        ({"front": np.array([9, -1, -1, -1, -1, -1])}, "needs indices"),
        ({"front": np.array([-2, -1, -1, -1, -1, -1])}, "needs indices"),
    ],
)
def test_a_faceset_refuses_what_crosses_people(change, words):
    images = np.zeros((6, 32, 32), dtype=np.uint8)
    person = np.repeat(np.arange(2, dtype=np.int32), 3)
    pose = np.zeros((6, 3), dtype=np.float32)
    with pytest.raises(ValueError, match=words):
        FaceSet("x", images, person, ("a", "b"), pose, np.array(list("123456")), **change)
