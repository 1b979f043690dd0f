"""Explorers: sliders and menus over runs and faces, for JupyterLab.

Each explorer is a function that returns an `Explorer`. Its ``figure()`` draws
what the sliders show at that moment, for a place where no widget lives: paper,
GitHub, the HTML pages.
"""

import asyncio
import html
import io
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache

import ipywidgets
import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from speculo import detector, evaluation, fingerprints, images, plots, training
from speculo import model as models
from speculo.backend import keras
from speculo.faces import FaceSet
from speculo.pairs import (
    Pairs,
    Split,
    as_image,
    as_input,
    examples,
    gallery_only,
    split_by_names,
)
from speculo.pairs import split as split_at_random
from speculo.plots.explorer import ERROR_COLORS, ERROR_TOP, SERIES, loss_top
from speculo.plots.style import CHOSEN
from speculo.runs import Run

YAWS = np.arange(-90, 91, 15)
"""Degrees at which the curve of `turn` is measured."""

DIRECTIONS = 4
"""Main directions of the fingerprints that have a slider in `between`."""

MOST_FRONTS = 200
"""Fronts whose fingerprints make those directions, at most."""

FACES = 8
"""Faces side by side in `compare`."""

NEIGHBOURS = 5
"""Nearest people in `photo`."""

PREVIEW = 640
"""Longer side of the photo that `photo` holds in memory, in pixels."""

_BUSY = threading.RLock()  # JupyterLab sends the events of widgets to a thread of their own

_STYLE = """<style>
.speculo { max-width: 1000px; overflow: visible; font-family: var(--jp-ui-font-family, sans-serif); }
.speculo .widget-image { width: 100%; height: auto; object-fit: contain; image-rendering: pixelated;
  background: var(--jp-layout-color2, #eee); border-radius: 2px; }
.speculo .speculo-face { width: 112px; margin: 4px 6px 0 0; }
.speculo .speculo-photo { width: 190px; } .speculo .speculo-photo .widget-image { image-rendering: auto; }
.speculo .speculo-strip { width: 100%; margin: 0; }
.speculo .speculo-stale { opacity: 0.45; }
.speculo .widget-html-content { line-height: 1.35; white-space: normal;
  color: var(--jp-ui-font-color1, #222); font-size: var(--jp-ui-font-size1, 13px); }
.speculo .speculo-face .widget-html-content { text-align: center; }
.speculo .speculo-problem .widget-html-content { color: var(--jp-error-color1, #c62828); }
.speculo-bars { display: grid; grid-template-columns: max-content minmax(40px, 1fr) max-content;
  gap: 1px 8px; align-items: center; max-width: 460px; }
.speculo-bars i { display: block; height: 9px; background: #3b6ea5; border-radius: 1px; }
.speculo-bars .best { font-weight: 600; } .speculo-bars i.best { background: #d9822b; }
.speculo-curve { width: 100%; max-width: 560px; height: auto; display: block; }
.speculo-curve text { fill: var(--jp-ui-font-color1, #222); font-size: 11px; }
.speculo-curve .axis { stroke: var(--jp-border-color1, #bbb); }
.speculo-curve .cursor { stroke: #e8590c; stroke-width: 2; }
</style>"""


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
            self._due = True
            self.finish()
            return
        if not self._due:
            self._due = True
            loop.call_later(self._wait, self._begin, loop)

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


