"""Hair, beards and glasses: strands of points that are drawn over the head, one by one."""

from typing import NamedTuple

import numpy as np

from speculo.sources.heads import asset, paint
from speculo.sources.heads.person import Person

NEAREST = 0.045
"""Distance between the points of a strand, in decimetres."""


class Strands(NamedTuple):
    """Points on the head of one person, in decimetres.

    ``points``, ``tangents`` and ``normals`` are float32 (p, 3), ``tone`` float32 (p,) is their reflectance,
    and ``shine`` (p,) how much they reflect like a mirror.
    """

    points: np.ndarray
    tangents: np.ndarray
    normals: np.ndarray
    tone: np.ndarray
    shine: np.ndarray


class Style(NamedTuple):
    """How hair grows."""

    top: float  # length in decimetres on top of the head
    sides: float  # and on its sides
    lift: float  # how steeply it leaves the skin
    weight: float  # how soon it hangs down
    curl: float  # width of its curls
    strands: int  # on each half of the head


STYLES = {
    "bald": Style(0.0, 0.0, 0.0, 0.0, 0.00, 0),
    "buzz": Style(0.0, 0.0, 0.0, 0.0, 0.00, 0),
    "short": Style(0.30, 0.14, 0.22, 0.04, 0.015, 1200),
    "side part": Style(0.50, 0.16, 0.18, 0.06, 0.01, 1200),
    "curly": Style(0.40, 0.32, 0.60, 0.00, 0.16, 1100),
    "bob": Style(1.30, 1.10, 0.16, 0.40, 0.012, 800),
    "long": Style(2.30, 2.10, 0.14, 0.45, 0.012, 600),
    "wavy": Style(1.90, 1.80, 0.25, 0.35, 0.05, 620),
    "tied back": Style(0.85, 0.75, 0.03, 0.00, 0.00, 900),
}


def grow(person: Person, vertices: np.ndarray, normals: np.ndarray) -> Strands:
    """Grow all that stands out from the skin: hair, beard, and the frame of the glasses."""
    grown = [_hair(person, vertices, normals)]
    if person.beard in ("moustache", "goatee", "full"):
        grown.append(_beard(person, vertices, normals))
    if person.glasses:
        grown.append(frame(person, vertices))
    return Strands(*(np.concatenate(each) for each in zip(*grown, strict=True)))


def _roots(
    person: Person, vertices: np.ndarray, normals: np.ndarray, count: int, mask
) -> tuple[np.ndarray, ...]:
    """Choose places on both halves of the head: place on the mean head, on this one, normal, luck."""
    parts = asset.read()
    corners, weights = parts.root_corners[:, :count], parts.root_weights[:, :count, :, None]
    mean, place, normal = (
        sum(each.take(corners[..., corner], axis=0) * weights[:, :, corner] for corner in range(3))
        for each in (parts.base, vertices, normals)
    )
    rng = np.random.default_rng([*person.seed, 2])
    luck = rng.random((2, asset.ROOTS, 6), dtype=np.float32)[:, :count]
    if person.asymmetry == 0:
        luck[1] = luck[0]
    chosen = mask(*np.moveaxis(mean, 2, 0)) > 0.25 + 0.5 * luck[..., 0]
    side = np.ones((2, count, 1), dtype=np.float32)
    side[1] = -1
    return mean[chosen], place[chosen], normal[chosen], luck[chosen], side[chosen]


