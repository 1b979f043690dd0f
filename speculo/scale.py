"""What more photos cost: each stage by its measured rate, and where a pipeline stalls."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from speculo import checks, cluster, files, fingerprints, images, index, model, recognizer, runs
from speculo.sources import heads

FRAMES = 621_126
"""Photos in YouTube Faces, as its page counts them; see data/README.md."""


@dataclass(frozen=True)
class Stage:
    """One step on the way from photos to an index of fingerprints.

    Attributes
    ----------
    name : str
    rate : float
        Photos a second, of one worker.
    size : float
        Bytes of a photo that are read or written.
    gigaflop : float
        Of a network, for a photo: 10 to the 9 floating-point operations. The small one that finds
        faces is not counted.
    divides : bool
        Whether more workers do more of it at once.
    """

    name: str
    rate: float
    size: float
    gigaflop: float = 0.0
    divides: bool = True


def measured(run: runs.Run, *, photos: int, side: int, disk: float) -> list[Stage]:
    """Measure the four stages on this machine: reading, preparing, training, indexing.

    Parameters
    ----------
    run : Run
        A training that was done on this machine: its log has the rate.
    photos : int
        How many drawn heads are written as JPEG files, and prepared.
    side : int
        Of those, in pixels.
    disk : float
        Bytes a second of the disk that all workers read from. It is given, as files that
        were just written are read from memory.

    Returns
    -------
    list of Stage
        A worker is a machine like this one. Training is one pass, and does not divide. Indexing is
        to take the fingerprint and to add it to an index; without usearch it is the first alone.
    """
    checks.whole_number("photos", photos)
    checks.number("disk", disk, 1, 1e15)
    with tempfile.TemporaryDirectory() as folder:
        size = _write_photos(Path(folder), photos, side)
        names = sorted(path.name for path in Path(folder).iterdir())
        crops = ["auto"] * photos
        with cluster.none():
            seconds, (faces, failed, _) = _timed(
                lambda: images.read_all(Path(folder), names, 32, crops)
            )
    faces = np.delete(faces, list(failed), axis=0)  # a turned head in which no face was found
    if not len(faces):
        raise ValueError(f"None of the {photos} photos could be prepared: take more")
    shipped = runs.recorded(fingerprints.SHIPPED)
    network = shipped.model()
    take = fingerprints.taker(shipped.config, network)
    take(faces)  # compiled once
    taking, prints = _timed(lambda: take(faces))
    adding, kept = _indexed(prints)
    rate = run.history["images_per_second"].median()
    return [
        Stage("reading", disk / size, size, divides=False),
        Stage("preparing", photos / seconds, faces[0].size),
        Stage("training", rate, faces[0].size, _gigaflop(run.model(), 3), divides=False),
        Stage(
            "indexing",
            len(faces) / (taking + adding),
            kept,
            _gigaflop(recognizer.encoder(network), 1),
        ),
    ]


def costs(
    stages: Sequence[Stage],
    photos: Mapping[str, int],
    *,
    epochs: int,
    workers: int,
    gpu: float,
) -> pd.DataFrame:
    """What each stage costs for datasets of any size, by proportion.

    Parameters
    ----------
    stages : sequence of Stage
    photos : mapping of str to int
        How many, by the name of a dataset.
    epochs : int
        How often the training sees each photo.
    workers : int
    gpu : float
        GFLOP a second that one GPU does in training.

    Returns
    -------
    pandas.DataFrame
        Index (dataset, stage); columns ``GB``, ``GFLOP``, and the seconds ``here``, on ``workers``
        and on one ``GPU``, which are NaN where no operations were counted.
    """
    rows = {}
    for name, count in photos.items():
        for stage in stages:
            passes = count * (epochs if stage.name == "training" else 1)
            seconds = passes / stage.rate
            rows[name, stage.name] = {
                "GB": count * stage.size / 1e9,
                "GFLOP": passes * stage.gigaflop,
                "here": seconds,
                "workers": seconds / (workers if stage.divides else 1),
                "GPU": passes * stage.gigaflop / gpu if stage.gigaflop else np.nan,
            }
    return pd.DataFrame(rows).T.rename_axis(["dataset", "stage"])


def spoken(seconds: float) -> str:
    """Say a time in the largest unit of which there is one: ``"3.4 hours"``. Of NaN, nothing."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1)):
        if round(seconds / length, 1) >= 1:
            return f"{seconds / length:,.{0 if seconds >= 100 * length else 1}f} {unit}"
    if np.isnan(seconds):
        return ""
    return f"{1000 * seconds:.{0 if seconds >= 0.01 else 2}f} ms"


