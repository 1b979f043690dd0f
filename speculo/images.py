"""Photos from files to small grey squares: any format, all cores, and a reason for each bad one."""

import io
import math
import os
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from speculo import cluster, detector, files
from speculo.progress import Progress

Crop = None | float | str | tuple[float, float, float, float]
"""What to take of a photo: all (None), the middle share of each side (a number), the face as it
is found ("auto"), or a box of left, top, right, bottom in pixels."""

Box = detector.Box
"""Left, top, right and bottom of a part of a photo, in pixels."""

GROUND = 128
"""Grey that shows through where a picture is transparent."""

PIXELS: dict[str | None, float] = {
    "JPEG2000": 25_000_000,
    "WEBP": 30_000_000,
    "AVIF": 50_000_000,
    "HEIF": 60_000_000,
}
"""Most pixels of a photo in formats whose decoders take much memory: about half a gigabyte then.
Others may have as many as Pillow takes for safe, and take no more memory than that."""

SLOW = 10_000_000
"""Most pixels of a photo in formats that are decoded by Python itself: a minute or less."""

_CHUNK = 16  # photos in one piece of work: long enough to hide the cost of handing it over

_STRIP = 1 << 20  # pixels that are turned to grey at once
_LARGE = 24_000_000  # pixels: larger photos are decoded one at a time, so that memory is bounded
_one_at_a_time = threading.Lock()

# Formats that Pillow gives to other programs, or only knows by name.
_REFUSED = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}

Image.init()
with suppress(ImportError):  # where a system has no such package, HEIC is no format that is read
    import _pi_heif  # noqa: F401 - pi_heif itself is silent when this part of it cannot be loaded
    import pi_heif

    # It sets a photo upright by itself, and puts that into the EXIF orientation.
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
FORMATS = tuple(name for name in Image.OPEN if name not in _REFUSED)
"""Formats that are read, by Pillow's names."""

SUFFIXES = frozenset(
    suffix for suffix, name in Image.registered_extensions().items() if name in FORMATS
)
"""Endings of files that are taken for photos, in lower case, with the dot."""

# How the reader of HEIC begins when it complains of a file.
_HEIF_SAYS = ("Invalid input:", "Decoder plugin generated", "Memory allocation error:")

_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class NoFace(Exception):
    """The photo is good, but no face was found in it."""


def read(path: str | Path | bytes, size: int, crop: Crop = None) -> np.ndarray:
    """Read one photo as a grey square.

    Colour becomes grey as the eye weighs it, transparent parts show mid-grey,
    16 bits become 8, EXIF orientation is followed, and of an animation the
    first frame is taken. What is cropped is shrunk to a square with the Lanczos
    filter, whatever its shape.

    Parameters
    ----------
    path : str, Path or bytes
        A file, or what stands in one.
    size : int
        Height and width in pixels.
    crop : None, float, "auto" or tuple of four numbers
        See `Crop`. A box that leaves the photo is clipped.

    Returns
    -------
    numpy.ndarray
        uint8, shape (size, size).

    Raises
    ------
    NoFace
        If `crop` is ``"auto"`` and no face is found.
    ValueError
        If the photo cannot be read: the message says why, without the path.
    """
    with _reasons():
        return _read(path, size, crop)[0]


def read_whole(path: str | Path | bytes, side: int) -> np.ndarray:
    """Read one photo as it is, upright and grey, to look at and to crop by hand.

    Parameters
    ----------
    path : str, Path or bytes
        A file, or what stands in one.
    side : int
        The longer side in pixels of what is returned. A smaller photo stays
        as it is.

    Returns
    -------
    numpy.ndarray
        uint8, shape (height, width).

    Raises
    ------
    ValueError
        If the photo cannot be read: the message says why, without the path.
    """
    with _reasons():
        upright, _ = _decode(path, side)
        upright.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
        return np.asarray(upright)


def cut(whole: np.ndarray, box: Box, size: int) -> np.ndarray:
    """Shrink a part of a photo that was read to a square, as `read` does.

    Parameters
    ----------
    whole : numpy.ndarray
        uint8, shape (height, width).
    box : tuple of float
        See `Box`.
    size : int
        Height and width in pixels.

    Returns
    -------
    numpy.ndarray
        uint8, shape (size, size).
    """
    return _squared(Image.fromarray(whole), box, size)


