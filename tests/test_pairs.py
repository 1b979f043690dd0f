import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speculo
from speculo import pairs
from speculo.faces import FaceSet


def faces_of(images: np.ndarray, person: np.ndarray) -> FaceSet:
    """A FaceSet of these images, people numbered as they come."""
    names, person = np.unique(person, return_inverse=True)
    unknown = np.full((len(images), 3), np.nan, dtype=np.float32)
    origin = np.array([str(number) for number in range(len(images))])
    return FaceSet(
        "made",
        images,
        person.astype(np.int32),
        tuple(f"p{name}" for name in names),
        unknown,
        origin,
    )


def turned(orl, pose):
    return replace(orl, pose=np.asarray(pose, dtype=np.float32))


@pytest.mark.parametrize("seed", range(5))
def test_no_pair_crosses_two_people_and_nobody_is_on_both_sides(orl, seed):
    split = pairs.split(orl, seed=seed)
    for side in split:
        assert np.array_equal(orl.person[side.input], orl.person[side.target])
    assert not set(split.train.people) & set(split.test.people)
    assert len(split.train) == 320 and len(split.test) == 80
    assert np.array_equal(np.sort(np.concatenate([s.input for s in split])), np.arange(400))


def test_a_seed_decides_the_split(orl):
    assert pairs.split(orl, seed=3).test.people == pairs.split(orl, seed=3).test.people
    assert pairs.split(orl, seed=3).test.people != pairs.split(orl, seed=4).test.people


@pytest.mark.parametrize("test", [0.0, 1.0, -1, 2])
def test_a_split_with_an_empty_side_is_refused(orl, test):
    with pytest.raises(ValueError, match="test is .*, expected a share"):
        pairs.split(orl, test=test)


@pytest.mark.parametrize(("test", "held_out"), [(0.001, 1), (0.2, 8), (0.999, 39)])
def test_a_small_or_large_share_leaves_somebody_on_each_side(orl, test, held_out):
    assert len(pairs.split(orl, test=test).test.people) == held_out


def test_one_person_cannot_be_split():
    with pytest.raises(ValueError, match="needs two people .* has 1 of 1"):
        pairs.split(speculo.load("orl", people=1))


def test_without_poses_the_front_is_the_most_symmetric_photo(orl):
    front = pairs.fronts(orl)
    distance = pairs.asymmetry(orl.images)
    for number in range(40):
        mine = np.flatnonzero(orl.person == number)
        assert len(set(front[mine])) == 1
        assert front[mine[0]] == mine[distance[mine].argmin()]


def test_asymmetry_ignores_brightness_and_contrast_and_finds_the_mirror():
    rng = np.random.default_rng(0)
    half = rng.integers(0, 120, (1, 32, 16))
    face = np.concatenate([half, half[:, :, ::-1]], axis=2).astype(np.uint8)
    lopsided = rng.integers(0, 120, (1, 32, 32)).astype(np.uint8)
    flat = np.full((1, 32, 32), 90, dtype=np.uint8)
    values = pairs.asymmetry(np.concatenate([face, lopsided, lopsided * 2 + 10, flat]))
    assert values[0] == 0
    assert values[1] == pytest.approx(values[2], rel=1e-4) and values[1] > 0.1
    assert np.isinf(values[3])


def test_with_poses_the_front_is_the_best_by_angle(orl):
    rng = np.random.default_rng(1)
    faces = turned(orl, rng.uniform(-90, 90, (400, 3)))
    angle = pairs.angle_from_front(faces.pose)
    front = pairs.fronts(faces)
    for number in range(40):
        mine = faces.person == number
        assert np.all(angle[front[mine]] == angle[mine].min())


def test_opposite_angles_do_not_cancel(orl):
    pose = np.full((400, 3), 20.0)
    pose[::10] = (60, -60, 0)  # a sum of angles would call this one frontal
    pose[5::10] = (10, 0, 0)
    assert np.array_equal(pairs.fronts(turned(orl, pose)) % 10, np.full(400, 5))


def test_angle_of_single_rotations_is_their_own():
    pose = np.array([[30, 0, 0], [0, -45, 0], [0, 0, 180], [0, 0, 0], [np.nan, 0, 0]])
    angles = pairs.angle_from_front(pose.astype(np.float32))
    assert angles[:4] == pytest.approx([30, 45, 180, 0], abs=1e-4) and np.isnan(angles[4])


def test_a_batch_is_float32_from_0_to_1(few):
    inputs, targets = few.train.batch(np.array([3, 1]))
    assert inputs.shape == targets.shape == (2, 32, 32, 1) and inputs.dtype == np.float32
    expected = few.train.faces.images[few.train.input[3]] / 255
    assert inputs[0, :, :, 0] == pytest.approx(expected, abs=1e-6)
    white = np.full((1, 32, 32), 255, dtype=np.uint8)
    assert pairs.as_input(white).max() == 1


def test_every_byte_survives_the_way_to_the_network_and_back():
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert np.array_equal(pairs.as_image(pairs.as_input(images)), images)


def test_examples_show_as_many_people_as_possible_and_no_front(orl):
    side = pairs.split(orl).test
    for count in (1, 8, 20, 500):
        shown = pairs.examples(side, count)
        assert len(shown) == min(count, len(side) - 8) == len(set(shown))
        assert len(np.unique(side.person[shown])) == min(count, 8)
        assert np.all(side.input[shown] != side.target[shown])


