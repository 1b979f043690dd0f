"""Which change to v8 helps: one added after the other, and all but one.

``python -m speculo.ablation`` trains every variant and writes what chapter 07
shows into ``data/recorded/mending``. Choices are made by cross-validation over
people 1 to 32 of ORL; people 33 to 40 are for ``--final`` alone. A trial that
stands in the table already is not done again.
"""

import argparse
import contextlib
import hashlib
import io
import tempfile
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import speculo
from speculo import (
    augmentation,
    checks,
    cluster,
    evaluation,
    faces,
    files,
    model,
    pairs,
    runs,
    training,
    trials,
)
from speculo.augmentation import Recipe
from speculo.model import Config
from speculo.pairs import Split


class Variant(NamedTuple):
    """A network, how it is trained, and on how many drawn people before that."""

    config: Config
    recipe: Recipe
    heads: int = 0

    def values(self) -> dict:
        """Every field of the first two, and ``heads``, by its name."""
        return asdict(self.config) | asdict(self.recipe) | {"heads": self.heads}

    def replaced(self, values: dict) -> "Variant":
        """The same with other values of some fields."""

        def of(part: Config | Recipe) -> dict:
            return {name: value for name, value in values.items() if hasattr(part, name)}

        return Variant(
            replace(self.config, **of(self.config)),
            replace(self.recipe, **of(self.recipe)),
            values.get("heads", self.heads),
        )


AS_PUBLISHED = Variant(model.V8, augmentation.PUBLISHED)
MENDED = Variant(model.V8_MENDED, augmentation.FEW, heads=200)

HEADS_SEED = 1
"""Of the drawn people to begin from. Those of the benchmark are of seed 0."""
HEADS_EPOCHS = 8
"""Of the training on them in a trial."""
HEADS_BATCH = 32
BATCH = 16
"""Pairs in a step of a trial."""

CHANGES = {
    "batch norm that follows sooner": ("momentum",),
    "no ReLU at the end": ("output_relu",),
    "starts at the mean face": ("mean_face",),
    "no dropout": ("dropout", "latent_dropout"),
    "latent behind 8 x 8 pixels": ("halvings",),
    "rate falls to zero": ("schedule",),
    "pairs mirrored and moved": ("mirror", "shift", "turn", "zoom"),
    "pairs lit otherwise": ("light",),
    "target is the mean of three": ("fronts",),
    "begins from drawn heads": ("heads",),
}
"""Name of each change, and its fields of a `Variant`, in the order in which they are added."""

PUBLISHED = "v8 as published"
ALL = ("added", list(CHANGES)[-1])
"""The variant that has all changes."""
COLUMNS = ["kind", "change", "divisor", "epochs", "held out", "seed", "MSE", "train loss"]
CHOICE = tuple(f"s{number}" for number in range(1, 33))
"""People of ORL to choose on."""
LAST = tuple(f"s{number}" for number in range(33, 41))
"""People of ORL to look at once, at the end."""


def variants() -> dict[tuple[str, str], Variant]:
    """Every variant by (kind, change).

    The kinds are ``"none"`` (v8 as published), ``"added"`` (v8 with this change
    and those before it; the last one is all of them), and ``"without"`` (all
    changes but this one).
    """
    so_far, before, after = AS_PUBLISHED, AS_PUBLISHED.values(), MENDED.values()
    found = {("none", PUBLISHED): so_far}
    for change, fields in CHANGES.items():
        so_far = so_far.replaced({field: after[field] for field in fields})
        found["added", change] = so_far
    for change, fields in CHANGES.items():
        found["without", change] = MENDED.replaced({field: before[field] for field in fields})
    return found


def changes() -> pd.DataFrame:
    """What each change changes: columns ``change``, ``field``, ``v8`` and ``mended``."""
    before, after = AS_PUBLISHED.values(), MENDED.values()
    rows = [
        (change, field, before[field], after[field])
        for change, fields in CHANGES.items()
        for field in fields
    ]
    return pd.DataFrame(rows, columns=["change", "field", "v8", "mended"])


