"""The fingerprint model: what it is, and what its fingerprints do not depend on."""

from dataclasses import replace

import numpy as np
import pytest

from speculo import layers, model, plots, recognizer
from speculo.backend import keras
from speculo.recognizer import Recognizer

SMALL = Recognizer(filters=(4, 8, 8), blocks=(2, 1), latent_size=8, hidden=(8,))


@pytest.fixture(scope="module")
def network():
    return model.build(SMALL, seed=0)


@pytest.fixture(scope="module")
def encoder(network):
    return recognizer.encoder(network)


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


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((2, 32, 32)), np.zeros((32, 32), np.uint8), np.zeros((2, 32, 8), np.uint8)],
)
def test_other_pictures_are_refused(encoder, wrong):
    with pytest.raises((TypeError, ValueError), match="images"):
        recognizer.encode(encoder, wrong)


@pytest.mark.parametrize("wrong", [{"blocks": (1,)}, {"latent_size": 0}, {"hidden": (8, 0.5)}])
def test_a_config_that_cannot_be_built_is_refused(wrong):
    with pytest.raises(ValueError, match="blocks|whole number"):
        replace(SMALL, **wrong)


def test_only_the_decoder_is_trained(network, orl):
    before = [keras.ops.convert_to_numpy(w) for w in recognizer.encoder(network).weights]
    pictures = orl.images[:16, ..., None] / np.float32(255)
    first = network.train_on_batch(pictures, pictures)
    for _ in range(20):
        last = network.train_on_batch(pictures, pictures)
    assert float(last) < float(first)
    after = [keras.ops.convert_to_numpy(w) for w in recognizer.encoder(network).weights]
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one, other)


def test_the_decoder_sees_the_fingerprint_and_the_light_alone(network, orl):
    pictures = orl.images[:5, ..., None] / np.float32(255)
    latent = model.forward(model.encoder(network), pictures)
    assert latent.shape == (5, 8 + 2)
    assert np.allclose(latent[:, -2], 4 * pictures.mean(axis=(1, 2, 3)), atol=1e-4)
    assert np.allclose(latent[:, -1], 4 * pictures.std(axis=(1, 2, 3)), atol=1e-4)
    drawn = model.forward(model.decoder(network), latent)
    assert np.allclose(drawn, model.forward(network, pictures), atol=1e-5)


def test_the_same_seed_gives_the_same_weights():
    one, same, other = (model.build(SMALL, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_pictures_of_any_size_are_brought_to_one(orl):
    faces = orl.images[:4]
    for size in (16, 24, 32, 50):
        brought = recognizer.resized(faces, size)
        assert brought.shape == (4, size, size) and brought.dtype == np.float32
        assert abs(brought.mean() - faces.mean() / 255) < 0.01
    wide = recognizer.resized(np.full((2, 90, 120), 200, dtype=np.uint8), 32)
    assert np.allclose(wide, 200 / 255, atol=1e-3)


def test_noise_of_a_flat_picture_is_not_blown_up():
    flat = np.full((1, 8, 8, 1), 0.5, dtype=np.float32)
    standardised = layers.Standardised()
    assert not np.asarray(standardised(flat)).any()
    flat[0, 0, 0] += 0.01
    assert np.asarray(standardised(flat)).max() < 0.01 / layers.FAINTEST


def test_its_picture_has_a_box_for_each_residual_block(network):
    words = {text.get_text() for text in plots.model_graph(network).axes[0].texts}
    assert {"block_1", "block_2", "block_3", "fingerprint", "encoder", "decoder"} <= words
    assert not any(word.startswith(("add_", "activation_", "normalisation_")) for word in words)
