"""How well faces are found: drawn heads over walls, walls alone, and ORL's photos.

Every picture but ORL's is drawn by this program, so where the face is in it is known exactly. What
the book does now stands beside what it did before: OpenCV's cascades, and the largest box of the
first one that found something. The table is written into data/README.md.

    .venv/bin/python benchmarks/detector.py [--people 20] [--walls 200] [--seed 1] [--show FOLDER]

What `speculo.detector` has to choose was chosen on seed 0. `--show` writes the pictures too.
"""

import argparse
import io
import re
import textwrap
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from speculo import detector, files
from speculo.detector import Box
from speculo.sources import orl
from speculo.sources.heads import asset, draw, person, raster

YAWS = range(-90, 91, 15)

NODS = ((-30, 0), (-15, 0), (15, 0), (30, 0), (0, -30), (0, -15), (0, 15), (0, 30))
"""Pitch and roll, in degrees, of the heads that do not turn."""

RIGHT = 0.4
"""A box is right if it shares so much of what it and the true one cover together."""

POPULATION = 2009
"""Seed of the people, who are in no chapter."""


class Picture(NamedTuple):
    """A picture, and the square around the face in it, if there is one."""

    grey: np.ndarray
    face: Box | None = None
    pose: tuple[float, float, float] = (0.0, 0.0, 0.0)


# ---------------------------------------------------------------- what is drawn


