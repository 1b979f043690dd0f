"""One look for the whole book, and rows of faces, which many figures are made of."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, overload

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import NullFormatter

STYLE: dict[Any, object] = {  # matplotlib names each key in its types, which str is too wide for
    "figure.dpi": 100,
    "savefig.dpi": 150,
    "savefig.bbox": "tight",
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "text.parse_math": False,  # a name such as $a_b$ is no formula
    "text.usetex": False,
}
"""The style of the whole book. It is set when this module is loaded."""

plt.rcParams.update(STYLE)

ENCODER, LATENT, DECODER = "#1d56b0", "#cf840d", "#4fa35f"
PARTS = {"encoder": ENCODER, "latent": LATENT, "decoder": DECODER}
CHOSEN, PLUM = "#b23a18", "#6d3a74"
MUTED, PALE, INK = "#767676", "#d0d0d0", "#222222"

SERIES = (ENCODER, LATENT, DECODER, PLUM, CHOSEN, MUTED, INK)
"""Colours of curves, in turn. They are told apart by all eyes, also by colour-blind ones."""

CONTRASTS = (ENCODER, CHOSEN, DECODER, LATENT)
"""Colours of experiments, in turn: the second is the suspect."""

PREDICTORS = (LATENT, DECODER, ENCODER, PLUM, MUTED, INK)
"""Colours of predictors, in turn: the model comes first, and v8 as published last."""

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

GAP = 2
"""White pixels between the faces of a grid."""


@overload
def figure(width: float, height: float) -> tuple[Figure, Axes]: ...


@overload
def figure(
    width: float, height: float, *, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, Any]: ...


def figure(
    width: float, height: float, *, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """Make a figure with axes that pyplot does not keep: nothing is shown twice, and none piles up.

    Parameters
    ----------
    width, height : float
        Inches.
    rows, columns : int
        Of axes.
    **options
        For ``matplotlib.figure.Figure.subplots``.

    Returns
    -------
    tuple
        The figure and what ``subplots`` returned: one Axes, or an array of them.
    """
    made = blank(width, height)
    return made, made.subplots(rows, columns, **options)


def blank(width: float, height: float) -> Figure:
    """Make a figure of so many inches without axes, that pyplot does not keep."""
    made = plt.figure(figsize=(width, height))
    plt.close(made)
    return made


def short(name: str, most: int = 40) -> str:
    """Make a name fit into a figure: one line, cut in its middle, what the font lacks as a box.

    Whatever comes from a file's or folder's name passes through here: names of
    people, datasets and runs, and titles with such names in them.
    """
    font = font_manager.get_font(font_manager.findfont(FontProperties()))
    line = "".join(" " if sign.isspace() else sign for sign in name)
    line = "".join(sign if font.get_char_index(ord(sign)) else "□" for sign in line)
    if len(line) > most:
        end = most // 3
        line = f"{line[: most - end - 1]}…{line[-end:]}"
    return f" {line}" if line.startswith("_") else line  # matplotlib hides labels such as _a


def subtitle(figure: Figure, title: str) -> None:
    """Write a title for a whole figure, in small grey letters above it."""
    figure.suptitle(short(title, 100), fontsize=10, color=MUTED)


def decades(axis: Axis) -> None:
    """Write the powers of ten at a logarithmic axis in plain characters, as no text is a formula."""

    def power(value: float, _) -> str:
        return "10" + str(round(math.log10(value))).translate(SUPERSCRIPTS)

    axis.set_major_formatter(power)
    axis.set_minor_formatter(NullFormatter())


def face_rows(
    rows: Sequence[np.ndarray], labels: Sequence[str], gap_every: int = 2, title: str = ""
) -> Figure:
    """Draw rows of faces with a label before each, and more space after every `gap_every` rows."""
    height, width = rows[0].shape[1:]
    columns = max(len(row) for row in rows)
    spaces = (len(rows) - 1) // gap_every
    longest = max(len(short(each)) for each in labels)
    title = short(title, 100)
    wide = 0.4 * columns, 0.085 * len(title)  # few faces, with long names or below a long title
    drawn, axis = figure(
        max(0.85 * columns + 1.2, max(wide) + 0.09 * longest),
        0.85 * (len(rows) + 0.25 * spaces) * height / width + 0.3 * (len(rows) < 5),
    )
    show_rows(axis, rows, labels, gap_every)
    axis.set_anchor("W")
    axis.set_title(title)
    return drawn


def face_columns(rows: Mapping[str, np.ndarray], captions: Sequence[str]) -> Figure:
    """Show rows of faces, all of one length, with a caption under each column.

    Parameters
    ----------
    rows : mapping
        Label to uint8 (n, height, width).
    captions : sequence of str
        (n,): of the columns.
    """
    drawn = face_rows(list(rows.values()), list(rows), gap_every=len(rows))
    width = next(iter(rows.values())).shape[2]
    places = np.arange(len(captions)) * (width + GAP) + width / 2
    drawn.axes[0].set_xticks(places, [short(caption, 12) for caption in captions])
    return drawn


def show_rows(
    axis: Axes, rows: Sequence[np.ndarray], labels: Sequence[str], gap_every: int | None = None
) -> None:
    """Put rows of uint8 faces (m, height, width) into one white picture and show it 0..255."""
    height, width = rows[0].shape[1:]
    columns = max(len(row) for row in rows)
    space = height // 4
    tops = [
        row * (height + GAP) + (row // gap_every * space if gap_every else 0)
        for row in range(len(rows))
    ]
    picture = np.full((tops[-1] + height, columns * (width + GAP) - GAP), 255, dtype=np.uint8)
    for top, row in zip(tops, rows, strict=True):
        for column, face in enumerate(row):
            left = column * (width + GAP)
            picture[top : top + height, left : left + width] = face
    axis.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axis.set_yticks([top + height / 2 for top in tops], [short(each) for each in labels])
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
