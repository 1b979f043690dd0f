"""Run: a folder that holds one training, from its parameters to its pictures.

::

    runs/v8-orl/
        run.json        what was trained, on what, with what, and how far it is
        history.csv     one line an epoch
        last.npz        weights and optimizer after the last full epoch
        previous.npz    the same, one epoch earlier
        best.npz        weights of the epoch with the lowest validation loss
        snapshots/      predictions on a few held-out faces, a picture an epoch
        img/            the pictures of the chapters
        README.md       the model card
"""

import hashlib
import json
import re
import warnings
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import matplotlib.figure
import numpy as np
import pandas as pd

from speculo import files, model
from speculo.backend import keras
from speculo.pairs import Split

HISTORY = ("epoch", "loss", "val_loss", "images_per_second", "seconds")
"""Columns of ``history.csv``. Losses are of the run's loss function, seconds are of the
whole epoch, and images per second are of its training steps alone."""

RECORDED = files.PROJECT / "data" / "recorded"
"""The runs that came with the book."""

NO_RUN = (
    "There is no finished run {name!r} in {folder}. "
    "Run chapter 03 first, with the same parameters: make book, or open notebooks/03_training.ipynb"
)


@dataclass(frozen=True)
class Run:
    """One training on disk. Nothing is read before it is asked for.

    Attributes
    ----------
    path : Path
        Its folder. It need not exist yet.
    """

    path: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def record(self) -> dict:
        """What ``run.json`` says, or an empty dictionary where nothing was trained yet.

        Raises
        ------
        ValueError
            If ``run.json`` is damaged.
        """
        file = self.path / "run.json"
        if not file.is_file():
            return {}
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(
                f"{file} is damaged ({error}). Delete the folder {self.path} to train again"
            ) from error

    @property
    def config(self) -> model.Config:
        """The parameters that the run was trained with."""
        values = {
            key: tuple(v) if isinstance(v, list) else v for key, v in self.record["config"].items()
        }
        plain = set(values) == {field.name for field in fields(model.Config)}
        return (model.Config if plain else model.Mended)(**values)

    @property
    def history(self) -> pd.DataFrame:
        """The training log, with the columns of `HISTORY`: one row an epoch, none at first."""
        file = self.path / "history.csv"
        if not file.is_file():
            return pd.DataFrame(columns=list(HISTORY))
        # Python's float reads digits back exactly: a resumed log is the same file.
        return pd.read_csv(file, converters=dict.fromkeys(HISTORY[1:], float))

    @property
    def epochs(self) -> int:
        """Number of full epochs in the log."""
        return len(self.history)

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 1, with the lowest validation loss."""
        history = self.history
        return int(history["epoch"][history["val_loss"].idxmin()])

    @property
    def title(self) -> str:
        """What was trained, for the titles of figures: model, dataset, epochs."""
        dataset = self.record["settings"]["dataset"]
        return (
            f"{self.config.name} on {dataset}, {self.epochs} epoch{'' if self.epochs == 1 else 's'}"
        )

    @property
    def best_title(self) -> str:
        """The same for figures that the best weights made."""
        return f"{self.title}, weights of epoch {self.best_epoch}"

    def require(self, pairs: Split) -> None:
        """Make sure that a split is the one that the run was trained with.

        Raises
        ------
        ValueError
            If it is not: the run may have been trained on people whom the
            split calls unseen.
        """
        settings = self.record["settings"]
        changed = [key for key, value in pairs_record(pairs).items() if settings[key] != value]
        if changed:
            raise ValueError(
                f"Run {self.name} was trained on other pictures (different: {', '.join(changed)}). "
                f"Take the dataset ({settings['dataset']}), people, crop and seed "
                f"({settings['seed']}) that it was trained with, or train another run in chapter 03"
            )

    def write_record(self, record: dict) -> None:
        """Write ``run.json``."""
        files.write_text(self.path / "run.json", json.dumps(record, indent=2) + "\n")

    def write_history(self, history: pd.DataFrame) -> None:
        """Write ``history.csv``."""
        files.write_text(self.path / "history.csv", history.to_csv(index=False))

    def save_picture(self, figure: matplotlib.figure.Figure, name: str) -> Path:
        """Write a figure to ``img/<name>.png``, the place where the model card looks for it."""
        path = self.path / "img" / f"{name}.png"
        with files.replacing(path) as part:
            # no version of matplotlib in it: the same picture is the same file
            figure.savefig(part, format="png", metadata={"Software": None})
        return path

    def model(self) -> keras.Model:
        """Build the run's model in float32, with the weights of its best epoch.

        If that file is damaged, a warning names it and the last epoch's
        weights are used, or those of the epoch before.

        Raises
        ------
        FileNotFoundError
            If the run has no weights that can be read.
        ValueError
            If the run came with the book, and the weights are not those that
            its record gives the SHA-256 of.
        """
        for name, expected in self.record.get("sha256", {}).items():
            found = hashlib.sha256((self.path / name).read_bytes()).hexdigest()
            if found != expected:
                raise ValueError(
                    f"{self.path / name} has SHA-256 {found}, expected {expected}: "
                    "it is not the file that came with the book. Get it again (git checkout)"
                )
        arrays = self.first_readable("best.npz", "last.npz", "previous.npz")
        if arrays is None:
            raise FileNotFoundError(f"No weights can be read in {self.path}. Train the run again")
        network = model.build(self.config)
        set_weights(network, arrays)
        return network

    def first_readable(self, *names: str) -> dict[str, np.ndarray] | None:
        """Read the first of some files of arrays that is whole, with a warning for each that is not.

        Returns
        -------
        dict or None
            None where none of them can be read.
        """
        for name in names:
            try:
                return files.read_arrays(self.path / name)
            except FileNotFoundError:
                continue
            except ValueError as error:
                warnings.warn(f"{error}: the next good file is used instead", stacklevel=2)
        return None


def get_weights(network: keras.Model) -> dict[str, np.ndarray]:
    """Copy the weights of a model, by the names of their layers. Random states are left out."""
    return {f"weights/{w.path}": keras.ops.convert_to_numpy(w) for w in network.weights}


def set_weights(network: keras.Model, arrays: dict[str, np.ndarray]) -> None:
    """Put weights into a model of the same config.

    Raises
    ------
    ValueError
        If one is missing or has another shape.
    """
    for weight in network.weights:
        array = arrays.get(f"weights/{weight.path}")
        if array is None or array.shape != tuple(weight.shape):
            found = "nothing" if array is None else f"shape {array.shape}"
            raise ValueError(
                f"The weights of {weight.path} should have shape {tuple(weight.shape)}, "
                f"but the file holds {found}: it belongs to another model"
            )
        weight.assign(array)


def config_record(config: model.Config) -> dict:
    """Turn a config into what ``run.json`` holds."""
    return json.loads(json.dumps(asdict(config)))


def pairs_record(pairs: Split) -> dict:
    """Turn a split into what ``run.json`` holds of it: people, and a digest of every picture."""
    digest = hashlib.blake2b(digest_size=16)
    for side in pairs:
        for index in (side.input, side.target):
            digest.update(np.ascontiguousarray(side.faces.images[index]).data)
    return {
        "dataset": pairs.train.faces.name,
        "train_people": list(pairs.train.people),
        "test_people": list(pairs.test.people),
        "pictures": digest.hexdigest(),
    }


def default_name(config: model.Config, dataset: str) -> str:
    """Name a run after its model and its dataset: ``v8-orl``."""
    words = f"{config.name.removeprefix('Speculo-')}-{dataset}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", words).strip("-.")


def at(name: str) -> Run:
    """The run of that name, whether or not it was trained yet.

    Raises
    ------
    ValueError
        If the name is not one folder's name: letters, digits, ``.``, ``_`` and ``-``.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise ValueError(
            f"run is {name!r}, expected a name of letters, digits, '.', '_' and '-' "
            "that does not begin with '.' or '-'"
        )
    return Run(files.home() / "runs" / name)


