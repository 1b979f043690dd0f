"""What went wrong in v8, a small experiment for each suspect. Chapter 05 runs them.

Each function changes one thing. The suspects were read in the code that published v8
(github.com/isala404/speculo, folder ``models/fingerprinter``).
"""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from speculo import augmentation, checks, cluster, evaluation, model, training, trials
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

NARROW = replace(model.V8, filters=(32, 32, 32, 32, model.V8.filters[-1]), momentum=0.9)
"""v8 with fewer filters, to be trained again and again. The numbers before its fingerprint are
as many as v8's. Its batch normalisation follows a training of few steps (momentum)."""


# Verdicts

YES, PICTURE, NO = "yes", "yes, in the published picture", "no"
WORSE = "may have made them worse"
"""What a suspect can have had to do with the blobs."""


class Verdict(NamedTuple):
    """Whether a suspect, or a note on the card, held, and the number that decided it.

    `blob` says of a suspect what it had to do with the blobs, if it held: `YES`, `PICTURE`, `WORSE`
    or `NO`.
    """

    suspect: str
    held: bool
    number: str
    blob: str = ""


def verdict_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Put verdicts into a table, in their order: a row for each suspect or note.

    Of suspects, a column says whether they caused the blobs.
    """
    rows = [
        (each.suspect, "confirmed" if each.held else "not here", each.blob, each.number)
        for each in verdicts
    ]
    columns = ["suspect or note", "verdict", "caused the blobs?", "number"]
    table = pd.DataFrame(rows, columns=columns).set_index(columns[0])
    if not any(each.blob for each in verdicts):
        return table.drop(columns=columns[2])
    table.loc[table["verdict"] == "not here", columns[2]] = "no"
    return table


def spread_over_seeds(*errors: np.ndarray) -> float:
    """Standard deviation of errors over seeds, the largest of several trainings.

    Parameters
    ----------
    *errors : numpy.ndarray
        Shape (seeds,). A single seed says nothing of others: its spread is infinite.
    """
    return max(float(each.std(ddof=1)) if len(each) > 1 else np.inf for each in errors)


def beyond_seeds(gain: float | pd.Series, spread: float) -> bool | pd.Series:
    """Tell which gains count: those above twice the spread over seeds."""
    return gain > 2 * spread


# Trainings


def trained(
    config: model.Config,
    split: Split,
    *,
    seeds: Sequence[int],
    epochs: int,
    batch_size: int = 8,
) -> np.ndarray:
    """Train a model in memory from several seeds, and keep what each draws in the end.

    Parameters
    ----------
    config : Config
    split : Split
        Train pairs to learn from, test pairs to draw.
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
        float32, shape (seeds, n, height, width, 1): drawings of the test pairs.
    """
    checks.whole_number("epochs", epochs)
    checks.whole_number("batch_size", batch_size)
    if not len(seeds):
        raise checks.wrong("seeds", seeds, "one or more")
    plans = [training.Plan(augmentation.PUBLISHED, epochs, batch_size, seed) for seed in seeds]
    pieces = [(config, split, plan) for plan in plans]
    drawn = []
    begin = time.perf_counter()
    with Progress(unit="training") as progress:
        for each in cluster.each(_drawings, pieces, here="in turn"):
            drawn.append(each)
            progress.update(len(drawn), len(pieces), time.perf_counter() - begin, config.name)
    return np.stack(drawn)


def _drawings(config: model.Config, split: Split, plan: training.Plan) -> np.ndarray:
    """Train once, and draw the test pairs."""
    return model.forward(trials.train(config, split, plan)[0], split.test.batch()[0])


def some(pairs: Pairs, most: int) -> Pairs:
    """Draw so many pairs at random, in their order; all of them where there are fewer."""
    checks.instance("pairs", pairs, Pairs)
    checks.whole_number("most", most)
    drawn = np.sort(np.random.default_rng(0).permutation(len(pairs))[:most])
    return pairs.take(drawn)


def spread(outputs: np.ndarray) -> float:
    """How much drawings differ from one another: standard deviation of a pixel, mean over pixels.

    Parameters
    ----------
    outputs : numpy.ndarray
        Shape (..., n, height, width, 1): drawings of n photos, or several times that.
    """
    return float(outputs.std(axis=-4).mean())


def drawing_table(drawings: Mapping[str, np.ndarray], pairs: Pairs) -> pd.DataFrame:
    """Describe the drawings of several models: error, darkest pixel, pixels at the floor, spread.

    Parameters
    ----------
    drawings : mapping
        Name to drawings of all of `pairs`, shape (seeds, n, height, width, 1).
    pairs : Pairs
    """
    return pd.DataFrame(
        {
            name: {
                "MSE": evaluation.squared_error(each, pairs).mean(),
                "darkest pixel": each.min(),
                "pixels at 0.5 exactly": (each == FLOOR).mean(),
                "spread from face to face": spread(each),
            }
            for name, each in drawings.items()
        }
    ).T


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
    _, targets = pairs.batch()
    mean = targets.mean(axis=0)
    return {
        "best constant grey": evaluation.mse(targets.mean(), targets),
        "mean front, no pixel below 0.5": evaluation.mse(np.maximum(mean, FLOOR), targets),
        "every target, no pixel below 0.5": evaluation.output_floor(pairs)[1],
        "mean front": evaluation.mse(mean, targets),
        "the person's other photo": evaluation.mse(*pairs.turned.batch()),
    }


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
    triangle = np.linalg.qr(kernel.T.astype(np.float64), mode="r")
    return before @ triangle.T  # type: ignore[attr-defined]  # of this mode it is one array


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
    matched[: len(listing)] = [number[name] for name in listing[: len(names)]]
    return matched


def share_of_others(matched: np.ndarray) -> float:
    """Share of the places with a match that got somebody else's, or another frame's."""
    place = np.flatnonzero(matched >= 0)
    return float((matched[place] != place).mean())


def fronts_of(faces: FaceSet) -> np.ndarray:
    """The front of each person, as an index of an image: of several series the first one's."""
    return fronts(faces)[np.unique(faces.person, return_index=True)[1]]


def error_of_match(front: np.ndarray, matched: np.ndarray) -> float:
    """MSE that the right fronts get when those of the matched people are taken for the targets.

    Parameters
    ----------
    front : numpy.ndarray
        uint8, shape (people, height, width): the front of each person.
    matched : numpy.ndarray
        From `people_by_position`.
    """
    front, place = as_input(front), np.flatnonzero(matched >= 0)
    return evaluation.mse(front[place], front[matched[place]])


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
