"""Trainings too long for a chapter: their results come with the book, in ``data/recorded``.

``python -m speculo.recording heads --architecture v8-4th`` trains on 2,000 drawn
people and keeps log, pictures and model card, without the weights.
``pretrained`` trains the mended model that chapter 07 goes on with, and keeps its
weights too. ``fingerprint`` teaches the model of chapter 08 to tell people apart, and
then lets it draw. People 21 to 40 of ORL are not among those that it learns from.

A training that was stopped goes on where it was; one that is finished is kept anew.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

import speculo
from speculo import (
    ablation,
    augmentation,
    benchmark,
    card,
    checks,
    device,
    evaluation,
    faces,
    files,
    fingerprints,
    history,
    model,
    pairs,
    plots,
    recognizer_training,
    runs,
    training,
)
from speculo.pairs import Pairs, Split
from speculo.recognizer import Recognizer
from speculo.runs import Run

PRETRAINED = "v8-mended-8th-heads"
"""The run whose weights a training on few people begins with."""
PRETRAINED_ARCHITECTURE = "v8-mended-8th"
PRETRAINED_HEADS = 2000
"""How many drawn people it is trained on."""

PHOTOS = 8
"""Of each of the heads that the fingerprint model draws."""
SETTLERS = 200
"""Drawn people whom it was not taught on, to settle it by."""
HELD_OUT = 0.02
"""Share of the heads that choose the epoch of the fingerprint model's drawings."""


STEPS = {"heads": (8, 64), "pretrained": (9, 32), "fingerprint": (20, 128)}
"""Epochs in all, and pairs in a step, of each training where nobody says."""

EVERYTHING = (
    "speculo.recording heads --architecture v8-4th",
    "speculo.recording heads --architecture v8-mended-4th",
    "speculo.recording pretrained",
    "speculo.recording fingerprint",
    "speculo.benchmark --run v8-4th-heads-medium --run v8-mended-4th-heads-medium "
    "--run fingerprint --out data/recorded/benchmark/benchmark.csv",
    "speculo.ablation --seeds 2",
    "speculo.ablation --final --seeds 3",
)
"""The commands that make all of ``data/recorded``, in their order."""


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


def fingerprint(*, heads: int, epochs: int, batch_size: int) -> Run:
    """Teach the fingerprint model to tell people apart, let it draw, and keep it with its weights.

    The heads that it draws are those that it was taught on, and some that are held out.
    """
    config, taught = Recognizer(), Run(files.home() / "build" / f"{fingerprints.SHIPPED}-taught")
    network = model.build(config, precision=device.precision(), seed=recognizer_training.SEED)
    drawn = recognizer_training.drawn_people(heads)
    lesson = recognizer_training.LESSON
    log = recognizer_training.teach(network, lesson, drawn, taught.path / "state.npz")
    real = faces.select(speculo.load("orl"), recognizer_training.REAL)
    others = speculo.load("heads-medium", people=SETTLERS, seed=recognizer_training.SEED + 1)
    recognizer_training.settle(network, real, others)
    taught.write_record({"config": asdict(config)})
    files.write_arrays(taught.path / "best.npz", runs.get_weights(network))

    photos = speculo.load(
        "heads-medium", people=heads, photos=PHOTOS, seed=recognizer_training.SEED
    )
    split = pairs.split(photos, test=HELD_OUT)
    run = runs.at(fingerprints.SHIPPED)
    training.train(
        config,
        split,
        run,
        recipe=augmentation.ANY_PHOTO,
        epochs=epochs,
        batch_size=batch_size,
        start=taught,
    )
    notes = [
        "made by `python -m speculo.recording fingerprint`",
        f"before it drew, it learned to tell {len(drawn.names):,} drawn people apart, and was settled "
        f"by {len(real.names)} of ORL: `teaching.csv` is the log of the teaching",
        f"its heads are drawn with seed {recognizer_training.SEED}; those of the benchmark with seed 0",
    ]
    run.write_record(run.record | {"settled": {real.name: list(real.names)}})
    kept = keep(run, split, split.test.turned, notes)
    files.write_text(kept.path / "teaching.csv", log.round(4).to_csv(index=False))
    return keep_weights(run, kept)


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
    parser.add_argument("what", nargs="?", choices=STEPS, help="everything, where nothing is named")
    parser.add_argument("--architecture", default="v8-mended-4th", help="for heads")
    parser.add_argument("--people", type=int, help="drawn people; fewer for a trial")
    epochs, batch_size = (
        ", ".join(f"{what}: {steps[place]}" for what, steps in STEPS.items()) for place in (0, 1)
    )
    parser.add_argument("--epochs", type=int, help=f"in all (default: {epochs})")
    parser.add_argument("--batch-size", type=int, help=f"pairs in a step (default: {batch_size})")
    options = parser.parse_args()
    if options.people is not None:
        checks.whole_number("--people", options.people, 2)
    if options.what is None:
        for command in EVERYTHING:
            print(f"python -m {command}", flush=True)
            subprocess.run([sys.executable, "-m", *command.split()], check=True)
        return
    steps = STEPS[options.what]
    same = {"epochs": options.epochs or steps[0], "batch_size": options.batch_size or steps[1]}
    if options.what == "fingerprint":
        kept = fingerprint(heads=options.people or recognizer_training.PEOPLE, **same)
    elif options.what == "pretrained":
        kept = pretrained(heads=options.people or PRETRAINED_HEADS, **same)
    else:
        kept = heads(options.architecture, heads=options.people or benchmark.PEOPLE, **same)
    print(f"Kept in {files.shown(kept.path)}")


if __name__ == "__main__":
    main()
