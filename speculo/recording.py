"""Trainings too long for a chapter: their results come with the book, in ``data/recorded``.

``python -m speculo.recording heads --architecture v8-4th`` trains on 2,000 drawn
people and keeps log, pictures and model card, without the weights.
``python -m speculo.recording pretrained`` trains, on other drawn people, the network
that chapter 07 begins with, and keeps its weights too.
``python -m speculo.recording small`` trains the small model whose weights come
with the book, on heads and on people of ORL. People 33 to 40 of ORL are not among
its people: not to train on, and not to choose an epoch by.

A training that was stopped goes on where it was; one that is finished is kept anew.
"""

import argparse
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

import speculo
from speculo import (
    ablation,
    augmentation,
    benchmark,
    card,
    checks,
    evaluation,
    faces,
    files,
    history,
    model,
    pairs,
    plots,
    runs,
    training,
)
from speculo.pairs import Pairs, Split
from speculo.runs import Run

SMALL = "mended-small"
HELD_OUT = 0.1
"""Share of the heads that choose the epoch of the small model."""
TIMES = 10
"""How often an epoch meets each photo of ORL: these people are few among the heads."""
HEADS = 1000
"""How many drawn people the small model is trained on."""

PRETRAINED = "v8-mended-8th-heads"
"""The run whose weights a training on few people begins with."""
PRETRAINED_ARCHITECTURE = "v8-mended-8th"
PRETRAINED_HEADS = 2000
"""How many drawn people it is trained on."""

CONFIG = replace(model.narrowed(model.V8_MENDED, 4), name=f"Speculo-{SMALL}", latent_size=512)
"""The mended model at a fourth of the card's channels, with latents that keep its weights below
5 MB."""

RECIPE = replace(augmentation.MENDED, shift=1.0, turn=3.0, zoom=0.03, light=0.1)
"""A reader's photos do not stand exactly in their place."""


def people(heads: int = HEADS) -> Split:
    """Heads and people of ORL to train on, other heads to choose the epoch by."""
    orl = faces.select(speculo.load("orl"), ablation.CHOICE)
    drawn = speculo.load("heads-medium", people=heads)
    test = drawn.names[-round(HELD_OUT * heads) :]
    train, test = pairs.split_by_names(faces.join(orl, drawn), test)
    real = train.person < len(orl.names)
    index = np.concatenate([np.flatnonzero(~real), np.repeat(np.flatnonzero(real), TIMES)])
    return Split(train.take(index), test)


def keep(run: Run, split: Split, asked: Pairs, notes: Sequence[str]) -> Run:
    """Copy a finished run to those that come with the book, and draw its pictures there.

    Parameters
    ----------
    run : Run
    split : Split
        What it was trained on.
    asked : Pairs
        Whose fronts it draws.
    notes : sequence of str
        For its model card.

    Returns
    -------
    Run
        The copy, without weights.
    """
    kept = Run(runs.RECORDED / run.name)
    if kept.path.exists():
        shutil.rmtree(kept.path)
    history.write(kept.path, run.history)
    kept.write_record(run.record)
    shutil.copytree(run.path / "snapshots", kept.path / "snapshots")
    network = run.model()
    outputs = evaluation.predict(network, asked)
    levels = evaluation.table(evaluation.baselines(split), split.test)["MSE"]
    kept.save_picture(plots.dataset(split), "dataset")
    kept.save_picture(plots.model_graph(network), "model")
    kept.save_picture(plots.loss(run.history, dict(levels), title=run.title), "loss")
    drawings = plots.drawings(asked, {"prediction": outputs}, 20, title=run.best_title)
    kept.save_picture(drawings, "predictions")
    error = evaluation.squared_error(outputs, asked).mean()
    card.write(kept, [f"MSE {error:.4f} on the faces of the last picture", *notes], network)
    return kept


