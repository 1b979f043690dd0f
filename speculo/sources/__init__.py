"""Where faces come from: a function for each dataset, which returns a FaceSet."""

import importlib
import inspect
import warnings

from speculo import checks
from speculo.faces import LARGEST, SMALLEST, FaceSet

KNOWN = {
    "orl": "ORL / AT&T Database of Faces: 40 people, 10 photos each, comes with the book",
    "heads": "heads of people who do not exist, in any pose, as many as you like: heads-medium",
    "heads-yaw": "the same people, turned left and right only",
    "heads-medium": "in any pose, with expressions, lights and backgrounds",
    "heads-wild": "under hard conditions: strong poses and lights, blur, partly hidden",
    "folder:PATH": "your own photos: a folder for each person",
    "head-pose:PATH": "Head Pose Image Database (Pointing'04): 15 people, 186 photos each",
    "youtube-faces:PATH": "YouTube Faces: 1,595 people, 3,425 videos",
    "olivetti": "Olivetti faces: ORL cut to the face; scikit-learn downloads them once",
    "lfw": "Labeled Faces in the Wild: 5,749 people; scikit-learn downloads them once",
}
"""Name of each dataset, and what it is. PATH is a folder: a relative one is looked for from where
Python runs, then from the project's folder, then from its notebooks."""

_LOADERS = {
    "orl": "orl.load",
    "heads": "heads.load",
    "heads-yaw": "heads.yaw",
    "heads-medium": "heads.medium",
    "heads-wild": "heads.wild",
    "folder": "folder.load",
    "head-pose": "head_pose.load",
    "youtube-faces": "youtube_faces.load",
    "olivetti": "sklearn_faces.olivetti",
    "lfw": "sklearn_faces.lfw",
}


def load(
    name: str,
    *,
    size: int = 32,
    people: int | None = None,
    crop: str | None = None,
    **options,
) -> FaceSet:
    """Load a dataset by its name.

    Parameters
    ----------
    name : str
        One of `KNOWN`, such as ``"orl"`` or ``"folder:data/my_faces"``.
    size : int
        Height and width of the images in pixels, 32 to 1024.
    people : int, optional
        Take only the first so many people. All of them by default.
    crop : str, optional
        ``"auto"`` finds the face in each photo, in datasets of whole snapshots
        (``folder``). By default photos are taken as they are cropped.
    **options
        What the dataset's own function takes besides.

    Returns
    -------
    FaceSet
        A warning says what was skipped, if something was, and in which photos
        there is more than one face.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or it holds something else: the message
        shows the layout expected and what was found instead.
    TypeError
        If an option is unknown: the message lists the known ones.
    ValueError
        If the name is unknown (the message lists the known ones), if `size` is
        below 32 or above 1024, if `people` is below 1 or more than there are,
        if `crop` is something else or the photos are cropped already, or if
        more than a tenth of the photos are bad.
    """
    kind, colon, path = name.partition(":") if isinstance(name, str) else ("", "", "")
    takes_path = f"{kind}:PATH" in KNOWN
    if kind not in _LOADERS or bool(path) != takes_path or bool(colon) != takes_path:
        known = "\n".join(f"  {key}: {text}" for key, text in KNOWN.items())
        raise ValueError(f"Unknown dataset {checks.shown(name)}. The known ones are:\n{known}")
    size = checks.whole_number("size", size, SMALLEST, LARGEST)
    if people is not None:
        people = checks.whole_number("people", people, otherwise="None for all")
    module, _, function = _LOADERS[kind].partition(".")
    loader = getattr(importlib.import_module(f"speculo.sources.{module}"), function)
    allowed = set(inspect.signature(loader).parameters) - {"path", "size", "people"}
    if crop is not None:
        if "crop" not in allowed:
            raise checks.wrong("crop", crop, f"None: the photos of {kind} are cropped already")
        options["crop"] = crop
    if unknown := sorted(set(options) - allowed):
        raise TypeError(
            f"{kind} has no option {', '.join(unknown)}. "
            f"Its options are: {', '.join(['size', 'people', *sorted(allowed)])}"
        )
    faces = loader(*([path] if takes_path else []), size=size, people=people, **options)
    for field, what in (("skipped", "skipped"), ("remarks", "to look at")):
        said = getattr(faces, field)
        if said:
            listed = "".join(f"\n  {path}: {why}" for path, why in said[:10])
            more = f"\n  ... and {len(said) - 10} more" if len(said) > 10 else ""
            warnings.warn(
                f"{len(said)} {what} in {name}, see FaceSet.{field}:{listed}{more}", stacklevel=2
            )
    return faces
