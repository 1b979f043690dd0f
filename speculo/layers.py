"""What Keras does not have: a bias for each pixel, and what undoes a sigmoid."""

import numpy as np

from speculo.backend import keras

EDGE = 0.02
"""How far from 0 and 1 a pixel is kept where its logit is taken."""


class PixelBias(keras.layers.Layer):
    """Add a number of its own to each pixel."""

    def build(self, shape: tuple) -> None:
        """Make the numbers, zero at first."""
        self.bias = self.add_weight(shape=shape[1:], initializer="zeros", name="bias")

    def call(self, inputs):  # noqa: ANN001, ANN201 - a tensor of the backend
        """Add them."""
        return inputs + self.bias


def logit(values: np.ndarray) -> np.ndarray:
    """Undo a sigmoid, which reaches neither 0 nor 1: values are clipped a little inside."""
    inside = np.clip(values, EDGE, 1 - EDGE)
    return np.log(inside / (1 - inside))
