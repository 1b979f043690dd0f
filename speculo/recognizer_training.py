"""Teaching the fingerprint model to tell people apart.

It learns from drawn heads, of which there are as many as one likes, and in the end from
a few real people, too. The loss is that of CosFace (Wang et al. 2018): softmax over the
cosines between a fingerprint and one direction for each person, with a margin.
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
from speculo.faces import FaceSet, join, select
from speculo.photographed import Changes, photograph
from speculo.progress import Progress


@dataclass(frozen=True)
class Lesson:
    """How the network learns to tell people apart.

    Attributes
    ----------
    epochs, batch_size : int
        An epoch shows every drawn photo once. `late` epochs come after these.
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
    late : int
        Epochs after them that show real people, too, and a share of the drawn ones.
    late_rate : float
        Learning rate of the first of these; it falls to nothing.
    share : float
        Of the drawn photos, in a late epoch.
    repeats : int
        How often a late epoch shows each real photo.
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
    late: int = 4
    late_rate: float = 3e-4
    share: float = 0.2
    repeats: int = 50
    changes: Changes = field(default_factory=Changes)


LESSON = Lesson()
"""How the model that comes with the book was taught."""

PEOPLE, PHOTOS, SEED = 8000, 15, 1
"""Drawn people that it learned from, and photos of each; ``seed=0``, the default elsewhere, gives
other people."""

REAL = tuple(f"s{number}" for number in range(1, 21))
"""People of ORL that it learned from, too. The others are for judgement."""

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
    return FaceSet(
        name="heads",
        names=medium.names,
        **{
            field: np.concatenate([getattr(medium, field), getattr(wild, field)[new]])
            for field in ("images", "person", "pose", "origin", "front")
        },
    )


def real_people() -> FaceSet:
    """The real people to learn from, as large as the drawn ones."""
    return select(speculo.load("orl", size=SIZE), REAL)


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
    """Put a direction for each person behind the fingerprint of a network, and let it be trained.

    Its weights are the network's own, and come first.
    """
    encoder = recognizer.encoder(network)
    for layer in encoder.layers:
        layer.trainable = True
    features = network.get_layer("features").output
    x = keras.layers.Dropout(lesson.dropout, seed=seed)(features)
    for name in ("directions", "fingerprint"):
        x = network.get_layer(name)(x)
    return keras.Model(network.inputs, Cosines(people, seed)(x))


def teach(
    network: keras.Model,
    lesson: Lesson,
    drawn: FaceSet,
    real: FaceSet,
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
    drawn, real : FaceSet
        Photos of one size: best twice that of the network, as they are enlarged.
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
    faces = join(drawn, real)
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
    epochs = lesson.epochs + lesson.late
    for epoch in range(len(log), epochs):
        begin = time.perf_counter()
        if epoch == lesson.epochs:
            for variable in optimizer.variables:  # what it remembers is of drawn people
                variable.assign(keras.ops.zeros_like(variable))
            _aim(model, network, faces, len(drawn.names))
        loss = _epoch(model, lesson, faces, len(drawn), seed, epoch)
        seconds = time.perf_counter() - begin
        log = np.vstack([log, [loss, seconds]])
        state = {name: keras.ops.convert_to_numpy(variable) for name, variable in kept.items()}
        files.write_arrays(path, state | {"log": log})
        print(f"Epoch {epoch + 1}/{epochs}  loss {loss:.3f}  {seconds:.0f} s", flush=True)
        on_epoch(epoch + 1)
    for layer in recognizer.encoder(network).layers:
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


def _aim(model: keras.Model, network: keras.Model, faces: FaceSet, first: int) -> None:
    """Turn the directions of the people from `first` on to the middle of their photos."""
    cosines = model.layers[-1]
    directions = keras.ops.convert_to_numpy(cosines.directions).copy()
    length = np.linalg.norm(directions[:, :first], axis=0).mean()
    index = np.flatnonzero(faces.person >= first)
    found = recognizer.encode(recognizer.encoder(network), faces.images[index])
    for person in range(first, len(faces.names)):
        middle = found[faces.person[index] == person].mean(axis=0)
        directions[:, person] = length * middle / np.linalg.norm(middle)
    cosines.directions.assign(directions)


def _epoch(
    model: keras.Model, lesson: Lesson, faces: FaceSet, drawn: int, seed: int, epoch: int
) -> float:
    """Show the drawn photos, which come first; late, some of them and the real ones. Returns the loss."""
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(drawn)
    if late := epoch >= lesson.epochs:
        real = np.tile(np.arange(drawn, len(faces)), lesson.repeats)
        order = rng.permutation(np.concatenate([order[: round(lesson.share * drawn)], real]))
    size, steps = model.input_shape[1], len(order) // lesson.batch_size
    total, begin = 0.0, time.perf_counter()
    with Progress(unit="img") as progress:
        for step in range(steps):
            at = epoch + step / steps
            model.optimizer.learning_rate = _rate(lesson, at)
            strength = 1.0 if late else min(at / lesson.easy, 1)
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


def _rate(lesson: Lesson, at: float) -> float:
    """Learning rate after so many epochs."""
    if at >= lesson.epochs:
        return lesson.late_rate * (1 - (at - lesson.epochs) / lesson.late)
    left = 1 - at / lesson.epochs
    return lesson.rate * min(at + 0.02, 1, left / lesson.falling)