def _hair(person: Person, vertices: np.ndarray, normals: np.ndarray) -> Strands:
    style = STYLES[person.hair]
    mean, place, normal, luck, side = _roots(
        person, vertices, normals, style.strands, lambda *at: paint.scalp(person, *at)
    )
    high = np.clip((mean[:, 1] - 0.35) / 0.6, 0, 1)
    length = (style.sides + (style.top - style.sides) * high) * (0.75 + 0.35 * luck[:, 1])
    if person.hair in ("short", "side part", "curly"):
        length *= 0.75 + 0.6 * person.volume
    if person.hair in ("long", "wavy", "bob"):
        length *= 0.85 + 0.3 * person.volume
    # which way it is combed: away from the parting, back, or down
    part = 0.35 * person.parting if person.hair in ("side part", "bob", "long", "wavy") else 0.0
    comb = np.zeros_like(place)
    if person.hair == "tied back":
        comb[:] = (0, 0.15, -1.0)
        comb[:, 0] = -0.25 * np.sign(mean[:, 0]) * np.clip(np.abs(mean[:, 0]), 0, 1)
    elif person.hair in ("bob", "long", "wavy"):
        comb[:, 0] = 1.2 * np.tanh((mean[:, 0] - part) / 0.12)
        comb[:, 1] = -0.4
        comb[:, 2] = -0.35
    elif person.hair == "side part":
        comb[:, 0] = np.where(person.parting > 0, -1.0, 1.0) if person.asymmetry else side[:, 0]
        comb[:, 2] = 0.25 - 0.5 * person.volume
        comb[:, 1] = -0.9 * (1 - high)
    else:
        comb[:, 1] = -0.6 * (1 - high)
        comb[:, 2] = 0.6 * (2 * person.volume - 0.8)
    if person.fringe:
        length = np.where(
            (mean[:, 2] > 0.55) & (mean[:, 1] > 0.6), 0.42 + 0.12 * luck[:, 1], length
        )
        comb = np.where((mean[:, 2:] > 0.55) & (mean[:, 1:2] > 0.6), (0, -0.3, 1.0), comb)
    comb += (luck[:, 2:5] - 0.5) * (side * [1, 0, 0] + [0, 1, 1]) * 0.7
    comb -= (comb * normal).sum(axis=1, keepdims=True) * normal
    heading = comb / np.maximum(np.linalg.norm(comb, axis=1, keepdims=True), 1e-6)
    heading = heading * (1 - style.lift) + normal * style.lift
    width = style.curl * (0.75 + 0.5 * person.curl)
    tone = person.hair_tone * (0.85 + 0.3 * luck[:, 5])
    shine = np.full(len(place), 0.20 * (1 - 0.6 * person.curl), dtype=np.float32)
    return _comb(person, vertices, place, normal, heading, length, style.weight, width, luck, side,
                 tone, shine)  # fmt: skip


def _beard(person: Person, vertices: np.ndarray, normals: np.ndarray) -> Strands:
    cover = paint.beard(person, paint._masks())
    assert cover is not None  # `grow` has looked whether one stands out

    def where(x, y, z):
        column = ((np.arctan2(x, z - asset.AXIS) / (2 * np.pi) + 0.5) * asset.COLUMNS).astype(int)
        row = ((asset.TOP - y) / (asset.TOP - asset.BOTTOM) * asset.ROWS).astype(int)
        return cover[row.clip(0, asset.ROWS - 1), column % asset.COLUMNS]

    mean, place, normal, luck, side = _roots(person, vertices, normals, asset.ROOTS, where)
    length = (0.06 + 0.16 * person.volume * (person.beard == "full")) * (0.6 + 0.8 * luck[:, 1])
    heading = normal * 0.45 + (luck[:, 2:5] - 0.5) * np.where([True, False, False], side, 1) * 0.6
    heading[:, 1] -= 0.6
    tone = (0.85 * person.hair_tone + 0.01) * (0.7 + 0.6 * luck[:, 5])
    shine = np.full(len(place), 0.05, dtype=np.float32)
    return _comb(
        person, vertices, place, normal, heading, length, 0.05, 0.02, luck, side, tone, shine
    )


