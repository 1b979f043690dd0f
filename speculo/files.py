"""Where things are kept, and how a file is written: whole or not at all."""

import errno
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent


def home() -> Path:
    """Folder that holds ``runs/`` and ``build/``.

    It is the project's folder, or the one that the environment variable
    ``SPECULO_HOME`` names. A chapter finds it wherever it is started from.
    """
    return Path(os.environ.get("SPECULO_HOME") or PROJECT).expanduser().resolve()


def shown(path: str | Path) -> str:
    """Write a path as a reader of the book knows it: from the project's folder."""
    path = Path(path).resolve()
    for folder in (home(), PROJECT):
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return str(path)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file under another name, then put it in place in one step.

    A reader of `path` sees the old file or the whole new one, whenever the
    writer is stopped.

    Parameters
    ----------
    path : str or Path
        The final name. Missing folders are made.

    Yields
    ------
    Path
        The name to write to: in the same folder, with the same ending.

    Raises
    ------
    OSError
        If the disk is full: the message names `path`, and the file that stood
        there before is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".unfinished-", suffix=path.suffix)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)  # mkstemp makes files that only their owner can read
        os.replace(part, path)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _disk_full(path) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Fill a folder under another name, then give it its own in one step.

    A folder of that name is whole, whenever the writer is stopped. If another
    process was first, its folder stays. What a killed process left behind is
    taken away after a day.

    Parameters
    ----------
    path : str or Path
        The final name. Missing parents are made.

    Yields
    ------
    Path
        The folder to write into.

    Raises
    ------
    OSError
        If the disk is full: the message names `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(".unfinished-*"):
        with suppress(FileNotFoundError):  # another process takes it away too
            if left.is_dir() and time.time() - left.stat().st_mtime > 24 * 3600:
                shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(dir=path.parent, prefix=".unfinished-"))
    try:
        yield part
        part.chmod(0o755)  # mkdtemp makes folders that only their owner can read
        try:
            part.rename(path)
        except OSError:
            if not path.is_dir():
                raise
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _disk_full(path) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _disk_full(path: Path) -> OSError:
    return OSError(
        errno.ENOSPC,
        f"The disk is full: {path.name} was not written and what stood there is kept. "
        f"Free some space in {path.parent} and run this again",
    )


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole or not at all (see `replacing`)."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_arrays(path: str | Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays by name to one ``.npz`` file, whole or not at all, without pickle."""
    with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as out:
                np.lib.format.write_array(out, np.asanyarray(array), allow_pickle=False)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read what `write_arrays` wrote; every byte is checked on the way.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is truncated or damaged: the message names it.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged or not whole ({error})") from error
