"""What mends v8: change after change, and all but each."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from speculo.plots import style
from speculo.plots.style import DECODER, LATENT, MUTED, short

ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1}
"""A label that covers the line behind it."""


def ablation(summary: pd.DataFrame, levels: dict[str, float], *, title: str = "") -> Figure:
    """Draw the error as change after change is added, and what each is worth in the end.

    Parameters
    ----------
    summary : pandas.DataFrame
        What ``ablation.summary`` returned.
    levels : dict
        Name to an error, drawn as a level line on the left.
    """
    errors, spread = summary["MSE"], summary["± over seeds"].fillna(0)
    added, without = errors.loc["added"], errors.loc["without"]
    start = errors.loc["none"].item()
    steps = [start, *added]
    figure, (left, right) = style.figure(
        11, 0.36 * len(steps) + 1.3, columns=2, width_ratios=(3, 2)
    )
    place = -np.arange(len(steps))
    for name, value in levels.items():
        left.axvline(value, color=MUTED, linewidth=1, linestyle="--")
        words = [short(word, 16) for word in short(name).split()]  # narrow: the lines are close
        left.annotate(
            "\n".join([*words, f"{value:.4f}"]),
            (value, -0.5),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=MUTED,
            bbox=ON_WHITE,
        )
    left.step(steps, place, where="post", color=LATENT, linewidth=1, alpha=0.5)
    left.errorbar(
        steps, place, xerr=[spread.loc["none"].item(), *spread.loc["added"]], fmt="o", color=LATENT
    )
    left.set_yticks(place, ["v8 as published", *(f"+ {short(change)}" for change in added.index)])
    left.set(xlabel="MSE, people not seen", title="One added after the other")
    cost = 1000 * (without - added.iloc[-1])
    right.axvline(0, color=MUTED, linewidth=1)
    right.barh(
        place[1:], cost, xerr=1000 * spread.loc["without"], color=DECODER, alpha=0.7, height=0.6
    )
    right.set_yticks(place[1:], [])
    right.set_ylim(left.get_ylim())
    right.set(xlabel="error added, thousandths of MSE", title="All but this one")
    style.subtitle(figure, title)
    return figure
