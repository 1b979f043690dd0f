"""A folder of one's own: in it a folder for each person, and in that the person's photos.

Nothing leaves the machine. See ``data/README.md``.
"""

from pathlib import Path, PurePosixPath

from speculo import checks, prepared
from speculo.faces import FaceSet

LAYOUT = """\
  my_faces/
    anna/        a folder for each person: its name is the person's
      1.jpg      photos of any name: JPEG, HEIC, PNG, ...
      2.png
      front.jpg  optional: the photo that you choose as the front
    ben/
      ..."""

_NO_PHOTOS = {"thumbs.db", "desktop.ini"}  # what systems put beside photos
_NOTES = {".aae", ".xmp"}  # what programs note of a photo beside it

_VIDEOS = {".3gp", ".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"}
_VIDEO = "a video: only photos are read"

_ENDING = (
    "its ending is not that of a picture that can be read: if it is a photo, save it as JPEG or PNG"
)


def load(
    path: str | Path, size: int = 32, people: int | None = None, crop: str | None = None
) -> FaceSet:
    """Load a folder of photos.

    Parameters
    ----------
    path : str or Path
        The folder.
    size : int
        Height and width in pixels.
    people : int, optional
        The first so many people, in the order of their names.
    crop : str, optional
        ``"auto"`` finds the largest face in each photo and takes the square
        around it. By default the photos are taken as cropped: the whole photo
        is shrunk to a square, whatever its shape.

    Returns
    -------
    FaceSet
        Pose is NaN throughout. A photo named ``front.*`` is its person's front.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no photo of a person in it.
    ValueError
        If `crop` is something else, if `people` is more than there are, if two
        names look alike, or if more than a tenth of the photos are bad.
    """
    if crop is not None and not (isinstance(crop, str) and crop == "auto"):
        raise checks.wrong("crop", crop, 'None (photos are cropped already) or "auto"')
    root = prepared.find_folder(path, LAYOUT)
    top = prepared.scan(root)
    listed = {
        name: [file for folder in own for file in prepared.scan(root, folder)]
        for name, own in prepared.people(prepared.folders(top)).items()
    }
    filled = [name for name in listed if listed[name]]
    beside = [file for file in top if file.why or not file.path.endswith("/")]
    beside += [prepared.File(f"{name}/") for name in listed if not listed[name]]
    if not filled:
        raise prepared.wrong_layout(root, LAYOUT, _beside(beside))
    chosen = {name: listed[name] for name in prepared.first_people(filled, people)}

    return prepared.prepare(
        f"folder:{prepared.readable(root.name)}",
        root,
        [*beside, *(file for inside in chosen.values() for file in inside)],
        lambda: _find(beside, chosen, crop),
        size=size,
        layout=LAYOUT,
        crop=crop,
    )


def _beside(entries: list[prepared.File]) -> list[tuple[str, str]]:
    """Say of what stands beside the people's folders why it is not read."""
    skipped = []
    for file in entries:
        if file.why:
            skipped.append((file.path, file.why))
        elif file.path.endswith("/"):
            skipped.append((file.path, "an empty folder"))
        elif file.path.casefold() not in _NO_PHOTOS:
            skipped.append((file.path, "it lies beside the people's folders: put it into one"))
    return skipped


def _find(
    beside: list[prepared.File], chosen: dict[str, list[prepared.File]], crop: str | None
) -> prepared.Found:
    from speculo.images import SUFFIXES

    photos: list[prepared.Photo] = []
    skipped = _beside(beside)
    for name, inside in chosen.items():
        before = len(photos)
        for file in sorted(inside, key=lambda file: prepared.natural(file.path)):
            parts = PurePosixPath(file.path)
            if file.why:
                skipped.append((file.path, file.why))
            elif file.path.endswith("/"):
                skipped.append((file.path, "a folder within a person's folder"))
            elif parts.suffix.lower() in SUFFIXES:
                is_front = prepared.alike(parts.stem).casefold() == "front"
                photos.append(prepared.Photo(file.path, name, crop=crop, is_front=is_front))
            elif parts.suffix.lower() in _VIDEOS:
                skipped.append((file.path, _VIDEO))
            elif parts.name.casefold() not in _NO_PHOTOS and parts.suffix.lower() not in _NOTES:
                skipped.append((file.path, _ENDING))
        if len(photos) == before:
            skipped.append((f"{name}/", "no photo in it can be read, so the person is left out"))
    return prepared.Found(photos, skipped)
