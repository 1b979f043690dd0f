"""Run: a folder that holds one training, from its parameters to its pictures.

::

    runs/v8-orl/
        run.json        what was trained, on what, with what, and how far it is
        history.csv     one line an epoch; history.previous.csv is the same, one epoch earlier
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
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from speculo import checks, files, history, model, pairs
from speculo.augmentation import Recipe
from speculo.backend import keras
from speculo.faces import FaceSet
from speculo.pairs import Split
from speculo.recognizer import Recognizer

SETTINGS = {
    "dataset": str,
    "train_people": list,
    "test_people": list,
    "pictures": str,
    "batch_size": int,
    "seed": int,
    "precision": str,
}
"""What ``run.json`` says of the pairs and the steps. Equal settings give equal runs."""

CIRCUMSTANCES = {"device": {"kind": str, "name": str, "count": int}, "versions": {}}
"""What it says of the machine and the packages."""

LONGEST = 100
"""Characters in the name of a run, at most: no system's folders take many more than twice that."""

RECORDED = files.PROJECT / "data" / "recorded"
"""The runs that came with the book."""


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
            record = json.loads(file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise self._damaged(error) from error
        if not isinstance(record, dict):
            raise self._damaged(f"it holds {type(record).__name__}, expected fields")
        if record.pop("crc32", seal := _seal(record)) != seal:  # older records have none
            raise self._damaged("its checksum is of other fields")
        return record

    def part(self, name: str, expected: dict[str, type]) -> dict:
        """One part of the record, with the fields that it should have, by the type of their values.

        There may be more fields. A ValueError says if the part or one of the fields is missing or
        of another type.
        """
        found = self.record.get(name)
        if not isinstance(found, dict):
            raise self._damaged(f"no {name}")
        for field, kind in expected.items():
            value = found.get(field)
            texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
            if not (texts if kind is list else isinstance(value, kind)):
                raise self._damaged(f"{field} in {name} is {value!r}, expected {kind.__name__}")
        return found

    @property
    def settings(self) -> dict:
        """The `SETTINGS` that the run was trained with."""
        return self.part("settings", SETTINGS)

    @property
    def config(self) -> model.Config | Recognizer:
        """The parameters of the network that was trained."""
        return self._read(Recognizer if "blocks" in self.part("config", {}) else model.Config)

    @property
    def recipe(self) -> Recipe:
        """How it was trained."""
        return self._read(Recipe)

    def _read(self, kind: type) -> Any:
        """A config or a recipe out of ``run.json``; a field that it does not have is v8's."""
        recipe = self.part("recipe", {}) if "recipe" in self.record else {}  # older: in the config
        known = self.part("config", {}) | recipe
        if known.get("line"):  # a linear map that earlier versions of the book had
            raise ValueError(f"{self.path} has a line beside its network. Delete the folder")
        values = {field.name: known[field.name] for field in fields(kind) if field.name in known}
        try:
            return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        except (TypeError, ValueError) as error:
            raise self._damaged(error) from error

    def _damaged(self, what: object) -> ValueError:
        return ValueError(
            f"{self.path / 'run.json'} is damaged ({what}). Delete the folder {self.path} to train again"
        )

    @property
    def history(self) -> pd.DataFrame:
        """The training log: one row an epoch, none at first. See `history.read`."""
        return history.read(self.path)

    @property
    def epochs(self) -> int:
        """Number of full epochs in the log."""
        return len(self.history)

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 1, with the lowest validation loss."""
        log = self.history
        if log.empty:
            raise ValueError(f"{self.path} has no epoch in its log")
        return int(log["epoch"][log["val_loss"].idxmin()])

    @property
    def title(self) -> str:
        """What was trained, for the titles of figures: model, dataset, epochs."""
        epochs = f"{self.epochs} epoch{'' if self.epochs == 1 else 's'}"
        return f"{self.config.name} on {self.settings['dataset']}, {epochs}"

    @property
    def best_title(self) -> str:
        """The same for figures that the best weights made."""
        return f"{self.title}, weights of epoch {self.best_epoch}"

    def require(self, split: Split) -> None:
        """Make sure that a split is the one that the run was trained with.

        Raises
        ------
        ValueError
            If it is not: the run may have been trained on people whom the
            split calls unseen.
        """
        if changed := self._changed(split):
            settings = self.settings
            raise ValueError(
                f"Run {self.name} was trained on other pictures (different: {', '.join(changed)}). "
                f"Take the dataset ({settings['dataset']}), people, crop and seed "
                f"({settings['seed']}) that it was trained with, or train another run in chapter 03"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training the run. The lock ends with this process.

        Raises
        ------
        RuntimeError
            If another process is training it: the message has its number.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            number = self.record.get("process", "of another user")
            raise RuntimeError(
                f"Run {self.name} is already being trained by process {number}. Wait until it is "
                "done, stop it, or give this training another name (the parameter run)"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def matches(self, split: Split) -> bool:
        """Whether a split is the one that the run was trained with."""
        return not self._changed(split)

    def _changed(self, split: Split) -> list[str]:
        now = self.settings
        return [key for key, value in split_record(split).items() if now[key] != value]

    def trained_on(self, dataset: str) -> frozenset[str]:
        """Names of the people it was trained on, if a dataset is its own or one of those joined.

        Those of another dataset that its fingerprint was settled by (``"settled"``) are among them.
        """
        settings = self.settings
        datasets = (settings["dataset"], *settings["dataset"].split("+"))  # as `faces.join` joins
        known = settings["train_people"] if dataset in datasets else ()
        return frozenset([*known, *self.record.get("settled", {}).get(dataset, ())])

    def unseen(self, faces: FaceSet, *, seed: int = 0) -> Split:
        """Split a dataset so that the run was trained on none of its test people.

        Where it knows all of its people, or none, that is ``pairs.split`` with the seed.
        """
        if known := self.trained_on(faces.name):
            alone = known.union(pairs.gallery_only(faces))
            with suppress(ValueError):  # nobody is left on one of the sides
                return pairs.split_by_names(faces, [n for n in faces.names if n not in alone])
        return pairs.split(faces, seed=seed)

    def write_record(self, record: dict) -> None:
        """Write ``run.json``."""
        record = record | {"crc32": _seal(record)}
        files.write_text(self.path / "run.json", json.dumps(record, indent=2) + "\n")

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
            file = self.path / Path(name).name  # inside the folder, whatever the record says
            found = hashlib.sha256(file.read_bytes() if file.is_file() else b"").hexdigest()
            if found != expected:
                raise ValueError(
                    f"{file} has SHA-256 {found}, expected {expected}: "
                    "it is not the file that came with the book. Get it again (git checkout)"
                )
        arrays = self.first_readable("best.npz", "last.npz", "previous.npz")
        if arrays is None:
            raise FileNotFoundError(f"No weights can be read in {self.path}. Train the run again")
        network = model.build(self.config)
        set_weights(network, arrays)
        return network

    def first_readable(self, *names: str) -> dict[str, np.ndarray] | None:
        """Read the first of some files of arrays that is whole: None where none is.

        A warning names each that is damaged.
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


def _seal(record: dict) -> str:
    """Checksum of a record, which tells whether it is as it was written."""
    fields = {name: value for name, value in record.items() if name != "crc32"}
    return f"{zlib.crc32(json.dumps(fields, sort_keys=True).encode()):08x}"


def split_record(split: Split) -> dict:
    """Turn a split into what ``run.json`` holds of it: people, and a digest of every picture."""
    digest = hashlib.blake2b(digest_size=16)
    for side in split:
        for index in (side.input, side.target):
            digest.update(np.ascontiguousarray(side.faces.images[index]).data)
    return {
        "dataset": split.train.faces.name,
        "train_people": list(split.train.people),
        "test_people": list(split.test.people),
        "pictures": digest.hexdigest(),
    }


def default_name(
    config: model.Config,
    dataset: str,
    *,
    people: int | None = None,
    crop: str | None = None,
    seed: int = 0,
) -> str:
    """Name a run after its model, its dataset, and what else decides its pairs: ``v8-orl``.

    What is as by default is left out, so that no two trainings of the chapters
    have one name: ``v8-orl-20-people-seed-1``.
    """
    words = [config.name.removeprefix("Speculo-"), dataset]
    words += [f"{people}-people"] * (people is not None) + [f"crop-{crop}"] * (crop is not None)
    words += [f"seed-{seed}"] * (seed != 0)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(words)).strip("-.")
    if len(name) > LONGEST:
        digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
        name = f"{name[: LONGEST - 9]}-{digest}"
    return name


