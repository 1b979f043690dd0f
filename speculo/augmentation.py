"""More photographs out of those that there are: mirrored, moved, turned, zoomed, lit otherwise.

Input and target change together, so the pair stays true: the front of a face that
stands two pixels to the left stands two pixels to the left.
"""

from collections.abc import Iterator

import numpy as np

from speculo.model import Config, logit, with_changes
from speculo.pairs import Pairs, as_input, several_fronts

PENALTY = 80.0
"""Of the ridge regression of a line, on logits, whose variance is some ten times that of pixels
in 0..1. It is for all pairs together: the more there are, the less it says."""

ENOUGH = 10_000
"""Pairs that a line is fitted on at least, drawn again and again from those that there are."""


def augment(
    inputs: np.ndarray, targets: np.ndarray, config: Config, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Change each pair of a batch at random, as a config says.

    Parameters
    ----------
    inputs, targets : numpy.ndarray
        float32, shape (n, height, width, 1), in 0..1.
    config : Config or Mended
        Its ``mirror``, ``shift``, ``turn``, ``zoom`` and ``light``. A plain
        `Config` changes nothing.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of numpy.ndarray
        Both in the same form. What is drawn from beyond the edge repeats the edge.
    """
    config = with_changes(config)
    n = len(inputs)
    both = np.concatenate([inputs, targets], axis=-1)
    if config.mirror:
        flipped = rng.random(n) < 0.5
        both = np.where(flipped[:, None, None, None], both[:, :, ::-1], both)
    if config.shift or config.turn or config.zoom:
        both = _moved(
            both,
            shift=rng.normal(0, 1, (n, 2)) * config.shift,
            turn=np.radians(rng.normal(0, 1, n) * config.turn),
            scale=np.exp(rng.normal(0, 1, n) * config.zoom),
        )
    if config.light:
        gain = np.exp(rng.normal(0, 1, n) * config.light).astype(np.float32)
        both = np.clip(both * gain[:, None, None, None], 0, 1)
    return both[..., :1], both[..., 1:]


def batches(
    pairs: Pairs, config: Config, order: np.ndarray, batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give out pairs in an order, batch by batch, as a config wants to be trained.

    Where it asks for several fronts, a target is their mean.

    Yields
    ------
    tuple of numpy.ndarray
        Inputs and targets, augmented.
    """
    several = several_fronts(pairs.faces, with_changes(config).fronts)
    for start in range(0, len(order), batch_size):
        index = order[start : start + batch_size]
        inputs, targets = pairs.batch(index)
        if several.shape[1] > 1:
            fronts = several[pairs.input[index]].T
            targets = np.mean([as_input(pairs.faces.images[each]) for each in fronts], axis=0)
        yield augment(inputs, targets, config, rng)


def fit_line(pairs: Pairs, config: Config, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit a linear map from input to target logits by ridge regression, on augmented pairs.

    Parameters
    ----------
    pairs : Pairs
    config : Config or Mended
        How the pairs are augmented.
    seed : int

    Returns
    -------
    kernel : numpy.ndarray
        float32, shape (pixels, pixels): a column for each output pixel.
    bias : numpy.ndarray
        float32, shape (pixels,).
    """
    size = pairs.faces.images[0].size
    rng = np.random.default_rng([seed, 2])  # apart from the draws of an epoch
    moments = np.zeros((size + 1, 2 * size + 1))  # of [input, 1] with [input, target, 1]
    for _ in range(-(-ENOUGH // len(pairs))):
        for batch in batches(pairs, config, np.arange(len(pairs)), 512, rng):
            inputs, targets = (logit(each).reshape(len(each), -1) for each in batch)
            ones = np.ones((len(inputs), 1), dtype=np.float32)
            moments += np.hstack([inputs, ones]).T @ np.hstack([inputs, targets, ones])
    moments /= moments[-1, -1]
    means = moments[-1, :-1]
    covariance = moments[:-1, :-1] - np.outer(means[:size], means)
    of_inputs = covariance[:, :size] + PENALTY / len(pairs) * np.eye(size)
    kernel = np.linalg.solve(of_inputs, covariance[:, size:])
    kernel *= 1 - with_changes(config).shrink
    bias = means[size:] - means[:size] @ kernel
    return kernel.astype(np.float32), bias.astype(np.float32)


def _moved(
    images: np.ndarray, *, shift: np.ndarray, turn: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Sample each image (n, height, width, channels) at moved places, between its pixels."""
    n, height, width, _ = images.shape
    down, right = np.mgrid[:height, :width].astype(np.float32)
    down, right = down - (height - 1) / 2, right - (width - 1) / 2
    cosine, sine = ((f(turn) / scale).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    y = cosine * down + sine * right + (height - 1) / 2 - shift[:, :1, None]
    x = cosine * right - sine * down + (width - 1) / 2 - shift[:, 1:, None]
    y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    top, left = (np.minimum(y, height - 2)).astype(int), (np.minimum(x, width - 2)).astype(int)
    lower, righter = (
        (part - whole).astype(np.float32)[..., None] for part, whole in ((y, top), (x, left))
    )
    which = np.arange(n)[:, None, None]
    above = images[which, top, left] * (1 - righter) + images[which, top, left + 1] * righter
    below = (
        images[which, top + 1, left] * (1 - righter) + images[which, top + 1, left + 1] * righter
    )
    return above * (1 - lower) + below * lower
