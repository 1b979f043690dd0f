"""From a person, a pose and a light to a picture."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from speculo.sources.heads import asset, hair, paint, person, raster
from speculo.sources.heads.person import Person

CAMERA = 14.0
"""Distance of the camera from the middle of the head, in decimetres."""

MARGIN = 1.10
"""Side of the picture over the height or width of the head, whichever is larger."""

GAMMA = 0.72
KEY, AMBIENT = 0.86, 0.44

EXPRESSIONS = {
    "neutral": {},
    "smile": {"mouthSmile": 0.7, "cheekSquint": 0.5, "eyeSquint": 0.25, "mouthDimple": 0.2},
    "laugh": {"mouthSmile": 0.8, "jawOpen": 0.25, "cheekSquint": 0.6, "eyeSquint": 0.3},
    "surprise": {"browInnerUp": 0.7, "browOuterUp": 0.6, "eyeWide": 0.6, "jawOpen": 0.28},
    "anger": {"browDown": 0.8, "noseSneer": 0.4, "mouthPress": 0.5, "eyeSquint": 0.3},
    "sadness": {"browInnerUp": 0.8, "mouthFrown": 0.7, "mouthShrugLower": 0.3},
    "kiss": {"mouthPucker": 0.8, "mouthFunnel": 0.2},
    "closed eyes": {"eyeBlink": 0.95},
}
"""Expressions, each as strengths of the asset's facial actions, left and right together."""


@dataclass(frozen=True, eq=False)
class Head:
    """A person made ready to be drawn."""

    person: Person
    vertices: np.ndarray
    normals: np.ndarray
    skin: np.ndarray
    eye: np.ndarray
    strands: hair.Strands
    rims: np.ndarray | None


