"""Pairs of photographs: what the network sees, and what it should draw.

The input is any photo of a person, the target the most frontal photo of the
same person. Images are stored once; a pair is two indices.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from speculo import checks
from speculo.faces import FaceSet, angle_from_front


@dataclass(frozen=True, eq=False)
class Pairs:
    """Inputs and targets as indices into one FaceSet.

    Attributes
    ----------
    faces : FaceSet
    input, target : numpy.ndarray
        int64, shape (n,): indices of images.

    Raises
    ------
    ValueError
        If inputs and targets differ in number, or if an index is that of no image.
    """

    faces: FaceSet
    input: np.ndarray
    target: np.ndarray

    def __post_init__(self) -> None:
        checks.instance("faces", self.faces, FaceSet)
        for name in ("input", "target"):
            checks.indices(name, getattr(self, name), len(self.faces))
        if len(self.input) != len(self.target):
            raise ValueError(
                f"input and target have {len(self.input)} and {len(self.target)} indices, "
                "expected as many"
            )

    def __len__(self) -> int:
        return len(self.input)

    @property
    def person(self) -> np.ndarray:
        """int32 (n,): whose face each pair shows."""
        return self.faces.person[self.input]

    @property
    def people(self) -> tuple[str, ...]:
        """Names of the people, in their order in the FaceSet."""
        return tuple(self.faces.names[number] for number in np.unique(self.person))

    def take(self, index: np.ndarray | slice) -> "Pairs":
        """Some of the pairs: positions, a slice, or a bool for each."""
        try:
            some = self.input[index], self.target[index]
        except (IndexError, TypeError, ValueError):
            wanted = f"positions of {len(self)} pairs, a slice, or a bool for each"
            raise checks.wrong("index", index, wanted) from None
        return replace(self, input=some[0], target=some[1])

    @property
    def turned(self) -> "Pairs":
        """The pairs whose input is not the front itself: a front is no test of the drawing."""
        return self.take(self.input != self.target)

    def of(self, person: str) -> "Pairs":
        """The pairs of a person by name: those of `turned` first."""
        mine = self.take(self.person == self.faces.names.index(person))
        return mine.take(np.argsort(mine.input == mine.target, kind="stable"))

    def batch(self, index: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of some pairs as the network takes them.

        One gather and one cast. This is the only place where bytes become
        numbers from 0 to 1, in training and in judgement alike.

        Returns
        -------
        tuple of numpy.ndarray
            Two float32 arrays of shape (m, height, width, 1), in 0..1.
        """
        some = self.take(index)
        images = self.faces.images
        return as_input(images[some.input]), as_input(images[some.target])


class Split(NamedTuple):
    """Pairs of the people to learn from, and of other people to be judged on."""

    train: Pairs
    test: Pairs


def as_input(images: np.ndarray) -> np.ndarray:
    """Turn uint8 images (n, height, width) into float32 (n, height, width, 1) in 0..1."""
    checks.images("images", images)
    return np.divide(images, np.float32(255), dtype=np.float32)[..., np.newaxis]


def asymmetry(images: np.ndarray) -> np.ndarray:
    """Tell how far each face is from its own mirror image.

    Contrast is normalised first (zero mean, unit deviation), so that a dark
    photo does not pass for a symmetric one.

    Parameters
    ----------
    images : numpy.ndarray
        uint8, shape (n, height, width).

    Returns
    -------
    numpy.ndarray
        float32, shape (n,): mean squared difference from the mirror image. It
        is 0 for a symmetric face, and infinite for an image of one flat grey,
        which has no front.
    """
    checks.images("images", images)
    values = np.empty(len(images), dtype=np.float32)
    for start in range(0, len(images), 4096):  # in pieces: 4 bytes a pixel would not fit for all
        piece = images[start : start + 4096].astype(np.float32)
        deviation = piece.std(axis=(1, 2), keepdims=True)
        piece -= piece.mean(axis=(1, 2), keepdims=True)
        piece /= np.maximum(deviation, 1e-6)
        difference = np.square(piece - piece[:, :, ::-1]).mean(axis=(1, 2))
        values[start : start + 4096] = np.where(deviation[:, 0, 0] > 0, difference, np.inf)
    return values


