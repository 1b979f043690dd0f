"""Beyond one machine: where a pipeline stalls."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from speculo.plots import style
from speculo.plots.style import DECODER, ENCODER, LATENT, MUTED, PALE, short

COLORS = {"works": ENCODER, "waits": PALE, "is held up": DECODER}


def stalls(pipelines: Mapping[int, pd.DataFrame]) -> Figure:
    """Draw how fast a pipeline is by the number of workers, and what each stage does meanwhile.

    Parameters
    ----------
    pipelines : mapping of int to pandas.DataFrame
        What ``scale.simulate`` returned, by the number of workers.
    """
    some = sorted({min(pipelines), sorted(pipelines)[len(pipelines) // 2], max(pipelines)})
    figure, axes = style.figure(
        11, 3.4, columns=1 + len(some), width_ratios=(1.5, *[1] * len(some))
    )
    rates = [pipeline["rate"].iloc[0] for pipeline in pipelines.values()]
    axes[0].plot(list(pipelines), rates, "o-", color=LATENT, markersize=4)
    axes[0].set(xlabel="workers", ylabel="photos a second, whole pipeline", title="How fast")
    axes[0].set_ylim(0, 1.15 * max(rates))
    axes[0].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    for axis, workers in zip(axes[1:], some, strict=True):
        pipeline = pipelines[workers]
        place, start = -np.arange(len(pipeline)), np.zeros(len(pipeline))
        for name, color in COLORS.items():
            axis.barh(place, 100 * pipeline[name], left=start, color=color, height=0.6, label=name)
            start = start + 100 * pipeline[name]
        names = [short(each) if workers == some[0] else "" for each in pipeline.index]
        axis.set_yticks(place, names)
        axis.set(xlabel="% of its time", xlim=(0, 100))
        axis.set_title(f"{workers} worker{'' if workers == 1 else 's'}")
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper right", ncols=len(labels), fontsize=8, labelcolor=MUTED
    )
    return figure