@dataclass(frozen=True)
class Photo:
    """How a photo is taken. Angles are in degrees.

    Attributes
    ----------
    yaw, pitch, roll : float
    units : tuple
        Pairs of a facial action and its strength; see `EXPRESSIONS`.
    gaze : tuple of float
        Where the eyes look, against the head: right and up, -1..1.
    azimuth, elevation : float
        Of the key light, from the camera.
    key, ambient : float
        Strength of the lights.
    cloth : float
        Reflectance of the clothes.
    collar : float
        Height of the neckline, -1..1; stripes are `stripes` to a decimetre.
    stripes : float
    shift : tuple of float
        Of the crop, as a share of its side.
    zoom : float
    blur : float
        Deviation in pixels of a picture of 64.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    units: tuple[tuple[str, float], ...] = ()
    gaze: tuple[float, float] = (0.0, 0.0)
    azimuth: float = 0.0
    elevation: float = 22.0
    key: float = KEY
    ambient: float = AMBIENT
    cloth: float = 0.30
    collar: float = 0.0
    stripes: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    blur: float = 0.0


def prepare(who: Person) -> Head:
    """Make a person ready to be drawn, which is most of the work of a first picture."""
    parts = asset.read()
    shape = person.vertices(who)
    normals = normals_of(shape)
    scalp = paint.scalp(who, *parts.base.T)[:, None] * (parts.parts == asset.SKIN)[:, None]
    style = hair.STYLES[who.hair]
    thick = min(0.10, 0.25 * style.top * style.lift) * (0.5 + who.volume)
    strands = hair.grow(who, shape, normals)
    shape = shape + (thick * scalp * normals).astype(np.float32)
    return Head(
        person=who,
        vertices=shape,
        normals=normals,
        skin=paint.skin(who),
        eye=paint.eye(who),
        strands=strands,
        rims=hair.rims(who, shape, 24) if who.glasses else None,
    )


def normals_of(vertices: np.ndarray) -> np.ndarray:
    """Unit normals of all vertices, float32 (n, 3)."""
    parts = asset.read()
    # axis by axis: arrays of three columns are slow
    a, b, c = parts.columns
    (px, qx), (py, qy), (pz, qz) = (
        (axis[b] - axis[a], axis[c] - axis[a]) for axis in np.ascontiguousarray(vertices.T)
    )
    face = np.empty((len(a), 3), dtype=np.float32)
    face[:, 0] = py * qz - pz * qy
    face[:, 1] = pz * qx - px * qz
    face[:, 2] = px * qy - py * qx
    out = parts.around @ face
    x, y, z = np.ascontiguousarray(out.T)
    out /= np.sqrt(np.maximum(x * x + y * y + z * z, 1e-18))[:, None]
    return out


def draw(head: Head, photo: Photo, size: int, background: np.ndarray | float = 0.35) -> np.ndarray:
    """Draw one picture.

    Parameters
    ----------
    head : Head
    photo : Photo
    size : int
        Height and width in pixels.
    background : float or numpy.ndarray
        Brightness, 0..1: one, or float32 (2 * size, 2 * size).

    Returns
    -------
    numpy.ndarray
        float32, shape (size, size), brightness in 0..1.
    """
    parts = asset.read()
    fine = 2 * size  # every pixel of the picture is the mean of four
    shape, normals = head.vertices, head.normals
    if photo.units:
        shape = shape + _expression(photo.units)
        normals = normals_of(shape)
    turned = raster.turn(photo.yaw, photo.pitch, photo.roll)
    light = turned.T @ _direction(photo.azimuth, photo.elevation)  # as the head sees it
    half = turned.T @ _unit(_direction(photo.azimuth, photo.elevation) + (0, 0, 1))

    scene = shape @ turned.T
    scale = CAMERA / (CAMERA - scene[:, 2])
    flat = scene[:, :2] * scale[:, None]
    frame = flat.T.take(_framed(), axis=1)
    low, high = frame.min(axis=1), frame.max(axis=1)
    side = MARGIN * float((high - low).max()) / photo.zoom
    middle = (low + high) / 2 + np.array(photo.shift, dtype=np.float32) * side
    middle[1] += 0.02 * side
    points = np.empty_like(scene)
    points[:, 0] = ((flat[:, 0] - middle[0]) / side + 0.5) * fine
    points[:, 1] = (0.5 - (flat[:, 1] - middle[1]) / side) * fine
    points[:, 2] = scene[:, 2]

    pixels, which, weights, nearest = raster.rasterize(
        points, parts.triangles, fine, fronts_only=True
    )

    shade, shine = _light(head, normals, light, half, photo)
    w0, w1, w2 = weights.T
    c0, c1, c2 = corner = parts.columns.take(which, axis=1)

    def blend(values: np.ndarray) -> np.ndarray:
        return values[c0] * w0 + values[c1] * w1 + values[c2] * w2

    (u0, v0), (u1, v1), (u2, v2) = parts.corners.take(which, axis=2)
    column = u0 * w0 + u1 * w1 + u2 * w2
    row = v0 * w0 + v1 * w1 + v2 * w2
    tone = head.skin[
        row.astype(np.intp).clip(0, asset.ROWS - 1),
        np.floor(column).astype(np.intp) % asset.COLUMNS,
    ]
    tone = _special(head, photo, parts.parts[c0], corner, weights, tone, shape)
    height = blend(parts.base[:, 1])
    tone = _clothes(photo, tone, height, column, row)
    bright = tone * blend(shade) + blend(shine)

    image: np.ndarray = np.empty(fine * fine, dtype=np.float32)
    image[:] = np.square(background) if np.isscalar(background) else np.square(background).ravel()
    image[pixels] = bright
    _draw_strands(head, photo, turned, light, half, middle, side, fine, nearest, image)
    image = np.clip(image, 0, 1) ** np.float32(GAMMA)
    image = image.reshape(fine, fine)
    if head.rims is not None:
        _draw_lenses(head, photo, turned, middle, side, fine, image)
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    if photo.blur:
        sigma = photo.blur * size / 64
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    return image


@cache
def _framed() -> np.ndarray:
    """The vertices that the crop goes by: the head from chin to crown, without the ears."""
    base = asset.read().base
    return np.flatnonzero((base[:, 1] > -0.95) & ((np.abs(base[:, 0]) < 0.7) | (base[:, 1] > 0.3)))


@cache
def _of(part: int) -> np.ndarray:
    """The vertices of one part of the head."""
    return np.flatnonzero(asset.read().parts == part)


def _unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _direction(azimuth: float, elevation: float) -> np.ndarray:
    a, e = np.radians((azimuth, elevation))
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)], dtype=np.float32)


def _expression(units: tuple[tuple[str, float], ...]) -> np.ndarray:
    parts = asset.read()
    weights = np.zeros(len(parts.unit_names), dtype=np.float32)
    for name, strength in units:
        weights[_sides(name)] += np.float32(strength)
    used = np.flatnonzero(weights)
    return (weights[used] @ parts.units[used]).reshape(-1, 3)


@cache
def _sides(name: str) -> list[int]:
    """Numbers of a facial action in the asset: of itself, or of its left and its right half."""
    names = (name, f"{name}Left", f"{name}Right")
    return [number for number, unit in enumerate(asset.read().unit_names) if unit in names]


def _reaching(light: np.ndarray) -> np.ndarray:
    """How much of the key light reaches each vertex, from the asset's directions around it."""
    visibility = asset.read().visibility
    azimuth = (np.degrees(np.arctan2(light[0], light[2])) + 180) / 30
    elevation = np.interp(
        np.degrees(np.arcsin(np.clip(light[1], -1, 1))), (-45, 0, 40, 80), range(4)
    )
    column, row = int(azimuth) % 12, min(int(elevation), 2)
    a, e = np.float32(azimuth - int(azimuth)), np.float32(elevation - row)
    beside = (column + 1) % 12
    low = visibility[row, column] * (1 - a) + visibility[row, beside] * a
    high = visibility[row + 1, column] * (1 - a) + visibility[row + 1, beside] * a
    return low * (1 - e) + high * e