def at(name: str) -> Run:
    """The run of that name, whether or not it was trained yet.

    Raises
    ------
    ValueError
        If the name is not one folder's name: letters, digits, ``.``, ``_`` and
        ``-``, at most `LONGEST` of them.
    """
    if not isinstance(name, str):  # a number has lost what was typed: 2024_05 is 202405
        wanted = "a name. Papermill takes 007 and 2024_05 for numbers: -r run 2024_05 is a name"
        raise checks.wrong("run", name, wanted)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) or len(name) > LONGEST:
        raise checks.wrong(
            "run",
            name,
            "a name of letters, digits, '.', '_' and '-' that does not begin with '.' or '-', "
            f"of {LONGEST} characters at most",
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
        raise FileNotFoundError(
            f"There is no finished run {name!r} in {run.path.parent}. Run chapter 03 first, with the "
            "same parameters: make book, or open notebooks/03_training.ipynb"
        )
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

    Of two runs with one name, only the reader's own is listed. A run whose record or log
    cannot be read is left out, and a warning says so.
    """
    own = files.home() / "runs"
    found = {}
    for folder in (own, RECORDED):
        for path in sorted(folder.glob("*/best.npz")):
            run = Run(path.parent)
            if (run.path / "run.json").is_file() and run.name not in found and _is_whole(run):
                found[run.name] = run
    return list(found.values())


def _is_whole(run: Run) -> bool:
    try:
        return bool(at(run.name) and run.best_title)
    except ValueError as error:
        warnings.warn(f"{error}. {run.path} is left out", stacklevel=3)
        return False
