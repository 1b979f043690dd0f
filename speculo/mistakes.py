"""Where fingerprints fail: the worst pairs, turned heads, groups of people, and the rule of 2020.

Scores are those of `recognition`: the higher, the more alike.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from speculo import checks, fingerprints, recognition, runs
from speculo.faces import FaceSet
from speculo.recognition import Scores
from speculo.sources.heads import person as drawn

YAWS = (-90, -65, -40, -15, 15, 40, 65, 90)
"""Edges of the bins of yaw, in degrees."""

TONES = (0.38, 0.55)
"""Reflectances of skin between dark and medium, and between medium and light."""

THRESHOLD = 550.0
"""Largest Euclidean distance of two photos of one person, in the code of 2020."""

PUBLISHED = (2011, 2544, 32)
"""Its one test, of model v12 on 15 people: photos that were right, those counted, those left out."""

AGES = (1 / 3, 2 / 3)
"""Ages of drawn people, 0..1, between young and middle, and between middle and old."""


GROUPS = {
    "sex": ["woman", "man"],
    "age": ["young", "middle-aged", "old"],
    "skin": ["dark skin", "medium skin", "light skin"],
    "glasses": ["no glasses", "glasses"],
    "beard": ["no beard", "beard"],
}
"""The traits of drawn people that `traits` tells, with the groups of each."""


def unseen(faces: FaceSet) -> tuple[str, ...]:
    """Name the people whom the model that comes with the book did not learn from.

    Where that leaves fewer than two, it is everybody.
    """
    learned = runs.recorded(fingerprints.SHIPPED).trained_on(faces.name)
    others = tuple(name for name in faces.names if name not in learned)
    return others if len(others) > 1 else faces.names


def some_photos(faces: FaceSet, names: Sequence[str], people: int, photos: int) -> np.ndarray:
    """Take the first so many of some people, and of each so many photos, spread over all of theirs.

    People with one photo, who can be compared with nobody of their own, come last.

    Returns
    -------
    numpy.ndarray
        Positions, int64, rising.
    """
    chosen = np.flatnonzero(np.isin(faces.names, names))
    alone = np.bincount(faces.person, minlength=len(faces.names))[chosen] < 2
    chosen = chosen[np.argsort(alone, kind="stable")][:people]
    mine = (np.flatnonzero(faces.person == each) for each in chosen)
    spread = [
        each[np.unique(np.linspace(0, len(each) - 1, photos).round().astype(int))] for each in mine
    ]
    return np.sort(np.concatenate(spread))


def worst(scores: Scores, person: np.ndarray, count: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Find the impostor pairs that are most alike, and the genuine pairs that are least so.

    Nobody is shown twice among the genuine pairs, nor any two people among the impostors.

    Returns
    -------
    tuple of numpy.ndarray
        Positions of photos, int64 (m, 2) each, the worst first; m is `count` or fewer.
    """
    person = np.asarray(person)
    every = scores[:]
    one, two = np.triu_indices(len(person), 1)
    same = person[one] == person[two]
    sides = []
    for kind, sign in ((~same, -1), (same, 1)):
        a, b = one[kind], two[kind]
        order = np.argsort(sign * every[a, b], kind="stable")
        people = np.sort(np.stack([person[a[order]], person[b[order]]], axis=1), axis=1)
        first = np.sort(np.unique(people, axis=0, return_index=True)[1])[:count]
        sides.append(np.stack([a[order[first]], b[order[first]]], axis=1))
    return sides[0], sides[1]


def rank_1_by_yaw(
    scores: Scores,
    person: np.ndarray,
    yaw: np.ndarray,
    edges: Sequence[float] = YAWS,
    draws: int = 5,
    seed: int = 0,
) -> tuple[np.ndarray, int]:
    """Give rank-1 by the yaw of the photo searched for and that of the photos in the gallery.

    A gallery holds one photo of each person, all from one bin, and as many people whatever the bin:
    as many as the bin has that shows fewest.

    Returns
    -------
    tuple
        float64 (bins, bins), row the probe's bin and column the gallery's, NaN where there is no
        probe; and how many people a gallery holds. With fewer than two, all is NaN.
    """
    person, bins = np.asarray(person), len(edges) - 1
    place = np.clip(np.digitize(yaw, edges) - 1, 0, bins - 1)
    shown = [np.unique(person[place == each]) for each in range(bins)]
    enrolled = min(len(each) for each in shown)
    hits, tries = np.zeros((2, bins, bins))
    rng = np.random.default_rng(seed)
    for column in range(bins if enrolled > 1 else 0):
        for _ in range(draws):
            chosen = rng.permutation(shown[column])[:enrolled]
            index = rng.permutation(np.flatnonzero(np.isin(person, chosen)))
            inside = np.flatnonzero(place[index] == column)
            gallery = inside[np.unique(person[index[inside]], return_index=True)[1]]
            if enrolled == len(index):  # nobody is left to search for
                continue
            found = scores[index][:, index]
            rank, probe = recognition.ranks(found, person[index], gallery)
            rows = place[index[probe]]
            hits[:, column] += np.bincount(rows, rank == 1, bins)
            tries[:, column] += np.bincount(rows, minlength=bins)
    return np.divide(hits, tries, out=np.full_like(hits, np.nan), where=tries > 0), enrolled