def fronts(faces: FaceSet) -> np.ndarray:
    """Find for each image the most frontal image of the same person, taken in the same series.

    In this order: the front that somebody chose (``faces.front``); where poses
    are known, the one nearest to straight ahead (`angle_from_front`); in a
    series without any pose, the most left-right symmetric one (`asymmetry`).
    Of equals the first is taken.

    Parameters
    ----------
    faces : FaceSet

    Returns
    -------
    numpy.ndarray
        int64, shape (n,): for each image the index of its target.
    """
    return several_fronts(faces, 1)[:, 0]


def several_fronts(faces: FaceSet, count: int) -> np.ndarray:
    """Find the `count` most frontal images for each image, best first, as `fronts` finds the first.

    Parameters
    ----------
    faces : FaceSet
    count : int
        1 or more.

    Returns
    -------
    numpy.ndarray
        int64, shape (n, count). The front fills the row where somebody chose
        it; in a series with fewer photos the last one fills it.
    """
    checks.instance("faces", faces, FaceSet)
    count = checks.whole_number("count", count, most=1000)
    series = faces.series
    angle = angle_from_front(faces.pose)
    known = np.isfinite(angle)
    distance = np.where(known, angle, np.inf)
    plain = ~np.isin(series, series[known])
    if plain.any():
        distance[plain] = asymmetry(faces.images if plain.all() else faces.images[plain])
    order = np.lexsort((distance, series))  # stable: by series, then by distance
    begin, end = (np.searchsorted(series[order], series, side) for side in ("left", "right"))
    place = np.minimum(begin[:, None] + np.arange(count), end[:, None] - 1)
    front = faces.front[:, None]
    return np.where(front >= 0, front, order[place]).astype(np.int64)


def gallery_only(faces: FaceSet) -> tuple[str, ...]:
    """Names of the people with one photo: it can be looked up, but there is nothing to pair."""
    checks.instance("faces", faces, FaceSet)
    photos = np.bincount(faces.person, minlength=len(faces.names))
    return tuple(faces.names[number] for number in np.flatnonzero(photos == 1))


def split(faces: FaceSet, *, test: float = 0.2, seed: int = 0) -> Split:
    """Pair every image with its front, and keep some people apart.

    People with one photo are on neither side (see `gallery_only`).

    Parameters
    ----------
    faces : FaceSet
    test : float
        Share of the people, not of the photos, that are held out, between 0
        and 1. It is rounded to at least one person on each side.
    seed : int
        The same seed holds out the same people.

    Returns
    -------
    Split
        Train and test pairs. No person is in both.

    Raises
    ------
    ValueError
        If one side would have nobody: fewer than two people, or a share that is
        not between 0 and 1. If `seed` is no whole number from 0 up.
    """
    checks.instance("faces", faces, FaceSet)
    checks.share("test", test, "of the people")
    checks.seed("seed", seed)
    paired = np.flatnonzero(np.bincount(faces.person, minlength=len(faces.names)) > 1)
    if len(paired) < 2:
        raise ValueError(
            f"A split needs two people with two photos or more, one for each side, but {faces.name} "
            f"has {len(paired)} of {len(faces.names)}. Load more people"
            + (
                f"; {len(faces.skipped)} photos were skipped, see FaceSet.skipped"
                if faces.skipped
                else ""
            )
        )
    held_out = min(max(round(len(paired) * test), 1), len(paired) - 1)
    chosen = paired[np.random.default_rng(seed).permutation(len(paired))[:held_out]]
    return _held_out(faces, paired, chosen)


