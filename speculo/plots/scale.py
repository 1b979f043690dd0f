"""Beyond one machine: where a line of stages stalls."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from speculo.plots import style
from speculo.plots.style import DECODER, ENCODER, LATENT, MUTED, PALE, short

COLORS = {"works": ENCODER, "waits": PALE, "is held up": DECODER}


def stalls(lines: Mapping[int, pd.DataFrame]) -> Figure:
    """Draw how fast a line of stages is by the number of workers, and what each stage does meanwhile.

    Parameters
    ----------
    lines : mapping of int to pandas.DataFrame
        What ``scale.simulate`` returned, by the number of workers.
    """
    some = sorted({min(lines), sorted(lines)[len(lines) // 2], max(lines)})
    figure, axes = style.figure(
        11, 3.4, columns=1 + len(some), width_ratios=(1.5, *[1] * len(some))
    )
    rates = [line["rate"].iloc[0] for line in lines.values()]
    axes[0].plot(list(lines), rates, "o-", color=LATENT, markersize=4)
    axes[0].set(xlabel="workers", ylabel="photos a second, whole line", title="How fast")
    axes[0].set_ylim(0, 1.15 * max(rates))
    axes[0].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    for axis, workers in zip(axes[1:], some, strict=True):
        line = lines[workers]
        place, start = -np.arange(len(line)), np.zeros(len(line))
        for name, color in COLORS.items():
            axis.barh(place, 100 * line[name], left=start, color=color, height=0.6, label=name)
            start = start + 100 * line[name]
        names = [short(each) if workers == some[0] else "" for each in line.index]
        axis.set_yticks(place, names)
        axis.set(xlabel="% of its time", xlim=(0, 100))
        axis.set_title(f"{workers} worker{'' if workers == 1 else 's'}")
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper right", ncols=len(labels), fontsize=8, labelcolor=MUTED
    )
    return figure
