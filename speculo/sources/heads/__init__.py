"""Heads of people who do not exist: any number of them, in any pose, with their true fronts.

A person is a seed. The shapes come from the MakeHuman base mesh and its targets
(CC0 1.0), of which ``heads.npz`` holds what a head needs; ``README.md`` and
``CC0.md`` beside it say where from and under which terms.

From the mesh to the picture: `asset` reads the parts, `person` draws the lots,
`paint` the skin, `hair` grows, `raster` turns triangles into pixels, and `draw`
puts all of it under a light.
"""

import hashlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from speculo import cache, checks, cluster, files
from speculo.faces import LARGEST, FaceSet
from speculo.progress import Progress
from speculo.sources.heads import asset, draw, person
from speculo.sources.heads.draw import Photo

VERSION = 2
"""Of pictures and names: to be raised whenever the same seed gives others."""

LEVELS = ("yaw", "medium", "wild")
"""How hard the photos are: turned left and right only; in any pose, with expressions, lights and
backgrounds; and with strong ones of all, shifted, blurred and partly hidden."""

PEOPLE, PHOTOS = 300, 10
"""How many people there are, and photos of each, where nobody says."""

MOST = 1_000_000
"""How many of each there can be."""

EXPRESSIONS = tuple(draw.EXPRESSIONS)
"""Names of the expressions, the neutral one first."""

TRAITS = ("male", "age", "weight")
"""What `vary` can change beside the sliders of the asset, from 0 to 1; see `person.Person`."""

_CHUNK = 8  # people in one piece of work


def load(
    size: int = 32,
    people: int | None = None,
    photos: int = PHOTOS,
    level: str = "medium",
    seed: int = 0,
) -> FaceSet:
    """Draw heads, or open those that were drawn before.

    The first photo of each person is the front: no turn, no expression, an even
    light, a plain background. More people, or more photos of each, never
    change the others. At every level the people are the same.

    Parameters
    ----------
    size : int
        Height and width in pixels.
    people : int, optional
        How many; `PEOPLE` by default.
    photos : int
        Photos of each person, the front among them; at least 2.
    level : str
        One of `LEVELS`.
    seed : int
        Of the whole population: another seed, other people.

    Returns
    -------
    FaceSet
        Named ``heads-yaw``, ``heads-medium`` or ``heads-wild``. Pose and fronts
        are exact. Its images are read-only and memory-mapped.

    Raises
    ------
    ValueError
        If `level` is unknown, `people` is below 1, `photos` below 2, or `seed` below 0.
    OSError
        If the disk is full or cannot be written to.
    RuntimeError
        If a process that draws was ended from outside.
    """
    checks.choice("level", level, LEVELS)
    people = checks.whole_number("people", PEOPLE if people is None else people, 1, MOST)
    photos = checks.whole_number("photos", photos, 2, MOST)
    seed = checks.seed("seed", seed)
    made_of = f"{VERSION} {asset.digest()} {people} {photos} {seed}".encode()
    key = f"{size}-{hashlib.blake2b(made_of, digest_size=12).hexdigest()}"
    return cache.keep(
        f"heads-{level}", key, lambda folder: _write(folder, size, people, photos, level, seed)
    )


def yaw(size: int = 32, people: int | None = None, photos: int = PHOTOS, seed: int = 0) -> FaceSet:
    """Draw heads that turn left and right; see `load`."""
    return load(size, people, photos, "yaw", seed)


def medium(
    size: int = 32, people: int | None = None, photos: int = PHOTOS, seed: int = 0
) -> FaceSet:
    """Draw heads in any pose; see `load`."""
    return load(size, people, photos, "medium", seed)


def wild(size: int = 32, people: int | None = None, photos: int = PHOTOS, seed: int = 0) -> FaceSet:
    """Draw heads under hard conditions; see `load`."""
    return load(size, people, photos, "wild", seed)


def person_name(person: int, seed: int = 0) -> str:
    """Name of a person, by number, in every dataset of heads of a seed: ``"p00012"``.

    Those of other seeds are other people: ``"p00012-1"``.
    """
    return f"p{person:05}" + (f"-{seed}" if seed else "")


def render(
    person: int,
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    expression: str = "neutral",
    light: float = 0.0,
    size: int = 64,
    seed: int = 0,
) -> np.ndarray:
    """Draw one head, fast enough to turn it by hand.

    Parameters
    ----------
    person : int
        Whose, from 0 up: the same as in `load`.
    yaw, pitch, roll : float
        Degrees, -180..180. Positive yaw turns the face to the viewer's right,
        positive pitch nods it down, positive roll tilts it to the left.
    expression : str
        One of `EXPRESSIONS`.
    light : float
        Where the light comes from: -1 is the viewer's left, 1 the right.
    size : int
        Height and width in pixels.
    seed : int
        Of the whole population.

    Returns
    -------
    numpy.ndarray
        uint8, shape (size, size).

    Raises
    ------
    ValueError
        If a value is out of range or an expression unknown.
    """
    for name, value in (("yaw", yaw), ("pitch", pitch), ("roll", roll)):
        checks.number(name, value, -180, 180)
    checks.number("light", light, -1, 1)
    person, size = checks.whole_number("person", person, 0), _sized(size)
    checks.choice("expression", expression, EXPRESSIONS)
    photo = Photo(
        yaw, pitch, roll, units=tuple(draw.EXPRESSIONS[expression].items()), azimuth=75.0 * light
    )
    return _bytes(draw.draw(_head(person, checks.seed("seed", seed)), photo, size))


