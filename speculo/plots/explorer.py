"""What the explorers show, at one setting of their sliders: for paper, GitHub and the pages."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from speculo.plots import style
from speculo.plots.style import CHOSEN, ENCODER, LATENT, MUTED, SERIES, short, show_rows

ERROR_COLORS = "magma"
"""Colour map of an error: black is none."""

ERROR_TOP = 0.5
"""Absolute error of a pixel that gets the brightest colour, on pixels in 0..1."""


def explored_prediction(
    panels: dict[str, np.ndarray], error: np.ndarray, errors: dict[str, float], *, title: str = ""
) -> Figure:
    """Show one prediction with the map of its error, and its MSE among those of the baselines.

    Parameters
    ----------
    panels : dict
        Caption to uint8 (height, width).
    error : numpy.ndarray
        Absolute error of each pixel, (height, width), on pixels in 0..1.
    errors : dict
        Name to MSE. The first one is the prediction's.
    """
    count = len(panels) + 1
    figure = style.blank(2 * count + 4, 2.4)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(2 * count, 4))[0]
    axes = left.subplots(1, count)
    _faces(axes, panels)
    shown = axes[-1].imshow(error, cmap=ERROR_COLORS, vmin=0, vmax=ERROR_TOP)
    axes[-1].set_title("error map", loc="center", fontsize=10)
    axes[-1].axis("off")
    left.colorbar(shown, ax=axes[-1], shrink=0.8, ticks=(0, ERROR_TOP))
    _bars(right.subplots(), errors)
    style.subtitle(figure, title)
    return figure


def explored_epoch(
    rows: dict[str, np.ndarray], history: pd.DataFrame, epoch: int, *, title: str = ""
) -> Figure:
    """Show what a training drew after one epoch, above its losses with that epoch marked.

    Parameters
    ----------
    rows : dict
        Label to uint8 (n, height, width). May be empty: then the losses alone are drawn.
    history : pandas.DataFrame
        With the columns ``epoch``, ``loss`` and ``val_loss``.
    epoch : int
    """
    figure, upper, lower = _faces_above(rows, 2.8)
    if upper is not None:
        show_rows(upper, list(rows.values()), list(rows))
    for (column, name), color in zip(
        (("loss", "train"), ("val_loss", "test")), SERIES, strict=False
    ):
        lower.plot(history["epoch"], history[column], "o-", color=color, label=name, markersize=3)
    lower.axvline(epoch, color=CHOSEN, linewidth=1.5)
    lower.set(xlabel="epoch", ylabel="loss", ylim=(0, loss_top([history])))
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    lower.legend(fontsize=8, loc="upper center", ncols=2)
    style.subtitle(figure, title)
    return figure


def explored_turn(
    panels: dict[str, np.ndarray],
    errors: dict[str, float],
    yaws: np.ndarray,
    curves: dict[str, np.ndarray],
    yaw: float,
    *,
    title: str = "",
) -> Figure:
    """Show a turned head with what is drawn of it, above the errors over yaw.

    Parameters
    ----------
    panels : dict
        Caption to uint8 (height, width).
    errors : dict
        Name to MSE at `yaw`.
    yaws : numpy.ndarray
        Degrees, shape (n,).
    curves : dict
        Name to the MSE at each of `yaws`.
    yaw : float
        Degrees: where the head of the panels looks.
    """
    figure = style.blank(10, 5)
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.2)).ravel()
    _faces(np.atleast_1d(upper.subplots(1, len(panels))), panels)
    left, right = lower.subplots(1, 2, width_ratios=(2, 1))
    for (name, values), color in zip(curves.items(), _colors(len(curves)), strict=True):
        left.plot(yaws, values, "o-", label=short(name), markersize=3, color=color)
    left.axvline(yaw, color=CHOSEN, linewidth=1.5)
    left.set(xlabel="yaw, degrees", ylabel="MSE", xticks=range(-90, 91, 30))
    left.set_ylim(0)
    left.legend(fontsize=8, loc="upper center", ncols=len(curves), bbox_to_anchor=(0.5, -0.2))
    _bars(right, errors)
    style.subtitle(figure, title)
    return figure


def explored_between(
    ends: tuple[np.ndarray, np.ndarray],
    names: tuple[str, str],
    steps: np.ndarray,
    directions: np.ndarray,
    *,
    title: str = "",
) -> Figure:
    """Show the way from one fingerprint to another, and along each main direction.

    Parameters
    ----------
    ends : tuple of numpy.ndarray
        Two photos, uint8 (height, width).
    names : tuple of str
        Of the two people.
    steps : numpy.ndarray
        uint8, shape (n, height, width): drawings on the way.
    directions : numpy.ndarray
        uint8, shape (k, n, height, width): drawings along each direction.
    """
    rows = [np.concatenate([ends[0][None], steps, ends[1][None]])]
    blank = np.full_like(ends[0], 255)[None]
    rows += [np.concatenate([blank, each, blank]) for each in directions]
    labels = [f"{names[0]} to {names[1]}"]
    labels += [f"direction {number}" for number in range(1, len(directions) + 1)]
    figure, axis = style.figure(0.8 * len(rows[0]) + 1.6, 0.85 * len(rows) + 0.3)
    show_rows(axis, rows, labels)
    axis.set_title(short(title, 100), fontsize=10, color=MUTED)
    return figure


def explored_photo(
    whole: np.ndarray,
    box: tuple[float, float, float, float] | None,
    panels: dict[str, np.ndarray],
    neighbours: dict[str, np.ndarray],
    *,
    title: str = "",
    below: str = "nearest people",
) -> Figure:
    """Show a photo with its crop framed, what is drawn of it, and the nearest people of a set.

    Parameters
    ----------
    whole : numpy.ndarray
        uint8 (height, width).
    box : tuple of float, optional
        Left, top, right, bottom in pixels of `whole`. Without it the photo stands alone.
    panels, neighbours : dict
        Caption to uint8 (height, width).
    title, below : str
        Above all, and above the neighbours.
    """
    columns = max(len(panels) + 1, len(neighbours))
    if box is None:
        figure, axis = style.figure(8.5, 3.0)
    else:
        figure = style.blank(1.9 * columns, 4.6)
        upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.1, 1)).ravel()
        axis, *others = upper.subplots(1, columns)
        left, top, right, bottom = box
        axis.add_patch(
            Rectangle(
                (left - 0.5, top - 0.5), right - left, bottom - top,
                fill=False, edgecolor=CHOSEN, linewidth=2, clip_on=False,
            )
        )  # fmt: skip
        _faces(others, panels)
        _faces(lower.subplots(1, columns), neighbours)
        lower.suptitle(short(below, 90), fontsize=10)
    axis.imshow(whole, cmap="gray", vmin=0, vmax=255)
    axis.set_title("photo", loc="center")
    axis.axis("off")
    style.subtitle(figure, title)
    return figure


def explored_runs(
    rows: dict[str, np.ndarray], histories: dict[str, pd.DataFrame], *, title: str = ""
) -> Figure:
    """Show what several runs draw of the same faces, above their test losses.

    Parameters
    ----------
    rows : dict
        Label to uint8 (n, height, width).
    histories : dict
        Name of each run to its log, with the columns ``epoch`` and ``val_loss``.
    """
    figure, upper, lower = _faces_above(rows, 2.8)
    if upper is not None:
        show_rows(upper, list(rows.values()), list(rows))
    for (name, history), color in zip(histories.items(), _colors(len(histories)), strict=True):
        lower.plot(
            history["epoch"],
            history["val_loss"],
            "o-",
            color=color,
            label=short(name),
            markersize=3,
        )
    lower.set(xlabel="epoch", ylabel="test loss", ylim=(0, loss_top(list(histories.values()))))
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    if histories:
        lower.legend(fontsize=8, loc="upper right")
    style.subtitle(figure, title)
    return figure


def explored_nothing(problem: str) -> Figure:
    """Say why there is nothing to show."""
    figure, axis = style.figure(8.5, 1.2)
    axis.text(0.5, 0.5, textwrap.fill(short(problem, 500), 110), ha="center", va="center")
    axis.axis("off")
    return figure


def loss_top(histories: Sequence[pd.DataFrame]) -> float:
    """Upper end of an axis of losses: the first epochs, which can be far off, may leave it."""
    levels = [0.02]
    for history in histories:
        if len(history):
            levels += [history["val_loss"].median(), history["val_loss"].iloc[-1]]
            if "loss" in history:
                levels.append(history["loss"].max())
    return 1.15 * float(np.nanmax(levels))


def _colors(count: int) -> list[str]:
    return [SERIES[number % len(SERIES)] for number in range(count)]


def _faces(axes: Sequence[Axes] | np.ndarray, panels: dict[str, np.ndarray]) -> None:
    """Show a face in each of the first axes, and nothing in the others."""
    for axis in axes:
        axis.axis("off")
    for axis, (caption, image) in zip(axes, panels.items(), strict=False):
        axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        axis.set_title(short(caption, 28), loc="center", fontsize=10)


def _bars(axis: Axes, errors: dict[str, float]) -> None:
    """Draw each MSE as a bar, the smallest in colour, with the number beside it."""
    values = list(errors.values())
    colors = [LATENT if value == min(values) else ENCODER for value in values]
    drawn = axis.barh(range(len(values)), values, color=colors, height=0.7)
    axis.bar_label(drawn, [f" {value:.4f}" for value in values], fontsize=8)
    axis.set_yticks(range(len(values)), [short(name) for name in errors], fontsize=8)
    axis.invert_yaxis()
    axis.grid(visible=False)
    axis.margins(x=0.3)
    axis.spines["bottom"].set_visible(False)
    axis.set_xticks([])
    axis.set_title("MSE", fontsize=10)


def _faces_above(rows: dict[str, np.ndarray], height: float) -> tuple[Figure, Axes | None, Axes]:
    """Make a figure with room for rows of faces, where there are any, above a plot."""
    if not rows:
        figure, lower = style.figure(8.5, height)
        return figure, None, lower
    faces = 0.85 * len(rows)
    figure, (upper, lower) = style.figure(
        8.5, faces + height, rows=2, height_ratios=(faces, height)
    )
    return figure, upper, lower
