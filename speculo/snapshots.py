"""What a training draws of a few held-out faces after each epoch: one picture in the run's folder."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from speculo import files
from speculo.backend import keras
from speculo.pairs import Pairs, as_image, examples
from speculo.runs import Run

EXAMPLES = 8
"""Held-out faces in each of them."""


def find(run: Run) -> dict[int, Path]:
    """Find the pictures that a run has kept, by their epoch, counted from 1."""
    found = sorted((run.path / "snapshots").glob("epoch-*.png"))
    numbers = {path.stem.removeprefix("epoch-"): path for path in found if path.is_file()}
    return {int(number): path for number, path in numbers.items() if number.isdecimal()}


def read(run: Run) -> dict[int, np.ndarray]:
    """Read them. A damaged one is left out, and a warning names it.

    Returns
    -------
    dict
        Epoch, counted from 1, to uint8 (m, height, width): the drawings of
        ``pairs.examples(test, EXAMPLES)``.
    """
    height, width, _ = run.config.input_shape
    drawn = {}
    for epoch, path in find(run).items():
        try:
            with Image.open(path, formats=("PNG",)) as strip:
                strip.verify()  # its checksums, which nobody looks at when it is decoded
            with Image.open(path, formats=("PNG",)) as strip:
                pixels = np.asarray(strip.convert("L"))
            drawn[epoch] = pixels.reshape(height, -1, width).swapaxes(0, 1)
        except Exception:  # Pillow stumbles over damaged files in many ways
            warnings.warn(f"{path} cannot be read: it is left out", stacklevel=2)
    return drawn


def write(run: Run, epoch: int, network: keras.Model, test: Pairs) -> None:
    """Draw some test faces side by side, 1 pixel to 1, as `pairs.examples` chooses them."""
    inputs, _ = test.batch(examples(test, EXAMPLES))
    drawn = as_image(keras.ops.convert_to_numpy(network(inputs, training=False)))
    with files.replacing(run.path / "snapshots" / f"epoch-{epoch:04}.png") as part:
        Image.fromarray(np.concatenate(list(drawn), axis=1)).save(part)
