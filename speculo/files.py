"""Where things are kept, and how a file is read and written: whole or not at all."""

import errno
import fcntl
import os
import shutil
import stat
import struct
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent

UNFINISHED = ".unfinished-"
"""How the name begins of what is still being written."""

_NO_RESERVING = {errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV}

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def home() -> Path:
    """Folder that holds ``runs/`` and ``build/``.

    It is the project's folder, or the one that the environment variable
    ``SPECULO_HOME`` names. A chapter finds it wherever it is started from.
    """
    path = os.path.expanduser(os.environ.get("SPECULO_HOME") or PROJECT)
    return Path(os.path.realpath(path))


@contextmanager
def environment(name: str, value: str | None) -> Iterator[None]:
    """Let an environment variable hold another value for a while, or none."""
    before = os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


def shown(path: str | Path) -> str:
    """Write a path as a reader of the book knows it: from the project's folder."""
    path = Path(os.path.realpath(path))
    for folder in (home(), PROJECT):
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return str(path)


def no_file(mode: int) -> str:
    """Say what something is by its ``st_mode``, or nothing if it is a regular file."""
    if stat.S_ISREG(mode):
        return ""
    return f"{_KINDS.get(stat.S_IFMT(mode), 'something else')}, not a file"


def open_file(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a regular file to read its bytes. A pipe or a device is refused: it could wait for ever.

    Raises
    ------
    OSError
        If there is no such file, if it cannot be read, or if it is no regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe is opened without a wait
    if why := no_file(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, why, str(path))
    return open(handle, "rb")


@contextmanager
def replacing(path: str | Path, size: int | None = None) -> Iterator[Path]:
    """Write a file under another name, then put it in place in one step.

    A reader of `path` sees the old file or the whole new one, whenever the
    writer is stopped and whenever the power fails. What killed processes left
    unfinished in the folder is taken away.

    Parameters
    ----------
    path : str or Path
        The final name. Missing folders are made.
    size : int, optional
        How many bytes will be written, for the message if the disk is full.

    Yields
    ------
    Path
        The name to write to: an empty file in the same folder, with the same ending.

    Raises
    ------
    OSError
        If the disk is full or cannot be written to: the message names `path`,
        and the file that stood there before is untouched.
    """
    path = Path(path)

    def make() -> Path:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED, suffix=path.suffix)
        os.close(handle)
        return Path(name)

    with _told(path, size), _claimed(path, make) as part:
        yield part
        part.chmod(0o644)  # mkstemp makes files that only their owner can read
        _to_disk(part)
        os.replace(part, path)
        _to_disk(path.parent)


@contextmanager
def new_folder(path: str | Path, size: int | None = None) -> Iterator[Path]:
    """Fill a folder with files under another name, then give it its own in one step.

    A folder of that name is whole, whenever the writer is stopped. If another
    process was first, its folder stays. What killed processes left unfinished
    beside it is taken away.

    Parameters
    ----------
    path : str or Path
        The final name. Missing parents are made.
    size : int, optional
        How many bytes will be written, for the message if the disk is full.

    Yields
    ------
    Path
        The folder to write into.

    Raises
    ------
    OSError
        If the disk is full or cannot be written to: the message names `path`.
    """
    path = Path(path)

    def make() -> Path:
        return Path(tempfile.mkdtemp(dir=path.parent, prefix=UNFINISHED))

    with _told(path, size), _claimed(path, make) as part:
        yield part
        part.chmod(0o755)  # mkdtemp makes folders that only their owner can read
        try:
            part.rename(path)
        except OSError:
            if not path.is_dir():
                raise


@contextmanager
def alone(path: str | Path) -> Iterator[None]:
    """Let one process at a time make `path`. The others wait; nobody waits for a process that died.

    Parameters
    ----------
    path : str or Path
        What is made. Missing parents are made.

    Raises
    ------
    OSError
        If nothing can be written there.
    """
    path = Path(path)
    lock = path.with_name(f"{UNFINISHED}{path.name}.lock")
    with _told(path, None):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _hold(lock)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def move(path: Path, to: Path) -> None:
    """Give a file another name in its folder, in one step that a power failure does not undo."""
    os.replace(path, to)
    _to_disk(to.parent)


