"""What the notes on v8's card said, a small experiment for each. Chapter 06 runs them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter

from speculo import evaluation
from speculo.pairs import Pairs, Split

# Less to predict


@dataclass(frozen=True, eq=False)
class Smaller(Pairs):
    """The same pairs, shrunk: each pixel is the mean of `factor` by `factor` pixels."""

    factor: int = 2

    def batch(self, index: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets as the network takes them, see `Pairs.batch`."""
        inputs, targets = super().batch(index)
        return shrunk(inputs, self.factor), shrunk(targets, self.factor)


def smaller(split: Split, factor: int) -> Split:
    """Shrink the pairs of both sides, see `Smaller`."""
    return Split(*(Smaller(side.faces, side.input, side.target, factor) for side in split))


def shrunk(images: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks of `factor` by `factor` pixels: (..., height, width, 1) to a smaller one."""
    *first, height, width, _ = images.shape
    blocks = images.reshape(*first, height // factor, factor, width // factor, factor, 1)
    return blocks.mean(axis=(-4, -2))


def enlarged(images: np.ndarray, factor: int) -> np.ndarray:
    """Enlarge images (..., height, width, 1) with bicubic interpolation."""
    *first, height, width, _ = images.shape
    size = width * factor, height * factor
    grown = [
        np.asarray(Image.fromarray(each).resize(size, Image.Resampling.BICUBIC))
        for each in images.reshape(-1, height, width)
    ]
    return np.stack(grown).reshape(*first, height * factor, width * factor, 1)


def errors_by_size(split: Split, factors: Sequence[int] = (1, 2, 4, 8)) -> pd.DataFrame:
    """Errors of mean face and ridge regression on the test pairs, shrunk by each factor.

    Returns
    -------
    pandas.DataFrame
        A row for each size (pixels in a side), with columns ``mean face`` and ``ridge``.
    """
    rows = {}
    for factor in factors:
        small = smaller(split, factor)
        drawn = evaluation.baselines(small)
        rows[split.test.faces.images.shape[1] // factor] = {
            short: evaluation.squared_error(drawn[name], small.test).mean()
            for short, name in (("mean face", "mean frontal face"), ("ridge", "ridge regression"))
        }
    return pd.DataFrame(rows).T


def at_both_sizes(large: np.ndarray, small: np.ndarray, split: Split) -> pd.DataFrame:
    """Judge drawings of full and of half size at both, after scaling. Mean over seeds.

    Parameters
    ----------
    large, small : numpy.ndarray
        Shapes (seeds, n, height, width, 1) and (seeds, n, height / 2, width / 2, 1):
        drawings of the test pairs.
    split : Split
        At full size.

    Returns
    -------
    pandas.DataFrame
        A row for each training, a column for each size it is judged at.
    """
    full, half = split.test, smaller(split, 2).test
    drawn = [
        [(large, full), (shrunk(large, 2), half)],
        [(enlarged(small, 2), full), (small, half)],
    ]
    sides = large.shape[2], small.shape[2]
    return pd.DataFrame(
        [[evaluation.squared_error(*each).mean() for each in row] for row in drawn],
        index=[f"trained at {side}" for side in sides],
        columns=[f"judged at {side}" for side in sides],
    )


# The lowest loss


def sharpness(images: np.ndarray) -> float:
    """Root mean square difference of neighbouring pixels: 0 for a flat grey.

    Parameters
    ----------
    images : numpy.ndarray
        Shape (..., height, width, 1), in 0..1.
    """
    across, down = np.diff(images, axis=-2), np.diff(images, axis=-3)
    return float(np.sqrt((np.square(across).mean() + np.square(down).mean()) / 2))


def blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    """Blur images (n, height, width, 1) with a Gaussian of `sigma` pixels."""
    return gaussian_filter(images, (0, sigma, sigma, 0), mode="nearest")


def errors_by_blur(pairs: Pairs, sigmas: Sequence[float]) -> pd.DataFrame:
    """Send inputs back blurred: columns ``MSE`` and ``sharpness``, in parts of that of the targets."""
    inputs, targets = pairs.batch()
    rows = {}
    for sigma in sigmas:
        photos = blurred(inputs, sigma)
        parts = sharpness(photos) / sharpness(targets)
        rows[sigma] = {"MSE": evaluation.mse(photos, targets), "sharpness": parts}
    return pd.DataFrame(rows).T


def largest_of_each(values: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Positions of the largest value of each person, the largest first: int64, shape (people,)."""
    order = np.argsort(-values, kind="stable")
    return order[np.sort(np.unique(person[order], return_index=True)[1])]
