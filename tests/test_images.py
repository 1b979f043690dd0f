"""One photo from a file: whatever format and mode it has, and what is wrong with it."""

import io
import os
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pillow_heif
import pytest
import trees
from PIL import Image

from speculo import images

FACE = trees.face(0, 0)
GREY = Image.fromarray(FACE)
SHOWN = np.asarray(GREY.resize((32, 32), Image.Resampling.LANCZOS)).astype(int)


def palette():
    return GREY.convert("RGB").quantize(256)


def clear(mode: str):
    """The face on the left, nothing on the right."""
    image = GREY.convert(mode)
    alpha = np.full(FACE.shape, 255, dtype=np.uint8)
    alpha[:, 32:] = 0
    image.putalpha(Image.fromarray(alpha))
    return image


def animation(path, **options):
    GREY.save(path, save_all=True, append_images=[Image.fromarray(255 - FACE)], **options)


def turned(path):
    """Stored on its side, with the EXIF orientation that sets it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    GREY.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)


DEEP = Image.fromarray(FACE.astype(np.uint16) * 257)


def heic(image, exif=None, **options):
    """A HEIC file, as a function of its path. An orientation in `exif` is how `image` is stored."""

    def save(path):
        stored = pillow_heif.from_pillow(image)
        stored.info["exif"] = exif.tobytes() if exif else None
        stored.save(path, quality=95, chroma=444, **options)

    return save


def deep_colour(path):
    """Ten bits of each colour, as new phones write."""
    pixels = np.repeat(FACE.astype(np.uint16)[:, :, None] * 257, 3, axis=2)
    size = FACE.shape[::-1]
    pillow_heif.from_bytes("RGB;16", size, pixels.tobytes()).save(path, quality=95, chroma=444)


def turned_heic(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    heic(GREY.transpose(Image.Transpose.ROTATE_90), exif)(path)


GOOD = {
    "grey.jpg": GREY.save,
    "grey.pgm": GREY.save,
    "grey.bmp": GREY.save,
    "grey.webp": lambda path: GREY.save(path, lossless=True),
    "loud.JPEG": GREY.save,
    "colour.png": GREY.convert("RGB").save,
    "colour.jpg": GREY.convert("RGB").save,
    "cmyk.jpg": GREY.convert("RGB").convert("CMYK").save,
    "cmyk.tif": GREY.convert("RGB").convert("CMYK").save,
    "palette.png": lambda path: palette().save(path),
    "palette.gif": lambda path: palette().save(path),
    "deep.png": DEEP.save,
    "deep.tif": DEEP.save,
    "float.tif": Image.fromarray(FACE.astype(np.float32) / 255).save,
    "ycbcr.tif": GREY.convert("YCbCr").save,
    "progressive.jpg": lambda path: GREY.save(path, progressive=True),
    "grey.heic": heic(GREY),
    "colour.HEIC": heic(GREY.convert("RGB")),
    "colour.heif": heic(GREY.convert("RGB")),
    "deep.heic": heic(DEEP),
    "deep colour.hif": deep_colour,
    "turned.heic": turned_heic,
    "a heic in truth.jpg": heic(GREY),
    "turned.jpg": turned,
    "turned.png": turned,
    "turned.tif": turned,
    "moving.gif": animation,
    "moving.webp": lambda path: animation(path, lossless=True),
    "moving.png": animation,
    "naïve 写真 📷.png": GREY.save,
    "a jpeg in truth.png": lambda path: GREY.save(path, format="JPEG"),
}


@pytest.mark.parametrize("name", GOOD)
def test_every_kind_of_photo_gives_the_same_face(name, tmp_path):
    GOOD[name](tmp_path / name)
    shown = images.read(tmp_path / name, 32).astype(int)
    assert abs(shown - SHOWN).mean() < 4, name


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_what_is_transparent_shows_grey(mode, tmp_path):
    image = clear("L" if mode == "P" else mode)
    if mode == "P":
        image = image.convert("RGBA").quantize(200)
    image.save(tmp_path / "clear.png")
    shown = images.read(tmp_path / "clear.png", 32).astype(int)
    assert abs(shown[:, :14] - SHOWN[:, :14]).mean() < 4
    assert abs(shown[:, 20:] - images.GROUND).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_set_upright(orientation, tmp_path):
    back = {6: 8, 8: 6}.get(orientation, orientation)  # the others undo themselves
    stored = images._upright(GREY, back)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "it.png", exif=exif)
    assert abs(images.read(tmp_path / "it.png", 32).astype(int) - SHOWN).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_a_heic_is_followed_once(orientation, tmp_path):
    back = {6: 8, 8: 6}.get(orientation, orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    heic(images._upright(GREY, back), exif)(tmp_path / "it.heic")
    assert abs(images.read(tmp_path / "it.heic", 32).astype(int) - SHOWN).mean() < 4


def test_what_is_transparent_in_a_heic_shows_grey(tmp_path):
    heic(clear("RGB"))(tmp_path / "clear.heic")
    shown = images.read(tmp_path / "clear.heic", 32).astype(int)
    assert abs(shown[:, :14] - SHOWN[:, :14]).mean() < 4
    assert abs(shown[:, 20:] - images.GROUND).max() <= 4


WITHOUT = """
import sys, warnings
sys.modules["pi_heif"] = sys.modules["_pi_heif"] = None
warnings.simplefilter("ignore")
import speculo
print(speculo.load("folder:" + sys.argv[1]).skipped)
"""


def test_without_its_reader_a_heic_is_skipped_and_the_remedy_named(tmp_path):
    root = trees.folder(tmp_path / "them", people=2, photos=3)
    heic(GREY)(root / "person 0" / "9.heic")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, root], capture_output=True, text=True, check=True
    )
    assert "person 0/9.heic" in done.stdout and "save it as JPEG" in done.stdout


def whole(format: str) -> bytes:
    file = io.BytesIO()
    heic(GREY)(file) if format == "HEIF" else GREY.save(file, format)
    return file.getvalue()


def bomb() -> bytes:
    """A PNG of 60,000 x 60,000 pixels, in its own words."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def large(side: int = 10_000, mode: str = "1", format: str = "PNG", **options) -> bytes:
    """Over Pillow's limit, but below twice that, where Pillow only warns."""
    file = io.BytesIO()
    Image.new(mode, (side, side)).save(file, format, **options)
    return file.getvalue()


