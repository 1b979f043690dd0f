"""The skin of a person: a picture wrapped around the head, in reflectance from 0 to 1."""

from functools import cache

import cv2
import numpy as np

from speculo.sources.heads import asset
from speculo.sources.heads.person import Person

EYE = 48
"""Height and width of the picture of an eyeball, seen from the front."""


@cache
def _masks() -> dict[str, np.ndarray]:
    """Where on the mean head things are, float32 (rows, columns) in 0..1."""
    parts = asset.read()
    x, y, z = np.moveaxis(parts.texels, 2, 0)
    side = np.abs(x)
    front = _soft(z, 0.25, 0.1)
    upper = np.interp(side, [0, 0.06, 0.14, 0.27], [-0.425, -0.405, -0.44, -0.49])
    lower = np.interp(side, [0, 0.12, 0.20, 0.27], [-0.60, -0.585, -0.555, -0.49])
    lips = _soft(upper - y, 0, 0.012) * _soft(y - lower, 0, 0.02) * _soft(0.28 - side, 0, 0.015)
    angle = np.degrees(np.abs(np.arctan2(x, z - asset.AXIS)))
    beard = _soft(
        np.interp(angle, [0, 18, 30, 55, 75, 90, 180], [-0.62, -0.50, -0.36, -0.24, 0.05, 0.0, -2])
        - y, 0, 0.06,
    )  # fmt: skip
    beard *= _soft(y, -1.05, 0.08) * _soft(z, 0.0, 0.1)
    moustache = _soft(-0.30 - y, 0, 0.03) * _soft(y + 0.43 + 0.25 * side, 0, 0.03)
    moustache *= _soft(0.32 - side, 0, 0.04) * front
    beside_mouth = _soft(side, 0.24, 0.03) * _soft(0.36 - side, 0, 0.03) * _soft(-0.40 - y, 0, 0.05)
    goatee = np.maximum(_soft(-0.66 - y, 0, 0.03) * _soft(0.26 - side, 0, 0.05), beside_mouth)
    goatee *= front * _soft(y, -0.98, 0.05)
    not_lips = 1 - lips
    # how far the socket of the eye is: for shade around it
    eye = np.exp(-(((side - 0.33) / 0.19) ** 2 + ((y - 0.19) / 0.12) ** 2))
    bag = np.exp(-(((side - 0.31) / 0.11) ** 2 + ((y - 0.07) / 0.035) ** 2)) * front
    fold = np.interp(y, [-0.5, -0.2], [0.34, 0.19])
    fold = (
        np.exp(-(((side - fold) / 0.022) ** 2)) * _soft(y, -0.52, 0.05) * _soft(-0.16 - y, 0, 0.05)
    )
    forehead = sum(np.exp(-(((y - at - 0.05 * side) / 0.016) ** 2)) for at in (0.55, 0.65, 0.76))
    forehead *= _soft(0.48 - side, 0, 0.12) * front
    crow = np.zeros_like(x)
    for slope in (-0.5, 0.0, 0.5):
        crow += np.exp(-(((y - 0.19 - slope * (side - 0.45)) / 0.012) ** 2))
    crow *= _soft(side, 0.49, 0.02) * _soft(0.64 - side, 0, 0.04) * front
    brow = np.interp(side, [0.09, 0.2, 0.36, 0.54], [0.335, 0.375, 0.405, 0.34])
    width = np.interp(side, [0.09, 0.16, 0.36, 0.54], [0.030, 0.040, 0.030, 0.008])
    ends = _soft(side, 0.10, 0.03) * _soft(0.52 - side, 0, 0.03) * front
    masks = {
        "brow": (y - brow) / width, "brow ends": ends,
        "x": x, "y": y, "z": z, "side": side, "angle": angle, "front": front, "lips": lips,
        "beard": beard * not_lips, "moustache": moustache * not_lips, "goatee": goatee * not_lips,
        "eye": eye * front, "bag": bag, "fold": fold * front, "forehead": forehead, "crow": crow,
        "mouth": np.exp(-(((y + 0.488) / 0.009) ** 2)) * _soft(0.27 - side, 0, 0.02) * front,
        "lid": parts.lid * np.where(y > 0.17, 1.0, 0.35) * front,
        "cheek": np.exp(-(((side - 0.42) / 0.16) ** 2 + ((y + 0.08) / 0.15) ** 2)) * front,
        "nose": np.exp(-((x / 0.12) ** 2 + ((y + 0.18) / 0.1) ** 2)) * front,
    }  # fmt: skip
    return {name: mask.astype(np.float32) for name, mask in masks.items()}


