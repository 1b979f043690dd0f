"""Folders of photos: what stands in them, whose it is, and the faces that are read from it once.

What was read is kept (see `cache`). A file that was added, changed or taken
away makes another set.
"""

import errno
import hashlib
import math
import os
import re
import stat
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from speculo import cache, checks, files
from speculo.faces import FaceSet

VERSION = 3
"""Of what is kept: to be raised whenever the same files would give other faces."""

BAD = 0.1
"""Largest share of bad photos that are skipped. With more of them something else is wrong."""

NO_POSE = (math.nan, math.nan, math.nan)

# What stands beside letters without being seen, other than format characters (Cf).
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)

# What a terminal obeys, and what turns the direction of a line of text.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

# Cyrillic and Greek letters that look like Latin ones.
_LATIN = str.maketrans(
    "АВЕКМНОРСТУХІЈЅаеорсухіјѕԁԛԝһΑΒΕΖΗΙΚΜΝΟΡΤΥΧον",
    "ABEKMHOPCTYXIJSaeopcyxijsdqwhABEZHIKMNOPTYXov",
)


class Photo(NamedTuple):
    """One photo that a source found, before it is opened."""

    path: str  # from the dataset's folder, with "/"
    person: str
    series: str = ""
    pose: tuple[float, float, float] = NO_POSE  # yaw, pitch, roll in degrees
    crop: Any = None  # see images.Crop
    is_front: bool = False  # chosen as the front of its series


class Found(NamedTuple):
    """What a source found in its folder."""

    photos: Sequence[Photo]  # all photos of a person one after the other
    skipped: Sequence[tuple[str, str]] = ()  # what is no photo, or has no use, and why


class File(NamedTuple):
    """One entry of a folder."""

    path: str
    size: int = 0
    time: int = 0  # of the last change, in nanoseconds
    why: str = ""  # it is no file that can be read


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
    tried = list(dict.fromkeys(base / path for base in bases))
    for candidate in tried:
        if os.path.isdir(candidate):
            return candidate.resolve()
    expected = f"Expected:\n\n{layout}"
    tried = list(dict.fromkeys(Path(os.path.normpath(candidate)) for candidate in tried))
    other = next((candidate for candidate in tried if os.path.lexists(candidate)), None)
    if other:
        raise FileNotFoundError(
            f"{readable(other)} is {_what(other)}, expected a folder. {expected}"
        )
    near = next(parent for parent in tried[0].parents if os.path.isdir(parent))
    looked = "".join(f"\n  {readable(candidate)}" for candidate in tried)
    raise FileNotFoundError(
        f"There is no folder {readable(path)}. It was looked for as{looked}\n"
        f"{expected}\n\nFound instead in {readable(near)}: {inventory(near)}"
    )


def _what(path: Path) -> str:
    try:
        return files.no_file(path.stat().st_mode) or "a file"
    except OSError as error:
        return _reason(error)


def wrong_layout(
    root: Path, layout: str, skipped: Sequence[tuple[str, str]] = ()
) -> FileNotFoundError:
    """Make the error for a folder that holds something else, with what was not read in it and why."""
    return FileNotFoundError(
        f"{readable(root)} holds no faces that can be read.{_not_read(skipped)}\n"
        f"Expected:\n\n{layout}\n\nFound instead in {readable(root)}: {inventory(root)}"
    )


def _not_read(skipped: Sequence[tuple[str, str]]) -> str:
    return f"\nNot read:{_lines(skipped)}" if skipped else ""


def _lines(reasons: Sequence[tuple[str, str]], most: int = 10) -> str:
    """A line of each path and reason, the first few of them."""
    lines = [f"\n  {readable(path)}: {readable(why)}" for path, why in reasons[:most]]
    if len(reasons) > most:
        lines.append(f"\n  ... and {len(reasons) - most:,} more")
    return "".join(lines)


