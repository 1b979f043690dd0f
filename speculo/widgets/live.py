"""What makes explorers live: events that do not pile up, and controls with pictures that follow."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ipywidgets
from matplotlib.figure import Figure

from speculo import plots
from speculo.widgets.named import Names
from speculo.widgets.shown import STYLE, flow, text

_BUSY = threading.RLock()  # JupyterLab sends the events of widgets to a thread of their own


class Latest:
    """Does a piece of work for the newest of many events, and drops the older ones.

    A slider sends more events than can be drawn. Each one asks for the work;
    what was asked for in the meantime is done once. Where no event loop runs
    the work is done at once.

    Parameters
    ----------
    work : callable
        What to do. It may be a generator function: then its steps are done one
        at a time, and the rest of them are dropped when a newer event comes.
    wait : float
        Seconds in which events are gathered before the work begins.
    """

    def __init__(self, work: Callable[[], Iterator | None], wait: float = 0.008) -> None:
        self._work = work
        self._wait = wait
        self._due = False
        self._asked = 0
        self._steps: Iterator | None = None

    def ask(self, *_: object) -> None:
        """Ask for the work. What an event brings along is not looked at."""
        self._asked += 1
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.do()
            return
        if not self._due:
            self._due = True
            loop.call_later(self._wait, self._begin, loop)

    def do(self) -> None:
        """Do the work at once, to the last step."""
        self._due = True
        self.finish()

    def finish(self) -> None:
        """Do at once what was asked for and is not done yet, to the last step."""
        with _BUSY:
            if self._due:
                self._due = False
                self._steps = self._work()
            steps, self._steps = self._steps, None
            for _ in steps or ():
                pass

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        with _BUSY:
            if self._due:  # `finish` may have been quicker
                self._due = False
                self._steps = self._work()
                self._step(loop, self._asked)

    def _step(self, loop: asyncio.AbstractEventLoop, asked: int) -> None:
        with _BUSY:
            if self._steps is None or asked != self._asked:
                return
            try:
                next(self._steps)
            except StopIteration:
                self._steps = None
            else:
                loop.call_later(0.001, self._step, loop, asked)  # let newer events in first


class Explorer(ipywidgets.VBox):
    """Controls, a line that says what went wrong, and the pictures that follow the controls.

    Parameters
    ----------
    controls : dict
        Name to the slider, menu or button. Kept as an attribute.
    rows : sequence of dict
        What stands below them, row by row: name to the widget that shows something. The
        attribute ``shown`` is all of them in one.
    ask : callable
        From the values of the controls to an answer of ``explored``, or to ever fuller ones.
    show, figure : callable
        Puts an answer into the widgets; draws it.
    """

    def __init__(
        self,
        controls: dict[str, ipywidgets.Widget],
        rows: Sequence[dict[str, ipywidgets.Widget]],
        ask: Callable[..., tuple | Iterator[tuple]],
        show: Callable[[Any], None],
        figure: Callable[[Any], Figure],
    ) -> None:
        self.controls = controls
        self.shown = {name: widget for row in rows for name, widget in row.items()}
        self.problem = ipywidgets.HTML()
        self.problem.add_class("speculo-problem")
        self._ask, self._show, self._figure = ask, show, figure
        self._answer: Any = None
        self._said = ""
        self._latest = Latest(self._draw)
        above, *below = (flow(*row.values()) for row in (controls, *rows))
        super().__init__([ipywidgets.HTML(STYLE), above, self.problem, *below, Names()])
        self.add_class("speculo")
        self._asked = [each for each in controls.values() if hasattr(each, "value")]
        for control in self._asked:
            control.observe(self._latest.ask, "value")
        self.redraw()

    def redraw(self) -> None:
        """Draw everything anew, at once."""
        self._latest.do()

    def changed(self) -> None:
        """Draw anew soon: what is to be shown has changed, and no control has."""
        self._latest.ask()

    def figure(self) -> Figure:
        """Draw what is shown now as a figure: where nothing could be, what went wrong."""
        self._latest.finish()
        with _BUSY:
            if self._answer is None:
                return plots.explored_nothing(self._said)
            return self._figure(self._answer)

    def _draw(self) -> Iterator[None]:
        """Show the answers, and say what went wrong. The last good one stays."""
        try:
            answer = self._ask(*(control.value for control in self._asked))
            for each in answer if isinstance(answer, Iterator) else (answer,):
                if each is not self._answer:
                    self._show(each)
                    self._answer = each
                yield  # the rest can be dropped
        except Exception as error:  # one event must not end the explorer
            self._say(str(error) or type(error).__name__)
        else:
            self._say(". ".join(self._answer.problems))

    def _say(self, words: str) -> None:
        self._said, self.problem.value = words, text(words)
        self.problem.layout.display = None if words else "none"

    def _repr_mimebundle_(self, **options: object) -> dict:
        bundle = super()._repr_mimebundle_(**options)
        if bundle is not None:
            bundle["text/plain"] = NO_WIDGET
        return bundle


NO_WIDGET = "Sliders and menus: open this chapter in JupyterLab and run it to move them."
"""What stands in the place of an explorer where no kernel runs."""
