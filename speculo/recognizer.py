"""A network trained to tell people apart, and how it is trained.

A picture becomes numbers of length one, its fingerprint: those of one person point
the same way, those of two people do not. The network learns from drawn heads, of
which there are as many as one likes, and in the end from a few real people, too.

``python -m speculo.recognizer`` trains the one that comes with the book again; it
goes on where it was stopped.
"""

import argparse
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

import speculo
from speculo import device, files, pairs, recognition
from speculo.backend import keras
from speculo.faces import FaceSet, join
from speculo.pairs import Pairs
from speculo.photographed import Changes, normalised, photograph, resized
from speculo.progress import Progress


@dataclass(frozen=True)
class Recognizer:
    """What the network is, and how it learns.

    Attributes
    ----------
    size : int
        Height and width of a picture in pixels.
    channels : tuple of int
        Of the first convolution, and of the stages after it. Each halves the picture.
    blocks : tuple of int
        Residual blocks in each stage after the first convolution.
    latent_size : int
        Numbers in a fingerprint.
    dropout : float
        Before the last layer.
    scale, margin : float
        Of the softmax over cosines: the cosine with the right person is lessened by the margin,
        then all are multiplied by the scale.
    epochs, batch_size : int
        An epoch shows every drawn photo once. `late` epochs come after these.
    easy : int
        Epochs in which margin and changes grow to their full strength. Without, the network
        learns nothing for a long time.
    falling : float
        Share of the training, at its end, in which the learning rate falls to nothing.
    late : int
        Epochs after them that show real people, too, and a share of the drawn ones.
    share : float
        Of the drawn photos, in a late epoch.
    repeats : int
        How often a late epoch shows each real photo.
    rate, late_rate, decay : float
        Highest learning rate, that of the late epochs, and weight decay, of AdamW.
    changes : Changes
        How photos are changed.
    """

    size: int = 32
    channels: tuple[int, ...] = (48, 96, 192)
    blocks: tuple[int, ...] = (2, 1)
    latent_size: int = 128
    dropout: float = 0.2
    scale: float = 24.0
    margin: float = 0.15
    epochs: int = 28
    batch_size: int = 192
    easy: int = 8
    falling: float = 0.5
    late: int = 4
    share: float = 0.25
    repeats: int = 50
    rate: float = 2e-3
    late_rate: float = 3e-4
    decay: float = 5e-4
    changes: Changes = field(default_factory=Changes)


SHIPPED = Recognizer()
"""The one whose weights come with the book."""

PEOPLE, PHOTOS, SEED = 8000, 14, 1
"""Drawn people that `SHIPPED` learned from; ``seed=0``, the default elsewhere, gives other people."""

REAL = 20
"""It learned from the first so many people of ORL, too. The others are for judgement."""

PATH = files.PROJECT / "data" / "recorded" / "fingerprint" / "weights.npz"
"""Its weights, in half precision."""

DIGEST = "0" * 64
"""SHA-256 of that file."""


def build(config: Recognizer, seed: int = 0, precision: str = "float32") -> keras.Model:
    """Build the encoder.

    Parameters
    ----------
    config : Recognizer
    seed : int
        Of the first weights and the dropout.
    precision : str
        ``"float32"`` or ``"mixed_bfloat16"``; the latent vectors are float32 in any case.

    Returns
    -------
    keras.Model
        From normalised pictures (n, size, size, 1) to latent vectors (n, latent_size). Their
        direction is what counts. The layer ``spatial`` is what the last one is computed from.
    """
    layers = keras.layers
    seeds = iter(np.random.SeedSequence(seed).generate_state(64).tolist())

    def first_weights() -> keras.Initializer:
        return keras.initializers.HeNormal(seed=next(seeds))

    def convolved(x, channels: int, side: int, strides: int = 1):
        return layers.Conv2D(
            channels,
            side,
            strides,
            padding="same",
            use_bias=False,
            kernel_initializer=first_weights(),
            dtype=precision,
        )(x)

    def normed(x):
        return layers.BatchNormalization(momentum=0.97, dtype=precision)(x)

    def bent(x):
        return layers.Activation("silu", dtype=precision)(x)

    def block(x, channels: int, strides: int):
        inner = bent(normed(convolved(x, channels, 3, strides)))
        inner = normed(convolved(inner, channels, 3))
        if strides > 1:
            x = convolved(layers.AveragePooling2D(strides, dtype=precision)(x), channels, 1)
        return bent(layers.Add(dtype=precision)([inner, x]))

    inputs = keras.Input((config.size, config.size, 1), name="picture")
    x = bent(normed(convolved(inputs, config.channels[0], 5, 2)))
    for channels, count in zip(config.channels[1:], config.blocks, strict=True):
        for number in range(count):
            x = block(x, channels, 1 if number else 2)
    x = layers.Flatten(name="spatial", dtype=precision)(x)
    x = layers.Dropout(config.dropout, seed=seed, dtype=precision)(x)
    x = layers.Dense(
        config.latent_size, use_bias=False, kernel_initializer=first_weights(), dtype=precision
    )(x)
    outputs = layers.BatchNormalization(momentum=0.97, dtype="float32", name="latent")(x)
    return keras.Model(inputs, outputs)


