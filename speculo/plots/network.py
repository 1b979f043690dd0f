"""A network before any training: its layers, its cost, its limits."""

import math
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from speculo import model as models
from speculo.backend import keras
from speculo.plots import style
from speculo.plots.style import (
    CHOSEN,
    ENCODER,
    LATENT,
    MUTED,
    PARTS,
    short,
)


def output_range(targets: np.ndarray, outputs: np.ndarray) -> Figure:
    """Draw how the target pixels are distributed, and mark the darkest output.

    Parameters
    ----------
    targets, outputs : numpy.ndarray
        Pixels in 0..1, any shape.
    """
    figure, axis = style.figure(7, 2.8)
    darkest = float(outputs.min())
    edges = (np.arange(0, 257, 8) - 0.5) / 255  # eight of the 256 greys in a bar
    heights, _ = np.histogram(targets, edges)
    share = heights / heights.sum()
    reached = edges[:-1] > darkest - 4 / 255
    for part, color, label in (
        (reached, ENCODER, "target pixels within reach"),
        (~reached, CHOSEN, "target pixels that are too dark"),
    ):
        axis.bar(edges[:-1][part], share[part], 8 / 255, align="edge", color=color, label=label)
    axis.axvline(darkest, color="black", linewidth=1)
    axis.annotate(
        f"darkest output {darkest:.3f}",
        (darkest, 1),
        (5, -2),
        va="top",
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        fontsize=9,
    )
    axis.set(xlabel="pixel, 0 black to 1 white", ylabel="share", xlim=(0, 1))
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.margins(y=0.15)
    axis.legend(fontsize=8, loc="upper left")
    return figure


class _Box(NamedTuple):
    """A layer that makes a new picture or vector, with what batch norm and dropout add to it."""

    layer: keras.layers.Layer
    part: str
    name: str
    activation: str
    extras: str
    parameters: int


def model_graph(model: keras.Model) -> Figure:
    """Draw a model on one page: a box for each picture or vector that flows through it.

    A box is as high as the picture is wide, and as wide as it has channels
    (both on a logarithmic scale). Colours tell encoder, latent and decoder apart; batch
    normalisation and dropout change no shape and stand as letters under the
    box, below the activation.
    """
    boxes = _boxes(model)
    figure, axis = style.figure(14, 6.6)
    edge = None  # right side of the box before
    for place, box in enumerate(boxes):
        edge = _draw_box(axis, box, place * _STEP, edge)
    left = -1.0 * _STEP
    for y, text in ((-2.55, "shape"), (-3.3, "activation"), (-4.15, "parameters")):
        axis.text(left, y, text, ha="right", va="top", fontsize=9, color=MUTED)
    for part, color in PARTS.items():
        places = [place * _STEP for place, box in enumerate(boxes) if box.part == part]
        first, last = places[0], places[-1]
        axis.plot([first - 0.4, last + 0.4], [-5.5, -5.5], color=color, lw=3)
        axis.text((first + last) / 2, -5.65, part, ha="center", va="top", color=color)
    axis.text(
        left - 0.4,
        -6.45,
        f"{short(model.name)}: {model.count_params():,} parameters. "
        "B batch normalisation, D dropout after the layer; their parameters are counted with it.",
        fontsize=9,
        va="top",
    )
    axis.set_xlim(left - 1.2, (len(boxes) - 1) * _STEP + 2.4)
    axis.set_ylim(-6.95, 5.2)
    axis.axis("off")
    return figure


_STEP = 1.25  # from one box to the next


def _boxes(model: keras.Model) -> list[_Box]:
    boxes: list[_Box] = []
    blocks = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization | keras.layers.Dropout):
            letter = "B" if isinstance(layer, keras.layers.BatchNormalization) else "D"
            box = boxes.pop()
            parameters = box.parameters + layer.count_params()
            boxes.append(box._replace(extras=box.extras + letter, parameters=parameters))
        elif isinstance(layer, keras.layers.Activation) and layer is not model.layers[-1]:
            boxes.append(boxes.pop()._replace(layer=layer, activation=_word(layer)))
        elif isinstance(layer, keras.layers.Add):  # all since the way forked is one block
            blocks += 1
            inner = []
            while not _forks(boxes[-1].layer, model):
                inner.append(boxes.pop())
            parameters = sum(box.parameters for box in inner)
            part = models.part(layer, model)
            boxes.append(_Box(layer, part, f"block_{blocks}", "", "B", parameters))
        else:
            part = models.part(layer, model)
            boxes.append(_Box(layer, part, layer.name, _word(layer), "", layer.count_params()))
    return boxes


