"""Pieces of work for tests/test_cluster.py, which the workers of a cluster import."""

import os
import signal
import time
from pathlib import Path

from speculo import cluster


def noted(number: int, log: str) -> int:
    """Leave a file for each time that this piece was done, named after it and the worker."""
    time.sleep(0.1)
    Path(log, f"{number}-{os.getpid()}-{time.monotonic_ns()}").touch()
    return number * number


def deadly(number: int) -> int:
    """End the worker that does piece 2."""
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def wrong(number: int) -> int:
    raise ValueError(f"piece {number} is wrong")


def nested(number: int, log: str) -> list[int]:
    """A piece of work that falls into pieces itself."""
    return list(cluster.each(noted, [(number + each, log) for each in range(3)]))