def split_by_names(faces: FaceSet, test: Sequence[str]) -> Split:
    """Pair every image with its front, and keep these people apart.

    People with one photo are on neither side (see `gallery_only`).

    Parameters
    ----------
    faces : FaceSet
    test : sequence of str
        Names of the people to hold out. All others are trained on.

    Returns
    -------
    Split

    Raises
    ------
    ValueError
        If somebody in `test` is not there or has one photo only, if nobody
        is held out, or if nobody is left to train on.
    """
    checks.instance("faces", faces, FaceSet)
    wanted = set(checks.words("test", test))
    paired = np.flatnonzero(np.bincount(faces.person, minlength=len(faces.names)) > 1)
    if unknown := sorted(wanted - {faces.names[number] for number in paired}):
        raise ValueError(
            f"test names {checks.listed(unknown)}, but {faces.name} has nobody of that name "
            "with two photos"
        )
    chosen = np.flatnonzero([name in wanted for name in faces.names])
    if not 0 < len(chosen) < len(paired):
        raise ValueError(
            f"test names {len(chosen)} of {len(paired)} people, expected some on each side"
        )
    return _held_out(faces, paired, chosen)


def folds(faces: FaceSet, count: int = 4) -> list[Split]:
    """Split the people for cross-validation: each is held out once, in the order of the FaceSet.

    Parameters
    ----------
    faces : FaceSet
        Of the people to choose on; ``faces.select`` leaves out those of the last test.
    count : int
        How many folds, 2 or more.

    Raises
    ------
    ValueError
        If there are fewer people than folds, or fewer than two folds.
    """
    checks.instance("faces", faces, FaceSet)
    checks.whole_number("count", count)
    paired = np.flatnonzero(np.bincount(faces.person, minlength=len(faces.names)) > 1)
    if not 2 <= count <= len(paired):
        raise ValueError(f"count is {count}, expected 2 to {len(paired)}, the number of people")
    return [_held_out(faces, paired, chosen) for chosen in np.array_split(paired, count)]


def _held_out(faces: FaceSet, paired: np.ndarray, chosen: np.ndarray) -> Split:
    """Pair the photos of the people in `paired`, those of `chosen` to be tested on."""
    target = fronts(faces)
    train_index, test_index = (
        np.flatnonzero(np.isin(faces.person, side))
        for side in (np.setdiff1d(paired, chosen), chosen)
    )
    return Split(
        Pairs(faces, train_index, target[train_index]),
        Pairs(faces, test_index, target[test_index]),
    )


def spread(pairs: Pairs) -> np.ndarray:
    """Put pairs in an order in which neighbours are different people, fronts as inputs last.

    Returns
    -------
    numpy.ndarray
        int64, shape (n,): the first photo of each person, then the second of
        each, and so on.
    """
    own = pairs.input == pairs.target
    table = pd.DataFrame({"person": pairs.person, "own": own})
    place = table.groupby(["person", "own"]).cumcount()  # of a photo among those of its person
    return np.lexsort((pairs.person, place, own))


def examples(pairs: Pairs, count: int) -> np.ndarray:
    """Choose pairs to show: as many people as possible, and no front as its own target.

    Parameters
    ----------
    pairs : Pairs
    count : int
        How many pairs, 1 or more.

    Returns
    -------
    numpy.ndarray
        int64, positions in `pairs`: the first of `spread`, sorted by person.
        Fewer than `count` where there are not as many.
    """
    checks.instance("pairs", pairs, Pairs)
    checks.whole_number("count", count)
    chosen = spread(pairs)[: min(count, len(pairs.turned))]
    return chosen[np.argsort(pairs.person[chosen], kind="stable")]


def as_image(outputs: np.ndarray) -> np.ndarray:
    """Turn float32 (n, height, width, 1) in 0..1 into uint8 images (n, height, width)."""
    checks.array("outputs", outputs, np.floating, ("n", "height", "width", 1))
    return np.rint(np.clip(outputs[..., 0], 0, 1) * 255).astype(np.uint8)


