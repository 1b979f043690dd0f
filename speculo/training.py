"""Training that can be stopped at any moment and goes on as if it had not been.

The order of the pairs in epoch e, its dropout masks and what augmentation makes of
the pairs follow from (seed, e) alone. The state is written after each epoch. So a
run that was killed goes on from its last full epoch and, on the same CPU, ends with
the same weights, bit for bit.
"""

import hashlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from speculo import checks, device, files, history, model, runs, sharing, snapshots
from speculo.augmentation import PUBLISHED, Recipe, batches
from speculo.backend import keras
from speculo.pairs import Pairs, Split
from speculo.progress import Progress
from speculo.recognizer import Recognizer
from speculo.runs import Run


@dataclass(frozen=True)
class Plan:
    """A recipe, and for how long and from which seed it is followed.

    Attributes
    ----------
    recipe : Recipe
    epochs : int
        In all.
    batch_size : int
        Pairs in a step.
    seed : int
        Of the first weights, the order of the pairs, the augmentation and the dropout.
    start : Run, optional
        Whose best weights the training begins with, in the place of random ones.
    """

    recipe: Recipe
    epochs: int
    batch_size: int
    seed: int
    start: Run | None = None


def train(
    config: model.Config | Recognizer,
    split: Split,
    run: Run,
    *,
    recipe: Recipe = PUBLISHED,
    epochs: int = 12,
    batch_size: int = 16,
    seed: int = 0,
    precision: str | None = None,
    start: Run | None = None,
    on_epoch: Callable[[Run], None] | None = None,
) -> Run:
    """Train a model until its run has so many epochs.

    A run that was stopped goes on from its last full epoch. One that has all
    its epochs is returned as it is. An interrupt from the keyboard ends the
    training and keeps every full epoch.

    Parameters
    ----------
    config : Config or Recognizer
    split : Split
        Train pairs to learn from, test pairs for the validation loss.
    run : Run
        Where it is kept, from ``runs.at(name)``.
    recipe : Recipe
        How it is trained; ``augmentation.named`` gives that of a model of the book.
    epochs : int
        How many in all, those of earlier calls included. Where the learning
        rate falls over the training, it is a setting of the run like others.
    batch_size : int
        Pairs in a step.
    seed : int
        Of the first weights, the order of the pairs and the dropout.
    precision : str, optional
        One of ``device.PRECISIONS``. By default the one that the device does
        fast, or the run's own if it was begun.
    start : Run, optional
        A run of a network of the same shape: its best weights are those that this
        one begins with. Which they were is a setting of the run like others.
    on_epoch : callable, optional
        Called with the run after each epoch.

    Returns
    -------
    Run
        The same run.

    Raises
    ------
    ValueError
        If `epochs` or `batch_size` is below 1, if images and model differ in
        size, if `start` is of another network, or if the folder holds a run with other settings: the message
        says which.
    RuntimeError
        If another process is training the run.
    OSError
        If the disk is full. The last full epoch is kept.
    """
    checks.whole_number("epochs", epochs)
    checks.whole_number("batch_size", batch_size)
    checks.seed("seed", seed)
    checks.instance("split", split, Split)
    checks.instance("recipe", recipe, Recipe)
    size = (*split.train.faces.images.shape[1:], 1)
    if size != config.input_shape:
        raise ValueError(
            f"The images are {size[0]} x {size[1]}, but {config.name} takes "
            f"{config.input_shape[0]} x {config.input_shape[1]}: load them with size={config.input_shape[0]}"
        )
    plan = Plan(recipe, epochs, batch_size, seed, start)
    with run.locked():
        return _train(config, split, run, plan, precision, on_epoch or (lambda _: None))


def _train(
    config: model.Config | Recognizer,
    split: Split,
    run: Run,
    plan: Plan,
    precision: str | None,
    on_epoch: Callable[[Run], None],
) -> Run:
    begun = run.record
    chosen = device.precision(precision or (run.settings["precision"] if begun else None))
    settings, first = _settings(split, plan, chosen) | {"start": None}, None
    if plan.start:
        first = runs.get_weights(plan.start.model())
        settings["start"] = {"run": plan.start.name, "sha256": _digest(first)}
    if begun:
        _refuse_other_settings(run, config, plan.recipe, settings)
    epochs, log = plan.epochs, run.history
    sharing.agree(f"{config.name}, after {len(log)} epochs of {epochs}, {settings}")
    if len(log) >= epochs and begun.get("status") == "finished":
        print(f"Run {run.name} has {len(log)} epochs already: nothing to train.")
        return run

    sharing.warn_of_batches(plan.batch_size)
    network = model.build(config, precision=chosen, seed=plan.seed)
    prepare(network, plan.recipe)
    done = _restore(network, run, len(log))
    sharing.agree(f"{config.name}, after {done} epochs of {epochs}, {settings}")  # as restored
    if not done:
        begin(network, config, split.train, first)
    history.write(run.path, log[:done])
    record = begun | circumstances(config, plan.recipe, settings)
    run.write_record(record | {"status": "training", "process": os.getpid()})
    found = record["device"]
    print(f"{config.name} on {found['kind'].upper()} {found['name']} in {chosen}")
    if done:
        print(f"Run {run.name} goes on after epoch {done}.")

    status = "finished"
    with Progress(unit="img") as progress:
        try:
            for epoch in range(done, epochs):
                _train_epoch(network, config, split, run, plan, epoch, progress)
                on_epoch(run)
        except KeyboardInterrupt:
            status = "interrupted"
            progress.keep(
                f"Interrupted. {run.epochs} of {epochs} epochs are kept; run this again to go on."
            )
    run.write_record(record | {"status": status, "seconds": float(run.history["seconds"].sum())})
    return run