@cache
def _rows(name: str) -> slice:
    """Rows of the texture that a mask touches."""
    used = np.flatnonzero(_masks()[name].max(axis=1) > 0.01)
    return slice(int(used[0]), int(used[-1]) + 1)


def _soft(values: np.ndarray, edge: float | np.ndarray, width: float) -> np.ndarray:
    """0 well below an edge, 1 well above it, and a straight line between."""
    return np.clip((values - edge) * np.float32(1 / (2 * width)) + np.float32(0.5), 0, 1)


def noise(rng: np.random.Generator, grain: float, symmetric: bool) -> np.ndarray:
    """Noise over the texture with a deviation of about 1; `grain` is in texels."""
    shape = (max(2, round(asset.ROWS / grain)), max(2, round(asset.COLUMNS / grain)))
    values: np.ndarray = rng.standard_normal(shape, dtype=np.float32)
    values = cv2.resize(values, (asset.COLUMNS, asset.ROWS), interpolation=cv2.INTER_CUBIC)
    if symmetric:
        values = (values + values[:, ::-1]) * np.float32(0.7071)
    return values


def hairline(angle: np.ndarray, receding: float) -> np.ndarray:
    """Height at which hair begins, by the angle from the front in degrees."""
    temples = 0.30 * receding
    return np.interp(
        angle,
        [0, 22, 40, 58, 70, 80, 92, 112, 125, 150, 180],
        [
            0.86 + 0.35 * receding, 0.86 + 0.35 * receding + temples, 0.80 + temples,
            0.55 + 0.15 * receding, 0.25, -0.02, 0.22, 0.28, -0.20, -0.52, -0.58,
        ],
    )  # fmt: skip


