"""What went wrong in v8: a picture for each experiment."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from speculo.faces import FaceSet
from speculo.plots import style
from speculo.plots.style import (
    CHOSEN,
    CONTRASTS,
    ENCODER,
    GAP,
    LATENT,
    MUTED,
    PALE,
    face_columns,
    face_rows,
    short,
)

DASHES = ("--", ":", "-.", "-")
"""Line styles of levels, in turn."""


def levels(levels: Mapping[str, float], marks: Mapping[str, float]) -> Figure:
    """Draw errors as bars, largest on top, and other errors as lines across them.

    Parameters
    ----------
    levels, marks : mapping
        Name to MSE.
    """
    names = sorted(levels, key=lambda name: levels[name])
    figure, axis = style.figure(8.5, 0.42 * len(names) + 0.9)
    rows = range(len(names))
    axis.barh(rows, [levels[name] for name in names], color=ENCODER, height=0.6)
    axis.set_yticks(rows, [short(name) for name in names])
    for row, name in enumerate(names):
        axis.text(
            levels[name],
            row,
            f"{levels[name]:.4f} ",
            va="center",
            ha="right",
            fontsize=8,
            color="w",
        )
    for (name, value), dash in zip(marks.items(), DASHES, strict=False):
        axis.axvline(value, color=CHOSEN, linewidth=1.4, linestyle=dash, label=short(name))
    axis.set_xlim(0, 1.15 * max(*levels.values(), *marks.values()))
    axis.grid(visible=False, axis="y")
    axis.set_xlabel("MSE, less is better")
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def pixels(targets: np.ndarray, drawings: Mapping[str, np.ndarray]) -> Figure:
    """Draw how pixels are distributed: targets as a filled shape, drawings as lines.

    Parameters
    ----------
    targets : numpy.ndarray
        Pixels in 0..1, any shape.
    drawings : mapping
        Name to pixels.
    """
    edges = np.linspace(0, 1, 41)
    figure, axis = style.figure(8.5, 3)
    weights = np.full(targets.size, 1 / targets.size)
    axis.hist(targets.ravel(), edges.tolist(), weights=weights, color=PALE, label="targets")
    for (name, values), color in zip(drawings.items(), CONTRASTS, strict=False):
        share, _ = np.histogram(values, edges)
        axis.stairs(share / values.size, edges, color=color, linewidth=1.6, label=short(name))
    axis.set(xlabel="pixel, 0 black to 1 white", ylabel="share, logarithmic", xlim=(0, 1))
    axis.set_yscale("log")
    axis.set_ylim(bottom=5e-4)
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    axis.legend(fontsize=8)
    return figure


def distances(distance: np.ndarray, others: Mapping[str, np.ndarray], *, xlabel: str) -> Figure:
    """Draw distances of the same pairs, measured in one way and in others: a panel for each.

    Parameters
    ----------
    distance : numpy.ndarray
        Shape (m,).
    others : mapping
        Name to distances, shape (m,).
    xlabel : str
        What `distance` is.
    """
    figure, axes = style.figure(4.4 * len(others), 3.4, columns=len(others), squeeze=False)
    for axis, (name, values) in zip(axes[0], others.items(), strict=True):
        size, alpha = (2, 0.4) if len(distance) > 500 else (6, 0.8)
        axis.plot(
            distance, values, ".", color=LATENT, markersize=size, alpha=alpha, rasterized=True
        )
        axis.set(xlabel=xlabel, ylabel=short(name, 30), xlim=(0, None), ylim=(0, None))
    return figure


def front_angles(angles: Mapping[str, np.ndarray]) -> Figure:
    """Draw how far the chosen fronts are from straight ahead, for several rules of choice.

    Parameters
    ----------
    angles : mapping
        Name to angles in degrees, one for each series of photos.
    """
    last = max(np.nanmax(values) for values in angles.values())
    edges = np.arange(0, last + 5, 5)
    figure, axes = style.figure(
        8.5, 1.5 * len(angles) + 0.5, rows=len(angles), sharex=True, sharey=True
    )
    for axis, (name, values), color in zip(axes, angles.items(), CONTRASTS, strict=False):
        axis.hist(values, edges, color=color, rwidth=0.9)
        axis.set_title(short(name), fontsize=10)
        axis.set_ylabel("series")
    axes[-1].set_xlabel("angle of the chosen front from straight ahead, degrees")
    return figure


def captioned(rows: Mapping[str, np.ndarray], captions: Mapping[str, Sequence[str]]) -> Figure:
    """Show rows of faces with a short text under each face.

    Parameters
    ----------
    rows : mapping
        Name to uint8 (n, height, width).
    captions : mapping
        Name to n texts, for some of the rows.
    """
    figure = face_rows(list(rows.values()), list(rows), gap_every=1)
    axis = figure.axes[0]
    height, width = next(iter(rows.values())).shape[1:]
    for row, name in enumerate(rows):
        for column, text in enumerate(captions.get(name, ())):
            axis.text(
                column * (width + GAP) + width / 2,
                row * (height + GAP + height // 4) + height + 1,
                short(text, 14),
                ha="center",
                va="top",
                fontsize=7,
                color=MUTED,
            )
    axis.set_ylim(axis.get_ylim()[0] + height // 4, axis.get_ylim()[1])
    return figure


def rival_fronts(faces: FaceSet, rules: Mapping[str, np.ndarray], count: int = 10) -> Figure:
    """Show the fronts that several rules choose, with yaw, pitch and roll under each.

    Parameters
    ----------
    faces : FaceSet
        With poses.
    rules : mapping
        Name to what ``pairs.fronts`` returned, or another rule.
    count : int
        So many series, those first whose fronts of the last rule are farthest
        from those of the first.
    """
    first = np.unique(faces.series, return_index=True)[1]
    chosen = [front[first] for front in rules.values()]
    apart = np.abs(faces.pose[chosen[0]] - faces.pose[chosen[-1]]).sum(axis=1)
    shown = np.argsort(-apart, kind="stable")[:count]
    rows = {name: faces.images[each[shown]] for name, each in zip(rules, chosen, strict=True)}
    poses = {
        name: [" ".join(f"{angle:+.0f}" for angle in pose) for pose in faces.pose[each[shown]]]
        for name, each in zip(rules, chosen, strict=True)
    }
    return captioned(rows, poses)


def frame_order(frames: np.ndarray, yaw: np.ndarray, given: np.ndarray) -> Figure:
    """Draw the yaw of a turning head by frame, and the yaw that each frame is said to have.

    Parameters
    ----------
    frames : numpy.ndarray
        int (n,): frame numbers.
    yaw : numpy.ndarray
        Degrees, shape (n,).
    given : numpy.ndarray
        int (n,): position of the pose that each frame gets.
    """
    figure, axis = style.figure(8.5, 3)
    axis.plot(frames, yaw, color=ENCODER, label="what the head does")
    axis.plot(
        frames, yaw[given], ".", color=CHOSEN, markersize=4, label="what its frames are given"
    )
    front = np.argmin(np.abs(yaw[given]))
    axis.plot(frames[front], yaw[front], "o", color="black", markerfacecolor="none", markersize=9)
    axis.annotate(
        f"chosen as the front: {yaw[front]:+.0f}°",
        (frames[front], yaw[front]),
        (-10 if front > len(frames) / 2 else 10, 0),
        textcoords="offset points",
        ha="right" if front > len(frames) / 2 else "left",
        va="center",
        fontsize=8,
    )
    axis.set(xlabel="frame", ylabel="yaw, degrees")
    figure.legend(loc="outside upper right", ncols=2, fontsize=8)
    return figure


def wrong_by_first_frame(first: np.ndarray, share: np.ndarray) -> Figure:
    """Draw the share of frames with a wrong pose by the number of a video's first frame."""
    figure, axis = style.figure(8.5, 2.4)
    axis.plot(first, share, color=CHOSEN)
    axis.set(xlabel="number of the first frame", ylabel="frames with a wrong pose", ylim=(0, 1.05))
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def matched_targets(
    faces: FaceSet, front: np.ndarray, matches: Mapping[str, np.ndarray], count: int = 10
) -> Figure:
    """Show people's fronts, and the fronts that they get by several ways of matching.

    Parameters
    ----------
    faces : FaceSet
    front : numpy.ndarray
        For each person the index of the front.
    matches : mapping
        Name to int (people,): whose front each person gets, -1 for nobody's.
    count : int
        So many people, the first ones.
    """
    rows = {"their own front": faces.images[front[:count]]}
    for name, match in matches.items():
        rows[name] = faces.images[front[match[:count]]]
        rows[name][match[:count] < 0] = 255
    figure = face_columns(rows, faces.names[:count])
    axis = figure.axes[0]
    axis.xaxis.tick_top()
    axis.tick_params(axis="x", labelsize=7)
    return figure


