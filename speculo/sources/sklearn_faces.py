"""Olivetti and LFW, as scikit-learn fetches and keeps them.

They are downloaded once into scikit-learn's data folder. See ``data/README.md``.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from speculo import checks, prepared
from speculo.faces import FaceSet


def olivetti(size: int = 32, people: int | None = None, data_home: str | None = None) -> FaceSet:
    """Load the Olivetti faces: ORL, cut to the face by Sam Roweis, 64 x 64 pixels.

    Parameters
    ----------
    size : int
        Height and width in pixels.
    people : int, optional
        The first so many of the 40 people.
    data_home : str, optional
        scikit-learn's data folder, if it is not where scikit-learn puts it.

    Returns
    -------
    FaceSet
        Pose is NaN throughout.

    Raises
    ------
    ConnectionError
        If the faces are not there and cannot be downloaded.
    ValueError
        If `people` is more than 40.
    """
    from sklearn.datasets import fetch_olivetti_faces

    fetched = _fetch(fetch_olivetti_faces, data_home)
    names = [f"s{number + 1}" for number in range(fetched.target.max() + 1)]
    return _faces("olivetti", fetched.images, fetched.target, names, size, people)


def lfw(
    size: int = 32,
    people: int | None = None,
    min_photos: int = 1,
    data_home: str | None = None,
) -> FaceSet:
    """Load Labeled Faces in the Wild: 13,233 photos of 5,749 people, aligned by funneling.

    Parameters
    ----------
    size : int
        Height and width in pixels.
    people : int, optional
        The first so many people, by name.
    min_photos : int
        Leave out people with fewer photos. 4,069 of them have only one.
    data_home : str, optional
        scikit-learn's data folder, if it is not where scikit-learn puts it.

    Returns
    -------
    FaceSet
        Pose is NaN throughout.

    Raises
    ------
    ConnectionError
        If the faces are not there and cannot be downloaded.
    ValueError
        If `people` is more than there are, or if nobody has `min_photos`.
    """
    from sklearn.datasets import fetch_lfw_people

    checks.whole_number("min_photos", min_photos)
    # scikit-learn cuts 125 x 94 pixels out of the middle. No more of them are held than needed.
    fetched = _fetch(
        fetch_lfw_people,
        data_home,
        resize=min(1.0, (size + 0.5) / 94),
        min_faces_per_person=min_photos,
    )
    names = fetched.target_names.tolist()
    return _faces("lfw", fetched.images, fetched.target, names, size, people)


def _fetch(fetch: Callable, data_home: str | None, **options):
    try:
        return fetch(data_home=data_home, **options)
    except OSError as error:
        from sklearn.datasets import get_data_home

        raise ConnectionError(
            f"The faces are not in scikit-learn's data folder {get_data_home(data_home)} and could "
            f"not be downloaded ({error}). Run this once with a network, or copy that folder from "
            "a machine that has them; orl comes with the book and needs no network"
        ) from error


def _faces(
    name: str,
    images: np.ndarray,
    target: np.ndarray,
    names: list[str],
    size: int,
    people: int | None,
) -> FaceSet:
    """Shrink scikit-learn's floats in 0..1, and put the photos of a person together."""
    names = prepared.first_people(names, people)
    order = np.argsort(target, kind="stable")
    order = order[target[order] < len(names)]
    pixels = np.empty((len(order), size, size), dtype=np.uint8)
    for row, place in enumerate(order):
        image = Image.fromarray(np.rint(np.clip(images[place], 0, 1) * 255).astype(np.uint8))
        pixels[row] = image.resize((size, size), Image.Resampling.LANCZOS)
    return FaceSet(
        name=name,
        images=pixels,
        person=target[order].astype(np.int32),
        names=tuple(names),
        pose=np.full((len(order), 3), np.nan, dtype=np.float32),
        origin=np.array([f"scikit-learn's {name}, image {place}" for place in order]),
    )