def encode(encoder: keras.Model, images: np.ndarray, *, batch_size: int = 256) -> np.ndarray:
    """Take fingerprints. Picture and mirror image are added before the length is made one.

    Parameters
    ----------
    encoder : keras.Model
        From `build` or `shipped`.
    images : numpy.ndarray
        uint8, shape (n, height, width): of any size, 16 pixels or more.

    Returns
    -------
    numpy.ndarray
        float32, shape (n, latent_size), of length one.

    Raises
    ------
    ValueError
        If the images have another type, shape or size.
    """
    if images.dtype != np.uint8 or images.ndim != 3 or min(images.shape[1:]) < 16:
        raise ValueError(
            f"images are {images.dtype} {images.shape}, expected uint8 (n, height, width), "
            "height and width 16 or more"
        )
    found = np.empty((len(images), encoder.output_shape[1]), dtype=np.float32)
    for start in range(0, len(images), batch_size):
        pictures = normalised(resized(images[start : start + batch_size], encoder.input_shape[1]))
        both = np.concatenate([pictures, pictures[:, :, ::-1]])
        latent = keras.ops.convert_to_numpy(encoder.predict_on_batch(both))
        found[start : start + batch_size] = latent[: len(pictures)] + latent[len(pictures) :]
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


class Cosines(keras.layers.Layer):
    """The cosines between latent vectors and one direction for each person.

    The directions begin short: Adam takes steps of one length, which turn a short one faster.
    """

    def __init__(self, people: int, seed: int) -> None:
        super().__init__()
        self.people, self.seed = people, seed

    def build(self, shape: tuple[int, ...]) -> None:
        """Make the directions."""
        self.directions = self.add_weight(
            shape=(shape[-1], self.people),
            initializer=keras.initializers.RandomNormal(stddev=0.01, seed=self.seed),
        )

    def call(self, latent):
        """Multiply unit vectors."""
        ops = keras.ops
        return ops.matmul(ops.normalize(latent, axis=1), ops.normalize(self.directions, axis=0))


def cosine_softmax(config: Recognizer) -> Callable:
    """Make the loss: asked (n, 2) are person and margin, cosines (n, people)."""

    def loss(asked, cosines):
        ops = keras.ops
        person, margin = ops.cast(asked[:, 0], "int32"), asked[:, 1:]
        right = ops.one_hot(person, cosines.shape[-1], dtype=cosines.dtype)
        logits = config.scale * (cosines - margin * right)
        return ops.sparse_categorical_crossentropy(person, logits, from_logits=True)

    return loss


