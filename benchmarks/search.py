"""How fast the nearest fingerprints are found, and how work grows that compares all with all.

Run by hand: ``python benchmarks/search.py``. It searches 20,000, 1,000,000 and 10,000,000
fingerprints of 128 numbers of length one, as far as memory goes, beside scikit-learn's brute force
and faiss's exact index (``pip install faiss-cpu``; left out where it is not installed), and then
finds duplicates and joins people, by their number. The memory is the most that a search takes
beyond queries and gallery (Linux alone tells).
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.neighbors import NearestNeighbors

from speculo import faces, fingerprints, pairs
from speculo.faces import FaceSet

COUNT = 5
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def kilobytes(field: str) -> int:
    lines = STATUS.read_text().splitlines() if STATUS.exists() else [f"{field}: 0 kB"]
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def timed(work: Callable) -> tuple[object, float, float]:
    """What it gives, its seconds, and the megabytes that it took at most."""
    if RESET.exists():
        RESET.write_text("5")  # the peak begins anew at what is held now
    held, begin = kilobytes("VmRSS"), time.perf_counter()
    given = work()
    return given, time.perf_counter() - begin, (kilobytes("VmHWM") - held) / 1e3


def unit_vectors(count: int, numbers: int, seed: int) -> np.ndarray:
    """Fingerprints at random, float32 (count, numbers), each of length one."""
    vectors = np.random.default_rng(seed).standard_normal((count, numbers), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def search(queries: np.ndarray, gallery: np.ndarray) -> None:
    """Search by the angle. For vectors of length one that is the order by distance, too."""

    def speculo() -> Callable:
        return lambda asked: fingerprints.nearest(asked, gallery, COUNT, "cosine")[0]

    def scikit_learn() -> Callable:
        brute = NearestNeighbors(n_neighbors=COUNT, algorithm="brute").fit(gallery)
        return lambda asked: brute.kneighbors(asked, return_distance=False)

    def faiss_flat() -> Callable:
        index = faiss.IndexFlatIP(gallery.shape[1])
        index.add(gallery)
        return lambda asked: index.search(asked, COUNT)[1]

    engines = [speculo, scikit_learn]
    try:
        import faiss

        engines.append(faiss_flat)
    except ImportError:
        print("faiss is not installed here: it is left out")
    print(f"The {COUNT} nearest of {len(gallery):,} fingerprints of {gallery.shape[1]} numbers")
    answers = []
    for engine in engines:
        ask = engine()  # an index is built before the clock runs
        ask(queries[:1])
        answer, seconds, peak = timed(lambda: ask(queries))  # noqa: B023
        answers.append(answer)
        rate = len(queries) / seconds
        same = (answer == answers[0]).mean()
        print(
            f"  {engine.__name__:12} {len(queries):6,} queries: {rate:8,.0f} a second, "
            f"{peak:6,.0f} MB, {same:.2%} the same"
        )


def people(n: int, photos: np.ndarray, tag: str) -> FaceSet:
    """As many people as photos."""
    return FaceSet(
        tag,
        photos,
        np.arange(n, dtype=np.int32),
        tuple(f"{tag}{number}" for number in range(n)),
        np.full((n, 3), np.nan, dtype=np.float32),
        np.array([str(number) for number in range(n)]),
    )


def all_with_all(most: int) -> None:
    rng = np.random.default_rng(0)
    print("Seconds, and megabytes at most, by the number of photos, each of another person")
    for n in (most // 8, most // 4, most // 2, most):
        one = rng.integers(0, 256, (1, 32, 32)).astype(np.uint8)
        near = np.repeat(one, n, axis=0)
        near[:, 0] += rng.integers(0, 3, (n, 32), dtype=np.uint8)
        kinds = {
            "equal": np.repeat(one, n, axis=0),
            "nearly equal": near,
            "different": rng.integers(0, 256, (n, 32, 32)).astype(np.uint8),
        }
        cells = []
        for kind, images in kinds.items():
            made = people(n, images, "a")
            found, seconds, peak = timed(lambda: pairs.duplicates(made))  # noqa: B023
            cells.append(f"{kind} {seconds:5.2f} s {peak:4.0f} MB {len(found):6,} rows")
        one, other = (people(n, kinds["equal"], tag) for tag in "ab")
        _, seconds, _ = timed(lambda: faces.join(one, other))  # noqa: B023
        print(f"  {n:6,}: duplicates: {', '.join(cells)}; join of two {seconds:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--galleries", type=int, nargs="*", default=[20_000, 1_000_000, 10_000_000])
    parser.add_argument("--numbers", type=int, default=128, help="of a fingerprint")
    parser.add_argument("--photos", type=int, default=20_000)
    options = parser.parse_args()
    queries = unit_vectors(options.queries, options.numbers, 0)
    for size in options.galleries:
        try:
            gallery = unit_vectors(size, options.numbers, 1)
        except MemoryError:
            print(f"{size:,} fingerprints do not fit into memory")
            continue
        search(queries, gallery)
        del gallery
    all_with_all(options.photos)


if __name__ == "__main__":
    main()
