"""A run with its network in memory, opened once, and what is asked of it again and again."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from speculo import evaluation, fingerprints, model, recognition
from speculo.faces import FaceSet
from speculo.pairs import Pairs, Split, as_image
from speculo.recognition import Chance
from speculo.runs import Run
from speculo.sources import orl

DIRECTIONS = 4
"""Main directions of the fingerprints of `fronts`."""

MOST_FRONTS = 200
"""How many fronts those are of, at most: more only where there are more test people."""


MOST_PHOTOS = 1000
"""Photos that `chance` is fitted to, at most: each is compared with each."""

MOST_OTHERS = 20
"""People of ORL that `chance` is fitted to, at most, where a set has too few."""


class Predictor:
    """A run with the network of its best epoch in memory.

    Attributes
    ----------
    run : Run
    name, title : str
    history : pandas.DataFrame
        As ``Run.history``.
    size : int
        Height and width of the faces that it takes.
    problems : list of str
        What is damaged in the run's folder, and what is used instead.

    Raises
    ------
    ValueError, OSError
        If a file that it cannot do without is damaged or missing.
    """

    def __init__(self, run: Run) -> None:
        with heard() as self.problems:
            self.run, self.name = run, run.name
            self.title, self.history = run.best_title, run.history
            self.size = run.config.input_shape[0]
            self._network = run.model()
        self._encoder, self._decoder = model.encoder(self._network), model.decoder(self._network)
        self._take = fingerprints.taker(run.config, self._network)

    def draw(self, faces: np.ndarray) -> np.ndarray:
        """Draw the front of float32 (n, height, width, 1) in 0..1: the same shape."""
        self._require_size(faces)
        return model.forward(self._network, faces)

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        """Latent vectors, float32 (n, d), of uint8 (n, height, width): what can be decoded."""
        self._require_size(pictures)
        return fingerprints.encode(self._encoder, pictures)

    def fingerprints(self, pictures: np.ndarray) -> np.ndarray:
        """Fingerprints, float32 (n, d), of uint8 (n, height, width): what is compared."""
        self._require_size(pictures)
        return self._take(pictures)

    def decode(self, prints: np.ndarray) -> np.ndarray:
        """Draw the faces of fingerprints: uint8 (n, height, width)."""
        return as_image(model.forward(self._decoder, prints))

    def _require_size(self, faces: np.ndarray) -> None:
        height, width = faces.shape[1:3]
        if height != self.size:
            raise ValueError(
                f"{self.name} takes faces of {self.size} x {self.size} pixels, "
                f"these are {width} x {height}. Choose another run or dataset"
            )


@contextmanager
def heard() -> Iterator[list[str]]:
    """Gather what is warned of, to be shown where the reader looks."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield said
    said += dict.fromkeys(str(each.message) for each in caught if each.category is UserWarning)


def stamp(run: Run) -> tuple[int, ...]:
    """When the files of a run were last written, in nanoseconds."""
    paths = (run.path / name for name in ("run.json", "history.csv", "best.npz", "snapshots"))
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)


def opened(run: Run) -> Predictor:
    """Open a run once, and again when its files have changed.

    Raises
    ------
    ValueError
        If it cannot be opened: the message names the file.
    """
    found = _opened(run, stamp(run))
    if isinstance(found, str):
        raise ValueError(found)
    return found


@lru_cache(maxsize=16)
def _opened(run: Run, when: tuple[int, ...]) -> Predictor | str:
    try:
        return Predictor(run)
    except (OSError, ValueError) as error:
        return str(error)


def opened_of(runs: Sequence[Run]) -> tuple[list[Predictor], list[str]]:
    """Open those of some runs that can be opened, and say what is damaged in them and the others."""
    predictors, problems = [], []
    for run in runs:
        try:
            predictors.append(opened(run))
            problems += predictors[-1].problems
        except ValueError as error:
            problems.append(f"{run.name} is left out: {error}")
    return predictors, problems


