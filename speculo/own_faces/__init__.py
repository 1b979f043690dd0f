"""A reader's own photos on one page: everybody's front as it is drawn, and who is taken for whom.

``python -m speculo.own_faces FOLDER`` writes it; ``make faces`` calls that. Nothing is trained: the
fingerprint model comes with the book. `look` finds what there is to say, ``page`` writes it down.
"""

from typing import NamedTuple

import numpy as np

from speculo import fingerprints, mistakes, pairs, predictor, recognition, recognizer, runs
from speculo.faces import FaceSet
from speculo.recognition import Chance

MOST_PEOPLE, MOST_PHOTOS = 200, 3000
"""People and photos on a page, at most. Of more, the first people, and some photos of each."""

ENOUGH = 20
"""Photos that there must be to speak of all pairs, and not to warn that they are few."""

ALIKE = 6
"""Pairs of people that are shown as the most alike, at most."""


class Match(NamedTuple):
    """Two photos, by their positions."""

    photo: int
    other: int
    distance: float  # of their fingerprints: 1 minus the cosine
    chance: float  # that they show one person, had that been as likely as not


class Person(NamedTuple):
    """What one person's photos are taken for."""

    name: str
    photos: np.ndarray  # positions, int64 (n,)
    front: int  # position of the most frontal one
    seen: np.ndarray  # that photo as the model sees it, uint8 (32, 32)
    drawn: np.ndarray  # the front as it is drawn from all photos, uint8 (32, 32)
    apart: float  # mean distance between two of the photos, NaN of a single one
    nearest: Match | None  # the photo that is most like one of somebody else


class Looked(NamedTuple):
    """What there is to be said of some faces."""

    faces: FaceSet
    people: list[Person]
    table: np.ndarray  # (people, people): mean distances between photos, NaN of a single one
    chance: Chance
    searched: int  # photos whose person has another one
    found: int  # of them, those whose nearest other photo shows the same person
    found_by_pixels: int  # the same, where pixels are compared
    found_by_luck: float  # the same, as to be expected of a blind choice
    wrong: float  # equal error rate over all pairs of photos, NaN where they are few
    wrong_by_pixels: float  # the same, where pixels are compared
    mixed: list[Match]  # the others of them, and single photos that look like somebody else's
    alike: list[Match]  # of the two people that are nearest to one another, and so on
    left_out: int  # photos that were too many


def look(faces: FaceSet) -> Looked:
    """Draw everybody's front, and look for each photo's nearest other photo.

    Parameters
    ----------
    faces : FaceSet
        Of 32 pixels a side or more. One photo is enough.

    Returns
    -------
    Looked
        Of `MOST_PEOPLE` and `MOST_PHOTOS` at most.
    """
    many = MOST_PHOTOS // min(len(faces.names), MOST_PEOPLE)
    kept = mistakes.some_photos(faces, faces.names, MOST_PEOPLE, many)
    person, images = faces.person[kept], faces.images[kept]
    opened = predictor.opened(runs.recorded(fingerprints.SHIPPED))
    small = _small(images, opened.size)
    chance = predictor.chance_of_others(opened, "cosine").chance
    same = person[:, None] == person
    again = np.flatnonzero(same.sum(axis=1) > 1)
    several = {*person[again].tolist()}
    prints, plain = opened.fingerprints(small), fingerprints.pixels(small)
    distance, by_pixels = _apart(prints), _apart(plain)
    nearest = distance.argmin(axis=1)
    hit, hit_by_pixels = (person[each.argmin(axis=1)] == person for each in (distance, by_pixels))
    wrong = [np.nan, np.nan]
    if len(again) >= ENOUGH and not same.all():
        scores = recognition.Cosine(prints), recognition.Cosine(plain)
        wrong = [recognition.verification(each, person).eer() for each in scores]

    def match(photo: int, other: int) -> Match:
        far = float(distance[photo, other])
        return Match(int(kept[photo]), int(kept[other]), far, chance.of(far))

    numbers = np.unique(person)
    fronts = pairs.fronts(faces)
    people = []
    for number in numbers:
        mine = np.flatnonzero(person == number)
        ahead = fronts[kept[mine[0]]]
        others = np.where(same[mine], np.inf, distance[mine])
        row, column = divmod(int(others.argmin()), len(person))
        inside = distance[np.ix_(mine, mine)]
        people.append(
            Person(
                name=faces.names[number],
                photos=kept[mine],
                front=int(ahead),
                seen=_small(faces.images[[ahead]], opened.size)[0],
                drawn=front(opened, small[mine]),
                apart=float(inside[np.isfinite(inside)].mean()) if len(mine) > 1 else np.nan,
                nearest=match(int(mine[row]), column) if len(numbers) > 1 else None,
            )
        )
    worst = mistakes.worst(-distance, person, ALIKE)[0]
    mixed = [match(photo, nearest[photo]) for photo in np.flatnonzero(~hit)]
    mixed = [each for each in mixed if each.chance >= 0.5 or faces.person[each.photo] in several]
    return Looked(
        faces=faces,
        people=people,
        table=_table(distance, person, numbers),
        chance=chance,
        searched=len(again),
        found=int(hit[again].sum()),
        found_by_pixels=int(hit_by_pixels[again].sum()),
        found_by_luck=float(((same.sum(axis=1) - 1) / max(len(person) - 1, 1))[again].sum()),
        wrong=wrong[0],
        wrong_by_pixels=wrong[1],
        mixed=sorted(mixed, key=lambda each: each.distance),
        alike=[match(one, other) for one, other in worst],
        left_out=len(faces) - len(kept),
    )


def _small(images: np.ndarray, size: int) -> np.ndarray:
    """Shrink faces to what the model looks at: uint8 (n, size, size)."""
    return np.rint(255 * recognizer.resized(images, size)).astype(np.uint8)


def _apart(vectors: np.ndarray) -> np.ndarray:
    """Distances between photos, float32 (n, n). A photo is not compared with itself: infinity."""
    distance = fingerprints.distances(vectors, vectors, "cosine")
    np.fill_diagonal(distance, np.inf)
    return distance


def front(opened: predictor.Predictor, pictures: np.ndarray) -> np.ndarray:
    """Draw one front from several photos of a person.

    Parameters
    ----------
    opened : Predictor
        Of the fingerprint model.
    pictures : numpy.ndarray
        uint8, shape (n, 32, 32). Their mirror images are taken, too.

    Returns
    -------
    numpy.ndarray
        uint8, shape (32, 32): of the mean of what the decoder takes of each. The mean of several
        fingerprints is shorter than they are, and would be drawn as a face like any other: it is
        made as long as they are on average.
    """
    latent = opened.encode(np.concatenate([pictures, pictures[:, :, ::-1]]))
    mean, width = latent.mean(axis=0), opened.run.config.latent_size  # behind it is the light
    length = np.linalg.norm(latent[:, :width], axis=1).mean()
    mean[:width] *= length / max(np.linalg.norm(mean[:width]), 1e-12)
    return opened.decode(mean[None])[0]


def _table(distance: np.ndarray, person: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Mean distances between the photos of each two people: float64 (p, p)."""
    member = (person == numbers[:, None]).astype(np.float64)
    known = np.isfinite(distance)
    total = member @ np.where(known, distance, 0) @ member.T
    count = member @ known @ member.T
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
