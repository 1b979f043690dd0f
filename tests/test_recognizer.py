from dataclasses import replace

import numpy as np
import pytest

from speculo import recognizer
from speculo.backend import keras
from speculo.faces import select
from speculo.recognizer import Recognizer

SMALL = Recognizer(channels=(4, 8, 8), latent_size=8, epochs=2, batch_size=16, easy=1, repeats=3)


@pytest.fixture(scope="module")
def encoder():
    return recognizer.build(SMALL)


@pytest.fixture
def people(orl):
    return select(orl, orl.names[:4]), select(orl, orl.names[4:6])


def numbers(network):
    return [keras.ops.convert_to_numpy(weight) for weight in network.weights]


def test_fingerprints_have_length_one_for_pictures_of_any_size(encoder, orl):
    for step in (1, 2):
        found = recognizer.encode(encoder, orl.images[:5, ::step, :: 3 - step], batch_size=2)
        assert found.shape == (5, 8) and found.dtype == np.float32
        assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert recognizer.encode(encoder, orl.images[:0]).shape == (0, 8)


def test_neither_mirroring_nor_light_nor_company_matters(encoder, orl):
    plain = recognizer.encode(encoder, orl.images[:6])
    dim = (orl.images[:6] // 2 + 40).astype(np.uint8)
    for other in (orl.images[:6, :, ::-1], dim):
        assert np.allclose(recognizer.encode(encoder, other), plain, atol=0.03)
    alone = np.concatenate([recognizer.encode(encoder, orl.images[n : n + 1]) for n in range(6)])
    assert np.allclose(alone, plain, atol=1e-4)


@pytest.mark.parametrize("wrong", [np.zeros((2, 32, 32)), np.zeros((32, 32), np.uint8), np.zeros((2, 32, 8), np.uint8)])  # fmt: skip
def test_other_pictures_are_refused(encoder, wrong):
    with pytest.raises(ValueError, match="expected uint8"):
        recognizer.encode(encoder, wrong)


def test_the_loss_is_that_of_its_formula():
    cosines = np.array([[0.5, 0.2, -0.1]], dtype=np.float32)
    found = recognizer.cosine_softmax(SMALL)(np.array([[1, 0.15]], dtype=np.float32), cosines)
    logits = SMALL.scale * np.array([0.5, 0.05, -0.1])
    expected = np.log(np.exp(logits).sum()) - logits[1]
    assert keras.ops.convert_to_numpy(found)[0] == pytest.approx(expected, rel=1e-4)


def test_a_stopped_training_goes_on_as_if_it_had_not_been(people, tmp_path):
    def stop(encoder, epoch):
        raise KeyboardInterrupt

    whole = recognizer.train(SMALL, *people, tmp_path / "whole.npz", precision="float32")
    with pytest.raises(KeyboardInterrupt):
        recognizer.train(SMALL, *people, tmp_path / "parts.npz", precision="float32", on_epoch=stop)
    again = recognizer.train(SMALL, *people, tmp_path / "parts.npz", precision="float32")
    for one, other in zip(numbers(whole), numbers(again), strict=True):
        assert np.array_equal(one, other)


def test_training_tells_its_people_apart(people, tmp_path):
    config = replace(SMALL, epochs=30, repeats=1, rate=1e-2, changes=SMALL.changes.softened(0.2))
    faces = people[0]
    found = recognizer.encode(
        recognizer.train(config, faces, None, tmp_path / "state.npz", precision="float32"),
        faces.images,
    )
    same = faces.person[:, None] == faces.person
    scores = found @ found.T
    assert scores[same].mean() > scores[~same].mean() + 0.4


def test_weights_come_back_in_half_precision(encoder, orl, tmp_path):
    digest = recognizer.save(encoder, tmp_path / "weights.npz")
    again = recognizer.load(SMALL, tmp_path / "weights.npz", digest)
    pair = (recognizer.encode(each, orl.images[:5]) for each in (encoder, again))
    assert np.allclose(*pair, atol=5e-3)
    with pytest.raises(ValueError, match="not the file"):
        recognizer.load(SMALL, tmp_path / "weights.npz", "0" * 64)
    with pytest.raises(ValueError, match="another network"):
        recognizer.load(replace(SMALL, latent_size=9), tmp_path / "weights.npz")