def simulate(
    stages: Sequence[Stage],
    workers: int,
    *,
    pieces: int = 2000,
    piece: int = 64,
    room: int = 2,
    spread: float = 0.3,
    seed: int = 0,
) -> pd.DataFrame:
    """Send photos through a pipeline, and see who works and who waits.

    Each stage takes pieces in their order, as many at once as it has workers, and hands
    them on in their order, as `cluster.each` does. Before each stage there is room for a few. A
    piece that is done, but whose turn has not come, or for which there is no room, holds its
    worker up (blocking after service).

    Parameters
    ----------
    stages : sequence of Stage
    workers : int
        Of each stage that divides. Others have one.
    pieces, piece : int
        How many pieces, and photos in each.
    room : int
        Pieces that can wait before a stage, for each of its workers.
    spread : float
        Of the time of a piece, in parts of its mean (gamma distribution).
    seed : int

    Returns
    -------
    pandas.DataFrame
        Index: the stage. Columns: ``works``, ``waits`` (for photos) and ``is held up`` (by a piece
        that is done), in parts of its time, which add up to one; and ``rate``, the photos a
        second of the whole pipeline.
    """
    for name, value in (("workers", workers), ("pieces", pieces), ("piece", piece), ("room", room)):
        checks.whole_number(name, value)
    checks.number("spread", spread, 0.01, 2)
    rng = np.random.default_rng(checks.seed("seed", seed))
    servers = [workers if stage.divides else 1 for stage in stages]
    shape = 1 / spread**2
    needs = [piece / stage.rate * rng.gamma(shape, 1 / shape, pieces) for stage in stages]
    left = np.zeros((len(stages) + 1, pieces))  # when a piece leaves the stage before
    held = np.zeros(len(stages))
    for number in range(pieces):
        for place, count in enumerate(servers):
            # In their order: a worker is free once the piece that many before has left.
            free = left[place + 1, number - count] if number >= count else 0.0
            ready = max(left[place, number], free) + needs[place][number]
            leaves = max(ready, left[place + 1, number - 1] if number else 0.0)
            if place + 1 < len(stages):
                ahead = number - servers[place + 1] * (1 + room)
                leaves = max(leaves, left[place + 2, ahead] if ahead >= 0 else 0.0)
            left[place + 1, number] = leaves
            held[place] += leaves - ready
    total = left[-1, -1] * np.array(servers)
    works = np.array([each.sum() for each in needs]) / total
    return pd.DataFrame(
        {
            "works": works,
            "waits": 1 - works - held / total,
            "is held up": held / total,
            "rate": pieces * piece / left[-1, -1],
        },
        index=[stage.name for stage in stages],
    )


def have(package: str, how: str) -> bool:
    """Whether a package is installed. If not, a line says how to install it."""
    found = importlib.util.find_spec(package) is not None
    if not found:
        print(
            f"{package} is not installed, so this is left out. To have it: .venv/bin/pip install {how}"
        )
    return found


