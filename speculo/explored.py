"""What the explorers show, computed: from the setting of their controls to named values.

No widget and no figure. `speculo.widgets` shows these values live, ``plots`` draws them.
Pictures are uint8 (height, width), or (n, height, width) where there are several. Every answer
has its `problems`: what is damaged in the folders of the runs, and what is shown instead.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from speculo import detector, evaluation, fingerprints, images, predictor, snapshots
from speculo.images import Box
from speculo.pairs import Pairs, Split, as_image, as_input, examples, spread
from speculo.predictor import Fitted, Fronts, Predictor
from speculo.runs import Run
from speculo.sources import heads

YAWS = np.arange(-90, 91, 15)
"""Degrees at which the curve of `turn` is measured."""

RIDGE = "ridge, mirrored too"
"""The baseline whose drawing `turn` shows."""

PREVIEW = 640
"""Longer side of a reader's photo that is held in memory, in pixels."""

NEIGHBOURS = 5
"""Nearest people in `look_up`."""

FACES = 8
"""Faces on a page of `compare`."""


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
    problems: list[str]


def prediction(run: Run, split: Split, person: str, photo: int) -> Prediction:
    """Draw one photo of a test person, by its number in ``Pairs.of``, from 1 up."""
    opened, test = predictor.opened(run), split.test
    asked, target = test.of(person).batch(slice(photo - 1, photo))
    drawn = opened.draw(asked)
    shown = {"input": asked, "prediction": drawn, "target": target}
    return Prediction(
        panels={name: as_image(values)[0] for name, values in shown.items()},
        error=np.abs(drawn - target)[0, ..., 0],
        errors=_errors({run.name: drawn} | predictor.baselines(split.train)(asked), target),
        known=person in run.trained_on(test.faces.name),
        title=opened.title,
        subject=f"{person} of {test.faces.name}",
        problems=opened.problems,
    )


class Course(NamedTuple):
    """The course of a training."""

    title: str
    history: pd.DataFrame  # as Run.history
    drawn: dict[int, np.ndarray]  # as snapshots.read
    split: Split | None  # what it was trained with, where that was found
    problems: list[str]


class Epoch(NamedTuple):
    """A training after one epoch, counted from 1."""

    number: int
    rows: dict[str, np.ndarray]  # "input", "drawn", "target": those that there are
    losses: dict[str, float]  # "train" and "test"
    history: pd.DataFrame
    title: str
    problems: list[str]


def last_epoch(run: Run) -> int:
    """How many epochs there are to look at: 1 where the log cannot be read."""
    with suppress(ValueError), predictor.heard():
        return max(run.epochs, 1)
    return 1


def epoch(run: Run, splits: tuple[Split, ...], number: int) -> Epoch:
    """Look at a training after an epoch, beside photos where it was made with one of the splits."""
    title, history, drawn, split, problems = _course(run, predictor.stamp(run), splits)
    rows = {"drawn": drawn[number]} if number in drawn else {}
    if rows and split is not None:
        test = split.test.take(examples(split.test, len(drawn[number])))
        every = test.faces.images
        rows = {"input": every[test.input], **rows, "target": every[test.target]}
    row = history.iloc[int(np.searchsorted(history["epoch"], number))]
    losses = {"train": row["loss"], "test": row["val_loss"]}
    return Epoch(number, rows, losses, history, title, problems)


@lru_cache(maxsize=16)
def _course(run: Run, when: tuple[int, ...], splits: tuple[Split, ...]) -> Course:
    with predictor.heard() as problems:
        split = next((each for each in splits if run.matches(each)), None)
        if not run.epochs:
            raise ValueError(f"{run.path} has no epoch in its log")
        return Course(run.title, run.history, snapshots.read(run), split, problems)


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
    problems: list[str]

    @property
    def setting(self) -> tuple:
        """All but the yaw: while only that moves, the curves stay."""
        return self.head._replace(yaw=0), tuple(self.drawn)


