from dataclasses import replace

import numpy as np
import pytest

from speculo import diagnosis, evaluation, files, model, pairs, runs, training
from speculo.backend import keras
from speculo.faces import angle_from_front
from speculo.pairs import Pairs, Split


@pytest.fixture(scope="module")
def every(orl):
    return Pairs(orl, np.arange(len(orl)), pairs.fronts(orl))


@pytest.fixture
def network(tiny):
    return model.build(tiny, seed=0)


def train(config, split, **options):
    options = {"seeds": [0, 1], "epochs": 2, **options}
    return diagnosis.trained(config, split.train, split.test, **options)


# Trainings


def test_a_seed_gives_the_same_drawings_alone_and_among_others(tiny, few):
    both = train(tiny, few)
    assert both.shape == (2, len(few.test), 32, 32, 1) and both.dtype == np.float32
    assert np.array_equal(train(tiny, few, seeds=[1])[0], both[1])


def test_a_changed_model_starts_from_the_same_weights_and_draws_dark_pixels(tiny, few):
    published = train(tiny, few, seeds=[0], epochs=1)
    changed = replace(tiny, output_relu=False)
    assert train(changed, few, seeds=[0], epochs=1).min() < diagnosis.FLOOR <= published.min()
    one, other = (model.build(each, seed=0).get_weights() for each in (tiny, changed))
    assert all(map(np.array_equal, one, other))


def test_in_memory_as_in_a_run(tiny, few):
    run = training.train(tiny, few, runs.at("a"), epochs=2, batch_size=8, precision="float32")
    last = model.build(tiny)
    runs.set_weights(last, files.read_arrays(run.path / "last.npz"))
    drawn = train(tiny, few, seeds=[0])[0]
    assert drawn == pytest.approx(evaluation.predict(last, few.test), abs=1e-5)


def test_some_pairs_are_drawn_in_their_order(every):
    drawn = diagnosis.some(every, 50)
    assert len(drawn) == 50 and np.all(np.diff(drawn.input) > 0)
    assert np.array_equal(drawn.target, every.target[drawn.input])
    assert len(diagnosis.some(every, 10_000)) == len(every)


def test_errors_are_by_seed(few):
    _, targets = few.test.batch()
    outputs = np.stack([targets, targets + 0.1])
    assert diagnosis.mse(outputs, few.test) == pytest.approx([0, 0.01], abs=1e-6)


def test_one_picture_for_all_has_no_spread_and_flat_grey_no_sharpness(few):
    _, targets = few.test.batch()
    assert diagnosis.spread(np.repeat(targets[:1], 5, axis=0)) == pytest.approx(0, abs=1e-6)
    # seeds may differ: it is the faces that count
    assert diagnosis.spread(np.stack([targets * 0, targets * 0 + 1])) == 0
    assert diagnosis.spread(targets) > 0
    assert diagnosis.sharpness(np.full((1, 32, 32, 1), 0.3)) == 0
    edges = np.indices((32, 32)).sum(axis=0)[np.newaxis, ..., np.newaxis] % 2
    assert diagnosis.sharpness(edges) == 1


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


# Fed bytes


def test_fed_bytes_are_the_inputs_times_255(network, few):
    inputs, _ = few.test.batch()
    expected = keras.ops.convert_to_numpy(network(inputs * np.float32(255), training=False))
    assert diagnosis.fed_bytes(network, few.test) == pytest.approx(expected, abs=1e-5)


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
    right = diagnosis.people_by_position(names, names)
    assert diagnosis.error_of_match(orl, right) == 0
    text = diagnosis.people_by_position(names, sorted(names))
    assert diagnosis.share_of_others(text) == pytest.approx(39 / 40)  # s1 alone stays
    swapped = np.arange(40)
    swapped[:2] = 1, 0
    first, second = orl.images[diagnosis.fronts_of(orl)[:2]] / 255
    expected = 2 / 40 * np.square(first - second).mean()
    assert diagnosis.error_of_match(orl, swapped) == pytest.approx(expected, rel=1e-5)


# The clock


def test_both_ways_of_reading_are_timed(few):
    times = diagnosis.reading_times(few.test, side=48)
    assert times.files > 0 and times.memory > 0


# Smaller pictures


def test_smaller_pairs_are_means_of_blocks(few):
    half = diagnosis.smaller(few.test, 2)
    inputs, targets = half.batch()
    assert inputs.shape == targets.shape == (10, 16, 16, 1) and inputs.dtype == np.float32
    large, _ = few.test.batch()
    assert inputs[3, 5, 6, 0] == pytest.approx(large[3, 10:12, 12:14, 0].mean())
    assert half.batch(slice(2))[0] == pytest.approx(inputs[:2])
    assert half.people == few.test.people


def test_a_model_trains_on_smaller_pairs(tiny, few):
    half = Split(*(diagnosis.smaller(each, 2) for each in few))
    config = replace(tiny, input_shape=(16, 16, 1), filters=tiny.filters[1:])
    assert train(config, half, seeds=[0], epochs=1).shape == (1, 10, 16, 16, 1)


def test_shrinking_takes_drawings_of_several_seeds_and_undoes_enlarging():
    flat = np.full((2, 3, 8, 8, 1), 0.25, dtype=np.float32)
    assert diagnosis.shrunk(flat, 2).shape == (2, 3, 4, 4, 1)
    large = diagnosis.enlarged(flat[0], 2)
    assert large.shape == (3, 16, 16, 1) and large == pytest.approx(0.25)


def test_a_small_picture_is_nearer_to_any_other(last_eight):
    errors = diagnosis.errors_by_size(last_eight, (1, 4))
    assert list(errors.index) == [32, 8]
    assert errors["mean face"][32] == pytest.approx(0.0218, abs=2e-4)  # the published baselines
    assert errors["ridge"][32] == pytest.approx(0.0137, abs=2e-4)
    assert (errors.loc[8] < errors.loc[32]).all()


def test_perfect_drawings_are_perfect_at_the_size_that_they_are_drawn_in(few):
    targets = few.test.batch()[1][None]
    table = diagnosis.at_both_sizes(targets, diagnosis.shrunk(targets, 2), few.test)
    assert table.loc["trained at 32"].max() == table.loc["trained at 16", "judged at 16"] == 0
    assert table.loc["trained at 16", "judged at 32"] > 0


# Blur


def test_blur_takes_sharpness_and_leaves_the_mean(few):
    inputs, _ = few.test.batch()
    assert diagnosis.blurred(inputs, 0) == pytest.approx(inputs)
    sharp = [diagnosis.sharpness(diagnosis.blurred(inputs, sigma)) for sigma in (0, 1, 2, 4)]
    assert np.all(np.diff(sharp) < 0)
    once = diagnosis.blurred(inputs, 1)
    assert once.mean() == pytest.approx(inputs.mean(), abs=0.01)
    alone = diagnosis.blurred(inputs[:1], 1)
    assert alone == pytest.approx(once[:1])  # one face does not run into the next