def turned_rank_1(
    scores: Scores, person: np.ndarray, fronts: np.ndarray, yaw: np.ndarray, beyond: float = 30
) -> float:
    """Give rank-1 of the photos that are turned so many degrees or more to a side.

    The gallery are the `fronts`, positions of one photo of each person. It is NaN where no photo
    is turned so far.
    """
    rank, probe = recognition.ranks(scores, person, fronts)
    found = rank[np.abs(yaw[probe]) >= beyond] == 1
    return float(found.mean()) if len(found) else float("nan")


def traits(names: Sequence[str]) -> pd.DataFrame:
    """Tell what is known of drawn people: sex, age, skin, glasses and beard, as words.

    Parameters
    ----------
    names : sequence of str
        Such as ``"p00012"``: what ``heads.person_name`` gives.

    Returns
    -------
    pandas.DataFrame
        One row a name.

    Raises
    ------
    ValueError
        If a name is not that of a drawn person.
    """
    rows = {}
    for name in checks.words("names", names):
        found = re.fullmatch(r"p(\d+)(?:-(\d+))?", name)
        if not found:
            raise checks.wrong("names", name, "names of drawn people, such as 'p00012'")
        who = drawn.sample(int(found[1]), int(found[2] or 0))
        rows[name] = {
            "sex": int(who.male > 0.5),
            "age": int(np.digitize(who.age, AGES)),
            "skin": int(np.digitize(who.skin, TONES)),
            "glasses": int(who.glasses is not None),
            "beard": int(who.beard != "none"),
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.apply(
        lambda each: pd.Categorical.from_codes(each, GROUPS[each.name], ordered=True)
    )


def rates_by_group(
    scores: Scores,
    person: np.ndarray,
    groups: pd.DataFrame,
    threshold: float,
    *,
    draws: int = 500,
    seed: int = 0,
) -> pd.DataFrame:
    """Give the error rates of groups of people, all at one threshold.

    FNMR is that of the group's own genuine pairs, FMR that of pairs of two people of the group.
    Intervals of 95% come from drawing people as in ``recognition.verification``.

    Parameters
    ----------
    scores : numpy.ndarray or Cosine
        (n, n).
    person : numpy.ndarray
        int (n,): row in `groups` of whoever is shown.
    groups : pandas.DataFrame
        One row a person, one column a trait, values are the groups.
    threshold : float
        Scores below it are not the same person.
    draws, seed : int
        For the intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``trait`` and ``group``, everybody first. Columns ``people``, ``FNMR``, ``FNMR
        low``, ``FNMR high``, and the same of ``FMR``; NaN where the group has no such pair.
    """
    person, count = np.asarray(person), len(groups)
    shown = np.eye(count)[person]
    alike = np.zeros((count, count))
    for start in range(0, len(person), recognition.ROWS):
        reached = scores[start : start + recognition.ROWS] >= threshold
        own = np.arange(len(reached))
        reached[own, start + own] = False  # no photo is a pair with itself
        alike += shown[start : start + len(reached)].T @ (reached @ shown)
    photos = shown.sum(axis=0)
    pairs = np.outer(photos, photos) - np.diag(photos)
    columns = {("everybody", "everybody"): np.ones(count, dtype=bool)} | {
        (trait, group): (groups[trait] == group).to_numpy()
        for trait in groups
        for group in groups[trait].sort_values().unique()
    }
    kept = np.random.default_rng(seed).random((draws, count)) < 0.5
    rows = {name: _rates(alike, pairs, kept, member) for name, member in columns.items()}
    found = pd.DataFrame(list(rows.values()))
    found.index = pd.MultiIndex.from_tuples(list(rows), names=["trait", "group"])
    return found


def _rates(
    alike: np.ndarray, pairs: np.ndarray, kept: np.ndarray, member: np.ndarray
) -> dict[str, float]:
    """Error rates of the people of one group, with the ends of their intervals."""
    weights = np.concatenate([member[None], kept & member]).astype(np.float64)
    own, reached = np.diag(pairs), np.diag(alike)
    genuine, matched = weights @ own, weights @ reached
    impostor, confused = (
        ((weights @ each) * weights).sum(axis=1) - weights @ np.diag(each)
        for each in (pairs, alike)
    )
    found: dict[str, float] = {"people": int(member.sum())}
    for name, wrong, tries in (
        ("FNMR", genuine - matched, genuine),
        ("FMR", confused, impostor),
    ):
        rates = np.divide(wrong, tries, out=np.full(len(tries), np.nan), where=tries > 0)
        drawn_rates = rates[1:][tries[1:] > 0]
        ends = np.quantile(drawn_rates, (0.025, 0.975)) if len(drawn_rates) else (np.nan, np.nan)
        found |= {name: float(rates[0]), f"{name} low": ends[0], f"{name} high": ends[1]}
    return found


def groups_apart(table: pd.DataFrame) -> list[str]:
    """Write down which groups of a trait differ for sure: those whose intervals do not touch.

    Parameters
    ----------
    table : pandas.DataFrame
        What `rates_by_group` returned. Of each trait and rate the outermost two are compared.
    """
    found = []
    for trait in dict.fromkeys(table.index.get_level_values("trait")):
        groups = table.loc[trait]
        for rate in ("FNMR", "FMR"):
            if groups[rate].notna().sum() < 2:
                continue
            most, least = groups[rate].idxmax(), groups[rate].idxmin()
            if groups.loc[most, f"{rate} low"] > groups.loc[least, f"{rate} high"]:
                high, low = groups.loc[[most, least], rate]
                found.append(f"{rate} by {trait}: {most} {high:.1%}, {least} {low:.1%}")
    return found


class Enrolment(NamedTuple):
    """What came of photos that were looked up one after the other.

    Attributes
    ----------
    right, wrong : int
        Photos that were taken for the right person, and for another.
    new, missed : int
        Photos that were taken for somebody new: rightly, as the person's first, and wrongly.
    """

    right: int
    wrong: int
    new: int
    missed: int

    @property
    def without_unknown(self) -> float:
        """Share of right answers as it was counted in 2020: whoever was new is left out."""
        return self.right / max(self.right + self.wrong, 1)

    @property
    def of_all(self) -> float:
        """Share of right answers among all photos: whoever was new counts as an error."""
        return self.right / sum(self)

    @property
    def first_excused(self) -> float:
        """The same, but that a person's first photo is rightly new."""
        return (self.right + self.new) / sum(self)

    def row(self) -> dict[str, str]:
        """Counts and shares as text, for a table."""
        return {name: f"{count:,}" for name, count in self._asdict().items()} | {
            "unknown left out": f"{self.without_unknown:.1%}",
            "unknown as errors": f"{self.of_all:.1%}",
            "first photos excused": f"{self.first_excused:.1%}",
        }


def enrolment(distances: np.ndarray, person: np.ndarray, threshold: float) -> Enrolment:
    """Look photos up one after the other by the rule of 2020.

    The nearest of the enrolled photos says who it is, if it is not farther than the threshold.
    Otherwise the photo is enrolled as somebody new. A photo that was recognised is not enrolled.

    Parameters
    ----------
    distances : numpy.ndarray
        (n, n), in the order in which the photos come.
    person : numpy.ndarray
        (n,): whose photo each is, labels of any kind.
    threshold : float
        In 2020 it was `THRESHOLD`, between 4096 latents of a model of that family.

    Raises
    ------
    ValueError
        If there is no photo, or distances and labels do not belong together.
    """
    person = np.asarray(person)
    if not len(person) or np.shape(distances) != (len(person), len(person)):
        raise ValueError(
            f"distances have shape {np.shape(distances)} for {len(person)} photos, expected (n, n) "
            "for one photo or more"
        )
    enrolled: list[int] = []
    known: set[int] = set()
    right = wrong = new = missed = 0
    for photo, who in enumerate(person.tolist()):
        row = distances[photo, enrolled]
        if len(row) and row.min() <= threshold:
            matched = person[enrolled[int(row.argmin())]] == who
            right, wrong = right + bool(matched), wrong + (not matched)
            continue
        new, missed = new + (who not in known), missed + (who in known)
        known.add(who)
        enrolled.append(photo)
    return Enrolment(right, wrong, new, missed)