def open(name: str) -> Run:
    """Open a run that has at least one full epoch.

    Raises
    ------
    FileNotFoundError
        If there is none of that name: the message says which chapter makes it.
    """
    run = at(name)
    for folder in (run.path, run.path / "img", run.path / "snapshots"):
        files.sweep(folder)
    if not run.epochs:
        raise FileNotFoundError(NO_RUN.format(name=name, folder=run.path.parent))
    return run


def recorded(name: str) -> Run:
    """A run that came with the book: results of a training too long for its chapters.

    Raises
    ------
    FileNotFoundError
        If there is none of that name: the message lists them.
    """
    run = Run(RECORDED / at(name).name)
    if not run.record:
        known = ", ".join(sorted(path.parent.name for path in RECORDED.glob("*/run.json")))
        raise FileNotFoundError(f"There is no run {name!r} in {RECORDED}, only: {known or 'none'}")
    return run


def finished() -> list[Run]:
    """Every run that has weights to draw with: the reader's own first, then those of the book.

    Of two runs with one name, only the reader's own is listed.
    """
    own = files.home() / "runs"
    found = {}
    for folder in (own, RECORDED):
        for path in sorted(folder.glob("*/best.npz")):
            if (path.parent / "run.json").is_file():
                found.setdefault(path.parent.name, Run(path.parent))
    return list(found.values())
