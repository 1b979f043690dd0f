"""Triangles to pixels: a z-buffer in NumPy, exact to the float."""

import numpy as np


def turn(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation Rz(roll) Rx(pitch) Ry(yaw), angles in degrees: float32, shape (3, 3).

    x points to the viewer's right, y up, z to the viewer. Positive yaw turns the face to the
    viewer's right, positive pitch nods it down, positive roll tilts it to the left.
    """
    angles = np.radians((yaw, pitch, roll))
    (cy, cx, cz), (sy, sx, sz) = np.cos(angles), np.sin(angles)
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return (rz @ rx @ ry).astype(np.float32)


def normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals of the vertices, float32 (n, 3): those of the triangles around, by area."""
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    face = np.cross(b - a, c - a)
    out = np.stack(
        [
            sum(
                np.bincount(triangles[:, corner], face[:, axis], len(vertices))
                for corner in range(3)
            )
            for axis in range(3)
        ],
        axis=1,
    )
    return (out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def rasterize(
    points: np.ndarray, triangles: np.ndarray, size: int, *, fronts_only: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find for each pixel the nearest triangle, and where in it the pixel's middle lies.

    Parameters
    ----------
    points : numpy.ndarray
        float32 (n, 3): x and y in pixels, y down, and z towards the viewer.
    triangles : numpy.ndarray
        int64 (m, 3).
    size : int
        Height and width in pixels.
    fronts_only : bool
        Whether to leave out triangles that are seen from behind.

    Returns
    -------
    tuple of numpy.ndarray
        Places of the covered pixels in the flat picture, int64 (k,); the
        triangle of each, int64 (k,); the weights of its corners, float32
        (k, 3); and the depth of every pixel, float32 (size * size,), -inf where
        there is nothing.
    """
    a, b, c = np.ascontiguousarray(triangles.T)
    x, y, z = np.ascontiguousarray(points.T)
    ax, bx, cx, ay, by, cy = x[a], x[b], x[c], y[a], y[b], y[c]
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    good = np.flatnonzero(area < -1e-9 if fronts_only else np.abs(area) > 1e-9)
    ax, bx, cx, ay, by, cy, area = (each[good] for each in (ax, bx, cx, ay, by, cy, area))

    def first(low: np.ndarray) -> np.ndarray:
        return np.maximum(np.ceil(low - np.float32(0.5)), 0).astype(np.int32)

    def last(high: np.ndarray) -> np.ndarray:
        return np.minimum(np.floor(high - np.float32(0.5)), size - 1).astype(np.int32)

    left, right = (
        first(np.minimum(np.minimum(ax, bx), cx)),
        last(np.maximum(np.maximum(ax, bx), cx)),
    )
    top, bottom = (
        first(np.minimum(np.minimum(ay, by), cy)),
        last(np.maximum(np.maximum(ay, by), cy)),
    )
    # most triangles of a head are smaller than a pixel, and many hold no pixel's middle
    some = np.flatnonzero((right >= left) & (bottom >= top))
    ax, bx, cx, ay, by, cy, area = (each[some] for each in (ax, bx, cx, ay, by, cy, area))
    good, left, top, right, bottom = (each[some] for each in (good, left, top, right, bottom))
    # the box of a triangle, row by row
    high, wide = bottom - top + 1, right - left + 1
    of = np.repeat(np.arange(len(good)), high)
    row = _counted(high) + top[of]
    # each weight is a plane over the picture
    dy = row.astype(np.float32) + np.float32(0.5) - ay[of]
    down1, down2 = ((cx - ax) / area)[of] * dy, ((bx - ax) / area)[of] * dy
    wide = wide[of]
    line = np.repeat(np.arange(len(of)), wide)
    which = of[line]
    px = _counted(wide) + left[which]
    dx = px.astype(np.float32) + np.float32(0.5) - ax[which]
    w1 = ((cy - ay) / area)[which] * dx - down1[line]
    w2 = down2[line] - ((by - ay) / area)[which] * dx
    edge = np.float32(-1e-5)
    inside = np.flatnonzero((w1 >= edge) & (w2 >= edge) & (w1 + w2 <= 1 - edge))
    which, w1, w2 = which[inside], w1[inside], w2[inside]
    az, bz, cz = z[a[good]], z[b[good]], z[c[good]]
    depth = az[which] + w1 * (bz - az)[which] + w2 * (cz - az)[which]
    pixel = row[line[inside]] * np.int64(size) + px[inside]
    nearest = np.full(size * size, -np.inf, dtype=np.float32)
    np.maximum.at(nearest, pixel, depth)
    won = np.flatnonzero(depth == nearest[pixel])
    winner = np.full(size * size, -1, dtype=np.int64)
    winner[pixel[won]] = won
    pixels = np.flatnonzero(winner >= 0)
    won = winner[pixels]
    w1, w2 = w1[won], w2[won]
    return pixels, good[which[won]], np.stack([1 - w1 - w2, w1, w2]).T, nearest


def _counted(counts: np.ndarray) -> np.ndarray:
    """0, 1, 2, ... anew for each of the counts, one after the other."""
    ends = np.cumsum(counts, dtype=np.int32)
    return np.arange(ends[-1] if len(ends) else 0, dtype=np.int32) - np.repeat(
        ends - counts, counts
    )


def depth_map(points: np.ndarray, triangles: np.ndarray, size: int) -> np.ndarray:
    """Depth of the nearest surface at each pixel, float32 (size, size); see `rasterize`."""
    return rasterize(points.astype(np.float32), triangles, size)[3].reshape(size, size)
