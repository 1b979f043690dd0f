"""YouTube Faces, from a folder on disk.

1,595 people in 3,425 videos, 621,126 frames. L. Wolf, T. Hassner, I. Maoz,
"Face Recognition in Unconstrained Videos with Matched Background Similarity",
CVPR 2011. See ``data/README.md``.
"""

import re
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np

from speculo import checks, prepared
from speculo.faces import FaceSet, angle_from_front

LAYOUT = """\
  YouTubeFaces/
    aligned_images_DB/
      Aaron_Eckhart/           a folder for each person
        0/                     a folder for each video
          aligned_detect_0.555.jpg
          ...
    headpose_DB/
      headorient_apirun_Aaron_Eckhart_0.mat
      ..."""

MIDDLE = 1 / 2.2
"""Share of each side that the face takes: the database's own crop is so much wider."""

ANGLES = (0, 1, 2)
"""Rows of ``headpose`` that are yaw, pitch and roll. The database does not name its rows: this
order is an assumption. Which frame is the front does not depend on it."""

_FRAME = re.compile(r"aligned_detect_\d+\.(\d+)\.jpe?g", re.IGNORECASE)


def load(
    path: str | Path, size: int = 32, people: int | None = None, frames: int | None = None
) -> FaceSet:
    """Load YouTube Faces.

    Of each frame the middle is taken, where the face is.

    Parameters
    ----------
    path : str or Path
        The folder with ``aligned_images_DB`` and ``headpose_DB``.
    size : int
        Height and width in pixels.
    people : int, optional
        The first so many people.
    frames : int, optional
        So many frames of each video, evenly spaced, the most frontal one among
        them. All by default.

    Returns
    -------
    FaceSet
        Each video is a series. Pose is NaN in a video without head poses, or
        with another number of them than it has frames.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or it holds something else.
    ValueError
        If `frames` is below 1, if `people` is more than there are, or if more
        than a tenth of the frames are bad.
    """
    if frames is not None:
        frames = checks.whole_number("frames", frames, otherwise="None for all")
    root = prepared.find_folder(path, LAYOUT)
    every = prepared.folders(root)
    persons = prepared.folders(root, "aligned_images_DB") if "aligned_images_DB" in every else []
    if not persons:
        raise prepared.wrong_layout(root, LAYOUT)
    chosen = prepared.first_people(persons, people)
    inside = [
        file for name in chosen for file in prepared.scan(root, f"aligned_images_DB/{name}", 1)
    ]
    poses = prepared.scan(root, "headpose_DB") if "headpose_DB" in every else []
    return prepared.prepare(
        "youtube-faces",
        root,
        [*inside, *poses],
        lambda: _find(root, inside, frames),
        size=size,
        layout=LAYOUT,
        frames=frames,
    )


def _find(root: Path, inside: list[prepared.File], limit: int | None) -> prepared.Found:
    videos, photos, skipped = defaultdict(list), [], []
    for file in inside:
        match = _FRAME.fullmatch(file.path.rpartition("/")[2])
        if match and file.path.count("/") == 3:
            _, person, video, _ = file.path.split("/")
            videos[person, video].append((int(match[1]), file.path))
        else:
            skipped.append((file.path, "it is not a frame: aligned_detect_VIDEO.FRAME.jpg"))
    for person, video in sorted(videos, key=lambda key: [prepared.natural(part) for part in key]):
        paths = [path for _, path in sorted(videos[person, video])]
        poses = np.full((len(paths), 3), np.nan)
        mat = f"headpose_DB/headorient_apirun_{person}_{video}.mat"
        try:
            poses = _read_poses(root / mat, len(paths))
        except ValueError as error:
            skipped.append((mat, f"{error}: this video's poses are taken as unknown"))
        kept = _spread(angle_from_front(poses), limit)
        photos += [
            prepared.Photo(paths[at], person, video, tuple(poses[at].tolist()), MIDDLE)
            for at in kept
        ]
    return prepared.Found(photos, skipped)


def _read_poses(path: Path, frames: int) -> np.ndarray:
    """Yaw, pitch and roll of each frame, frames in the order of their numbers."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        poses = np.asarray(loadmat(path)["headpose"], dtype=np.float64)
    except FileNotFoundError:
        raise ValueError("the file is missing") from None
    except KeyError:
        raise ValueError("it holds no headpose") from None
    except (OSError, ValueError, TypeError, NotImplementedError, MatReadError, zlib.error) as error:
        raise ValueError(f"it cannot be read ({error})") from error
    if poses.shape != (3, frames):
        raise ValueError(f"headpose has shape {poses.shape}, expected (3, {frames} frames)")
    return poses[list(ANGLES)].T


def _spread(angles: np.ndarray, limit: int | None) -> list[int]:
    """Choose frames evenly, and put the most frontal one in the place of its nearest neighbour."""
    if limit is None or limit >= len(angles):
        return list(range(len(angles)))
    kept = np.unique(np.linspace(0, len(angles) - 1, limit).round().astype(int))
    if np.isfinite(angles).any():
        front = np.nanargmin(angles)
        kept[np.argmin(np.abs(kept - front))] = front
    return sorted(kept.tolist())
