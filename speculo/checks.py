"""Checks of what a reader gives: the error names the parameter, what it is, and what was expected.

Each check gives the value back, so that it can stand where the value is used.
"""

import os
import reprlib
from collections.abc import Collection, Sequence
from pathlib import Path
from types import UnionType
from typing import Any

import numpy as np

LARGEST_SEED = 2**32 - 1
"""NumPy's and Keras's global seeds hold so much."""


def whole_number(
    name: str, value: Any, least: int = 1, most: int | None = None, *, otherwise: str = ""
) -> int:
    """Check a whole number. One of NumPy's counts as one, a bool does not.

    Parameters
    ----------
    name : str
        Of the parameter, for the error.
    value : object
        What was given.
    least, most : int
        The smallest and the largest that is allowed.
    otherwise : str
        What else the caller allows, for the error: ``"None for all"``.

    Raises
    ------
    ValueError
        If it is something else. So do all checks here.
    """
    wanted = f"a whole number from {least} up" + (f", or {otherwise}" if otherwise else "")
    if not _is(value, int | np.integer) or value < least:
        raise wrong(name, value, wanted)
    if most is not None and value > most:
        raise wrong(name, value, f"at most {most:,}")
    return int(value)


def seed(name: str, value: Any) -> int:
    """Check a seed: a whole number from 0 up, of 32 bits."""
    return whole_number(name, value, 0, LARGEST_SEED)


def number(name: str, value: Any, low: float, high: float) -> float:
    """Check a number within a range, its ends included. NaN is in no range."""
    if not _is(value, _REAL) or not low <= value <= high:
        raise wrong(name, value, f"a number from {low:g} to {high:g}")
    return float(value)


def share(name: str, value: Any, of: str) -> float:
    """Check a share of something: more than nothing, less than all."""
    if not _is(value, _REAL) or not 0 < value < 1:
        raise wrong(name, value, f"a share {of} between 0 and 1")
    return float(value)


def choice(name: str, value: Any, choices: Collection[str], *, otherwise: str = "") -> str:
    """Check that a word is one of several."""
    if not isinstance(value, str) or value not in choices:
        wanted = f"one of {', '.join(choices)}" + (f", or {otherwise}" if otherwise else "")
        raise wrong(name, value, wanted)
    return value


def words(name: str, value: Any) -> list[str]:
    """Check several texts, such as names. One text alone is not several."""
    try:
        found = None if isinstance(value, str | bytes) else list(value)
    except TypeError:
        found = None
    if found is None:
        raise wrong(name, value, "several names: a list, or the like")
    for each in found:
        if not isinstance(each, str):
            raise wrong(name, value, f"names alone, but {shown(each)} is none")
    return found


def instance(name: str, value: Any, kind: type) -> Any:
    """Check that something is of a class."""
    if not isinstance(value, kind):
        raise wrong(name, value, f"a {kind.__name__}")
    return value


def path(name: str, value: Any) -> Path:
    """Check a path: text or a Path that a file can have."""
    try:
        good = isinstance(value, str | Path) and b"\0" not in os.fsencode(value)
    except UnicodeError:
        good = False
    if not good:
        raise wrong(name, value, "a path")
    return Path(value)


def array(name: str, value: Any, kind: type, shape: tuple[int | str, ...]) -> np.ndarray:
    """Check the type and the shape of an array. A word in the shape stands for any number."""
    good = (
        isinstance(value, np.ndarray)
        and np.issubdtype(value.dtype, kind)
        and value.ndim == len(shape)
        and all(
            isinstance(n, str) or n == found for n, found in zip(shape, value.shape, strict=True)
        )
    )
    if not good:
        form = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
        raise wrong(name, value, f"an array {kind.__name__.strip('_')} ({form})")
    return value


def images(name: str, value: Any) -> np.ndarray:
    """Check pictures: uint8 of shape (n, height, width), no side of them 0."""
    array(name, value, np.uint8, ("n", "height", "width"))
    if 0 in value.shape[1:]:
        raise wrong(name, value, "pictures with a height and a width")
    return value


def indices(name: str, value: Any, count: int) -> np.ndarray:
    """Check indices into `count` things: whole numbers from 0 up, of shape (n,)."""
    array(name, value, np.integer, ("n",))
    if len(value) and not 0 <= value.min() <= value.max() < count:
        raise ValueError(
            f"{name} holds {value.min()} to {value.max()}, expected indices from 0, below {count}"
        )
    return value


def sized(name: str, value: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Check that pictures have the height and width that a network takes."""
    if value.shape[1:] != tuple(size):
        found = " x ".join(map(str, value.shape[1:]))
        raise ValueError(
            f"{name} shows {found} pixels, expected {size[0]} x {size[1]}: load faces with size={size[0]}"
        )
    return value


def numbers(name: str, value: Any, form: str = "numbers") -> np.ndarray:
    """Check that something is a number or an array of them, and give it as one."""
    try:
        found = np.asarray(value)
    except ValueError:  # rows of different lengths
        raise wrong(name, value, form) from None
    if found.dtype.kind not in "fiu":
        raise wrong(name, value, form)
    return found


def rows(name: str, value: Any, columns: int | None = None) -> np.ndarray:
    """Check a table of numbers, and give it as float32 of shape (n, d).

    At least one row is needed, and finite numbers, none of them beyond 1e15:
    sums of their squares must fit into float32.

    Parameters
    ----------
    name : str
    value : object
    columns : int, optional
        How many there must be.
    """
    form = f"numbers of the shape (n, {'d' if columns is None else columns}), n at least 1"
    found = numbers(name, value, form)
    if found.ndim != 2 or columns not in (None, found.shape[1]) or not found.size:
        raise wrong(name, value, form)
    # min and max need no second array: a million rows are checked in place
    if not -1e15 <= found.min() <= found.max() <= 1e15:
        raise wrong(name, value, "finite numbers, none beyond 1e15")
    return found.astype(np.float32, copy=False)


def wrong(name: str, value: Any, wanted: str) -> ValueError:
    """Make the error: what was given, and what was expected."""
    return ValueError(f"{name} is {shown(value)}, expected {wanted}")


def listed(names: Sequence[str], most: int = 8) -> str:
    """Write names one after the other, the first of them where there are many."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shown(value: Any) -> str:
    """Write a value for a message, cut short where it is long."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    try:
        return _SHORT.repr(value)
    except Exception:  # whatever a value does when it is written, the error is about something else
        return f"a {type(value).__name__}"


def _is(value: Any, kinds: type | UnionType) -> bool:
    """Whether it is of these kinds. True is no number, and a span of time neither."""
    return isinstance(value, kinds) and not isinstance(value, bool | np.timedelta64)


_REAL = int | float | np.integer | np.floating

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