def smooth(rng: np.random.Generator, height: int, width: int, cells: float) -> np.ndarray:
    """Soft shapes around 0, so many to the shorter side."""
    step = min(height, width) / cells
    coarse = rng.standard_normal((int(height / step) + 2, int(width / step) + 2), dtype=np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def plain(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A slope of grey with soft shapes."""
    row, column = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    slope = rng.normal(0, 0.15, 2).astype(np.float32)
    shapes = rng.uniform(0, 0.12) * smooth(rng, height, width, rng.uniform(2, 8))
    return rng.uniform(0.15, 0.8) + slope[0] * row + slope[1] * column + shapes


def bricks(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Rows of bricks, each of its own grey, with mortar between them."""
    tall = int(rng.integers(14, 60))
    long, joint = int(tall * rng.uniform(1.8, 3.2)), max(2, tall // 10)
    wall = np.full((height, width), rng.uniform(0.3, 0.8), dtype=np.float32)
    base = rng.uniform(0.2, 0.7)
    for number, top in enumerate(range(0, height, tall)):
        for left in range(-(number % 2) * long // 2, width, long):
            part = np.s_[top : top + tall - joint, max(left, 0) : max(left + long - joint, 0)]
            wall[part] = base + rng.normal(0, 0.07)
    return wall + 0.03 * smooth(rng, height, width, 90)


def shelves(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Boards with the backs of books, some with a label, and things between them."""
    wall = np.full((height, width), rng.uniform(0.1, 0.4), dtype=np.float32)
    tall = int(rng.integers(70, 200))
    board = rng.uniform(0.4, 0.8)
    for top in range(0, height, tall):
        left = 0
        while left < width:
            thick, high = int(rng.integers(10, 40)), int(tall * rng.uniform(0.55, 0.88))
            bottom = min(top + tall - 10, height)
            wall[max(bottom - high, 0) : bottom, left : left + thick - 1] = rng.uniform(0.1, 0.95)
            if rng.random() < 0.5:
                label = bottom - int(high * rng.uniform(0.5, 0.9))
                wall[max(label, 0) : label + high // 8, left + 2 : left + thick - 3] = 0.9
            if rng.random() < 0.06:
                centre = (left + thick + tall // 4, bottom - tall // 4)
                cv2.circle(wall, centre, tall // 4, rng.uniform(0.2, 0.9), -1)
                left += tall // 2
            left += thick
        wall[top + tall - 10 : top + tall] = board
    return wall


def leaves(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Leaves of all sizes, one over the other, darker below."""
    wall = np.full((height, width), 0.1, dtype=np.float32)
    for depth in np.linspace(0, 1, 900):
        centre = int(rng.integers(0, width)), int(rng.integers(0, height))
        long = rng.uniform(8, 45)
        axes = max(2, int(long)), max(1, int(long * rng.uniform(0.3, 0.6)))
        grey = float(np.clip(0.15 + 0.5 * depth + rng.normal(0, 0.12), 0.02, 0.95))
        cv2.ellipse(wall, centre, axes, rng.uniform(0, 180), 0, 360, grey, -1, cv2.LINE_AA)
    return wall


def grain(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Noise at every scale, as of plaster or of clouds."""
    wall = np.full((height, width), rng.uniform(0.3, 0.7), dtype=np.float32)
    for cells in (3, 6, 12, 25, 50, 100):
        wall += rng.uniform(0.2, 0.5) / cells**0.5 * smooth(rng, height, width, cells)
    return wall


def windows(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A front of a house: windows in rows, with frames, sills and panes of different grey."""
    wall = plain(rng, height, width)
    step = int(rng.integers(60, 200))
    wide, high = int(step * rng.uniform(0.4, 0.7)), int(step * rng.uniform(0.5, 0.75))
    for top in range(step // 4, height, step):
        for left in range(step // 4, width, step):
            frame = (left, top), (left + wide, top + high)
            cv2.rectangle(wall, *frame, rng.uniform(0.05, 0.35), -1)
            cv2.rectangle(wall, *frame, 0.9, 3)
            cv2.line(wall, (left + wide // 2, top), (left + wide // 2, top + high), 0.9, 2)
            wall[top + high : top + high + 5, left - 4 : left + wide + 4] = 0.25
    return wall


WALLS = {wall.__name__: wall for wall in (plain, bricks, shelves, leaves, grain, windows)}


def wall(rng: np.random.Generator, height: int, width: int, turned: bool = False) -> np.ndarray:
    """One of the walls, float32 in 0..1, lit from a side, with some noise, sharp or blurred."""
    side = int(np.hypot(height, width)) + 2 if turned else 0
    kind = list(WALLS.values())[rng.integers(len(WALLS))]
    drawn = kind(rng, side or height, side or width)
    if turned:
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-90, 90), 1)
        drawn = cv2.warpAffine(drawn, turn, (side, side), borderMode=cv2.BORDER_REFLECT)
        top, left = (side - height) // 2, (side - width) // 2
        drawn = drawn[top : top + height, left : left + width]
    light = 1 + 0.2 * smooth(rng, height, width, 2)
    drawn = cv2.GaussianBlur(drawn * light, (0, 0), rng.uniform(0.6, 4))
    return np.clip(drawn, 0.02, 0.98).astype(np.float32)


def face_of(head: draw.Head, photo: draw.Photo) -> Box:
    """The square around a face in its picture, as shares of the picture: chin to hairline, ear to ear."""
    base = asset.read().base
    middle, side, flat = framed(head, photo)
    face = flat[
        (base[:, 1] > -0.95) & (base[:, 1] < 0.75) & (base[:, 2] > 0.1) & (np.abs(base[:, 0]) < 0.8)
    ]
    x, y = ((face - middle) / side + 0.5).T
    y = 1 - y
    half = max(np.ptp(x), np.ptp(y)) / 2
    at = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
    return at[0] - half, at[1] - half, at[0] + half, at[1] + half


def framed(head: draw.Head, photo: draw.Photo) -> tuple[np.ndarray, float, np.ndarray]:
    """Middle and side of a picture as `draw.draw` takes it, and all vertices as they lie in it."""
    scene = head.vertices @ raster.turn(photo.yaw, photo.pitch, photo.roll).T
    flat = scene[:, :2] * (draw.CAMERA / (draw.CAMERA - scene[:, 2]))[:, None]
    frame = flat[draw._framed()]
    low, high = frame.min(axis=0), frame.max(axis=0)
    side = draw.MARGIN * float((high - low).max()) / photo.zoom
    return (low + high) / 2 + (0, 0.02 * side), side, flat


def stand(
    rng: np.random.Generator, ground: np.ndarray, head: draw.Head, pose: tuple[float, float, float]
) -> Box:
    """Draw somebody before a wall, down to the picture's edge; the face's square is returned."""
    height, width = ground.shape
    photo = draw.Photo(
        *pose,
        azimuth=float(rng.normal(0, 30)),
        elevation=float(rng.normal(25, 12)),
        cloth=float(rng.uniform(0.05, 0.7)),
        zoom=0.72,
    )
    share = face_of(head, photo)
    side = int(rng.uniform(0.28, 0.75) * min(height, width) / (share[3] - share[1]))
    black, white = (draw.draw(head, photo, min(side, 400), level) for level in (0.0, 1.0))
    black, white = (cv2.resize(each, (side, side)) for each in (black, white))
    clear = white - black  # how much of the wall shows
    left = int(rng.uniform(-share[0] * side, width - share[2] * side))
    top = int(rng.uniform(-share[1] * side, height - share[3] * side))
    down = max(0, height - top - side)  # the clothes go on to the edge
    black, clear = (np.pad(each, ((0, down), (0, 0)), "edge") for each in (black, clear))
    from_x, from_y = max(0, -left), max(0, -top)
    x, y = left + from_x, top + from_y
    cut = np.s_[from_y : from_y + height - y, from_x : from_x + width - x]
    black, clear = black[cut], clear[cut]
    part = ground[y : y + black.shape[0], x : x + black.shape[1]]
    part[:] = black + clear * part
    return tuple(edge * side + shift for edge, shift in zip(share, (left, top) * 2, strict=True))


def shot(rng: np.random.Generator, ground: np.ndarray) -> np.ndarray:
    """Bytes of a picture, with the noise of a camera."""
    noise = rng.uniform(0, 0.03) * rng.standard_normal(ground.shape, dtype=np.float32)
    return np.rint(np.clip(ground + noise, 0, 1) * 255).astype(np.uint8)


def _shape(rng: np.random.Generator) -> tuple[int, int]:
    short = int(rng.integers(400, 720))
    sides = short, int(short * rng.choice([1.0, 1.33, 1.5]))
    return sides if rng.random() < 0.5 else sides[::-1]


def people(count: int, seed: int) -> Iterator[Picture]:
    """Each of so many people in every pose, each time before another wall."""
    poses = [(yaw, 0.0, 0.0) for yaw in YAWS] + [(0.0, *nod) for nod in NODS]
    for number in range(count):
        head = draw.prepare(person.sample(number + 1000 * seed, POPULATION))
        for place, pose in enumerate(poses):
            rng = np.random.default_rng([POPULATION, seed, number, place])
            ground = wall(rng, *_shape(rng))
            face = stand(rng, ground, head, pose)
            yield Picture(shot(rng, ground), face, pose)


def walls(count: int, seed: int) -> Iterator[Picture]:
    """So many walls with nobody before them, every second one turned."""
    for number in range(count):
        rng = np.random.default_rng([POPULATION, seed, 1 << 20, number])
        yield Picture(shot(rng, wall(rng, *_shape(rng), turned=bool(number % 2))))


# ---------------------------------------------------------------- what is measured


def before(grey: np.ndarray) -> list[Box]:
    """Find a face as the book did at first."""
    height, width = grey.shape
    shrink = min(1.0, 480 / min(height, width))
    small = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    small = cv2.equalizeHist(small)
    smallest = round(0.1 * min(small.shape))
    ahead, profile = cascades()
    for cascade, mirrored in ((ahead, False), (profile, False), (profile, True)):
        searched = small[:, ::-1].copy() if mirrored else small
        found = cascade.detectMultiScale(searched, 1.1, 5, minSize=(smallest, smallest))
        if len(found):
            left, top, side, _ = max(found, key=lambda box: box[2]).tolist()
            if mirrored:
                left = small.shape[1] - left - side
            rim = 0.125 * side
            box = left - rim, top - rim, left + side + rim, top + side + rim
            return [tuple(edge / shrink for edge in box)]
    return []


@cache
def cascades() -> list:
    folder = Path(cv2.data.haarcascades)
    names = "frontalface_alt2", "profileface"
    return [cv2.CascadeClassifier(str(folder / f"haarcascade_{name}.xml")) for name in names]


def now(grey: np.ndarray) -> list[Box]:
    """Find faces as the book does."""
    return [found.box for found in detector.find_all(grey)]


class Count(NamedTuple):
    """What came of some pictures: shares in percent, and boxes on no face per 100 pictures."""

    found: float
    false: float
    milliseconds: float


def count(find: Callable[[np.ndarray], list[Box]], pictures: list[Picture]) -> Count:
    right = false = 0
    begin = time.perf_counter()
    answers = [find(picture.grey) for picture in pictures]
    seconds = time.perf_counter() - begin
    for picture, boxes in zip(pictures, answers, strict=True):
        hits = [picture.face is None or overlap(box, picture.face) >= RIGHT for box in boxes]
        right += bool(hits) and hits[0]  # the first is the one that is taken
        false += len(boxes) if picture.face is None else hits.count(False)
    scale = 100 / len(pictures)
    return Count(right * scale, false * scale, seconds * 1000 / len(pictures))


def overlap(one: Box, other: Box) -> float:
    """Share of what two boxes cover together that both cover."""
    across, down = (
        max(0, min(one[at + 2], other[at + 2]) - max(one[at], other[at])) for at in (0, 1)
    )
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return across * down / (areas - across * down)


def whole_orl() -> list[Picture]:
    """ORL's photos of 92 x 112 pixels. Where the faces are is not known: any box is right."""
    photos = orl._find_photos()
    opened = [Image.open(io.BytesIO(orl._read(photos[key]))) for key in sorted(photos)]
    return [Picture(np.asarray(photo.convert("L"))) for photo in opened]


def table(drawn: list[Picture], alone: list[Picture]) -> str:
    """Lines of a Markdown table."""
    kinds = {}
    for picture in drawn:
        yaw, pitch, roll = picture.pose
        kind = f"yaw {yaw:+.0f}" if yaw else "ahead"
        if pitch or roll:
            kind = f"pitch ±{abs(pitch):.0f}" if pitch else f"roll ±{abs(roll):.0f}"
        kinds.setdefault(kind, []).append(picture)
    photos = whole_orl()
    find = (before, now)
    lines = [
        "| Pictures | Number | Found before, % | Found now, % | False before | False now |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    kinds = {f"heads, {kind}": pictures for kind, pictures in kinds.items()}
    for kind, pictures in (kinds | {"all heads": drawn, "walls without a head": alone}).items():
        old, new = (count(each, pictures) for each in find)
        shares = ("", "") if pictures is alone else (f"{old.found:.0f}", f"{new.found:.0f}")
        cells = [kind, len(pictures), *shares, f"{old.false:.1f}", f"{new.false:.1f}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
        print(lines[-1], flush=True)
        if pictures is drawn:
            times = f"On one core: {old.milliseconds:.0f} ms a picture before, {new.milliseconds:.0f} now."
    shares = (f"{count(each, photos).found:.1f}" for each in find)
    lines.append(f"| ORL's photos, 92 x 112 pixels | {len(photos)} | {' | '.join(shares)} | | |")
    print(times)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--walls", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=Path, help="folder for the pictures")
    args = parser.parse_args()
    drawn, alone = list(people(args.people, args.seed)), list(walls(args.walls, args.seed))
    if args.show:
        args.show.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(drawn + alone):
            Image.fromarray(picture.grey).save(args.show / f"{number:04}.png")
    lines = table(drawn, alone)
    page = files.PROJECT / "data" / "README.md"
    text = page.read_text(encoding="utf-8")
    marks = "  <!-- detector -->\n", "  <!-- /detector -->\n"
    written, times = re.subn(
        f"(?s)(?<={marks[0]}).*?(?={marks[1]})",
        lambda _: textwrap.indent(f"{lines}\n", "  "),
        text,
    )
    if not times:
        raise SystemExit(f"{page} has no lines {marks} to write between\n{lines}")
    page.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