class Predictor:
    """A run with its network in memory. Its parts are read when they are first asked for.

    Parameters
    ----------
    run : Run
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.name = run.name
        self.title = run.best_title
        self.size = run.config.input_shape[0]

    @cached_property
    def network(self) -> keras.Model:
        """The model with the weights of the run's best epoch."""
        return self.run.model()

    @cached_property
    def encoder(self) -> keras.Model:
        """From faces to fingerprints."""
        return models.encoder(self.network)

    @cached_property
    def decoder(self) -> keras.Model:
        """From fingerprints to faces."""
        return models.decoder(self.network)

    def draw(self, inputs: np.ndarray) -> np.ndarray:
        """Draw the front of float32 (n, height, width, 1) in 0..1: the same shape."""
        return models.forward(self.network, inputs)

    def decode(self, vectors: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Draw the faces of fingerprints: uint8 (n, height, width).

        What a line beside the network sees are `faces`, float32 (n, height, width, 1);
        a model without one does without them.
        """
        asked = [vectors, faces] if len(self.decoder.inputs) > 1 else vectors
        return as_image(models.forward(self.decoder, asked))

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        """Fingerprints, float32 (n, d), of uint8 (n, height, width)."""
        return fingerprints.encode(self.encoder, pictures)

    def knows(self, pairs: Pairs, person: str) -> bool:
        """Whether the run was trained on that person."""
        settings = self.run.record["settings"]
        return pairs.faces.name in settings["dataset"].split("+") and (
            person in settings["train_people"]
        )


class Explorer(ipywidgets.VBox):
    """Controls with the pictures that follow them.

    Attributes
    ----------
    controls : dict
        Name to the slider, menu or button.
    shown : dict
        Name to the widget that shows something: `Face`, strip or text.
    problem : ipywidgets.HTML
        One line that says what went wrong, empty where nothing did.
    """

    def __init__(
        self,
        controls: dict[str, ipywidgets.Widget],
        shown: dict[str, ipywidgets.Widget],
        rows: Sequence[ipywidgets.Widget],
        draw: Callable[[], Iterator | None],
        figure: Callable[[], Figure],
    ) -> None:
        self.controls = controls
        self.shown = shown
        self.problem = ipywidgets.HTML()
        self.problem.add_class("speculo-problem")
        self._figure = figure
        self._latest = Latest(lambda: self._guarded(draw))
        super().__init__([ipywidgets.HTML(_STYLE), _flow(*controls.values()), *rows, self.problem])
        self.add_class("speculo")
        for control in controls.values():
            if not isinstance(control, ipywidgets.Button):
                control.observe(self._latest.ask, "value")
        self.redraw()

    def redraw(self) -> None:
        """Draw everything anew, at once."""
        self._latest._due = True
        self._latest.finish()

    def figure(self) -> Figure:
        """Draw what is shown now as a figure."""
        self._latest.finish()
        with _BUSY:
            return self._figure()

    def _guarded(self, draw: Callable[[], Iterator | None]) -> Iterator[None]:
        """Draw, and say in one line why it did not work. The last good picture stays."""
        try:
            yield from draw() or ()
        except Exception as error:  # one event must not end the explorer
            self.problem.value = html.escape(str(error) or type(error).__name__)
        else:
            self.problem.value = ""

    def _repr_mimebundle_(self, **options: object) -> dict:
        bundle = super()._repr_mimebundle_(**options)
        if bundle is not None:
            bundle["text/plain"] = NO_WIDGET
        return bundle


NO_WIDGET = "Sliders and menus: open this chapter in JupyterLab and run it to move them."
"""What stands in the place of an explorer where no kernel runs."""


class Face(ipywidgets.VBox):
    """A face, enlarged without smoothing, with a caption below it."""

    def __init__(self, caption: str = "") -> None:
        self.image = ipywidgets.Image(format="png")
        self.caption = ipywidgets.HTML()
        super().__init__([self.image, self.caption])
        self.add_class("speculo-face")
        self.show(np.full((32, 32), 128, np.uint8), caption)

    def show(self, picture: np.ndarray, caption: str | None = None) -> None:
        """Show uint8 (height, width), or (height, width, 3) in colour."""
        self.image.value = png(picture)
        if caption is not None:
            self.caption.value = html.escape(caption)


def unseen(faces: FaceSet, run: Run, *, seed: int = 0) -> Split:
    """Split a dataset so that a run was trained on none of its test people.

    Where the run knows the dataset and all of its people, or none of them, it
    is ``pairs.split`` with the seed.
    """
    settings = run.record["settings"]
    if faces.name in settings["dataset"].split("+"):
        alone = (*settings["train_people"], *gallery_only(faces))
        left = [name for name in faces.names if name not in alone]
        with suppress(ValueError):  # nobody is left on one of the sides
            return split_by_names(faces, left)
    return split_at_random(faces, seed=seed)


def predictions(runs: Sequence[Run], sets: dict[str, Split]) -> Explorer:
    """Explore single predictions: a run, a dataset, a held-out person, a photo.

    Parameters
    ----------
    runs : sequence of Run
        Finished ones. The first is shown first.
    sets : dict
        Name to a split. Its test people are shown, and its train people fit
        the baselines.
    """
    run, dataset = _run_menu(runs), _set_menu(sets)
    person = _slider_of_people(next(iter(sets.values())).test, "person")
    photo = ipywidgets.IntSlider(1, 1, 1, description="photo", tooltip="Which photo of the person")
    faces = {name: Face(name) for name in ("input", "prediction", "target", "error map")}
    numbers, note = ipywidgets.HTML(), ipywidgets.HTML()
    now: dict = {}

    def fit_menus(*_: object) -> None:
        test = sets[dataset.value].test
        if tuple(person.options) != test.people:
            person.options = test.people
        photo.max = len(_places(test, person.value))

    dataset.observe(fit_menus, "value")
    person.observe(fit_menus, "value")
    fit_menus()

    def draw() -> None:
        predictor, split = _predictor(run.value), sets[dataset.value]
        place = _places(split.test, person.value)[photo.value - 1]
        asked, target = split.test.batch(slice(place, place + 1))
        _fits(predictor, asked)
        drawn = predictor.draw(asked)
        errors = {
            predictor.name: evaluation.mse(drawn, target),
            **{
                name: evaluation.mse(values, target)
                for name, values in _baselines(split.train)(asked).items()
            },
        }
        now.update(
            panels={
                "input": as_image(asked)[0],
                "prediction": as_image(drawn)[0],
                "target": as_image(target)[0],
            },
            error=np.abs(drawn - target)[0, ..., 0],
            errors=errors,
            title=f"{predictor.title}: {person.value} of {dataset.value}",
        )
        for name, picture in now["panels"].items():
            faces[name].show(picture)
        faces["error map"].show(_error_map(now["error"]))
        numbers.value = bars(errors)
        seen = predictor.knows(split.test, person.value)
        note.value = f"{html.escape(predictor.title)}." + (
            " It was trained on this person." if seen else ""
        )

    return Explorer(
        {"run": run, "dataset": dataset, "person": person, "photo": photo},
        {**faces, "numbers": numbers, "note": note},
        [_flow(*faces.values()), numbers, note],
        draw,
        lambda: plots.explored_prediction(**now),
    )


def epochs(runs: Sequence[Run], sets: dict[str, Split]) -> Explorer:
    """Explore a training: what it drew after each epoch, and where on its curve that was.

    Parameters
    ----------
    runs : sequence of Run
        With at least one epoch in the log.
    sets : dict
        Name to a split. Photos and fronts stand beside the drawings where the
        run was trained with one of them.
    """
    run = _run_menu(runs)
    run.value = next((each for each in runs if training.read_snapshots(each)), run.value)
    epoch = ipywidgets.IntSlider(1, 1, 1, description="epoch", tooltip="After which epoch")
    rows = {name: Strip(name) for name in ("input", "drawn", "target")}
    curve, note = ipywidgets.HTML(), ipywidgets.HTML()
    now: dict = {}

    def choose(*_: object) -> None:
        chosen = run.value
        drawn = training.read_snapshots(chosen)
        now.update(
            run=chosen,
            drawn=drawn,
            history=chosen.history,
            split=next((each for each in sets.values() if _trained_with(chosen, each)), None),
        )
        epoch.max = max(int(chosen.history["epoch"].max()), 1)
        epoch.value = epoch.max

    run.observe(choose, "value")
    choose()

    def draw() -> None:
        history, drawn, split = now["history"], now["drawn"].get(epoch.value), now["split"]
        pictures = {}
        if drawn is not None:
            pictures["drawn"] = drawn
            if split is not None:
                shown = examples(split.test, len(drawn))
                every = split.test.faces.images
                pictures["input"] = every[split.test.input[shown]]
                pictures["target"] = every[split.test.target[shown]]
        for name, strip in rows.items():
            strip.layout.display = None if name in pictures else "none"
            if name in pictures:
                strip.show(
                    pictures[name], f"after epoch {epoch.value}" if name == "drawn" else name
                )
        now["rows"] = {
            f"epoch {epoch.value}" if name == "drawn" else name: pictures[name]
            for name in rows
            if name in pictures
        }
        row = history.iloc[int(np.searchsorted(history["epoch"], epoch.value))]
        curve.value = line_chart(
            {name: (history["epoch"], history[column]) for name, column in _LOSSES.items()},
            cursor=epoch.value,
            top=loss_top([history]),
            x="epoch",
            y="loss",
        )
        note.value = (
            f"Epoch {epoch.value}: train {row['loss']:.4f}, test {row['val_loss']:.4f}."
            + ("" if drawn is not None else " The run kept no drawings of this epoch.")
        )

    return Explorer(
        {"run": run, "epoch": epoch},
        {**rows, "curve": curve, "note": note},
        [*rows.values(), note, curve],
        draw,
        lambda: plots.explored_epoch(
            now["rows"], now["history"], epoch.value, title=now["run"].title
        ),
    )


_LOSSES = {"train": "loss", "test": "val_loss"}


def turn(runs: Sequence[Run], split: Split) -> Explorer:
    """Turn a rendered head, and see at once what runs and baselines make of it.

    Parameters
    ----------
    runs : sequence of Run
        The first two are shown at first.
    split : Split
        Of rendered heads: its train people fit the baselines.
    """
    from speculo.sources import heads

    boxes = _run_boxes(runs, shown=2)

    def angle(name: str, most: int, tooltip: str) -> ipywidgets.IntSlider:
        return ipywidgets.IntSlider(0, -most, most, description=name, tooltip=tooltip)

    controls = {
        "person": ipywidgets.IntSlider(
            0, 0, 999, description="person", tooltip="Number of a rendered head"
        ),
        "yaw": angle("yaw", 90, "Turn to the side, degrees"),
        "pitch": angle("pitch", 45, "Nod, degrees"),
        "roll": angle("roll", 45, "Tilt to a shoulder, degrees"),
        "light": ipywidgets.FloatSlider(
            0,
            min=-1,
            max=1,
            step=0.1,
            description="light",
            tooltip="From the left (-1) or right (1)",
        ),
        "expression": ipywidgets.Dropdown(
            options=heads.EXPRESSIONS, description="expression", tooltip="What the face does"
        ),
    }
    controls["yaw"].value = 40
    # It opens with a head that nobody was trained on, if there is one.
    known = {name for run in runs for name in run.record["settings"]["train_people"]}
    known |= set(split.train.people)
    unseen = (number for number in range(1000) if _head_name(number) not in known)
    controls["person"].value = next(unseen, 0)
    drawings = {run.name: Face(run.name) for run in runs}
    faces = {
        "input": Face("input"),
        **drawings,
        RIDGE: Face(RIDGE),
        "front": Face("true front"),
    }
    numbers, curve, note = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
    now: dict = {"curves": {}, "asked": None, "front": (None, None)}

    def render(**pose: float) -> np.ndarray:
        rest = {
            name: controls[name].value for name in ("yaw", "pitch", "roll", "light", "expression")
        }
        return heads.render(
            controls["person"].value, **(rest | pose), size=split.train.faces.images.shape[1]
        )

    def answers(inputs: np.ndarray, chosen: Sequence[Predictor]) -> dict[str, np.ndarray]:
        every = {predictor.name: predictor.draw(inputs) for predictor in chosen}
        return every | _baselines(split.train)(inputs)

    def draw() -> Iterator[None]:
        chosen = [_predictor(run) for run in runs if boxes[run.name].value]
        size = split.train.faces.images.shape[1]
        picture = render()
        number = controls["person"].value
        if now["front"][0] != number:
            now["front"] = number, heads.render(number, size=size)
        front = now["front"][1]
        target = as_input(front[None])
        for predictor in chosen:
            _fits(predictor, target)
        drawn = answers(as_input(picture[None]), chosen)
        panels = {"input": picture}
        panels |= {each.name: as_image(drawn[each.name])[0] for each in chosen}
        panels |= {RIDGE: as_image(drawn[RIDGE])[0], "front": front}
        for name, face in faces.items():
            face.layout.display = None if name in panels else "none"
            if name in panels:
                face.show(panels[name])
        errors = {name: evaluation.mse(values, target) for name, values in drawn.items()}
        numbers.value = bars(errors)
        seen = [each.name for each in chosen if each.knows(split.train, _head_name(number))]
        seen += ["the baselines"] * (_head_name(number) in split.train.people)
        note.value = f"Trained on this head: {html.escape(', '.join(seen))}." if seen else ""
        now.update(panels=panels, errors=errors)

        # The curve is of everything but the yaw: while only that moves, the cursor is enough.
        asked = (
            tuple(each.name for each in chosen),
            *(control.value for name, control in controls.items() if name != "yaw"),
        )
        fresh = asked == now["asked"]
        show_curve(stale=not fresh)
        if fresh:
            return
        yield  # the picture is out; the rest can be dropped
        values: dict[str, list[float]] = {}
        for yaw in YAWS.tolist():
            turned = answers(as_input(render(yaw=yaw)[None]), chosen)
            for name in (*(each.name for each in chosen), RIDGE, "input itself"):
                values.setdefault(name, []).append(evaluation.mse(turned[name], target))
            yield
        now.update(curves={name: np.array(each) for name, each in values.items()}, asked=asked)
        show_curve(stale=False)

    def show_curve(*, stale: bool) -> None:
        curve.value = line_chart(
            {name: (YAWS, values) for name, values in now["curves"].items()},
            cursor=controls["yaw"].value,
            top=1.1 * max((max(values) for values in now["curves"].values()), default=0.1),
            x="yaw, degrees",
            y="MSE",
        )
        (curve.add_class if stale else curve.remove_class)("speculo-stale")

    def figure() -> Figure:
        labels = {"front": "true front"}
        panels = {labels.get(name, name): picture for name, picture in now["panels"].items()}
        return plots.explored_turn(
            panels,
            now["errors"],
            YAWS,
            now["curves"],
            controls["yaw"].value,
            title=f"Head {controls['person'].value}, yaw {controls['yaw'].value}°",
        )

    return Explorer(
        {**controls, **boxes},
        {**faces, "numbers": numbers, "curve": curve, "note": note},
        [_flow(*faces.values()), note, _flow(_wide(numbers), _wide(curve))],
        draw,
        figure,
    )


RIDGE = "ridge, mirrored too"


def _head_name(number: int) -> str:
    """Name of a rendered head in its dataset."""
    return f"p{number:05}"


def between(runs: Sequence[Run], sets: dict[str, Split]) -> Explorer:
    """Slide from one person's fingerprint to another's, and along the main directions.

    Parameters
    ----------
    runs : sequence of Run
    sets : dict
        Name to a split. The fronts of all its people are what is slid between,
        and what the main directions are of.
    """
    run, dataset = _run_menu(runs), _set_menu(sets)
    first, second = (
        _slider_of_people(next(iter(sets.values())).test, name) for name in ("from", "to")
    )
    way = ipywidgets.IntSlider(
        50, 0, 100, description="way, %", tooltip="0 is the first person, 100 the second"
    )
    pushes = {
        f"direction {number + 1}": ipywidgets.FloatSlider(
            0, min=-3, max=3, step=0.1, description=f"direction {number + 1}",
            tooltip="Standard deviations along a main direction of the fingerprints",
        )
        for number in range(DIRECTIONS)
    }  # fmt: skip
    back = ipywidgets.Button(description="directions to 0", tooltip="Take the pushes away")
    faces = {name: Face() for name in ("from", "start", "between", "end", "to")}
    note = ipywidgets.HTML()
    now: dict = {}

    def fit_menus(*_: object) -> None:
        people = sets[dataset.value].test.people
        if tuple(first.options) != people:
            first.options = second.options = people
            second.value = people[-1]

    def to_zero(*_: object) -> None:
        for slider in pushes.values():
            slider.value = 0

    dataset.observe(fit_menus, "value")
    fit_menus()
    second.value = second.options[-1]
    back.on_click(to_zero)

    def draw() -> None:
        predictor, split = _predictor(run.value), sets[dataset.value]
        _fits(predictor, split.test.batch(slice(0, 1))[0])
        prints, directions, pictures, names = _front_prints(predictor, split)
        a, b = names.index(first.value), names.index(second.value)
        share = way.value / 100
        pushed = sum(
            slider.value * directions.spread[number] * directions.axes[number]
            for number, slider in enumerate(pushes.values())
            if number < len(directions.axes)
        )
        vector = (1 - share) * prints[a] + share * prints[b] + pushed
        if now.get("drawn for") != (predictor, a, b, dataset.value):  # the ends stay as they are
            ends = predictor.decode(prints[[a, b]], as_input(pictures[[a, b]]))
            now.update(start=ends[0], end=ends[1])
            now["drawn for"] = predictor, a, b, dataset.value
        blended = (1 - share) * as_input(pictures[[a]]) + share * as_input(pictures[[b]])
        start, end = now["start"], now["end"]
        middle = predictor.decode(vector[None], blended)[0]
        faces["from"].show(pictures[a], f"{first.value}, photo")
        faces["start"].show(start, f"{first.value}, drawn")
        faces["between"].show(middle, "between")
        faces["end"].show(end, f"{second.value}, drawn")
        faces["to"].show(pictures[b], f"{second.value}, photo")
        index, distance = fingerprints.nearest(vector[None], prints, 1, "l2")
        note.value = (
            f"{html.escape(predictor.title)}. Nearest fingerprint of a front: <b>{html.escape(names[index[0, 0]])}</b>, "
            f"at {distance[0, 0]:.3g}; from {html.escape(first.value)} to "
            f"{html.escape(second.value)} it is {np.linalg.norm(prints[a] - prints[b]):.3g}."
        )
        now.update(ends=(a, b), vector=vector, blended=blended, predictor=predictor, split=split)

    def figure() -> Figure:
        prints, directions, pictures, names = _front_prints(now["predictor"], now["split"])
        a, b = now["ends"]
        shares = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
        one, other = as_input(pictures[[a]]), as_input(pictures[[b]])
        blended = one + shares[..., None, None] * (other - one)
        decode = now["predictor"].decode
        return plots.explored_between(
            (pictures[a], pictures[b]),
            (names[a], names[b]),
            decode((1 - shares) * prints[a] + shares * prints[b], blended),
            np.stack(
                [
                    decode(
                        now["vector"] + np.linspace(-3, 3, 9, dtype=np.float32)[:, None] * step,
                        np.repeat(now["blended"], 9, axis=0),
                    )
                    for step in directions.spread[:, None] * directions.axes
                ]
            ),
            title=now["predictor"].title,
        )

    return Explorer(
        {
            "run": run,
            "dataset": dataset,
            "from": first,
            "to": second,
            "way": way,
            **pushes,
            "back": back,
        },
        {**faces, "note": note},
        [_flow(*faces.values()), note],
        draw,
        figure,
    )


def photo(runs: Sequence[Run], sets: dict[str, Split], sample: np.ndarray) -> Explorer:
    """Try a photo of one's own: cropped, drawn, and compared with the people of a set.

    Parameters
    ----------
    runs : sequence of Run
    sets : dict
        Name to a split. The nearest people are looked for among all of its
        photos, train and test.
    sample : numpy.ndarray
        uint8 (height, width): what is shown until a photo is chosen.
    """
    upload = ipywidgets.FileUpload(
        accept="image/*",
        description="Choose a photo",
        tooltip="It stays on this machine",
        layout=ipywidgets.Layout(width="190px"),
    )
    run, dataset = _run_menu(runs), _set_menu(sets)
    crop = ipywidgets.Dropdown(
        options=CROPS, description="crop", tooltip="What to take of the photo"
    )
    metric = ipywidgets.Dropdown(
        options=("cosine", "l2"), description="distance", tooltip="Between two fingerprints"
    )
    hand = {
        name: ipywidgets.IntSlider(
            value, low, 100, description=f"{name}, %", tooltip=tooltip, disabled=True
        )
        for name, value, low, tooltip in (
            ("left", 20, 0, "Left edge of the crop, in percent of the width"),
            ("top", 20, 0, "Upper edge of the crop, in percent of the height"),
            ("size", 60, 5, "Side of the crop, in percent of the shorter side"),
        )
    }
    faces = {
        "photo": Face("photo with its crop"),
        "crop": Face("input"),
        "prediction": Face("prediction"),
    }
    near = {f"near {number}": Face() for number in range(NEIGHBOURS)}
    faces["photo"].add_class("speculo-photo")
    note = ipywidgets.HTML()
    now: dict = {"whole": sample, "face": detector.find(sample), "name": "the sample"}

    def read(*_: object) -> None:
        if not upload.value:
            return
        file = upload.value[0]
        now["problem"] = None
        try:
            with warnings.catch_warnings():  # Pillow warns of what becomes an error here
                warnings.simplefilter("ignore")
                whole = images.read_whole(bytes(file["content"]), PREVIEW)
        except ValueError as error:
            now["problem"] = f"{file['name']}: {error}. Still shown: {now['name']}"
            return
        now.update(whole=whole, face=detector.find(whole), name=file["name"])
        crop.value = "auto"

    upload.observe(read, "value")

    def draw() -> None:
        for slider in hand.values():
            slider.disabled = crop.value != "hand"
        whole = now["whole"]
        missed = crop.value == "auto" and now["face"] is None
        if crop.value == "auto" and not missed:
            box = now["face"]
        elif crop.value == "hand":
            box = _crop_box(whole.shape, *(slider.value for slider in hand.values()))
        else:
            box = (0, 0, *whole.shape[::-1])
        predictor, split = _predictor(run.value), sets[dataset.value]
        picture = _cut(whole, box, predictor.size)
        drawn = predictor.draw(as_input(picture[None]))
        prints, shown = _all_prints(predictor, split)
        every = split.test.faces
        distance = fingerprints.distances(predictor.encode(picture[None]), prints, metric.value)[0]
        order = shown[np.argsort(distance, kind="stable")]
        people = list(dict.fromkeys(every.person[order].tolist()))[:NEIGHBOURS]
        best = [order[every.person[order] == number][0] for number in people]
        by_image = dict(zip(shown.tolist(), distance.tolist(), strict=True))
        faces["photo"].show(_framed(whole, box))
        faces["crop"].show(picture)
        faces["prediction"].show(as_image(drawn)[0])
        neighbours = {}
        for place, face in enumerate(near.values()):
            face.layout.display = None if place < len(best) else "none"
            if place < len(best):
                index = int(best[place])
                caption = f"{every.names[every.person[index]]}, {by_image[index]:.3g}"
                face.show(every.images[index], caption)
                neighbours[caption] = every.images[index]
        note.value = f"Shown: {html.escape(now['name'])}. {html.escape(predictor.title)}." + (
            " No face was found in it: the whole photo is taken." if missed else ""
        )
        now.update(
            box=box,
            panels={"input": picture, "prediction": as_image(drawn)[0]},
            neighbours=neighbours,
            title=predictor.title,
        )
        if now.get("problem"):
            raise ValueError(now.pop("problem"))

    return Explorer(
        {
            "upload": upload,
            "run": run,
            "dataset": dataset,
            "crop": crop,
            **hand,
            "metric": metric,
        },
        {**faces, **near, "note": note},
        [
            _flow(*faces.values()),
            note,
            ipywidgets.HTML("Nearest people, with the distance of the fingerprints:"),
            _flow(*near.values()),
        ],
        draw,
        lambda: plots.explored_photo(
            now["whole"], now["box"], now["panels"], now["neighbours"], title=now["title"]
        ),
    )


CROPS = (("the face, found", "auto"), ("the whole photo", "whole"), ("by hand", "hand"))


def compare(runs: Sequence[Run], sets: dict[str, Split]) -> Explorer:
    """Put runs side by side on the same faces, and their test losses in one plot.

    Parameters
    ----------
    runs : sequence of Run
        The first three are shown at first.
    sets : dict
        Name to a split: its test people are drawn.
    """
    boxes = _run_boxes(runs, shown=3)
    dataset = _set_menu(sets)
    page = ipywidgets.IntSlider(1, 1, 1, description="page", tooltip=f"{FACES} faces on each")
    strips = {name: Strip(name) for name in ("input", *(run.name for run in runs), "target")}
    curve, note = ipywidgets.HTML(), ipywidgets.HTML()
    now: dict = {}
    kept: dict[tuple, np.ndarray] = {}

    def fit_menus(*_: object) -> None:
        page.max = -(-len(sets[dataset.value].test) // FACES)

    dataset.observe(fit_menus, "value")
    fit_menus()

    def draw() -> Iterator[None]:
        test = sets[dataset.value].test
        index = _spread(test)[(page.value - 1) * FACES : page.value * FACES]
        asked, target = test.batch(index)
        chosen = [_predictor(run) for run in runs if boxes[run.name].value]
        rows = {"input": as_image(asked)}
        for name, strip in strips.items():
            visible = name in ("input", "target") or boxes[name].value
            strip.layout.display = None if visible else "none"
        strips["input"].show(as_image(asked))
        strips["target"].show(as_image(target))
        curve.value = line_chart(
            {
                each.name: (each.run.history["epoch"], each.run.history["val_loss"])
                for each in chosen
            },
            top=loss_top([each.run.history for each in chosen]),
            x="epoch",
            y="test loss",
        )
        missing = []
        for predictor in chosen:
            key = (predictor.run, dataset.value, page.value)
            if key not in kept:
                if predictor.size != asked.shape[1]:
                    missing.append(predictor.name)
                    strips[predictor.name].layout.display = "none"
                    continue
                yield
                kept[key] = predictor.draw(asked)
            label = f"{predictor.name}, MSE {evaluation.mse(kept[key], target):.4f}"
            strips[predictor.name].show(as_image(kept[key]), label)
            rows[label] = as_image(kept[key])
        rows["target"] = as_image(target)
        people = {test.faces.names[number] for number in test.person[index]}
        seen = [each.name for each in chosen if any(each.knows(test, name) for name in people)]
        note.value = " ".join(
            f"{what}: {html.escape(', '.join(names))}."
            for what, names in (
                (f"Takes other sizes than {dataset.value}", missing),
                ("Trained on some of these people", seen),
            )
            if names
        )
        now.update(
            rows=rows,
            histories={each.name: each.run.history for each in chosen},
            title=f"Faces of {dataset.value}"
            + (f", some trained on by {', '.join(seen)}" if seen else ""),
        )

    return Explorer(
        {"dataset": dataset, "page": page, **boxes},
        {**strips, "curve": curve, "note": note},
        [*strips.values(), note, curve],
        draw,
        lambda: plots.explored_runs(**now),
    )


class Strip(ipywidgets.VBox):
    """Faces side by side in one picture, with a caption above it."""

    def __init__(self, caption: str = "") -> None:
        self.image = ipywidgets.Image(format="png")
        self.caption = ipywidgets.HTML(html.escape(caption))
        super().__init__([self.caption, self.image])
        self.add_class("speculo-strip")

    def show(self, pictures: np.ndarray, caption: str | None = None) -> None:
        """Show uint8 (n, height, width)."""
        height, width = pictures.shape[1:]
        strip = np.zeros((height, len(pictures) * (width + 1) - 1, 4), np.uint8)  # clear gaps
        for place, picture in enumerate(pictures):
            strip[:, place * (width + 1) : place * (width + 1) + width, :3] = picture[..., None]
            strip[:, place * (width + 1) : place * (width + 1) + width, 3] = 255
        self.image.value = png(strip)
        self.image.layout.max_width = f"{76 * len(pictures)}px"
        if caption is not None:
            self.caption.value = html.escape(caption)


def png(picture: np.ndarray) -> bytes:
    """Write uint8 (height, width), with 3 or 4 channels or none, as PNG."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", compress_level=1)
    return out.getvalue()


