"""Trees of files in the layout of each dataset, made of ORL's faces."""

from functools import lru_cache
from pathlib import Path

import joblib
import numpy as np
from PIL import Image
from scipy.io import savemat

import speculo
from speculo.sources import heads


@lru_cache
def _orl(size: int) -> np.ndarray:
    return speculo.load("orl", size=size).images


def face(person: int, photo: int, size: int = 64) -> np.ndarray:
    """One ORL photo, counted from 0."""
    return _orl(size)[person * 10 + photo]


def save(pixels: np.ndarray, path: Path, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def folder(root: Path, people: int = 3, photos: int = 4, suffix: str = "jpg") -> Path:
    for person in range(people):
        for photo in range(photos):
            save(face(person, photo), root / f"person {person}" / f"{photo + 1}.{suffix}")
    return root


def in_a_frame(pixels: np.ndarray, left: int, top: int, width: int, height: int) -> np.ndarray:
    """Put a face into a larger black picture. Whatever leaves the picture is cut off."""
    frame = np.zeros((height, width), dtype=np.uint8)
    side = len(pixels)
    from_x, from_y = max(0, -left), max(0, -top)
    piece = pixels[from_y : min(side, height - top), from_x : min(side, width - left)]
    y, x = top + from_y, left + from_x
    frame[y : y + piece.shape[0], x : x + piece.shape[1]] = piece
    return frame


HEAD_POSES = [
    (tilt, pan) for tilt in (-30, 0, 30) for pan in (-45, 0, 45)
]  # a few of the database's 93


def head_pose(root: Path, people: int = 3, front: bool = True, drawn: bool = False) -> Path:
    """Two series a person. The face of one photo leaves the frame on the left.

    The faces are photos of ORL, or drawn heads, which are turned as the file says.
    """
    for person in range(people):
        for series in (1, 2):
            for number, (tilt, pan) in enumerate(HEAD_POSES):
                left = -16 if number == 0 and not drawn else 100
                pixels = face(person, (number + series) % 10)
                if drawn:
                    light = 0.3 * series - 0.45
                    pixels = heads.render(person, yaw=pan, pitch=tilt, light=light)
                frame = in_a_frame(pixels, left, 60, 384, 288)
                name = f"{person + 1:02}{series}{number:02}{tilt:+}{pan:+}"
                photo = save(frame, root / f"Person{person + 1:02}" / f"person{name}.jpg")
                photo.with_suffix(".txt").write_text(
                    f"{photo.name}\n\nFace\n{left + 32}\n{60 + 32}\n64\n64\n"
                )
                if front and (tilt, pan) == (0, 0):
                    save(frame, root / "Front" / f"personne{name}.jpg")
    return root


FRAMES = range(9, 102)
"""Numbers of the frames of a video: in the order of text, 100 comes before 99."""


def video_poses(seed: int) -> np.ndarray:
    """Yaw, pitch, roll of each frame: opposite angles, which a sum would call frontal."""
    poses = np.random.default_rng(seed).uniform(-60, 60, (3, len(FRAMES)))
    poses[:, 7] = (50, -50, 0)
    poses[:, 60] = (1, 2, -1)
    return poses


def youtube_faces(root: Path, people: int = 2, videos: int = 2) -> Path:
    """Frames 9 to 101. Each is one flat grey that tells its number: 2 times it."""
    for person in range(people):
        for video in range(videos):
            name = f"Some_Body{person}"
            for number in FRAMES:
                pixels = np.full((66, 66), 255, dtype=np.uint8)
                pixels[18:48, 18:48] = 2 * number
                save(
                    pixels,
                    root / "aligned_images_DB" / name / str(video)
                    / f"aligned_detect_{video}.{number}.jpg",
                    quality=95,
                )  # fmt: skip
            mat = root / "headpose_DB" / f"headorient_apirun_{name}_{video}.mat"
            mat.parent.mkdir(exist_ok=True)
            savemat(mat, {"headpose": video_poses(10 * person + video)})
    return root


def olivetti(data_home: Path) -> None:
    """Fill scikit-learn's data folder with what it keeps after its download of Olivetti."""
    kept = _orl(64).transpose(0, 2, 1).reshape(400, -1)  # on its side, as the original is
    joblib.dump(kept, data_home / "olivetti_py3.pkz", compress=6)


def lfw(data_home: Path) -> None:
    """Fill scikit-learn's data folder with four people of LFW, the second with one photo."""
    home = data_home / "lfw_home"
    for person in range(4):
        for photo in range(1 if person == 1 else 3):
            pixels = in_a_frame(face(person, photo, 125), 63, 70, 250, 250)
            name = f"Some_Body{person}"
            where = home / "lfw_funneled" / name / f"{name}_{photo + 1:04}.jpg"
            save(np.dstack([pixels] * 3), where)
    for name in ("pairs", "pairsDevTrain", "pairsDevTest"):
        (home / f"{name}.txt").touch()
