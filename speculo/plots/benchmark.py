"""Errors on drawn heads by how far they are turned."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, PercentFormatter

from speculo.plots import style


def by_turn(table: pd.DataFrame, predictors: dict[str, str]) -> Figure:
    """Draw MSE and rank-1 of some predictors over the bins of ``|yaw|``.

    Parameters
    ----------
    table : pandas.DataFrame
        Of one level: what ``benchmark.of_level`` returned.
    predictors : dict
        Name in the table to the label in the figure.
    """
    table = table[table["|yaw|"] != "all"]
    figure, axes = style.figure(11, 3.6, columns=2)
    bins = list(table["|yaw|"].unique())
    for axis, value in zip(axes, ("MSE", "rank-1"), strict=True):
        for color, (name, each) in zip(style.PREDICTORS, predictors.items(), strict=False):
            values = table[table["predictor"] == name].set_index("|yaw|")[value].reindex(bins)
            if values.notna().all():
                axis.plot(bins, values, "o-", color=color, markersize=4, label=style.short(each))
        axis.set(xlabel="|yaw|, degrees")
    axes[0].set(title="MSE: less is better", yscale="log")  # v8 is ten times the others
    axes[0].yaxis.set_major_formatter(FormatStrFormatter("%.3f"))
    axes[0].yaxis.set_minor_formatter(FormatStrFormatter("%.3f"))
    axes[0].tick_params(axis="y", which="both", labelsize=8)
    axes[1].set(title="Recognised among all fronts: more is better", ylim=(0, None))
    axes[1].yaxis.set_major_formatter(PercentFormatter(1))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=3, frameon=False
    )
    return figure
