"""What went wrong in v8, a small experiment for each suspect. Chapter 05 runs them.

Each function changes one thing. The suspects were read in the code that published v8
(github.com/isala404/speculo, folder ``models/fingerprinter``).
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter

from speculo import augmentation, checks, evaluation, model, training
from speculo.backend import keras
from speculo.faces import FaceSet, angle_from_front
from speculo.pairs import Pairs, Split, as_input, fronts
from speculo.progress import Progress

PUBLISHED = {"published, train": 0.0312, "published, validation": 0.0325}
"""Last losses of v8, read off its published curve (``loss.png``)."""

PUBLISHED_FRAMES, PUBLISHED_EPOCHS = 615_467, 38
"""Training pairs and epochs of v8 as published."""

FLOOR = 0.5
"""Sigmoid of zero: the darkest output behind a ReLU."""


# Trainings


def trained(
    config: model.Config,
    pairs: Pairs,
    asked: Pairs,
    *,
    seeds: Sequence[int],
    epochs: int,
    batch_size: int = 8,
) -> np.ndarray:
    """Train a model in memory from several seeds, and keep what each draws in the end.

    Parameters
    ----------
    config : Config
    pairs, asked : Pairs
        What to learn from, and what to draw.
    seeds : sequence of int
        Of the first weights, the order and the dropout: two calls with the same
        seeds differ by what was changed alone.
    epochs : int
    batch_size : int
        Small by default: the running averages of batch normalisation follow
        the weights by steps.

    Returns
    -------
    numpy.ndarray
        float32, shape (seeds, n, height, width, 1): drawings of `asked`.
    """
    checks.whole_number("epochs", epochs)
    checks.whole_number("batch_size", batch_size)
    if not len(seeds):
        raise checks.wrong("seeds", seeds, "one or more")
    # One network for all seeds, as compiling it takes longer than some of the trainings.
    network = model.build(config)
    network.optimizer.build(network.trainable_variables)
    fresh = [keras.ops.convert_to_numpy(each) for each in network.optimizer.variables]
    drawn = []
    begin = time.perf_counter()
    with Progress(unit="epoch") as progress:
        for place, seed in enumerate(seeds):
            network.set_weights(model.build(config, seed=seed).get_weights())
            for variable, value in zip(network.optimizer.variables, fresh, strict=True):
                variable.assign(value)
            plan = training.Plan(augmentation.PUBLISHED, epochs, batch_size, seed)
            for epoch in range(epochs):
                training.train_epoch(network, config, pairs, plan, epoch)
                done = place * epochs + epoch + 1
                spent = time.perf_counter() - begin
                progress.update(done, len(seeds) * epochs, spent, f"Seed {seed}")
            drawn.append(model.forward(network, asked.batch()[0]))
    return np.stack(drawn)


def some(pairs: Pairs, most: int, *, seed: int = 0) -> Pairs:
    """Draw so many pairs at random, in their order; all of them where there are fewer."""
    checks.instance("pairs", pairs, Pairs)
    checks.whole_number("most", most)
    drawn = np.sort(np.random.default_rng(checks.seed("seed", seed)).permutation(len(pairs))[:most])
    return pairs.take(drawn)


def mse(outputs: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Mean squared error of the drawings of each seed.

    Parameters
    ----------
    outputs : numpy.ndarray
        Shape (seeds, n, height, width, 1), from `trained`.
    pairs : Pairs
        The pairs that were asked for.

    Returns
    -------
    numpy.ndarray
        float64, shape (seeds,).
    """
    return np.array([evaluation.squared_error(each, pairs).mean() for each in outputs])


def spread(outputs: np.ndarray) -> float:
    """How much drawings differ from one another: standard deviation of a pixel, mean over pixels.

    Parameters
    ----------
    outputs : numpy.ndarray
        Shape (..., n, height, width, 1): drawings of n photos, or several times that.
    """
    return float(outputs.std(axis=-4).mean())


