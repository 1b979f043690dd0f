"""The figures of the book. Every function returns a matplotlib Figure and shows nothing."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from speculo import model as models
from speculo.backend import keras
from speculo.faces import FaceSet
from speculo.pairs import Pairs, Split, as_image, examples

STYLE = {
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
}
"""The style of the whole book. It is set when this module is loaded."""

plt.rcParams.update(STYLE)

ENCODER, LATENT, DECODER = "#3b6ea5", "#d9822b", "#4a8c5f"
PARTS = {"encoder": ENCODER, "latent": LATENT, "decoder": DECODER}
MUTED = "#888888"
CHOSEN = "#e8590c"

GAP = 2
"""White pixels between the faces of a grid."""


def dataset(pairs: Split, count: int = 10) -> Figure:
    """Show inputs and targets of both sides: rows x_train, y_train, x_test, y_test, as on the card.

    A face in a row of targets is the front of the person above it.
    """
    rows, labels = [], []
    for side, each in (("train", pairs.train), ("test", pairs.test)):
        images = each.faces.images
        shown = examples(each, count)
        rows += [images[each.input[shown]], images[each.target[shown]]]
        labels += [f"x_{side}", f"y_{side}"]
    return _face_rows(rows, labels)


def fronts(faces: FaceSet, front: np.ndarray, *, people: int = 40, photos: int = 10) -> Figure:
    """Show the photos of each person in a row, and frame the one chosen as the front.

    Parameters
    ----------
    faces : FaceSet
    front : numpy.ndarray
        What ``pairs.fronts(faces)`` returned.
    people, photos : int
        At most so many people, and photos of each. A front is always among them.
    """
    people = min(people, len(faces.names))
    columns = 2 if people > 10 else 1
    half = -(-people // columns)
    height, width = faces.images.shape[1:]
    figure, axes = plt.subplots(
        1, columns, figsize=(5.3 * columns, 0.5 * half + 0.2), squeeze=False
    )
    plt.close(figure)
    for column, axis in enumerate(axes[0]):
        shown = range(column * half, min((column + 1) * half, people))
        rows = []
        for row, number in enumerate(shown):
            index = np.flatnonzero(faces.person == number)
            chosen = front[index[0]]
            index = np.union1d(np.setdiff1d(index, chosen)[: photos - 1], chosen)
            rows.append(faces.images[index])
            corner = np.array(
                [np.flatnonzero(index == chosen)[0] * (width + GAP), row * (height + GAP)]
            )
            axis.add_patch(
                Rectangle(
                    corner - 1.5, width + 2, height + 2, fill=False, color=CHOSEN, linewidth=2
                )
            )
        _show_rows(axis, rows, [faces.names[number] for number in shown])
        axis.set_xlim(axis.get_xlim()[0] - 2, axis.get_xlim()[1] + 2)  # room for the frames
        axis.set_ylim(axis.get_ylim()[0] + 2, axis.get_ylim()[1] - 2)
    return figure


def output_range(targets: np.ndarray, outputs: np.ndarray) -> Figure:
    """Draw how the target pixels are distributed, and mark the darkest output.

    Parameters
    ----------
    targets, outputs : numpy.ndarray
        Pixels in 0..1, any shape.
    """
    figure, axis = plt.subplots(figsize=(7, 2.8))
    plt.close(figure)
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


def photos_per_person(faces: FaceSet) -> Figure:
    """Draw how many people have how many photos, beside the brightness of each person's photos."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.8), width_ratios=(1, 2))
    plt.close(figure)
    counts = np.bincount(faces.person)
    many, people = np.unique(counts, return_counts=True)
    left.bar(many, people, color=ENCODER, width=0.8)
    left.set(xlabel="photos", ylabel="people", title="Photos per person")
    left.set_xlim(0, counts.max() + 1)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    brightness = faces.images.reshape(len(faces), -1).mean(axis=1)
    right.plot(faces.person + 1, brightness, ".", color=ENCODER, alpha=0.5, markersize=4)
    right.set(xlabel="person", ylabel="mean grey, 0..255", title="Brightness of each photo")
    return figure


