"""FaceSet: photographs of faces, whose they are, and how they are turned."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from speculo import checks, files

SMALLEST, LARGEST = 32, 1024
"""Smallest and largest allowed side of an image in pixels. The card's models take the smallest."""

_SAID = ("skipped", "remarks")  # pairs of a path and what is said of it


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Faces in memory, as bytes.

    Attributes
    ----------
    name : str
        The name that it was loaded by, such as ``"orl"``.
    images : numpy.ndarray
        uint8, shape (n, height, width): grey, 0 is black.
    person : numpy.ndarray
        int32, shape (n,): whose face, as an index into `names`.
    names : tuple of str
        One name for each person.
    pose : numpy.ndarray
        float32, shape (n, 3): yaw, pitch, roll in degrees, NaN where unknown.
    origin : numpy.ndarray
        str, shape (n,): the file that each image came from.
    series : numpy.ndarray, optional
        int32, shape (n,): photos of one person that were taken together, such
        as a video or a session, share a number. By default all photos of a
        person do.
    front : numpy.ndarray, optional
        int64, shape (n,): index of the front that somebody chose for an image,
        -1 where nobody did. By default nobody did.
    skipped : tuple of (str, str), optional
        What the source could not use: a path within the dataset, and why.
    remarks : tuple of (str, str), optional
        What should be known of a photo that is used: its path, and a remark,
        such as that there is more than one face in it.

    Raises
    ------
    ValueError
        If shapes or types do not agree, if an angle is infinite, if a person
        has no image, if two have one name, or if a series or a front crosses
        two people.
    """

    name: str
    images: np.ndarray
    person: np.ndarray
    names: tuple[str, ...]
    pose: np.ndarray
    origin: np.ndarray
    series: np.ndarray = None  # type: ignore[assignment]  # never None: filled in below
    front: np.ndarray = None  # type: ignore[assignment]  # the same
    skipped: tuple[tuple[str, str], ...] = ()
    remarks: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        n = len(checks.images("FaceSet.images", self.images))
        if self.series is None:
            object.__setattr__(self, "series", self.person)
        if self.front is None:
            object.__setattr__(self, "front", np.full(n, -1, dtype=np.int64))
        for field, kind, shape in (
            ("person", np.int32, (n,)),
            ("pose", np.float32, (n, 3)),
            ("origin", np.str_, (n,)),
            ("series", np.int32, (n,)),
            ("front", np.int64, (n,)),
        ):
            checks.array(f"FaceSet.{field}", getattr(self, field), kind, shape)
        checks.instance("FaceSet.name", self.name, str)
        if twice := _twins(checks.words("FaceSet.names", self.names)):
            raise ValueError(f"FaceSet.names has {checks.listed(twice)} more than once")
        if np.isinf(self.pose).any():
            raise ValueError("FaceSet.pose holds infinity, expected degrees, or NaN where unknown")
        if not np.array_equal(np.unique(self.person), np.arange(len(self.names))):
            raise ValueError(
                f"FaceSet.person holds {len(np.unique(self.person))} different numbers, expected "
                f"each of 0..{len(self.names) - 1}, one for each of the {len(self.names)} names"
            )
        self._check_series_and_fronts()

    def _check_series_and_fronts(self) -> None:
        if len(self) and self.series.min() < 0:
            raise ValueError(f"FaceSet.series holds {self.series.min()}, expected 0 or above")
        _, first, group = np.unique(self.series, return_index=True, return_inverse=True)
        if not np.array_equal(self.person[first[group]], self.person):
            raise ValueError("FaceSet.series puts photos of two people into one series")
        chosen = np.flatnonzero(self.front != -1)
        front = self.front[chosen]
        if len(front) and not 0 <= front.min() <= front.max() < len(self):
            raise ValueError(f"FaceSet.front needs indices of images (0..{len(self) - 1}), or -1")
        if not np.array_equal(self.person[front], self.person[chosen]):
            raise ValueError("FaceSet.front names a photo of another person as a front")

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width = self.images.shape[1:]
        posed = int(np.count_nonzero(np.isfinite(self.pose).all(axis=1)))
        known = {0: "unknown", len(self): "known"}.get(posed, f"known for {posed}")
        return (
            f"FaceSet({self.name!r}: {len(self)} images of {len(self.names)} people, "
            f"{width} x {height}, pose {known})"
        )

    @property
    def has_pose(self) -> bool:
        """Whether the pose of every image is known."""
        return bool(np.isfinite(self.pose).all())

    def save(self, path: str | Path) -> None:
        """Write everything to one ``.npz`` file, without pickle."""
        files.write_arrays(checks.path("path", path), self.arrays())

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as arrays by name, text among it: what `from_arrays` takes."""
        arrays = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        for said in _SAID:
            arrays[said] = np.array(getattr(self, said), dtype=np.str_).reshape(-1, 2)
        return arrays

    @classmethod
    def open(cls, path: str | Path) -> "FaceSet":
        """Read what `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is truncated, damaged or something else.
        """
        arrays = files.read_arrays(checks.path("path", path))
        every = {field.name for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        if not needed <= set(arrays) <= every:
            raise ValueError(f"{path} holds {sorted(arrays)}, expected a FaceSet: {sorted(every)}")
        try:
            return cls.from_arrays(arrays)
        except (TypeError, IndexError) as error:
            raise ValueError(f"{path} holds no FaceSet ({error})") from error

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "FaceSet":
        """Make a FaceSet of what `arrays` gave. Nothing is copied."""
        values: dict[str, Any] = dict(arrays)
        values |= {"name": str(arrays["name"]), "names": tuple(arrays["names"].tolist())}
        for said in _SAID:
            values[said] = tuple(map(tuple, arrays.get(said, np.empty((0, 2))).tolist()))
        return cls(**values)


def select(faces: FaceSet, names: Sequence[str]) -> FaceSet:
    """Take some people out of a FaceSet, with all their photos, in the order of the FaceSet.

    Raises
    ------
    ValueError
        If somebody is not in it: the message names them.
    """
    checks.instance("faces", faces, FaceSet)
    wanted = set(checks.words("names", names))
    if unknown := sorted(wanted - set(faces.names)):
        raise ValueError(f"{faces.name} has nobody named {checks.listed(unknown)}")
    chosen = np.flatnonzero([name in wanted for name in faces.names])
    index = np.flatnonzero(np.isin(faces.person, chosen))
    place = np.full(len(faces) + 1, -1)  # the last one is where a front of -1 looks
    place[index] = np.arange(len(index))
    return replace(
        faces,
        images=faces.images[index],
        person=np.searchsorted(chosen, faces.person[index]).astype(np.int32),
        names=tuple(faces.names[number] for number in chosen),
        pose=faces.pose[index],
        origin=faces.origin[index],
        series=faces.series[index],
        front=place[faces.front[index]],
        skipped=(),
        remarks=(),
    )


def join(*sets: FaceSet) -> FaceSet:
    """Put the people of several FaceSets into one, named after all of them: ``"orl+heads"``.

    Raises
    ------
    ValueError
        If there is nothing to join, if the images differ in size, or if two
        people have the same name: the message names them.
    """
    for each in sets:
        checks.instance("sets", each, FaceSet)
    sizes = {each.images.shape[1:] for each in sets}
    if len(sizes) != 1:
        raise ValueError(f"The images to join have sizes {sorted(sizes)}, expected one size")
    names = [name for each in sets for name in each.names]
    if twice := _twins(names):
        raise ValueError(f"More than one of the sets to join has {checks.listed(twice)}")

    def joined(field: str) -> np.ndarray:
        return np.concatenate([getattr(each, field) for each in sets])

    def counted_on(field: str, counts: list[int]) -> np.ndarray:
        begins = np.cumsum([0, *counts[:-1]])
        pieces = [
            np.where(values < 0, values, values + begin).astype(values.dtype)
            for values, begin in zip([getattr(each, field) for each in sets], begins, strict=True)
        ]
        return np.concatenate(pieces)

    return FaceSet(
        name="+".join(each.name for each in sets),
        images=joined("images"),
        person=counted_on("person", [len(each.names) for each in sets]),
        names=tuple(names),
        pose=joined("pose"),
        origin=joined("origin"),
        series=counted_on("series", [int(each.series.max(initial=-1)) + 1 for each in sets]),
        front=counted_on("front", [len(each) for each in sets]),
        skipped=tuple(each for one in sets for each in one.skipped),
        remarks=tuple(each for one in sets for each in one.remarks),
    )


def angle_from_front(pose: np.ndarray) -> np.ndarray:
    """Angle between each pose and looking straight ahead.

    It is the geodesic angle of the rotation Rz(roll) Rx(pitch) Ry(yaw), so
    opposite angles do not cancel, as they do in a sum.

    Parameters
    ----------
    pose : numpy.ndarray
        float32, shape (n, 3): yaw, pitch, roll in degrees.

    Returns
    -------
    numpy.ndarray
        float64, shape (n,): degrees, 0..180, NaN where the pose is unknown.
    """
    checks.array("pose", pose, np.floating, ("n", 3))
    yaw, pitch, roll = np.radians(pose.astype(np.float64)).T
    trace = (
        np.cos(roll) * np.cos(yaw)
        - np.sin(roll) * np.sin(pitch) * np.sin(yaw)
        + np.cos(roll) * np.cos(pitch)
        + np.cos(pitch) * np.cos(yaw)
    )
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def _twins(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