def train_epoch(
    network: keras.Model,
    config: model.Config | Recognizer,
    pairs: Pairs,
    plan: Plan,
    epoch: int,
    on_step: Callable[[int, float], None] | None = None,
) -> float:
    """Train a model for one epoch, in memory: all that is random follows from (seed, epoch) alone.

    Parameters
    ----------
    network : keras.Model
        From ``model.build(config)``. It is changed.
    config : Config or Recognizer
    pairs : Pairs
    plan : Plan
    epoch : int
        Counted from 0.
    on_step : callable, optional
        Called after each step with the pairs done and the mean loss so far.

    Returns
    -------
    float
        Mean loss over the steps, with dropout.
    """
    seed = plan.seed
    order = np.random.default_rng([seed, epoch]).permutation(len(pairs))
    _seed_dropout(network, seed, epoch)
    rng = np.random.default_rng([seed, epoch, 1])  # apart from the one that drew the order
    # Steps are made one by one: `fit` took up to twice as long to let go of its iterator.
    total, done = 0.0, 0
    for inputs, targets in batches(pairs, plan.recipe, order, plan.batch_size, rng):
        share = plan.recipe.rate((epoch + done / len(order)) / plan.epochs)
        network.optimizer.learning_rate = config.learning_rate * share
        total += sharing.train_on_batch(network, inputs, targets) * len(inputs)
        done += len(inputs)
        if on_step:
            on_step(done, total / done)
    return total / len(order)


def _train_epoch(
    network: keras.Model,
    config: model.Config | Recognizer,
    split: Split,
    run: Run,
    plan: Plan,
    epoch: int,
    progress: Progress,
) -> None:
    """Train one epoch, counted from 0, and write it down. The state comes last: it is the commit."""
    begin = time.perf_counter()
    log = run.history
    before = f", val_loss {log['val_loss'].iloc[-1]:.4f} before" if len(log) else ""

    def show(done: int, loss: float) -> None:
        progress.update(
            done,
            len(split.train),
            time.perf_counter() - begin,
            f"Epoch {epoch + 1}/{plan.epochs}",
            f"loss {loss:.4f}{before}",
        )

    loss = train_epoch(network, config, split.train, plan, epoch, show)
    seconds = time.perf_counter() - begin
    weights = runs.get_weights(network) | {"epoch": np.array(epoch + 1)}
    optimizer = {
        # by number: Keras names the optimizers of a session one after the other
        f"optimizer/{number}": keras.ops.convert_to_numpy(variable)
        for number, variable in enumerate(network.optimizer.variables)
    }
    files.write_arrays(run.path / "next.npz", weights | optimizer)
    with averaged(network):
        val_loss = validate(network, split.test, plan.batch_size)
        if not (log["val_loss"] <= val_loss).any():
            weights = runs.get_weights(network) | {"epoch": np.array(epoch + 1)}
            files.write_arrays(run.path / "best.npz", weights)
        snapshots.write(run, epoch + 1, network, split.test)
    row = {
        "epoch": epoch + 1,
        "loss": loss,
        "val_loss": val_loss,
        "images_per_second": len(split.train) / seconds,
        "seconds": time.perf_counter() - begin,
    }
    log = pd.DataFrame([*log.to_dict("records"), row])
    history.write(run.path, log)
    _commit_state(run)

    left = log["seconds"].mean() * (plan.epochs - epoch - 1)
    progress.keep(
        f"Epoch {epoch + 1:{len(str(plan.epochs))}}/{plan.epochs}  loss {loss:.4f}  "
        f"val_loss {val_loss:.4f}  {row['images_per_second']:.1f} img/s  "
        f"{row['seconds']:.0f} s, {_duration(left)} left"
    )


def prepare(network: keras.Model, recipe: Recipe) -> None:
    """Make the optimizer's variables, those of the average of the weights among them."""
    optimizer = network.optimizer
    optimizer.use_ema, optimizer.ema_momentum = bool(recipe.average), recipe.average
    optimizer.build(network.trainable_variables)


@contextmanager
def averaged(network: keras.Model) -> Iterator[None]:
    """Put the running average of the weights in their place for a while, where there is one."""
    if not network.optimizer.use_ema:
        yield
        return
    trained = [keras.ops.convert_to_numpy(weight) for weight in network.trainable_variables]
    network.optimizer.finalize_variable_values(network.trainable_variables)
    try:
        yield
    finally:
        for weight, value in zip(network.trainable_variables, trained, strict=True):
            weight.assign(value)


