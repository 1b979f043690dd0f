from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from speculo import diagnosis, evaluation, files, model, pairs, runs, training
from speculo.faces import angle_from_front
from speculo.pairs import Pairs


@pytest.fixture(scope="module")
def every(orl):
    return Pairs(orl, np.arange(len(orl)), pairs.fronts(orl))


@pytest.fixture
def network(tiny):
    """With one pixel of few channels before its latents, as the card's."""
    return model.build(replace(tiny, filters=(16, 16, 8, 8, 8)), seed=0)


def train(config, split, **options):
    options = {"seeds": [0, 1], "epochs": 2, **options}
    return diagnosis.trained(config, split, **options)


# Verdicts


def test_a_gain_counts_above_twice_the_spread_over_seeds():
    one, other = np.array([0.01, 0.03]), np.array([0.02, 0.02, 0.02])
    spread = diagnosis.spread_over_seeds(other, one)  # the larger one counts
    assert spread == pytest.approx(0.02 / np.sqrt(2)) == diagnosis.spread_over_seeds(one)
    assert diagnosis.beyond_seeds(2.1 * spread, spread)
    assert not diagnosis.beyond_seeds(1.9 * spread, spread)
    assert not diagnosis.beyond_seeds(-2.1 * spread, spread)
    gains = pd.Series({"small": spread, "large": 3 * spread})
    assert gains[diagnosis.beyond_seeds(gains, spread)].index.tolist() == ["large"]


def test_nothing_is_beyond_the_spread_of_a_single_seed():
    several = np.array([0.01, 0.02])
    assert not diagnosis.beyond_seeds(1, diagnosis.spread_over_seeds(several, np.array([0.5])))


def test_verdicts_stand_in_a_table_in_their_order():
    verdicts = [diagnosis.Verdict("b", True, "1 of 2"), diagnosis.Verdict("a", np.False_, "0")]
    table = diagnosis.verdict_table(verdicts)
    assert table.index.tolist() == ["b", "a"]
    assert table.to_numpy().tolist() == [["confirmed", "1 of 2"], ["not here", "0"]]
    verdicts = [each._replace(blob=diagnosis.YES) for each in verdicts]
    found = diagnosis.verdict_table(verdicts)["caused the blobs?"]
    assert found.to_dict() == {"b": "yes", "a": "no"}  # what is not there caused nothing


# Trainings


@pytest.fixture(scope="module")
def both(tiny, few):
    """What the same network draws from two seeds."""
    return train(tiny, few)


def test_a_seed_gives_the_same_drawings_alone_and_among_others(tiny, few, both):
    assert both.shape == (2, len(few.test), 32, 32, 1) and both.dtype == np.float32
    assert np.array_equal(train(tiny, few, seeds=[1])[0], both[1])


def test_a_changed_model_starts_from_the_same_weights_and_draws_dark_pixels(tiny, few, both):
    changed = replace(tiny, output_relu=False)
    assert train(changed, few, seeds=[0]).min() < diagnosis.FLOOR <= both.min()
    one, other = (model.build(each, seed=0).get_weights() for each in (tiny, changed))
    assert all(map(np.array_equal, one, other))


def test_in_memory_as_in_a_run(tiny, few, both):
    run = training.train(tiny, few, runs.at("a"), epochs=2, batch_size=8, precision="float32")
    last = model.build(tiny)
    runs.set_weights(last, files.read_arrays(run.path / "last.npz"))
    assert both[0] == pytest.approx(evaluation.predict(last, few.test), abs=1e-5)


def test_some_pairs_are_drawn_in_their_order(every):
    drawn = diagnosis.some(every, 50)
    assert len(drawn) == 50 and np.all(np.diff(drawn.input) > 0)
    assert np.array_equal(drawn.target, every.target[drawn.input])
    assert len(diagnosis.some(every, 10_000)) == len(every)


def test_one_picture_for_all_has_no_spread(few):
    _, targets = few.test.batch()
    assert diagnosis.spread(np.repeat(targets[:1], 5, axis=0)) == pytest.approx(0, abs=1e-6)
    # seeds may differ: it is the faces that count
    assert diagnosis.spread(np.stack([targets * 0, targets * 0 + 1])) == 0
    assert diagnosis.spread(targets) > 0


def test_drawings_are_described_over_all_seeds(few):
    _, targets = few.test.batch()
    grey = np.full_like(targets, diagnosis.FLOOR)
    table = diagnosis.drawing_table({"grey": np.stack([grey, grey + 0.1])}, few.test)
    errors = [np.square(targets - level).mean() for level in (0.5, 0.6)]
    expected = [np.mean(errors), 0.5, 0.5, 0]
    assert table.loc["grey"].tolist() == pytest.approx(expected, abs=1e-6)


# Levels


def test_levels_are_in_the_order_that_they_must_have(every):
    levels = diagnosis.levels(every)
    _, targets = every.batch()
    assert levels["best constant grey"] == pytest.approx(targets.var(dtype=np.float64))
    assert levels["every target, no pixel below 0.5"] == pytest.approx(
        evaluation.output_floor(every)[1]
    )
    assert (
        levels["mean front"]
        < levels["mean front, no pixel below 0.5"]
        < levels["best constant grey"]
    )