def _comb(
    person, vertices, place, normal, heading, length, weight, curl, luck, side, tone, shine
) -> Strands:
    """Let strands grow from their roots, fall, and lie on the head."""
    longest = float(length.max(initial=0.02))
    steps = int(np.clip(np.ceil(longest / (0.05 if curl > 0.1 else 0.14)), 2, 14))
    step = (length / steps)[:, None].astype(np.float32)
    heading = heading / np.maximum(np.linalg.norm(heading, axis=1, keepdims=True), 1e-6)
    skull = vertices[(asset.read().base[:, 1] > 0.35) & (np.abs(asset.read().base[:, 0]) < 0.78)]
    low, high = skull.min(axis=0), skull.max(axis=0)
    centre = np.array([0, 0.35, (low[2] + high[2]) / 2], dtype=np.float32)
    radii = np.array([max(-low[0], high[0]), high[1] - 0.35, (high[2] - low[2]) / 2]) * 1.0
    radii = radii.astype(np.float32)
    hangs = longest > 0.9
    flat = person.hair in ("short", "side part")
    tied = person.hair == "tied back" and longest > 0.5
    fringe = person.fringe
    phase = 2 * np.pi * luck[:, 2:3]
    at = place + 0.01 * normal
    path = [at]
    for number in range(steps):
        heading = heading + weight * np.array([0, -1, 0], dtype=np.float32)
        heading = heading / np.maximum(np.linalg.norm(heading, axis=1, keepdims=True), 1e-6)
        at = at + step * heading
        if curl:
            turn = phase + number * (1.3 + luck[:, 4:5])
            at = at + curl * 0.4 * np.concatenate(
                [np.cos(turn) * side, np.sin(turn), np.sin(turn + 1.3)], axis=1
            )
        if hangs or tied or flat:
            away = (at - centre) / radii
            away[:, 1] = np.where(away[:, 1] < 0, 0.35 * away[:, 1], away[:, 1])
            far = np.linalg.norm(away, axis=1, keepdims=True)
            away = (at - centre) * np.where((at - centre)[:, 1:2] < 0, (1, 0, 1), (1, 1, 1))
            loose = 0.0 if tied else 0.08 * person.volume + 0.04 * hangs
            bump = 1.02 + (0.03 if flat or tied else 0.07) * luck[:, 3:4] + loose
            at = at + np.where(far < bump, (bump / np.maximum(far, 0.2) - 1).clip(0, 0.4) * away, 0)
        if hangs and not tied:
            # off the face: a strand that would hang before it goes beside it, unless it is a fringe
            free = np.interp(at[:, 1], (0.40, 0.62, 0.80, 0.92, 1.0), (0.73, 0.66, 0.45, 0.15, 0.0))
            free = free + 0.07 * luck[:, 3]
            if fringe:
                free = np.where(at[:, 1] > 0.42 + 0.1 * luck[:, 4], 0, free)
            before = (at[:, 2] > 0.2) & (np.abs(at[:, 0]) < free)
            at[:, 0] = np.where(before, np.copysign(free, at[:, 0]), at[:, 0])
            at[:, 2] = np.where(before & (at[:, 1] < 0.5), np.minimum(at[:, 2], 0.40), at[:, 2])
        if tied:
            behind = at[:, 2] < -0.75
            at = np.where(behind[:, None], at + 0.5 * ((0, 0.45, -1.05) - at), at)
            wide = np.abs(place[:, 0]) + 0.03
            at[:, 0] = np.clip(at[:, 0], -wide, wide)
        heading = at - path[-1]
        heading = heading / np.maximum(np.linalg.norm(heading, axis=1, keepdims=True), 1e-6)
        if hangs or tied or flat:  # what was pushed out does not go on outwards
            out = (at - centre) / radii**2
            out = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
            risen = np.maximum((heading * out).sum(axis=1, keepdims=True), 0) * (at[:, 1:2] > 0)
            heading = heading - risen * out
        path.append(at)
    places = np.stack(path, axis=1).astype(np.float32)
    between = max(1, int(np.ceil(longest / steps / NEAREST)))
    share = (np.arange(between, dtype=np.float32) / between)[None, None, :, None]
    ahead = places[:, 1:] - places[:, :-1]
    points = (places[:, :-1, None] + share * ahead[:, :, None]).reshape(-1, 3)
    each = steps * between
    tangent = ahead / np.maximum(np.linalg.norm(ahead, axis=2, keepdims=True), 1e-6)
    along = np.linspace(0, 1, each, dtype=np.float32)[None, :]
    outward = (points - centre) / radii
    outward[:, 1] = np.where(outward[:, 1] < 0, 0.15 * outward[:, 1], outward[:, 1])
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
    shade = tone[:, None] * (0.72 + 0.40 * along)
    return Strands(
        points,
        np.repeat(tangent, between, axis=1).reshape(-1, 3),
        outward.astype(np.float32),
        shade.ravel().astype(np.float32),
        np.repeat(shine, each).astype(np.float32),
    )


