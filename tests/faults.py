"""What faults on purpose are made with: kinds of them, tries by lot, and what came of each.

A kind breaks something and says what came of it. Those of files are in `faults_files`. Tests make a few
tries of each kind, ``benchmarks/faults.py`` thousands.
"""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speculo.faces import FaceSet

RIGHT, NAMED, SILENT, RAW, HANG = "right", "named error", "wrong in silence", "raw error", "hang"
"""What can come of a fault. The first two are good."""


class Kind(NamedTuple):
    """One kind of fault."""

    make: Callable[[np.random.Generator, Path], str]  # takes an empty folder
    tries: int  # in the long version
    seconds: int = 60  # a try that takes longer hangs


class Hang(BaseException):
    """A try took too long. It is no Exception, so that nothing takes it for an error of its own."""


def attempt(kind: Kind, number: int) -> str:
    """Make one try of a kind, in a folder and a home of its own, and say what came of it.

    The same number is always the same try.
    """

    def stop(signal: int, frame: object) -> None:
        raise Hang

    folder = Path(tempfile.mkdtemp())
    before = os.environ.get("SPECULO_HOME")
    os.environ["SPECULO_HOME"] = str(folder / "home")
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(kind.seconds)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return kind.make(np.random.default_rng(number), folder)
    except Hang:
        return HANG
    finally:
        signal.alarm(0)
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop("SPECULO_HOME")
        if before:
            os.environ["SPECULO_HOME"] = before


def judge(work: Callable[[], bool], *words: str) -> str:
    """Do something that finds damage, and say what came of it.

    Parameters
    ----------
    work : callable
        Returns whether its result is the right one.
    *words : str
        What a good error says.
    """
    try:
        return RIGHT if work() else SILENT
    except Exception as error:
        good = isinstance(error, ValueError | OSError) and all(word in str(error) for word in words)
        return NAMED if good else f"{RAW}: {error!r}"


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip some bytes, most of all near the ends, cut, blank or empty it."""
    way = rng.choice(["flip", "flip", "flip", "cut", "blank", "empty"])
    if way == "empty" or not content:
        return b""
    if way == "cut":
        return content[: rng.integers(len(content))]
    broken = bytearray(content)
    at = rng.integers(len(content))
    if way == "blank":  # as a disk does that lost a block
        broken[at : at + 4096] = bytes(len(broken[at : at + 4096]))
        return bytes(broken)
    for _ in range(rng.integers(1, 5)):
        near = rng.choice([len(content), len(content), min(512, len(content))])
        at = rng.integers(near) if rng.random() < 0.75 else len(content) - 1 - rng.integers(near)
        broken[at] ^= rng.integers(1, 256)
    return bytes(broken)


def same(one: FaceSet, other: FaceSet) -> bool:
    """Whether two FaceSets are the same, byte for byte."""
    pairs = zip(one.arrays().values(), other.arrays().values(), strict=True)
    return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)


def quiet(load: Callable[[], FaceSet]) -> tuple[FaceSet, list[str]]:
    """Load, and return the warnings too."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        faces = load()
    return faces, [str(each.message) for each in said]


@contextlib.contextmanager
def killed(script: str, moment: float) -> Iterator[subprocess.Popen]:
    """Start Python, wait until it says that it begins, and kill it so many seconds later."""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.stdout.readline()
        time.sleep(moment)
        process.kill()
        process.wait()
        yield process
    finally:
        process.stdout.close()


def anybody_left(group: int, seconds: float = 10) -> bool:
    """Whether a process of the group is still there after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.05)
    os.killpg(group, signal.SIGKILL)
    return True


def can_mount() -> bool:
    """Whether a small disk can be made here."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0
