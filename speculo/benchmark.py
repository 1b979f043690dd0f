"""A benchmark of frontalisation: drawn heads, fixed people, errors by how far a head is turned.

``python -m speculo.benchmark`` prints the table for predictors without a
network; ``--run NAME`` adds trained runs. The rules:

- faces: ``heads-yaw``, ``heads-medium`` or ``heads-wild`` at 32 pixels, 2,000
  people of seed 0 with 10 photos each;
- training: all photos of the 1,600 people of ``pairs.split(faces, seed=0)``;
- test: the 400 others, every photo but the front itself;
- MSE: on pixels in 0..1, against the person's exact front;
- rank-1: the share of photos whose drawing is nearer (Euclidean) to the true
  front of its person than to those of all the other 399.
"""

import argparse
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.kernel_ridge import KernelRidge

import speculo
from speculo import checks, evaluation, files, fingerprints, pairs, runs
from speculo.pairs import Pairs, Split
from speculo.runs import Run
from speculo.sources.heads import LEVELS

PEOPLE = 2000
EDGES = (0, 15, 30, 45, 60, 90)
"""Of the bins of ``|yaw|``, in degrees."""

RESULTS = runs.RECORDED / "benchmark" / "benchmark.csv"
"""The table as it comes with the book."""

_GRID = [(gamma, alpha) for gamma in (0.003, 0.01, 0.03) for alpha in (0.03, 0.1, 0.3)]
_CHOOSERS = 300  # people of the training on whom the kernel ridge regression is tuned


def whole(level: str, people: int = PEOPLE) -> Split:
    """All pairs of the benchmark, the fronts among the inputs on both sides.

    Parameters
    ----------
    level : str
        ``"yaw"``, ``"medium"`` or ``"wild"``.
    people : int
        Fewer than `PEOPLE` for a trial.

    Returns
    -------
    Split
        What a run of the benchmark is trained with.

    Raises
    ------
    ValueError
        If there is no such level.
    """
    checks.choice("level", level, LEVELS)
    return pairs.split(speculo.load(f"heads-{level}", people=people), seed=0)


def split(level: str, people: int = PEOPLE) -> Split:
    """The same, without the fronts among the inputs to judge on; see `whole`."""
    train, test = whole(level, people)
    return Split(train, test.turned)


KERNEL_RIDGE = "kernel ridge"


