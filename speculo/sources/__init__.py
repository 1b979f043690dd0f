"""Where faces come from: one module for each dataset, each with a function `load`."""

import importlib

from speculo.faces import SMALLEST, FaceSet

KNOWN = {
    "orl": "ORL / AT&T Database of Faces: 40 people, 10 photos each, comes with the book",
}
"""Name of each dataset, and what it is. Its module has the same name."""


def load(name: str, *, size: int = 32, people: int | None = None, **options) -> FaceSet:
    """Load a dataset by its name.

    Parameters
    ----------
    name : str
        One of `KNOWN`, such as ``"orl"``.
    size : int
        Height and width of the images in pixels, at least 32.
    people : int, optional
        Take only the first so many people. All of them by default.
    **options
        What the dataset's own `load` takes besides.

    Returns
    -------
    FaceSet

    Raises
    ------
    ValueError
        If the name is unknown (the message lists the known ones), if `size` is
        below 32, or if `people` is below 1 or more than there are.
    """
    if name not in KNOWN:
        known = "\n".join(f"  {key}: {text}" for key, text in KNOWN.items())
        raise ValueError(f"Unknown dataset {name!r}. The known ones are:\n{known}")
    if isinstance(size, bool) or not isinstance(size, int) or size < SMALLEST:
        raise ValueError(f"size is {size!r}, expected a whole number of pixels from {SMALLEST} up")
    if people is not None and (
        isinstance(people, bool) or not isinstance(people, int) or people < 1
    ):
        raise ValueError(
            f"people is {people!r}, expected a whole number from 1 up, or None for all"
        )
    module = importlib.import_module(f"speculo.sources.{name}")
    return module.load(size=size, people=people, **options)
