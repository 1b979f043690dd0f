"""Faces that were read or drawn once: the second time they open at once, memory-mapped and checked.

They are kept in ``build/cache``, a folder for each set of files and options, and
may be deleted at any time.
"""

import os
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

import numpy as np

from speculo import files
from speculo.faces import FaceSet

FIELDS = ("images", "person", "names", "pose", "origin", "series", "front", "skipped", "remarks")
"""What is kept of a FaceSet, a ``.npy`` of each: all but its name."""

VERSION = 2
"""Of the form in which they are kept: what was kept in another is left alone."""

CHECKSUMS = "checksums.txt"
"""The file that says what each of them must be: a line with its CRC-32 and its name."""

_good: set[tuple] = set()  # files that this process found whole, in the state they were in


def keep(name: str, key: str, write: Callable[[Path], None]) -> FaceSet:
    """Open a FaceSet from the cache, or write it there first.

    Of several processes that ask for it at once, one writes and the others
    wait. What is damaged is named in a warning and written anew.

    Parameters
    ----------
    name : str
        Name of the FaceSet.
    key : str
        Tells it from others of that name.
    write : callable
        Makes the folder, through `filling`.

    Returns
    -------
    FaceSet
        Its images are read-only and memory-mapped.

    Raises
    ------
    OSError
        If the disk is full or cannot be written to.
    """
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:40].strip("-.")
    folder = files.home() / "build" / "cache" / f"{words}-{VERSION}-{key}"
    files.sweep(folder.parent)
    with suppress(FileNotFoundError, ValueError):
        return _open(name, folder)
    with files.alone(folder):
        try:
            return _open(name, folder)  # another process was first
        except FileNotFoundError:
            pass
        except ValueError as error:
            warnings.warn(f"{error}: it is made anew", stacklevel=2)
        files.remove(folder)
        write(folder)
        return _open(name, folder)


@contextmanager
def filling(folder: Path, size: int) -> Iterator[Path]:
    """Make a folder of the cache: `files.new_folder`, with a checksum of each file in it.

    If the power fails before all of it is on the disk, the checksums tell.

    Parameters
    ----------
    folder : Path
        The final name.
    size : int
        How many bytes will be written.

    Yields
    ------
    Path
        The folder to write each of `FIELDS` into.
    """
    with files.new_folder(folder, size) as part:
        yield part
        lines = []
        for field in FIELDS:
            with files.open_file(part / f"{field}.npy") as file:
                lines.append(f"{_checksum(file)} {field}.npy\n")
        (part / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def save(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays into the folder that `filling` gave, a ``.npy`` of each."""
    for field, array in arrays.items():
        with open(folder / f"{field}.npy", "w+b") as out:
            files.reserve(out, array.nbytes + 128)
            np.lib.format.write_array(out, array, allow_pickle=False)
            out.truncate()


def _open(name: str, folder: Path) -> FaceSet:
    """Open what is kept.

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    ValueError
        If it is damaged: the message names the file.
    """
    arrays = {"name": np.array(name)}
    file = folder / CHECKSUMS
    try:
        with files.open_file(file) as opened:
            expected = opened.read().decode().splitlines()
        if len(expected) != len(FIELDS):
            raise ValueError(f"{len(expected)} lines, expected {len(FIELDS)}")
        for field, line in zip(FIELDS, expected, strict=True):
            file = folder / f"{field}.npy"
            _check(file, line)
            mapped = np.load(file, mmap_mode="r", allow_pickle=False)
            arrays[field] = mapped.view(np.ndarray)  # memmap's own indexing is slower
        file = folder
        return FaceSet.from_arrays(arrays)
    except Exception as error:
        if isinstance(error, FileNotFoundError) and file.name == CHECKSUMS:
            raise
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"{files.shown(file)} is damaged ({why})") from error


def _check(path: Path, line: str) -> None:
    """Make sure that a file is what it was, once in a process for each state that it is in."""
    # It takes as long as reading the file once: 0.08 s for 100,000 faces of 32 x 32 pixels.
    with files.open_file(path) as file:
        status = os.fstat(file.fileno())
        place = (status.st_dev, status.st_ino)
        state = (str(path), line, *place, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if state not in _good:
            found = f"{_checksum(file)} {path.name}"
            if found != line:
                raise ValueError(f"its checksum is {found!r}, expected {line!r}")
            _good.add(state)


def _checksum(file: BufferedReader) -> str:
    total, piece = 0, memoryview(bytearray(1 << 18))
    while count := file.readinto(piece):  # not mapped: a broken disk would end the process
        total = zlib.crc32(piece[:count], total)
    return f"{total:08x}"
