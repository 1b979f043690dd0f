from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from speculo import evaluation, model, notes, pairs
from speculo.augmentation import PUBLISHED, Recipe
from speculo.faces import FaceSet
from speculo.layers import logit


@pytest.fixture(autouse=True)
def fewer_moved_pairs():
    """As many as in the book: errors are measured here."""


@pytest.fixture(scope="module")
def predicted(last_eight):
    return evaluation.baselines(last_eight)


def test_baselines_are_the_measured_ones(last_eight, predicted):
    """Measured once on people 33..40, apart from this code."""
    table = evaluation.table(predicted, last_eight.test)["MSE"]
    assert table["mean frontal face"] == pytest.approx(0.0218, abs=5e-5)
    assert table["input itself"] == pytest.approx(0.0167, abs=5e-5)
    assert table["ridge regression"] == pytest.approx(0.0137, abs=5e-5)
    assert table["ridge, mirrored too"] == pytest.approx(0.0127, abs=5e-5)
    assert table["ridge, moved too"] == pytest.approx(0.0114, abs=1e-4)


@pytest.fixture
def small(few) -> pairs.Split:
    """Pairs of a quarter of the pixels: a ridge regression on them takes a small part of the time."""
    return notes.smaller(few, 2)


def test_moved_ridge_without_moving_is_ridge_regression_on_logits(small, monkeypatch):
    monkeypatch.setattr(evaluation, "ENOUGH", 1)
    kernel, bias = evaluation.fit_moved(small.train, PUBLISHED, shrink=0)
    inputs, targets = (
        logit(each).reshape(len(each), -1).astype(np.float64) for each in small.train.batch()
    )
    fitted = Ridge(alpha=evaluation.PENALTY).fit(inputs, targets)
    assert kernel == pytest.approx(fitted.coef_.T, abs=1e-4)
    assert bias == pytest.approx(fitted.intercept_, abs=1e-2)


def test_moved_ridge_shrunk_draws_nearer_to_the_mean(small):
    plain, shrunk = (
        evaluation.fit_moved(small.train, Recipe(), shrink=share) for share in (0.0, 0.5)
    )
    assert shrunk[0] == pytest.approx(plain[0] / 2, abs=1e-6)
    inputs, targets = (logit(each).reshape(len(each), -1) for each in small.train.batch())
    for kernel, bias in (plain, shrunk):
        drawn = (inputs @ kernel + bias).mean(axis=0)
        assert drawn == pytest.approx(targets.mean(axis=0), abs=1e-3)


def test_the_same_seed_moves_the_pairs_in_the_same_way(small):
    one, same, other = (
        evaluation.fit_moved(small.train, Recipe(shift=1.0), seed=seed) for seed in (0, 0, 1)
    )
    assert np.array_equal(one[0], same[0]) and not np.array_equal(one[0], other[0])


def test_baselines_do_not_look_at_the_test_targets(last_eight, predicted):
    test = last_eight.test
    other = pairs.Split(last_eight.train, pairs.Pairs(test.faces, test.input, test.target[::-1]))
    for name, values in evaluation.baselines(other).items():
        assert np.array_equal(values, predicted[name])


def test_the_table_is_sorted_and_in_decibels(last_eight, predicted):
    table = evaluation.table(predicted, last_eight.test)
    assert table["MSE"].is_monotonic_increasing
    assert table["PSNR (dB)"].to_numpy() == pytest.approx(10 * np.log10(1 / table["MSE"]))
    assert (table["± over people"] > 0).all()


def test_errors_are_means_over_pixels_of_each_pair(few):
    _, targets = few.test.batch()
    assert evaluation.squared_error(targets + 0.1, few.test) == pytest.approx(0.01, rel=1e-4)
    assert evaluation.squared_error(targets, few.test).shape == (len(few.test),)
    twice = evaluation.squared_error(np.stack([targets, targets + 0.1]), few.test)
    assert twice.mean(axis=-1) == pytest.approx([0, 0.01], abs=1e-6)
    assert evaluation.psnr(0.01) == pytest.approx(20)


def test_by_person_averages_the_photos(last_eight, predicted):
    errors = evaluation.squared_error(predicted["input itself"], last_eight.test)
    people = evaluation.by_person(errors, last_eight.test)
    assert set(people.index) == {f"s{number}" for number in range(33, 41)}
    assert people["MSE"]["s33"] == pytest.approx(errors[:10].mean())
    assert people["MSE"].mean() == pytest.approx(errors.mean())


