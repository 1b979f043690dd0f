from dataclasses import replace

import numpy as np
import pytest

from speculo import diagnosis, evaluation, notes

# Smaller pictures


def test_smaller_pairs_are_means_of_blocks(few):
    half = notes.smaller(few, 2).test
    inputs, targets = half.batch()
    assert inputs.shape == targets.shape == (10, 16, 16, 1) and inputs.dtype == np.float32
    large, _ = few.test.batch()
    assert inputs[3, 5, 6, 0] == pytest.approx(large[3, 10:12, 12:14, 0].mean())
    assert half.batch(slice(2))[0] == pytest.approx(inputs[:2])
    assert half.people == few.test.people


def test_a_model_trains_on_smaller_pairs(tiny, few):
    config = replace(tiny, input_shape=(16, 16, 1), filters=tiny.filters[1:])
    drawn = diagnosis.trained(config, notes.smaller(few, 2), seeds=[0], epochs=1)
    assert drawn.shape == (1, 10, 16, 16, 1)


def test_shrinking_takes_drawings_of_several_seeds_and_undoes_enlarging():
    flat = np.full((2, 3, 4, 8, 1), 0.25, dtype=np.float32)
    assert notes.shrunk(flat, 2).shape == (2, 3, 2, 4, 1)
    large = notes.enlarged(flat, 2)
    assert large.shape == (2, 3, 8, 16, 1) and large == pytest.approx(0.25)


def test_an_enlarged_face_stays_that_face(few):
    targets = few.test.batch()[1][None]
    grown = notes.enlarged(notes.shrunk(targets, 2), 2)
    assert evaluation.mse(grown, targets) < 0.1 * targets.var()


def test_a_small_picture_is_nearer_to_any_other(last_eight):
    errors = notes.errors_by_size(last_eight, (1, 4))
    assert list(errors.index) == [32, 8]
    assert errors["mean face"][32] == pytest.approx(0.0218, abs=2e-4)  # the published baselines
    assert errors["ridge"][32] == pytest.approx(0.0137, abs=2e-4)
    assert (errors.loc[8] < errors.loc[32]).all()


def test_perfect_drawings_are_perfect_at_the_size_that_they_are_drawn_in(few):
    targets = few.test.batch()[1][None]
    table = notes.at_both_sizes(targets, notes.shrunk(targets, 2), few)
    assert table.index.tolist() == ["trained at 32", "trained at 16"]
    assert table.loc["trained at 32"].max() == table.loc["trained at 16", "judged at 16"] == 0
    assert table.loc["trained at 16", "judged at 32"] > 0


# Blur


def test_a_flat_grey_has_no_sharpness_and_a_chessboard_all_of_it():
    assert notes.sharpness(np.full((1, 32, 32, 1), 0.3)) == 0
    edges = np.indices((32, 32)).sum(axis=0)[np.newaxis, ..., np.newaxis] % 2
    assert notes.sharpness(edges) == 1


def test_blur_takes_sharpness_and_leaves_the_mean(few):
    inputs, _ = few.test.batch()
    assert notes.blurred(inputs, 0) == pytest.approx(inputs)
    once = notes.blurred(inputs, 1)
    assert once.mean() == pytest.approx(inputs.mean(), abs=0.01)
    alone = notes.blurred(inputs[:1], 1)
    assert alone == pytest.approx(once[:1])  # one face does not run into the next


def test_a_blurred_photo_of_the_person_is_nearer_to_the_front(last_eight):
    errors = notes.errors_by_blur(last_eight.test.turned, (0, 1, 4))
    inputs, targets = last_eight.test.turned.batch()
    assert errors.loc[0, "MSE"] == pytest.approx(evaluation.mse(inputs, targets))
    assert errors.loc[1, "MSE"] < errors.loc[0, "MSE"]
    assert errors.loc[0, "sharpness"] == pytest.approx(1, abs=0.1)
    assert np.all(np.diff(errors["sharpness"]) < 0)


def test_the_largest_value_of_each_person_comes_first():
    values, person = np.array([0.1, 0.5, 0.7, 0.2, 0.4]), np.array([3, 3, 8, 8, 5])
    assert notes.largest_of_each(values, person).tolist() == [2, 1, 4]