def train(
    config: Recognizer,
    drawn: FaceSet,
    real: FaceSet | None,
    path: Path,
    *,
    seed: int = 0,
    precision: str | None = None,
    on_epoch: Callable[[keras.Model, int], None] | None = None,
) -> keras.Model:
    """Train an encoder, or go on with its training.

    The state is kept in `path` after each epoch. What is random in an epoch follows
    from (seed, epoch) alone.

    Parameters
    ----------
    config : Recognizer
    drawn, real : FaceSet
        Photos of one size: best twice that of the config, as they are enlarged.
    path : Path
    seed : int
    precision : str, optional
        As in `build`; by default what the device does fast.
    on_epoch : callable, optional
        Called with the encoder and the number of epochs done.

    Returns
    -------
    keras.Model
        The encoder.
    """
    faces = join(drawn, real) if real else drawn
    encoder = build(config, seed, device.precision(precision))
    network = keras.Model(encoder.input, Cosines(len(faces.names), seed)(encoder.output))
    optimizer = keras.optimizers.AdamW(config.rate, weight_decay=config.decay)
    network.compile(optimizer, cosine_softmax(config))
    optimizer.build(network.trainable_variables)
    variables = [*network.variables, *optimizer.variables]
    done = 0
    if path.exists():
        state = files.read_arrays(path)
        for number, variable in enumerate(variables):
            variable.assign(state[str(number)])
        done = int(state["epoch"])
    epochs = config.epochs + (config.late if real else 0)
    for epoch in range(done, epochs):
        begin = time.perf_counter()
        if epoch == config.epochs:
            _aim(network.layers[-1], encoder, faces, len(drawn.names))
        loss = _train_epoch(network, config, faces, len(drawn), seed, epoch)
        state = {str(n): keras.ops.convert_to_numpy(v) for n, v in enumerate(variables)}
        files.write_arrays(path, state | {"epoch": np.array(epoch + 1)})
        seconds = time.perf_counter() - begin
        print(f"Epoch {epoch + 1}/{epochs}  loss {loss:.3f}  {seconds:.0f} s", flush=True)
        if on_epoch:
            on_epoch(encoder, epoch + 1)
    return encoder


def _aim(cosines: Cosines, encoder: keras.Model, faces: FaceSet, first: int) -> None:
    """Turn the directions of the people from `first` on to the middle of their photos."""
    directions = keras.ops.convert_to_numpy(cosines.directions).copy()
    length = np.linalg.norm(directions[:, :first], axis=0).mean()
    index = np.flatnonzero(faces.person >= first)
    found = encode(encoder, faces.images[index])
    for person in range(first, len(faces.names)):
        middle = found[faces.person[index] == person].mean(axis=0)
        directions[:, person] = length * middle / np.linalg.norm(middle)
    cosines.directions.assign(directions)


def _train_epoch(
    network: keras.Model, config: Recognizer, faces: FaceSet, drawn: int, seed: int, epoch: int
) -> float:
    """Show the drawn photos, which come first, or some of them and the real ones. Returns the loss."""
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(drawn)
    late = epoch - config.epochs
    if late >= 0:
        real = np.tile(np.arange(drawn, len(faces)), config.repeats)
        order = rng.permutation(np.concatenate([order[: round(config.share * drawn)], real]))
    steps = len(order) // config.batch_size
    strength = 1.0
    total = 0.0
    with Progress(unit="img") as progress:
        begin = time.perf_counter()
        for step in range(steps):
            if late >= 0:
                rate = config.late_rate * (1 - (late + step / steps) / config.late)
            else:
                at = epoch + step / steps
                strength = min(at / config.easy, 1)
                left = 1 - at / config.epochs
                rate = config.rate * min(at + 0.02, 1, left / config.falling)
            network.optimizer.learning_rate = rate
            index = np.sort(order[step * config.batch_size : (step + 1) * config.batch_size])
            changes = config.changes.softened(strength)
            pictures = photograph(faces.images[index], config.size, changes, rng)
            margin = np.full(len(index), strength * config.margin)
            asked = np.stack([faces.person[index], margin], axis=1).astype(np.float32)
            network.reset_metrics()  # or the loss would be a mean over steps
            total += float(network.train_on_batch(normalised(pictures), asked))
            shown = (step + 1) * config.batch_size
            progress.update(shown, len(order), time.perf_counter() - begin, f"Epoch {epoch + 1}")
    return total / steps