def square_at(shape: tuple[int, int], left: float, top: float, side: float) -> Box:
    """Turn percents of a photo into a square in pixels, moved back where it leaves the photo.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the photo.
    left, top, side : float
        In percent of the width, of the height, and of the shorter of them.
    """
    height, width = shape
    side = max(side / 100 * min(width, height), 1.0)
    left = min(left / 100 * width, width - side)
    top = min(top / 100 * height, height - side)
    return left, top, left + side, top + side


def read_all(
    root: Path, paths: Sequence[str], size: int, crops: Sequence[Crop]
) -> tuple[np.ndarray, dict[int, ValueError | NoFace], dict[int, int]]:
    """Read many photos on all cores.

    Parameters
    ----------
    root : Path
        Folder that the paths start from.
    paths : sequence of str
    size : int
        Height and width in pixels.
    crops : sequence of Crop
        One for each path.

    Returns
    -------
    tuple
        uint8 (n, size, size); by position the error of each photo that could
        not be read, whose image is undefined; and by position how many faces
        were found in each photo that has more than one.
    """
    images = np.empty((len(paths), size, size), dtype=np.uint8)
    failed: dict[int, ValueError | NoFace] = {}
    several: dict[int, int] = {}
    begin, done = time.perf_counter(), 0
    pieces = [
        (root, paths[start : start + _CHUNK], size, crops[start : start + _CHUNK])
        for start in range(0, len(paths), _CHUNK)
    ]
    # Threads do as well as processes here, as Pillow and OpenCV work outside Python's lock.
    read = cluster.each(_read_some, pieces, here="threads")
    with warnings.catch_warnings(), closing(read), Progress(unit="img") as progress:
        warnings.simplefilter("ignore")  # for the threads too, which share the filters
        for some, bad, crowded in read:
            images[done : done + len(some)] = some
            failed |= {done + row: why for row, why in bad.items()}
            several |= {done + row: faces for row, faces in crowded.items()}
            done += len(some)
            progress.update(done, len(paths), time.perf_counter() - begin, "Reading photos")
    return images, failed, several


def _read_some(
    root: Path, paths: Sequence[str], size: int, crops: Sequence[Crop]
) -> tuple[np.ndarray, dict[int, ValueError | NoFace], dict[int, int]]:
    """Read a few photos: what `read_all` returns, of these."""
    images = np.empty((len(paths), size, size), dtype=np.uint8)
    failed, several = {}, {}
    for row, (path, crop) in enumerate(zip(paths, crops, strict=True)):
        try:
            # Pillow warns of odd metadata, photo by photo. What matters becomes an error.
            with _reasons():
                images[row], faces = _read(os.path.join(root, path), size, crop)
            if faces > 1:
                several[row] = faces
        except (ValueError, NoFace) as error:
            failed[row] = type(error)(str(error))  # a new one: the old holds the image
    return images, failed, several


@contextmanager
def _reasons() -> Iterator[None]:
    """Turn whatever readers of damaged files stumble on into a ValueError that says why."""
    try:
        yield
    except NoFace:
        raise
    except Exception as error:
        raise ValueError(_reason(error)) from error


def _read(path: str | Path | bytes, size: int, crop: Crop) -> tuple[np.ndarray, int]:
    """Read one photo as a square, and say how many faces were found in it, if they were looked for."""
    faces = 0
    upright, shrunk = _decode(path, size, crop)
    width, height = upright.size
    if crop == "auto":
        found = detector.find_all(np.asarray(upright))
        if not found:
            raise NoFace("no face found")
        box, faces = found[0].box, len(found)
    elif isinstance(crop, tuple):
        left, top, right, bottom = (edge * shrunk for edge in crop)
        box = _clipped((left, top, right, bottom), width, height)
    else:
        margin = (1 - float(crop or 1.0)) / 2
        box = (width * margin, height * margin, width * (1 - margin), height * (1 - margin))
    return _squared(upright, box, size), faces


def _squared(image: Image.Image, box: Box, size: int) -> np.ndarray:
    """Shrink a part of a picture to a square."""
    square = image.resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    return np.asarray(square)


