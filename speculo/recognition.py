"""How well scores tell people apart: scores in, measures out.

The names are those of NIST's face recognition evaluations. A *score* says how alike two
photos are: the higher, the more. A *genuine* pair shows one person, an *impostor* pair two.

- FMR, FNMR: the shares of impostor pairs at a threshold or above it, and of genuine ones below.
- EER: where both are equal. DET: the curve of both. TMR: 1 - FNMR.
- Rank-k: the share of searches that find the person among the k best of a gallery, which holds
  one photo of each. CMC: the curve of rank-k. A tie counts as lost.
- FPIR: the share of searches for people *not* in the gallery that return somebody. FNIR: the share
  of searches for people in it whose best match is somebody else, or below the threshold.

A rate of 1 in n is not-a-number where there are fewer than n pairs of people (FMR), or fewer than n
people to search for in vain (FPIR): a single mistake would decide it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import det_curve

ENOUGH = 8
"""With fewer people than these, intervals and chances would say nothing."""

ROWS = 512
"""Photos compared with all others at a time: of many, n x n scores do not fit in memory."""


class Cosine:
    """The cosine between each two of some vectors, computed for the rows that are asked for.

    All functions here take this, or an array (n, n) of any other scores. The vectors are floats
    of any kind, shape (n, d), of any length; one of zeros has cosine 0 with all. A ValueError says
    if the shape is another, or a value is not finite.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        vectors = np.asarray(vectors)
        if vectors.ndim != 2 or 0 in vectors.shape:
            raise ValueError(f"vectors have shape {vectors.shape}, expected (n, d): one a photo")
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            raise ValueError(f"{len(bad)} vectors hold NaN or infinity, the first is {bad[0]}")
        largest = np.abs(vectors).max(axis=1, keepdims=True)  # so that no square overflows
        scaled = vectors / np.where(largest > 0, largest, 1)
        length = np.linalg.norm(scaled, axis=1, keepdims=True)
        self._unit = (scaled / np.where(length > 0, length, 1)).astype(np.float32)

    def __len__(self) -> int:
        return len(self._unit)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return self._unit[rows] @ self._unit.T


Scores = np.ndarray | Cosine


