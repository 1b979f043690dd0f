"""Photographs of faces as they come: what a drawn head, or one photo, could have looked like.

A picture for a fingerprint is changed alone, without a target: cut to the face or
with all of the head, turned, mirrored, lit from a side, blurred, partly hidden.
"""

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np


@dataclass(frozen=True)
class Changes:
    """How much pictures are changed; each is drawn anew for each picture.

    Attributes
    ----------
    zoom : tuple of float
        Lowest and highest logarithm of the enlargement. A drawn head fills its picture: enlarged
        by half, only the face is left.
    width : tuple of float
        Mean and deviation of the logarithm of the width over the height.
    shift : float
        Deviation, as a share of the picture's side.
    turn : float
        Deviation in degrees.
    gamma : float
        Deviation of its logarithm.
    slope : float
        Deviation of the brightness between one edge and the other, as a share.
    shadow : float
        Share of the pictures of which a side lies in shadow.
    blur : float
        Highest deviation of a Gaussian, as a share of the side; most are far below.
    coarse : float
        Share of the pictures that are scaled down and up again.
    noise : float
        Highest deviation; most are far below.
    hidden : float
        Share of the pictures with something in front.
    """

    zoom: tuple[float, float] = (-0.12, 0.5)
    width: tuple[float, float] = (0.03, 0.07)
    shift: float = 0.035
    turn: float = 5.0
    gamma: float = 0.25
    slope: float = 0.25
    shadow: float = 0.2
    blur: float = 0.025
    coarse: float = 0.1
    noise: float = 0.03
    hidden: float = 0.1

    def softened(self, strength: float) -> "Changes":
        """The same kinds of changes, each weakened to a share of 0..1."""
        weakened: dict[str, Any] = {
            name: tuple(strength * part for part in value)
            if isinstance(value, tuple)
            else strength * value
            for name, value in asdict(self).items()
        }
        return Changes(**weakened)


def photograph(
    images: np.ndarray, size: int, changes: Changes, rng: np.random.Generator
) -> np.ndarray:
    """Change each picture at random.

    Parameters
    ----------
    images : numpy.ndarray
        uint8, shape (n, height, width).
    size : int
        Height and width of the results.
    changes : Changes
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        float32, shape (n, size, size), in 0..1. Beyond the edge, the edge is repeated.
    """
    n = len(images)
    moved = np.stack(
        [
            cv2.warpAffine(
                image,
                place,
                (size, size),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for image, place in zip(images, _places(images, size, changes, rng), strict=True)
        ]
    )
    moved = moved / np.float32(255)
    _hide(moved, changes.hidden, rng)
    power = np.exp(rng.normal(0, changes.gamma, n))
    lit = np.power(moved, power[:, None, None], dtype=np.float32) * _light(n, size, changes, rng)
    deviations = changes.blur * size * rng.random(n) ** 2
    coarse = np.where(rng.random(n) < changes.coarse, rng.uniform(0.45, 0.9, n), 1)
    for image, deviation, scale in zip(lit, deviations, coarse, strict=True):
        if deviation > 0.3:
            image[:] = cv2.GaussianBlur(image, (0, 0), deviation)
        if scale < 1:
            small = cv2.resize(image, (round(scale * size),) * 2, interpolation=cv2.INTER_AREA)
            image[:] = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    noise = rng.standard_normal(lit.shape, dtype=np.float32)
    lit += noise * (changes.noise * rng.random((n, 1, 1)) ** 2).astype(np.float32)
    return np.clip(lit, 0, 1)


def _places(
    images: np.ndarray, size: int, changes: Changes, rng: np.random.Generator
) -> np.ndarray:
    """Where each pixel of the results lies in the pictures, as affine maps (n, 2, 3)."""
    n, height, width = images.shape
    angle = np.radians(rng.normal(0, changes.turn, n))
    zoom = np.exp(rng.uniform(*changes.zoom, n))
    stretch = np.exp(rng.normal(*changes.width, n) / 2)
    mirror = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    right, down = width / size / zoom / stretch * mirror, height / size / zoom * stretch
    turned = np.empty((n, 2, 3))
    turned[:, 0, 0], turned[:, 0, 1] = right * np.cos(angle), -right * np.sin(angle)
    turned[:, 1, 0], turned[:, 1, 1] = down * np.sin(angle), down * np.cos(angle)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    middle = middle + rng.normal(0, changes.shift, (n, 2)) * (width, height)
    turned[:, :, 2] = middle - turned[:, :, :2].sum(axis=2) * (size - 1) / 2
    return turned


def _light(n: int, size: int, changes: Changes, rng: np.random.Generator) -> np.ndarray:
    """Brightness of each pixel, float32 (n, size, size): a slope, and for some a side in shadow."""
    down, right = np.mgrid[:size, :size].astype(np.float32) / (size - 1) - np.float32(0.5)
    slopes = rng.normal(0, changes.slope, (2, n, 1, 1)).astype(np.float32)
    light = np.maximum(1 + slopes[0] * down + slopes[1] * right, 0.05)
    angle = rng.normal(0, 0.6, (n, 1, 1)) + np.where(rng.random((n, 1, 1)) < 0.5, np.pi, 0)
    across = (right * np.cos(angle) + down * np.sin(angle)).astype(np.float32)
    edge = rng.normal(0, 0.15, (n, 1, 1)).astype(np.float32)
    sharp = rng.uniform(4, 20, (n, 1, 1)).astype(np.float32)
    depth = np.where(rng.random((n, 1, 1)) < changes.shadow, rng.uniform(0.15, 0.75, (n, 1, 1)), 0)
    return light * (1 - depth.astype(np.float32) / (1 + np.exp(-sharp * (across - edge))))


def _hide(images: np.ndarray, share: float, rng: np.random.Generator) -> None:
    """Put a grey rectangle in front of some pictures."""
    size = images.shape[1]
    for number in np.flatnonzero(rng.random(len(images)) < share):
        height, width = (rng.uniform(0.12, 0.5, 2) * size).astype(int)
        top, left = rng.integers(-height // 2, size - height // 2), rng.integers(-width // 2, size - width // 2)  # fmt: skip
        images[number, max(top, 0) : top + height, max(left, 0) : left + width] = rng.random()