def sharpness(images: np.ndarray) -> float:
    """Root mean square difference of neighbouring pixels: 0 for a flat grey.

    Parameters
    ----------
    images : numpy.ndarray
        Shape (..., height, width, 1), in 0..1.
    """
    across, down = np.diff(images, axis=-2), np.diff(images, axis=-3)
    return float(np.sqrt((np.square(across).mean() + np.square(down).mean()) / 2))


# The loss without anything beside it


def levels(pairs: Pairs) -> dict[str, float]:
    """Tell what predictors without a network score, each fitted on the targets it is judged on.

    Nothing of its kind can be better, so a model above such a level has learned
    less than that.

    Returns
    -------
    dict
        Name to MSE: the best constant grey, the mean front, the same as far as
        v8 can draw it (never below 0.5), the targets as far as v8 can draw them,
        and the person's other photos.
    """
    inputs, targets = pairs.batch()
    mean = targets.mean(axis=0)

    def error(predicted: np.ndarray | float) -> float:
        return float(np.square(targets - predicted, dtype=np.float64).mean())

    other = pairs.input != pairs.target
    return {
        "best constant grey": error(targets.mean()),
        "mean front, no pixel below 0.5": error(np.maximum(mean, FLOOR)),
        "every target, no pixel below 0.5": error(np.maximum(targets, FLOOR)),
        "mean front": error(mean),
        "the person's other photo": float(
            np.square(inputs[other] - targets[other], dtype=np.float64).mean()
        ),
    }


# The drawings


def fed_bytes(network: keras.Model, pairs: Pairs) -> np.ndarray:
    """Draw the fronts of inputs that were not scaled: 0..255, to a model that learned from 0..1.

    Returns
    -------
    numpy.ndarray
        float32, shape (n, height, width, 1).
    """
    return model.forward(network, pairs.batch()[0] * np.float32(255))


# The fingerprint


class Codes(NamedTuple):
    """What a face becomes on both sides of the layer ``latent_space``.

    Attributes
    ----------
    before, latent : numpy.ndarray
        float64, shapes (n, 64) and (n, 4096) for v8.
    """

    before: np.ndarray
    latent: np.ndarray


def codes(network: keras.Model, inputs: np.ndarray) -> Codes:
    """Encode faces, and keep the numbers that the fingerprint is made of.

    Parameters
    ----------
    network : keras.Model
    inputs : numpy.ndarray
        float32, shape (n, height, width, 1).
    """
    layer = network.get_layer("latent_space")
    before = model.forward(keras.Model(network.input, layer.input), inputs)
    latent = keras.ops.convert_to_numpy(layer(before))
    return Codes(before.astype(np.float64), latent.astype(np.float64))


def compressed(network: keras.Model, before: np.ndarray) -> np.ndarray:
    """Turn the numbers before the latent into as many that keep every distance of the latent.

    The latent is h W + b. With W' = Q R, where Q has orthonormal columns, the
    distance of two latents is the distance of h R': a Mahalanobis distance of h.

    Parameters
    ----------
    network : keras.Model
    before : numpy.ndarray
        Shape (n, k), from `codes`.

    Returns
    -------
    numpy.ndarray
        float64, shape (n, k).
    """
    kernel = keras.ops.convert_to_numpy(network.get_layer("latent_space").kernel)
    return before @ np.linalg.qr(kernel.T.astype(np.float64), mode="r").T


def rank(values: np.ndarray) -> int:
    """Count the directions in which rows differ: singular values above rounding error.

    Parameters
    ----------
    values : numpy.ndarray
        Singular values, largest first.
    """
    return int(np.sum(values > values[0] * 1e-5))


# The targets


def fronts_by_sum(faces: FaceSet) -> np.ndarray:
    """Choose fronts by the smallest abs(yaw + pitch + roll) of a series, as v8's code did.

    Opposite angles cancel: a head turned by 40 degrees and tilted by -40 counts
    as straight.

    Returns
    -------
    numpy.ndarray
        int64, shape (n,): for each image the index of its target, as
        ``pairs.fronts`` gives it.
    """
    total = np.abs(faces.pose.sum(axis=1))
    order = np.lexsort((total, faces.series))  # NaN comes last
    begin = np.searchsorted(faces.series[order], faces.series)
    return order[begin].astype(np.int64)