class Verification(NamedTuple):
    """All pairs of photos, as far as error rates depend on them.

    `thresholds` (k,) are the genuine scores that occur, rising. `genuine` (r, k) says how many
    genuine pairs have each, `impostor` (r, 2 k + 1) how many impostor pairs are below the first, at
    it, between it and the next, and so on. Row 0 counts all of the `people`, others one draw.
    """

    thresholds: np.ndarray
    genuine: np.ndarray
    impostor: np.ndarray
    people: int

    def det(self, row: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give FMR, FNMR and threshold of each point of the DET curve, FMR falling."""
        k = len(self.thresholds)
        places = np.empty(2 * k + 1)
        places[1::2] = self.thresholds
        places[::2] = np.convolve(self.thresholds, [0.5, 0.5])  # in the middle of two
        places[[0, -1]] = self.thresholds[[0, -1]] + (-1.0, 1.0)
        return det_curve(
            np.repeat([True, False], [k, 2 * k + 1]),
            np.concatenate([self.thresholds, places]),
            sample_weight=np.concatenate([self.genuine[row], self.impostor[row]]),
        )

    def eer(self, row: int = 0) -> float:
        """Give the equal error rate, on a straight line between the two points beside it."""
        fmr, fnmr, _ = self.det(row)
        fmr, fnmr = np.r_[1, fmr, 0], np.r_[0, fnmr, 1]  # thresholds that all reach, and nobody
        after = int(np.argmax(fnmr >= fmr))
        gap = (fmr - fnmr)[after - 1 : after + 1]
        share = gap[0] / (gap[0] - gap[1])
        return float(fmr[after - 1] + share * (fmr[after] - fmr[after - 1]))

    def eer_threshold(self, row: int = 0) -> float:
        """Give the threshold where FMR and FNMR are nearest to one another."""
        fmr, fnmr, threshold = self.det(row)
        return float(threshold[np.argmin(np.abs(fmr - fnmr))])

    def fnmr(self, at_fmr: float, row: int = 0) -> float:
        """Give FNMR at the lowest threshold with at most this FMR; NaN for too few people."""
        if self.people * (self.people - 1) / 2 * at_fmr < 1:
            return float("nan")
        fmr, fnmr, _ = self.det(row)
        return float(fnmr[fmr <= at_fmr].min(initial=1.0))


def verification(
    scores: Scores, person: np.ndarray, *, draws: int = 0, seed: int = 0
) -> Verification:
    """Compare every two photos.

    Parameters
    ----------
    scores : numpy.ndarray or Cosine
        (n, n), of which the part above the diagonal is read.
    person : numpy.ndarray
        (n,): whose photo each is, labels of any kind.
    draws, seed : int
        How often to draw people for intervals: each is left out or counted twice, by the toss of a
        coin, and a pair weighs the product of its people's weights. Scores of one person go
        together: to draw pairs would be too sure of itself.

    Raises
    ------
    ValueError
        If lengths differ, scores are not finite, or there is one person or photo of each only.
    """
    person = _numbered(scores, person)
    # Whoever counts, counts twice: of weights that are all equal it is enough to know who counts.
    kept = np.random.default_rng(seed).random((draws + 1, person.max() + 1)) < 0.5
    kept[0] = True
    found = [(block[same], one[same]) for block, same, _, one, _ in _pairs(scores, person)]
    values, owner = (np.concatenate(part) for part in zip(*found, strict=True))
    thresholds, place = np.unique(values, return_inverse=True)
    k = len(thresholds)
    genuine = np.stack([np.bincount(place[each[owner]], minlength=k) for each in kept])
    impostor = np.zeros((len(kept), 2 * k + 1), dtype=np.int64)
    for block, _, other, one, two in _pairs(scores, person):
        bins = np.searchsorted(thresholds, block[other])
        bins = 2 * bins + (thresholds[np.minimum(bins, k - 1)] == block[other])
        one, two = one[other], two[other]
        for row, each in enumerate(kept):
            counted = bins[each[one] & each[two]] if row else bins
            impostor[row] += np.bincount(counted, minlength=2 * k + 1)
    some = genuine.any(axis=1) & impostor.any(axis=1)  # of few people, all can be left out
    return Verification(thresholds, genuine[some], impostor[some], int(person.max()) + 1)


def pair_scores(scores: Scores, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the scores of all genuine pairs, and those of all impostor pairs, in no order.

    It is a ValueError if `verification` raises one.
    """
    person = _numbered(scores, person)
    found = [(block[same], block[other]) for block, same, other, _, _ in _pairs(scores, person)]
    genuine, impostor = (np.concatenate(part) for part in zip(*found, strict=True))
    return genuine, impostor


@dataclass(frozen=True)
class Chance:
    """The chance that two photos show one person, by the distance of their fingerprints.

    It holds where same and different people are equally likely before anybody looks: among all
    pairs of a crowd nearly all are different people, and the chance is far lower.

    Attributes
    ----------
    slope, intercept : float
        Of the logarithm of the odds as a line over the distance. The slope is never above 0: no
        pair gains by being farther apart.
    """

    slope: float
    intercept: float

    def of(self, distance: float | np.ndarray) -> float | np.ndarray:
        """Give the chance at a distance, or at each of several: 0..1."""
        found = expit(self.slope * np.asarray(distance, dtype=np.float64) + self.intercept)
        return float(found) if np.ndim(distance) == 0 else found


def chance(genuine: np.ndarray, impostor: np.ndarray) -> Chance:
    """Fit the chance of one person by logistic regression, both kinds of pairs weighing the same.

    Parameters
    ----------
    genuine, impostor : numpy.ndarray
        Distances of pairs of one person, and of pairs of two people. The rule is for the same
        kind of fingerprint, distance and photos. Of few pairs it is a careful one, near one half.

    Raises
    ------
    ValueError
        If a side has no pair, or a distance is not finite.
    """
    sides = [np.asarray(each, dtype=np.float64).ravel() for each in (genuine, impostor)]
    if not all(len(each) and np.isfinite(each).all() for each in sides):
        raise ValueError("chance needs distances of both kinds of pairs, all of them finite")
    distance = np.concatenate(sides)
    same = np.repeat([True, False], [len(each) for each in sides])
    middle, spread = distance.mean(), distance.std() or 1.0
    fitted = LogisticRegression(class_weight="balanced")
    fitted.fit(((distance - middle) / spread)[:, None], same)
    slope = min(float(fitted.coef_[0, 0] / spread), 0.0)
    if slope == 0:  # what is farther would be likelier one person: the distance says nothing
        return Chance(0.0, 0.0)
    return Chance(slope, float(fitted.intercept_[0] - slope * middle))


def calibration(
    rule: Chance,
    genuine: np.ndarray,
    impostor: np.ndarray,
    edges: Sequence[float] = (0, 0.1, 0.3, 0.5, 0.7, 0.9, 1),
) -> pd.DataFrame:
    """Compare chances with what is true, on the distances of other people than it was fitted on.

    Returns
    -------
    pandas.DataFrame
        For each band of said chances: what was ``said`` on average, how often it was ``true``,
        both kinds of pairs weighing the same, and how many ``genuine`` and ``impostor`` pairs
        there are. A band without pairs has NaN.
    """
    rows = {}
    said = [np.asarray(rule.of(np.ravel(each))) for each in (genuine, impostor)]
    for low, high in zip(edges, edges[1:], strict=False):
        inside = [(s >= low) & ((s < high) | (high == edges[-1])) for s in said]
        weights = [each.mean() for each in inside]
        sums = [(s * i).mean() for s, i in zip(said, inside, strict=True)]
        whole = sum(weights) or np.nan
        rows[f"{low:.0%} to {high:.0%}"] = {
            "said": sum(sums) / whole,
            "true": weights[0] / whole,
            "genuine": int(inside[0].sum()),
            "impostor": int(inside[1].sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def galleries(person: np.ndarray, draws: int = 20, seed: int = 0) -> np.ndarray:
    """Draw galleries with one photo of each person: int64, (draws, people), in label order."""
    rng = np.random.default_rng(seed)
    shuffled = (rng.permutation(len(person)) for _ in range(draws))
    return np.stack([each[np.unique(person[each], return_index=True)[1]] for each in shuffled])


def ranks(scores: Scores, person: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Search for every photo that is not in the gallery.

    The row of a score is searched for, the column is enrolled. `gallery` holds positions of photos,
    one of each person: (people,), or (draws, people); anything else is a ValueError.

    Returns
    -------
    tuple of numpy.ndarray
        Place of the right person, 1 is the best, and the photo searched for: int64, both (m,), the
        draws one after the other.
    """
    person = _numbered(scores, person)
    gallery, everybody = np.atleast_2d(gallery), np.arange(person.max() + 1)
    whole = gallery.dtype.kind in "iu" and np.isin(gallery, np.arange(len(person))).all()
    if not whole or any(not np.array_equal(np.sort(person[each]), everybody) for each in gallery):
        raise ValueError(f"gallery needs the position of one of each of {len(everybody)} people")
    gallery = np.take_along_axis(gallery, np.argsort(person[gallery], axis=1), axis=1)
    rank = np.zeros((len(gallery), len(person)), dtype=np.int64)
    for draw, rows, found, mine in _searches(scores, person, gallery):
        rank[draw, rows] = (found >= found[mine][:, None]).sum(axis=1)
    np.put_along_axis(rank, gallery, 0, axis=1)
    return rank[rank > 0], np.nonzero(rank)[1]


def cmc(rank: np.ndarray, most: int = 20) -> np.ndarray:
    """Give rank-1, rank-2, ... up to `most` from what `ranks` found: float64, (most,)."""
    return (rank[:, None] <= np.arange(1, most + 1)).mean(axis=0)


def fnir(
    scores: Scores, person: np.ndarray, at_fpir: float = 0.01, draws: int = 20, seed: int = 0
) -> float:
    """Give FNIR at the lowest threshold with at most this FPIR, half of the people enrolled.

    Each of the `draws` enrols other people, by one photo each; all draws share the threshold.
    It is NaN where there are fewer people to search for in vain than 1 / `at_fpir`.
    """
    person = _numbered(scores, person)
    people = int(person.max()) + 1
    if (people - people // 2) * at_fpir < 1:
        return float("nan")
    rng = np.random.default_rng([seed, 1])
    gallery = galleries(person, draws, seed)
    enrolled = np.stack([rng.permutation(people) < people // 2 for _ in range(draws)])
    mate, rival = np.empty((2, draws, len(person)))
    for draw, rows, found, mine in _searches(scores, person, gallery):
        mate[draw, rows] = found[mine]
        rival[draw, rows] = np.where(enrolled[draw] & ~mine, found, -np.inf).max(axis=1)
    searched = enrolled[:, person]
    strangers = np.sort(rival[~searched])[::-1]
    threshold = strangers[int(at_fpir * len(strangers))]  # to be exceeded
    np.put_along_axis(searched, gallery, False, axis=1)
    mate, rival = mate[searched], rival[searched]
    return float(1 - ((mate > rival) & (mate > threshold)).mean()) if len(mate) else float("nan")


def judge(scores: Scores, person: np.ndarray) -> dict[str, float]:
    """Give the same as `measures`, of any scores."""
    pairs = verification(scores, person)
    found = {"people": pairs.people, "photos": len(scores), "eer": pairs.eer()}
    for name, rate in (("1", 0.01), ("01", 0.001)):
        found[f"fnmr_at_fmr_{name}"] = pairs.fnmr(rate)
        found[f"tmr_at_fmr_{name}"] = 1 - pairs.fnmr(rate)
    curve = cmc(ranks(scores, person, galleries(np.asarray(person)))[0], 5).tolist()
    rank_5 = curve[4] if pairs.people > 5 else float("nan")  # else whoever is searched is found
    return found | {"rank_1": curve[0], "rank_5": rank_5, "fnir_at_fpir_1": fnir(scores, person)}


def measures(vectors: np.ndarray, person: np.ndarray) -> dict[str, float]:
    """Tell how well vectors tell people apart, by the cosine of the angle between them.

    Parameters
    ----------
    vectors : numpy.ndarray
        Any float, shape (n, d), of any length.
    person : numpy.ndarray
        (n,): whose photo each is, labels of any kind.

    Returns
    -------
    dict
        Numbers by name: ``people``, ``photos``, ``eer``, ``fnmr_at_fmr_1`` and ``tmr_at_fmr_1`` (at
        1%), ``fnmr_at_fmr_01`` and ``tmr_at_fmr_01`` (at 0.1%), ``rank_1`` and ``rank_5`` (means of
        20 galleries), ``fnir_at_fpir_1``. NaN where the people are too few: rank-5 needs 6 people,
        FMR 1% 15, FMR 0.1% 46, and FPIR 1% 199.

    Raises
    ------
    ValueError
        If lengths differ, values are not finite, or there is one person or photo of each only.
    """
    return judge(Cosine(vectors), person)


def intervals(
    scores: Scores, person: np.ndarray, draws: int = 200, level: float = 0.95, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Give intervals of ``eer``, ``tmr_at_fmr_1`` and ``rank_1``, by drawing people anew.

    As in `verification`. For rank-1 the people searched for are drawn; the galleries stay whole.
    `level` is the share of the draws that lie inside.
    """
    pairs = verification(scores, person, draws=draws, seed=seed)
    rank, probe = ranks(scores, person, galleries(np.asarray(person), seed=seed))
    owner = _numbered(scores, person)[probe]
    hits, tries = (np.bincount(owner, each, pairs.people) for each in (rank == 1, rank > 0))
    kept = np.random.default_rng(seed).random((draws, pairs.people)) < 0.5
    kept = kept[kept @ tries > 0]
    rows = range(1, len(pairs.genuine))
    drawn = {
        "eer": np.array([pairs.eer(row) for row in rows]),
        "rank_1": kept @ hits / (kept @ tries),
        "tmr_at_fmr_1": np.array([1 - pairs.fnmr(0.01, row) for row in rows]),
    }
    ends = (1 - level) / 2, (1 + level) / 2
    return {name: tuple(np.quantile(each, ends).tolist()) for name, each in drawn.items()}


SHOWN = {
    "eer": "EER",
    "tmr_at_fmr_1": "TMR at FMR 1%",
    "rank_1": "rank-1",
    "rank_5": "rank-5",
    "fnir_at_fpir_1": "FNIR at FPIR 1%",
}
"""The measures that `table` shows, with their titles."""


def table(kinds: Mapping[str, Scores], person: np.ndarray, draws: int = 200) -> pd.DataFrame:
    """Judge several kinds of scores of the same photos, and write it down as text.

    Returns
    -------
    pandas.DataFrame
        A row for each kind, a column for each measure of `SHOWN`, with its interval where
        `intervals` gives one and there are people `ENOUGH`. What needs more people is ``"too few
        people"``.
    """
    rows: dict[str, dict[str, str]] = {}
    for kind, scores in kinds.items():
        found = judge(scores, person)
        ends = intervals(scores, person, draws) if found["people"] >= ENOUGH else {}
        rows[kind] = {}
        for name, title in SHOWN.items():
            text = f"{found[name]:.1%}"
            if name in ends:
                text += f" ({100 * ends[name][0]:.1f} to {100 * ends[name][1]:.1f})"
            rows[kind][title] = text if np.isfinite(found[name]) else "too few people"
    return pd.DataFrame.from_dict(rows, orient="index")


def _numbered(scores: Scores, person: np.ndarray) -> np.ndarray:
    """People as numbers from 0, once everything is found to be in order."""
    person = np.asarray(person)
    if isinstance(scores, np.ndarray) and scores.shape != (len(scores), len(scores)):
        raise ValueError(f"scores have shape {scores.shape}, expected (n, n)")
    if person.shape != (len(scores),):
        raise ValueError(f"person has shape {person.shape}, expected ({len(scores)},)")
    numbers = np.unique(person, return_inverse=True)[1]
    if numbers.max() < 1:
        raise ValueError("all photos are of one person, expected two people or more")
    if numbers.max() == len(numbers) - 1:
        raise ValueError("nobody has two photos, expected some to compare with one another")
    return numbers


def _blocks(scores: Scores) -> Iterator[tuple[slice, np.ndarray]]:
    for start in range(0, len(scores), ROWS):
        block = scores[start : start + ROWS]
        if not np.isfinite(block).all():
            raise ValueError(f"scores hold NaN or infinity in row {start} or later")
        yield slice(start, start + len(block)), block


def _pairs(scores: Scores, person: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Give some rows at a time: scores, which are genuine and which impostor, and both people."""
    for rows, block in _blocks(scores):
        mine, theirs = np.broadcast_arrays(person[rows, None], person)
        later = np.arange(len(person)) > np.arange(len(person))[rows, None]
        yield block, (mine == theirs) & later, (mine != theirs) & later, mine, theirs


def _searches(
    scores: Scores, person: np.ndarray, gallery: np.ndarray
) -> Iterator[tuple[int, slice, np.ndarray, np.ndarray]]:
    """Give draw, rows, their scores with the gallery of that draw, and which is the right one."""
    for rows, block in _blocks(scores):
        mine = person[rows, None] == np.arange(gallery.shape[1])
        for draw, enrolled in enumerate(gallery):
            yield draw, rows, block[:, enrolled], mine
