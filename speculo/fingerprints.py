"""Fingerprints: the latent vectors of faces, their neighbours and their main directions."""

from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from speculo import checks, model, recognizer, runs
from speculo.backend import keras
from speculo.recognizer import Recognizer

METRICS = ("l2", "cosine")
"""Distances between fingerprints: Euclidean, and 1 minus the cosine of the angle."""

SHIPPED = "fingerprint"
"""Name of the run, in ``data/recorded``, whose model comes with the book."""

MOST_DISTANCES = 2**30
"""Distances that are given at once, at most: 4 GiB."""

_PIECE = 2**19  # numbers in a piece of the gallery: small enough for the cache of a processor


class Directions(NamedTuple):
    """The main directions in which fingerprints differ.

    Attributes
    ----------
    mean : numpy.ndarray
        float32, shape (d,).
    axes : numpy.ndarray
        float32, shape (k, d): unit vectors, the one with the largest spread first.
    spread : numpy.ndarray
        float32, shape (k,): standard deviation of the fingerprints along each.
    """

    mean: np.ndarray
    axes: np.ndarray
    spread: np.ndarray


def encode(encoder: keras.Model, images: np.ndarray, *, batch_size: int = 64) -> np.ndarray:
    """Take the fingerprints of some faces.

    Parameters
    ----------
    encoder : keras.Model
        What ``model.encoder`` returned. Keep it for the next call: it is compiled once.
    images : numpy.ndarray
        uint8, shape (n, height, width).

    Returns
    -------
    numpy.ndarray
        float32, shape (n, latent_size).

    Raises
    ------
    ValueError
        If there are no images, if they have another size than the encoder
        takes, or if `batch_size` is below 1.
    """
    checks.instance("encoder", encoder, keras.Model)
    checks.sized("images", checks.images("images", images), encoder.input_shape[1:3])
    checks.whole_number("batch_size", batch_size)
    if not len(images):
        raise checks.wrong("images", images, "one or more")
    return model.forward(encoder, images, batch_size=batch_size)


def shipped() -> Callable[[np.ndarray], np.ndarray]:
    """Give the function that takes fingerprints with the model that comes with the book.

    Returns
    -------
    callable
        From uint8 images (n, height, width), of any size of 16 pixels or more, to float32
        (n, 128) of length one: see ``recognizer.encode``.

    Raises
    ------
    FileNotFoundError
        If the weights are gone.
    ValueError
        If they are damaged.
    """
    return _shipped()


@cache
def _shipped() -> Callable[[np.ndarray], np.ndarray]:
    run = runs.recorded(SHIPPED)
    return taker(run.config, run.model())


def taker(config: model.Config | Recognizer, network: keras.Model) -> Callable:
    """Give the function that takes the fingerprints of a network, as they are compared.

    Of the fingerprint model it is ``recognizer.encode``, of others `encode`.
    """
    if isinstance(config, Recognizer):
        return partial(recognizer.encode, recognizer.encoder(network))
    return partial(encode, model.encoder(network))


def pixels(images: np.ndarray) -> np.ndarray:
    """Take the photo itself for a fingerprint: its pixels, minus their mean.

    Parameters
    ----------
    images : numpy.ndarray
        uint8, shape (n, height, width).

    Returns
    -------
    numpy.ndarray
        float32, shape (n, height x width).
    """
    flat = checks.images("images", images).reshape(len(images), -1).astype(np.float32)
    return flat - flat.mean(axis=1, keepdims=True)


def eigenfaces(images: np.ndarray, others: np.ndarray, count: int = 64) -> np.ndarray:
    """Tell where photos lie along the directions in which others differ most (Turk, Pentland 1991).

    Parameters
    ----------
    images, others : numpy.ndarray
        uint8, shapes (n, height, width) and (m, height, width).
    count : int
        How many directions.

    Returns
    -------
    numpy.ndarray
        float32, shape (n, count), fewer columns where there are fewer others.
    """
    main = principal(pixels(others), count)
    return (pixels(images) - main.mean) @ main.axes.T


