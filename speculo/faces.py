"""FaceSet: photographs of faces, whose they are, and how they are turned."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from speculo import files

SMALLEST = 32
"""Smallest allowed side of an image in pixels: the input of the card's models."""


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

    Raises
    ------
    ValueError
        If shapes or types do not agree, or if a person has no image.
    """

    name: str
    images: np.ndarray
    person: np.ndarray
    names: tuple[str, ...]
    pose: np.ndarray
    origin: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.images)
        expected = {
            "images": (np.uint8, (n, *self.images.shape[1:])),
            "person": (np.int32, (n,)),
            "pose": (np.float32, (n, 3)),
        }
        for field, (dtype, shape) in expected.items():
            array = getattr(self, field)
            if array.dtype != dtype or array.shape != shape:
                raise ValueError(
                    f"FaceSet.{field} is {array.dtype} {array.shape}, "
                    f"expected {np.dtype(dtype)} {shape}"
                )
        if self.images.ndim != 3:
            raise ValueError(
                f"FaceSet.images has shape {self.images.shape}, expected (n, height, width)"
            )
        if self.origin.shape != (n,) or self.origin.dtype.kind != "U":
            raise ValueError("FaceSet.origin needs one string for each image")
        if not np.array_equal(np.unique(self.person), np.arange(len(self.names))):
            raise ValueError(
                f"FaceSet.person holds {len(np.unique(self.person))} different numbers, expected "
                f"each of 0..{len(self.names) - 1}, one for each of the {len(self.names)} names"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width = self.images.shape[1:]
        return (
            f"FaceSet({self.name!r}: {len(self)} images of {len(self.names)} people, "
            f"{width} x {height}, pose {'known' if self.has_pose else 'unknown'})"
        )

    @property
    def has_pose(self) -> bool:
        """Whether the pose of every image is known."""
        return bool(np.isfinite(self.pose).all())

    def save(self, path: str | Path) -> None:
        """Write everything to one ``.npz`` file, without pickle."""
        files.write_arrays(
            path, {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        )

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
        arrays = files.read_arrays(path)
        expected = {field.name for field in fields(cls)}
        if set(arrays) != expected:
            raise ValueError(
                f"{path} holds {sorted(arrays)}, expected a FaceSet: {sorted(expected)}"
            )
        return cls(
            **{
                **arrays,
                "name": str(arrays["name"]),
                "names": tuple(map(str, arrays["names"])),
            }
        )
