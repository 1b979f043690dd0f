"""Speculo-v8 and its relatives: what the model card says, built in Keras."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from speculo import checks, recognizer
from speculo.backend import keras
from speculo.layers import PixelBias, kinds, logit
from speculo.pairs import as_input
from speculo.recognizer import Recognizer

KERNEL = 3
MEAN_FACE = "mean_face"
# The card's layers are numbered as Keras numbers those of the second model of a session.
EARLIER_MODELS = 1


@dataclass(frozen=True)
class Config:
    """What a network is: the parameters of a model card, and named changes beyond them.

    What a change defaults to is v8 as published.

    Attributes
    ----------
    name : str
    optimizer : str
        Keras's name of it.
    learning_rate : float
        The highest one, where it changes over the training.
    loss : str
        Keras's name of it.
    input_shape : tuple of int
        Height, width, channels.
    filters : tuple of int
        Channels after each convolution of the encoder. Each halves the
        picture; the decoder has them in reverse.
    latent_size : int
        Numbers in a fingerprint.
    output_relu : bool
        A ReLU before the last sigmoid. With it no output is below 0.5.
    mean_face : bool
        A bias of its own for each output pixel. Training starts it at the mean
        front of the train people.
    momentum : float
        Of the running averages of batch normalisation.
    dropout : float
        Share of the values dropped after each convolution.
    latent_dropout : float
        Share dropped before the latent.
    halvings : int, optional
        How many of the convolutions, from the first on, halve the picture. All
        by default, which leaves v8 one pixel of 64 channels before its 4096
        latents. Two leave 8 x 8 x 64, as many numbers as there are latents.

    Raises
    ------
    ValueError
        If a value is out of its range, or if height or width cannot be halved
        as often as they should: the message names it.
    """

    name: str
    optimizer: str
    learning_rate: float
    loss: str
    input_shape: tuple[int, int, int]
    filters: tuple[int, ...]
    latent_size: int
    output_relu: bool = True
    mean_face: bool = False
    momentum: float = 0.99
    dropout: float = 0.1
    latent_dropout: float = 0.2
    halvings: int | None = None

    def __post_init__(self) -> None:
        sizes = (*self.filters, self.latent_size, *self.input_shape)
        if not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ValueError(
                f"input_shape is {self.input_shape}, filters {self.filters}, latent_size "
                f"{self.latent_size}: expected whole numbers from 1 up"
            )
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name):  # Keras takes no other names
            wanted = "letters, digits, '.', '_' and '-', no '.', '_' or '-' first"
            raise ValueError(f"name is {self.name!r}, expected {wanted}")
        step = 2 ** len(self.filters)
        height, width, _ = self.input_shape
        if not self.filters or height % step or width % step:
            raise ValueError(
                f"input_shape is {self.input_shape} with {len(self.filters)} filter counts, "
                f"expected height and width that are multiples of {step}, and at least one filter count"
            )
        for field in ("momentum", "dropout", "latent_dropout"):
            if not 0 <= getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}, expected 0 or more, below 1")
        if self.halvings is not None and not 1 <= self.halvings <= len(self.filters):
            raise ValueError(
                f"halvings is {self.halvings}, expected 1 to {len(self.filters)}, "
                "one for each convolution at most"
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

V8_MENDED = replace(
    V8,
    name="Speculo-v8-mended",
    output_relu=False,
    mean_face=True,
    momentum=0.9,
    dropout=0.0,
    latent_dropout=0.0,
    halvings=2,
)
"""Model 8 with every change to the network that chapter 07 found to help."""

ARCHITECTURES = {config.name.removeprefix("Speculo-"): config for config in (V8, V7, V8_MENDED)}
"""Every model of the book by its short name."""


def named(name: str) -> Config:
    """The model of a short name: ``"v8"``, or ``"v8-4th"`` for a quarter of its channels.

    Raises
    ------
    ValueError
        If there is none: the message lists those that there are.
    """
    checks.instance("architecture", name, str)
    match = re.fullmatch(r"(.*?)(?:-(\d+)th)?", name)
    whole, divisor = match.groups() if match else (name, None)  # a line break matches nothing
    if whole not in ARCHITECTURES:
        raise ValueError(
            f"Unknown architecture {name!r}, expected one of {', '.join(ARCHITECTURES)}, "
            "with -4th or the like behind it for a fourth of the channels"
        )
    config = ARCHITECTURES[whole]
    return narrowed(config, int(divisor)) if divisor else config


def narrowed(config: Config, divisor: int) -> Config:
    """Divide the channels and the latents of a config: a `divisor` of 4 costs about a 16th.

    Returns
    -------
    Config
        With ``-4th`` or the like after its name.

    Raises
    ------
    ValueError
        If they cannot be divided without remainder.
    """
    checks.whole_number("divisor", divisor)
    if any(n % divisor for n in (*config.filters, config.latent_size)):
        raise ValueError(
            f"divisor is {divisor}, expected one that divides {config.filters} "
            f"and {config.latent_size}"
        )
    return replace(
        config,
        name=f"{config.name}-{divisor}th",
        filters=tuple(n // divisor for n in config.filters),
        latent_size=config.latent_size // divisor,
    )


def build(config: Config | Recognizer, *, precision: str = "float32", seed: int = 0) -> keras.Model:
    """Build and compile the network that a card describes.

    As published, the ReLU of the last convolution stands before the sigmoid: no output
    can be below 0.5. Chapter 02 shows the network, layer by layer.

    Parameters
    ----------
    config : Config or Recognizer
    precision : str
        A Keras dtype policy: ``"float32"``, ``"mixed_bfloat16"`` or
        ``"mixed_float16"``. Weights and output are float32 in each.
    seed : int
        Of the first weights, and of nothing else: the global random numbers stay as they are.

    Returns
    -------
    keras.Model
        Takes float32 (n, height, width, channels) in 0..1 and gives the same
        shape. Layer names are the card's.
    """
    checks.seed("seed", seed)
    if isinstance(config, Recognizer):
        network = recognizer.network(config, precision, seed)
    else:
        network = _autoencoder(config, precision, seed)
    optimizer = keras.optimizers.get(
        {"class_name": config.optimizer, "config": {"learning_rate": config.learning_rate}}
    )
    network.compile(optimizer=optimizer, loss=config.loss)
    return network


def _autoencoder(config: Config, precision: str, seed: int) -> keras.Model:
    """Put encoder and decoder together."""
    layer = _layers(config, precision, seed)
    inputs = keras.Input(config.input_shape, name="input")
    x = _decode(_encode(inputs, config, layer), config, layer)
    if config.mean_face:
        x = PixelBias(name=MEAN_FACE, dtype="float32")(x)
    outputs = keras.layers.Activation("sigmoid", name="output", dtype="float32")(x)

    return keras.Model(inputs, outputs, name=config.name)


def _encode(
    x: keras.KerasTensor, config: Config, layer: Callable[..., keras.Layer]
) -> keras.KerasTensor:
    """From a picture to its latent."""
    for filters, halve in zip(config.filters, _halves(config), strict=True):
        x = layer("conv2d", filters, KERNEL, padding="same", activation="relu")(x)
        if halve:
            x = layer("max_pooling2d", 2, padding="same")(x)
        x = layer("dropout", config.dropout)(x)
    x = layer("flatten")(x)
    x = layer("dropout", config.latent_dropout)(x)
    return layer("dense", config.latent_size, name="latent_space")(x)


def _decode(
    x: keras.KerasTensor, config: Config, layer: Callable[..., keras.Layer]
) -> keras.KerasTensor:
    """From a latent to what the last sigmoid takes."""
    bottleneck = _bottleneck(config)
    x = layer("dense", int(np.prod(bottleneck)))(x)
    x = layer("reshape", bottleneck)(x)
    convolution = partial(layer, "conv2d_transpose", kernel_size=KERNEL, padding="same")
    for filters, double in zip(config.filters[::-1], _halves(config)[::-1], strict=True):
        x = convolution(filters=filters, strides=2 if double else 1, activation="relu")(x)
        x = layer("batch_normalization", momentum=config.momentum)(x)
        x = layer("dropout", config.dropout)(x)
    activation = "relu" if config.output_relu else None
    return convolution(filters=config.input_shape[-1], activation=activation)(x)


def start_at(model: keras.Model, face: np.ndarray) -> None:
    """Let a model with ``mean_face`` begin with a face: what it draws where the rest says nothing.

    Parameters
    ----------
    model : keras.Model
        What `build` returned.
    face : numpy.ndarray
        float32 (height, width, 1), in 0..1.
    """
    model.get_layer(MEAN_FACE).bias.assign(logit(face))


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
    """Take the part of a model behind its latent, as `encoder` takes the part before it.

    Returns
    -------
    keras.Model
        Takes float32 (n, latent_size) and gives (n, height, width, channels)
        in 0..1.
    """
    latent = model.get_layer("latent_space").output
    return keras.Model(latent, model.outputs[0], name=f"{model.name}-decoder")


def forward(network: keras.Model, inputs: np.ndarray, *, batch_size: int = 64) -> np.ndarray:
    """Run a network on any number of inputs, batch by batch, without dropout.

    Parameters
    ----------
    network : keras.Model
        Keep it for the next call: it is compiled once.
    inputs : numpy.ndarray
        What the network takes, n of it. Of faces, float32 (n, height, width, 1) in
        0..1, or uint8 (n, height, width).

    Returns
    -------
    numpy.ndarray
        float32, shape (n, ...).
    """
    outputs = []
    if not len(inputs):
        raise ValueError("inputs are empty, expected one or more")
    for start in range(0, len(inputs), batch_size):
        batch = inputs[start : start + batch_size]
        drawn = network.predict_on_batch(as_input(batch) if batch.dtype == np.uint8 else batch)
        outputs.append(keras.ops.convert_to_numpy(drawn))
    return np.concatenate(outputs).astype(np.float32, copy=False)


def multiplications(model: keras.Model) -> dict[str, int]:
    """Count the multiply-adds of each layer for one image, forward.

    Convolutions and dense layers only; the rest is element-wise. Training costs
    three times as much. A multiply-add is two floating-point operations.

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
    joined = any(isinstance(each, keras.layers.Concatenate) for each in model.layers)
    last = place(keras.layers.Concatenate if joined else keras.layers.Reshape)
    return "latent" if position <= last else "decoder"