def distances(queries: np.ndarray, gallery: np.ndarray, metric: str = "cosine") -> np.ndarray:
    """Measure how far fingerprints are from one another, each from each.

    Of large galleries ask for the `nearest`: all distances would not fit into memory.

    Parameters
    ----------
    queries, gallery : numpy.ndarray
        float32, shapes (m, d) and (n, d).
    metric : str
        One of `METRICS`.

    Returns
    -------
    numpy.ndarray
        float32, shape (m, n). With ``"cosine"`` from 0 (same direction) to 2
        (opposite); a vector of zeros is at 1 from all.

    Raises
    ------
    ValueError
        If there is no such metric, if a side is empty, if their widths differ,
        if a number is not finite, or if there are more than a billion distances.
    """
    queries, gallery = _checked(queries, gallery, metric)
    _refuse_too_many(len(queries), len(gallery), "ask fingerprints.nearest for the nearest ones")
    every = np.empty((len(queries), len(gallery)), dtype=np.float32)
    step = max(2**24 // len(gallery), 64)  # rows at a time, as they are of float64 on the way
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        every[rows] = _distances(queries[rows], gallery, metric)
    return every


def nearest(
    queries: np.ndarray, gallery: np.ndarray, count: int = 5, metric: str = "cosine"
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest fingerprints of a gallery of any size, in pieces that fit into memory.

    The answer is that of sorting all `distances`. Most of them are never made:
    a product in float32 tells which fingerprints may be near enough, and these
    are measured exactly.

    Parameters
    ----------
    queries, gallery : numpy.ndarray
        float32, shapes (m, d) and (n, d).
    count : int
        How many, 1 or more; all of the gallery where it has fewer.
    metric : str
        One of `METRICS`.

    Returns
    -------
    tuple of numpy.ndarray
        Indices into the gallery, int64 (m, count), nearest first, and their
        distances, float32. Of equals the first is taken.

    Raises
    ------
    ValueError
        If there is no such metric, if a side is empty, if their widths differ,
        if a number is not finite, if `count` is below 1, or if a billion
        distances would be given.
    """
    queries, gallery = _checked(queries, gallery, metric)
    count = min(checks.whole_number("count", count), len(gallery))
    _refuse_too_many(len(queries), count, "ask for fewer, or for some of the queries at a time")
    index = np.zeros((len(queries), count), dtype=np.int64)
    best = np.full((len(queries), count), np.inf, dtype=np.float32)
    tall = min(max(_PIECE // gallery.shape[1], 512), 8192)
    wide = max(_PIECE // tall, 256)
    # Every distance to the first piece is measured, so it is a small one.
    edges = [0, *range(max(count, 512), len(gallery), tall), len(gallery)]
    for start, stop in pairwise(edges):
        piece = _side(gallery[start:stop], metric, asked=False)
        for begin in range(0, len(queries), wide):
            rows = slice(begin, begin + wide)
            asked = _side(queries[rows], metric, asked=True)
            found = _nearer(asked, piece, best[rows], metric)
            _merge(index[rows], best[rows], *found, start)
    return index, best


def principal(vectors: np.ndarray, count: int) -> Directions:
    """Find the directions in which fingerprints differ most (principal component analysis).

    Parameters
    ----------
    vectors : numpy.ndarray
        float32, shape (n, d).
    count : int
        How many directions, 1 or more; fewer where n or d are smaller.

    Returns
    -------
    Directions
        The sign of each axis is such that its largest entry is positive.
    """
    vectors = checks.rows("vectors", vectors)
    count = checks.whole_number("count", count)
    mean = vectors.mean(axis=0)
    _, sizes, axes = np.linalg.svd(vectors - mean, full_matrices=False)
    axes = axes[:count]
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    return Directions(
        mean, axes * np.sign(largest)[:, None], sizes[:count] / np.sqrt(max(len(vectors) - 1, 1))
    )


def _checked(
    queries: np.ndarray, gallery: np.ndarray, metric: str
) -> tuple[np.ndarray, np.ndarray]:
    checks.choice("metric", metric, METRICS)
    gallery = checks.rows("gallery", gallery)
    return checks.rows("queries", queries, gallery.shape[1]), gallery


def _refuse_too_many(rows: int, columns: int, instead: str) -> None:
    if rows * columns > MOST_DISTANCES:
        raise ValueError(
            f"{rows:,} queries with {columns:,} distances each are too many, "
            f"expected {MOST_DISTANCES:,} in all at most: {instead}"
        )


def _distances(queries: np.ndarray, gallery: np.ndarray, metric: str) -> np.ndarray:
    """All distances, float32 (m, n), right to the last digit: equal ones are equal."""
    one, other = (_ready(each, metric) for each in (queries, gallery))
    center = other.mean(axis=0)  # numbers that are far from zero would cancel out
    one, other = one - center, other - center
    squares = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1)
    squared = one @ other.T
    squared *= -2
    squared += squares
    row, column = np.nonzero(squared <= 1e-6 * squares)  # what is left of these is rounding
    distance = _measured(squared, np.outer(queries.any(axis=1), gallery.any(axis=1)), metric)
    distance[row, column] = _between(queries, gallery, row, column, metric)
    return distance


def _between(
    queries: np.ndarray, gallery: np.ndarray, row: np.ndarray, column: np.ndarray, metric: str
) -> np.ndarray:
    """Distances of some pairs, float32 (n,), a few thousand at a time."""
    found = np.empty(len(row), dtype=np.float32)
    step = max(_PIECE // 4 // queries.shape[1], 1)
    for start in range(0, len(row), step):
        pair = slice(start, start + step)
        one, other = queries[row[pair]], gallery[column[pair]]
        apart = _ready(one, metric) - _ready(other, metric)
        directed = one.any(axis=1) & other.any(axis=1)
        found[pair] = _measured(np.square(apart).sum(axis=1), directed, metric)
    return found


def _ready(vectors: np.ndarray, metric: str) -> np.ndarray:
    """Vectors in float64, with "cosine" of length one; zeros stay zeros."""
    vectors = vectors.astype(np.float64)
    if metric == "cosine":
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(length > 0, length, 1)
    return vectors


def _measured(squared: np.ndarray, directed: np.ndarray, metric: str) -> np.ndarray:
    """Turn squared distances into what a metric says. Zeros have no direction."""
    if metric == "cosine":
        squared[squared < 1e-24] = 0  # the same direction, rounded
        distance = np.where(directed, np.minimum(squared / 2, 2), 1)
    else:
        distance = np.sqrt(np.maximum(squared, 0, out=squared), out=squared)
    # Half-way between two numbers of float32 the rounding before would decide.
    return (distance * (1 + 2**-48)).astype(np.float32)


class _Side(NamedTuple):
    """Queries or a piece of the gallery, ready for products in float32.

    The larger the product of a query's factors and a fingerprint's, the nearer they are.
    """

    vectors: np.ndarray  # float32 (n, d), as they were given
    factors: np.ndarray  # float32 (n, d + 1)
    squares: np.ndarray  # float64 (n,): squared lengths, all 1 with "cosine"


def _side(vectors: np.ndarray, metric: str, *, asked: bool) -> _Side:
    factors, squares = _ready(vectors, metric), np.ones(len(vectors))
    if metric == "l2":
        squares = np.square(factors).sum(axis=1)
    last = np.ones(len(vectors)) if asked else -squares / 2  # q g - g g / 2
    return _Side(vectors, np.column_stack([factors, last]).astype(np.float32), squares)


def _nearer(
    asked: _Side, piece: _Side, best: np.ndarray, metric: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure what may be nearer than the worst of the best so far: rows, columns, distances."""
    worst = best[:, -1]
    row, column = _candidates(asked, piece, worst.astype(np.float64), metric)
    if len(row) > len(worst) * len(piece.vectors) // 16:  # too many to measure one by one
        distance = _distances(asked.vectors, piece.vectors, metric)
        row, column = _smallest(distance, worst, best.shape[1])
        distance = distance[row, column]
    else:
        distance = _between(asked.vectors, piece.vectors, row, column, metric)
    nearer = distance < worst[row]
    return row[nearer], column[nearer], distance[nearer]


def _candidates(
    asked: _Side, piece: _Side, worst: np.ndarray, metric: str
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of all pairs whose distance may be below the worst, by products in float32."""
    rounding = float(np.finfo(np.float32).eps)
    bound = 2 * worst if metric == "cosine" else np.square(worst)
    reach = np.square(np.sqrt(asked.squares) + np.sqrt(piece.squares.max())) / 2
    slack = (asked.factors.shape[1] + 8) * rounding * reach + 1e-37  # a product can be off by it
    floor = (asked.squares - bound * (1 + 4 * rounding)) / 2 - slack
    floor[worst == 0] = np.inf  # nothing is nearer than that
    products = asked.factors @ piece.factors.T
    found = np.flatnonzero(products >= floor.astype(np.float32)[:, None])
    return np.divmod(found, products.shape[1])


def _smallest(distance: np.ndarray, worst: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the smallest distances of each row, of equals the first, `count` at most."""
    asked = np.flatnonzero((distance < worst[:, None]).any(axis=1))
    distance, count = distance[asked], min(count, distance.shape[1])
    last = np.partition(distance, count - 1, axis=1)[:, count - 1 : count]
    below, level = distance < last, distance == last
    left = count - np.count_nonzero(below, axis=1, keepdims=True)
    level &= np.cumsum(level, axis=1, dtype=np.int32) <= left
    row, column = np.nonzero(below | level)
    return asked[row], column


def _merge(
    index: np.ndarray,
    best: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    distance: np.ndarray,
    start: int,
) -> None:
    """Put what was found in a piece that begins at `start` among the best so far, in place."""
    touched, count = np.unique(row), best.shape[1]
    rows = np.concatenate([np.repeat(touched, count), row])
    indices = np.concatenate([index[touched].ravel(), column + start])
    distances = np.concatenate([best[touched].ravel(), distance])
    order = np.lexsort((indices, distances, rows))
    first = np.searchsorted(rows[order], touched)
    kept = order[first[:, None] + np.arange(count)]
    index[touched], best[touched] = indices[kept], distances[kept]