def duplicates(faces: FaceSet, *, near: float = 0.01, most: int = 20_000) -> pd.DataFrame:
    """Find photos that are the same, or nearly: a leak if they show up on both sides.

    A photo with the same bytes as an earlier one stands beside the first of
    them. Photos that are left, all different, are compared each with each: one
    that is nearly an earlier one stands beside the first such photo of another
    person, or else of the same person. So there is one row a photo at most.

    Parameters
    ----------
    faces : FaceSet
    near : float
        Largest root-mean-square difference of a near duplicate, in 0..1.
    most : int
        Of more different photos than these, so many are drawn at random and
        compared. The same bytes are found among all.

    Returns
    -------
    pandas.DataFrame
        ``first``, ``second`` (indices of images), ``difference`` and ``across
        people``, the smallest difference first.

    Raises
    ------
    ValueError
        If `near` is not between 0 and 1, or `most` is no whole number from 1 up.
    """
    checks.instance("faces", faces, FaceSet)
    checks.number("near", near, 0, 1)
    checks.whole_number("most", most)
    same = _first_of_same(faces.images)
    again = np.flatnonzero(same != np.arange(len(faces)))
    different = np.flatnonzero(same == np.arange(len(faces)))
    drawn = np.sort(np.random.default_rng(0).permutation(different)[:most])
    one, other, difference = _near_duplicates(faces, drawn, near)
    first, second = np.concatenate([same[again], one]), np.concatenate([again, other])
    found = {
        "first": first,
        "second": second,
        "difference": np.concatenate([np.zeros(len(again)), difference]),
        "across people": faces.person[first] != faces.person[second],
    }
    return pd.DataFrame(found).sort_values("difference", kind="stable", ignore_index=True)


def _first_of_same(images: np.ndarray) -> np.ndarray:
    """For each image the first one with the same bytes: int64 (n,)."""
    seen: dict[bytes, int] = {}
    digests = (hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)
    first = (seen.setdefault(digest, place) for place, digest in enumerate(digests))
    return np.fromiter(first, dtype=np.int64, count=len(images))


def _near_duplicates(
    faces: FaceSet, drawn: np.ndarray, near: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find for each of some images an earlier one that is nearly the same: one, other, difference."""
    height, width = faces.images.shape[1:]
    size = max(min(2**22 // (height * width), 1024), 1)
    starts = range(0, len(drawn), size)
    found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for start in starts:
        rows = drawn[start : start + size]
        one = np.full((2, len(rows)), -1)  # the first of another person, and of the same
        for before in starts[: start // size + 1]:
            columns = drawn[before : before + size]
            close = _squared(faces, rows, columns) <= (near * 255) ** 2 * height * width
            close &= columns < rows[:, None]
            across = faces.person[rows][:, None] != faces.person[columns]
            for first, hits in zip(one, (close & across, close & ~across), strict=True):
                new = (first < 0) & hits.any(axis=1)
                first[new] = columns[hits[new].argmax(axis=1)]
        first = np.where(one[0] >= 0, *one)
        one, other = first[first >= 0], rows[first >= 0]
        apart = faces.images[one].astype(np.int32) - faces.images[other]
        found.append((one, other, np.square(apart).mean(axis=(1, 2)) ** 0.5 / 255))
    first, second, difference = (np.concatenate(each) for each in zip(*found, strict=True))
    return first, second, difference


def _squared(faces: FaceSet, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Squared differences of images from images, summed over pixels: whole numbers, exact."""
    height, width = faces.images.shape[1:]
    # From -128 to 127, so that of 32 x 32 products no sum is rounded in float32 either.
    kind = np.float32 if height * width <= 1024 else np.float64
    one, other = (
        faces.images[index].reshape(len(index), -1).astype(kind) - kind(128)
        for index in (rows, columns)
    )
    squares = [np.square(each, dtype=np.float64).sum(axis=1) for each in (one, other)]
    return squares[0][:, None] + squares[1] - 2 * (one @ other.T)