def _halves(config: Config) -> list[bool]:
    """For each convolution of the encoder, whether it halves the picture."""
    count = len(config.filters)
    return [place < (config.halvings or count) for place in range(count)]


def _bottleneck(config: Config) -> tuple[int, int, int]:
    """Shape after the last pooling: 1 x 1 x 64 for the card's models."""
    height, width = (side // 2 ** sum(_halves(config)) for side in config.input_shape[:2])
    return height, width, config.filters[-1]


_KINDS = {
    "conv2d": "Conv2D",
    "max_pooling2d": "MaxPooling2D",
    "dropout": "Dropout",
    "flatten": "Flatten",
    "dense": "Dense",
    "reshape": "Reshape",
    "conv2d_transpose": "Conv2DTranspose",
    "batch_normalization": "BatchNormalization",
}
"""Layers by the name that Keras gives them in a card."""


def _layers(config: Config, precision: str, seed: int) -> Callable[..., keras.Layer]:
    """Make layers by their kind, with the names of the card and the first weights of a seed.

    They are named as in a Keras session, counting on from the earlier models. Their seeds are
    those that Keras would draw after ``keras.utils.set_random_seed``. It would take them from the
    global generator, from which another thread may draw in between.
    """
    depth = len(config.filters)
    several = {"dropout": 2 * depth + 1, "flatten": 1, "dense": 1, "reshape": 1}
    several["conv2d_transpose"] = depth + 1
    following = {kind: EARLIER_MODELS * several.get(kind, depth) for kind in _KINDS}
    dtype, rng = keras.dtype_policies.get(precision), random.Random(seed)
    offered = kinds(precision)

    def layer(kind: str, *sizes: object, name: str | None = None, **options: object) -> keras.Layer:
        if kind in ("conv2d", "dense", "conv2d_transpose"):
            first = keras.initializers.GlorotUniform(seed=rng.randint(1, 10**9))
            options["kernel_initializer"] = first
        elif kind == "dropout" and sizes[0]:  # one that drops nothing draws no seed
            options["seed"] = rng.randint(1, 10**9)
        if name is None:
            name = f"{kind}_{following[kind]}"
            following[kind] += 1
        return getattr(offered, _KINDS[kind])(*sizes, **options, name=name, dtype=dtype)

    return layer
