"""Where the faces are in a snapshot: OpenCV's cascades, which come inside its package."""

import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of a picture, in pixels."""

SIDE = 480
"""A snapshot is searched at this size of its shorter side, in pixels."""

MOST = 16 * SIDE * SIDE
"""A long strip is searched at this many pixels in all."""

SMALLEST = 0.1
"""Share of the shorter side that a face must fill to be found."""

WIDER = 1.25
"""A cascade marks brows to chin. The crop is so many times wider, to hold the whole face."""

EDGE = 0.25
"""Where nothing is found, the picture is searched again with its edge drawn on so far outwards, as
a share of its shorter side: a face that fills the picture needs some room around it."""

SURE = 0.25
"""A face is left out if its sureness is less than this share of the surest one's."""

SAME = 0.3
"""Boxes that share this much of what they cover together are of one face."""

_kept = threading.local()  # a cascade must not be used by two threads at once


class Found(NamedTuple):
    """One face in a picture.

    Attributes
    ----------
    box : tuple of float
        Left, top, right and bottom of a square around the face, or of as much
        of it as the picture holds.
    sureness : float
        How many boxes of the detector agree on it: more is surer.
    """

    box: Box
    sureness: float


def find(grey: np.ndarray) -> Box | None:
    """Find the largest face: the box of the first one of `find_all`, or None.

    Parameters
    ----------
    grey : numpy.ndarray
        uint8, shape (height, width).
    """
    found = find_all(grey)
    return found[0].box if found else None


def find_all(grey: np.ndarray) -> list[Found]:
    """Find the faces.

    Faces that look ahead are searched first, then profiles to either side,
    then all of them in a picture with more room around it. The first search
    that finds something ends it.

    Parameters
    ----------
    grey : numpy.ndarray
        uint8, shape (height, width).

    Returns
    -------
    list of Found
        The largest first. Boxes on one face are one, and what is much less sure
        than the surest is left out. Empty where no face is found.
    """
    import cv2

    height, width = grey.shape
    shrink = min(1.0, SIDE / min(height, width), (MOST / (height * width)) ** 0.5)
    if shrink * min(height, width) < 1:
        return []  # a line, in which there is nothing to see
    small = cv2.equalizeHist(
        cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    )
    for room in (0, round(EDGE * min(small.shape))):
        wider = cv2.copyMakeBorder(small, room, room, room, room, cv2.BORDER_REPLICATE)
        boxes = _search(wider, round(SMALLEST * min(small.shape)))
        if boxes:
            break
    faces = []
    for (left, top, side), sureness in _merged(boxes):
        left, top, side = (left - room) / shrink, (top - room) / shrink, side / shrink
        faces.append(Found(_square(left, top, side, width, height), sureness))
    return faces


def _search(picture: np.ndarray, smallest: int) -> list[tuple[Box, float]]:
    """Left, top and side of each face that the first of the cascades to find one finds, and how sure it is."""
    ahead, profile = _cascades()
    for cascade, mirrored in ((ahead, False), (profile, False), (profile, True)):
        searched = picture[:, ::-1].copy() if mirrored else picture
        boxes, counts = cascade.detectMultiScale2(
            searched, scaleFactor=1.1, minNeighbors=5, minSize=(smallest, smallest)
        )
        if len(boxes):
            lefts, tops, sides, _ = np.transpose(boxes).tolist()
            if mirrored:
                lefts = [
                    picture.shape[1] - left - side for left, side in zip(lefts, sides, strict=True)
                ]
            return list(zip(zip(lefts, tops, sides, strict=True), counts, strict=True))
    return []


def _merged(boxes: list[tuple[tuple, float]]) -> list[tuple[tuple, float]]:
    """Keep the surest box of each face, and the faces that are about as sure as the surest; the largest first."""
    kept = []
    for box, sureness in sorted(boxes, key=lambda found: -found[1]):
        if sureness < SURE * (kept[0][1] if kept else 0):
            break
        if all(_overlap(box, other) < SAME for other, _ in kept):
            kept.append((box, sureness))
    return sorted(kept, key=lambda found: -found[0][2])


def _overlap(one: tuple, other: tuple) -> float:
    """Share of what two squares cover together that both cover."""
    width, height = (
        max(0, min(one[at] + one[2], other[at] + other[2]) - max(one[at], other[at]))
        for at in (0, 1)
    )
    return width * height / (one[2] ** 2 + other[2] ** 2 - width * height)


def _square(left: float, top: float, side: float, width: int, height: int) -> Box:
    """Widen a square, and move it back into the picture where it leaves it."""
    middle = left + side / 2, top + side / 2
    side = min(side * WIDER, width, height)
    left = min(max(middle[0] - side / 2, 0), width - side)
    top = min(max(middle[1] - side / 2, 0), height - side)
    return left, top, left + side, top + side


def _cascades() -> tuple:
    """The two cascades of this thread."""
    if not hasattr(_kept, "cascades"):
        import cv2

        folder = Path(cv2.data.haarcascades)
        _kept.cascades = tuple(
            cv2.CascadeClassifier(str(folder / f"haarcascade_{name}.xml"))
            for name in ("frontalface_alt2", "profileface")
        )
        if any(cascade.empty() for cascade in _kept.cascades):
            del _kept.cascades
            raise OSError(
                f"OpenCV's cascades in {folder} are missing or damaged. Install them anew with: "
                "pip install --force-reinstall opencv-python-headless"
            )
    return _kept.cascades
