"""Photos that are read once: the second time a folder of faces opens at once, memory-mapped.

What was prepared is kept in ``build/cache``, a folder for each set of files and
options, and may be deleted at any time. A file that was added, changed or
taken away makes another set.
"""

import hashlib
import math
import os
import re
import shutil
import time
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speculo import checks, files
from speculo.faces import FaceSet

VERSION = 1
"""Of what is kept: to be raised whenever the same files would give other faces."""

BAD = 0.1
"""Largest share of bad photos that are skipped. With more of them something else is wrong."""

NO_POSE = (math.nan, math.nan, math.nan)


class Photo(NamedTuple):
    """One photo that a source found, before it is opened."""

    path: str  # from the dataset's folder, with "/"
    person: str
    series: str = ""
    pose: tuple[float, float, float] = NO_POSE  # yaw, pitch, roll in degrees
    crop: object = None  # see images.Crop
    is_front: bool = False  # chosen as the front of its series


class Found(NamedTuple):
    """What a source found in its folder."""

    photos: Sequence[Photo]  # all photos of a person one after the other
    skipped: Sequence[tuple[str, str]] = ()  # what is no photo, or has no use, and why


class File(NamedTuple):
    """One file on disk."""

    path: str
    size: int
    time: int  # of the last change, in nanoseconds


def find_folder(path: str | Path, layout: str) -> Path:
    """Find the folder of a dataset.

    A relative path is looked for from where Python runs, then from the
    project's folder, then from its notebooks.

    Raises
    ------
    FileNotFoundError
        If there is none: the message shows the layout expected and what was
        found instead.
    """
    path = Path(os.path.expanduser(checks.path("path", path)))  # an unknown ~somebody stays
    bases = (Path.cwd(), files.PROJECT, files.PROJECT / "notebooks")
    tried = list(dict.fromkeys((base / path).resolve() for base in bases))
    for candidate in tried:
        if os.path.isdir(candidate):  # false, too, where a name is too long for the system
            return candidate
    file = next((candidate for candidate in tried if os.path.isfile(candidate)), None)
    if file:
        raise FileNotFoundError(f"{file} is a file, expected a folder:\n\n{layout}")
    near = next(parent for parent in tried[0].parents if os.path.isdir(parent))
    looked = "".join(f"\n  {candidate}" for candidate in tried)
    raise FileNotFoundError(
        f"There is no folder {path}. It was looked for as{looked}\n"
        f"Expected:\n\n{layout}\n\nFound instead in {near}: {inventory(near)}"
    )


def wrong_layout(root: Path, layout: str) -> FileNotFoundError:
    """Make the error for a folder that holds something else."""
    return FileNotFoundError(
        f"{root} holds no faces that can be read.\n"
        f"Expected:\n\n{layout}\n\nFound instead in {root}: {inventory(root)}"
    )


def inventory(folder: Path, most: int = 8) -> str:
    """Say in one line what a folder holds."""
    entries = sorted(folder.iterdir(), key=lambda entry: natural(entry.name))
    words = []
    for kind, names in (
        ("folder", [f"{entry.name}/" for entry in entries if entry.is_dir()]),
        ("file", [entry.name for entry in entries if not entry.is_dir()]),
    ):
        if names:
            more = ", ..." if len(names) > most else ""
            plural = "s" if len(names) > 1 else ""
            words.append(f"{len(names)} {kind}{plural} ({', '.join(names[:most])}{more})")
    return readable(" and ".join(words) or "nothing")


def scan(root: Path, folder: str = "", depth: int = 0) -> list[File]:
    """List the files of a folder, those whose names begin with a dot left out.

    Parameters
    ----------
    root : Path
        Folder that the paths start from.
    folder : str
        Folder to list, from `root`.
    depth : int
        How many levels of folders below it are listed too. A deeper folder
        stands in the list itself, with a "/" behind its name.

    Returns
    -------
    list of File
        Sorted by path, as text.
    """
    found = []

    def walk(folder: str, depth: int) -> None:
        prefix = f"{folder}/" if folder else ""
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                path = prefix + entry.name
                if entry.is_dir():
                    if depth:
                        walk(path, depth - 1)
                    else:
                        found.append(File(f"{path}/", 0, 0))
                    continue
                try:
                    status = entry.stat()
                except OSError:  # a link to nowhere: reading it will say so
                    found.append(File(path, 0, 0))
                else:
                    found.append(File(path, status.st_size, status.st_mtime_ns))

    walk(folder, depth)
    found.sort()
    return found


def folders(root: Path, folder: str = "") -> list[str]:
    """Names of the folders in a folder in natural order, hidden ones left out."""
    with os.scandir(os.path.join(root, folder)) as entries:
        names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
    return sorted(names, key=natural)


def natural(name: str) -> list:
    """Sort key by which frame 9 comes before frame 10."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if place % 2 else part.casefold() for place, part in enumerate(parts)]


def readable(name: str) -> str:
    """Turn a file's name into text that can be printed and compared, whatever system wrote it."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return unicodedata.normalize("NFC", text)


def first_people(names: Sequence[str], people: int | None) -> Sequence[str]:
    """Take the first so many names.

    Raises
    ------
    ValueError
        If there are not as many.
    """
    if people is not None and checks.whole_number("people", people) > len(names):
        raise ValueError(f"people is {people}, but there are {len(names)}")
    return names[:people]