def drawn_afresh(people: int) -> tuple[np.ndarray, float]:
    """Draw heads that are not kept: their images, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as home, files.environment("SPECULO_HOME", home):
        seconds, faces = _timed(lambda: heads.load(people=people))
        return np.array(faces.images), seconds


def crowd(prints: np.ndarray, person: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Make up fingerprints of a crowd from those of some people.

    Each is the fingerprint of one photo, moved by the difference of two photos of another person,
    and scaled to length one again.

    Parameters
    ----------
    prints : numpy.ndarray
        float32, shape (n, d).
    person : numpy.ndarray
        int, shape (n,): whose they are. Photos of a person stand together.
    count : int
    seed : int

    Returns
    -------
    numpy.ndarray
        float32, shape (count, d).
    """
    checks.whole_number("count", count)
    rng = np.random.default_rng(checks.seed("seed", seed))
    pairs = np.flatnonzero(np.diff(person) == 0)  # each photo whose next one is of the same person
    if not len(pairs):
        raise checks.wrong("person", person, "two photos of a person or more")
    start, one = rng.integers(0, len(prints), count), rng.choice(pairs, count)
    moved = prints[start] + prints[one + 1] - prints[one]
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def on_devices(*counts: int) -> list[dict]:
    """Train a small v8 with JAX on so many virtual devices of the CPU, each time in a process of its own.

    Returns
    -------
    list of dict
        ``devices``, and the ``losses`` of two epochs, for each of `counts`.

    Raises
    ------
    ModuleNotFoundError
        If JAX is not installed.
    RuntimeError
        If the training failed: the message has its last line.
    """
    for count in counts:
        checks.whole_number("counts", count, 1, 64)
    if importlib.util.find_spec("jax") is None:
        raise ModuleNotFoundError("JAX is not installed: .venv/bin/pip install jax")
    found = []
    with tempfile.TemporaryDirectory() as home:
        started = [_start_training(count, Path(home, str(count))) for count in counts]
        try:
            for each in started:
                out, err = each.communicate()
                if each.returncode:
                    last = err.strip().rsplit("\n", 1)[-1]
                    raise RuntimeError(f"The training ended with {each.returncode}: {last}")
                found.append(json.loads(out.splitlines()[-1]))
        finally:
            for each in started:
                each.kill()
                each.wait()
    return found


def _start_training(devices: int, home: Path) -> subprocess.Popen:
    home.mkdir()
    where = {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        # Compiled sooner: the training is a short one.
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0",
        "SPECULO_HOME": str(home),
    }
    others = (cluster.VARIABLE, "KERAS_DISTRIBUTION_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return subprocess.Popen(
        [sys.executable, "-m", "speculo.scale"],
        env=kept | where,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _write_photos(folder: Path, count: int, side: int) -> float:
    """Write drawn heads as JPEG files, and give their mean size in bytes."""
    drawn = heads.load(side, people=-(-count // 10), level="medium").images[:count]
    paths = [folder / f"{number:06}.jpg" for number in range(count)]
    for path, image in zip(paths, drawn, strict=True):
        Image.fromarray(image).save(path, quality=90)
    return float(np.mean([path.stat().st_size for path in paths]))


def _indexed(prints: np.ndarray) -> tuple[float, float]:
    """Seconds to add fingerprints to an index, and the bytes of each in it."""
    if importlib.util.find_spec("usearch") is None:
        return 0.0, prints.shape[1] * 2
    with tempfile.TemporaryDirectory() as folder:
        seconds, _ = _timed(lambda: index.add(folder, prints))
        (made,) = Path(folder).glob(f"*{index.SUFFIX}")
        return seconds, made.stat().st_size / len(prints)


def _gigaflop(network: object, passes: int) -> float:
    """Of a photo: a multiply-add is two operations, and training is three passes."""
    return 2 * passes * sum(model.multiplications(network).values()) / 1e9


def _timed(work: Callable) -> tuple[float, Any]:
    begin = time.perf_counter()
    done = work()
    return time.perf_counter() - begin, done


def main() -> None:
    """Train a small v8 for two epochs on the devices of this process, and print the losses."""
    import speculo
    from speculo import pairs, sharing, training

    split = pairs.split(speculo.load("orl", people=5))
    small = replace(model.V8, filters=(16, 16), latent_size=64)
    run = runs.Run(files.home() / "run")
    training.train(small, split, run, epochs=2, precision="float32")
    print(json.dumps({"devices": sharing.devices(), "losses": run.history["loss"].tolist()}))


if __name__ == "__main__":
    main()