def seconds(times: Mapping[str, float]) -> Figure:
    """Draw times for one image as bars on a logarithmic scale, in microseconds."""
    names = list(times)[::-1]
    values = [1e6 * times[name] for name in names]
    figure, axis = style.figure(8.5, 0.42 * len(names) + 0.8)
    axis.barh(range(len(names)), values, color=ENCODER, height=0.6)
    axis.set_yticks(range(len(names)), [short(name) for name in names])
    for row, value in enumerate(values):
        axis.text(
            value,
            row,
            f" {value:,.0f}" if value >= 10 else f" {value:.1f}",
            va="center",
            fontsize=8,
        )
    axis.set_xscale("log")
    style.decades(axis.xaxis)
    axis.set_xlim(min(values) / 3, 4 * max(values))
    axis.grid(visible=False, axis="y")
    axis.set_xlabel("microseconds for one image, logarithmic")
    return figure


def by_seed(errors: Mapping[str, np.ndarray], marks: Mapping[str, float]) -> Figure:
    """Draw the error of each seed as a dot, a row for each condition, with levels as lines.

    Parameters
    ----------
    errors : mapping
        Name to MSE, shape (seeds,). The same seeds in each.
    marks : mapping
        Name to MSE.
    """
    names = list(errors)[::-1]
    figure, axis = style.figure(8.5, 0.45 * len(names) + 0.9)
    for row, name in enumerate(names):
        axis.plot(errors[name], np.full(len(errors[name]), row), "o", color=ENCODER, alpha=0.7)
        axis.plot(np.mean(errors[name]), row, "|", color="black", markersize=18)
    for (name, value), dash in zip(marks.items(), DASHES, strict=False):
        axis.axvline(value, color=CHOSEN, linewidth=1.2, linestyle=dash, label=short(name))
    axis.set_yticks(range(len(names)), [short(name) for name in names])
    axis.set_ylim(-0.6, len(names) - 0.4)
    axis.set_xlim(left=0)
    axis.set_xlabel("MSE on held-out people, a dot for each seed")
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def by_size(errors: pd.DataFrame, base: str) -> Figure:
    """Draw errors by the size of the picture: as they are, and as parts of one predictor's.

    Parameters
    ----------
    errors : pandas.DataFrame
        A row for each size (pixels in a side), a column for each predictor,
        NaN where there is none.
    base : str
        The column that the right panel divides by.
    """
    sizes = errors.index
    figure, (left, right) = style.figure(10, 3.2, columns=2)
    for name, color in zip(errors, (MUTED, *CONTRASTS), strict=False):
        left.plot(sizes, errors[name], "o-", color=color, markersize=5, label=short(name))
        right.plot(sizes, errors[name] / errors[base], "o-", color=color, markersize=5)
    for axis, ylabel in ((left, "MSE"), (right, f"MSE / MSE of the {short(base, 20)}")):
        axis.set_xscale("log", base=2)
        axis.set_xticks(sizes, [f"{size} x {size}" for size in sizes])
        axis.minorticks_off()
        axis.set_ylim(bottom=0)
        axis.set(xlabel="picture", ylabel=ylabel)
    figure.legend(loc="outside upper center", ncols=errors.shape[1], fontsize=8)
    return figure