def poses(faces: FaceSet) -> Figure:
    """Draw how the heads are turned: a histogram each of yaw, pitch and roll, in degrees."""
    known = faces.pose[np.isfinite(faces.pose).all(axis=1)]
    figure, axes = plt.subplots(1, 3, figsize=(10, 2.4), sharey=True)
    plt.close(figure)
    for axis, name, values in zip(axes, ("yaw", "pitch", "roll"), known.T, strict=True):
        axis.hist(values, np.arange(-97.5, 98, 15), color=ENCODER, rwidth=0.9)
        axis.set(xlabel=f"{name}, degrees", xticks=range(-90, 91, 45))
    axes[0].set_ylabel("photos")
    return figure


def by_yaw(faces: FaceSet, *, people: int = 6) -> Figure:
    """Show some people turning: for each the photo nearest to each yaw, 15 degrees off at most.

    Parameters
    ----------
    faces : FaceSet
        With poses; photos without one are left out.
    people : int
        At most so many, those with the most different yaws.
    """
    yaws = np.arange(-90, 91, 30)
    nearest = np.abs(faces.pose[:, :1] - yaws)  # NaN compares as not near
    seen = [len(set(nearest[faces.person == n].argmin(1))) for n in range(len(faces.names))]
    shown = np.sort(np.argsort(seen, kind="stable")[::-1][:people])
    rows = []
    for number in shown:
        mine = np.flatnonzero(faces.person == number)
        # of photos equally near in yaw, the one with the least pitch and roll
        distance = nearest[mine] + 0.1 * np.abs(faces.pose[mine, 1:]).sum(axis=1, keepdims=True)
        distance = np.where(nearest[mine] <= 15, distance, np.inf)
        row = faces.images[mine[distance.argmin(axis=0)]]
        row[~np.isfinite(distance.min(axis=0))] = 255
        rows.append(row)
    figure = _face_rows(rows, [faces.names[number] for number in shown], gap_every=len(rows))
    axis = figure.axes[0]
    width = faces.images.shape[2]
    axis.set_xticks(np.arange(len(yaws)) * (width + GAP) + width / 2, [f"{yaw}°" for yaw in yaws])
    return figure


