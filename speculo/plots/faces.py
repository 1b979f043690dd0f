"""The faces of a dataset, before any training."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from speculo.faces import FaceSet
from speculo.pairs import Split, examples
from speculo.plots import style
from speculo.plots.style import CHOSEN, ENCODER, GAP, face_columns, face_rows, short, show_rows


def dataset(split: Split, count: int = 10) -> Figure:
    """Show inputs and targets of both sides: rows x_train, y_train, x_test, y_test, as on the card.

    A face in a row of targets is the front of the person above it.
    """
    rows = _dataset_rows(split, count)
    return face_rows(list(rows.values()), list(rows))


def printed_dataset(split: Split, count: int = 10) -> Figure:
    """Show inputs and targets as the published picture had them: x_test in the row named y_train."""
    rows = _dataset_rows(split, count)
    rows["y_train"] = rows["x_test"]
    return face_rows(list(rows.values()), list(rows))


def _dataset_rows(split: Split, count: int) -> dict[str, np.ndarray]:
    rows = {}
    for side, each in (("train", split.train), ("test", split.test)):
        images, shown = each.faces.images, examples(each, count)
        rows[f"x_{side}"] = images[each.input[shown]]
        rows[f"y_{side}"] = images[each.target[shown]]
    return rows


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
    figure, axes = style.figure(5.3 * columns, 0.5 * half + 0.2, columns=columns, squeeze=False)
    for column, axis in enumerate(axes[0]):
        shown = range(column * half, min((column + 1) * half, people))
        rows = []
        for row, number in enumerate(shown):
            index = np.flatnonzero(faces.person == number)
            chosen = front[index[0]]
            index = np.union1d(np.setdiff1d(index, chosen)[: photos - 1], chosen)
            rows.append(faces.images[index])
            # inside of its photo: between two photos a frame would seem to be of both
            left = np.flatnonzero(index == chosen)[0] * (width + GAP) + 0.5
            top = row * (height + GAP) + 0.5
            axis.add_patch(
                Rectangle((left, top), width - 2, height - 2, fill=False, color=CHOSEN, linewidth=2)
            )
        show_rows(axis, rows, [short(faces.names[number], 20) for number in shown])
    return figure


def photos_per_person(faces: FaceSet) -> Figure:
    """Draw how many people have how many photos, beside the brightness of each person's photos."""
    figure, (left, right) = style.figure(10, 2.8, columns=2, width_ratios=(1, 2))
    counts = np.bincount(faces.person)
    many, people = np.unique(counts, return_counts=True)
    left.bar(many, people, color=ENCODER, width=0.8)
    left.set(xlabel="photos", ylabel="people", title="Photos per person")
    left.set_xlim(0, counts.max() + 1)
    for axis in (left.xaxis, left.yaxis, right.xaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    brightness = faces.images.reshape(len(faces), -1).mean(axis=1)
    size = 4 if len(faces) > 60 else 8
    right.plot(faces.person + 1, brightness, ".", color=ENCODER, alpha=0.5, markersize=size)
    right.set(xlabel="person", ylabel="mean grey, 0..255", title="Brightness of each photo")
    return figure


def poses(faces: FaceSet) -> Figure:
    """Draw how the heads are turned: a histogram each of yaw, pitch and roll, in degrees."""
    known = faces.pose[np.isfinite(faces.pose).all(axis=1)]
    figure, axes = style.figure(10, 2.4, columns=3, sharey=True)
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
    rows = {}
    for number in shown:
        mine = np.flatnonzero(faces.person == number)
        # of photos equally near in yaw, the one with the least pitch and roll
        distance = nearest[mine] + 0.1 * np.abs(faces.pose[mine, 1:]).sum(axis=1, keepdims=True)
        distance = np.where(nearest[mine] <= 15, distance, np.inf)
        row = faces.images[mine[distance.argmin(axis=0)]]
        row[~np.isfinite(distance.min(axis=0))] = 255
        rows[faces.names[number]] = row
    return face_columns(rows, [f"{yaw}°" for yaw in yaws])