def baselines(split: Split) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Predict the test targets without a network.

    Those of ``evaluation.baselines`` but for the grey one and the one on moved pairs (these
    heads stand exactly in their place), and kernel ridge regression with a Gaussian kernel. Its two parameters are chosen on some of
    the people to train on.

    Returns
    -------
    predictions : dict
        Name to float32 predictions of shape (n, height, width, 1).
    parameters : dict
        ``gamma`` and ``alpha`` of the kernel ridge regression.
    """
    asked = split.test.batch()[0]
    found = evaluation.fit_baselines(split.train)(asked)
    del found["constant grey"], found[evaluation.MOVED]
    gamma, alpha = _choose(split.train)
    found[KERNEL_RIDGE] = _kernel_ridge(split.train, asked, gamma, alpha)
    return found, {"gamma": gamma, "alpha": alpha}


def judge(drawn: np.ndarray, test: Pairs) -> pd.DataFrame:
    """Give the errors of drawings, for each bin of ``|yaw|`` and for all.

    Parameters
    ----------
    drawn : numpy.ndarray
        float32, shape (n, height, width, 1): the drawings for `test`.
    test : Pairs
        With known poses.

    Returns
    -------
    pandas.DataFrame
        Columns ``|yaw|`` (``"0-15"`` and so on, ``"all"`` last), ``photos``,
        ``MSE`` and ``rank-1``; a bin without a photo is left out.
    """
    right = rank_1(drawn, np.unique(test.target), test)
    return _by_bin({"MSE": evaluation.squared_error(drawn, test), "rank-1": right}, test)


def rank_1(drawn: np.ndarray, gallery: np.ndarray, test: Pairs) -> np.ndarray:
    """Tell whose drawings are nearest to the right one of some true fronts.

    Parameters
    ----------
    drawn : numpy.ndarray
        float32, shape (n, height, width, 1).
    gallery : numpy.ndarray
        Indices of the fronts.
    test : Pairs

    Returns
    -------
    numpy.ndarray
        bool, shape (n,).
    """
    known = pairs.as_input(test.faces.images[gallery]).reshape(len(gallery), -1)
    nearest, _ = fingerprints.nearest(drawn.reshape(len(drawn), -1), known, 1, "l2")
    return gallery[nearest[:, 0]] == test.target


def judge_fingerprints(run: Run, test: Pairs) -> pd.DataFrame:
    """The same as `judge`, by the fingerprints of photos and fronts: rank-1 alone."""
    take = fingerprints.taker(run.config, run.model())
    gallery = np.unique(test.target)
    images = test.faces.images
    nearest, _ = fingerprints.nearest(take(images[test.input]), take(images[gallery]), 1)
    return _by_bin({"rank-1": gallery[nearest[:, 0]] == test.target}, test)


def of_level(level: str, names: Iterable[str] = (), people: int = PEOPLE) -> pd.DataFrame:
    """Judge the baselines, and runs that were trained on this level.

    Parameters
    ----------
    level : str
    names : iterable of str
        Of finished runs.
    people : int

    Returns
    -------
    pandas.DataFrame
        What `judge` returns for each predictor, with columns ``level``,
        ``predictor``, ``gamma`` and ``alpha`` before it, the last two of the
        kernel ridge regression alone.

    Raises
    ------
    ValueError
        If a run was trained on other pictures, maybe on test people.
    """
    every = whole(level, people)
    each = Split(every.train, every.test.turned)
    tables = {}
    for name in names:
        run = runs.open(name)
        if {*run.settings["train_people"]} & {*every.test.faces.names}:  # at any level
            run.require(every)  # those of another seed have other names
        tables[run.config.name] = judge(evaluation.predict(run.model(), each.test), each.test)
        tables[f"{run.config.name}, fingerprints"] = judge_fingerprints(run, each.test)
    predictions, parameters = baselines(each)
    tables = {name: judge(drawn, each.test) for name, drawn in predictions.items()} | tables
    found = pd.concat(tables, names=["predictor"]).droplevel(1).reset_index()
    for place, (name, value) in enumerate(parameters.items()):
        found.insert(place + 1, name, np.where(found["predictor"] == KERNEL_RIDGE, value, np.nan))
    found.insert(0, "level", level)
    return found


def wide(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """Turn the long table into one of (level, predictor) by bin, for ``"MSE"`` or ``"rank-1"``."""
    table = table.dropna(subset=[value])
    shown = table.pivot(index=["level", "predictor"], columns="|yaw|", values=value)
    order = table[["level", "predictor"]].drop_duplicates()
    return shown.loc[list(order.itertuples(index=False, name=None)), list(table["|yaw|"].unique())]


def overall(table: pd.DataFrame, beyond: float = 0) -> pd.DataFrame:
    """Average the measures of one level over the bins that begin at an angle or beyond it.

    Returns
    -------
    pandas.DataFrame
        Columns ``MSE`` and ``rank-1``, a row a predictor. Every photo counts once.
    """
    low = pd.to_numeric(table["|yaw|"].str.split("-").str[0], errors="coerce")  # "all" is no number
    mine = table[low >= beyond]
    name = mine["predictor"]
    photos = mine["photos"].groupby(name).sum()
    sums = mine[["MSE", "rank-1"]].mul(mine["photos"], axis=0).groupby(name).sum(min_count=1)
    return sums.div(photos, axis=0)


def main() -> None:
    """Read the command line, judge, and print."""
    parser = argparse.ArgumentParser(
        description="Errors on drawn heads by how far they are turned.",
        prog="python -m speculo.benchmark",
    )
    parser.add_argument(
        "--level", choices=LEVELS, action="append", help="may be repeated; all of them by default"
    )
    parser.add_argument(
        "--run", action="append", default=[], help="a finished run to judge, too; may be repeated"
    )
    parser.add_argument("--people", type=int, default=PEOPLE, help="fewer for a trial")
    parser.add_argument("--out", type=Path, help="a CSV file to write the table to")
    options = parser.parse_args()
    trained = {name: runs.open(name).settings["dataset"] for name in options.run}
    levels = options.level or LEVELS
    tables = []
    for level in levels:
        begin = time.perf_counter()
        mine = [name for name, dataset in trained.items() if dataset == f"heads-{level}"]
        tables.append(of_level(level, mine, options.people))
        print(f"heads-{level}: {time.perf_counter() - begin:.0f} s", flush=True)
    table = pd.concat(tables, ignore_index=True)
    for value, form in (("MSE", "{:.4f}"), ("rank-1", "{:.1%}")):
        print(f"\n{value} by |yaw| in degrees")
        print(wide(table, value).to_string(float_format=form.format))
    left_out = [name for name, dataset in trained.items() if dataset[6:] not in levels]
    if left_out:
        print(f"\nNot judged, as they were trained on none of these levels: {', '.join(left_out)}")
    if options.out:
        rounded = table.round({"MSE": 6, "rank-1": 5})
        files.write_text(options.out, rounded.to_csv(index=False))


def _by_bin(values: dict[str, np.ndarray], test: Pairs) -> pd.DataFrame:
    yaw = np.abs(test.faces.pose[test.input, 0])
    rows = []
    for low, high in (*zip(EDGES, EDGES[1:], strict=False), (EDGES[0], EDGES[-1])):
        inside = (yaw >= low) & ((yaw < high) | (high == EDGES[-1]))
        if inside.any():
            label = "all" if (low, high) == (EDGES[0], EDGES[-1]) else f"{low}-{high}"
            means = {name: float(each[inside].mean()) for name, each in values.items()}
            rows.append({"|yaw|": label, "photos": int(inside.sum()), **means})
    return pd.DataFrame(rows)


def _choose(train: Pairs) -> tuple[float, float]:
    """Choose gamma and alpha of the kernel ridge regression on a few of the train people."""
    some = np.unique(train.person)[:_CHOOSERS]
    cut = some[-max(1, len(some) // 5)]
    fit = train.take(train.person < cut)
    held_out = train.take((train.person >= cut) & (train.person <= some[-1])).turned
    asked = held_out.batch()[0]
    errors = {
        (gamma, alpha): evaluation.squared_error(
            _kernel_ridge(fit, asked, gamma, alpha), held_out
        ).mean()
        for gamma, alpha in _GRID
    }
    return min(errors, key=lambda each: errors[each])


def _kernel_ridge(train: Pairs, asked: np.ndarray, gamma: float, alpha: float) -> np.ndarray:
    inputs, targets = (each.reshape(len(each), -1) for each in train.batch())
    mean = targets.mean(axis=0)  # what the kernel says nothing about is the mean face, not black
    fitted = KernelRidge(kernel="rbf", gamma=gamma, alpha=alpha).fit(inputs, targets - mean)
    drawn = fitted.predict(asked.reshape(len(asked), -1)) + mean
    return drawn.astype(np.float32).reshape(asked.shape)


if __name__ == "__main__":
    main()
