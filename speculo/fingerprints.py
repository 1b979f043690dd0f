"""Fingerprints: the latent vectors of faces, their neighbours and their main directions."""

from typing import NamedTuple

import numpy as np

from speculo import model
from speculo.backend import keras

METRICS = ("l2", "cosine")
"""Distances between fingerprints: Euclidean, and 1 minus the cosine of the angle."""


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
    """
    return model.forward(encoder, images, batch_size=batch_size)


def distances(queries: np.ndarray, gallery: np.ndarray, metric: str = "cosine") -> np.ndarray:
    """Measure how far fingerprints are from one another.

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
        If there is no such metric.
    """
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}, expected one of {', '.join(METRICS)}")
    if metric == "cosine":
        return 1 - _unit(queries) @ _unit(gallery).T
    squares = np.square(queries).sum(axis=1)[:, None] + np.square(gallery).sum(axis=1)
    return np.sqrt(np.maximum(squares - 2 * queries @ gallery.T, 0))


def nearest(
    queries: np.ndarray, gallery: np.ndarray, count: int = 5, metric: str = "cosine"
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest fingerprints of a gallery.

    Parameters
    ----------
    queries, gallery : numpy.ndarray
        float32, shapes (m, d) and (n, d).
    count : int
        How many; all of the gallery where it has fewer.
    metric : str
        One of `METRICS`.

    Returns
    -------
    tuple of numpy.ndarray
        Indices into the gallery, int64 (m, count), nearest first, and their
        distances. Of equals the first is taken.
    """
    every = distances(queries, gallery, metric)
    index = np.argsort(every, axis=1, kind="stable")[:, :count]
    return index, np.take_along_axis(every, index, axis=1)


def principal(vectors: np.ndarray, count: int) -> Directions:
    """Find the directions in which fingerprints differ most (principal component analysis).

    Parameters
    ----------
    vectors : numpy.ndarray
        float32, shape (n, d).
    count : int
        How many directions; fewer where n or d are smaller.

    Returns
    -------
    Directions
        The sign of each axis is such that its largest entry is positive.
    """
    mean = vectors.mean(axis=0)
    _, sizes, axes = np.linalg.svd(vectors - mean, full_matrices=False)
    axes = axes[:count]
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    return Directions(
        mean, axes * np.sign(largest)[:, None], sizes[:count] / np.sqrt(max(len(vectors) - 1, 1))
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