def _light(head, normals, light, half, photo) -> tuple[np.ndarray, np.ndarray]:
    """Brightness of a white surface at each vertex, and what skin adds as a mirror."""
    parts = asset.read()
    reach = _reaching(light)
    toward = normals @ light
    wrapped = np.maximum((toward + 0.30) / 1.30, 0)  # light creeps around an edge of skin
    ambient = photo.ambient * parts.occlusion * (1.45 + 0.45 * normals[:, 1])
    shade = ambient + photo.key * wrapped * (0.12 + 0.88 * reach)
    mirror = np.maximum(normals @ half, 0)
    mirror *= mirror
    broad = mirror**4
    narrow = broad**6
    shine = photo.key * reach * (0.055 * broad + 0.05 * narrow)
    shine *= (parts.parts == asset.SKIN) * (toward > -0.2)
    return shade.astype(np.float32), shine.astype(np.float32)


def _special(head, photo, part, corner, weights, tone, shape) -> np.ndarray:
    """Paint eyeballs, teeth and the insides of mouth and nostrils."""
    inside = part >= asset.SOCKET
    tone = np.where(inside, 0.30 * head.person.skin, tone)
    tone = np.where(part == asset.TEETH, np.float32(0.62), tone)
    for eye in (asset.LEFT_EYE, asset.RIGHT_EYE):
        mine = np.flatnonzero(part == eye)
        if not len(mine):
            continue
        ball = shape[_of(eye)]
        centre = (ball.min(axis=0) + ball.max(axis=0)) / 2
        radius = (ball[:, 0].max() - ball[:, 0].min()) / 2
        at = (shape[corner[:, mine].T] * weights[mine][:, :, None]).sum(axis=1) - centre
        gaze = np.array(photo.gaze, dtype=np.float32) * (0.45, 0.25)
        place = (at[:, :2] / radius - gaze + 1) / 2 * paint.EYE
        place = place.astype(np.intp).clip(0, paint.EYE - 1)
        tone[mine] = head.eye[place[:, 1], place[:, 0]]
        # shade of the upper lid, and the window that every eye reflects
        tone[mine] *= np.clip(1.05 - 1.1 * np.maximum(at[:, 1] / radius, 0), 0.35, 1)
        side = np.clip(photo.azimuth / 60, -1, 1)
        glint = np.hypot(
            at[:, 0] / radius - gaze[0] - 0.16 * side, at[:, 1] / radius - gaze[1] - 0.16
        )
        tone[mine] = np.where(glint < 0.13, 0.95, tone[mine])
    return tone


