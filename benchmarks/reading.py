"""How fast photos are read. Run by hand: ``python benchmarks/reading.py``.

Ratios come from one run on one machine. Seconds of another run are no measure.
"""

import argparse
import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import speculo
from speculo import cache, cpu, files, images

SIZE = 32


def large_jpegs(root: Path, count: int) -> list[str]:
    """Faces of 1000 x 1000 pixels in colour, with the grain of a camera."""
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 3, (1000, 1000, 3))
    faces = speculo.load("orl", size=112).images
    root.mkdir()
    for number in range(count):
        image = Image.fromarray(faces[number % 40 * 10 + number // 40 % 10])
        pixels = np.asarray(image.resize((1000, 1000), Image.Resampling.BICUBIC))
        coloured = np.clip(pixels[..., np.newaxis] * (1.0, 0.8, 0.7) + grain, 0, 255)
        Image.fromarray(coloured.astype(np.uint8)).save(root / f"{number}.jpg", quality=85)
    return [f"{number}.jpg" for number in range(count)]


def in_a_loop(root: Path, paths: list[str]) -> None:
    """As the original did in every epoch."""
    for path in paths:
        with Image.open(root / path) as image:
            np.asarray(image.convert("L").resize((SIZE, SIZE)))


def seconds(work, *arguments) -> float:
    begin = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begin


def decoding(root: Path, count: int) -> None:
    paths = large_jpegs(root, count)
    rows = []
    for _ in range(5):  # in turns, so that a busy moment of the machine hits both
        loop = seconds(in_a_loop, root, paths)
        ours = seconds(images.read_all, root, paths, SIZE, [None] * count)
        alone = seconds(lambda: [images.read(root / path, SIZE) for path in paths])
        rows.append((loop, ours, alone))
    loop, ours, alone = np.median(rows, axis=0)
    kilobytes = os.path.getsize(root / paths[0]) / 1000
    print(
        f"{count} JPEGs of 1000 x 1000 pixels, {kilobytes:.0f} kB each, median of {len(rows)}:\n"
        f"  open and resize in a loop   {count / loop:6.0f} a second\n"
        f"  speculo, one core           {count / alone:6.0f} a second, {loop / alone:.1f} times\n"
        f"  speculo, {cpu.cores()} cores           {count / ours:6.0f} a second, {loop / ours:.1f} times"
    )


def small_photos(root: Path, people: int, photos: int) -> None:
    """Many small files: one for each person, under many names."""
    faces = speculo.load("orl", size=64).images
    for person in range(people):
        folder = root / f"Some_Body_{person:05}"
        folder.mkdir(parents=True)
        source = folder / "aligned_detect_0.0.jpg"
        Image.fromarray(faces[person % 40 * 10]).save(source)
        for photo in range(1, photos):
            os.link(source, folder / f"aligned_detect_0.{photo}.jpg")


def cached(root: Path) -> None:
    name = f"folder:{root}"
    with contextlib.redirect_stdout(io.StringIO()):
        first = seconds(speculo.load, name)
    folder = next((files.home() / "build" / "cache").glob("folder-*"))
    cache._good.clear()
    checked = seconds(cache._open, name, folder)
    opening = min(seconds(cache._open, name, folder) for _ in range(5))
    whole = min(seconds(speculo.load, name) for _ in range(5))
    count = len(speculo.load(name))
    print(
        f"{count:,} faces: read in {first:.1f} s, opened from the cache in {checked * 1000:.0f} ms "
        f"the first time in a process, which checks every byte, then in {opening * 1000:.0f} ms; "
        f"with the look at every file (has one changed?) {whole * 1000:.0f} ms"
    )


def memory(root: Path) -> None:
    """Highest resident memory of a process that reads, over what it has before it begins."""
    # Linux only. getrusage would not do: a new process inherits its parent's peak.
    script = (
        "import re, sys, speculo, speculo.images, speculo.sources.folder\n"
        "def peak():\n"
        "    return int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) * 1024\n"
        "before = peak()\n"
        "faces = speculo.load('folder:' + sys.argv[1], size=int(sys.argv[2]))\n"
        "print((peak() - before) / faces.images.size)\n"
    )
    for size in (SIZE, 64):
        done = subprocess.run(
            [sys.executable, "-c", script, str(root), str(size)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        print(f"  {size} x {size}: {float(done.stdout.split()[-1]):.2f} bytes a kept pixel at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jpegs", type=int, default=200)
    parser.add_argument("--faces", type=int, default=100_000)
    wanted = parser.parse_args()
    root = Path(tempfile.mkdtemp())
    os.environ["SPECULO_HOME"] = str(root / "home")
    try:
        decoding(root / "large", wanted.jpegs)
        small_photos(root / "small", wanted.faces // 100, 100)
        cached(root / "small")
        print("Memory while reading them:")
        shutil.rmtree(files.home() / "build")
        memory(root / "small")
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