def _forks(layer: keras.layers.Layer, model: keras.Model) -> bool:
    """Whether several layers take what a layer gives."""
    taken = (each.input for each in model.layers)
    lists = (each if isinstance(each, list) else [each] for each in taken)
    return sum(any(given is layer.output for given in each) for each in lists) > 1


def _word(layer: keras.layers.Layer) -> str:
    """Name of a layer's activation, or nothing."""
    activation = getattr(layer, "activation", None)
    if activation in (None, keras.activations.linear):
        return ""
    return {"relu": "ReLU"}.get(activation.__name__, activation.__name__)


def _draw_box(axis: Axes, box: _Box, x: float, edge: float | None) -> float:
    """Draw a box around `x` with its texts, and an arrow from `edge`; return its right side."""
    color, shape = PARTS[box.part], tuple(box.layer.output.shape[1:])
    side, channels = (shape[0], shape[-1]) if len(shape) == 3 else (1, shape[-1])
    height = 0.7 + 0.75 * math.log2(side)
    width = 0.16 + 0.07 * math.log2(channels)
    if len(shape) == 1:  # a vector stands upright
        height, width = 0.7 + 0.25 * math.log2(channels), 0.22
    corner = (x - width / 2, -height / 2)
    axis.add_patch(Rectangle(corner, width, height, facecolor=color, edgecolor="white"))
    if edge is not None:
        arrow = {"arrowstyle": "-|>", "color": MUTED, "shrinkA": 0, "shrinkB": 0}
        axis.annotate("", (x - width / 2 - 0.03, 0), (edge + 0.03, 0), arrowprops=arrow)
    name: dict[str, Any] = {"rotation": 60, "ha": "left", "va": "bottom", "fontsize": 9}
    axis.text(x, 2.5, short(box.name), **name, color=color)
    size = f"{shape[0]}×{shape[1]}\n×{channels}" if len(shape) == 3 else f"{channels}"
    below: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 8}
    axis.text(x, -2.55, size, **below | {"fontsize": 9}, linespacing=1.1)
    if box.activation:
        axis.text(x, -3.3, box.activation, **below, color=color)
    if box.parameters:
        axis.text(x, -4.15, f"{box.parameters:,}", **below, rotation=60)
    if box.extras:
        axis.text(x, -3.68, box.extras, **below, color=MUTED)
    return x + width / 2


def costs(model: keras.Model) -> Figure:
    """Draw where the parameters and the arithmetic are: a bar for each convolution and dense layer.

    Arithmetic is that of one forward pass for one image, in GFLOP (two for
    each multiply-add).
    """
    multiplications = models.multiplications(model)
    layers = [layer for layer in model.layers if layer.name in multiplications]
    names = [short(layer.name) for layer in layers]
    colors = [PARTS[models.part(layer, model)] for layer in layers]
    sides = {
        "Parameters (millions)": [layer.count_params() / 1e6 for layer in layers],
        "Arithmetic, forward (GFLOP)": [multiplications[layer.name] * 2e-9 for layer in layers],
    }
    figure, axes = style.figure(10, 0.24 * len(layers) + 0.8, columns=2, sharey=True)
    for axis, (title, values) in zip(axes, sides.items(), strict=True):
        bars = axis.barh(range(len(names)), values, color=colors)
        axis.set_yticks(range(len(names)), names)
        share = [
            f"{value / sum(values):.0%}" if value / sum(values) >= 0.01 else "" for value in values
        ]
        axis.bar_label(bars, share, padding=3, fontsize=8, color=MUTED)
        axis.set_title(title)
        axis.margins(x=0.12)
        axis.grid(axis="y", visible=False)
        axis.tick_params(axis="y", labelsize=8, length=0)
    axes[0].invert_yaxis()
    return figure


def singular_values(values: np.ndarray, *, rank: int) -> Figure:
    """Draw singular values from large to small on a logarithmic scale, and mark a rank."""
    figure, axis = style.figure(7, 2.8)
    relative = np.maximum(values / values[0], 1e-12)
    axis.semilogy(np.arange(1, len(values) + 1), relative, ".", color=LATENT, markersize=4)
    style.decades(axis.yaxis)
    axis.axvline(rank + 0.5, color=MUTED, linestyle="--")
    axis.annotate(
        f"rank {rank}", (rank + 0.5, 1), (6, -4), textcoords="offset points", color=MUTED, va="top"
    )
    axis.set(xlabel="number", ylabel="singular value / largest")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