def prepare(
    name: str,
    root: Path,
    read: Sequence[File],
    find: Callable[[], Found],
    *,
    size: int,
    layout: str,
    **options,
) -> FaceSet:
    """Open a folder of faces from the cache, or read it and keep it there.

    Parameters
    ----------
    name : str
        Name of the FaceSet.
    root : Path
        The dataset's folder.
    read : sequence of File
        Every file that the result follows from.
    find : callable
        Says what photos there are. It is called if nothing is kept.
    size : int
        Height and width in pixels.
    layout : str
        The layout expected, for the error if there is nothing to read.
    **options
        All else that the result follows from.

    Returns
    -------
    FaceSet
        Its images are read-only and memory-mapped.

    Raises
    ------
    FileNotFoundError
        If no photo could be read.
    ValueError
        If more than a tenth of the photos are bad: the message names them.
    """
    key = _key(read, (VERSION, name, str(root), size, sorted(options.items())))
    return keep(name, f"{size}-{key}", lambda folder: _write(folder, root, find(), size, layout))


def keep(name: str, key: str, write: Callable[[Path], None]) -> FaceSet:
    """Open a FaceSet from the cache, or write it there first.

    Parameters
    ----------
    name : str
        Name of the FaceSet.
    key : str
        Tells it from others of that name.
    write : callable
        Makes the folder: a ``.npy`` of each field of a FaceSet but the name.

    Returns
    -------
    FaceSet
        Its images are read-only and memory-mapped.
    """
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:40].strip("-.")
    folder = files.home() / "build" / "cache" / f"{words}-{key}"
    try:
        return _open(name, folder)
    except FileNotFoundError:
        shutil.rmtree(folder, ignore_errors=True)
    except (ValueError, OSError):  # damaged from outside: made anew
        shutil.rmtree(folder)
    write(folder)
    return _open(name, folder)


def _key(read: Sequence[File], options: tuple) -> str:
    digest = hashlib.blake2b(repr(options).encode(), digest_size=12)
    lines = "\n".join([f"{path}\0{length}\0{time}" for path, length, time in read])
    digest.update(lines.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _open(name: str, folder: Path) -> FaceSet:
    def array(field: str) -> np.ndarray:
        mapped = np.load(folder / f"{field}.npy", mmap_mode="r", allow_pickle=False)
        return mapped.view(np.ndarray)  # memmap's own indexing is slower

    fields = ("images", "person", "names", "pose", "origin", "series", "front", "skipped")
    return FaceSet.from_arrays({"name": np.array(name)} | {field: array(field) for field in fields})


def _write(folder: Path, root: Path, found: Found, size: int, layout: str) -> None:
    """Read the photos and keep what is good of them."""
    from speculo import images

    photos = found.photos
    if not photos:
        raise wrong_layout(root, layout)
    begin = time.perf_counter()
    pixels, failed = images.read_all(
        root, [photo.path for photo in photos], size, [photo.crop for photo in photos]
    )
    seconds = time.perf_counter() - begin
    bad = [row for row in failed if not isinstance(failed[row], images.NoFace)]
    if len(bad) > BAD * len(photos):
        raise _too_many_bad(root, photos, {row: failed[row] for row in sorted(bad)})
    good = [row for row in range(len(photos)) if row not in failed]
    if not good:
        raise FileNotFoundError(
            f"No face was found in any of the {len(photos)} photos in {root}. "
            "Crop the photos to the faces, and load them without crop"
        )
    if failed:
        for place, row in enumerate(good):  # in place: a copy would take the memory twice
            pixels[place] = pixels[row]
    with files.new_folder(folder) as part:
        np.save(part / "images.npy", pixels[: len(good)])
        del pixels  # before the rest is made, which is large too
        for field, array in _tables(found, good, failed).items():
            np.save(part / f"{field}.npy", array, allow_pickle=False)
    rate = len(photos) / seconds
    print(f"Read {len(photos):,} photos in {seconds:.1f} s ({rate:,.0f} a second).", flush=True)


def _too_many_bad(root: Path, photos: Sequence[Photo], bad: dict[int, Exception]) -> ValueError:
    listed = [f"\n  {photos[row].path}: {error}" for row, error in bad.items()]
    if len(listed) > 10:
        listed[10:] = [f"\n  ... and {len(listed) - 10} more"]
    return ValueError(
        readable(
            f"{len(bad)} of {len(photos)} photos in {root} are bad, more than a tenth:"
            f"{''.join(listed)}\nMend them or take them away, and run this again"
        )
    )


def _tables(found: Found, good: list[int], failed: dict[int, Exception]) -> dict[str, np.ndarray]:
    """All arrays of a FaceSet but the images, of the good photos."""
    photos = [found.photos[row] for row in good]
    numbers: dict[str, int] = {}
    groups: dict[tuple[str, str], int] = {}
    chosen: dict[int, int] = {}
    person = np.empty(len(photos), dtype=np.int32)
    series = np.empty(len(photos), dtype=np.int32)
    for row, photo in enumerate(photos):
        person[row] = numbers.setdefault(photo.person, len(numbers))
        series[row] = groups.setdefault((photo.person, photo.series), len(groups))
        if photo.is_front:
            chosen.setdefault(int(series[row]), row)  # of several the first is taken
    skipped = [*found.skipped, *((found.photos[row].path, str(failed[row])) for row in failed)]
    skipped += [
        (name, "no photo of this person could be used, so the person is left out")
        for name in dict.fromkeys(found.photos[row].person for row in failed)
        if name not in numbers
    ]
    skipped = [[readable(text) for text in pair] for pair in sorted(skipped)]
    return {
        "person": person,
        "names": np.array([readable(name) for name in numbers]),
        "pose": np.array([photo.pose for photo in photos], dtype=np.float32),
        "origin": np.array([readable(photo.path) for photo in photos]),
        "series": series,
        "front": np.array([chosen.get(group, -1) for group in range(len(groups))])[series],
        "skipped": np.array(skipped, dtype=np.str_).reshape(-1, 2),
    }