def test_pairs_that_are_spread_alternate_between_people_and_end_with_fronts(orl):
    side = pairs.split(orl).test
    order = pairs.spread(side)
    assert sorted(order) == list(range(len(side)))
    spread = side.take(order)
    own = spread.input == spread.target
    assert own.tolist() == [False] * (len(side) - 8) + [True] * 8
    turns = spread.person.reshape(-1, 8)
    assert all(len(set(turn)) == 8 for turn in turns.tolist())
    assert all(np.diff(spread.input[spread.person == turns[0, 0]][:-1]) > 0)


def test_the_pairs_of_a_person_end_with_the_front(orl):
    side = pairs.split(orl).test
    for person in side.people:
        mine = side.of(person)
        assert mine.people == (person,) and len(mine) == 10
        assert (mine.input == mine.target).tolist() == [False] * 9 + [True]


def test_duplicates_are_found_within_and_across_people(orl):
    assert pairs.duplicates(orl).empty
    images = orl.images.copy()
    images[25], images[300] = images[21], images[7]
    images[300, 0, 0] ^= 1
    found = pairs.duplicates(replace(orl, images=images))
    assert found[["first", "second", "across people"]].values.tolist() == [
        [21, 25, False],
        [7, 300, True],
    ]


@settings(derandomize=True, database=None, deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 60),
    different=st.integers(1, 20),
    noise=st.sampled_from([0, 1, 3, 5]),
    size=st.sampled_from([4, 32, 40]),
    near=st.sampled_from([0.0, 0.003, 0.01, 0.5]),
)
def test_each_photo_stands_beside_the_first_that_it_is_or_nearly_is(
    seed, n, different, noise, size, near
):
    rng = np.random.default_rng(seed)
    whole = rng.integers(0, 250, (different, size, size))[rng.integers(different, size=n)]
    images = (whole + rng.integers(0, noise + 1, (n, 1, 1))).astype(np.uint8)
    person = rng.integers(4, size=n)
    expected = {}
    kept = []  # the first of each different photo
    for second, image in enumerate(images):
        apart = np.array([np.square(images[i] / 255 - image / 255).mean() ** 0.5 for i in kept])
        if len(kept) and not apart.min():
            expected[second] = kept[int(apart.argmin())]
            continue
        hits = [i for i, difference in zip(kept, apart, strict=True) if difference <= near + 1e-9]
        others = [i for i in hits if person[i] != person[second]]
        if hits:
            expected[second] = (others or hits)[0]
        kept.append(second)
    found = pairs.duplicates(faces_of(images, person), near=near)
    assert dict(zip(found["second"], found["first"], strict=True)) == expected
    assert (
        found["difference"].is_monotonic_increasing and (found["difference"] <= near + 1e-9).all()
    )
    for first, second, difference, across in found.itertuples(index=False):
        assert across == (person[first] != person[second])
        one, other = images[first] / 255, images[second] / 255
        assert difference == pytest.approx(np.square(one - other).mean() ** 0.5, abs=1e-9)


@pytest.mark.parametrize("step", [0, 1])
def test_duplicates_of_many_photos_that_are_nearly_the_same_take_little_memory(step):
    images = np.random.default_rng(0).integers(0, 200, (1, 16, 16)).repeat(6000, axis=0)
    images[:, 0, 0] = step * np.arange(6000) % 251
    images[:, 0, 1] = step * (np.arange(6000) // 251)
    faces = faces_of(images.astype(np.uint8), np.arange(6000) % 7)
    tracemalloc.start()
    try:
        found = pairs.duplicates(faces, near=0.2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == 5999 and found["second"].is_unique
    assert (
        peak < 100e6
    )  # a bool for each of 6,000 x 6,000 pairs would be 36 MB, their rows 18 million


def test_equal_photos_are_found_among_all_where_few_are_compared():
    images = np.random.default_rng(0).integers(0, 256, (300, 32, 32)).astype(np.uint8)
    images[250] = images[3]
    found = pairs.duplicates(faces_of(images, np.arange(300)), most=10)
    assert found[["first", "second", "across people"]].values.tolist() == [[3, 250, True]]


@pytest.mark.parametrize("seed", range(5))
def test_examples_of_shuffled_pairs_are_the_first_of_each_person(seed):
    rng = np.random.default_rng(seed)
    person = rng.integers(9, size=70)
    faces = faces_of(rng.integers(0, 256, (70, 8, 8)).astype(np.uint8), person)
    every = pairs.Pairs(faces, np.arange(70), pairs.fronts(faces)).take(rng.permutation(70))
    shown = pairs.examples(every, 14)
    turned = [place for place in range(70) if every.input[place] != every.target[place]]
    mine = {n: [place for place in turned if every.person[place] == n] for n in range(9)}
    rounds = [(row, n, place) for n in mine for row, place in enumerate(mine[n])]
    expected = [(n, row, place) for row, n, place in sorted(rounds)[:14]]
    assert shown.tolist() == [place for _, _, place in sorted(expected)]


def test_pairs_are_of_images_that_are_there(orl):
    index = np.array([0, 1])
    for input, target, message in (
        (np.array([0, 400]), index, "input holds 0 to 400, expected indices from 0, below 400"),
        (index, np.array([-1, 0]), "target holds -1 to 0"),
        (index, index[:1], "2 and 1 indices, expected as many"),
        (index.astype(float), index, "input is float64"),
    ):
        with pytest.raises(ValueError, match=message):
            pairs.Pairs(orl, input, target)