def vary(
    number: int,
    trait: str,
    values: Sequence[float],
    *,
    yaw: float = 0.0,
    size: int = 64,
    seed: int = 0,
) -> np.ndarray:
    """Draw one person at several positions of one slider.

    Parameters
    ----------
    number : int
        Whose: the same as in `load`.
    trait : str
        One of `TRAITS`, from 0 to 1, or a slider of the asset, from -1 to 1:
        ``asset.read().slider_names``.
    values : sequence of float
        (n,): its positions.
    yaw : float
        Of every picture, in degrees.
    size : int
        Height and width in pixels.
    seed : int
        Of the whole population.

    Returns
    -------
    numpy.ndarray
        uint8, shape (n, size, size).

    Raises
    ------
    ValueError
        If there is no such slider, or a value is out of range.
    """
    names = asset.read().slider_names
    checks.choice("trait", trait, (*TRAITS, *names))
    checks.number("yaw", yaw, -180, 180)
    size = _sized(size)
    who = person.sample(checks.whole_number("number", number, 0), checks.seed("seed", seed))
    positions = checks.numbers("values", values)
    if positions.ndim != 1 or not len(positions):
        raise checks.wrong("values", values, "one number or more")
    images = []
    for value in positions:
        checks.number("values", value, 0 if trait in TRAITS else -1, 1)
        if trait in TRAITS:
            change: dict[str, Any] = {trait: float(value)}
            changed = replace(who, **change)
        else:
            moved = np.where(np.array(names) == trait, np.float32(value), who.sliders)
            changed = replace(who, sliders=moved)
        images.append(_bytes(draw.draw(draw.prepare(changed), Photo(yaw), size)))
    return np.stack(images)


@lru_cache(maxsize=64)
def _head(number: int, seed: int) -> draw.Head:
    return draw.prepare(person.sample(number, seed))


def _sized(size: int) -> int:
    return checks.whole_number("size", size, 16, LARGEST)


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _write(folder: Path, size: int, people: int, photos: int, level: str, seed: int) -> None:
    """Draw everything into a folder of the cache, on all cores, a few people at a time."""
    count = people * photos
    begin = time.perf_counter()
    asset.read()  # if it is damaged, that is said here and not by another process
    person_of = np.repeat(np.arange(people, dtype=np.int32), photos)
    names = np.array([person_name(number, seed) for number in range(people)])
    places = np.array([f"/{place}" for place in range(photos)])
    tables = {
        "person": person_of,
        "names": names,
        "origin": np.char.add(names[person_of], np.tile(places, people)),
        "series": person_of,
        "front": person_of.astype(np.int64) * photos,
        "skipped": np.empty((0, 2), dtype="U1"),
        "remarks": np.empty((0, 2), dtype="U1"),
    }
    pose = np.empty((count, 3), dtype=np.float32)
    drawn = count * size * size
    needed = drawn + pose.nbytes + sum(table.nbytes for table in tables.values())
    with (
        cache.filling(folder, needed) as part,
        open(part / "images.npy", "w+b") as out,
        Progress(unit="img") as progress,
    ):
        files.reserve(out, drawn + 128)
        np.lib.format.write_array_header_1_0(
            out, {"descr": "|u1", "fortran_order": False, "shape": (count, size, size)}
        )
        done = 0
        for images, poses in _draw_all(people, size, photos, level, seed):
            out.write(images.data)  # they come in their order
            pose[done : done + len(images)] = poses
            done += len(images)
            progress.update(done, count, time.perf_counter() - begin, "Drawing heads")
        out.truncate()
        cache.save(part, tables | {"pose": pose})
    seconds = time.perf_counter() - begin
    print(f"Drew {count:,} heads in {seconds:.1f} s ({count / seconds:,.0f} a second).", flush=True)


