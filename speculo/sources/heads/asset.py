"""The parts that every head is made of, read from ``heads.npz`` and prepared once."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy import ndimage, sparse

from speculo import files
from speculo.sources.heads import raster

PATH = Path(__file__).with_name("heads.npz")

UNIT = np.float32(0.001)
SKIN, LEFT_EYE, RIGHT_EYE, TEETH, SOCKET, INSIDE = range(6)

ROWS, COLUMNS = 224, 512
"""Size of a skin texture: height of the head down, angle around it across."""

TOP, BOTTOM = 1.45, -1.53
"""Heights, in decimetres, of the texture's first and last row."""

AXIS = 0.1
"""Where the texture's axis passes the head, in decimetres in front of its middle."""

ROOTS = 1200
"""Places on each half of the head where a hair can grow."""


@dataclass(frozen=True, eq=False)
class Asset:
    """Everything that does not depend on the person. Lengths are in decimetres.

    Attributes
    ----------
    base : numpy.ndarray
        float32 (n, 3): the mean head.
    triangles : numpy.ndarray
        int64 (m, 3).
    parts : numpy.ndarray
        uint8 (n,): skin, eyeballs, teeth, insides.
    around : scipy.sparse.csr_array
        (n, m): 1 where a triangle touches a vertex.
    visibility : numpy.ndarray
        float32 (elevations, azimuths, n): share of a soft light from each
        direction that reaches a vertex.
    occlusion : numpy.ndarray
        float32 (n,): share of a light from everywhere.
    macro_names, slider_names, unit_names : tuple of str
    macros, sliders, units : numpy.ndarray
        float32, displacements flattened over (n, 3): of age, sex and ethnicity;
        of the two ends of each slider; of the expressions.
    columns : numpy.ndarray
        int64 (3, m): the triangles once more, corner by corner.
    corners : numpy.ndarray
        float32 (3, 2, m): column and row in the texture of each triangle's corners.
    texels : numpy.ndarray
        float32 (rows, columns, 3): the place on the mean head of each texel.
    lid : numpy.ndarray
        float32 (rows, columns): 1 on the edges of the eyelids.
    root_corners, root_weights : numpy.ndarray
        (2, r, 3): places where hair can grow, on the right half and mirrored on
        the left.
    licence : str
    """

    base: np.ndarray
    triangles: np.ndarray
    parts: np.ndarray
    around: sparse.csr_array
    visibility: np.ndarray
    occlusion: np.ndarray
    macro_names: tuple[str, ...]
    macros: np.ndarray
    slider_names: tuple[str, ...]
    sliders: np.ndarray
    unit_names: tuple[str, ...]
    units: np.ndarray
    columns: np.ndarray
    corners: np.ndarray
    texels: np.ndarray
    lid: np.ndarray
    root_corners: np.ndarray
    root_weights: np.ndarray
    licence: str


@cache
def digest() -> str:
    """Tell this asset from others.

    Raises
    ------
    ValueError
        If it is missing or cannot be read.
    """
    with _said(), files.open_file(PATH) as file:
        return hashlib.blake2b(file.read(), digest_size=8).hexdigest()


@cache
def read() -> Asset:
    """Read the asset. It takes a fifth of a second, once in a process.

    Raises
    ------
    ValueError
        If it is missing or damaged.
    """
    with _said():
        arrays = files.read_arrays(PATH)
    base = arrays["base"] * UNIT
    triangles = arrays["triangles"].astype(np.intp)
    parts = arrays["parts"]
    around = sparse.csr_array(
        (
            np.ones(triangles.size, dtype=np.float32),
            (triangles.ravel(), np.repeat(np.arange(len(triangles)), 3)),
        ),
        shape=(len(base), len(triangles)),
    )
    visibility = arrays["visibility"].astype(np.float32) / 15
    corners = _corners(base, triangles)
    texels, lid = _texels(base, triangles, parts, corners)
    root_corners, root_weights = _roots(base, triangles, parts, arrays["mirror"].astype(np.intp))
    return Asset(
        base=base,
        triangles=triangles,
        parts=parts,
        around=around,
        visibility=visibility,
        occlusion=visibility.mean(axis=(0, 1)),
        macro_names=tuple(arrays["macro_names"].tolist()),
        macros=arrays["macros"].reshape(len(arrays["macros"]), -1) * UNIT,
        slider_names=tuple(arrays["slider_names"].tolist()),
        sliders=arrays["sliders"].reshape(2 * len(arrays["sliders"]), -1) * UNIT,
        unit_names=tuple(arrays["unit_names"].tolist()),
        units=arrays["units"].reshape(len(arrays["units"]), -1) * UNIT,
        columns=np.ascontiguousarray(triangles.T),
        corners=np.ascontiguousarray(corners.transpose(1, 2, 0)),
        texels=texels,
        lid=lid,
        root_corners=root_corners,
        root_weights=root_weights,
        licence=str(arrays["licence"]),
    )


