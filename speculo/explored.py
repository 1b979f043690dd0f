"""What the explorers show, computed: from the setting of their controls to named values.

No widget and no figure. `speculo.widgets` shows these values live, ``plots`` draws them.
Pictures are uint8 (height, width), or (n, height, width) where there are several.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from speculo import detector, evaluation, fingerprints, images, model, training
from speculo.backend import keras
from speculo.images import Box
from speculo.pairs import Pairs, Split, as_image, as_input, examples, spread
from speculo.runs import Run
from speculo.sources import heads

YAWS = np.arange(-90, 91, 15)
"""Degrees at which the curve of `turn` is measured."""

RIDGE = "ridge, mirrored too"
"""The baseline whose drawing `turn` shows."""

DIRECTIONS = 4
"""Main directions of the fingerprints in `between`."""

MOST_FRONTS = 200
"""How many fronts those are of, at most: more only where there are more test people."""

PREVIEW = 640
"""Longer side of a reader's photo that is held in memory, in pixels."""

NEIGHBOURS = 5
"""Nearest people in `look_up`."""

FACES = 8
"""Faces on a page of `compare`."""


class Predictor:
    """A run with its network in memory, once it was first asked for."""

    def __init__(self, run: Run) -> None:
        self.name = run.name
        self.title = run.best_title
        self.size = run.config.input_shape[0]
        self._run = run

    @cached_property
    def _parts(self) -> tuple[keras.Model, keras.Model, keras.Model]:
        network = self._run.model()
        return network, model.encoder(network), model.decoder(network)

    def draw(self, faces: np.ndarray) -> np.ndarray:
        """Draw the front of float32 (n, height, width, 1) in 0..1: the same shape."""
        self._require_size(faces)
        return model.forward(self._parts[0], faces)

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        """Fingerprints, float32 (n, d), of uint8 (n, height, width)."""
        self._require_size(pictures)
        return fingerprints.encode(self._parts[1], pictures)

    def decode(self, prints: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Draw the faces of fingerprints: uint8 (n, height, width).

        What a line beside the network sees are `faces`, float32 (n, height, width, 1);
        a model without one does without them.
        """
        decoder = self._parts[2]
        asked = [prints, faces] if len(decoder.inputs) > 1 else prints
        return as_image(model.forward(decoder, asked))

    def _require_size(self, faces: np.ndarray) -> None:
        height, width = faces.shape[1:3]
        if height != self.size:
            raise ValueError(
                f"{self.name} takes faces of {self.size} x {self.size} pixels, "
                f"these are {width} x {height}. Choose another run or dataset"
            )


def opened(run: Run) -> Predictor:
    """Open a run once, and again when it has trained on."""
    return _opened(run, run.epochs)


@lru_cache(maxsize=16)
def _opened(run: Run, epochs: int) -> Predictor:
    return Predictor(run)


@lru_cache(maxsize=8)
def _baselines(train: Pairs) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    return evaluation.fit_baselines(train)


def _errors(answers: dict[str, np.ndarray], target: np.ndarray) -> dict[str, float]:
    return {name: evaluation.mse(values, target) for name, values in answers.items()}


class Prediction(NamedTuple):
    """One drawing, beside its front and the baselines."""

    panels: dict[str, np.ndarray]  # "input", "prediction", "target"
    error: np.ndarray  # absolute, of each pixel, in 0..1
    errors: dict[str, float]  # name to MSE: the run's first
    known: bool  # whether the run was trained on this person
    title: str
    subject: str


def prediction(run: Run, split: Split, person: str, photo: int) -> Prediction:
    """Draw one photo of a test person, by its number in ``Pairs.of``, from 1 up."""
    predictor, test = opened(run), split.test
    asked, target = test.of(person).batch(slice(photo - 1, photo))
    drawn = predictor.draw(asked)
    shown = {"input": asked, "prediction": drawn, "target": target}
    return Prediction(
        panels={name: as_image(values)[0] for name, values in shown.items()},
        error=np.abs(drawn - target)[0, ..., 0],
        errors=_errors({predictor.name: drawn} | _baselines(split.train)(asked), target),
        known=person in run.trained_on(test.faces.name),
        title=predictor.title,
        subject=f"{person} of {test.faces.name}",
    )


class Epoch(NamedTuple):
    """A training after one epoch, counted from 1."""

    number: int
    rows: dict[str, np.ndarray]  # "input", "drawn", "target": those that there are
    losses: dict[str, float]  # "train" and "test"
    history: pd.DataFrame
    title: str


def epoch(run: Run, splits: tuple[Split, ...], number: int) -> Epoch:
    """Look at a training after an epoch, beside photos where it was made with one of the splits."""
    title, history, drawn, split = _course(run, run.epochs, splits)
    rows = {"drawn": drawn[number]} if number in drawn else {}
    if rows and split is not None:
        test = split.test.take(examples(split.test, len(drawn[number])))
        every = test.faces.images
        rows = {"input": every[test.input], **rows, "target": every[test.target]}
    row = history.iloc[int(np.searchsorted(history["epoch"], number))]
    losses = {"train": row["loss"], "test": row["val_loss"]}
    return Epoch(number, rows, losses, history, title)


@lru_cache(maxsize=16)
def _course(
    run: Run, epochs: int, splits: tuple[Split, ...]
) -> tuple[str, pd.DataFrame, dict[int, np.ndarray], Split | None]:
    split = next((each for each in splits if run.matches(each)), None)
    return run.title, run.history, training.read_snapshots(run), split


class Head(NamedTuple):
    """A rendered head, as ``heads.render`` takes it."""

    person: int
    yaw: float
    pitch: float
    roll: float
    light: float
    expression: str


class Turn(NamedTuple):
    """A turned head, with what is drawn of it."""

    head: Head
    input: np.ndarray
    front: np.ndarray
    ridge: np.ndarray  # what `RIDGE` draws
    drawn: dict[str, np.ndarray]  # by the name of the run
    errors: dict[str, float]  # name to MSE: those of the runs first
    known: list[str]  # who of them was trained on this head
    curves: dict[str, np.ndarray]  # name to the MSE at each of `YAWS`
    measured: tuple | None  # the setting that the curves are of

    @property
    def setting(self) -> tuple:
        """All but the yaw: while only that moves, the curves stay."""
        return self.head._replace(yaw=0), tuple(self.drawn)


def unknown_head(runs: Sequence[Run], split: Split) -> int:
    """Number of the first of 1,000 heads that nobody was trained on, 0 if there is none."""
    known = set(split.train.people).union(*(run.settings["train_people"] for run in runs))
    return next((number for number in range(1000) if heads.person_name(number) not in known), 0)


def turn(
    runs: Sequence[Run], split: Split, head: Head, before: Turn | None = None
) -> Iterator[Turn]:
    """Turn a head, and see what runs make of it, and baselines fitted on a split of heads.

    What is the same as in what was shown `before` is not made again.

    Yields
    ------
    Turn
        At once, with the curves of `before`. If those are of another setting,
        again after each step of work, and at last with the curves of this one.
    """
    size = split.train.faces.images.shape[1]
    predictors = [opened(run) for run in runs]
    same = before is not None and before.head.person == head.person
    front = before.front if same else heads.render(head.person, size=size)
    target = as_input(front[None])

    def answers(head: Head) -> dict[str, np.ndarray]:
        asked = as_input(heads.render(**head._asdict(), size=size)[None])
        return {each.name: each.draw(asked) for each in predictors} | _baselines(split.train)(asked)

    now = answers(head)
    pictures = {name: as_image(values)[0] for name, values in now.items()}
    name, dataset = heads.person_name(head.person), split.train.faces.name
    known = [run.name for run in runs if name in run.trained_on(dataset)]
    shown = Turn(
        head=head,
        input=pictures["input itself"],
        front=front,
        ridge=pictures[RIDGE],
        drawn={run.name: pictures[run.name] for run in runs},
        errors=_errors(now, target),
        known=known + ["the baselines"] * (name in split.train.people),
        curves=before.curves if before else {},
        measured=before.measured if before else None,
    )
    yield shown
    if shown.measured != shown.setting:
        steps = []
        for yaw in YAWS.tolist():
            steps.append(_errors(answers(head._replace(yaw=yaw)), target))
            yield shown
        names = (*shown.drawn, RIDGE, "input itself")
        curves = {name: np.array([step[name] for step in steps]) for name in names}
        yield shown._replace(curves=curves, measured=shown.setting)


class Fronts(NamedTuple):
    """Fronts of a split, those of the test people first."""

    pictures: np.ndarray
    people: list[str]  # whose each of them is
    prints: np.ndarray  # their fingerprints, float32 (n, d)
    directions: fingerprints.Directions  # in which these differ most


class Between(NamedTuple):
    """A fingerprint on the way between those of two people."""

    predictor: Predictor
    names: tuple[str, str]
    fronts: Fronts  # of the two
    ends: np.ndarray  # what is drawn of their fingerprints
    vector: np.ndarray  # the one on the way, (d,)
    blended: np.ndarray  # the fronts, as much of each: (1, height, width, 1) in 0..1
    middle: np.ndarray  # what is drawn of it
    nearest: str  # whose front has the nearest fingerprint
    distance: float  # to that one


def between(
    run: Run, split: Split, names: tuple[str, str], share: float, pushes: Sequence[float]
) -> Between:
    """Go a share of the way, 0 to 1, from one person's fingerprint to another's.

    Then push it along each main direction, by so many standard deviations.
    """
    predictor = opened(run)
    every = _fronts(predictor, split)
    index = [every.people.index(name) for name in names]
    two = every._replace(pictures=every.pictures[index], prints=every.prints[index])
    steps = zip(pushes, every.directions.spread, every.directions.axes, strict=False)
    pushed = sum(push * deviation * axis for push, deviation, axis in steps)
    vector = (1 - share) * two.prints[0] + share * two.prints[1] + pushed
    photos = as_input(two.pictures)
    blended = (1 - share) * photos[:1] + share * photos[1:]
    nearest, distance = fingerprints.nearest(vector[None], every.prints, 1, "l2")
    return Between(
        predictor=predictor,
        names=names,
        fronts=two,
        ends=_ends(predictor, split, *index),
        vector=vector,
        blended=blended,
        middle=predictor.decode(vector[None], blended)[0],
        nearest=every.people[nearest[0, 0]],
        distance=float(distance[0, 0]),
    )


def ways(shown: Between, count: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Draw the whole way, uint8 (count, height, width), and all ways along the main directions.

    Those are uint8 (k, count, height, width), from three standard deviations below to three above.
    """
    decode, directions = shown.predictor.decode, shown.fronts.directions
    shares = np.linspace(0, 1, count, dtype=np.float32)[:, None]
    (one, other), (first, second) = shown.fronts.prints, as_input(shown.fronts.pictures)
    blended = first + shares[..., None, None] * (second - first)
    straight = decode((1 - shares) * one + shares * other, blended)
    pushes = np.linspace(-3, 3, count, dtype=np.float32)[:, None]
    beside = np.repeat(shown.blended, count, axis=0)
    steps = directions.spread[:, None] * directions.axes
    return straight, np.stack([decode(shown.vector + pushes * step, beside) for step in steps])


@lru_cache(maxsize=16)
def _fronts(predictor: Predictor, split: Split) -> Fronts:
    index = [each for side in (split.test, split.train) for each in dict.fromkeys(side.target)]
    index = index[: max(MOST_FRONTS, len(set(split.test.target)))]
    faces = split.test.faces
    people = [faces.names[number] for number in faces.person[index]]
    prints = predictor.encode(faces.images[index])
    return Fronts(faces.images[index], people, prints, fingerprints.principal(prints, DIRECTIONS))


@lru_cache(maxsize=64)
def _ends(predictor: Predictor, split: Split, *index: int) -> np.ndarray:
    every = _fronts(predictor, split)
    return predictor.decode(every.prints[[*index]], as_input(every.pictures[[*index]]))


class Photo(NamedTuple):
    """A photo that is in no dataset."""

    name: str
    whole: np.ndarray
    face: Box | None  # as detector.find says


class LookedUp(NamedTuple):
    """A photo with its crop, what is drawn of it, and who is near."""

    photo: Photo
    box: Box  # of the crop
    missed: bool  # whether a face was looked for and not found
    panels: dict[str, np.ndarray]  # "input", "prediction"
    neighbours: dict[str, np.ndarray]  # name and distance to the nearest photo, in order
    title: str


def read_photo(name: str, content: bytes) -> Photo:
    """Read a photo of any format, and find its face. ValueError says why it cannot be read."""
    with warnings.catch_warnings():  # Pillow warns of what becomes an error here
        warnings.simplefilter("ignore")
        whole = images.read_whole(content, PREVIEW)
    return Photo(name, whole, detector.find(whole))


def look_up(
    run: Run, split: Split, photo: Photo, crop: str | tuple[float, float, float], metric: str
) -> LookedUp:
    """Crop a photo, draw it, and find the nearest people among all photos of a set.

    The `crop` is ``"auto"`` for the face, ``"whole"`` for all, or left, top and side in
    percent, as ``images.square_at`` takes them; the `metric` one of ``fingerprints.METRICS``.
    """
    predictor, whole = opened(run), photo.whole
    missed = crop == "auto" and photo.face is None
    if isinstance(crop, tuple):
        box = images.square_at(whole.shape, *crop)
    else:
        box = photo.face if crop == "auto" and not missed else (0, 0, *whole.shape[::-1])
    picture = images.cut(whole, box, predictor.size)
    drawn = as_image(predictor.draw(as_input(picture[None])))[0]
    prints, index = _inputs(predictor, split)
    distances = fingerprints.distances(predictor.encode(picture[None]), prints, metric)[0]
    order, faces = np.argsort(distances, kind="stable"), split.test.faces
    first = np.sort(np.unique(faces.person[index[order]], return_index=True)[1])
    best = order[first[:NEIGHBOURS]]  # the nearest photo of each person
    neighbours = {
        f"{faces.names[faces.person[place]]}, {distance:.3g}": faces.images[place]
        for place, distance in zip(index[best], distances[best], strict=True)
    }
    panels = {"input": picture, "prediction": drawn}
    return LookedUp(photo, box, missed, panels, neighbours, predictor.title)


@lru_cache(maxsize=16)
def _inputs(predictor: Predictor, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Fingerprints of the inputs of both sides, and their indices."""
    index = np.union1d(split.train.input, split.test.input)
    return predictor.encode(split.test.faces.images[index]), index


class Comparison(NamedTuple):
    """What several runs draw of the same faces."""

    dataset: str
    input: np.ndarray
    target: np.ndarray
    drawn: dict[str, np.ndarray]  # by the name of the run, as far as it has drawn
    errors: dict[str, float]  # the MSE of each of them
    histories: dict[str, pd.DataFrame]  # the log of each run
    other_size: list[str]  # runs that take faces of another size
    known: list[str]  # runs that were trained on some of these people


def compare(runs: Sequence[Run], split: Split, page: int) -> Iterator[Comparison]:
    """Let runs draw a page of test faces, counted from 1: without drawings, then after each run."""
    test = _page(split, page)
    target = test.batch()[1]
    predictors = [opened(run) for run in runs]
    fitting = [each for each in predictors if each.size == target.shape[1]]
    shown = Comparison(
        dataset=test.faces.name,
        input=test.faces.images[test.input],
        target=test.faces.images[test.target],
        drawn={},
        errors={},
        histories={run.name: run.history for run in runs},
        other_size=[each.name for each in predictors if each not in fitting],
        known=[run.name for run in runs if run.trained_on(test.faces.name) & {*test.people}],
    )
    yield shown
    for each in fitting:
        drawn = _drawn(each, test)
        shown = shown._replace(
            drawn=shown.drawn | {each.name: as_image(drawn)},
            errors=shown.errors | {each.name: evaluation.mse(drawn, target)},
        )
        yield shown


@lru_cache(maxsize=64)
def _page(split: Split, number: int) -> Pairs:
    return split.test.take(spread(split.test)[(number - 1) * FACES : number * FACES])


@lru_cache(maxsize=256)
def _drawn(predictor: Predictor, page: Pairs) -> np.ndarray:
    return predictor.draw(page.batch()[0])