def scalp(person: Person, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Where on the mean head hair grows, 0..1."""
    return _scalp(person, np.degrees(np.abs(np.arctan2(x, z - asset.AXIS))), x, y, z)


def _scalp(
    person: Person, angle: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray
) -> np.ndarray:
    if person.hair == "bald":
        edge = np.interp(
            angle,
            [0, 60, 75, 92, 112, 125, 150, 180],
            [9.0, 9.0, 0.1, 0.25, 0.3, -0.2, -0.5, -0.55],
        )
        return _soft(y, edge, 0.08) * _soft(0.62 - y, 0.0, 0.15)
    mask = _soft(y, hairline(angle, person.hairline), 0.07)
    crown = person.hairline > 0.6
    if crown:  # thin on top
        thin = np.exp(-(((z + 0.15) / 0.55) ** 2 + (x / 0.5) ** 2)) * _soft(y, 1.0, 0.1)
        mask = mask * (1 - (person.hairline - 0.6) * 2.3 * thin).clip(0, 1)
    return mask


def skin(person: Person) -> np.ndarray:
    """Paint the skin of a person, brows, lips and the ground of hair and beard with it.

    Returns
    -------
    numpy.ndarray
        float32 (rows, columns), 0..1.
    """
    m = _masks()
    rng = np.random.default_rng([*person.seed, 1])
    even = person.asymmetry == 0
    fine, middle, coarse, strands = (noise(rng, grain, even) for grain in (1.2, 5, 24, 2.2))
    old = person.age
    out = person.skin * (1 + 0.030 * coarse + 0.018 * middle + 0.018 * fine)
    out *= 1 - 0.10 * m["cheek"] * (0.4 + 0.6 * person.ethnicity[2]) + 0.04 * m["nose"]
    out *= 1 - 0.16 * m["eye"] - (0.08 + 0.16 * old) * m["bag"]
    lines = (
        0.30 * m["fold"] * (0.25 + old) + 0.22 * m["forehead"] * old**1.3 + 0.25 * m["crow"] * old
    )
    out *= 1 - lines * (1 - 0.4 * person.weight)
    if person.freckles > 0:
        spots = (noise(rng, 3, even) > 1.1) * (m["cheek"] + m["nose"]).clip(0, 1)
        out *= 1 - 0.22 * min(person.freckles, 1.0) * spots
    if rng.random() < 0.35 and not even:  # a mole
        at = rng.uniform((-0.5, -0.7), (0.5, 0.0))
        spot = np.exp(-((m["x"] - at[0]) ** 2 + (m["y"] - at[1]) ** 2) / 0.0006) * m["front"]
        out *= 1 - 0.55 * spot

    out *= 1 - person.lips * m["lips"] * (1 + 0.08 * fine)
    out *= 1 - 0.5 * m["mouth"]

    # brows: an arch of short strokes that lean outwards
    high = rng.normal(0, 0.012)
    thick = (0.55 + 0.75 * person.brows) * (1 - 0.25 * (1 - person.male))
    rows = _rows("brow ends")
    away = (m["brow"][rows] - high / 0.035) / thick
    brow = np.exp(-(np.abs(away) ** 2.5)) * m["brow ends"][rows]
    brow *= (0.9 + 0.30 * strands[rows]).clip(0.3, 1.2)
    tone = min(person.hair_tone, 0.45) * 0.8 + 0.01
    out[rows] = _over(out[rows], tone, brow * (0.55 + 0.5 * person.brows))

    # the ground that hair and beard stand on, thinned out at its edges
    ground = _scalp(person, m["angle"], m["x"], m["y"], m["z"])
    cover = (ground * 1.5 - 0.25 + 0.25 * strands * ground * (1 - ground) * 4).clip(0, 1)
    shaved = person.hair in ("buzz", "bald")
    grain = 0.85 + 0.22 * fine if shaved else 0.78 + 0.10 * strands
    out = _over(out, person.hair_tone * grain, cover * (0.72 if shaved else 0.9))
    shadow = m["beard"] + m["moustache"]
    dark = (0.25 * (1 - person.hair_tone) * person.male) * (0.35 if person.beard == "none" else 0.9)
    out = _over(out, 0.12, shadow.clip(0, 1) * dark * (0.85 + 0.2 * fine).clip(0, 1.2))
    grown = beard(person, m)
    if grown is not None:
        tone = 0.85 * person.hair_tone + 0.01
        out = _over(out, tone * (1 + 0.25 * strands), grown * (0.75 + 0.18 * strands).clip(0, 1))
    # the edge of the upper lid, with its lashes
    out *= 1 - (0.75 - 0.10 * person.male) * m["lid"]
    return out.clip(0.015, 0.9).astype(np.float32)


def beard(person: Person, m: dict[str, np.ndarray]) -> np.ndarray | None:
    """Where the beard grows, 0..1."""
    return {
        "none": None,
        "stubble": None,
        "moustache": m["moustache"],
        "goatee": np.maximum(m["moustache"], m["goatee"]),
        "full": np.maximum(m["moustache"], m["beard"]),
    }[person.beard]


def _over(under: np.ndarray, tone: float | np.ndarray, cover: np.ndarray) -> np.ndarray:
    cover = np.minimum(cover, 1)
    return under * (1 - cover) + tone * cover


def eye(person: Person) -> np.ndarray:
    """Paint an eyeball as it is seen from the front: float32 (EYE, EYE)."""
    row, column = (np.mgrid[:EYE, :EYE] + 0.5) / EYE * 2 - 1
    radius = np.hypot(row, column)
    white = 0.62 + 0.10 * np.clip(person.skin, 0.3, 0.6)
    ball = white * (1 - 0.30 * radius**2)
    iris = person.iris * (0.75 + 0.5 * _soft(0.40 - radius, 0.10, 0.2))
    out = ball + (iris - ball) * _soft(0.50 - radius, 0, 0.05)
    out = out + (0.4 * person.iris - out) * np.exp(-(((radius - 0.49) / 0.045) ** 2)) * 0.8
    out = out + (0.015 - out) * _soft(0.21 - radius, 0, 0.05)
    return out.astype(np.float32)