# The fingerprint


def test_compressed_codes_keep_every_distance_of_the_fingerprint(network, few):
    inputs, _ = few.train.batch()
    codes = diagnosis.codes(network, inputs)
    assert codes.before.shape == (40, 8) and codes.latent.shape == (40, 32)
    assert codes.latent == pytest.approx(model.encoder(network).predict_on_batch(inputs), abs=1e-5)
    small = diagnosis.compressed(network, codes.before)
    assert small.shape == codes.before.shape
    for values in (small, codes.latent):
        difference = np.linalg.norm(values[:1] - values[1:], axis=1)
        reference = np.linalg.norm(small[:1] - small[1:], axis=1)
        assert difference == pytest.approx(reference, rel=1e-3, abs=1e-6)


def test_rank_leaves_rounding_out():
    assert diagnosis.rank(np.array([5.0, 1.0, 1e-3, 1e-7, 0.0])) == 3


# Fronts and frames


def test_in_a_sum_opposite_angles_cancel(few):
    faces = few.train.faces
    pose = np.full((len(faces), 3), 50, dtype=np.float32)
    pose[::10] = (5, 3, 2)  # nearly straight ahead
    pose[1::10] = (40, -40, 0)  # not at all, but the sum is zero
    pose[2::10] = np.nan
    faces = replace(faces, pose=pose)
    by_sum, by_angle = diagnosis.fronts_by_sum(faces), pairs.fronts(faces)
    assert np.all(by_sum % 10 == 1) and np.all(by_angle % 10 == 0)
    assert np.array_equal(faces.person[by_sum], faces.person)
    angles = diagnosis.angles_of_fronts(faces, by_sum)
    assert angles == pytest.approx(np.full(5, angle_from_front(pose[1:2])[0]))


def test_no_rule_beats_the_rotation(orl):
    pose = np.random.default_rng(0).normal(0, (30, 15, 10), (len(orl), 3))
    posed = replace(orl, pose=pose.astype(np.float32))
    best, other = (
        diagnosis.angles_of_fronts(posed, front)
        for front in (pairs.fronts(posed), diagnosis.fronts_by_sum(posed))
    )
    assert len(best) == 40 and np.all(best <= other) and np.any(best < other)


def test_chosen_fronts_are_left_out_and_nothing_else(orl):
    front = np.where(orl.person < 3, orl.person * 10, -1).astype(np.int64)
    kept = diagnosis.without_chosen_fronts(replace(orl, front=front))
    assert len(kept) == 397 and kept.names == orl.names and np.all(kept.front == -1)
    assert "ORL_faces/s2/1.pgm" not in kept.origin and "ORL_faces/s2/2.pgm" in kept.origin
    assert np.array_equal(kept.images, orl.images[np.isin(orl.origin, kept.origin)])
    assert diagnosis.without_chosen_fronts(orl).origin.tolist() == orl.origin.tolist()


def test_frame_100_comes_before_frame_99():
    given = diagnosis.poses_in_text_order(np.arange(98, 102))
    assert given.tolist() == [2, 3, 0, 1]  # 100, 101, 98, 99


@pytest.mark.parametrize(("first", "wrong"), [(100, 0), (555, 0), (1000, 0), (1, 180), (90, 181)])
def test_numbers_of_equally_many_digits_keep_their_poses(first, wrong):
    given = diagnosis.poses_in_text_order(np.arange(first, first + 181))
    assert sorted(given) == list(range(181))
    assert np.sum(given != np.arange(181)) == wrong


# People


def test_people_by_position_are_others_after_the_missing_one():
    names = ("a", "b", "c", "d")
    assert diagnosis.people_by_position(names, names).tolist() == [0, 1, 2, 3]
    matched = diagnosis.people_by_position(names, ("a", "c", "d"))
    assert matched.tolist() == [0, 2, 3, -1]
    assert diagnosis.share_of_others(matched) == pytest.approx(2 / 3)
    assert diagnosis.share_of_others(np.array([0, 1, -1])) == 0


def test_right_targets_have_no_error_and_wrong_ones_that_of_two_people(orl):
    names = list(orl.names)
    front = orl.images[diagnosis.fronts_of(orl)]
    right = diagnosis.people_by_position(names, names)
    assert diagnosis.error_of_match(front, right) == 0
    text = diagnosis.people_by_position(names, sorted(names))
    assert diagnosis.share_of_others(text) == pytest.approx(39 / 40)  # s1 alone stays
    swapped = np.arange(40)
    swapped[:2] = 1, 0
    expected = 2 / 40 * np.square(front[0] / 255 - front[1] / 255).mean()
    assert diagnosis.error_of_match(front, swapped) == pytest.approx(expected, rel=1e-5)
    swapped[2:] = -1  # nobody stands there
    assert diagnosis.error_of_match(front, swapped) == pytest.approx(20 * expected, rel=1e-5)


# The clock


def test_both_ways_of_reading_are_timed(few):
    times = diagnosis.reading_times(few.test, side=48)
    assert times.files > 0 and times.memory > 0