def loss_against_sharpness(
    sigmas: Sequence[float],
    errors: Sequence[float],
    sharp: Sequence[float],
    others: Mapping[str, tuple[float, float]],
) -> Figure:
    """Draw what blurring does to the error and to the sharpness.

    Parameters
    ----------
    sigmas, errors, sharp : sequence of float
        Blur in pixels, MSE, and sharpness as a part of that of the targets.
    others : mapping
        Name to sharpness and MSE of other pictures.
    """
    figure, axis = style.figure(8.5, 3.2)
    axis.plot(sharp, errors, "o-", color=ENCODER, markersize=5)
    for sigma, x, y in zip(sigmas, sharp, errors, strict=True):
        axis.annotate(
            f"blur {sigma:g}" if sigma else "as it is",
            (x, y),
            (5, 5),
            textcoords="offset points",
            fontsize=8,
            color=MUTED,
        )
    for (name, (x, y)), color in zip(others.items(), CONTRASTS[1:], strict=False):
        axis.plot(x, y, "D", color=color, markersize=7, label=short(name))
    axis.set(xlabel="sharpness, parts of that of the targets", ylabel="MSE")
    axis.set_xlim(0, 1.1 * max(*sharp, 1.0))
    axis.set_ylim(0, 1.15 * max(*errors, *(error for _, error in others.values())))
    axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.legend(loc="lower right", fontsize=8)
    return figure
