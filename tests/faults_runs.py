"""Kinds of faults of runs: damaged files, kills of a training, and two trainings of one run."""

import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from faults import NAMED, RAW, RIGHT, SILENT, Kind, damaged, judge, killed

from speculo import files

TRAIN = """
from dataclasses import replace
import speculo
from speculo import augmentation, model, pairs, runs, training
config = replace(model.V8, name="Speculo-tiny", filters=(8, 8), latent_size=16)
split = pairs.split(speculo.load("orl", people=3))
recipe = replace(augmentation.PUBLISHED, mirror=True, average=0.9)
def train(epochs):
    return training.train(
        config, split, runs.at("a"),
        recipe=recipe, epochs=epochs, batch_size=10, precision="float32",
    )
"""
"""What trains a small run, here and in a process of its own."""


def _train(epochs: int) -> tuple[dict[str, np.ndarray], list]:
    """Train on, and return the state and the losses."""
    run = _trainer()(epochs)
    losses = run.history[["epoch", "loss", "val_loss"]].to_numpy().tolist()
    return files.read_arrays(run.path / "last.npz"), losses


@cache
def _trainer() -> Callable:
    names: dict = {}
    exec(TRAIN, names)
    return names["train"]


@cache
def _finished_run() -> tuple[dict[str, bytes], dict[str, np.ndarray], list]:
    """The files of a run of three epochs, and what four epochs come to."""
    _train(3)
    folder = files.home() / "runs" / "a"
    content = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
    return content, *_train(4)


def _same_training(one: tuple, other: tuple) -> bool:
    (state, losses), (expected, expected_losses) = one, other
    return (
        losses == expected_losses
        and state.keys() == expected.keys()
        and all(np.array_equal(state[name], expected[name]) for name in state)
    )


def damaged_run(rng: np.random.Generator, folder: Path) -> str:
    """A file of a run is damaged, and the training goes on."""
    content, *expected = _finished_run()
    run = files.home() / "runs" / "a"
    shutil.rmtree(run, ignore_errors=True)
    for name, data in content.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(data)
    broken = run / rng.choice([name for name in content if name.count(".") and "npz" not in name])
    if rng.random() < 0.3:
        broken = run / rng.choice(["last.npz", "previous.npz", "best.npz"])
    broken.write_bytes(damaged(broken.read_bytes(), rng))

    def work() -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _same_training(_train(4), tuple(expected))

    return judge(work, "runs/a")


def killed_training(rng: np.random.Generator, folder: Path) -> str:
    """The process that trains is killed."""
    _, *expected = _finished_run()
    shutil.rmtree(files.home() / "runs" / "a", ignore_errors=True)
    script = f"{TRAIN}\nprint('begin', flush=True)\ntrain(4)"
    with killed(script, rng.uniform(0, 2)):
        return judge(lambda: _same_training(_train(4), tuple(expected)))


def two_trainings(rng: np.random.Generator, folder: Path) -> str:
    """Another process trains the same run: one of the two does it, and the other says so."""
    _, *expected = _finished_run()
    shutil.rmtree(files.home() / "runs" / "a", ignore_errors=True)
    script = f"{TRAIN}\nprint('begin', flush=True)\ntrain(4)"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    time.sleep(rng.uniform(0, 2))
    said = ""
    try:
        _train(4)
    except RuntimeError as error:
        said = str(error)
    said += process.communicate()[1]
    named = "is already being trained by process" in said
    if process.returncode and not named:
        return f"{RAW}: {said[-300:]}"
    right = _same_training(_train(4), tuple(expected))
    return (NAMED if named else RIGHT) if right else SILENT


KINDS = {
    "a run's file, damaged": Kind(damaged_run, 200, 180),
    "killed while training": Kind(killed_training, 40, 180),
    "one run trained by two": Kind(two_trainings, 20, 180),
}
"""Each kind by its name."""
