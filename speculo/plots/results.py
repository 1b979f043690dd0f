"""What a model draws of people whom it has not seen."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from speculo.pairs import Pairs, as_image, examples
from speculo.plots import style
from speculo.plots.style import face_rows, short


def drawings(
    pairs: Pairs, outputs: Mapping[str, np.ndarray], count: int = 10, *, title: str = ""
) -> Figure:
    """Show held-out faces in rows of ten, with what predictors draw of them and the target below.

    Parameters
    ----------
    pairs : Pairs
    outputs : mapping
        Name of each predictor to what it draws of all of `pairs`: float32
        (n, height, width, 1).
    count : int
        How many faces, chosen by ``pairs.examples``.
    """
    shown = examples(pairs, count)
    images = pairs.faces.images
    rows, labels = [], []
    for part in np.array_split(shown, -(-len(shown) // 10)):
        drawn = (as_image(each[part]) for each in outputs.values())
        rows += [images[pairs.input[part]], *drawn, images[pairs.target[part]]]
        labels += ["input", *outputs, "target"]
    return face_rows(rows, labels, gap_every=2 + len(outputs), title=title)


def one_prediction(pairs: Pairs, outputs: np.ndarray, place: int, *, title: str = "") -> Figure:
    """Show one face in large: input, prediction, target."""
    images = pairs.faces.images
    shown = {
        "input": images[pairs.input[place]],
        "prediction": as_image(outputs[place : place + 1])[0],
        "target: the front": images[pairs.target[place]],
    }
    figure, axes = style.figure(7.5, 2.7, columns=3)
    for axis, (caption, image) in zip(axes, shown.items(), strict=True):
        axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        axis.set_title(caption, loc="center")
        axis.axis("off")
    style.subtitle(figure, title)
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
        labels += [f"{short(name, 30)}  {errors.loc[name, 'MSE']:.4f}", "predictions"]
    return face_rows(rows, labels, title=title)