@contextmanager
def _said() -> Iterator[None]:
    """Say how to get the asset again where it cannot be read."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{error}. This file comes with the book: get it again (git checkout {files.shown(PATH)})"
        ) from error


def _corners(base: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Where each corner of each triangle lies in the texture: column and row."""
    angle = np.arctan2(base[:, 0], base[:, 2] - AXIS)[triangles]
    # a triangle behind the head stays in one piece: its corners may lie beyond the edge
    middle = angle[:, :1]
    angle = middle + (angle - middle + np.pi) % (2 * np.pi) - np.pi
    row = (TOP - base[:, 1][triangles]) / (TOP - BOTTOM) * ROWS
    return np.stack([(angle / (2 * np.pi) + 0.5) * COLUMNS, row], axis=2).astype(np.float32)


def _texels(base, triangles, parts, corners) -> tuple[np.ndarray, np.ndarray]:
    """Place on the head of each texel, and the edges of the eyelids."""
    socket = parts == SOCKET
    edge = np.zeros(len(base), dtype=np.float32)
    mixed = triangles[socket[triangles].any(axis=1)]
    edge[mixed[~socket[mixed]]] = 1
    skin = np.flatnonzero((parts[triangles] == SKIN).all(axis=1))
    flat = corners[skin].reshape(-1, 2)
    outward = np.linalg.norm(base[:, [0, 2]] - (0, AXIS), axis=1)[triangles[skin]].ravel()
    points = np.column_stack([flat, outward]).astype(np.float32)
    picture = max(ROWS, COLUMNS)
    pixels, which, weights, _ = raster.rasterize(
        points, np.arange(len(points)).reshape(-1, 3), picture
    )
    values = np.column_stack([base, edge])[triangles[skin]]
    filled = np.zeros((picture * picture, 4), dtype=np.float32)
    filled[pixels] = (values[which] * weights[:, :, None]).sum(axis=1)
    covered = np.zeros(picture * picture, dtype=bool)
    covered[pixels] = True
    shape = (picture, picture)
    nearest = ndimage.distance_transform_edt(
        ~covered.reshape(shape)[:ROWS, :COLUMNS], return_distances=False, return_indices=True
    )
    filled = filled.reshape(*shape, 4)[:ROWS, :COLUMNS][tuple(nearest)]
    filled = (filled + filled[:, ::-1] * (-1, 1, 1, 1)) / 2  # exactly as symmetric as the head
    return filled[..., :3].astype(np.float32), filled[..., 3].astype(np.float32)


def _roots(base, triangles, parts, mirror) -> tuple[np.ndarray, np.ndarray]:
    """Places where hair can grow: on the right half of the skin, and mirrored."""
    x, y, z = base[triangles].mean(axis=1).T
    skull = (y > 0.3) | (z < 0.25) & (y > -0.75)
    beard = (y < 0.0) & (y > -1.0) & (z > 0.05)
    ear = (np.abs(x) > 0.68) & (y < 0.3) & (z > -0.5) & (z < 0.1)
    usable = (parts[triangles] == SKIN).all(axis=1) & (x > 0) & (skull | beard) & ~ear
    usable = np.flatnonzero(usable)
    a, b, c = base[triangles[usable]].transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    rng = np.random.default_rng(0)
    # evenly spread over the area, in an order in which any first part is evenly spread too
    places = (np.arange(ROOTS) + rng.random(ROOTS)) / ROOTS
    chosen = usable[np.searchsorted(np.cumsum(area) / area.sum(), places).clip(max=len(usable) - 1)]
    chosen = chosen[rng.permutation(ROOTS)]
    weights = rng.dirichlet((1, 1, 1), ROOTS).astype(np.float32)
    right = triangles[chosen]
    return np.stack([right, mirror[right]]), np.stack([weights, weights])