def model_graph(model: keras.Model) -> Figure:
    """Draw a model on one page: a box for each picture or vector that flows through it.

    A box is as high as the picture is wide, and as wide as it has channels
    (both on a logarithmic scale). Colours tell encoder, latent and decoder apart; batch
    normalisation and dropout change no shape and stand as letters under the
    box, below the activation.
    """
    boxes: list[dict] = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization | keras.layers.Dropout):
            boxes[-1]["extras"] += (
                "B" if isinstance(layer, keras.layers.BatchNormalization) else "D"
            )
            boxes[-1]["parameters"] += layer.count_params()
        else:
            boxes.append({"layer": layer, "extras": "", "parameters": layer.count_params()})

    figure, axis = plt.subplots(figsize=(14, 6.6))
    plt.close(figure)
    step = 1.25
    edge = 0.0  # right side of the box before
    for place, box in enumerate(boxes):
        layer, shape = box["layer"], tuple(box["layer"].output.shape[1:])
        side, channels = (shape[0], shape[-1]) if len(shape) == 3 else (1, shape[-1])
        height = 0.7 + 0.75 * math.log2(side)
        width = 0.16 + 0.07 * math.log2(channels)
        if len(shape) == 1:  # a vector stands upright
            height, width = 0.7 + 0.25 * math.log2(channels), 0.22
        x = place * step
        color = PARTS[models.part(layer, model)]
        axis.add_patch(
            Rectangle(
                (x - width / 2, -height / 2), width, height, facecolor=color, edgecolor="white"
            )
        )
        if place:
            axis.annotate(
                "",
                (x - width / 2 - 0.03, 0),
                (edge + 0.03, 0),
                arrowprops={"arrowstyle": "-|>", "color": MUTED, "shrinkA": 0, "shrinkB": 0},
            )
        edge = x + width / 2
        axis.text(x, 2.5, layer.name, rotation=60, ha="left", va="bottom", fontsize=9, color=color)
        size = f"{shape[0]}×{shape[1]}\n×{channels}" if len(shape) == 3 else f"{channels}"
        axis.text(x, -2.55, size, ha="center", va="top", fontsize=9, linespacing=1.1)
        activation = getattr(layer, "activation", None)
        if activation not in (None, keras.activations.linear):
            word = {"relu": "ReLU"}.get(activation.__name__, activation.__name__)
            axis.text(x, -3.3, word, ha="center", va="top", fontsize=8, color=color)
        if box["parameters"]:
            axis.text(
                x, -4.15, f"{box['parameters']:,}", ha="center", va="top", fontsize=8, rotation=60
            )
        if box["extras"]:
            axis.text(x, -3.68, box["extras"], ha="center", va="top", fontsize=8, color=MUTED)
    left = -1.0 * step
    for y, text in ((-2.55, "shape"), (-3.3, "activation"), (-4.15, "parameters")):
        axis.text(left, y, text, ha="right", va="top", fontsize=9, color=MUTED)
    for part, color in PARTS.items():
        places = [i for i, box in enumerate(boxes) if models.part(box["layer"], model) == part]
        axis.plot(
            [places[0] * step - 0.4, places[-1] * step + 0.4], [-5.5, -5.5], color=color, lw=3
        )
        axis.text(
            (places[0] + places[-1]) * step / 2, -5.65, part, ha="center", va="top", color=color
        )
    axis.text(
        left - 0.4,
        -6.45,
        f"{model.name}: {model.count_params():,} parameters. "
        "B batch normalisation, D dropout after the layer; their parameters are counted with it.",
        fontsize=9,
        va="top",
    )
    axis.set_xlim(left - 1.2, (len(boxes) - 1) * step + 2.4)
    axis.set_ylim(-6.95, 5.2)
    axis.axis("off")
    return figure