def inventory(folder: Path, most: int = 8) -> str:
    """Say in one line what a folder holds."""
    try:
        found = sorted(os.listdir(folder), key=natural)
    except OSError as error:
        return f"nothing that can be seen ({error.strerror})"
    folders = [name for name in found if os.path.isdir(folder / name)]
    words = []
    for kind, names in (
        ("folder", [f"{name}/" for name in folders]),
        ("file", [name for name in found if name not in folders]),
    ):
        if names:
            more = ", ..." if len(names) > most else ""
            plural = "s" if len(names) > 1 else ""
            words.append(f"{len(names)} {kind}{plural} ({', '.join(names[:most])}{more})")
    return readable(" and ".join(words) or "nothing")


def scan(root: Path, folder: str = "", depth: int = 0) -> list[File]:
    """List what stands in a folder, names that begin with a dot left out.

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
        Sorted by path, as text. Whatever is no file, and what cannot be
        reached, stands there with a reason.
    """
    found = []

    def walk(folder: str, depth: int) -> None:
        prefix = f"{folder}/" if folder else ""
        where = os.path.join(root, folder)
        try:
            with os.scandir(where) as opened:
                entries = sorted(opened, key=lambda entry: entry.name)
        except OSError as error:
            found.append(File(prefix or "./", why=_reason(error)))
            return
        seen: dict[str, str] = {}
        for entry in entries:
            if entry.name.startswith("."):
                continue
            path = prefix + entry.name
            try:
                status = entry.stat()
            except OSError as error:
                found.append(File(path, why=_reason(error)))
                continue
            if not stat.S_ISDIR(status.st_mode):
                why = files.no_file(status.st_mode)
                found.append(File(path, status.st_size, status.st_mtime_ns, why))
            elif entry.is_symlink() and (why := _led_astray(where, entry.path, seen)):
                found.append(File(path, why=why))
            elif depth:
                walk(path, depth - 1)
            else:
                found.append(File(f"{path}/"))

    walk(folder, depth)
    found.sort()
    return found