def without_chosen_fronts(faces: FaceSet) -> FaceSet:
    """Leave out the fronts that somebody chose, so that a rule has to find others.

    A series with nothing else is left out.
    """
    kept = np.setdiff1d(np.arange(len(faces)), faces.front)
    people, person = np.unique(faces.person[kept], return_inverse=True)
    return FaceSet(
        name=faces.name,
        images=faces.images[kept],
        person=person.astype(np.int32),
        names=tuple(faces.names[number] for number in people),
        pose=faces.pose[kept],
        origin=faces.origin[kept],
        series=np.unique(faces.series[kept], return_inverse=True)[1].astype(np.int32),
    )


def angles_of_fronts(faces: FaceSet, front: np.ndarray) -> np.ndarray:
    """Angle of the front of each series from straight ahead, in degrees: shape (series,)."""
    chosen = front[np.unique(faces.series, return_index=True)[1]]
    return angle_from_front(faces.pose[chosen])


def poses_in_text_order(frames: np.ndarray) -> np.ndarray:
    """Tell which pose each frame gets if files are sorted as text and poses by number.

    Parameters
    ----------
    frames : numpy.ndarray
        int, shape (n,): frame numbers, in their order. File names hold them
        without leading zeros.

    Returns
    -------
    numpy.ndarray
        int64, shape (n,): for each frame the position of the pose that it gets;
        its own would be 0, 1, 2, ...
    """
    given = np.empty(len(frames), dtype=np.int64)
    given[np.argsort(frames.astype(str), kind="stable")] = np.arange(len(frames))
    return given


def people_by_position(names: Sequence[str], listing: Sequence[str]) -> np.ndarray:
    """Match people to folders by their position in a listing, not by their name.

    Parameters
    ----------
    names, listing : sequence of str
        The people, and the folders in the order that they are listed.

    Returns
    -------
    numpy.ndarray
        int64, shape (n,): for each of `names` the person who stands at its
        position, as an index into `names`, or -1 where the listing ends before.
    """
    number = {name: place for place, name in enumerate(names)}
    matched = np.full(len(names), -1, dtype=np.int64)
    for place, name in enumerate(listing[: len(names)]):
        matched[place] = number[name]
    return matched


def share_of_others(matched: np.ndarray) -> float:
    """Share of the people with a match who got somebody else."""
    place = np.flatnonzero(matched >= 0)
    return float((matched[place] != place).mean())


def fronts_of(faces: FaceSet) -> np.ndarray:
    """The front of each person, as an index of an image: of several series the first one's."""
    return fronts(faces)[np.unique(faces.person, return_index=True)[1]]


def error_of_match(faces: FaceSet, matched: np.ndarray) -> float:
    """MSE that the right fronts get when the matched people's fronts are taken for the targets."""
    front = as_input(faces.images[fronts_of(faces)])
    place = np.flatnonzero(matched >= 0)
    return float(np.square(front[place] - front[matched[place]], dtype=np.float64).mean())


# The clock


class ReadingTimes(NamedTuple):
    """Seconds for one image."""

    files: float
    memory: float


def reading_times(pairs: Pairs, *, side: int = 200, batch_size: int = 64) -> ReadingTimes:
    """Time an epoch of inputs from JPEG files, decoded and resized one by one, and from memory.

    Parameters
    ----------
    pairs : Pairs
        Their inputs are enlarged and written as JPEG files to a folder that is
        taken away afterwards.
    side : int
        Of the files, in pixels. A frame of YouTube Faces is about so large.
    batch_size : int
        Both ways give batches of float32.
    """
    size = pairs.faces.images.shape[1:][::-1]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.jpg" for number in range(len(pairs))]
        for path, index in zip(paths, pairs.input, strict=True):
            Image.fromarray(pairs.faces.images[index]).resize((side, side)).save(path, quality=95)
        files = _seconds(_decoded(paths, size, batch_size))
    starts = range(0, len(pairs), batch_size)
    memory = _seconds(pairs.batch(slice(start, start + batch_size)) for start in starts)
    return ReadingTimes(files / len(pairs), memory / len(pairs))