def heads(architecture: str, *, heads: int, epochs: int, batch_size: int) -> Run:
    """Train on drawn heads by the rules of the benchmark, and keep the results."""
    config = model.named(architecture)
    split = benchmark.whole("medium", heads)
    run = runs.at(runs.default_name(config, split.train.faces.name))
    recipe = augmentation.named(architecture)
    training.train(config, split, run, recipe=recipe, epochs=epochs, batch_size=batch_size)
    command = f"python -m speculo.recording heads --architecture {architecture}"
    return keep(run, split, split.test.turned, [f"made by `{command}`"])


def small(*, heads: int, epochs: int, batch_size: int) -> Run:
    """Train the small model, and keep it with its best weights as float16.

    Halves are exact enough: the tests have the measure.
    """
    split = people(heads)
    run = runs.at(SMALL)
    training.train(CONFIG, split, run, recipe=RECIPE, epochs=epochs, batch_size=batch_size)
    (last,) = ablation.last_test().values()
    notes = [
        "made by `python -m speculo.recording small`",
        f"the last picture shows people {ablation.LAST[0]} to {ablation.LAST[-1]} of ORL, who are "
        "not in the training",
        "the test loss of the log is that of heads that were held out",
    ]
    kept = keep(run, split, last.test, notes)
    return keep_weights(run, kept)


def pretrained(*, heads: int, epochs: int, batch_size: int) -> Run:
    """Train the mended model on drawn heads, to begin from: kept with its best weights as float16.

    These heads are none of the benchmark's: they are of another seed.
    """
    config = model.named(PRETRAINED_ARCHITECTURE)
    split = ablation.on_heads(heads)
    run = runs.at(PRETRAINED)
    training.train(
        config, split, run, recipe=augmentation.HEADS, epochs=epochs, batch_size=batch_size
    )
    notes = [
        "made by `python -m speculo.recording pretrained`",
        f"its heads are drawn with seed {ablation.HEADS_SEED}; those of the benchmark with seed 0",
    ]
    return keep_weights(run, keep(run, split, split.test.turned, notes))


def keep_weights(run: Run, kept: Run) -> Run:
    """Put the best weights of a run beside what is kept of it, as float16, with their SHA-256."""
    arrays = files.read_arrays(run.path / "best.npz")
    halves = {
        name: array.astype(np.float16) if array.dtype == np.float32 else array
        for name, array in arrays.items()
    }
    files.write_arrays(kept.path / "best.npz", halves)
    digest = hashlib.sha256((kept.path / "best.npz").read_bytes()).hexdigest()
    kept.write_record(kept.record | {"sha256": {"best.npz": digest}})
    return kept


def main() -> None:
    """Read the command line, train, and keep."""
    parser = argparse.ArgumentParser(
        description="Trainings too long for a chapter.", prog="python -m speculo.recording"
    )
    parser.add_argument("what", choices=("heads", "small", "pretrained"))
    parser.add_argument("--architecture", default="v8-mended-4th", help="for heads")
    parser.add_argument("--people", type=int, help="drawn people; fewer for a trial")
    parser.add_argument("--epochs", type=int, help="in all (default: 8; pretrained: 9)")
    parser.add_argument(
        "--batch-size", type=int, help="pairs in a step (default: 64; pretrained: 32)"
    )
    options = parser.parse_args()
    if options.people is not None:
        checks.whole_number("--people", options.people, 2)
    epochs, batch_size = (9, 32) if options.what == "pretrained" else (8, 64)
    same = {"epochs": options.epochs or epochs, "batch_size": options.batch_size or batch_size}
    if options.what == "small":
        kept = small(heads=options.people or HEADS, **same)
    elif options.what == "pretrained":
        kept = pretrained(heads=options.people or PRETRAINED_HEADS, **same)
    else:
        kept = heads(options.architecture, heads=options.people or benchmark.PEOPLE, **same)
    print(f"Kept in {files.shown(kept.path)}")


if __name__ == "__main__":
    main()
