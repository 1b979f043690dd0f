"""How well fingerprints tell people apart."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.ticker import PercentFormatter

from speculo.plots import style
from speculo.plots.style import CHOSEN, DECODER, ENCODER, INK, LATENT, MUTED, PALE, PLUM, short

CURVES = (PLUM, ENCODER, CHOSEN, MUTED, INK, DECODER, LATENT)
"""Colours of kinds of fingerprints, in turn."""


def hills(
    distances: Mapping[str, tuple[np.ndarray, np.ndarray]], thresholds: Mapping[str, float]
) -> Figure:
    """Draw how far photos of one person and of two people are from one another: a panel for each.

    Parameters
    ----------
    distances : mapping
        Name to the distances of genuine pairs, and of impostor pairs.
    thresholds : mapping
        Name to the distance that divides them.
    """
    drawn, axes = style.figure(
        4.6 * len(distances) + 1.2, 3.2, columns=len(distances), squeeze=False
    )
    for axis, (name, (genuine, impostor)) in zip(axes[0], distances.items(), strict=True):
        low, high = np.quantile(np.concatenate([genuine, impostor]), (0, 1))
        edges = np.linspace(low, max(high, low + 1e-6), 41)
        for values, color, label in (
            (impostor, MUTED, "two people"),
            (genuine, CHOSEN, "one person"),
        ):
            share = np.histogram(values, edges)[0] / len(values)
            axis.stairs(share, edges, fill=True, color=color, alpha=0.45, label=label)
            axis.stairs(share, edges, color=color, linewidth=1.4)
        axis.axvline(thresholds[name], color=INK, linewidth=1.2, linestyle="--", label="threshold")
        axis.set(xlabel="distance: 1 - cosine", ylabel="share of the pairs", ylim=(0, None))
        axis.set_title(short(name))
        axis.yaxis.set_major_formatter(_percent)
    drawn.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return drawn


def det(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], lowest: float) -> Figure:
    """Draw DET curves, both axes logarithmic: lower and more to the left is better.

    Parameters
    ----------
    curves : mapping
        Name to FMR and FNMR.
    lowest : float
        FMR that so few people cannot carry: what is below it is shaded.
    """
    drawn, axis = style.figure(7.5, 4.4)
    least = lowest / 5
    bottom = 1.0
    for (name, (fmr, fnmr)), color in zip(curves.items(), CURVES, strict=False):
        axis.step(fmr, fnmr, where="post", color=color, linewidth=1.6, label=short(name))
        inside = fnmr[(fmr >= least) & (fmr <= 0.5) & (fnmr > 0)]
        bottom = min(bottom, inside.min(initial=1.0))
    ends = max(bottom, 1e-3) / 1.3, 1.1
    axis.plot([1e-6, 1], [1e-6, 1], color=PALE, linewidth=1, linestyle=":")
    axis.axvspan(least, lowest, color=PALE, alpha=0.4, linewidth=0)
    axis.text(lowest / 1.08, ends[0] * 1.1, "too few people", ha="right", fontsize=8, color=MUTED)
    axis.set(xscale="log", yscale="log", xlim=(least, 1), ylim=ends)
    axis.set(xlabel="FMR: two people taken for one", ylabel="FNMR: one person taken for two")
    for one in (axis.xaxis, axis.yaxis):
        one.set_major_formatter(_percent)
        one.set_minor_formatter(_some_percent)
        one.set_tick_params(which="both", labelsize=8)
    drawn.legend(loc="outside right upper", fontsize=8)
    return drawn


def _percent(value: float, _) -> str:
    return f"{100 * value:.3g}%"


def _some_percent(value: float, place) -> str:
    first = f"{value:.0e}"[0]
    return _percent(value, place) if first in "25" else ""


def rank_1_by_yaw(rates: Mapping[str, np.ndarray], edges: Sequence[float]) -> Figure:
    """Draw how often a face is found, by its yaw and by that of the photos in the gallery.

    Parameters
    ----------
    rates : mapping
        Name to rank-1 (bins, bins): row the probe's bin, column the gallery's.
    edges : sequence of float
        Of the bins, in degrees.
    """
    bins = len(edges) - 1
    middles = [f"{(low + high) / 2:.0f}°" for low, high in zip(edges, edges[1:], strict=False)]
    best = max(np.nanmax(each, initial=0) for each in rates.values())
    top = max(np.ceil(10 * best) / 10, 0.1)
    drawn, axes = style.figure(5.0 * len(rates) + 0.6, 4.4, columns=len(rates), squeeze=False)
    for axis, (name, rate) in zip(axes[0], rates.items(), strict=True):
        image = axis.imshow(rate, cmap="viridis", vmin=0, vmax=top, origin="lower")
        for row, column in np.argwhere(np.isfinite(rate)):
            value = rate[row, column]
            color = INK if value > 0.6 * top else "w"
            axis.text(
                column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=9, color=color
            )
        axis.set_xticks(range(bins), middles)
        axis.set_yticks(range(bins), middles)
        axis.set(xlabel="yaw of the photos in the gallery", ylabel="yaw of the face searched for")
        axis.set_title(short(name))
        axis.grid(visible=False)
    bar = drawn.colorbar(image, ax=axes[0].tolist(), shrink=0.8)
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1))
    bar.set_label("rank-1")
    return drawn


def face_pairs(
    pairs: Mapping[str, np.ndarray], images: np.ndarray, labels: Sequence[str], apart: np.ndarray
) -> Figure:
    """Show pairs of faces, one beside the other, in a row for each kind.

    Parameters
    ----------
    pairs : mapping
        Title to positions of photos, (m, 2).
    images : numpy.ndarray
        uint8 (n, height, width).
    labels : sequence of str
        (n,): who is on each photo.
    apart : numpy.ndarray
        (n, n): the distances.
    """
    columns = max(len(each) for each in pairs.values())
    high = 1.4 if columns > 3 else 1.6  # where faces are larger, room for what stands below them
    drawn, axes = style.figure(
        max(1.75 * columns, 4.5), high * len(pairs), rows=len(pairs), columns=columns, squeeze=False
    )
    for row, (title, positions) in zip(axes, pairs.items(), strict=True):
        for axis, (one, other) in zip(row, positions, strict=False):
            gap = np.full((images.shape[1], 1), 255, dtype=np.uint8)
            shown = np.hstack([images[one], gap, images[other]])
            axis.imshow(shown, cmap="gray", vmin=0, vmax=255)
            who = dict.fromkeys(short(labels[each], 11) for each in (one, other))
            axis.set_xlabel(f"{', '.join(who)}: {apart[one, other]:.2f}", fontsize=8)
        for axis in row:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            axis.grid(visible=False)
        row[0].set_title(short(title, 60), fontsize=10)
    return drawn


def fingerprint_map(places: np.ndarray, images: np.ndarray, labels: np.ndarray) -> Figure:
    """Draw faces where their fingerprints lie, framed in a colour for each person.

    Parameters
    ----------
    places : numpy.ndarray
        (n, 2).
    images : numpy.ndarray
        uint8 (n, height, width).
    labels : numpy.ndarray
        str (n,): who is on each photo. The cross of a person is in the middle of the photos.
    """
    drawn, axis = style.figure(9.5, 6.2)
    for number, name in enumerate(dict.fromkeys(labels)):
        color = style.SERIES[number % len(style.SERIES)]
        mine = np.flatnonzero(labels == name)
        axis.plot(*places[mine].T, "s", color=color, markersize=4, label=short(name, 24))
        axis.plot(*places[mine].mean(axis=0), "+", color=color, markersize=14, markeredgewidth=2)
        for place, image in zip(places[mine], images[mine], strict=True):
            shown = OffsetImage(image, zoom=24 / len(image), cmap="gray", norm=Normalize(0, 255))
            frame = {"edgecolor": color, "linewidth": 1.8}
            axis.add_artist(AnnotationBbox(shown, place, pad=0.05, bboxprops=frame))
    axis.set(xlabel="first main direction", ylabel="second main direction")
    axis.margins(0.06)
    drawn.legend(loc="outside right upper", fontsize=8)
    return drawn


def rates_by_group(table: pd.DataFrame) -> Figure:
    """Draw error rates of groups as dots with whiskers, and that of everybody as a line.

    Parameters
    ----------
    table : pandas.DataFrame
        What ``mistakes.rates_by_group`` returned.
    """
    groups = table.drop(index="everybody", level="trait")
    rows = np.arange(len(groups), dtype=float)
    trait = groups.index.get_level_values("trait")
    rows += 0.6 * np.cumsum(np.r_[False, trait[1:] != trait[:-1]])  # more space between traits
    drawn, axes = style.figure(10, 0.33 * len(groups) + 1.3, columns=2, sharey=True)
    labels = [
        f"{short(name, 20)} ({people})"
        for name, people in zip(
            groups.index.get_level_values("group"), groups["people"], strict=True
        )
    ]
    for axis, rate, color, meaning in (
        (axes[0], "FNMR", ENCODER, "one person taken for two"),
        (axes[1], "FMR", LATENT, "two people of the group taken for one"),
    ):
        axis.hlines(rows, groups[f"{rate} low"], groups[f"{rate} high"], color=color, linewidth=2)
        axis.plot(groups[rate], rows, "o", color=color, markersize=6)
        axis.axvline(table[rate].iloc[0], color=MUTED, linestyle="--", linewidth=1.2)
        axis.set_title(f"{rate}: {meaning}", fontsize=10)
        axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axis.set_xlim(0, None)
        axis.grid(visible=False, axis="y")
    axes[0].set_yticks(rows, labels)
    axes[0].invert_yaxis()
    return drawn
