"""Olivetti and LFW, as scikit-learn fetches and keeps them.

They are downloaded once into scikit-learn's data folder. See ``data/README.md``.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from speculo import checks, files, prepared
from speculo.faces import FaceSet

LFW_PHOTOS = 13_233

_DAMAGED = (
    "is damaged ({why}): its download may have been interrupted. Delete it to download it again"
)


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
        If `people` is more than 40, or if what was downloaded is damaged.
    """
    from sklearn.datasets import fetch_olivetti_faces, get_data_home

    kept = Path(get_data_home(data_home), "olivetti_py3.pkz")
    if why := _damage(kept):
        raise ValueError(f"{kept} {_DAMAGED.format(why=why)}")
    fetched = _fetch(fetch_olivetti_faces, data_home, kept)
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
        If `people` is more than there are, if nobody has `min_photos`, or if
        what was downloaded is damaged.
    """
    from sklearn.datasets import fetch_lfw_people, get_data_home

    checks.whole_number("min_photos", min_photos)
    kept = Path(get_data_home(data_home), "lfw_home")
    skipped = _look_at_lfw(kept, min_photos)
    # scikit-learn cuts 125 x 94 pixels out of the middle. No more of them are held than needed.
    fetched = _fetch(
        fetch_lfw_people,
        data_home,
        kept / "lfw_funneled",
        resize=min(1.0, (size + 0.5) / 94),
        min_faces_per_person=min_photos,
    )
    names = fetched.target_names.tolist()
    return _faces("lfw", fetched.images, fetched.target, names, size, people, skipped)


def _look_at_lfw(kept: Path, min_photos: int) -> list[tuple[str, str]]:
    """Look at LFW before scikit-learn reads it, which takes whatever there is.

    Returns
    -------
    list of (str, str)
        What is missing of it.

    Raises
    ------
    ValueError
        If there is something that cannot be read, or nobody with `min_photos`.
    """
    # scikit-learn keeps what it read as well. What is damaged there is read anew.
    for result in list(kept.glob("joblib/**/output.pkl")):
        if _damage(result):
            files.remove(result.parent)
    if not kept.joinpath("lfw_funneled").is_dir():
        return []
    found = prepared.scan(kept, "lfw_funneled", 1)
    for file in found:
        if file.why:
            raise ValueError(f"{prepared.readable(kept / file.path)} is {file.why}. Take it away")
    photos = Counter(file.path.split("/")[1] for file in found if file.path.count("/") == 2)
    if photos and max(photos.values()) < min_photos:
        raise ValueError(
            f"min_photos is {min_photos}, but nobody has more than {max(photos.values())}"
        )
    if photos.total() == LFW_PHOTOS:
        return []
    why = (
        f"it holds {photos.total():,} photos, expected {LFW_PHOTOS:,}: unpacking it may have been "
        f"interrupted. Delete {prepared.readable(kept)} to download it again"
    )
    return [("lfw_funneled", why)]


def _damage(path: Path) -> str:
    """Say what is wrong with a file that scikit-learn keeps compressed, or nothing."""
    try:
        with files.open_file(path) as file:
            zlib.decompress(file.read())
    except FileNotFoundError:
        return ""
    except OSError as error:
        return error.strerror or str(error)
    except zlib.error as error:
        return str(error)
    return ""


def _fetch(fetch: Callable, data_home: str | None, kept: Path, **options):
    """Let scikit-learn read what it keeps as `kept`, or download it."""
    there = kept.exists()
    try:
        return fetch(data_home=data_home, **options)
    except Exception as error:
        if there:
            raise ValueError(f"{kept} {_DAMAGED.format(why=error)}") from error
        if not isinstance(error, OSError):
            raise
        raise ConnectionError(
            f"The faces are not in scikit-learn's data folder {kept.parent} and could "
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
    skipped: Sequence[tuple[str, str]] = (),
) -> FaceSet:
    """Shrink scikit-learn's floats in 0..1, and put the photos of a person together."""
    names = list(prepared.first_people(names, people))
    order = np.argsort(target, kind="stable")
    order = order[target[order] < len(names)]
    pixels = np.empty((len(order), size, size), dtype=np.uint8)
    for row, place in enumerate(order):
        image = Image.fromarray(np.rint(np.clip(images[place], 0, 1) * 255).astype(np.uint8))
        pixels[row] = np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))
    return FaceSet(
        name=name,
        images=pixels,
        person=target[order].astype(np.int32),
        names=tuple(names),
        pose=np.full((len(order), 3), np.nan, dtype=np.float32),
        origin=np.array([f"scikit-learn's {name}, image {place}" for place in order]),
        skipped=tuple(skipped),
    )
