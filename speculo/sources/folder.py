"""A folder of one's own: in it a folder for each person, and in that the person's photos.

Nothing leaves the machine. See ``data/README.md``.
"""

from pathlib import Path, PurePosixPath

from speculo import checks, prepared
from speculo.faces import FaceSet

LAYOUT = """\
  my_faces/
    anna/        a folder for each person: its name is the person's
      1.jpg      photos of any name, in any format that Pillow reads
      2.png
      front.jpg  optional: the photo that you choose as the front
    ben/
      ..."""

_NO_PHOTOS = {"thumbs.db", "desktop.ini"}  # what systems put beside photos


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
        If `crop` is something else, if `people` is more than there are, or if
        more than a tenth of the photos are bad.
    """
    if crop is not None and not (isinstance(crop, str) and crop == "auto"):
        raise checks.wrong("crop", crop, 'None (photos are cropped already) or "auto"')
    root = prepared.find_folder(path, LAYOUT)
    listed = {name: prepared.scan(root, name) for name in prepared.folders(root)}
    persons = [name for name, inside in listed.items() if inside]
    if not persons:
        raise prepared.wrong_layout(root, LAYOUT)
    chosen = prepared.first_people(persons, people)
    inside = [file for name in chosen for file in listed[name]]

    def find() -> prepared.Found:
        return _find(inside, crop)

    return prepared.prepare(
        f"folder:{prepared.readable(root.name)}",
        root,
        inside,
        find,
        size=size,
        layout=LAYOUT,
        crop=crop,
    )


def _find(inside: list[prepared.File], crop: str | None) -> prepared.Found:
    from speculo.images import SUFFIXES

    photos, skipped = [], []
    for path in sorted((file.path for file in inside), key=prepared.natural):
        parts = PurePosixPath(path)
        if path.endswith("/"):
            skipped.append((path, "a folder within a person's folder"))
        elif parts.suffix.lower() in SUFFIXES:
            is_front = parts.stem.casefold() == "front"
            photos.append(prepared.Photo(path, parts.parts[0], crop=crop, is_front=is_front))
        elif parts.name.casefold() not in _NO_PHOTOS:
            skipped.append((path, "its ending is not that of a picture that can be read"))
    return prepared.Found(photos, skipped)