def _clothes(photo: Photo, tone, height, column, row) -> np.ndarray:
    """Dress the shoulders, in this photo's clothes."""
    dressed = tone.astype(np.float64)
    low = np.flatnonzero(height < -1.1)  # no neckline is higher
    tone, height, column, row = (each[low] for each in (tone, height, column, row))
    angle = np.abs(column / asset.COLUMNS - 0.5) * 2
    line = -1.42 + 0.14 * photo.collar + np.interp(angle, (0, 0.25, 0.6), (-0.22, 0.0, 0.12))
    worn = np.clip((line - height) / 0.03 + 0.5, 0, 1)
    cloth = photo.cloth * (0.92 + 0.16 * (np.sin(row * 1.7) > 0))
    if photo.stripes:
        cloth = cloth * np.where(np.sin(2 * np.pi * photo.stripes * height) > 0, 1.25, 0.75)
    edge = np.clip(1 - np.abs(line - height) / 0.035, 0, 1)
    dressed[low] = tone * (1 - worn) + cloth * worn * (1 - 0.35 * edge)
    return dressed


def _draw_strands(head, photo, turned, light, half, middle, side, fine, nearest, image) -> None:
    """Draw hair, beard and frame over the head, point by point, where nothing is before them."""
    strands = head.strands
    if not len(strands.points):
        return
    closer = -(-fine // 160)  # in a large picture a strand needs more points
    if closer > 1:
        step = strands.tangents * np.float32(hair.NEAREST / closer)
        strands = hair.Strands(
            np.concatenate([strands.points + number * step for number in range(closer)]),
            *(np.concatenate([each] * closer) for each in strands[1:]),
        )
    scene = strands.points @ turned.T
    scale = CAMERA / (CAMERA - scene[:, 2]) * (fine / side)
    x = (scene[:, 0] * scale + (fine / 2 - middle[0] * fine / side)).astype(np.int32)
    y = (fine / 2 + middle[1] * fine / side - scene[:, 1] * scale).astype(np.int32)
    block = max(1, round(fine / 110))
    seen = (x >= 0) & (y >= 0) & (x < fine - block) & (y < fine - block)
    place = np.where(seen, y * fine + x, 0)
    seen &= scene[:, 2] > nearest[place] - 0.10
    seen = np.flatnonzero(seen)
    place, depth = place[seen], scene[seen, 2]
    # a hair is brightest where it crosses the light, and where it turns to it
    tangents = strands.tangents[seen]
    along, glance = tangents @ light, tangents @ half
    toward = strands.normals[seen] @ light
    lit = np.sqrt(np.maximum(1 - along * along, 0)) * np.clip(0.35 + 0.65 * toward, 0, 1)
    bright = strands.tone[seen] * (1.15 * photo.ambient + 1.05 * photo.key * lit)
    gloss = np.maximum(1 - glance * glance, 0) ** 12 * np.clip(toward, 0, 1)
    bright += strands.shine[seen] * 0.35 * photo.key * gloss
    for down in range(block):
        for right in range(block):
            shifted = place + (down * fine + right)
            np.maximum.at(nearest, shifted, depth)
    for down in range(block):
        for right in range(block):
            shifted = place + (down * fine + right)
            won = nearest[shifted] == depth
            image[shifted[won]] = bright[won]


def _draw_lenses(head, photo, turned, middle, side, fine, image) -> None:
    """Let lenses shade a little, and reflect the light above."""
    for rim in head.rims:
        scene = rim @ turned.T
        if turned[2, 2] < 0.2:
            continue
        scale = CAMERA / (CAMERA - scene[:, 2]) * (fine / side)
        x = scene[:, 0] * scale + (fine / 2 - middle[0] * fine / side)
        y = fine / 2 + middle[1] * fine / side - scene[:, 1] * scale
        mask = np.zeros((fine, fine), dtype=np.uint8)
        cv2.fillConvexPoly(mask, np.rint(np.column_stack([x, y])).astype(np.int32), 1)
        top, bottom = max(int(y.min()), 0), min(int(y.max()) + 2, fine)
        rows = np.arange(top, bottom, dtype=np.float32)[:, None]
        glare = 0.05 * np.clip(1 - (rows - y.min()) / max(y.max() - y.min(), 1), 0, 1)
        part = image[top:bottom]
        part[:] = np.where(mask[top:bottom] > 0, part * 0.93 + glare, part)
