"""A progress line for long work: in place while it changes, a plain line when it is worth keeping."""

import sys
import time
from types import TracebackType

from tqdm import tqdm


class Progress:
    """One line that is rewritten in place, in a notebook and in a terminal.

    In a notebook the line is a display that is updated and, in the end, taken
    away; what stays are the lines given to `keep`. So a notebook that papermill
    ran holds plain lines, and no trail of half-filled bars. Where output goes
    to a file, nothing but the kept lines is written.

    Parameters
    ----------
    unit : str
        What is counted, such as ``"img"``.
    """

    def __init__(self, unit: str = "it") -> None:
        self.unit = unit
        self._shown = 0.0
        self._handle = None
        self._width = 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._write("")

    def update(self, done: int, total: int, seconds: float, label: str, note: str = "") -> None:
        """Rewrite the line, five times a second at most.

        Parameters
        ----------
        done, total : int
            How many of how many.
        seconds : float
            Time that `done` took. Rate and time left follow from it.
        label, note : str
            What stands before and behind the bar.
        """
        now = time.monotonic()
        if now - self._shown < 0.2:
            return
        self._shown = now
        self._write(
            tqdm.format_meter(
                done, total, seconds, ncols=92, prefix=label, unit=self.unit, postfix=note
            )
        )

    def keep(self, line: str) -> None:
        """Print a line that stays."""
        self._write("")
        print(line, flush=True)

    def _write(self, line: str) -> None:
        if _in_notebook():
            from IPython.display import display

            data = {"text/plain": line}
            if self._handle is not None:
                self._handle.update(data, raw=True)
            elif line:
                self._handle = display(data, raw=True, display_id=True)
        elif sys.stdout.isatty():
            print("\r" + line.ljust(self._width), end="" if line else "\r", flush=True)
            self._width = len(line)


def _in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel. IPython is asked only if it is there already."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