def frame(person: Person, vertices: np.ndarray) -> Strands:
    """Make the frame of a pair of glasses: two rims, a bridge and two arms."""
    assert person.glasses is not None  # as `grow` has looked
    width, height, power, tone, thickness = person.glasses
    rim = rims(person, vertices, 200)
    middle = rim.mean(axis=1)
    z = middle[0, 2]
    bridge = np.linspace(0, 1, 24, dtype=np.float32)[:, None]
    inner = middle[:, None, :] * (1, 1, 1)
    start, end = (inner[0, 0] - (width, -0.03, 0)), (inner[1, 0] + (width, 0.03, 0))
    lines = [rim[0], rim[1], start + bridge * (end - start)]
    lines[2][:, 1] += 0.02 * np.sin(np.pi * bridge[:, 0])
    ears = np.abs(vertices[:, 0])[(asset.read().base[:, 1] < 0.3) & (asset.read().base[:, 1] > 0.1)
                                  & (np.abs(asset.read().base[:, 2] - 0.1) < 0.2)].max()  # fmt: skip
    for number, sign in enumerate((1, -1)):
        begin = middle[number] + (sign * width, 0.05, 0)
        finish = np.array([sign * (ears - 0.02), middle[number, 1] + 0.05, -0.1])
        lines.append(begin + np.linspace(0, 1, 100)[:, None] * (finish - begin))
    points = np.concatenate(lines)
    doubled = [points]
    for number in range(round(2 * thickness)):
        doubled.append(points + (0, 0.012 * (number + 1), -0.004))
    points = np.concatenate(doubled).astype(np.float32)
    points[:, 2] = np.minimum(points[:, 2], z + 0.02)
    count = len(points)
    ahead = np.tile(np.array([0, 0, 1], dtype=np.float32), (count, 1))
    across = np.zeros((count, 3), dtype=np.float32)  # its points are close enough for any size
    return Strands(
        points, across, ahead,
        np.full(count, tone, dtype=np.float32), np.full(count, 0.15, dtype=np.float32),
    )  # fmt: skip


def rims(person: Person, vertices: np.ndarray, count: int) -> np.ndarray:
    """Outline of both lenses, float32 (2, count, 3), in decimetres: the wearer's left one first."""
    parts = asset.read()
    assert person.glasses is not None  # without glasses there is nothing to outline
    width, height, power, _, _ = person.glasses
    turn = np.linspace(0, 2 * np.pi, 721)
    x = width * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / power)
    y = height * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / power)
    length = np.concatenate([[0], np.hypot(np.diff(x), np.diff(y)).cumsum()])
    even = np.linspace(0, length[-1], count, endpoint=False)
    x, y = np.interp(even, length, x), np.interp(even, length, y)
    eyes = [
        vertices[parts.parts == part].mean(axis=0) for part in (asset.LEFT_EYE, asset.RIGHT_EYE)
    ]
    apart = max((eyes[0][0] - eyes[1][0]) / 2, width + 0.05)
    high = (eyes[0][1] + eyes[1][1]) / 2 - 0.02
    bridge = vertices[
        (np.abs(parts.base[:, 0]) < 0.12) & (np.abs(parts.base[:, 1] - 0.15) < 0.1), 2
    ]
    deep = max(bridge.max() - 0.02, max(eyes[0][2], eyes[1][2]) + 0.26)
    # bent a little around the face
    return np.stack(
        [np.column_stack([s * apart + x, high + y, deep - 0.35 * (x * s).clip(0) ** 2 - 0.05 * (1 + x * s)])
         for s in (1, -1)]
    ).astype(np.float32)  # fmt: skip
