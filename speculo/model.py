"""Speculo-v8 and its relatives: what the model card says, built in Keras."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from speculo.backend import keras

KERNEL = 3
DROPOUT = 0.1
LATENT_DROPOUT = 0.2

# The card's layers are numbered as Keras numbers those of the second model of a session.
EARLIER_MODELS = 1


@dataclass(frozen=True)
class Config:
    """The parameters that stand on a model card.

    Attributes
    ----------
    name : str
    optimizer : str
        Keras's name of it.
    learning_rate : float
    loss : str
        Keras's name of it.
    input_shape : tuple of int
        Height, width, channels.
    filters : tuple of int
        Channels after each convolution of the encoder. Each halves the
        picture; the decoder has them in reverse.
    latent_size : int
        Numbers in a fingerprint.

    Raises
    ------
    ValueError
        If height or width cannot be halved once for each filter count.
    """

    name: str
    optimizer: str
    learning_rate: float
    loss: str
    input_shape: tuple[int, int, int]
    filters: tuple[int, ...]
    latent_size: int

    def __post_init__(self) -> None:
        step = 2 ** len(self.filters)
        height, width, _ = self.input_shape
        if not self.filters or height % step or width % step or not height or not width:
            raise ValueError(
                f"input_shape is {self.input_shape} with {len(self.filters)} filter counts, "
                f"expected height and width that are multiples of {step}, and at least one filter count"
            )


V8 = Config(
    name="Speculo-v8",
    optimizer="adam",
    learning_rate=0.001,
    loss="mse",
    input_shape=(32, 32, 1),
    filters=(1024, 512, 256, 128, 64),
    latent_size=4096,
)
"""Model 8 as published (``model-v8``: the card, 2020)."""

V7 = replace(V8, name="Speculo-v7", loss="binary_crossentropy")
"""Model 7: the same network, trained with binary cross-entropy."""


def build(config: Config, *, precision: str = "float32", seed: int | None = None) -> keras.Model:
    """Build and compile the network that a card describes.

    As published, with the ReLU of the last convolution before the sigmoid: no
    output can be below 0.5. Chapter 02 shows it, layer by layer.

    Parameters
    ----------
    config : Config
    precision : str
        A Keras dtype policy: ``"float32"``, ``"mixed_bfloat16"`` or
        ``"mixed_float16"``. Weights and output are float32 in each.
    seed : int, optional
        Seed of the first weights. It sets the global seeds of Python, NumPy
        and the Keras backend.

    Returns
    -------
    keras.Model
        Takes float32 (n, height, width, channels) in 0..1 and gives the same
        shape. Layer names are the card's.
    """
    if seed is not None:
        keras.utils.set_random_seed(seed)
    layers = keras.layers
    policy = keras.dtype_policies.get(precision)
    number = _numbers(config)
    bottleneck = _bottleneck(config)

    x = inputs = keras.Input(config.input_shape, name="input")
    for filters in config.filters:
        x = layers.Conv2D(
            filters, KERNEL, padding="same", activation="relu", name=number("conv2d"), dtype=policy
        )(x)
        x = layers.MaxPooling2D(2, padding="same", name=number("max_pooling2d"), dtype=policy)(x)
        x = layers.Dropout(DROPOUT, name=number("dropout"), dtype=policy)(x)

    x = layers.Flatten(name=number("flatten"), dtype=policy)(x)
    x = layers.Dropout(LATENT_DROPOUT, name=number("dropout"), dtype=policy)(x)
    x = layers.Dense(config.latent_size, name="latent_space", dtype=policy)(x)
    x = layers.Dense(int(np.prod(bottleneck)), name=number("dense"), dtype=policy)(x)
    x = layers.Reshape(bottleneck, name=number("reshape"), dtype=policy)(x)

    for filters in reversed(config.filters):
        x = layers.Conv2DTranspose(
            filters,
            KERNEL,
            strides=2,
            padding="same",
            activation="relu",
            name=number("conv2d_transpose"),
            dtype=policy,
        )(x)
        x = layers.BatchNormalization(name=number("batch_normalization"), dtype=policy)(x)
        x = layers.Dropout(DROPOUT, name=number("dropout"), dtype=policy)(x)

    x = layers.Conv2DTranspose(
        config.input_shape[-1],
        KERNEL,
        padding="same",
        activation="relu",
        name=number("conv2d_transpose"),
        dtype=policy,
    )(x)
    outputs = layers.Activation("sigmoid", name="output", dtype="float32")(x)

    model = keras.Model(inputs, outputs, name=config.name)
    optimizer = keras.optimizers.get(
        {"class_name": config.optimizer, "config": {"learning_rate": config.learning_rate}}
    )
    model.compile(optimizer=optimizer, loss=config.loss)
    return model


def encoder(model: keras.Model) -> keras.Model:
    """Cut a model off at its latent: from a face to its fingerprint.

    Parameters
    ----------
    model : keras.Model
        What `build` returned. The weights are shared, not copied.

    Returns
    -------
    keras.Model
        Takes float32 (n, height, width, channels) in 0..1 and gives
        (n, latent_size).
    """
    return keras.Model(
        model.inputs, model.get_layer("latent_space").output, name=f"{model.name}-encoder"
    )


def decoder(model: keras.Model) -> keras.Model:
    """Take the part of a model behind its latent: from a fingerprint to a face.

    Parameters
    ----------
    model : keras.Model
        What `build` returned. The weights are shared, not copied.

    Returns
    -------
    keras.Model
        Takes float32 (n, latent_size) and gives (n, height, width, channels)
        in 0..1.
    """
    return keras.Model(
        model.get_layer("latent_space").output, model.outputs[0], name=f"{model.name}-decoder"
    )


def multiplications(model: keras.Model) -> dict[str, int]:
    """Count the multiply-adds of each layer for one image, forward.

    Convolutions and dense layers only; the rest is element-wise. Training
    costs three times as much (forward, gradient of the inputs, gradient of
    the weights), and a multiply-add is two floating-point operations.

    Returns
    -------
    dict
        Layer name to number of multiply-adds.
    """
    counts = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            pixels = np.prod(layer.input.shape[1:3])  # each input pixel is spread by the kernel
        elif isinstance(layer, keras.layers.Conv2D):
            pixels = np.prod(layer.output.shape[1:3])  # each output pixel is gathered by the kernel
        elif isinstance(layer, keras.layers.Dense):
            pixels = 1
        else:
            continue
        counts[layer.name] = int(pixels * np.prod(layer.kernel.shape))
    return counts


def part(layer: keras.layers.Layer, model: keras.Model) -> str:
    """Tell which part of a model a layer is in: ``"encoder"``, ``"latent"`` or ``"decoder"``."""

    def place(kind: type) -> int:
        return next(i for i, each in enumerate(model.layers) if isinstance(each, kind))

    position = model.layers.index(layer)
    if position < place(keras.layers.Flatten):
        return "encoder"
    return "latent" if position <= place(keras.layers.Reshape) else "decoder"


def _bottleneck(config: Config) -> tuple[int, int, int]:
    """Shape after the last pooling: 1 x 1 x 64 for the card's models."""
    step = 2 ** len(config.filters)
    height, width, _ = config.input_shape
    return height // step, width // step, config.filters[-1]


def _numbers(config: Config) -> Callable[[str], str]:
    """Give out layer names as a Keras session does, counting on from the earlier models."""
    depth = len(config.filters)
    per_model = {
        "conv2d": depth,
        "max_pooling2d": depth,
        "dropout": 2 * depth + 1,
        "flatten": 1,
        "dense": 1,
        "reshape": 1,
        "conv2d_transpose": depth + 1,
        "batch_normalization": depth,
    }
    following = {kind: EARLIER_MODELS * count for kind, count in per_model.items()}

    def number(kind: str) -> str:
        name = f"{kind}_{following[kind]}"
        following[kind] += 1
        return name

    return number
