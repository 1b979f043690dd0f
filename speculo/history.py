"""The log of a training: one row an epoch, and the log of the epoch before beside it."""

import csv
import warnings
import zlib
from pathlib import Path

import pandas as pd

from speculo import files

COLUMNS = ("epoch", "loss", "val_loss", "images_per_second", "seconds")
"""Losses are of the run's loss function, seconds are of the whole epoch, and images per
second are of its training steps alone."""

NAMES = ("history.csv", "history.previous.csv")
"""The log, and the one before its last row."""

SEAL = "# crc32 "
"""How the last line of a log begins, which tells whether the others are as they were written."""


def read(folder: Path) -> pd.DataFrame:
    """Read the log in a run's folder, with `COLUMNS`; a folder without one has no epochs.

    If the log is damaged, a warning names it, and the one before is read.

    Raises
    ------
    ValueError
        If that one cannot be read either.
    """
    problems = []
    for path in (folder / name for name in NAMES):
        if not path.is_file():
            continue
        try:
            log = _read(path)
        except ValueError as error:
            problems.append(str(error))
            continue
        for problem in problems:
            warnings.warn(f"{problem}: the log before its last epoch is used", stacklevel=3)
        return log
    if problems:
        raise ValueError(f"{'; '.join(problems)}. Delete {folder} to train again")
    return pd.DataFrame(columns=list(COLUMNS))


def write(folder: Path, log: pd.DataFrame) -> None:
    """Write the log into a run's folder, and keep the one before."""
    last, previous = (folder / name for name in NAMES)
    if last.is_file():
        files.move(last, previous)
    text = log.to_csv(index=False, na_rep="nan")
    files.write_text(last, f"{text}{SEAL}{zlib.crc32(text.encode()):08x}\n")


def _read(path: Path) -> pd.DataFrame:
    try:
        text, seal, check = path.read_text(encoding="utf-8").partition(SEAL)
        if seal and check != f"{zlib.crc32(text.encode()):08x}\n":  # older logs have none
            raise ValueError("its checksum is of another text")
        first, *rows = csv.reader(text.splitlines(), strict=True)
        numbers = [[float(each) for each in row] for row in rows]
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    shape = tuple(first) == COLUMNS and all(len(row) == len(COLUMNS) for row in rows)
    epochs = [row[:1] for row in numbers] == [[epoch + 1] for epoch in range(len(rows))]
    if not (shape and epochs and text.endswith("\n")):
        raise ValueError(f"{path} is damaged (it has not one row for each epoch)")
    return pd.DataFrame(numbers, columns=list(COLUMNS)).astype({"epoch": int})
