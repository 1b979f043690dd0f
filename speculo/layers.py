"""What Keras does not have: a bias for each pixel, and what undoes a sigmoid."""

import numpy as np

from speculo.backend import keras

EDGE = 0.02
"""How far from 0 and 1 a pixel is kept where its logit is taken."""


FAINTEST = 0.04
"""Least deviation that a picture is divided by, on pixels in 0..1: of a flat one, noise stays noise."""


class PixelBias(keras.layers.Layer):
    """Add a number of its own to each pixel."""

    def build(self, shape: tuple) -> None:
        """Make the numbers, zero at first."""
        self.bias = self.add_weight(shape=shape[1:], initializer="zeros", name="bias")

    def call(self, inputs):  # noqa: ANN001, ANN201 - a tensor of the backend
        """Add them."""
        return inputs + self.bias


class Standardised(keras.layers.Layer):
    """Subtract its mean from each picture and divide it by its deviation: light does not matter."""

    def call(self, inputs):  # noqa: ANN001, ANN201 - a tensor of the backend
        """Do so."""
        mean, deviation = _light(inputs)
        return (inputs - mean) / keras.ops.maximum(deviation, FAINTEST)


class Light(keras.layers.Layer):
    """Mean and deviation of each picture, four times as large: they vary by about a fourth."""

    def call(self, inputs):  # noqa: ANN001, ANN201 - a tensor of the backend
        """Measure them."""
        return keras.ops.reshape(4 * keras.ops.concatenate(_light(inputs), axis=-1), (-1, 2))


def _light(pictures) -> tuple:  # noqa: ANN001 - a tensor of the backend
    """Mean and deviation of each picture: both (n, 1, 1, 1)."""
    ops = keras.ops
    mean = ops.mean(pictures, axis=(1, 2, 3), keepdims=True)
    variance = ops.mean(ops.square(pictures - mean), axis=(1, 2, 3), keepdims=True)
    return mean, ops.sqrt(variance + 1e-12)


def logit(values: np.ndarray) -> np.ndarray:
    """Undo a sigmoid, which reaches neither 0 nor 1: values are clipped a little inside."""
    inside = np.clip(values, EDGE, 1 - EDGE)
    return np.log(inside / (1 - inside))
