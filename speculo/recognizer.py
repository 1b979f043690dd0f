"""The fingerprint model: a network that is made to tell people apart, and draws what it knows.

A picture becomes numbers of length one, its fingerprint: those of one person point
the same way, those of two people do not. ``recognizer_training`` teaches it that. A
decoder then learns to draw the front from nothing but these numbers and the light of
the picture.
"""

from dataclasses import dataclass
from functools import partial
from itertools import count

import cv2
import numpy as np

from speculo import checks
from speculo.backend import keras
from speculo.layers import Light, Standardised

SMALLEST = 16
"""Least height and width of a picture, in pixels."""


@dataclass(frozen=True)
class Recognizer:
    """What the network is.

    Attributes
    ----------
    name : str
    optimizer, loss : str
        Keras's names of those that the decoder is trained with.
    learning_rate : float
        The highest one of that training.
    input_shape : tuple of int
        Height, width, channels.
    filters : tuple of int
        Channels of the first convolution, and of the stages after it. Each halves the picture.
    blocks : tuple of int
        Residual blocks (He et al. 2016) in each stage after the first convolution.
    latent_size : int
        Numbers in a fingerprint.
    hidden : tuple of int
        Widths of the decoder's hidden layers.
    """

    name: str = "Speculo-fingerprint"
    optimizer: str = "adam"
    learning_rate: float = 0.002
    loss: str = "mse"
    input_shape: tuple[int, int, int] = (32, 32, 1)
    filters: tuple[int, ...] = (48, 96, 192)
    blocks: tuple[int, ...] = (2, 1)
    latent_size: int = 128
    hidden: tuple[int, ...] = (512, 256)

    def __post_init__(self) -> None:
        sizes = (*self.input_shape, *self.filters, *self.blocks, self.latent_size, *self.hidden)
        if not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ValueError(f"{self.name} has a size that is not a whole number from 1 up: {self}")
        if len(self.blocks) != len(self.filters) - 1:
            raise ValueError(
                f"blocks is {self.blocks}, expected one number for each of filters {self.filters} "
                "but the first"
            )


def network(config: Recognizer, precision: str = "float32", seed: int = 0) -> keras.Model:
    """Build the network, from a picture to its fingerprint and on to the front.

    The layer ``taught`` learns to tell people apart, from the ``features``. ``fingerprint`` is a
    linear map of its direction, and at first the same. ``latent_space`` adds the picture's light
    to it, which is what the decoder takes. All before the decoder is frozen: training draws, and
    tells nobody apart.

    Parameters
    ----------
    config : Recognizer
    precision : str
        A Keras dtype policy. Fingerprint and drawing are float32 in each.
    seed : int
        Of the first weights.

    Returns
    -------
    keras.Model
        Takes float32 (n, height, width, 1) in 0..1 and gives the same shape. It is not compiled.
    """
    layers = keras.layers
    seeds = iter(np.random.SeedSequence(seed).generate_state(64).tolist())
    numbers = count(1)  # of the layers that have weights: their names must be the same every time
    dtype = keras.dtype_policies.get(precision)
    bent = partial(layers.Activation, "silu", dtype=dtype)

    def convolved(x: keras.KerasTensor, channels: int, side: int, strides: int = 1):  # noqa: ANN202
        return layers.Conv2D(
            channels,
            side,
            strides,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.HeNormal(seed=next(seeds)),
            name=f"convolution_{next(numbers)}",
            dtype=dtype,
        )(x)

    def normed(x: keras.KerasTensor):  # noqa: ANN202
        name = f"normalisation_{next(numbers)}"
        return layers.BatchNormalization(momentum=0.97, name=name, dtype=dtype)(x)

    def block(x: keras.KerasTensor, channels: int, strides: int):  # noqa: ANN202
        inner = bent()(normed(convolved(x, channels, 3, strides)))
        inner = normed(convolved(inner, channels, 3))
        if strides > 1:
            x = convolved(layers.AveragePooling2D(strides, dtype=dtype)(x), channels, 1)
        return bent()(layers.Add(dtype=dtype)([inner, x]))

    def dense(width: int, **options: object) -> keras.layers.Dense:
        first = keras.initializers.HeNormal(seed=next(seeds))
        return layers.Dense(width, kernel_initializer=first, dtype=dtype, **options)

    inputs = keras.Input(config.input_shape, name="input")
    x = Standardised(name="standardised", dtype="float32")(inputs)
    x = bent()(normed(convolved(x, config.filters[0], 5, 2)))
    for channels, blocks in zip(config.filters[1:], config.blocks, strict=True):
        for number in range(blocks):
            x = block(x, channels, 1 if number else 2)
    x = layers.Flatten(name="features", dtype=dtype)(x)
    x = dense(config.latent_size, use_bias=False, name="directions")(x)
    x = layers.BatchNormalization(momentum=0.97, dtype="float32", name="taught")(x)
    x = layers.UnitNormalization(name="direction", dtype="float32")(x)
    latent = layers.Dense(
        config.latent_size, kernel_initializer="identity", name="fingerprint", dtype="float32"
    )(x)
    for layer in keras.Model(inputs, latent).layers:
        layer.trainable = False
    light = Light(name="light", dtype="float32")(inputs)
    x = layers.Concatenate(name="latent_space", dtype="float32")([latent, light])
    for number, width in enumerate(config.hidden, 1):
        x = bent()(dense(width, name=f"hidden_{number}")(x))
    x = dense(int(np.prod(config.input_shape)), name="pixels")(x)
    x = layers.Reshape(config.input_shape, dtype=dtype)(x)
    outputs = layers.Activation("sigmoid", name="output", dtype="float32")(x)
    return keras.Model(inputs, outputs, name=config.name)


def encoder(model: keras.Model) -> keras.Model:
    """Cut a network off at its fingerprint: from pictures to float32 (n, latent_size)."""
    return keras.Model(model.inputs, model.get_layer("fingerprint").output, name="fingerprint")


def encode(encoder: keras.Model, images: np.ndarray, *, batch_size: int = 256) -> np.ndarray:
    """Take fingerprints. Picture and mirror image are added before the length is made one.

    Parameters
    ----------
    encoder : keras.Model
        What `encoder` returned.
    images : numpy.ndarray
        uint8, shape (n, height, width): of any size from `SMALLEST` up.

    Returns
    -------
    numpy.ndarray
        float32, shape (n, latent_size), of length one.

    Raises
    ------
    ValueError
        If the images have another type, shape or size.
    """
    found = np.empty((len(checks.images("images", images)), encoder.output_shape[1]), np.float32)
    if min(images.shape[1:]) < SMALLEST:
        raise ValueError(f"images have shape {images.shape}, expected sides of {SMALLEST} or more")
    for start in range(0, len(images), batch_size):
        pictures = resized(images[start : start + batch_size], encoder.input_shape[1])[..., None]
        both = np.concatenate([pictures, pictures[:, :, ::-1]])
        latent = keras.ops.convert_to_numpy(encoder.predict_on_batch(both))
        found[start : start + batch_size] = latent[: len(pictures)] + latent[len(pictures) :]
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """Bring uint8 pictures (n, height, width) to float32 (n, size, size) in 0..1."""
    if images.shape[1:] != (size, size):
        way = cv2.INTER_AREA if min(images.shape[1:]) > size else cv2.INTER_CUBIC
        images = np.stack([cv2.resize(each, (size, size), interpolation=way) for each in images])
    return images / np.float32(255)