def _decoded(paths: Sequence[Path], size: tuple[int, int], batch_size: int) -> Iterator[np.ndarray]:
    """A Python generator such as v8's: each file opened, decoded and resized whenever it is needed."""
    for start in range(0, len(paths), batch_size):
        batch = []
        for path in paths[start : start + batch_size]:
            with Image.open(path) as image:
                batch.append(np.asarray(image.convert("L").resize(size)))
        yield as_input(np.stack(batch))


def _seconds(batches: Iterator) -> float:
    begin = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - begin


# The notes on the card


@dataclass(frozen=True, eq=False)
class Smaller(Pairs):
    """The same pairs, shrunk: each pixel is the mean of `factor` by `factor` pixels."""

    factor: int = 2

    def batch(self, index: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets as the network takes them, see `Pairs.batch`."""
        inputs, targets = super().batch(index)
        return shrunk(inputs, self.factor), shrunk(targets, self.factor)


def smaller(pairs: Pairs, factor: int) -> Smaller:
    """Shrink pairs, see `Smaller`."""
    return Smaller(pairs.faces, pairs.input, pairs.target, factor)


def shrunk(images: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks of `factor` by `factor` pixels: (..., height, width, 1) to a smaller one."""
    *first, height, width, _ = images.shape
    blocks = images.reshape(*first, height // factor, factor, width // factor, factor, 1)
    return blocks.mean(axis=(-4, -2))


def enlarged(images: np.ndarray, factor: int) -> np.ndarray:
    """Enlarge images (n, height, width, 1) with bicubic interpolation."""
    height, width = images.shape[1] * factor, images.shape[2] * factor
    return np.stack(
        [
            np.asarray(Image.fromarray(each[..., 0]).resize((width, height), Image.BICUBIC))
            for each in images
        ]
    )[..., np.newaxis]


def errors_by_size(pairs: Split, factors: Sequence[int] = (1, 2, 4, 8)) -> pd.DataFrame:
    """Errors of mean face and ridge regression on the test pairs, shrunk by each factor.

    Returns
    -------
    pandas.DataFrame
        A row for each size (pixels in a side), with columns ``mean face`` and ``ridge``.
    """
    rows = {}
    for factor in factors:
        shrunk_pairs = Split(*(smaller(each, factor) for each in pairs))
        drawn = evaluation.baselines(shrunk_pairs)
        rows[pairs.test.faces.images.shape[1] // factor] = {
            short: evaluation.squared_error(drawn[name], shrunk_pairs.test).mean()
            for short, name in (("mean face", "mean frontal face"), ("ridge", "ridge regression"))
        }
    return pd.DataFrame(rows).T


def at_both_sizes(large: np.ndarray, small: np.ndarray, pairs: Pairs) -> pd.DataFrame:
    """Judge drawings of full and of half size at both, after scaling. Mean over seeds.

    Parameters
    ----------
    large, small : numpy.ndarray
        Shapes (seeds, n, height, width, 1) and (seeds, n, height / 2, width / 2, 1).
    pairs : Pairs
        At full size.

    Returns
    -------
    pandas.DataFrame
        A row for each training, a column for each size it is judged at.
    """
    half, side = smaller(pairs, 2), large.shape[2]
    grown = np.stack([enlarged(each, 2) for each in small])
    errors = [
        [mse(large, pairs).mean(), mse(shrunk(large, 2), half).mean()],
        [mse(grown, pairs).mean(), mse(small, half).mean()],
    ]
    sides = (side, side // 2)
    return pd.DataFrame(
        errors,
        index=[f"trained at {each}" for each in sides],
        columns=[f"judged at {each}" for each in sides],
    )


def blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    """Blur images (n, height, width, 1) with a Gaussian of `sigma` pixels."""
    return gaussian_filter(images, (0, sigma, sigma, 0), mode="nearest")
