"""YouTube Faces, from a folder on disk.

1,595 people in 3,425 videos, 621,126 frames. L. Wolf, T. Hassner, I. Maoz,
"Face Recognition in Unconstrained Videos with Matched Background Similarity",
CVPR 2011. See ``data/README.md``.
"""

import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from speculo import checks, files, prepared
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

IMAGES, POSES = "aligned_images_DB", "headpose_DB"

MIDDLE = 1 / 2.2
"""Share of each side that the face takes: the database's own crop is so much wider."""

ANGLES = (0, 1, 2)
"""Rows of ``headpose`` that are yaw, pitch and roll. The database does not name its rows: this
order is an assumption. Which frame is the front does not depend on it."""

_FRAME = re.compile(r"aligned_detect_\d+\.(\d+)\.jpe?g", re.IGNORECASE | re.ASCII)

_JPEG = (".jpg", ".jpeg")

_NO_FRAME = "it is not a frame: aligned_detect_VIDEO.FRAME.jpg"


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
    top = prepared.scan(root)
    every = prepared.folders(top)
    others = [f for f in top if f.why or f.path.lower().rstrip("/").endswith(_JPEG)]
    within = prepared.scan(root, IMAGES) if IMAGES in every else []
    others += [file for file in within if file.why or not file.path.endswith("/")]
    persons = prepared.people(prepared.folders(within))
    if not persons:
        raise prepared.wrong_layout(root, LAYOUT, _beside(others))
    inside = {
        name: [file for own in persons[name] for file in prepared.scan(root, f"{IMAGES}/{own}", 1)]
        for name in prepared.first_people(list(persons), people)
    }
    poses = prepared.scan(root, POSES) if POSES in every else []
    return prepared.prepare(
        "youtube-faces",
        root,
        [*others, *(file for each in inside.values() for file in each), *poses],
        lambda: _find(root, others, inside, poses, frames),
        size=size,
        layout=LAYOUT,
        frames=frames,
    )


def _beside(others: list[prepared.File]) -> list[tuple[str, str]]:
    return [(file.path, file.why or "it lies beside the people's folders") for file in others]


def _find(
    root: Path,
    others: list[prepared.File],
    inside: dict[str, list[prepared.File]],
    poses: list[prepared.File],
    limit: int | None,
) -> prepared.Found:
    photos, skipped = [], _beside(others)
    known = {prepared.readable(file.path): file for file in poses}
    for name, listed in inside.items():
        videos = defaultdict(list)
        for file in listed:
            match = _FRAME.fullmatch(file.path.rpartition("/")[2])
            if match and file.path.count("/") == 3 and not file.why:
                videos[file.path.rpartition("/")[0]].append((int(match[1]), file.path))
            else:
                skipped.append((file.path, file.why or _NO_FRAME))
        if not videos:
            skipped.append((f"{name}/", "no frame in it can be read, so the person is left out"))
        for video in sorted(videos, key=prepared.natural):
            paths = [path for _, path in sorted(videos[video])]
            angles = np.full((len(paths), 3), np.nan)
            _, person, number = video.split("/")
            mat = f"{POSES}/headorient_apirun_{person}_{number}.mat"
            try:
                angles = _read_poses(root, known.get(prepared.readable(mat)), len(paths))
            except ValueError as error:
                skipped.append((mat, f"{error}: this video's poses are taken as unknown"))
            photos += [
                prepared.Photo(paths[at], name, video, tuple(angles[at].tolist()), MIDDLE)
                for at in _spread(angle_from_front(angles), limit)
            ]
    return prepared.Found(photos, skipped)


def _read_poses(root: Path, file: prepared.File | None, frames: int) -> np.ndarray:
    """Yaw, pitch and roll of each frame, frames in the order of their numbers."""
    from scipy.io import loadmat

    if file is None:
        raise ValueError("the file is missing")
    if file.why:
        raise ValueError(file.why)
    try:
        with files.open_file(root / file.path) as opened:
            found = loadmat(opened, variable_names=["headpose"])
        poses = np.asarray(found["headpose"], dtype=np.float64)
    except KeyError:
        raise ValueError("it holds no headpose") from None
    except Exception as error:  # damage makes SciPy stumble in a dozen ways
        raise ValueError(f"it cannot be read ({str(error) or type(error).__name__})") from error
    if poses.shape != (3, frames):
        raise ValueError(f"headpose has shape {poses.shape}, expected (3, {frames} frames)")
    if np.isinf(poses).any() or (np.abs(poses) > 360).any():
        raise ValueError("headpose holds angles of more than 360 degrees")
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
