"""How a network is trained: on which pairs, mirrored, moved and lit otherwise, at which rate.

Input and target change together, so the pair stays true: the front of a face that
stands two pixels to the left stands two pixels to the left.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from speculo import model
from speculo.pairs import Pairs, several_fronts
from speculo.photographed import Changes, photograph

SCHEDULES = ("constant", "cosine")
"""Courses of the learning rate over a training."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, beside what it is. What each field defaults to is v8's way.

    Attributes
    ----------
    fronts : int
        Train towards the mean of so many photos, the most frontal ones of each
        person. Errors are still those against the front alone.
    mirror : bool
        Train on mirror images too, input and target together.
    shift, turn, zoom : float
        Move input and target together, by so many pixels, degrees and share of
        the size: each the standard deviation of a normal distribution.
    light : float
        Make input and target brighter or darker together: the standard
        deviation of the logarithm of the gain.
    alone : float
        Share of the inputs that are photographed anew, while their targets stay: cut,
        lit and blurred as ``photographed.photograph`` does.
    schedule : str
        Of the learning rate: ``"constant"``, or ``"cosine"``, which falls to
        zero over all epochs.
    average : float
        Decay of the running average of the weights over steps. The test loss
        and the best weights are those of the average. 0 keeps none.
    closer : float
        Enlarge input and target together: the mean of the logarithm of the scale,
        around which `zoom` spreads it.

    Raises
    ------
    ValueError
        If a value is out of its range: the message names it.
    """

    fronts: int = 1
    mirror: bool = False
    shift: float = 0.0
    turn: float = 0.0
    zoom: float = 0.0
    light: float = 0.0
    schedule: str = "constant"
    average: float = 0.0
    closer: float = 0.0
    alone: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.average < 1:
            raise ValueError(f"average is {self.average}, expected 0 or more, below 1")
        if not 0 <= self.alone <= 1:
            raise ValueError(f"alone is {self.alone}, expected 0 to 1")
        for field in ("shift", "turn", "zoom", "light", "closer"):
            if getattr(self, field) < 0:
                raise ValueError(f"{field} is {getattr(self, field)}, expected 0 or more")
        if self.fronts < 1:
            raise ValueError(f"fronts is {self.fronts}, expected 1 or more")
        if self.schedule not in SCHEDULES:
            raise ValueError(
                f"schedule is {self.schedule!r}, expected one of {', '.join(SCHEDULES)}"
            )

    def rate(self, done: float) -> float:
        """The share of the learning rate when a share `done` of all steps, 0 to 1, is behind."""
        return 1.0 if self.schedule == "constant" else (1 + math.cos(math.pi * done)) / 2


PUBLISHED = Recipe()
"""How v8 was trained."""

MENDED = Recipe(mirror=True, schedule="cosine", average=0.99)
"""For many people who stand exactly in their place and have a true front, as drawn heads do."""

HEADS = Recipe(
    mirror=True,
    shift=1.5,
    turn=4.0,
    closer=0.2,
    zoom=0.15,
    light=0.2,
    schedule="cosine",
    average=0.99,
)
"""For drawn heads that prepare a network for photographs: these do not stand exactly in their
place, and show the face from nearer by."""

ANY_PHOTO = Recipe(mirror=True, alone=0.25, schedule="cosine", average=0.99)
"""For drawn heads whose fronts shall be drawn of photos of every kind."""

FEW = Recipe(
    fronts=3,
    mirror=True,
    shift=2.0,
    turn=5.0,
    zoom=0.05,
    light=0.2,
    schedule="cosine",
)
"""For few people who are photographed: moving and lighting make more pairs of them, and the mean of
several fronts is a calmer target than one that was chosen by symmetry."""

RECIPES = {"v8": PUBLISHED, "v7": PUBLISHED, "v8-mended": MENDED}
"""How each of ``model.ARCHITECTURES`` is trained, by its short name."""


def named(name: str) -> Recipe:
    """The recipe of a model by its short name, as ``model.named`` takes it.

    Raises
    ------
    ValueError
        If there is no such model.
    """
    model.named(name)  # says so where there is none
    return RECIPES[re.sub(r"-\d+th$", "", name)]


def augment(
    inputs: np.ndarray, targets: np.ndarray, recipe: Recipe, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Change each pair of a batch at random, as a recipe says.

    Parameters
    ----------
    inputs, targets : numpy.ndarray
        float32, shape (n, height, width, 1), in 0..1.
    recipe : Recipe
        Its ``mirror``, ``shift``, ``turn``, ``zoom``, ``closer``, ``alone`` and ``light``.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of numpy.ndarray
        Both in the same form. What is drawn from beyond the edge repeats the edge.
    """
    n = len(inputs)
    both = np.concatenate([inputs, targets], axis=-1)
    if recipe.mirror:
        flipped = rng.random(n) < 0.5
        both = np.where(flipped[:, None, None, None], both[:, :, ::-1], both)
    if recipe.shift or recipe.turn or recipe.zoom or recipe.closer:
        both = _moved(
            both,
            shift=rng.normal(0, 1, (n, 2)) * recipe.shift,
            turn=np.radians(rng.normal(0, 1, n) * recipe.turn),
            scale=np.exp(recipe.closer + rng.normal(0, 1, n) * recipe.zoom),
        )
    if recipe.alone:
        some = np.flatnonzero(rng.random(n) < recipe.alone)
        if len(some):
            pictures = np.rint(both[some, ..., 0] * 255).astype(np.uint8)
            both[some, ..., 0] = photograph(pictures, both.shape[1], Changes(), rng)
    if recipe.light:
        gain = np.exp(rng.normal(0, 1, n) * recipe.light).astype(np.float32)
        both = np.clip(both * gain[:, None, None, None], 0, 1)
    return both[..., :1], both[..., 1:]


def batches(
    pairs: Pairs, recipe: Recipe, order: np.ndarray, batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give out pairs in an order, batch by batch, as a recipe says.

    Where it asks for several fronts, a target is their mean.

    Yields
    ------
    tuple of numpy.ndarray
        Inputs and targets, augmented.
    """
    several = several_fronts(pairs.faces, recipe.fronts)
    for start in range(0, len(order), batch_size):
        index = order[start : start + batch_size]
        inputs, targets = pairs.batch(index)
        if several.shape[1] > 1:
            fronts = (replace(pairs, target=each) for each in several[pairs.input].T)
            targets = np.mean([each.batch(index)[1] for each in fronts], axis=0)
        yield augment(inputs, targets, recipe, rng)


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