def _decode(path: str | Path | bytes, size: int, crop: Crop = None) -> tuple[Image.Image, float]:
    """Open a photo upright and grey, with as many pixels as cropping and shrinking it well need.

    Returns
    -------
    tuple
        The photo, and how many times its sides are those of the file.
    """
    with ExitStack() as stack:
        source = io.BytesIO(path) if isinstance(path, bytes) else files.open_file(path)
        stack.enter_context(source)
        if not (len(path) if isinstance(path, bytes) else os.fstat(source.fileno()).st_size):
            raise ValueError("the file is empty")
        image = stack.enter_context(Image.open(source, formats=FORMATS))
        width, height = image.size
        _refuse_too_large(image)
        # Of a JPEG only so many pixels are decoded as shrinking well needs: twice the size.
        need, share = 2 * size, 1.0
        if crop == "auto":
            need = max(detector.SIDE, 4 * size)
        elif isinstance(crop, tuple):
            box = _clipped(crop, max(width, height), max(width, height))
            share = min(box[2] - box[0], box[3] - box[1]) / max(width, height)
        elif crop is not None:
            share = float(crop)
        need = math.ceil(need / share)
        image.draft("L", (need, need))
        # A progressive JPEG is held whole, however small it is decoded.
        decoded = (width, height) if image.info.get("progressive") else image.size
        with _one_at_a_time if math.prod(decoded) > _LARGE else nullcontext():
            image.load()
            shrunk = max(image.size) / max(width, height)
            orientation = _orientation(image)
            grey = _grey(image)
    return _upright(grey, orientation), shrunk


def _refuse_too_large(image: ImageFile.ImageFile) -> None:
    """Refuse a photo that would take more memory, or more time, than a photo may."""
    most = PIXELS.get(image.format, Image.MAX_IMAGE_PIXELS or math.inf)
    if image.tile and image.tile[0][0] in Image.DECODERS:  # those that are written in Python
        most = min(most, SLOW)
    if math.prod(image.size) > most:
        raise ValueError(
            f"{image.width} x {image.height} pixels, more than the {most:,} that are read of a "
            f"photo in {image.format}: make it smaller"
        )


def _clipped(box: Box, width: float, height: float) -> Box:
    left, top, right, bottom = box
    left, right = max(left, 0), min(right, width)
    top, bottom = max(top, 0), min(bottom, height)
    if right - left < 1 or bottom - top < 1:
        raise ValueError("the box of the face lies outside the photo, or is empty")
    return left, top, right, bottom


def _orientation(image: Image.Image) -> int:
    """EXIF orientation of a loaded image. Pillow sets a TIFF upright by itself, and forgets it."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF data is no reason to lose the photo
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def _grey(image: Image.Image) -> Image.Image:
    """Grey of 8 bits from any mode, a strip at a time: whole copies of a large photo would not fit."""
    if image.mode == "L" and not image.has_transparency_data:
        return image.copy()
    rows = max(1, _STRIP // image.width)
    boxes = [
        (0, top, image.width, min(top + rows, image.height)) for top in range(0, image.height, rows)
    ]
    deep = image.mode in ("I", "F") or image.mode.startswith("I;")
    top = max(_top(image.mode, _values(image.crop(box))) for box in boxes) if deep else None
    grey = Image.new("L", image.size)
    for box in boxes:
        strip = image.crop(box)
        if deep:
            scaled = np.rint(np.clip(_values(strip) / top, 0, 1) * 255)
            strip = Image.fromarray(scaled.astype(np.uint8))
        grey.paste(_shallow_grey(strip), box)
    return grey


def _shallow_grey(image: Image.Image) -> Image.Image:
    """Grey from any mode of 8 bits."""
    if image.mode == "LAB":
        return image.getchannel("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (GROUND, GROUND, GROUND, 255))
        image = Image.alpha_composite(ground, image)
    if image.mode not in ("1", "L", "RGB", "YCbCr"):
        image = image.convert("RGB")
    return image.convert("L")


def _values(image: Image.Image) -> np.ndarray:
    return np.nan_to_num(np.asarray(image, dtype=np.float32))


def _top(mode: str, values: np.ndarray) -> int:
    """Largest value that deep pixels of this kind can hold, so that a dark photo stays dark."""
    largest = values.max(initial=0)
    if mode == "F" and largest <= 255:
        return 1 if largest <= 1 else 255
    return 65535 if largest <= 65535 else 2**31 - 1


def _reason(error: Exception) -> str:
    """Say in short words why a photo cannot be read."""
    if isinstance(error, UnidentifiedImageError):
        return "not a picture of a format that can be read: save it as JPEG or PNG"
    if isinstance(error, MemoryError):
        return "it takes more memory than there is"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = " ".join(str(error).split()) or type(error).__name__
    return f"the file is truncated or damaged ({said})" if said.startswith(_HEIF_SAYS) else said