def costs(model: keras.Model) -> Figure:
    """Draw where the parameters and the arithmetic are: a bar for each convolution and dense layer.

    Arithmetic is that of one forward pass for one image, in GFLOP (two for
    each multiply-add).
    """
    multiplications = models.multiplications(model)
    layers = [layer for layer in model.layers if layer.name in multiplications]
    names = [layer.name for layer in layers]
    colors = [PARTS[models.part(layer, model)] for layer in layers]
    sides = {
        "Parameters (millions)": [layer.count_params() / 1e6 for layer in layers],
        "Arithmetic, forward (GFLOP)": [multiplications[name] * 2e-9 for name in names],
    }
    figure, axes = plt.subplots(1, 2, figsize=(10, 0.24 * len(layers) + 0.8), sharey=True)
    plt.close(figure)
    for axis, (title, values) in zip(axes, sides.items(), strict=True):
        bars = axis.barh(names, values, color=colors)
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
    figure, axis = plt.subplots(figsize=(7, 2.8))
    plt.close(figure)
    relative = np.maximum(values / values[0], 1e-12)
    axis.semilogy(np.arange(1, len(values) + 1), relative, ".", color=LATENT, markersize=4)
    axis.axvline(rank + 0.5, color=MUTED, linestyle="--")
    axis.annotate(
        f"rank {rank}", (rank + 0.5, 1), (6, -4), textcoords="offset points", color=MUTED, va="top"
    )
    axis.set(xlabel="number", ylabel="singular value / largest")
    return figure


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
    figure, axis = plt.subplots(figsize=(8.5, 4))
    plt.close(figure)
    epochs = history["epoch"]
    # The first epochs can be far off while batch normalisation warms up: they may leave the top.
    losses = [history["loss"].max(), history["val_loss"].median()] if len(history) else [0.1]
    top = 1.15 * max(*losses, *(levels or {"": 0.0}).values())
    for column, label, color in (("loss", "train", ENCODER), ("val_loss", "test", LATENT)):
        axis.plot(epochs, history[column], "o-", label=label, color=color, markersize=4)
    axis.legend(loc="upper right")
    # Levels can lie close together: their names stand on the right, moved apart.
    place = -np.inf
    for name, level in sorted((levels or {}).items(), key=lambda item: item[1]):
        place = max(level, place + 0.055 * top)
        axis.axhline(level, color=MUTED, linewidth=1, linestyle="--")
        axis.annotate(
            f"{name}  {level:.4f}",
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
    axis.set(xlabel="epoch", ylabel="loss", title=title)
    return figure


def predictions(pairs: Pairs, outputs: np.ndarray, count: int = 20, *, title: str = "") -> Figure:
    """Show held-out faces in two rows of ten, with prediction and target under each.

    Parameters
    ----------
    pairs : Pairs
    outputs : numpy.ndarray
        float32 (n, height, width, 1): the predictions for all of `pairs`.
    count : int
        How many faces, chosen by ``pairs.examples``.
    """
    shown = examples(pairs, count)
    images = pairs.faces.images
    rows, labels = [], []
    for part in np.array_split(shown, -(-len(shown) // 10)):
        rows += [images[pairs.input[part]], as_image(outputs[part]), images[pairs.target[part]]]
        labels += ["input", "prediction", "target"]
    return _face_rows(rows, labels, gap_every=3, title=title)


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
    return _face_rows(rows, labels, gap_every=len(rows))


def one_prediction(pairs: Pairs, outputs: np.ndarray, place: int, *, title: str = "") -> Figure:
    """Show one face in large: input, prediction, target."""
    images = pairs.faces.images
    shown = {
        "input": images[pairs.input[place]],
        "prediction": as_image(outputs[place : place + 1])[0],
        "target: the front": images[pairs.target[place]],
    }
    figure, axes = plt.subplots(1, 3, figsize=(7.5, 2.7))
    plt.close(figure)
    for axis, (label, image) in zip(axes, shown.items(), strict=True):
        axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        axis.set_title(label, loc="center")
        axis.axis("off")
    figure.suptitle(title, fontsize=10, color=MUTED)
    return figure


def extremes(
    pairs: Pairs, outputs: np.ndarray, errors: pd.DataFrame, count: int = 2, *, title: str = ""
) -> Figure:
    """Show the people with the smallest and the largest error: inputs and predictions, then the front.

    Parameters
    ----------
    pairs : Pairs
    outputs : numpy.ndarray
        The predictions for all of `pairs`.
    errors : pandas.DataFrame
        What ``evaluation.by_person`` returned: best first.
    count : int
        People from each end.
    """
    names = list(errors.index)
    ends = names[:count] + [name for name in names[-count:] if name not in names[:count]]
    rows, labels = [], []
    images = pairs.faces.images
    for name in ends:
        place = np.flatnonzero(pairs.person == pairs.faces.names.index(name))[:9]
        front = images[pairs.target[place[:1]]]
        blank = np.full_like(front, 255)
        rows += [
            np.concatenate([images[pairs.input[place]], front]),
            np.concatenate([as_image(outputs[place]), blank]),
        ]
        labels += [f"{name}  {errors.loc[name, 'MSE']:.4f}", "predictions"]
    return _face_rows(rows, labels, title=title)


def _face_rows(
    rows: Sequence[np.ndarray], labels: Sequence[str], gap_every: int = 2, title: str = ""
) -> Figure:
    """Draw rows of faces with a label before each, and more space after every `gap_every` rows."""
    height, width = rows[0].shape[1:]
    columns = max(len(row) for row in rows)
    spaces = (len(rows) - 1) // gap_every
    figure, axis = plt.subplots(
        figsize=(0.85 * columns + 1.2, 0.85 * (len(rows) + 0.25 * spaces) * height / width)
    )
    plt.close(figure)
    _show_rows(axis, rows, labels, gap_every)
    axis.set_title(title)
    return figure


def _show_rows(
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
    axis.set_yticks([top + height / 2 for top in tops], labels)
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
