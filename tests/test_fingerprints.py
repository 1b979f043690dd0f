import numpy as np
import pytest

from speculo import fingerprints, model
from speculo.backend import keras
from speculo.pairs import as_input


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)


def test_encoder_and_decoder_are_the_two_parts_of_the_model(tiny, orl):
    network = model.build(tiny, seed=0)
    prints = fingerprints.encode(model.encoder(network), orl.images[:10], batch_size=4)
    assert prints.shape == (10, tiny.latent_size) and prints.dtype == np.float32
    drawn = model.decoder(network).predict_on_batch(prints)
    whole = network.predict_on_batch(as_input(orl.images[:10]))
    assert np.allclose(*map(keras.ops.convert_to_numpy, (drawn, whole)), atol=1e-5)


@pytest.mark.parametrize("metric", fingerprints.METRICS)
def test_everybody_is_nearest_to_himself(vectors, metric):
    index, distance = fingerprints.nearest(vectors, vectors, 3, metric)
    assert index.shape == distance.shape == (20, 3)
    assert np.array_equal(index[:, 0], np.arange(20))
    assert np.allclose(distance[:, 0], 0, atol=2e-3) and (np.diff(distance, axis=1) >= 0).all()


def test_distances_are_what_their_names_say(vectors):
    expected = np.linalg.norm(vectors[:, None] - vectors[None, :5], axis=2)
    assert np.allclose(fingerprints.distances(vectors, vectors[:5], "l2"), expected, atol=1e-3)
    cosine = fingerprints.distances(vectors, 3 * vectors, "cosine")
    assert np.allclose(np.diag(cosine), 0, atol=1e-5)
    assert np.allclose(fingerprints.distances(vectors, -vectors, "cosine").diagonal(), 2, atol=1e-5)
    assert np.allclose(fingerprints.distances(np.zeros((1, 6), np.float32), vectors), 1)
    with pytest.raises(ValueError, match="expected one of l2, cosine"):
        fingerprints.distances(vectors, vectors, "l3")


def test_main_directions_are_those_of_the_spread(vectors):
    stretched = vectors * np.array([1, 1, 9, 1, 3, 1], np.float32) + 5
    mean, axes, spread = fingerprints.principal(stretched, 2)
    assert np.allclose(mean, stretched.mean(axis=0), atol=1e-4)
    assert axes[0].argmax() == 2 and axes[1].argmax() == 4
    assert np.allclose(np.linalg.norm(axes, axis=1), 1, atol=1e-5)
    assert np.allclose(spread[0], ((stretched - mean) @ axes[0]).std(ddof=1), rtol=1e-4)
    assert len(fingerprints.principal(vectors[:1], 4).axes) <= 1