def save(encoder: keras.Model, path: Path) -> str:
    """Write the weights, kernels in half precision, and return the SHA-256 of the file."""
    arrays = {}
    for number, weight in enumerate(encoder.weights):
        array = keras.ops.convert_to_numpy(weight)
        arrays[str(number)] = array.astype(np.float16) if array.ndim > 1 else array
    files.write_arrays(path, arrays)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(config: Recognizer, path: Path, digest: str | None = None) -> keras.Model:
    """Build an encoder with the weights that `save` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or not the one that `digest` is the SHA-256 of.
    """
    arrays = files.read_arrays(path)
    if digest and hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise ValueError(f"{path} is not the file that the book came with: fetch it again")
    encoder = build(config)
    if {name: array.shape for name, array in arrays.items()} != {
        str(number): tuple(weight.shape) for number, weight in enumerate(encoder.weights)
    }:
        raise ValueError(f"{path} holds the weights of another network")
    for number, weight in enumerate(encoder.weights):
        weight.assign(arrays[str(number)].astype(np.float32))
    return encoder


@cache
def shipped() -> keras.Model:
    """Open the encoder that comes with the book."""
    return load(SHIPPED, PATH, DIGEST)


def judge(encoder: keras.Model) -> dict[str, float]:
    """Judge an encoder on people whom `SHIPPED` never saw.

    Returns
    -------
    dict
        ``eer``, ``rank_1`` and ``tmr_at_fmr_1`` on ORL 21..40; ``beyond_30``, the rank-1 of the
        400 test people of ``speculo.benchmark`` (``medium``), one front of each in the gallery,
        where yaw is 30 degrees or more; ``milliseconds`` that one fingerprint takes.
    """
    orl = speculo.load("orl")
    last = orl.person >= REAL
    found = recognition.measures(encode(encoder, orl.images[last]), orl.person[last])
    found = {name: found[name] for name in ("eer", "rank_1", "tmr_at_fmr_1")}
    heads = pairs.split(speculo.load("heads-medium", people=2000), seed=0)
    found["beyond_30"] = turned_rank_1(encoder, heads.test)
    begin = time.perf_counter()
    for image in orl.images[:50]:
        encode(encoder, image[np.newaxis])
    return found | {"milliseconds": (time.perf_counter() - begin) / 50 * 1000}


def turned_rank_1(encoder: keras.Model, test: Pairs, beyond: float = 30) -> float:
    """Give rank-1 of photos turned so many degrees or more, the fronts in the gallery."""
    index = test.input
    scores = recognition.Cosine(encode(encoder, test.faces.images[index]))
    fronts = np.flatnonzero(np.isin(index, test.target))
    rank, probe = recognition.ranks(scores, test.person, fronts)
    turned = np.abs(test.faces.pose[index[probe], 0]) >= beyond
    return float((rank[turned] == 1).mean())


def drawn_people(people: int = PEOPLE, size: int = 2 * SHIPPED.size) -> FaceSet:
    """Drawn people to learn from: of each the front, and `PHOTOS` more, half of them `wild`."""
    photos = PHOTOS // 2 + 1
    medium, wild = (
        speculo.load(f"heads-{level}", size=size, people=people, photos=photos, seed=SEED)
        for level in ("medium", "wild")
    )
    new = wild.front != np.arange(len(wild))  # a front is the same at every level
    return FaceSet(
        name="heads",
        **{
            field: np.concatenate([getattr(medium, field), getattr(wild, field)[new]])
            for field in ("images", "person", "pose", "origin", "front")
        },
        names=medium.names,
    )


def main() -> None:
    """Read the command line, train and judge."""
    parser = argparse.ArgumentParser(
        description="Train the network that tells people apart, or go on with it, and judge it.",
        prog="python -m speculo.recognizer",
    )
    parser.add_argument(
        "--people", type=int, default=PEOPLE, help="drawn people, fewer for a trial"
    )
    parser.add_argument("--epochs", type=int, default=SHIPPED.epochs, help="fewer for a trial")
    parser.add_argument(
        "--out", type=Path, default=files.home() / "runs" / "recognizer", help="folder of the state"
    )
    options = parser.parse_args()
    config = replace(SHIPPED, epochs=options.epochs)
    size = 2 * config.size  # photos are enlarged while it learns
    drawn = drawn_people(options.people, size)
    real = speculo.load("orl", size=size, people=REAL)
    encoder = train(config, drawn, real, options.out / "state.npz")
    path = options.out / PATH.name
    print(f"{files.shown(path)}: SHA-256 {save(encoder, path)}")
    for name, value in judge(encoder).items():
        print(f"{name:>14} {value:.4f}")


if __name__ == "__main__":
    main()
