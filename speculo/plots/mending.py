"""What mends v8: each change alone, and all but it."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from speculo.pairs import Pairs, as_image, examples
from speculo.plots.style import DECODER, LATENT, MUTED, face_rows

ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1}
"""A label that covers the line behind it."""


def ablation(summary: pd.DataFrame, levels: dict[str, float], *, title: str = "") -> Figure:
    """Draw the error of each change alone on v8, and of all changes but it.

    Parameters
    ----------
    summary : pandas.DataFrame
        What ``ablation.summary`` returned. Kinds that it lacks stay empty.
    levels : dict
        Name to an error, drawn as a level line on both sides.
    """
    errors = summary["MSE"]
    kinds = errors.index.get_level_values("kind")
    sides = {"alone": ("v8 with this change alone", LATENT), "without": ("all but this", DECODER)}
    changes = list(dict.fromkeys(errors[kinds.isin(list(sides))].index.get_level_values("change")))
    place = {change: -number for number, change in enumerate(changes)}
    figure, axes = plt.subplots(
        1, 2, figsize=(11, 0.32 * len(changes) + 1.4), sharey=True, width_ratios=(1, 1)
    )
    plt.close(figure)
    for axis, (kind, (label, color)), (whole, name) in zip(
        axes, sides.items(), (("none", "v8"), ("all", "all changes")), strict=True
    ):
        start = float(errors[kinds == whole].iloc[0])
        axis.axvline(start, color=color, linewidth=1)
        axis.annotate(
            f"{name} {start:.4f}",
            (start, 0.8),
            ha="center",
            va="bottom",
            fontsize=8,
            color=color,
            bbox=ON_WHITE,
        )
        for change, error in errors[kinds == kind].droplevel("kind").items():
            axis.plot([start, error], [place[change]] * 2, color=color, linewidth=3, alpha=0.4)
            axis.plot(error, place[change], "o", color=color)
        for number, (level, value) in enumerate(levels.items()):
            axis.axvline(value, color=MUTED, linewidth=1, linestyle="--")
            axis.annotate(
                level,
                (value, -len(changes) + 0.3 - 0.7 * (number % 2)),
                ha="center",
                va="top",
                fontsize=8,
                color=MUTED,
                bbox=ON_WHITE,
            )
        axis.margins(x=0.1)
        axis.xaxis.set_major_locator(MaxNLocator(6))
        axis.set_title(label)
        axis.set_xlabel("MSE, people not seen")
        axis.set_ylim(-len(changes) - 1.2, 1.6)
    axes[0].set_yticks(list(place.values()), list(place))
    figure.suptitle(title, fontsize=10, color=MUTED)
    return figure


def everybody(
    pairs: Pairs, drawn: dict[str, np.ndarray], *, most: int = 8, title: str = ""
) -> Figure:
    """Show one photo of each person, what several predictors draw of it, and the front.

    Parameters
    ----------
    pairs : Pairs
    drawn : dict
        Name to predictions for all of `pairs`: float32 (n, height, width, 1).
    most : int
        At most so many people.
    """
    shown = examples(pairs, most)
    images = pairs.faces.images
    rows = {
        "photo": images[pairs.input[shown]],
        **{name: as_image(outputs[shown]) for name, outputs in drawn.items()},
        "front": images[pairs.target[shown]],
    }
    return face_rows(list(rows.values()), list(rows), gap_every=len(rows), title=title)
