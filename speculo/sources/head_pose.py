"""The Head Pose Image Database (Pointing'04), from a folder on disk.

15 people, two series of 93 photos each, the head turned and tilted by known
angles. N. Gourier, D. Hall, J. L. Crowley, "Estimating Face Orientation from
Robust Detection of Salient Facial Features", Pointing 2004. See
``data/README.md``.
"""

import re
from pathlib import Path

from speculo import files, prepared
from speculo.faces import FaceSet

LAYOUT = """\
  HeadPoseImageDatabase/
    Person01/
      person01100-90+0.jpg   person 01, series 1, number 00, tilt -90, pan +0
      person01100-90+0.txt   where the face is in it
      ...
    Person02/
      ...
    Front/                   optional
      personne01146+0+0.jpg  the front of person 01 in series 1
      ..."""

FRONT = "Front"

_FAR = 100_000  # pixels: no photo is as wide

_JPEG = (".jpg", ".jpeg")

_PERSON = re.compile(r"person(?:ne)?(\d\d)", re.IGNORECASE | re.ASCII)
_NAME = re.compile(
    r"person(?:ne)?(\d\d)([12])(\d\d)([+-]\d+)([+-]\d+)\.jpe?g", re.IGNORECASE | re.ASCII
)


def load(path: str | Path, size: int = 32, people: int | None = None) -> FaceSet:
    """Load the Head Pose Image Database.

    The face is cut out as the text file beside each photo says; a box that
    leaves the photo is clipped.

    Parameters
    ----------
    path : str or Path
        The folder with ``Person01`` and so on.
    size : int
        Height and width in pixels.
    people : int, optional
        The first so many people.

    Returns
    -------
    FaceSet
        Yaw is the pan, pitch the tilt, roll 0. Each series of a person is a
        series, whose front is the photo named in ``Front``, or else the one
        nearest to straight ahead.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or it holds something else.
    ValueError
        If `people` is more than there are, or if more than a tenth of the
        photos are bad.
    """
    root = prepared.find_folder(path, LAYOUT)
    top = prepared.scan(root)
    persons: dict[str, list[str]] = {}  # number of each person to the folders
    others = []  # what else there is
    for name in prepared.folders(top):
        if match := _PERSON.fullmatch(name):
            persons.setdefault(match[1], []).append(name)
        elif name != FRONT:
            others.append(prepared.File(f"{name}/"))
    others += [file for file in top if file.why or file.path.lower().endswith(_JPEG)]
    if not persons:
        raise prepared.wrong_layout(root, LAYOUT, _beside(others))
    chosen = prepared.first_people(sorted(persons), people)
    inside = [f for number in chosen for name in persons[number] for f in prepared.scan(root, name)]
    fronts = prepared.scan(root, FRONT) if FRONT in prepared.folders(top) else []
    # Of Front only the files of the people who are asked for.
    fronts = [file for file in fronts if (it := _match(file)) and it[1] in chosen]

    return prepared.prepare(
        "head-pose",
        root,
        [*others, *inside, *fronts],
        lambda: _find(root, others, inside, fronts),
        size=size,
        layout=LAYOUT,
    )


def _match(file: prepared.File) -> re.Match | None:
    return _NAME.fullmatch(file.path.rpartition("/")[2])


def _beside(others: list[prepared.File]) -> list[tuple[str, str]]:
    return [(file.path, file.why or "it is not in a folder like Person01") for file in others]


def _find(
    root: Path,
    others: list[prepared.File],
    inside: list[prepared.File],
    fronts: list[prepared.File],
) -> prepared.Found:
    photos: dict[tuple[str, ...], prepared.Photo] = {}
    skipped = _beside(others)
    skipped += [(file.path, file.why) for file in [*inside, *fronts] if file.why]
    inside, fronts = ([file for file in each if not file.why] for each in (inside, fronts))
    chosen = {match.groups() for file in fronts if (match := _match(file))}
    # A photo in Front is a copy of one of the person's; it is read if that one is missing.
    for file in [*inside, *fronts]:
        match = _match(file)
        if match is None:
            if not file.path.lower().endswith(".txt"):
                skipped.append((file.path, "its name does not say person, series, tilt and pan"))
            continue
        if match.groups() in photos:
            if file in inside:
                first = photos[match.groups()].path
                skipped.append((file.path, f"its name says the same as that of {first}"))
            continue
        person, series, _, tilt, pan = match.groups()
        try:
            box = _face_box(root / file.path)
        except ValueError as error:
            skipped.append((file.path, str(error)))
            continue
        photos[match.groups()] = prepared.Photo(
            file.path,
            f"person{person}",
            series,
            (float(pan), float(tilt), 0.0),
            box,
            match.groups() in chosen,
        )
    return prepared.Found([photos[key] for key in sorted(photos)], skipped)


def _face_box(photo: Path) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the face, from the text file beside a photo."""
    text = photo.with_suffix(".txt")
    try:
        with files.open_file(text) as file:
            lines = file.read(4096).decode(errors="replace").splitlines()
        x, y, width, height = (float(line) for line in lines[3:7])
        if not (abs(x) < _FAR and abs(y) < _FAR and 0 < width < _FAR and 0 < height < _FAR):
            raise ValueError
    except FileNotFoundError:
        raise ValueError(f"{text.name}, which says where the face is, is missing") from None
    except OSError as error:
        raise ValueError(
            f"{text.name}, which says where the face is, cannot be read: {error.strerror}"
        ) from None
    except ValueError:
        raise ValueError(f"{text.name} does not say where the face is in lines 4 to 7") from None
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2