BAD = {
    "empty.jpg": (b"", "empty"),
    "text.jpg": (b"this is no picture", "not a picture"),
    "zeros.png": (bytes(1000), "not a picture"),
    "cut.jpg": (whole("JPEG")[:800], "truncated"),
    "cut.png": (whole("PNG")[:1500], "."),
    "cut.gif": (whole("GIF")[:100], "."),
    "cut.heic": (whole("HEIF")[:-400], "truncated or damaged"),
    "cut early.heic": (whole("HEIF")[:40], "not a picture"),
    "flipped.png": (whole("PNG")[:60] + b"\xff\xff" + whole("PNG")[62:], "."),
    "bomb.png": (bomb(), "pixels"),
    "large.png": (large(), "10000 x 10000 pixels, more than the 89,478,485 that are read of a"),
    "script.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", BAD)
def test_a_bad_photo_is_refused_in_plain_words(name, tmp_path):
    content, words = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words) as error:
        images.read(tmp_path / name, 32)
    assert str(tmp_path) not in str(error.value)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_is_no_reason_to_lose_a_photo(tmp_path):
    GREY.save(tmp_path / "it.jpg", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert abs(images.read(tmp_path / "it.jpg", 32).astype(int) - SHOWN).mean() < 4


def test_a_large_jpeg_is_shrunk_without_aliasing(tmp_path):
    """A fine chequerboard is an even grey from afar."""
    board = (np.indices((1000, 1000)).sum(axis=0) % 2 * 255).astype(np.uint8)
    for name in ("board.jpg", "board.png"):
        Image.fromarray(board).save(tmp_path / name, quality=95)
        assert abs(images.read(tmp_path / name, 32).astype(int) - 128).max() <= 3


# ---------------------------------------------------------------- memory and time


PEAK = """
import re, sys
from speculo import images
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
small, large = (open(name, "rb").read() for name in sys.argv[1:])
images.read(small, 32)
before = peak()
images.read(large, 32)
print((peak() - before) / 4000**2)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it asks Linux for the memory")
@pytest.mark.parametrize(("mode", "most"), [("LA", 6), ("P", 3), ("I;16", 5), ("CMYK", 6)])
def test_memory_for_a_large_photo_is_bounded(mode, most, tmp_path):
    """Bytes for each of its pixels: 4 to hold it decoded, 1 to hold it in grey, and some strips."""
    kind = {"I;16": "TIFF", "CMYK": "TIFF"}.get(mode, "PNG")
    options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
    options |= {"transparency": 0} if mode == "P" else {}
    for name, side in (("small", 40), ("large", 4000)):
        (tmp_path / name).write_bytes(large(side, mode, kind, **options))
    command = [sys.executable, "-c", PEAK, tmp_path / "small", tmp_path / "large"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < most + 1


@pytest.mark.parametrize("name", [*GOOD, "clear LA.png", "clear RGBA.png"])
def test_strips_of_a_photo_become_the_grey_of_the_whole(name, tmp_path, monkeypatch):
    make = clear(name[6:-4]).save if name.startswith("clear") else GOOD[name]
    make(tmp_path / name)
    whole = images.read(tmp_path / name, 32)
    monkeypatch.setattr(images, "_STRIP", 7 * FACE.shape[1])
    assert np.array_equal(images.read(tmp_path / name, 32), whole)


@pytest.mark.parametrize(
    ("format", "most"),
    [
        ("WEBP", "30,000,000"),
        ("JPEG2000", "25,000,000"),
        ("AVIF", "50,000,000"),
        ("HEIF", "60,000,000"),
        ("QOI", "10,000,000"),
    ],
)
def test_formats_that_take_much_memory_or_time_have_limits_of_their_own(format, most, monkeypatch):
    content = whole("HEIF") if format == "HEIF" else large(40, "RGB", format)
    monkeypatch.setattr(Image.Image, "size", (8000, 8000))
    with pytest.raises(
        ValueError, match=f"8000 x 8000 pixels, more than the {most} .* in {format}"
    ):
        images.read(content, 32)


def test_large_photos_are_decoded_one_at_a_time(tmp_path, monkeypatch):
    now, most = [], []
    load = Image.Image.load

    def slow(image):
        now.append(image)
        most.append(len(now))
        time.sleep(0.02)
        now.pop()
        return load(image)

    for number in range(40):
        trees.save(FACE, tmp_path / f"{number}.png")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", slow, raising=False)
    monkeypatch.setattr("speculo.cpu.cores", lambda: 3)
    arguments = tmp_path, [f"{number}.png" for number in range(40)], 32, [None] * 40
    images.read_all(*arguments)
    assert max(most) > 1
    most.clear()
    monkeypatch.setattr(images, "_LARGE", 1000)
    images.read_all(*arguments)
    assert max(most) == 1


def test_a_photo_that_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "it.jpg")
    for read in (images.read, images.read_whole):
        with pytest.raises(ValueError, match="^a named pipe, not a file$"):
            read(tmp_path / "it.jpg", 32)
    with pytest.raises(ValueError, match="No such file"):
        images.read(tmp_path / "nothing.jpg", 32)


def test_crops(tmp_path):
    pixels = np.zeros((220, 220), dtype=np.uint8)
    pixels[60:160, 60:160] = 200
    Image.fromarray(pixels).save(tmp_path / "it.png")
    assert images.read(tmp_path / "it.png", 32, 1 / 2.2).min() > 150
    assert images.read(tmp_path / "it.png", 32, (60.0, 60.0, 160.0, 160.0)).min() > 150
    assert images.read(tmp_path / "it.png", 32, (-50.0, -50.0, 40.0, 40.0)).max() == 0
    with pytest.raises(ValueError, match="outside"):
        images.read(tmp_path / "it.png", 32, (230.0, 0.0, 260.0, 50.0))


def test_a_part_of_a_photo_that_was_read_is_what_the_reader_crops(tmp_path):
    path = trees.save(trees.in_a_frame(FACE, 30, 20, 160, 120), tmp_path / "one.png")
    box = (30, 20, 94, 84)
    whole = images.read_whole(path, 640)
    assert np.array_equal(images.cut(whole, box, 32), images.read(path, 32, box))


def test_percents_of_a_photo_are_a_square_inside_it():
    assert images.square_at((200, 100), 50, 50, 50) == (50, 100, 100, 150)
    for left in (0, 37, 100):
        for top in (0, 37, 100):
            for side in (0, 5, 100):
                box = images.square_at((200, 100), left, top, side)
                assert 0 <= box[0] < box[2] <= 100 and 0 <= box[1] < box[3] <= 200
                assert box[2] - box[0] == pytest.approx(box[3] - box[1])


def test_a_box_means_the_same_in_a_jpeg_that_is_decoded_smaller(tmp_path):
    pixels = np.zeros((2000, 2000), dtype=np.uint8)
    pixels[400:1400, 600:1600] = 200
    Image.fromarray(pixels).save(tmp_path / "it.jpg", quality=95)
    assert images.read(tmp_path / "it.jpg", 32, (600.0, 400.0, 1600.0, 1400.0)).min() > 150


def test_many_photos_keep_their_places_and_each_failure_its_reason(tmp_path):
    paths = []
    for number in range(100):
        name = f"{number}.png"
        if number % 33 == 5:
            (tmp_path / name).touch()
        else:
            trees.save(np.full((40, 40), number, dtype=np.uint8), tmp_path / name)
        paths.append(name)
    pixels, failed, several = images.read_all(tmp_path, paths, 32, [None] * 100)
    assert sorted(failed) == [5, 38, 71]
    assert "empty" in str(failed[5]) and not several
    good = [row for row in range(100) if row not in failed]
    assert (pixels[good].mean(axis=(1, 2)) == good).all()


def test_no_face_is_not_a_bad_photo(tmp_path):
    trees.save(np.full((200, 200), 90, dtype=np.uint8), tmp_path / "wall.png")
    with pytest.raises(images.NoFace):
        images.read(tmp_path / "wall.png", 32, "auto")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_text_is_read(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    with open(path, "wb") as file:
        GREY.save(file, "PNG")
    assert images.read(os.fsdecode(path), 32).shape == (32, 32)