def _draw_all(
    people: int, size: int, photos: int, level: str, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw people a few at a time, see `cluster.each`, and hand out their pictures and poses."""
    pieces = [
        (start, min(start + _CHUNK, people), size, photos, level, seed)
        for start in range(0, people, _CHUNK)
    ]
    try:
        yield from cluster.each(_draw_people, pieces, begin=partial(_end_with, os.getpid()))
    except BrokenProcessPool as error:
        raise RuntimeError(
            "A process that draws heads was ended from outside, most often because memory was short. "
            "Nothing half-drawn is kept. Make room, and run this again"
        ) from error


def _end_with(parent: int) -> None:
    """Let this process end when the one that started it is gone, however that was ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _draw_people(
    first: int, last: int, size: int, photos: int, level: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw some people.

    Returns
    -------
    tuple of numpy.ndarray
        uint8 (n, size, size), and float32 (n, 3): yaw, pitch, roll.
    """
    count = (last - first) * photos
    images = np.empty((count, size, size), dtype=np.uint8)
    poses = np.empty((count, 3), dtype=np.float32)
    for number in range(first, last):
        head = draw.prepare(person.sample(number, seed))
        for place in range(photos):
            row = (number - first) * photos + place
            images[row], poses[row] = snapshot(head, place, level, size)
    return images, poses


def snapshot(
    head: draw.Head, place: int, level: str, size: int
) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Take one photo of a person.

    Parameters
    ----------
    head : draw.Head
    place : int
        Which of the person's photos; 0 is the front.
    level : str
        One of `LEVELS`.
    size : int
        Height and width in pixels.

    Returns
    -------
    tuple
        uint8 (size, size), and yaw, pitch, roll in degrees.
    """
    if place == 0:
        return _bytes(draw.draw(head, Photo(), size)), (0.0, 0.0, 0.0)
    # All that is no part of the person comes from the photo's own lot, so that none of it tells who it is.
    rng = np.random.default_rng([*head.person.seed, LEVELS.index(level), place])
    turned = float(rng.uniform(-90, 90))
    if level == "yaw":
        return _bytes(draw.draw(head, Photo(yaw=turned), size)), (turned, 0.0, 0.0)
    wild = level == "wild"
    pitch, roll = (float(v) for v in rng.normal(0, (22, 12) if wild else (15, 7)).clip(-60, 60))
    photo = Photo(
        yaw=turned,
        pitch=pitch,
        roll=roll,
        units=_expression(rng, wild),
        gaze=tuple(rng.normal(0, 0.3, 2).clip(-1, 1).tolist()),
        azimuth=float(rng.uniform(-90, 90) if wild else np.clip(rng.normal(0, 30), -75, 75)),
        elevation=float(rng.uniform(-20, 70) if wild else np.clip(rng.normal(25, 14), -10, 60)),
        key=draw.KEY * float(rng.uniform(0.75, 1.2) if wild else rng.uniform(0.92, 1.08)),
        ambient=draw.AMBIENT * float(rng.uniform(0.6, 1.2) if wild else rng.uniform(0.9, 1.1)),
        cloth=float(rng.uniform(0.03, 0.75)),
        collar=float(rng.uniform(-1, 1)),
        stripes=float(rng.choice([0, 0, 0, rng.uniform(4, 9)])),
        shift=tuple(rng.normal(0, 0.035 if wild else 0.012, 2).tolist()),
        zoom=float(np.clip(rng.normal(1, 0.07 if wild else 0.02), 0.8, 1.2)),
        blur=float(rng.uniform(0, 1.5 if wild else 0.6)),
    )
    image = draw.draw(head, photo, size, _background(rng, 2 * size))
    if wild and rng.random() < 0.25:
        image = _hide(rng, image)
    image = image + rng.uniform(0, 0.05 if wild else 0.02) * rng.standard_normal(
        image.shape, dtype=np.float32
    )
    return _bytes(image), (turned, pitch, roll)


def _expression(rng: np.random.Generator, wild: bool) -> tuple[tuple[str, float], ...]:
    chosen = draw.EXPRESSIONS[EXPRESSIONS[rng.integers(len(EXPRESSIONS))]]
    strength = float(rng.uniform(0.4, 1.1) if wild else rng.uniform(0.1, 0.8))
    return tuple((unit, strength * weight) for unit, weight in chosen.items())


def _background(rng: np.random.Generator, size: int) -> np.ndarray:
    """A blurred wall behind the head: a slope of grey with soft shapes on it."""
    coarse = int(rng.integers(3, 9))
    shapes: np.ndarray = rng.standard_normal((coarse, coarse), dtype=np.float32)
    shapes = cv2.resize(shapes, (size, size), interpolation=cv2.INTER_CUBIC)
    row, column = _grid(size)
    slope = rng.normal(0, 0.2, 2).astype(np.float32)
    wall = rng.uniform(0.12, 0.75) + slope[0] * row + slope[1] * column
    return np.clip(wall + rng.uniform(0, 0.16) * shapes, 0.02, 0.95).astype(np.float32)


@lru_cache(maxsize=4)
def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each pixel, -0.5..0.5."""
    row, column = np.mgrid[:size, :size].astype(np.float32) / size - np.float32(0.5)
    return row, column


def _hide(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Hold something before a part of the picture."""
    size = len(image)
    row, column = _grid(size)
    angle = rng.uniform(0, 2 * np.pi)
    along = column * np.float32(np.cos(angle)) + row * np.float32(np.sin(angle))
    cover = np.clip((along - np.float32(rng.uniform(0.12, 0.35))) * 30, 0, 1)
    return image * (1 - cover) + np.float32(rng.uniform(0.05, 0.7)) * cover
