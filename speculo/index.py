"""The nearest fingerprints of more than fit into memory: an approximate index in files.

Exact search, ``fingerprints.nearest``, reads every fingerprint for every question. An
index is a graph of neighbours (HNSW: Malkov and Yashunin, arXiv:1603.09320) that is walked
towards the question, so that few are read. It misses a neighbour now and then; `recall`
says how often. The package `usearch` makes it: the extra ``index``.
"""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from speculo import checks, files

SUFFIX = ".usearch"

AT_ONCE = 1_000_000
"""Most fingerprints in one file: of 128 numbers, they take some half a gigabyte while it is made."""


def add(folder: str | Path, vectors: np.ndarray) -> int:
    """Add fingerprints to an index. It is a folder, and each call writes one whole file into it.

    Parameters
    ----------
    folder : str or Path
        Made where it is missing.
    vectors : numpy.ndarray
        float32, shape (n, d), n up to `AT_ONCE`: as many at a time as there are, as a search goes
        through all files. They are numbered in the order in which they come. Half of their
        bits are kept.

    Returns
    -------
    int
        How many fingerprints the index holds now.

    Raises
    ------
    ModuleNotFoundError
        If usearch is not installed.
    ValueError
        If there are none or too many, if a number is not finite, if the index is of
        fingerprints of another length, or if its files do not fit together.
    OSError
        If the disk is full: what was added before is kept.
    """
    usearch, folder = _usearch(), Path(folder)
    with files.alone(folder):
        return _add(usearch, folder, vectors)


def _add(usearch: ModuleType, folder: Path, vectors: np.ndarray) -> int:
    before = size(folder)
    vectors = checks.rows("vectors", vectors, _numbers(usearch, folder) if before else None)
    if len(vectors) > AT_ONCE:
        raise checks.wrong("vectors", len(vectors), f"{AT_ONCE:,} at a time, or fewer")
    made = usearch.Index(
        ndim=vectors.shape[1], metric="cos", dtype="bf16", enable_key_lookups=False
    )
    # Several threads leave one in two hundred where no walk comes, another each time.
    made.add(np.arange(before, before + len(vectors)), vectors, threads=1)
    name = f"{before:012}-{len(vectors)}{SUFFIX}"
    with files.replacing(folder / name, made.serialized_length) as part:
        made.save(str(part))
    return before + len(vectors)


def size(folder: str | Path) -> int:
    """How many fingerprints an index holds: 0 where there is none.

    Raises
    ------
    ValueError
        If a file in the middle is gone.
    """
    total = 0
    for path in _files(Path(folder)):
        first, count = map(int, path.stem.split("-"))
        if first != total:
            raise ValueError(f"{path} does not follow the file before it: make the index anew")
        total += count
    return total


def nearest(
    folder: str | Path, queries: np.ndarray, count: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """Find fingerprints near others. The files are mapped into memory: what is read of them stays small.

    Parameters
    ----------
    folder : str or Path
        An index, made by `add`.
    queries : numpy.ndarray
        float32, shape (m, d).
    count : int
        How many, 1 or more; all where the index has fewer.

    Returns
    -------
    tuple of numpy.ndarray
        Numbers in the order of adding, int64 (m, count), nearest first, and their cosine
        distances, float32, as ``fingerprints.nearest`` gives them.

    Raises
    ------
    ModuleNotFoundError
        If usearch is not installed.
    FileNotFoundError
        If there is no index.
    ValueError
        If a file of it is damaged, as far as that shows, or `queries` have another length.
    """
    usearch, folder = _usearch(), Path(folder)
    held = size(folder)
    if not held:
        raise FileNotFoundError(f"There is no index in {folder}: index.add makes one")
    queries = checks.rows("queries", queries, _numbers(usearch, folder))
    count = min(checks.whole_number("count", count), held)
    numbers, distances = [], []
    for path in _files(folder):
        number, distance = _search(_opened(usearch, path), path, queries, count)
        numbers.append(number)
        distances.append(distance)
    number, distance = np.concatenate(numbers, axis=1), np.concatenate(distances, axis=1)
    order = np.argsort(distance, axis=1, kind="stable")[:, :count]
    return (
        np.take_along_axis(number, order, axis=1).astype(np.int64),
        np.take_along_axis(distance, order, axis=1).astype(np.float32),
    )


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    """Share of the true neighbours that were found.

    Parameters
    ----------
    found, exact : numpy.ndarray
        int, shapes (m, count): numbers of an index, and those of an exact search.
    """
    if not exact.size:
        raise checks.wrong("exact", exact, "one question or more")
    pairs = zip(found.tolist(), exact.tolist(), strict=True)
    return sum(len(set(one) & set(other)) for one, other in pairs) / exact.size


def _search(
    view: Any, path: Path, queries: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Search one file: `count` numbers and distances for each query, or as many as it has."""
    count = min(count, len(view))
    try:
        found = view.search(queries, count)
        counts = np.asarray(getattr(found, "counts", len(found)))  # one query has no `counts`
        if (counts < count).any():  # among equals the walk can end too soon
            found = view.search(queries, count, exact=True)
    except RuntimeError as error:
        raise ValueError(f"{path} is damaged ({error}): make the index anew") from error
    shape = len(queries), count
    return np.reshape(found.keys, shape), np.reshape(found.distances, shape)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"[0-9]*-[0-9]*{SUFFIX}"))


def _numbers(usearch: ModuleType, folder: Path) -> int:
    """How long the fingerprints of an index are."""
    return _opened(usearch, _files(folder)[0]).ndim


def _opened(usearch: ModuleType, path: Path) -> Any:
    """Map a file of an index into memory."""
    try:
        return usearch.Index.restore(str(path), view=True)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged ({error}): make the index anew") from error


def _usearch() -> ModuleType:
    try:
        from usearch import index
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'An index needs a package that is not installed: .venv/bin/pip install -e ".[index]". '
            "fingerprints.nearest searches without it"
        ) from error
    return index