@lru_cache(maxsize=8)
def baselines(train: Pairs) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Fit the baselines on a set once."""
    return evaluation.fit_baselines(train)


class Fronts(NamedTuple):
    """Fronts of a split, those of the test people first."""

    pictures: np.ndarray  # uint8 (n, height, width)
    people: list[str]  # whose each of them is
    prints: np.ndarray  # their fingerprints, float32 (n, d)
    directions: fingerprints.Directions  # in which these differ most


@lru_cache(maxsize=16)
def fronts(predictor: Predictor, split: Split) -> Fronts:
    """Take the fingerprints of fronts."""
    index = [each for side in (split.test, split.train) for each in dict.fromkeys(side.target)]
    index = index[: max(MOST_FRONTS, len(set(split.test.target)))]
    faces = split.test.faces
    people = [faces.names[number] for number in faces.person[index]]
    prints = predictor.encode(faces.images[index])
    count = min(DIRECTIONS, max(len(index) - 1, 1))  # two fronts differ in one direction
    return Fronts(faces.images[index], people, prints, fingerprints.principal(prints, count))


@lru_cache(maxsize=64)
def ends(predictor: Predictor, split: Split, *index: int) -> np.ndarray:
    """Draw some of the fronts from their fingerprints: uint8 (n, height, width)."""
    every = fronts(predictor, split)
    return predictor.decode(every.prints[[*index]])


@lru_cache(maxsize=16)
def inputs(predictor: Predictor, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Take the fingerprints of the inputs of both sides: float32 (n, d), and their indices."""
    index = np.union1d(split.train.input, split.test.input)
    return predictor.fingerprints(split.test.faces.images[index]), index


class Fitted(NamedTuple):
    """A chance, and whose photos it was fitted to."""

    chance: Chance
    people: int
    dataset: str


@lru_cache(maxsize=32)
def chance(predictor: Predictor, split: Split, metric: str) -> Fitted | None:
    """Fit the chance of one person to distances between photos of people whom the run never saw.

    They are the test people of the split. Where these are fewer than ``recognition.ENOUGH``, they
    are people of ORL, the last that the run was not trained on; None if these are too few as well.
    """
    faces, asked = split.test.faces, np.unique(split.test.input)
    if fitted := _fitted(predictor, faces, asked, metric, lambda: inputs(predictor, split)):
        return fitted
    others, index = strangers(predictor)
    return _fitted(predictor, others, index, metric, lambda: _prints_of_others(predictor))


def _fitted(
    predictor: Predictor, faces: FaceSet, asked: np.ndarray, metric: str, take: Callable
) -> Fitted | None:
    """Fit to some photos of a dataset, `asked`, of which `take` gives fingerprints and indices."""
    known = np.isin(faces.names, [*predictor.run.trained_on(faces.name)])
    asked = asked[~known[faces.person[asked]]][:MOST_PHOTOS]
    person = faces.person[asked]
    people = int((np.bincount(person) > 1).sum()) if len(asked) else 0
    if people < recognition.ENOUGH:
        return None
    prints, index = take()
    mine = prints[np.searchsorted(index, asked)]
    distance = fingerprints.distances(mine, mine, metric)
    rule = recognition.chance(*recognition.pair_scores(distance, person))
    return Fitted(rule, people, faces.name)


def strangers(predictor: Predictor) -> tuple[FaceSet, np.ndarray]:
    """ORL, and the indices of the photos in it of the last people whom a run was not trained on."""
    faces = _orl(predictor.size)
    known = predictor.run.trained_on(faces.name)
    names = [name for name in faces.names if name not in known][-MOST_OTHERS:]
    return faces, np.flatnonzero(np.isin(np.array(faces.names)[faces.person], names))


@lru_cache(maxsize=4)
def _orl(size: int) -> FaceSet:
    return orl.load(size)


@lru_cache(maxsize=16)
def _prints_of_others(predictor: Predictor) -> tuple[np.ndarray, np.ndarray]:
    faces, index = strangers(predictor)
    return predictor.fingerprints(faces.images[index]), index


@lru_cache(maxsize=256)
def drawn(predictor: Predictor, pairs: Pairs) -> np.ndarray:
    """Draw the inputs of some pairs: float32 (n, height, width, 1) in 0..1."""
    return predictor.draw(pairs.batch()[0])