def _reason(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "a link that leads in a circle"
    if error.errno == errno.ENOENT:
        return "a link that leads to nothing"
    return error.strerror or str(error)


def _led_astray(where: str, link: str, seen: dict[str, str]) -> str:
    """Say why a link to a folder is not followed: what it leads to is read already."""
    here, target = os.path.realpath(where), os.path.realpath(link)
    if os.path.commonpath([here, target]) == target:
        return "a link back to a folder that it lies in"
    first = seen.setdefault(target, os.path.basename(link))
    inside, name = os.path.split(target)
    if inside == here and not name.startswith("."):
        first = name
    return "" if first == os.path.basename(link) else f"a link to what is read as {first}"


def folders(listed: Sequence[File]) -> list[str]:
    """Take the names of the folders out of what `scan` found."""
    paths = [file.path[:-1] for file in listed if file.path.endswith("/") and not file.why]
    return [path.rpartition("/")[2] for path in paths]


def people(names: Sequence[str]) -> dict[str, list[str]]:
    """Find out whose each folder is.

    Folders whose names are the same text, written with composed letters and
    with accents of their own, are one person's.

    Parameters
    ----------
    names : sequence of str
        Names of the people's folders.

    Returns
    -------
    dict
        Name of each person, in natural order, to the folders.

    Raises
    ------
    ValueError
        If two names look the same and are not: the message names both.
        Capital letters are a difference that can be seen.
    """
    of: dict[str, list[str]] = {}
    for name in sorted(names, key=natural):
        of.setdefault(unicodedata.normalize("NFC", name), []).append(name)
    first: dict[str, str] = {}
    for name in of:
        other = first.setdefault(alike(name), name)
        if other != name:
            raise ValueError(
                f"Two people have names that look alike: {ascii(other)} and {ascii(name)}. If they "
                "are one person, put all photos into one folder. If not, give one another name"
            )
    return of


def alike(name: str) -> str:
    """Reduce a name to what can be seen of it: names that look the same become the same text."""
    text = unicodedata.normalize("NFKC", readable(name).translate(_LATIN))
    text = "".join(sign for sign in text if unicodedata.category(sign) != "Cf")
    return " ".join(_UNSEEN.sub("", text).split())


def natural(name: str) -> list:
    """Sort key by which frame 9 comes before frame 10, however its letters are written."""
    parts = re.split(r"(\d+)", unicodedata.normalize("NFC", name))
    return [int(part) if place % 2 else part.casefold() for place, part in enumerate(parts)]


def readable(name: str | Path) -> str:
    """Turn a file's name into text that can be printed and compared, whatever system wrote it."""
    text = str(name).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _UNPRINTABLE.sub("\ufffd", unicodedata.normalize("NFC", text))


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
    return cache.keep(
        name, f"{size}-{key}", lambda folder: _write(folder, root, find(), size, layout)
    )


def _key(read: Sequence[File], options: tuple) -> str:
    digest = hashlib.blake2b(repr(options).encode(), digest_size=12)
    lines = "\n".join([f"{path}\0{size}\0{time}\0{why}" for path, size, time, why in read])
    digest.update(lines.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _write(folder: Path, root: Path, found: Found, size: int, layout: str) -> None:
    """Read the photos and keep what is good of them."""
    from speculo import images

    photos = found.photos
    if not photos:
        raise wrong_layout(root, layout, found.skipped)
    needed = len(photos) * size * size
    with cache.filling(folder, needed) as part, open(part / "images.npy", "w+b") as out:
        files.reserve(out, needed + 128)  # a full disk is known before all is read
        begin = time.perf_counter()
        pixels, failed, faces = images.read_all(
            root, [photo.path for photo in photos], size, [photo.crop for photo in photos]
        )
        seconds = time.perf_counter() - begin
        good = _usable(root, found, failed)
        if failed:
            for place, row in enumerate(good):  # in place: a copy would take the memory twice
                pixels[place] = pixels[row]
        np.lib.format.write_array(out, pixels[: len(good)], allow_pickle=False)
        out.truncate()
        del pixels  # before the rest is made, which is large too
        cache.save(part, _tables(found, good, failed, faces))
    rate = len(photos) / seconds
    print(f"Photos read: {len(photos):,} in {seconds:.1f} s ({rate:,.0f} a second).", flush=True)


def _usable(root: Path, found: Found, failed: Mapping[int, Exception]) -> list[int]:
    """List the photos that could be used.

    Raises
    ------
    FileNotFoundError
        If there are none.
    ValueError
        If more than a tenth of them are bad.
    """
    from speculo.images import NoFace

    photos = found.photos
    reasons = {row: (photos[row].path, str(failed[row])) for row in sorted(failed)}
    bad = [reasons[row] for row in reasons if not isinstance(failed[row], NoFace)]
    if len(bad) > BAD * len(photos):
        raise ValueError(
            f"{len(bad)} of {len(photos)} photos in {readable(root)} are bad, more than a tenth:"
            f"{_lines(bad)}\nMend them or take them away, and run this again"
        )
    if len(failed) == len(photos):
        raise FileNotFoundError(
            f"No face was found in any of the {len(photos)} photos in {readable(root)}. Crop the "
            f"photos to the faces, and load them without crop{_not_read([*bad, *found.skipped])}"
        )
    return [row for row in range(len(photos)) if row not in failed]


def _tables(found: Found, good: list[int], failed: dict, faces: dict) -> dict[str, np.ndarray]:
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
    several = "{} faces found: the largest is taken"
    remarks = [(found.photos[row].path, several.format(faces[row])) for row in faces]
    return {
        "person": person,
        "names": np.array([readable(name) for name in numbers]),
        "pose": np.array([photo.pose for photo in photos], dtype=np.float32),
        "origin": np.array([readable(photo.path) for photo in photos]),
        "series": series,
        "front": np.array([chosen.get(group, -1) for group in range(len(groups))])[series],
        "skipped": _said(skipped),
        "remarks": _said(remarks),
    }


def _said(pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """Paths and what is said of each, sorted, as text that can be printed."""
    lines = [[readable(text) for text in pair] for pair in sorted(pairs)]
    return np.array(lines, dtype=np.str_).reshape(-1, 2)