def begin(
    network: keras.Model,
    config: model.Config | Recognizer,
    pairs: Pairs,
    first: dict[str, np.ndarray] | None,
) -> None:
    """Let a new network begin with the weights that it is given, or at the mean front."""
    if first is not None:
        runs.set_weights(network, first)
    elif isinstance(config, model.Config) and config.mean_face:
        fronts = np.unique(pairs.target, return_index=True)[1]  # each counts once
        model.start_at(network, pairs.batch(fronts)[1].mean(axis=0))


def validate(network: keras.Model, test: Pairs, batch_size: int) -> float:
    """Mean loss over all test pairs."""
    total = 0.0
    for start in range(0, len(test), batch_size):
        inputs, targets = test.batch(slice(start, start + batch_size))
        total += float(network.test_on_batch(inputs, targets)) * len(inputs)
    return total / len(test)


def _seed_dropout(network: keras.Model, seed: int, epoch: int) -> None:
    """Put the random state of each dropout layer to where (seed, epoch) says."""
    layers = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.Dropout) and layer.rate  # without a rate it has no state
    ]
    states = np.random.SeedSequence([seed, epoch]).generate_state(2 * len(layers)) >> 1
    for layer, state in zip(layers, states.reshape(-1, 2), strict=True):
        layer.seed_generator.state.assign(state)


def _commit_state(run: Run) -> None:
    """Put the state that was written as ``next.npz`` in the place of the last one, which is kept."""
    last = run.path / "last.npz"
    if last.exists():
        files.move(last, run.path / "previous.npz")
    files.move(run.path / "next.npz", last)


def _restore(network: keras.Model, run: Run, logged: int) -> int:
    """Put the newest whole state of a run back into model and optimizer, and say of which epoch.

    It is not newer than the log, which has so many epochs: where the last log was lost,
    the last epoch is trained again, to the same weights.
    """
    newest = 0
    for name in ("last.npz", "previous.npz"):
        state = run.first_readable(name)
        newest = max(newest, int(state["epoch"]) if state else 0)
        if state and state["epoch"] <= logged:
            runs.set_weights(network, state)
            for number, variable in enumerate(network.optimizer.variables):
                variable.assign(state[f"optimizer/{number}"])
            return int(state["epoch"])
    if newest or logged:
        raise ValueError(
            f"No state in {run.path} goes with its log: the log has {logged} epochs, the weights "
            f"{newest or 'cannot be read'}. Put the files back, or delete the folder to train again"
        )
    return 0


def _digest(weights: dict[str, np.ndarray]) -> str:
    """SHA-256 of weights, by name and value."""
    found = hashlib.sha256()
    for name in sorted(weights):
        found.update(name.encode() + np.ascontiguousarray(weights[name]).tobytes())
    return found.hexdigest()


def _settings(split: Split, plan: Plan, precision: str) -> dict:
    """All that decides the weights beside config and recipe. Equal settings give equal runs."""
    settings = {
        **runs.split_record(split),
        "batch_size": plan.batch_size,
        "seed": plan.seed,
        "precision": precision,
        # A sum over devices is rounded otherwise. None for one, as in runs of before.
        "devices": sharing.devices() if sharing.devices() > 1 else None,
    }
    if plan.recipe.schedule != "constant":
        settings["epochs"] = plan.epochs
    return settings


def _refuse_other_settings(
    run: Run, config: model.Config | Recognizer, recipe: Recipe, settings: dict
) -> None:
    before = asdict(run.config) | asdict(run.recipe) | run.settings
    changed = [
        f"  {key}: {_difference(before.get(key), value)}"
        for key, value in (asdict(config) | asdict(recipe) | settings).items()
        if before.get(key) != value
    ]
    if changed:
        raise ValueError(
            f"Run {run.name} was trained with other settings:\n"
            + "\n".join(changed)
            + f"\nGive this one another name (the parameter run), or delete {run.path}"
        )


def _difference(before: object, now: object) -> str:
    """Say in one line how two values differ: of lists, what only one of them has."""
    if not isinstance(before, list) or not isinstance(now, list):
        return f"{before!r} before, {now!r} now"
    sides = (("before", before, now), ("now", now, before))
    only = [
        (when, [each for each in mine if each not in set(other)]) for when, mine, other in sides
    ]
    parts = [f"only {when} {checks.listed(names, 4)}" for when, names in only if names]
    return f"{len(before)} before, {len(now)} now; " + ("; ".join(parts) or "in another order")


def circumstances(config: model.Config | Recognizer, recipe: Recipe, settings: dict) -> dict:
    """What ``run.json`` says of the training."""
    found = device.find()
    backend = keras.backend.backend()
    packages = ("keras", backend, "numpy")
    return {
        "config": asdict(config),
        "recipe": asdict(recipe),
        "settings": settings,
        "device": {
            "kind": found.kind,
            "name": found.name,
            "count": found.count,
            "processes": sharing.processes(),
        },
        "backend": backend,
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in packages},
        },
    }


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
