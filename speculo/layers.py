"""What Keras does not have: a bias for each pixel, what undoes a sigmoid, and faster ways on a CPU."""

import math
from types import ModuleType, SimpleNamespace

import numpy as np

from speculo import device
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


def kinds(precision: str) -> ModuleType | SimpleNamespace:
    """Give the kinds of layers by name: those of Keras, four of them faster ones in bfloat16 on a CPU.

    The faster ones compute the same, added up in another order, and draw other numbers for
    dropout, with the same chances. ``benchmarks/step.py`` shows what they gain.
    """
    here = device.find()
    if precision != "mixed_bfloat16" or here.kind != "cpu" or not here.fast_bfloat16:
        return keras.layers
    faster = (Conv2D, Conv2DTranspose, BatchNormalization, Dropout)
    return SimpleNamespace(**vars(keras.layers) | {kind.__name__: kind for kind in faster})


NARROW = 16
"""With fewer channels than this a convolution keeps the gradient that the backend has for it."""


class Conv2D(keras.layers.Conv2D):
    """A convolution with stride 1 and "same" whose filter gradient is nine matrix products."""

    def convolution_op(self, inputs, kernel):  # noqa: ANN001, ANN201 - tensors of the backend
        """Convolve."""
        if _is_other(self) or self.strides != (1, 1):
            return super().convolution_op(inputs, kernel)

        @keras.ops.custom_gradient
        def convolve(x, w):  # noqa: ANN001, ANN202
            def gradient(up):  # noqa: ANN001, ANN202
                with keras.name_scope(f"{self.name}_gradient"):  # for a profiler
                    back = keras.ops.conv_transpose(up, w, strides=1, padding="same")
                    return back, _filter_gradient(x, up, 1)

            return keras.ops.conv(x, w, strides=1, padding="same"), gradient

        return convolve(inputs, keras.ops.copy(kernel))


class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """A transposed convolution, stride 1 or 2 and "same", with a filter gradient like `Conv2D`'s."""

    def call(self, inputs):  # noqa: ANN001, ANN201 - a tensor of the backend
        """Convolve, add the bias, activate."""
        step = self.strides[0]
        if _is_other(self) or self.strides not in ((1, 1), (2, 2)):
            return super().call(inputs)

        @keras.ops.custom_gradient
        def spread(x, w):  # noqa: ANN001, ANN202
            def gradient(up):  # noqa: ANN001, ANN202
                with keras.name_scope(f"{self.name}_gradient"):  # for a profiler
                    back = keras.ops.conv(up, w, strides=step, padding="same")
                    return back, _filter_gradient(up, x, step)

            return keras.ops.conv_transpose(x, w, strides=step, padding="same"), gradient

        return self.activation(spread(inputs, keras.ops.copy(self.kernel)) + self.bias)


def _is_other(layer: keras.layers.Layer) -> bool:
    """Whether a convolution is not one of those that the faster ways are made for."""
    plain = layer.kernel_size == (3, 3) and layer.padding == "same" and layer.use_bias
    return not plain or layer.dilation_rate != (1, 1) or min(layer.kernel.shape[2:]) < NARROW


def _filter_gradient(large, small, step: int):  # noqa: ANN001, ANN202 - tensors of the backend
    """Gradient of a 3 x 3 kernel: for each of its nine places a product over all pixels of a batch.

    `large` (n, step * height, step * width, c) is the side that a convolution reads, `small`
    (n, height, width, k) the one that it writes; in a transposed one they change places.
    """
    ops = keras.ops
    (height, width, k), c = small.shape[1:], large.shape[-1]
    around = (1, 1) if step == 1 else (0, 2)
    padded = ops.pad(large, ((0, 0), around, around, (0, 0)))
    # Every second row or column by a reshape: to slice them with a stride takes many times as long.
    more = 2 // step
    grid = ops.reshape(padded, (-1, height + more, step, width + more, step * c))
    columns, products = ops.reshape(small, (-1, k)), []
    for i in range(3):
        for j in range(3):
            (down, row), (right, column) = divmod(i, step), divmod(j, step)
            channels = slice(column * c, (column + 1) * c)
            seen = grid[:, down : down + height, row, right : right + width, channels]
            products.append(ops.matmul(ops.transpose(ops.reshape(seen, (-1, c))), columns))
    return ops.reshape(ops.stack(products), (3, 3, c, k))


class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation over the last axis, with its gradient written out, in float32 inside."""

    def call(self, inputs, training=None, mask=None):  # noqa: ANN001, ANN201 - tensors of the backend
        """Normalise, and let the running averages follow."""
        last = self.axis in (-1, len(inputs.shape) - 1)
        if (
            not (training and self.trainable and last and self.center and self.scale)
            or mask is not None
        ):
            return super().call(inputs, training=training, mask=mask)
        ops = keras.ops

        @ops.custom_gradient
        def normalise(x, gamma, beta):  # noqa: ANN001, ANN202
            flat = ops.reshape(ops.cast(x, "float32"), (-1, x.shape[-1]))
            count = ops.cast(ops.shape(flat)[0], "float32")
            mean = _sums(flat) / count
            centred = flat - mean
            variance = _sums(centred * centred) / count
            inverse = ops.rsqrt(variance + self.epsilon)

            def gradient(up, *_):  # noqa: ANN001, ANN202
                with keras.name_scope(f"{self.name}_gradient"):
                    up = ops.reshape(ops.cast(up, "float32"), (-1, x.shape[-1]))
                    by_beta, by_gamma = _sums(up), _sums(up * centred) * inverse
                    share = by_gamma * inverse / count
                    by_x = (up - (centred * share + by_beta / count)) * (gamma * inverse)
                    return ops.cast(ops.reshape(by_x, ops.shape(x)), x.dtype), by_gamma, by_beta

            y = ops.reshape(centred * (gamma * inverse) + beta, ops.shape(x))
            return (ops.cast(y, self.compute_dtype), mean, variance), gradient

        parameters = (ops.copy(each) for each in (self.gamma, self.beta))
        y, mean, variance = normalise(inputs, *parameters)
        for average, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + now * (1 - self.momentum))
        return y


def _sums(rows):  # noqa: ANN001, ANN202 - tensors of the backend
    """Sum over rows, as a matrix product: three times as fast as a sum."""
    return keras.ops.matmul(keras.ops.ones((1, keras.ops.shape(rows)[0])), rows)[0]


class Dropout(keras.layers.Dropout):
    """Dropout that draws a byte for each value, where TensorFlow draws four and uses seven bits.

    In bfloat16 TensorFlow's random numbers are 128ths, so that 13 / 128 are dropped where the rate
    is 0.1. The same share is dropped here.
    """

    def call(self, inputs, training=False):  # noqa: ANN001, ANN201 - a tensor of the backend
        """Set some to zero, and divide the others by the share that stays."""
        if not training or not self.rate or inputs.shape[-1] % 4 or self.noise_shape is not None:
            return super().call(inputs, training=training)
        ops = keras.ops
        shape = ops.shape(inputs)
        fours = (*shape[:-1], inputs.shape[-1] // 4)
        drawn = keras.random.randint(fours, -(2**31), 2**31 - 1, seed=self.seed_generator)
        kept = ops.reshape(ops.view(drawn, "uint8"), shape) >= 2 * math.ceil(128 * self.rate)
        return inputs * (ops.cast(kept, inputs.dtype) * ops.cast(1 / (1 - self.rate), inputs.dtype))
