"""What every chapter calls: its parameters are known, its errors short, its tables text.

A chapter begins with ``speculo.chapter.begin()``, below the cell of parameters.
"""

import ast
import difflib
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
from IPython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from pandas.io.formats.style import Styler

from speculo import checks, runs

INJECTED = "# Parameters\n"
"""How papermill begins the cell that it puts below the cell of parameters."""


def begin() -> None:
    """Refuse parameters that the chapter does not have, and set how its kernel shows things.

    From here on an error that Speculo raises for the reader is its message and
    the line of the cell; any other error keeps its whole traceback. What it warns
    of is a line of text. What stands in a table between dollar signs is text and no formula.

    Raises
    ------
    ValueError
        If papermill was given a name that the cell of parameters does not
        have, or a value of another type than the one that stands there.
    """
    pd.set_option("display.html.use_mathjax", False)
    shell = get_ipython()
    if shell is not None:  # a chapter can be run as a plain script too
        shell.set_custom_exc((Exception,), _show)
        warnings.showwarning = partial(_tell, warnings.showwarning)
        _check(shell.user_ns.get("In", []))


def _tell(otherwise: Callable, message: Warning, category: type[Warning], *where: object) -> None:
    """Print a warning that is meant for the reader. Others are of programs, and stay what they are."""
    if category is UserWarning:
        print(f"Note: {message}")
    else:
        otherwise(message, category, *where)


def table(frame: pd.DataFrame, formats: dict | str | None = None, **options) -> Styler:
    """Show a frame whole, with every text in it as text, whatever characters it has.

    A name of a person is the name of a folder, and can be HTML. A plain
    ``frame.style`` would run it.

    Parameters
    ----------
    frame : pandas.DataFrame
    formats : dict or str, optional
        How values are written, such as ``"{:.2f}"``, by column or for all.
    **options
        For ``pandas.io.formats.style.Styler.format``, such as ``na_rep``.
    """
    shown = frame.style.format(formats, escape="html", **options)
    for axis in ("index", "columns"):
        shown.format_index(escape="html", axis=axis)
    return shown.set_table_attributes('class="tex2jax_ignore mathjax_ignore"')


def _check(cells: list[str]) -> None:
    """Compare what papermill has put into a chapter with the cells above it, in order."""
    known: dict[str, Any] = {}
    for cell in cells:
        if not cell.startswith(INJECTED):
            known |= _assigned(cell)
            continue
        for name, value in _assigned(cell).items():
            if name in known:
                _check_type(name, value, known[name])
                if name == "run" and value is not None:
                    runs.at(value)
            elif not name.startswith("PAPERMILL_"):  # its own, if it is asked to tell its paths
                near = difflib.get_close_matches(name, known, n=1)
                meant = f" Did you mean {near[0]!r}?" if near else ""
                raise ValueError(
                    f"This chapter has no parameter {name!r}.{meant} It has: {', '.join(known)}"
                )


def _check_type(name: str, given: object, default: object) -> None:
    """Refuse a value of another type than the default's. A default of None has none."""
    if default is None or ... in (given, default):
        return
    allowed = (float, int) if isinstance(default, float) else type(default)
    if not isinstance(given, allowed) or isinstance(given, bool) != isinstance(default, bool):
        raise checks.wrong(name, given, f"{type(default).__name__}, such as {default!r}")


def _assigned(cell: str) -> dict[str, Any]:
    """Find the names that a cell sets, with the values that are written out, or `...`."""
    try:
        lines = ast.parse(cell).body
    except SyntaxError:  # a cell that the reader is still writing
        return {}
    values = {}
    for line in lines:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            try:
                values[line.targets[0].id] = ast.literal_eval(line.value)
            except ValueError:
                values[line.targets[0].id] = ...
    return values


def _show(
    shell: InteractiveShell,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> None:
    """Show an error: in short if it is one that Speculo raises in words for the reader."""
    steps = traceback.extract_tb(trace)
    own = Path(steps[-1].filename).is_relative_to(Path(__file__).parent)
    if own and (steps[-1].line or "").startswith("raise "):
        where = [
            f"{' '.join(cell)}, line {step.lineno}: {step.line}"
            for step in steps
            if (cell := shell.compile.format_code_name(step.filename))
        ]
        short = [*where, f"{kind.__name__}: {error}"]
        error._render_traceback_ = lambda: short  # type: ignore[attr-defined]  # IPython's own
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