def bars(errors: dict[str, float]) -> str:
    """Write errors as HTML: a bar each, with the number behind it. The smallest stands out."""
    top, best = max(errors.values()) or 1.0, min(errors.values())
    rows = []
    for name, value in errors.items():
        mark = " class='best'" if value == best else ""
        rows.append(
            f"<span{mark}>{html.escape(name)}</span>"
            f"<i{mark} style='width:{100 * value / top:.1f}%'></i>"
            f"<span{mark}>{value:.4f}</span>"
        )
    return f"<b>MSE</b><div class='speculo-bars'>{''.join(rows)}</div>"


def line_chart(
    series: dict[str, tuple[Sequence[float], Sequence[float]]],
    *,
    top: float,
    x: str,
    y: str,
    cursor: float | None = None,
) -> str:
    """Write curves as SVG that takes the colours of the page: light or dark.

    Parameters
    ----------
    series : dict
        Name to the x and the y of its points.
    top : float
        Upper end of the y axis; the lower one is 0. What is above leaves it.
    x, y : str
        Names of the axes.
    cursor : float, optional
        Where to draw an upright line.
    """
    left, right, bottom, tall = 52, 548, 165, 135  # the frame of the curves, in units of the view
    every = [float(value) for xs, _ in series.values() for value in xs]
    low, high = (min(every), max(every)) if every else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5

    def across(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    parts = [
        f"<text x='4' y='12'>{html.escape(y)}</text>"
        f"<text x='{right}' y='{bottom + 32}' text-anchor='end'>{html.escape(x)}</text>"
    ]
    for share in (0.0, 0.5, 1.0):
        level = bottom - tall * share
        parts.append(
            f"<line class='axis' x1='{left}' x2='{right}' y1='{level}' y2='{level}' />"
            f"<text x='{left - 6}' y='{level + 4}' text-anchor='end'>{top * share:.2g}</text>"
        )
    for value in np.arange(np.ceil(low), high + 1e-9, max(1, np.ceil((high - low) / 6))):
        parts.append(
            f"<text x='{across(value):.1f}' y='{bottom + 16}' text-anchor='middle'>{value:.0f}</text>"
        )
    if cursor is not None:
        at = f"{across(min(max(cursor, low), high)):.1f}"
        parts.append(
            f"<line class='cursor' x1='{at}' x2='{at}' y1='{bottom - tall}' y2='{bottom}' />"
        )
    for number, (name, (xs, ys)) in enumerate(series.items()):
        color = SERIES[number % len(SERIES)]
        points = " ".join(
            f"{across(float(one)):.1f},{bottom - tall * min(float(other) / top, 1.07):.1f}"
            for one, other in zip(xs, ys, strict=True)
        )
        level = bottom + 30 + 16 * number
        parts.append(
            f"<polyline points='{points}' fill='none' stroke='{color}' stroke-width='2' />"
            f"<line x1='{left}' x2='{left + 18}' y1='{level}' y2='{level}' stroke='{color}' "
            f"stroke-width='3' /><text x='{left + 24}' y='{level + 4}'>{html.escape(name)}</text>"
        )
    height = bottom + 40 + 16 * max(len(series) - 1, 0)
    label = html.escape(f"{y} over {x}: {', '.join(series)}", quote=True)
    return (
        f"<svg class='speculo-curve' viewBox='0 0 560 {height}' role='img' "
        f"aria-label='{label}'>{''.join(parts)}</svg>"
    )


def _predictor(run: Run) -> Predictor:
    """Open a run once, and again when it has trained on."""
    return _opened(run, run.epochs)


@lru_cache(maxsize=16)
def _opened(run: Run, epochs: int) -> Predictor:
    return Predictor(run)


@lru_cache(maxsize=8)
def _baselines(train: Pairs) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    return evaluation.fit_baselines(train)


@lru_cache(maxsize=16)
def _front_prints(
    predictor: Predictor, split: Split
) -> tuple[np.ndarray, fingerprints.Directions, np.ndarray, list[str]]:
    """Fingerprints of fronts, their main directions, the fronts and whose they are: test first."""
    fronts = [index for side in (split.test, split.train) for index in dict.fromkeys(side.target)]
    fronts = np.array(fronts[: max(MOST_FRONTS, len(set(split.test.target)))])
    faces = split.test.faces
    prints = predictor.encode(faces.images[fronts])
    names = [faces.names[number] for number in faces.person[fronts]]
    return prints, fingerprints.principal(prints, DIRECTIONS), faces.images[fronts], names


@lru_cache(maxsize=16)
def _all_prints(predictor: Predictor, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Fingerprints of the inputs of both sides, and their indices."""
    index = np.union1d(split.train.input, split.test.input)
    return predictor.encode(split.test.faces.images[index]), index


def _fits(predictor: Predictor, asked: np.ndarray) -> None:
    if asked.shape[1] != predictor.size:
        raise ValueError(
            f"{predictor.name} takes faces of {predictor.size} x {predictor.size} pixels, "
            f"these are {asked.shape[2]} x {asked.shape[1]}. Choose another run or dataset"
        )


def _trained_with(run: Run, split: Split) -> bool:
    try:
        run.require(split)
    except ValueError:
        return False
    return True


def _places(pairs: Pairs, person: str) -> np.ndarray:
    """Where the pairs of a person are, turned faces first: a front is no test of the drawing."""
    mine = np.flatnonzero(pairs.person == pairs.faces.names.index(person))
    return mine[np.argsort(pairs.input[mine] == pairs.target[mine], kind="stable")]


def _spread(pairs: Pairs) -> np.ndarray:
    """Put pairs in an order in which neighbours are different people, fronts as inputs last."""
    own = pairs.input == pairs.target
    table = pd.DataFrame({"person": pairs.person, "own": own})
    turn = table.groupby(["person", "own"]).cumcount()
    return np.lexsort((pairs.person, turn, own))


def _error_map(error: np.ndarray) -> np.ndarray:
    """Colour absolute errors: uint8 (height, width, 3)."""
    colors = matplotlib.colormaps[ERROR_COLORS](np.clip(error / ERROR_TOP, 0, 1), bytes=True)
    return colors[..., :3]


def _crop_box(
    shape: tuple[int, int], left: float, top: float, size: float
) -> tuple[float, float, float, float]:
    """Turn percents into a square in pixels, moved back into the photo where it leaves it."""
    height, width = shape
    side = max(size / 100 * min(width, height), 1.0)
    left = min(left / 100 * width, width - side)
    top = min(top / 100 * height, height - side)
    return left, top, left + side, top + side


def _cut(whole: np.ndarray, box: tuple[float, float, float, float], size: int) -> np.ndarray:
    """Shrink a part of a photo to a square, as the folder reader does."""
    square = Image.fromarray(whole).resize(
        (size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0
    )
    return np.asarray(square)


def _framed(whole: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Shrink a photo to look at, with its crop framed: uint8 (height, width, 3)."""
    small = Image.fromarray(whole).convert("RGB")
    small.thumbnail((320, 320), Image.Resampling.LANCZOS)
    shrunk = small.width / whole.shape[1]
    edges = [edge * shrunk for edge in box]
    edges[2:] = [edge - 1 for edge in edges[2:]]
    ImageDraw.Draw(small).rectangle(edges, outline=CHOSEN, width=3)
    return np.asarray(small)


def _flow(*parts: ipywidgets.Widget) -> ipywidgets.Box:
    """Put widgets side by side, and below one another where the window is narrow."""
    return ipywidgets.Box(
        list(parts), layout=ipywidgets.Layout(flex_flow="row wrap", overflow="visible")
    )


def _wide(part: ipywidgets.Widget) -> ipywidgets.Widget:
    """Let a part take half of a wide window, or all of a narrow one."""
    part.layout.flex = "1 1 300px"
    part.layout.max_width = "560px"
    return part


def _run_menu(runs: Sequence[Run]) -> ipywidgets.Dropdown:
    if not runs:
        raise ValueError("There is no finished run to show. Run chapter 03 first")
    return ipywidgets.Dropdown(
        options=[(run.name, run) for run in runs],
        description="run",
        tooltip="Which trained model draws",
    )


def _run_boxes(runs: Sequence[Run], shown: int) -> dict[str, ipywidgets.Checkbox]:
    """Make a box to tick for each run."""
    if not runs:
        raise ValueError("There is no finished run to show. Run chapter 03 first")
    return {
        run.name: ipywidgets.Checkbox(
            place < shown, description=run.name, indent=False, tooltip=run.title
        )
        for place, run in enumerate(runs)
    }


def _set_menu(sets: dict[str, Split]) -> ipywidgets.Dropdown:
    if not sets:
        raise ValueError("sets is empty, expected a name and a split for each dataset")
    return ipywidgets.Dropdown(
        options=list(sets), description="dataset", tooltip="Whose faces are shown"
    )


def _slider_of_people(pairs: Pairs, name: str) -> ipywidgets.SelectionSlider:
    return ipywidgets.SelectionSlider(
        options=pairs.people,
        description=name,
        tooltip="Whose face: the arrow keys step through the people",
    )
