"""How fast heads are drawn. Run by hand: ``python benchmarks/heads.py``.

It prints snapshots a second, with all that a new person costs in them. The seconds of another
machine, or of a busy one, are no measure: the time of the process is printed beside that of the clock.
"""

import contextlib
import io
import os
import tempfile
import time

os.environ |= {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}

import cv2
import numpy as np

import speculo
from speculo.cpu import cores
from speculo.sources import heads
from speculo.sources.heads import asset, draw, person

WHOLE = 20_000


def one_core(level: str, size: int, people: int = 30, photos: int = 10) -> None:
    begin = time.perf_counter(), time.process_time()
    for number in range(people):
        head = draw.prepare(person.sample(number))
        for place in range(photos):
            heads.snapshot(head, place, level, size)
    clock, process = time.perf_counter() - begin[0], time.process_time() - begin[1]
    count = people * photos
    print(
        f"  heads-{level:7} {size} px: {count / process:5.0f} a second of this process, "
        f"{count / clock:5.0f} by the clock"
    )


def all_cores(people: int = 200, photos: int = 10) -> None:
    """Draw some, and scale to `WHOLE`: the start of the processes counts only once."""

    def seconds(count: int, seed: int) -> float:
        begin = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            speculo.load("heads-medium", people=count, photos=photos, seed=seed)
        return time.perf_counter() - begin

    start = seconds(8 * cores(), 1)  # pieces enough to start every process
    taken = seconds(people, 2)
    count = people * photos
    whole = start + taken * WHOLE / count
    print(
        f"{cores()} cores, heads-medium, 32 px: {count:,} in {taken:.1f} s; "
        f"{WHOLE:,} would take {whole:.0f} s, scaled from these"
    )
    opened = min(seconds(people, 2) for _ in range(5))
    print(f"{count:,} opened from the cache: {1000 * opened:.0f} ms")


def one_render(moves: int = 40) -> None:
    heads.render(1)
    taken = []
    for number in range(moves):
        begin = time.perf_counter()
        heads.render(1, yaw=90 - 4.0 * number, pitch=10, expression="smile", size=64)
        taken.append(1000 * (time.perf_counter() - begin))
    begin = time.perf_counter()
    heads.render(999, size=64)
    first = 1000 * (time.perf_counter() - begin)
    print(
        f"One render at 64 px: {np.median(taken):.1f} ms median, "
        f"{np.percentile(taken, 90):.1f} ms in nine of ten; the first of a person {first:.1f} ms"
    )


def main() -> None:
    cv2.setNumThreads(1)
    begin = time.perf_counter()
    asset.read()
    print(f"The asset is read in {1000 * (time.perf_counter() - begin):.0f} ms, once in a process")
    draw.draw(draw.prepare(person.sample(0)), draw.Photo(), 64)
    print("One core, 10 photos of each person, the person included:")
    for size in (64, 32):
        for level in heads.LEVELS:
            one_core(level, size)
    one_render()
    with tempfile.TemporaryDirectory() as home:
        os.environ["SPECULO_HOME"] = home
        all_cores()


if __name__ == "__main__":
    main()
