"""Thousands of faults, each by lot: ``python benchmarks/faults.py``.

Every kind is tried as often as it says. What came of each try is kept in ``build/faults.csv``: started again,
it goes on where it was. In the end ``benchmarks/faults.md`` is written.
"""

import argparse
import csv
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import faults
import faults_files
import faults_runs

from speculo import files

KINDS = faults_files.KINDS | faults_runs.KINDS
"""Each kind by its name."""

KEPT = files.PROJECT / "build" / "faults.csv"
TABLE = Path(__file__).with_suffix(".md")
COLUMNS = (faults.RIGHT, faults.NAMED, faults.SILENT, faults.HANG, faults.RAW)


def tries(kind: str, numbers: list[int], results: multiprocessing.SimpleQueue) -> None:
    """Make some tries, in a process of their own: some faults could end it."""
    for number in numbers:
        results.put((number, faults.attempt(KINDS[kind], number)))


def run(kind: str, numbers: list[int], keep: csv.writer) -> None:
    """Make tries of one kind, and keep what came of each. A process that ends early, or hangs, is replaced."""
    context = multiprocessing.get_context("spawn")
    while numbers:
        results = context.SimpleQueue()
        process = context.Process(target=tries, args=(kind, numbers, results))
        process.start()
        last = time.monotonic()
        while numbers and time.monotonic() - last < KINDS[kind].seconds + 60:
            if results.empty():
                if not process.is_alive() and results.empty():
                    break
                time.sleep(0.02)
                continue
            number, outcome = results.get()
            keep.writerow((kind, number, outcome))
            numbers = [other for other in numbers if other != number]
            last = time.monotonic()
        if numbers:
            ended = "the process ended" if not process.is_alive() else ""
            keep.writerow((kind, numbers[0], f"{faults.RAW}: {ended}" if ended else faults.HANG))
            numbers = numbers[1:]
        process.kill() if process.is_alive() and numbers else process.join()


def table(rows: list[tuple[str, str, str]]) -> str:
    """A line for each kind: how many tries came to what."""
    lines = [
        "| Kind | Tries | " + " | ".join(COLUMNS) + " |",
        "|---|---:|" + "---:|" * len(COLUMNS),
    ]
    for kind in KINDS:
        found = Counter(outcome.partition(":")[0] for each, _, outcome in rows if each == kind)
        counts = " | ".join(f"{found[column]:,}" for column in COLUMNS)
        lines.append(f"| {kind} | {found.total():,} | {counts} |")
    return "\n".join(lines)


def read() -> list[tuple[str, str, str]]:
    """What was kept so far."""
    if not KEPT.is_file():
        return []
    with open(KEPT, newline="", encoding="utf-8") as file:
        return [tuple(row) for row in csv.reader(file) if len(row) == 3]


def main() -> None:
    """Make the tries that are left, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the tries of each kind")
    parser.add_argument("--kind", choices=KINDS, help="this one alone")
    wanted = parser.parse_args()
    KEPT.parent.mkdir(exist_ok=True)
    for kind, (_, count, _) in KINDS.items():
        if wanted.kind not in (None, kind):
            continue
        done = {int(number) for each, number, _ in read() if each == kind}
        left = [number for number in range(round(wanted.share * count)) if number not in done]
        print(f"{kind}: {len(left):,} tries", flush=True)
        with open(KEPT, "a", newline="", encoding="utf-8", buffering=1) as file:
            run(kind, left, csv.writer(file))
    rows = read()
    print(table(rows))
    for kind, number, outcome in rows:
        if outcome not in (faults.RIGHT, faults.NAMED):
            print(f"{kind}, try {number}: {outcome}")
    text = (
        "# Faults\n\nMade by `python benchmarks/faults.py`. Each try breaks something at random, and the "
        "same number is always the same fault. Right: all was read, or made anew, to the byte; of a damaged photo, "
        "whose pixels have no checksum, that it was read. Named error: one that says which file it is.\n\n"
        + table(rows)
        + "\n"
    )
    files.write_text(TABLE, text)


if __name__ == "__main__":
    main()