def test_the_floor_is_what_clipped_targets_miss(last_eight):
    share, floor = evaluation.output_floor(last_eight.test)
    _, targets = last_eight.test.batch()
    clipped = evaluation.squared_error(np.maximum(targets, 0.5), last_eight.test).mean()
    assert floor == pytest.approx(clipped) and 0.5 < share < 0.7


def test_predict_does_not_depend_on_the_batch_size(tiny, few):
    network = model.build(tiny, seed=0)
    one, other = (evaluation.predict(network, few.test, batch_size=size) for size in (3, 64))
    assert one.shape == (10, 32, 32, 1) and one.dtype == np.float32
    assert one == pytest.approx(other, abs=1e-5)


def test_drawn_twice_a_mirror_image_is_the_mirror_image_of_the_drawing(tiny, few):
    faces = few.test.faces
    turned = pairs.Pairs(
        replace(faces, images=faces.images[:, :, ::-1]), few.test.input, few.test.target
    )
    network = model.build(tiny, seed=0)
    one, other = (
        evaluation.predict(network, each, mirrored=True)[0] for each in (few.test, turned)
    )
    assert one == pytest.approx(other[:, ::-1], abs=1e-6)
    both = evaluation.predict(network, few.test) + evaluation.predict(network, turned)[:, :, ::-1]
    assert evaluation.predict(network, few.test, mirrored=True) == pytest.approx(both / 2, abs=1e-6)


def test_the_other_photo_is_of_the_same_person_and_neither_input_nor_front(last_eight):
    test = last_eight.test
    answered = pairs.as_image(evaluation.other_photo(test))
    images = test.faces.images
    for number in range(0, len(test), 7):
        (source,) = np.flatnonzero((images == answered[number]).all(axis=(1, 2)))
        assert test.faces.person[source] == test.person[number]
        assert source not in (test.input[number], test.target[number])
    error = evaluation.squared_error(evaluation.other_photo(test), test).mean()
    assert error == pytest.approx(0.0184, abs=5e-5)


@pytest.mark.parametrize("seed", range(8))
def test_the_other_photo_is_the_next_of_the_person_whatever_the_order(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60))
    names, person = np.unique(rng.integers(n // 3 + 1, size=n), return_inverse=True)
    faces = FaceSet(
        "made",
        rng.integers(0, 256, (n, 8, 8)).astype(np.uint8),
        person.astype(np.int32),
        tuple(map(str, names)),
        np.full((n, 3), np.nan, dtype=np.float32),
        np.array([str(number) for number in range(n)]),
    )
    some = pairs.Pairs(faces, np.arange(n), pairs.fronts(faces)).take(rng.integers(n, size=2 * n))
    chosen = []
    for number, photo in zip(some.person, some.input, strict=True):
        turned = sorted(set(some.turned.input[some.turned.person == number].tolist()))
        later = [other for other in turned if other > photo]
        chosen.append((later or turned or [photo])[0])
    answered = evaluation.other_photo(some)
    assert np.array_equal(answered, pairs.as_input(faces.images[chosen]))


def test_shapes_that_do_not_go_together_are_named(last_eight, predicted):
    test = last_eight.test
    flat = predicted["input itself"][..., 0]
    for wrong in (
        lambda: evaluation.squared_error(flat, test),  # would be 80 x 80 differences
        lambda: evaluation.table({"flat": flat}, test),
        lambda: evaluation.mse(flat, flat[:3]),
    ):
        with pytest.raises(ValueError, match="predictions is float32 .*80, 32, 32.*expected"):
            wrong()
    with pytest.raises(ValueError, match="predictions is {}, expected a name"):
        evaluation.table({}, test)
    with pytest.raises(ValueError, match="pairs holds no pair"):
        evaluation.other_photo(test.take(slice(0)))


def test_bytes_are_compared_as_numbers():
    dark, light = (np.full((2, 4, 4), value, dtype=np.uint8) for value in (1, 3))
    assert evaluation.mse(dark, light) == evaluation.mse(light, dark) == 4


def test_images_of_another_size_than_the_network_takes_are_named(tiny, few):
    larger = replace(few.test.faces, images=np.zeros((50, 48, 48), dtype=np.uint8))
    asked = pairs.Pairs(larger, few.test.input, few.test.target)
    with pytest.raises(ValueError, match="48 x 48 pixels, expected 32 x 32: load .* size=32"):
        evaluation.predict(model.build(tiny, seed=0), asked)


def test_the_moved_ridge_takes_shrunk_pairs(few):
    """Their batches are smaller than the photos that they are made of."""
    small = notes.smaller(few, 4)
    drawn = evaluation.baselines(small)[evaluation.MOVED]
    assert drawn.shape == small.test.batch()[1].shape == (len(small.test), 8, 8, 1)
