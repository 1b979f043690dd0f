"""Contact sheets of drawn heads: people who do not exist."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from speculo.faces import FaceSet
from speculo.plots import style
from speculo.plots.style import face_rows, show_rows


def heads_fronts(images: np.ndarray, *, columns: int = 10) -> Figure:
    """Show many faces in a grid: uint8 (n, height, width)."""
    rows = [images[start : start + columns] for start in range(0, len(images), columns)]
    return face_rows(rows, [""] * len(rows), gap_every=len(rows))


def heads_levels(levels: Mapping[str, FaceSet], *, people: int = 5, photos: int = 4) -> Figure:
    """Show the same people at several levels: a block for each, a row for each person.

    Parameters
    ----------
    levels : dict
        Title to heads of that level. Their people are the same.
    people, photos : int
        How many people, and photos of each, from left to right. Fronts are left out.
    """
    figure, axes = style.figure(
        0.85 * photos * len(levels) + 1.2, 0.9 * people + 0.4, columns=len(levels)
    )
    for number, (axis, (title, faces)) in enumerate(zip(axes, levels.items(), strict=True)):
        rows = []
        for person in range(people):
            mine = np.flatnonzero(faces.person == person)
            mine = np.setdiff1d(mine, faces.front)[:photos]
            rows.append(faces.images[mine[np.argsort(faces.pose[mine, 0])]])
        show_rows(axis, rows, faces.names[:people] if number == 0 else [""] * people)
        axis.set_title(style.short(title))
    return figure
