"""Teaching the fingerprint model to tell people apart.

It learns from drawn heads, of which there are as many as one likes. The loss is that of
CosFace (Wang et al. 2018): softmax over the cosines between a fingerprint and one direction
for each person, with a margin. In the end a few real people tell what differs between photos
of one person: that weighs less from then on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

import speculo
from speculo import files, recognizer
from speculo.backend import keras
from speculo.faces import FaceSet
from speculo.photographed import Changes, photograph
from speculo.progress import Progress


@dataclass(frozen=True)
class Lesson:
    """How the network learns to tell people apart.

    Attributes
    ----------
    epochs, batch_size : int
        An epoch shows every photo once.
    rate, decay : float
        Highest learning rate, and weight decay, of AdamW.
    scale, margin : float
        Of the softmax over cosines: the cosine with the right person is lessened by the margin,
        then all are multiplied by the scale.
    dropout : float
        Of the features.
    easy : float
        Epochs in which margin and changes grow to their full strength. Without, the network
        learns nothing for a long time.
    falling : float
        Share of the epochs, at their end, in which the learning rate falls to nothing.
    changes : Changes
        How photos are changed.
    """

    epochs: int = 18
    batch_size: int = 192
    rate: float = 2e-3
    decay: float = 5e-4
    scale: float = 24.0
    margin: float = 0.15
    dropout: float = 0.2
    easy: float = 4
    falling: float = 0.5
    changes: Changes = field(default_factory=Changes)


LESSON = Lesson()
"""How the model that comes with the book was taught."""

PEOPLE, PHOTOS, SEED = 8000, 15, 1
"""Drawn people that it learned from, and photos of each; ``seed=0``, the default elsewhere, gives
other people."""

REAL = tuple(f"s{number}" for number in range(1, 21))
"""People of ORL that `settle` takes. The others are for judgement."""

CENTRE, RIDGE = 0.5, 1.0
"""Share of the mean of the real fingerprints that `settle` takes away, and what it adds to the
variance in each direction: chosen by halves of `REAL`."""

SIZE = 64
"""Height and width of the photos that it learned from: they are enlarged and cut."""


def drawn_people(people: int = PEOPLE) -> FaceSet:
    """Drawn people to learn from: of each the front, and more photos, half of them `wild`."""
    photos = PHOTOS // 2 + 1
    medium, wild = (
        speculo.load(f"heads-{level}", size=SIZE, people=people, photos=photos, seed=SEED)
        for level in ("medium", "wild")
    )
    new = wild.front != np.arange(len(wild))  # a front is the same at every level

    def both(field: str) -> np.ndarray:
        return np.concatenate([getattr(medium, field), getattr(wild, field)[new]])

    return FaceSet(
        name="heads",
        names=medium.names,
        images=both("images"),
        person=both("person"),
        pose=both("pose"),
        origin=both("origin"),
        front=both("front"),
    )


class Cosines(keras.layers.Layer):
    """The cosines between fingerprints and one direction for each person.

    The directions begin short: Adam takes steps of one length, which turn a short one faster.
    """

    def __init__(self, people: int, seed: int) -> None:
        super().__init__(dtype="float32")
        self.people, self.seed = people, seed

    def build(self, shape: tuple[int, ...]) -> None:
        """Make the directions."""
        self.directions = self.add_weight(
            shape=(shape[-1], self.people),
            initializer=keras.initializers.RandomNormal(stddev=0.01, seed=self.seed),
        )

    def call(self, latent):  # noqa: ANN001, ANN201 - a tensor of the backend
        """Multiply unit vectors."""
        ops = keras.ops
        return ops.matmul(ops.normalize(latent, axis=1), ops.normalize(self.directions, axis=0))


def cosine_softmax(scale: float) -> Callable:
    """Make the loss: asked (n, 2) are person and margin, cosines (n, people)."""

    def loss(asked, cosines):  # noqa: ANN001, ANN202 - tensors of the backend
        ops = keras.ops
        person, margin = ops.cast(asked[:, 0], "int32"), asked[:, 1:]
        right = ops.one_hot(person, cosines.shape[-1], dtype=cosines.dtype)
        logits = scale * (cosines - margin * right)
        return ops.sparse_categorical_crossentropy(person, logits, from_logits=True)

    return loss


def pupil(network: keras.Model, people: int, lesson: Lesson, seed: int) -> keras.Model:
    """Put a direction for each person behind what a network is taught, and let it be trained.

    Its weights are the network's own, and come first.
    """
    features = network.get_layer("features").output
    x = keras.layers.Dropout(lesson.dropout, seed=seed)(features)
    for name in ("directions", "taught"):
        x = network.get_layer(name)(x)
    model = keras.Model(network.inputs, Cosines(people, seed)(x))
    for layer in model.layers:
        layer.trainable = True
    return model


def teach(
    network: keras.Model,
    lesson: Lesson,
    faces: FaceSet,
    path: Path,
    *,
    seed: int = 0,
    on_epoch: Callable[[int], None] = lambda epoch: None,
) -> pd.DataFrame:
    """Teach a network to tell people apart, or go on with it.

    The state is kept in `path` after each epoch. What is random in an epoch follows
    from (seed, epoch) alone.

    Parameters
    ----------
    network : keras.Model
        From ``recognizer.network``.
    lesson : Lesson
    faces : FaceSet
        Photos of any size: best twice that of the network, as they are enlarged.
    path : Path
    seed : int
    on_epoch : callable, optional
        Called with the number of epochs done.

    Returns
    -------
    pandas.DataFrame
        The log: ``epoch``, mean ``loss``, and ``seconds`` that it took.

    Raises
    ------
    ValueError
        If the state in `path` is damaged, or that of another training.
    """
    model = pupil(network, len(faces.names), lesson, seed)
    optimizer = keras.optimizers.AdamW(lesson.rate, weight_decay=lesson.decay)
    model.compile(optimizer, cosine_softmax(lesson.scale))
    optimizer.build(model.trainable_variables)
    kept = {
        f"{part}/{number}": variable
        for part, owner in (("model", model), ("optimizer", optimizer))
        for number, variable in enumerate(owner.variables)
    }
    log = _resume(kept, path)
    for epoch in range(len(log), lesson.epochs):
        begin = time.perf_counter()
        loss = _epoch(model, lesson, faces, seed, epoch)
        seconds = time.perf_counter() - begin
        log = np.vstack([log, [loss, seconds]])
        state = {name: keras.ops.convert_to_numpy(variable) for name, variable in kept.items()}
        files.write_arrays(path, state | {"log": log})
        print(f"Epoch {epoch + 1}/{lesson.epochs}  loss {loss:.3f}  {seconds:.0f} s", flush=True)
        on_epoch(epoch + 1)
    for layer in model.layers:
        layer.trainable = False
    return pd.DataFrame(
        {"epoch": np.arange(1, len(log) + 1), "loss": log[:, 0], "seconds": log[:, 1]}
    )


def _resume(kept: dict[str, keras.Variable], path: Path) -> np.ndarray:
    """Put the state of a file into variables, and give its log: loss and seconds of each epoch."""
    if not path.exists():
        return np.empty((0, 2))
    state = files.read_arrays(path)
    log = state.pop("log", None)
    shapes = {name: tuple(variable.shape) for name, variable in kept.items()}
    if log is None or {name: array.shape for name, array in state.items()} != shapes:
        raise ValueError(f"{path} is of another training. Delete it to begin anew")
    for name, variable in kept.items():
        variable.assign(state[name])
    return log


def _epoch(model: keras.Model, lesson: Lesson, faces: FaceSet, seed: int, epoch: int) -> float:
    """Show every photo once, in an order of its own. Returns the mean loss."""
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(faces))
    size, steps = model.input_shape[1], len(order) // lesson.batch_size
    total, begin = 0.0, time.perf_counter()
    with Progress(unit="img") as progress:
        for step in range(steps):
            at = epoch + step / steps
            left = 1 - at / lesson.epochs
            model.optimizer.learning_rate = lesson.rate * min(at + 0.02, 1, left / lesson.falling)
            strength = min(at / lesson.easy, 1)
            index = np.sort(order[step * lesson.batch_size :][: lesson.batch_size])
            changes = lesson.changes.softened(strength)
            pictures = photograph(faces.images[index], size, changes, rng)[..., np.newaxis]
            margin = np.full(len(index), strength * lesson.margin)
            asked = np.stack([faces.person[index], margin], axis=1).astype(np.float32)
            model.reset_metrics()  # or the loss would be a mean over steps
            total += float(model.train_on_batch(pictures, asked))
            seen = (step + 1) * lesson.batch_size
            label = f"Epoch {epoch + 1}"
            progress.update(seen, len(order), time.perf_counter() - begin, label)
    return total / steps


def settle(network: keras.Model, real: FaceSet, drawn: FaceSet) -> None:
    """Let what differs between photos of one person weigh less.

    This is within-class covariance normalisation (Hatch et al. 2006): the map behind the
    taught vectors is the inverse square root of the mean covariance within a person, real and
    drawn people weighing the same. What real faces have in common is taken away in part.

    Parameters
    ----------
    network : keras.Model
        Taught. Its layer ``fingerprint`` is changed.
    real, drawn : FaceSet
        Photos of the network's size, some of each person.
    """
    layer = network.get_layer("fingerprint")
    size = layer.units
    layer.set_weights([np.eye(size), np.zeros(size)])
    encoder = recognizer.encoder(network)
    means, covariances = [], []
    for faces in (real, drawn):
        found = recognizer.encode(encoder, faces.images)
        means.append(found.mean(axis=0))
        middles = np.stack(
            [found[faces.person == each].mean(axis=0) for each in np.unique(faces.person)]
        )
        inner = found - middles[np.unique(faces.person, return_inverse=True)[1]]
        covariance = inner.T @ inner
        covariances.append(covariance / np.trace(covariance) * size)
    variances, axes = np.linalg.eigh(np.mean(covariances, axis=0) + RIDGE * np.eye(size))
    kernel = axes / np.sqrt(variances) @ axes.T * np.sqrt(size)  # so that numbers vary by about 1
    layer.set_weights([kernel, -CENTRE * means[0] @ kernel])