def folds() -> dict[str, Split]:
    """Four folds over the people to choose on, by the people held out: ``"s1..s8"``."""
    chosen = faces.select(speculo.load("orl"), CHOICE)
    return {f"{each.test.people[0]}..{each.test.people[-1]}": each for each in pairs.folds(chosen)}


def last_test() -> dict[str, Split]:
    """The people to look at once, held out of all of ORL."""
    return {f"{LAST[0]}..{LAST[-1]}": pairs.split_by_names(speculo.load("orl"), LAST)}


def on_heads(people: int) -> Split:
    """Drawn people to begin from: all but a twentieth of them to learn from."""
    drawn = speculo.load("heads-medium", people=people, seed=HEADS_SEED)
    return pairs.split_by_names(drawn, drawn.names[-max(1, people // 20) :])


def begun(config: Config, people: int, folder: Path) -> runs.Run:
    """Train a network on drawn people, or open it where that was done before.

    Parameters
    ----------
    config : Config
    people : int
    folder : Path
        Where it is kept. A training that was stopped goes on where it was.
    """
    made_of = f"{asdict(config)} {people} {HEADS_EPOCHS}".encode()
    run = runs.Run(folder / f"{config.name}-{hashlib.blake2b(made_of, digest_size=6).hexdigest()}")
    return training.train(
        config,
        on_heads(people),
        run,
        recipe=augmentation.HEADS,
        epochs=HEADS_EPOCHS,
        batch_size=HEADS_BATCH,
        precision="float32",
    )


def first_weights(config: Config, people: int, folder: Path | None) -> dict[str, np.ndarray]:
    """Weights that `begun` has trained, kept in a folder or in none."""
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
        return runs.get_weights(begun(config, people, folder or Path(place)).model())


def trial(
    variant: Variant,
    split: Split,
    first: dict[str, np.ndarray] | None = None,
    *,
    epochs: int,
    seed: int,
) -> tuple[float, float]:
    """Train once in float32, and give the test loss and the train loss of the last epoch.

    It is the last epoch, not the best one: the test people choose nothing. All is done in
    memory, and ends as ``training.train`` does. `first` is what `begun` has trained, where the
    variant begins from drawn heads.
    """
    plan = training.Plan(variant.recipe, epochs, BATCH, seed)
    network, loss = trials.train(variant.config, split, plan, first)
    with training.averaged(network):
        return training.validate(network, split.test, BATCH), loss


def _timed(*trial_of: Any, epochs: int, seed: int) -> tuple[float, float, float]:
    """A trial, and the seconds that it took."""
    begin = time.perf_counter()
    return *trial(*trial_of, epochs=epochs, seed=seed), time.perf_counter() - begin


def record(
    path: Path,
    variants: dict[tuple[str, str], Variant],
    splits: dict[str, Split],
    *,
    divisor: int,
    epochs: int,
    seed: int,
    folder: Path | None = None,
) -> pd.DataFrame:
    """Add trials to a table in a file, those that it does not have.

    What is trained on drawn people first is kept in `folder`, for the next time. Trainings go to
    a cluster where there is one, see `cluster.each`; `folder` is then one of the workers'.

    Returns
    -------
    pandas.DataFrame
        The whole table, with `COLUMNS`.
    """
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=COLUMNS)
    done = set(table[COLUMNS[:6]].itertuples(index=False, name=None))
    todo = [
        (
            (kind, change, divisor, epochs, held_out, seed),
            variant._replace(config=model.narrowed(variant.config, divisor)),
            split,
        )
        for held_out, split in splits.items()  # the outer loop: folds become complete one by one
        for (kind, change), variant in variants.items()
    ]
    todo = [each for each in todo if each[0] not in done]
    starts = list(dict.fromkeys((each.config, each.heads) for _, each, _ in todo if each.heads))
    begun_on = [(*start, folder) for start in starts]
    first = dict(zip(starts, cluster.each(first_weights, begun_on, here="in turn"), strict=True))
    pieces = [
        (variant, split, first.get((variant.config, variant.heads))) for _, variant, split in todo
    ]
    found = cluster.each(partial(_timed, epochs=epochs, seed=seed), pieces, here="in turn")
    for (key, _, _), (mse, loss, seconds) in zip(todo, found, strict=True):
        row = dict(zip(COLUMNS, (*key, round(mse, 6), round(loss, 6)), strict=True))
        table = pd.DataFrame([*table.to_dict("records"), row])
        files.write_text(path, table.to_csv(index=False))
        kind, change, *_, held_out, _ = key
        print(
            f"{kind:8} {change:32} {held_out:9} seed {seed}  MSE {mse:.4f}  {seconds:.0f} s",
            flush=True,
        )
    return table


def record_baselines(path: Path) -> pd.DataFrame:
    """Write what predictors without a network reach on each fold: columns held out, predictor, MSE."""
    found = {
        name: evaluation.table(evaluation.baselines(split), split.test)["MSE"]
        for name, split in folds().items()
    }
    table = pd.concat(found, names=["held out", "predictor"]).round(6).reset_index()
    files.write_text(path, table.to_csv(index=False))
    return table


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean MSE of each change over people and seeds, with its spread over seeds.

    People and seeds that some variants lack are left out, so that all variants
    are compared on the same.

    Returns
    -------
    pandas.DataFrame
        Index (kind, change) in the order of the table; columns ``MSE``, ``±
        over seeds`` (the standard deviation of a seed's mean) and ``seeds``.
    """
    table = complete(table)
    of_seed = table.groupby(["kind", "change", "seed"], sort=False)["MSE"].mean()
    grouped = of_seed.groupby(["kind", "change"], sort=False)
    return pd.DataFrame(
        {"MSE": grouped.mean(), "± over seeds": grouped.std(), "seeds": grouped.size()}
    )


def complete(table: pd.DataFrame) -> pd.DataFrame:
    """Take the trials on people and seeds that every variant in the table has."""
    variants = len(table[["kind", "change"]].drop_duplicates())
    return table[table.groupby(["held out", "seed"])["MSE"].transform("size") == variants]


def main() -> None:
    """Read the command line, train, and write."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m speculo.ablation")
    parser.add_argument(
        "--out",
        type=Path,
        default=runs.RECORDED / "mending",
        help="a folder for the tables (default: data/recorded/mending); what it has is kept",
    )
    parser.add_argument("--divisor", type=int, default=16, help="of the channels: 1 is full width")
    parser.add_argument("--epochs", type=int, default=12, help="of each training (default: 12)")
    parser.add_argument("--seeds", type=int, default=1, help="how many (default: 1)")
    parser.add_argument(
        "--heads",
        type=Path,
        default=files.home() / "build" / "mending-heads",
        help="a folder for the networks that were trained on drawn people (default: %(default)s)",
    )
    parser.add_argument("--final", action="store_true", help="people 33 to 40: v8 and all changes")
    options = parser.parse_args()
    checks.whole_number("--seeds", options.seeds)
    found = variants()
    if options.final:
        found = {key: found[key] for key in (("none", PUBLISHED), ALL)}
    run = runs.Run(options.out)
    config = model.narrowed(MENDED.config, options.divisor)
    settings = {"dataset": "orl", "precision": "float32"}
    run.write_record(
        training.circumstances(config, MENDED.recipe, settings) | {"status": "finished"}
    )
    if not (options.out / "baselines.csv").is_file():
        record_baselines(options.out / "baselines.csv")
    for seed in range(options.seeds):
        record(
            options.out / ("final.csv" if options.final else "ablation.csv"),
            found,
            last_test() if options.final else folds(),
            divisor=options.divisor,
            epochs=options.epochs,
            seed=seed,
            folder=options.heads,
        )


if __name__ == "__main__":
    main()
