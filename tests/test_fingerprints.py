import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def plain(queries, gallery, metric):
    """All distances in float64, one pair at a time, as float32: what is equal is equal."""
    queries, gallery = queries.astype(np.float64), gallery.astype(np.float64)
    if metric == "l2":
        return np.sqrt(np.square(queries[:, None] - gallery).sum(axis=2)).astype(np.float32)
    one, other = (
        each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-300)
        for each in (queries, gallery)
    )
    squared = np.square(one[:, None] - other).sum(axis=2)
    squared[squared < 1e-24] = 0
    squared[~one.any(axis=1)] = 2
    squared[:, ~other.any(axis=1)] = 2
    return (squared / 2).astype(np.float32)


KINDS = {
    "random": lambda rng, shape: rng.normal(size=shape),
    "whole numbers": lambda rng, shape: rng.integers(-2, 3, shape),  # many ties, and zeros
    "far from zero": lambda rng, shape: 1000 + rng.normal(size=shape),
    "tiny": lambda rng, shape: 1e-25 * rng.normal(size=shape),
    "huge": lambda rng, shape: 1e14 * rng.normal(size=shape),
    "few different": lambda rng, shape: rng.normal(size=(3, shape[1]))[
        rng.integers(3, size=shape[0])
    ],
    "all equal": lambda rng, shape: np.repeat(rng.normal(size=(1, shape[1])), shape[0], axis=0),
    "zeros": lambda rng, shape: np.zeros(shape),
}


@settings(derandomize=True, database=None, deadline=None, max_examples=120)
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(sorted(KINDS)),
    metric=st.sampled_from(fingerprints.METRICS),
    count=st.sampled_from([1, 2, 5, 40, 3000]),
    m=st.integers(1, 30),
    n=st.integers(1, 2000),
    d=st.integers(2, 40),
)
def test_the_nearest_are_those_of_the_plain_way_and_of_equals_the_first(
    seed, kind, metric, count, m, n, d
):
    rng = np.random.default_rng(seed)
    gallery = KINDS[kind](rng, (n, d)).astype(np.float32)
    queries = KINDS[kind](rng, (m, d)).astype(np.float32)
    queries[: m // 3] = gallery[rng.integers(n, size=m // 3)]  # some are there themselves
    expected = plain(queries, gallery, metric)
    order = np.argsort(expected, axis=1, kind="stable")[:, :count]
    index, distance = fingerprints.nearest(queries, gallery, count, metric)
    assert index.dtype == np.int64 and distance.dtype == np.float32
    assert np.array_equal(index, order)
    np.testing.assert_allclose(distance, np.take_along_axis(expected, order, axis=1), rtol=2e-7)
    every = fingerprints.distances(queries, gallery, metric)
    np.testing.assert_allclose(every, expected, rtol=2e-7)
    assert np.array_equal(distance, np.take_along_axis(every, order, axis=1))


@pytest.mark.parametrize("metric", fingerprints.METRICS)
@pytest.mark.parametrize("kind", ["random", "all equal"])
def test_a_search_takes_little_memory_however_large_the_gallery(kind, metric):
    rng = np.random.default_rng(0)
    gallery = KINDS[kind](rng, (60_000, 32)).astype(np.float32)
    queries = gallery[:1000]
    tracemalloc.start()
    try:
        index, _ = fingerprints.nearest(queries, gallery, 3, metric)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (index[:, 0] == (np.arange(1000) if kind == "random" else 0)).all()
    assert peak < 100e6  # all distances would be 240 MB


def test_what_cannot_be_searched_is_named(vectors):
    for gallery, message in (
        (vectors[:0], r"gallery is float32 \(0, 6\), expected numbers of the shape \(n, d\)"),
        (vectors[0], r"gallery is float32 \(6,\)"),
        (vectors * np.nan, "gallery is .*, expected finite numbers"),
        (vectors[:, :5], r"queries is float32 \(20, 6\), expected numbers of the shape \(n, 5\)"),
    ):
        for search in (fingerprints.nearest, fingerprints.distances):
            with pytest.raises(ValueError, match=message):
                search(vectors, gallery)
    for count in (0, -1, 2.5, None, True):
        with pytest.raises(ValueError, match="count is .*, expected a whole number from 1 up"):
            fingerprints.nearest(vectors, vectors, count)
    many = np.broadcast_to(vectors[:1], (40_000, 6))
    with pytest.raises(ValueError, match="40,000 queries with 40,000 .* ask fingerprints.nearest"):
        fingerprints.distances(many, many)
    with pytest.raises(ValueError, match="40,000 queries with 30,000 .* ask for fewer"):
        fingerprints.nearest(many, many, 30_000)


def test_main_directions_are_those_of_the_spread(vectors):
    stretched = vectors * np.array([1, 1, 9, 1, 3, 1], np.float32) + 5
    mean, axes, spread = fingerprints.principal(stretched, 2)
    assert np.allclose(mean, stretched.mean(axis=0), atol=1e-4)
    assert axes[0].argmax() == 2 and axes[1].argmax() == 4
    assert np.allclose(np.linalg.norm(axes, axis=1), 1, atol=1e-5)
    assert np.allclose(spread[0], ((stretched - mean) @ axes[0]).std(ddof=1), rtol=1e-4)
    assert len(fingerprints.principal(vectors[:1], 4).axes) <= 1


def test_pixels_and_eigenfaces_do_not_depend_on_brightness(orl):
    some = (orl.images[:12] // 2).astype(np.uint8)
    for take in (fingerprints.pixels, lambda images: fingerprints.eigenfaces(images, some)):
        found = take(some)
        assert found.dtype == np.float32 and np.allclose(found, take(some + 40), atol=1e-2)
    assert fingerprints.pixels(some).shape == (12, 32 * 32)
    assert np.allclose(fingerprints.pixels(some).mean(axis=1), 0, atol=1e-4)


def test_eigenfaces_keep_the_distances_of_those_that_they_were_fitted_to(orl):
    some = orl.images[:12]
    apart = fingerprints.distances(*[fingerprints.pixels(some)] * 2, "l2")
    assert np.allclose(fingerprints.distances(*[fingerprints.eigenfaces(some, some)] * 2, "l2"), apart, rtol=1e-3, atol=1)  # fmt: skip