def unknown_head(runs: Sequence[Run], split: Split) -> int:
    """Number of the first of 1,000 heads that nobody was trained on, 0 if there is none."""
    known = set(split.train.people)
    for run in runs:
        with suppress(ValueError):  # what is damaged is said where it is drawn
            known.update(run.settings["train_people"])
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
    opened, problems = predictor.opened_of(runs)
    same = before is not None and before.head.person == head.person
    front = before.front if before is not None and same else heads.render(head.person, size=size)
    target = as_input(front[None])

    def answers(head: Head) -> dict[str, np.ndarray]:
        asked = as_input(heads.render(**head._asdict(), size=size)[None])
        fitted = predictor.baselines(split.train)(asked)
        return {each.name: each.draw(asked) for each in opened} | fitted

    now = answers(head)
    pictures = {name: as_image(values)[0] for name, values in now.items()}
    name, dataset = heads.person_name(head.person), split.train.faces.name
    known = [each.name for each in opened if name in each.run.trained_on(dataset)]
    shown = Turn(
        head=head,
        input=pictures["input itself"],
        front=front,
        ridge=pictures[RIDGE],
        drawn={each.name: pictures[each.name] for each in opened},
        errors=_errors(now, target),
        known=known + ["the baselines"] * (name in split.train.people),
        curves=before.curves if before else {},
        measured=before.measured if before else None,
        problems=problems,
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


class Between(NamedTuple):
    """A fingerprint on the way between those of two people."""

    opened: Predictor
    names: tuple[str, str]
    fronts: Fronts  # of the two
    ends: np.ndarray  # what is drawn of their fingerprints
    vector: np.ndarray  # the one on the way, (d,)
    middle: np.ndarray  # what is drawn of it
    nearest: str  # whose front has the nearest fingerprint
    distance: float  # to that one
    problems: list[str]


def between(
    run: Run, split: Split, names: tuple[str, str], share: float, pushes: Sequence[float]
) -> Between:
    """Go a share of the way, 0 to 1, from one person's fingerprint to another's.

    Then push it along each main direction, by so many standard deviations.
    """
    opened = predictor.opened(run)
    every = predictor.fronts(opened, split)
    index = [every.people.index(name) for name in names]
    two = every._replace(pictures=every.pictures[index], prints=every.prints[index])
    steps = zip(pushes, every.directions.spread, every.directions.axes, strict=False)
    pushed = sum(push * deviation * axis for push, deviation, axis in steps)
    vector = (1 - share) * two.prints[0] + share * two.prints[1] + pushed
    nearest, distance = fingerprints.nearest(vector[None], every.prints, 1, "l2")
    return Between(
        opened=opened,
        names=names,
        fronts=two,
        ends=predictor.ends(opened, split, *index),
        vector=vector,
        middle=opened.decode(vector[None])[0],
        nearest=every.people[nearest[0, 0]],
        distance=float(distance[0, 0]),
        problems=opened.problems,
    )


def ways(shown: Between, count: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Draw the whole way, uint8 (count, height, width), and all ways along the main directions.

    Those are uint8 (k, count, height, width), from three standard deviations below to three above.
    """
    decode, directions = shown.opened.decode, shown.fronts.directions
    shares = np.linspace(0, 1, count, dtype=np.float32)[:, None]
    one, other = shown.fronts.prints
    straight = decode((1 - shares) * one + shares * other)
    pushes = np.linspace(-3, 3, count, dtype=np.float32)[:, None]
    steps = directions.spread[:, None] * directions.axes
    return straight, np.stack([decode(shown.vector + pushes * step) for step in steps])


class Photo(NamedTuple):
    """A photo that is in no dataset."""

    name: str
    whole: np.ndarray
    face: Box | None  # the largest, as detector.find says
    found: int = 0  # how many faces were found in it


class LookedUp(NamedTuple):
    """A photo with its crop, what is drawn of it, and who is near."""

    photo: Photo | None  # None where there is none to look at
    box: Box | None  # of the crop; None where a face was looked for and not found
    panels: dict[str, np.ndarray]  # "input", "prediction"; none without a box
    neighbours: dict[str, np.ndarray]  # name, distance and chance of the nearest photo, in order
    fitted: Fitted | None  # what the chance is fitted to
    title: str
    problems: list[str]


def photo(name: str, whole: np.ndarray) -> Photo:
    """Find the face in a photo, uint8 (height, width)."""
    faces = detector.find_all(whole)
    return Photo(name, whole, faces[0].box if faces else None, len(faces))


def read_photo(name: str, content: bytes) -> Photo:
    """Read a photo of any format, and find its face.

    ValueError says why it cannot be read, OSError what is missing to find faces.
    """
    with warnings.catch_warnings():  # Pillow warns of what becomes an error here
        warnings.simplefilter("ignore")
        whole = images.read_whole(content, PREVIEW)
    return photo(name, whole)


def look_up(
    run: Run,
    split: Split,
    photo: Photo | None,
    crop: str | tuple[float, float, float],
    metric: str,
) -> LookedUp:
    """Crop a photo, draw it, and find the nearest people among all photos of a set.

    Where no face was found, nobody is looked up before another crop is chosen: a wall has nearest
    people too. Beside a distance stands the chance that both photos show one person, were that as
    likely as not before: see ``predictor.chance``.

    The `crop` is ``"auto"`` for the face, ``"whole"`` for all, or left, top and side in
    percent, as ``images.square_at`` takes them; the `metric` one of ``fingerprints.METRICS``.
    """
    opened = predictor.opened(run)
    if photo is None or (crop == "auto" and photo.face is None):
        return LookedUp(photo, None, {}, {}, None, opened.title, opened.problems)
    whole = photo.whole
    height, width = whole.shape
    if isinstance(crop, tuple):
        box = images.square_at((height, width), *crop)
    elif crop == "auto" and photo.face is not None:
        box = photo.face
    else:
        box = (0, 0, width, height)
    picture = images.cut(whole, box, opened.size)
    drawn = as_image(opened.draw(as_input(picture[None])))[0]
    prints, index = predictor.inputs(opened, split)
    asked = opened.fingerprints(picture[None])
    distances = fingerprints.distances(asked, prints, metric)[0]
    fitted = predictor.chance(opened, split, metric)
    order, faces = np.argsort(distances, kind="stable"), split.test.faces
    first = np.sort(np.unique(faces.person[index[order]], return_index=True)[1])
    best = order[first[:NEIGHBOURS]]  # the nearest photo of each person
    neighbours = {
        f"{faces.names[faces.person[place]]}, {distance:.3g}"
        + (f", {fitted.chance.of(float(distance)):.0%}" if fitted else ""): faces.images[place]
        for place, distance in zip(index[best], distances[best], strict=True)
    }
    panels = {"input": picture, "prediction": drawn}
    return LookedUp(photo, box, panels, neighbours, fitted, opened.title, opened.problems)


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
    problems: list[str]


def compare(runs: Sequence[Run], split: Split, page: int) -> Iterator[Comparison]:
    """Let runs draw a page of test faces, counted from 1: without drawings, then after each run."""
    test = _page(split, page)
    target, dataset = test.batch()[1], test.faces.name
    opened, problems = predictor.opened_of(runs)
    fitting = [each for each in opened if each.size == target.shape[1]]
    shown = Comparison(
        dataset=dataset,
        input=test.faces.images[test.input],
        target=test.faces.images[test.target],
        drawn={},
        errors={},
        histories={each.name: each.history for each in opened},
        other_size=[each.name for each in opened if each not in fitting],
        known=[each.name for each in opened if each.run.trained_on(dataset) & {*test.people}],
        problems=problems,
    )
    yield shown
    for each in fitting:
        drawn = predictor.drawn(each, test)
        shown = shown._replace(
            drawn=shown.drawn | {each.name: as_image(drawn)},
            errors=shown.errors | {each.name: evaluation.mse(drawn, target)},
        )
        yield shown


@lru_cache(maxsize=64)
def _page(split: Split, number: int) -> Pairs:
    return split.test.take(spread(split.test)[(number - 1) * FACES : number * FACES])
