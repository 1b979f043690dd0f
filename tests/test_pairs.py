from dataclasses import replace

import numpy as np
import pytest

import speculo
from speculo import pairs


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
