"""A training: its losses, and what it drew after each epoch."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from speculo.pairs import Pairs, examples
from speculo.plots import style
from speculo.plots.style import ENCODER, LATENT, MUTED, face_rows, short


def loss(
    history: pd.DataFrame, levels: dict[str, float] | None = None, *, title: str = ""
) -> Figure:
    """Draw the losses by epoch, with the errors of baselines as level lines.

    Parameters
    ----------
    history : pandas.DataFrame
        With the columns ``epoch``, ``loss`` and ``val_loss``.
    levels : dict, optional
        Name to a loss on the same scale.
    """
    figure, axis = style.figure(8.5, 4)
    epochs = history["epoch"]
    # The first epochs can be far off while batch normalisation warms up: they may leave the top.
    losses = [history["loss"].max(), history["val_loss"].median()] if len(history) else [0.1]
    top = 1.15 * max(*losses, *(levels or {"": 0.0}).values())
    for column, name, color in (("loss", "train", ENCODER), ("val_loss", "test", LATENT)):
        axis.plot(epochs, history[column], "o-", label=name, color=color, markersize=4)
    axis.legend(loc="upper right")
    # Levels can lie close together: their names stand on the right, moved apart.
    place = -np.inf
    for name, level in sorted((levels or {}).items(), key=lambda item: item[1]):
        place = max(level, place + 0.055 * top)
        axis.axhline(level, color=MUTED, linewidth=1, linestyle="--")
        axis.annotate(
            f"{short(name)}  {level:.4f}",
            (1, level),
            (1.04, place),
            xycoords=("axes fraction", "data"),
            textcoords=("axes fraction", "data"),
            arrowprops={
                "arrowstyle": "-",
                "color": MUTED,
                "linewidth": 0.6,
                "relpos": (0, 0.5),  # to the left end of the text
            },
            va="center",
            fontsize=8,
            color=MUTED,
            annotation_clip=False,
        )
    axis.set_ylim(0, top)
    axis.set_xlim(0.5, max(len(history), 2) + 0.5)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set(xlabel="epoch", ylabel="loss", title=short(title, 100))
    return figure


def snapshots(pairs: Pairs, drawn: Sequence[np.ndarray], epochs: Sequence[int]) -> Figure:
    """Show how the drawings of a few held-out faces changed during the training.

    Parameters
    ----------
    pairs : Pairs
        The test pairs of the run.
    drawn : sequence of numpy.ndarray
        For each of `epochs`, uint8 (m, height, width): the drawings of
        ``examples(pairs, m)``.
    epochs : sequence of int
    """
    shown = examples(pairs, len(drawn[0]))
    images = pairs.faces.images
    rows = [images[pairs.input[shown]], *drawn, images[pairs.target[shown]]]
    labels = ["input", *(f"epoch {epoch}" for epoch in epochs), "target"]
    return face_rows(rows, labels, gap_every=len(rows))