def sweep(folder: Path) -> None:
    """Take away what killed processes left unfinished in a folder. What is being written stays."""
    names = []
    with suppress(OSError):
        names = [name for name in os.listdir(folder) if name.startswith(UNFINISHED)]
    for name in names:
        with suppress(OSError):  # another process takes it away too, or it is not ours to take
            handle = os.open(folder / name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                if _lock(handle):
                    remove(folder / name)
            finally:
                os.close(handle)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def reserve(file: BinaryIO, size: int) -> None:
    """Take the space that a new file needs before it is written: a full disk is known at once.

    Parameters
    ----------
    file : binary file
        Open to be written. Its position stays at the beginning.
    size : int
        Bytes. What turns out not to be needed must be cut off: ``file.truncate()``.

    Raises
    ------
    OSError
        If there is no such space.
    """
    try:
        os.posix_fallocate(file.fileno(), 0, max(size, 1))
    except (AttributeError, OSError) as error:  # macOS has no such call, some disks refuse it
        if getattr(error, "errno", errno.ENOSYS) not in _NO_RESERVING:
            raise
        for start in range(0, size, 1 << 20):
            file.write(bytes(min(1 << 20, size - start)))
        file.flush()
        file.seek(0)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file, whole or not at all (see `replacing`)."""
    with replacing(path, len(content)) as part, open(part, "r+b") as out:
        reserve(out, len(content))
        out.write(content)
        out.truncate()


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole or not at all (see `replacing`)."""
    write_bytes(path, text.encode("utf-8"))


def write_arrays(path: str | Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays by name to one ``.npz`` file, whole or not at all, without pickle."""
    arrays = {name: np.asanyarray(array) for name, array in arrays.items()}
    size = sum(array.nbytes + 1024 for array in arrays.values())  # more than the headers take
    with replacing(path, size) as part, open(part, "r+b") as out:
        reserve(out, size)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        out.truncate()


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read what `write_arrays` wrote; every byte is checked on the way.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is truncated or damaged, or cannot be read: the message names it.
    """
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            _refuse_gaps(file, archive)
            return {
                member.filename.removesuffix(".npy"): _read_member(archive, member)
                for member in archive.infolist()
            }
    except FileNotFoundError:
        raise
    except Exception as error:  # damage makes zipfile and NumPy stumble in a dozen ways
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ValueError(f"{path} is damaged or not whole ({why})") from error


def _refuse_gaps(file: BinaryIO, archive: zipfile.ZipFile) -> None:
    """Make sure that no member is left out: zipfile believes a list of members that is damaged."""
    end = 0
    for member in sorted(archive.infolist(), key=lambda member: member.header_offset):
        if member.header_offset != end:
            break
        file.seek(end + 26)
        end += 30 + sum(struct.unpack("<HH", file.read(4))) + member.compress_size
    if end != archive.start_dir:
        raise ValueError("its list of members is damaged")


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):  # only at its end is a member compared with its checksum
            raise ValueError(f"{member.filename} is longer than its header says")
    return array


@contextmanager
def _claimed(path: Path, make: Callable[[], Path]) -> Iterator[Path]:
    """Make something unfinished beside `path`, and hold it by a lock that ends with this process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    while True:
        part = make()
        with suppress(FileNotFoundError):  # another process took it away before it was held
            handle = os.open(part, os.O_RDONLY)
            if _lock(handle) is not False and _stands_at(handle, part):
                break
            os.close(handle)
    try:
        yield part
    finally:
        remove(part)
        os.close(handle)


def _hold(lock: Path) -> int:
    """Wait for a lock, and return the handle that holds it."""
    tries = 0
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        if _lock(handle) is not False and _stands_at(handle, lock):
            return handle
        os.close(handle)
        tries += 1
        if tries == 3:
            name = lock.name.removeprefix(UNFINISHED).removesuffix(".lock")
            print(f"Another process makes {name}: waiting for it.", flush=True)
        time.sleep(0.1)


def _lock(handle: int) -> bool | None:
    """Take the lock of an open file or folder, which ends with this process.

    Returns
    -------
    bool or None
        False if another one has it, None if the disk knows no locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _stands_at(handle: int, path: Path) -> bool:
    """Whether a name still leads to what was opened by it."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _to_disk(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is safe from a power failure."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some disks cannot, for a folder
            raise
    finally:
        os.close(handle)


@contextmanager
def _told(path: Path, size: int | None) -> Iterator[None]:
    """Say in one line why `path` cannot be written. Errors of other files pass as they are."""
    try:
        yield
    except OSError as error:
        folder = next((parent for parent in path.parents if parent.is_dir()), Path.cwd())
        free = shutil.disk_usage(folder).free
        number = error.errno
        if number in (errno.ENOSPC, errno.EDQUOT):
            what = (
                "The disk is full" if number == errno.ENOSPC else "Your share of the disk is full"
            )
            needed = "" if size is None else f"it needs {size / 1e6:,.1f} MB, and "
            raise OSError(
                number,
                f"{what}: {path.name} was not written ({needed}{free / 1e6:,.1f} MB are free), and "
                f"what stood there is kept. Free some space in {folder} and run this again",
            ) from error
        at = error.filename2 or error.filename
        at = Path(at) if isinstance(at, str | Path) else None
        ours = at and (at.is_relative_to(path.parent) or path.is_relative_to(at))
        if not ours and number not in (errno.EROFS, errno.EFBIG, errno.EIO):
            raise
        remedy = f"Make {folder} writable"
        if number in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
            there = next(each for each in (path, *path.parents) if os.path.lexists(each))
            remedy = f"Move {there} out of the way"
        raise OSError(
            number,
            f"{path} cannot be written ({error.strerror}), and what stood there is kept. "
            f"{remedy}, and run this again",
        ) from error
