"""A reader's own photos on one page: everybody's front as it is drawn, and who is taken for whom.

``python -m speculo.own_faces FOLDER`` writes it; ``make faces`` calls that. Nothing is trained: the
fingerprint model comes with the book. `look` finds what there is to say, ``page`` writes it down.
"""

from typing import NamedTuple

import numpy as np

from speculo import fingerprints, mistakes, pairs, predictor, recognition, recognizer, runs
from speculo.faces import FaceSet

MOST_PEOPLE, MOST_PHOTOS = 200, 3000
"""People and photos on a page, at most. Of more, the first people, and some photos of each."""

ENOUGH = 20
"""With fewer photos than these the page says that they are few."""

ALIKE = 6
"""Pairs of people that are shown as the most alike, at most."""


class Match(NamedTuple):
    """Two photos, by their positions, and the distance of their fingerprints."""

    photo: int
    other: int
    distance: float


class Person(NamedTuple):
    """What one person's photos are taken for."""

    name: str
    photos: np.ndarray  # positions, int64 (n,)
    front: int  # position of the most frontal one
    seen: np.ndarray  # that photo as the model sees it, uint8 (32, 32)
    drawn: np.ndarray  # the front as it is drawn from all photos, uint8 (32, 32)
    nearest: Match | None  # the photo that is most like one of somebody else


class Judged(NamedTuple):
    """How well one way of comparing photos tells the people apart."""

    found: int  # photos whose nearest other photo shows the same person
    limit: float  # the distance within which two photos pass for one person
    genuine: int  # pairs of photos of one person
    within: int  # of them, those within the limit
    impostor: int  # pairs of photos of two people
    confused: int  # of them, those within the limit

    @property
    def wrong(self) -> float:
        """Share of wrong answers, both kinds of pairs weighing the same; NaN without both."""
        if not self.genuine or not self.impostor:
            return np.nan
        return (1 - self.within / self.genuine + self.confused / self.impostor) / 2


class Looked(NamedTuple):
    """What there is to be said of some faces. Distances are 1 minus the cosine."""

    faces: FaceSet
    people: list[Person]
    table: np.ndarray  # (people, people): mean distances between photos, NaN of a single one
    searched: int  # photos whose person has another one
    by_luck: float  # of them, those that a blind choice would find
    by_model: Judged
    by_pixels: Judged
    mixed: list[
        Match
    ]  # photos that are nearest to somebody else's; single ones if within the limit
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
    person = faces.person[kept]
    opened = predictor.opened(runs.recorded(fingerprints.SHIPPED))
    small = _small(faces.images[kept], opened.size)
    same = person[:, None] == person
    again = same.sum(axis=1) > 1
    distance = _apart(opened.fingerprints(small))
    limits = _limits(opened)
    by_model = _judged(distance, same, again, limits[0])
    by_pixels = _judged(_apart(fingerprints.pixels(small)), same, again, limits[1])

    def match(photo: int, other: int) -> Match:
        return Match(int(kept[photo]), int(kept[other]), float(distance[photo, other]))

    numbers, fronts = np.unique(person), pairs.fronts(faces)[kept]
    people = []
    for number in numbers:
        mine = np.flatnonzero(person == number)
        others = np.where(same[mine], np.inf, distance[mine])
        row, column = divmod(int(others.argmin()), len(person))
        ahead = int(fronts[mine[0]])
        people.append(
            Person(
                name=faces.names[number],
                photos=kept[mine],
                front=ahead,
                seen=_small(faces.images[[ahead]], opened.size)[0],
                drawn=front(opened, small[mine]),
                nearest=match(int(mine[row]), column) if len(numbers) > 1 else None,
            )
        )
    nearest = distance.argmin(axis=1)
    alien = (person[nearest] != person) & (again | (distance.min(axis=1) <= by_model.limit))
    return Looked(
        faces=faces,
        people=people,
        table=_table(distance, person, numbers),
        searched=int(again.sum()),
        by_luck=float(((same.sum(axis=1) - 1) / max(len(person) - 1, 1))[again].sum()),
        by_model=by_model,
        by_pixels=by_pixels,
        mixed=sorted(
            (match(int(photo), int(nearest[photo])) for photo in np.flatnonzero(alien)),
            key=lambda each: each.distance,
        ),
        alike=[match(*two) for two in mistakes.worst(-distance, person, ALIKE)[0]],
        left_out=len(faces) - len(kept),
    )


def _judged(distance: np.ndarray, same: np.ndarray, again: np.ndarray, limit: float) -> Judged:
    """Count what a way of comparing finds, and its pairs on either side of a limit."""
    hit = np.take_along_axis(same, distance.argmin(axis=1)[:, None], axis=1)[:, 0]
    above = np.triu(np.ones_like(same), 1)
    near = distance <= limit
    genuine, impostor = same & above, ~same & above
    counts = (each.sum() for each in (genuine, genuine & near, impostor, impostor & near))
    return Judged(int((hit & again).sum()), limit, *map(int, counts))


def _limits(opened: predictor.Predictor) -> tuple[float, float]:
    """Set the limits, of fingerprints and of pixels, on photographs of people of ORL.

    The model has not learned from these. At a limit both kinds of error are equally frequent.
    """
    faces, index = predictor.strangers(opened)
    images, person = faces.images[index], faces.person[index]
    kinds = opened.fingerprints(images), fingerprints.pixels(images)
    model, pixels = (
        1 - recognition.verification(recognition.Cosine(each), person).eer_threshold()
        for each in kinds
    )
    return model, pixels


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
