"""Where the face is in a snapshot: OpenCV's cascades, which come inside its package."""

import threading
from pathlib import Path

import numpy as np

SIDE = 480
"""A snapshot is searched at this size of its shorter side, in pixels."""

MOST = 16 * SIDE * SIDE
"""A long strip is searched at this many pixels in all."""

SMALLEST = 0.1
"""Share of the shorter side that a face must fill to be found."""

WIDER = 1.25
"""A cascade marks brows to chin. The crop is so many times wider, to hold the whole face."""

_kept = threading.local()  # a cascade must not be used by two threads at once


def find(grey: np.ndarray) -> tuple[float, float, float, float] | None:
    """Find the largest face.

    Faces that look ahead are searched first, then profiles to either side.

    Parameters
    ----------
    grey : numpy.ndarray
        uint8, shape (height, width).

    Returns
    -------
    tuple of float or None
        Left, top, right and bottom of a square around the face, or of as much
        of it as the picture holds. None where no face is found.
    """
    import cv2

    height, width = grey.shape
    shrink = min(1.0, SIDE / min(height, width), (MOST / (height * width)) ** 0.5)
    if shrink * min(height, width) < 1:
        return None  # a line, in which there is nothing to see
    small = cv2.equalizeHist(
        cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    )
    smallest = round(SMALLEST * min(small.shape))
    ahead, profile = _cascades()
    for cascade, mirrored in ((ahead, False), (profile, False), (profile, True)):
        searched = small[:, ::-1].copy() if mirrored else small
        found = cascade.detectMultiScale(
            searched, scaleFactor=1.1, minNeighbors=5, minSize=(smallest, smallest)
        )
        if len(found):
            left, top, side, _ = max(found, key=lambda box: box[2]).tolist()
            if mirrored:
                left = small.shape[1] - left - side
            return _square(left / shrink, top / shrink, side / shrink, width, height)
    return None


def _square(
    left: float, top: float, side: float, width: int, height: int
) -> tuple[float, float, float, float]:
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
