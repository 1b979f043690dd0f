"""Explorers: sliders and menus over runs and faces, for JupyterLab.

Each explorer is a function that returns an `Explorer`: controls over what ``explored`` computes.
Its ``figure()`` draws what the sliders show at that moment, for a place where no widget lives:
paper, GitHub, the HTML pages. `runs` are finished ones, of which the first are shown first, and
`sets` are splits by the name that the menu has for them.
"""

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from speculo import explored, plots, snapshots
from speculo.explored import FACES, NEIGHBOURS, RIDGE, YAWS, Head, Photo
from speculo.fingerprints import METRICS
from speculo.pairs import Split
from speculo.plots.explorer import loss_top
from speculo.predictor import DIRECTIONS, MOST_FRONTS
from speculo.runs import Run
from speculo.sources import heads
from speculo.widgets.live import Explorer
from speculo.widgets.private import Upload
from speculo.widgets.shown import (
    Face,
    Strip,
    bars,
    error_map,
    fill,
    framed,
    line_chart,
    menu,
    of_runs,
    people_slider,
    run_boxes,
    run_menu,
    set_menu,
    slider,
    text,
    wide,
)

CROPS = {"the face, found": "auto", "the whole photo": "whole", "by hand": "hand"}


def predictions(runs: Sequence[Run], sets: dict[str, Split]) -> Explorer:
    """Explore single predictions on test people, beside baselines fitted on the train people."""
    dataset, photo = set_menu(sets), slider("photo", 1, 1, 1, "Which photo of the person")
    person = people_slider("person", sets)
    faces = {name: Face(name) for name in ("input", "prediction", "target", "error map")}
    numbers, note = ipywidgets.HTML(), ipywidgets.HTML()

    def fit_menus(*_: object) -> None:
        test = sets[dataset.value].test
        if tuple(person.options) != test.people:
            person.options = test.people
        photo.max = len(test.of(person.value))

    dataset.observe(fit_menus, "value")
    person.observe(fit_menus, "value")
    fit_menus()

    def ask(run: Run, dataset: str, person: str, photo: int) -> explored.Prediction:
        return explored.prediction(run, sets[dataset], person, photo)

    def show(now: explored.Prediction) -> None:
        fill(faces, now.panels | {"error map": error_map(now.error)})
        numbers.value = bars(now.errors)
        note.value = text(now.title) + (". It was trained on this person." if now.known else ".")

    def figure(now: explored.Prediction) -> Figure:
        title = f"{now.title}: {now.subject}"
        return plots.explored_prediction(now.panels, now.error, now.errors, title=title)

    controls = {"run": run_menu(runs), "dataset": dataset, "person": person, "photo": photo}
    return Explorer(controls, [faces, {"numbers": numbers}, {"note": note}], ask, show, figure)


def epochs(runs: Sequence[Run], sets: dict[str, Split]) -> Explorer:
    """Explore a training: what it drew after each epoch, and where on its curve that was.

    Photos and fronts stand beside the drawings where the run was trained with one of the sets.
    """
    run, epoch = run_menu(runs), slider("epoch", 1, 1, 1, "After which epoch")
    run.value = next((each for each in runs if snapshots.find(each)), run.value)
    strips = {name: Strip(name) for name in ("input", "drawn", "target")}
    curve, note = ipywidgets.HTML(), ipywidgets.HTML()

    def to_the_last(*_: object) -> None:
        epoch.max = epoch.value = explored.last_epoch(run.value)

    run.observe(to_the_last, "value")
    to_the_last()

    def ask(run: Run, epoch: int) -> explored.Epoch:
        return explored.epoch(run, tuple(sets.values()), epoch)

    def show(now: explored.Epoch) -> None:
        history = now.history
        fill(strips, now.rows, {"drawn": f"after epoch {now.number}"})
        columns = {"train": "loss", "test": "val_loss"}
        curves = {name: (history["epoch"], history[column]) for name, column in columns.items()}
        top = loss_top([history])
        curve.value = line_chart(curves, cursor=now.number, top=top, x="epoch", y="loss")
        losses = ", ".join(f"{name} {loss:.4f}" for name, loss in now.losses.items())
        missing = "" if now.rows else " The run kept no drawings of this epoch."
        note.value = f"Epoch {now.number}: {losses}.{missing}"

    def figure(now: explored.Epoch) -> Figure:
        labels = {"drawn": f"epoch {now.number}"}
        rows = {labels.get(name, name): pictures for name, pictures in now.rows.items()}
        return plots.explored_epoch(rows, now.history, now.number, title=now.title)

    rows = [*({name: strip} for name, strip in strips.items()), {"note": note}, {"curve": curve}]
    return Explorer({"run": run, "epoch": epoch}, rows, ask, show, figure)


def turn(runs: Sequence[Run], split: Split) -> Explorer:
    """Turn a rendered head, and see at once what runs and baselines make of it.

    The train people of the `split`, rendered heads too, fit the baselines.
    """
    boxes = run_boxes(runs, ticked=2)
    unknown = explored.unknown_head(runs, split)
    head = {
        "person": slider("person", unknown, 0, 999, "Number of a rendered head"),
        "yaw": slider("yaw", 40, -90, 90, "Turn to the side, degrees"),
        "pitch": slider("pitch", 0, -45, 45, "Nod, degrees"),
        "roll": slider("roll", 0, -45, 45, "Tilt to a shoulder, degrees"),
        "light": slider("light", 0, -1, 1, "From the left (-1) or right (1)", step=0.1),
        "expression": menu("expression", heads.EXPRESSIONS, "What the face does"),
    }
    faces = {"input": Face("input"), **of_runs({run.name: Face(run.name) for run in runs})}
    faces |= {RIDGE: Face(RIDGE), "front": Face("true front")}
    numbers, curve, note = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
    last: explored.Turn | None = None

    def ask(*setting: Any) -> Iterator[explored.Turn]:
        nonlocal last
        chosen = [*compress(runs, setting[len(head) :])]
        for now in explored.turn(chosen, split, Head(*setting[: len(head)]), last):
            last = now
            yield now

    def show(now: explored.Turn) -> None:
        pictures = {"input": now.input, **of_runs(now.drawn), RIDGE: now.ridge, "front": now.front}
        fill(faces, pictures)
        numbers.value = bars(now.errors)
        note.value = f"Trained on this head: {text(', '.join(now.known))}." if now.known else ""
        top = 1.1 * max((max(errors) for errors in now.curves.values()), default=0.1)
        curves = {name: (YAWS, errors) for name, errors in now.curves.items()}
        curve.value = line_chart(curves, cursor=now.head.yaw, top=top, x="yaw, degrees", y="MSE")
        fresh = now.measured == now.setting
        (curve.remove_class if fresh else curve.add_class)("speculo-stale")

    def figure(now: explored.Turn) -> Figure:
        panels = {"input": now.input, **now.drawn, RIDGE: now.ridge, "true front": now.front}
        title = f"Head {now.head.person}, yaw {now.head.yaw}°"
        return plots.explored_turn(panels, now.errors, YAWS, now.curves, now.head.yaw, title=title)

    rows = [faces, {"note": note}, {"numbers": wide(numbers), "curve": wide(curve)}]
    return Explorer(head | boxes, rows, ask, show, figure)


def between(runs: Sequence[Run], sets: dict[str, Split]) -> Explorer:
    """Slide from one person's fingerprint to another's, and along the main directions.

    The fronts of the test people of a set are what is slid between. Where there is one of them
    only, the way leads to the others of the set, who are among those that the directions are of.
    """
    dataset = set_menu(sets)
    first, second = people_slider("from", sets), people_slider("to", sets)

    def people() -> tuple[str, ...]:
        test, train = (side.people for side in reversed(sets[dataset.value]))
        return test if len(test) > 1 else test + train[: MOST_FRONTS - 1]

    says = "Standard deviations along a main direction of the fingerprints"
    names = [f"direction {number}" for number in range(1, DIRECTIONS + 1)]
    pushes = {name: slider(name, 0, -3, 3, says, step=0.1) for name in names}
    back = ipywidgets.Button(description="directions to 0", tooltip="Take the pushes away")
    faces = {name: Face() for name in ("from", "start", "between", "end", "to")}
    note = ipywidgets.HTML()

    def fit_menus(*_: object) -> None:
        if tuple(first.options) != people():
            first.options = second.options = people()
        second.value = people()[-1]

    def to_zero(*_: object) -> None:
        for push in pushes.values():
            push.value = 0

    dataset.observe(fit_menus, "value")
    fit_menus()
    back.on_click(to_zero)

    def ask(
        run: Run, dataset: str, first: str, second: str, way: int, *pushes: float
    ) -> explored.Between:
        return explored.between(run, sets[dataset], (first, second), way / 100, pushes)

    def show(now: explored.Between) -> None:
        (one, other), photos, ends = now.names, now.fronts.pictures, now.ends
        faces["from"].show(photos[0], f"{one}, photo")
        faces["start"].show(ends[0], f"{one}, drawn")
        faces["between"].show(now.middle, "between")
        faces["end"].show(ends[1], f"{other}, drawn")
        faces["to"].show(photos[1], f"{other}, photo")
        apart = np.linalg.norm(np.subtract(*now.fronts.prints))
        note.value = (
            f"{text(now.opened.title)}. Nearest fingerprint of a front: <b>{text(now.nearest)}</b>, "
            f"at {now.distance:.3g}; from {text(one)} to {text(other)} it is {apart:.3g}."
        )

    def figure(now: explored.Between) -> Figure:
        ends, title = tuple(now.fronts.pictures), now.opened.title
        return plots.explored_between(ends, now.names, *explored.ways(now), title=title)

    way = slider("way, %", 50, 0, 100, "0 is the first person, 100 the second")
    controls = {"run": run_menu(runs), "dataset": dataset, "from": first, "to": second, "way": way}
    return Explorer(controls | pushes | {"back": back}, [faces, {"note": note}], ask, show, figure)


def photo(runs: Sequence[Run], sets: dict[str, Split], sample: np.ndarray) -> Explorer:
    """Try a photo of one's own: cropped, drawn, and compared with the people of a set.

    Until one is chosen it is the `sample`, uint8 (height, width). The nearest people are looked
    for among all photos of a set, train and test. Where a photo cannot be shown, or where no face
    is found in it, a line above the faces says so, and nobody's face stands below.
    """
    crop = menu("crop", CROPS, "What to take of the photo")
    hand = {
        "left": slider("left, %", 20, 0, 100, "Left edge of the crop, in percent of the width"),
        "top": slider("top, %", 20, 0, 100, "Upper edge of the crop, in percent of the height"),
        "size": slider("size, %", 60, 5, 100, "Side of the crop, in percent of the shorter side"),
    }
    captions = {"photo": "photo with its crop", "crop": "input", "prediction": "prediction"}
    faces = {name: Face(caption, private=True) for name, caption in captions.items()}
    faces["photo"].add_class("speculo-photo")
    near = {f"near {place}": Face() for place in range(NEIGHBOURS)}
    note, says = ipywidgets.HTML(), ipywidgets.HTML()
    photo: Photo | None = explored.photo("", sample)

    def receive(name: str, content: bytes) -> None:
        nonlocal photo
        try:
            photo = explored.read_photo(name, content)
        except (ValueError, OSError) as error:
            refuse(name, str(error))
            return
        crop.value = "auto"
        explorer.changed()

    def refuse(name: str, why: str) -> None:
        nonlocal photo
        photo = None
        upload.say(f"{name}: {why}. Choose another photo.", wrong=True)
        explorer.changed()

    def ask(
        run: Run, dataset: str, crop: str, left: int, top: int, size: int, metric: str
    ) -> explored.LookedUp:
        for each in hand.values():
            each.disabled = crop != "hand"
        if photo is not None:
            words, wrong = _line(photo, crop)
            upload.say(words, wrong=wrong)
        chosen = (left, top, size) if crop == "hand" else crop
        return explored.look_up(run, sets[dataset], photo, chosen, metric)

    def show(now: explored.LookedUp) -> None:
        pictures = {} if now.photo is None else {"photo": framed(now.photo.whole, now.box)}
        pictures |= dict(zip(("crop", "prediction"), now.panels.values(), strict=False))
        fill(faces, pictures, {"photo": captions["photo"] if now.box else "photo"})
        pictures = dict(zip(near, now.neighbours.values(), strict=False))
        fill(near, pictures, dict(zip(near, now.neighbours, strict=False)))
        note.value = text(f"{now.title}.") if now.box else ""
        says.value = text(_measure(now)) if now.neighbours else ""

    def figure(now: explored.LookedUp) -> Figure:
        if now.photo is None:
            return plots.explored_nothing("There is no photo to show. Choose another one.")
        missed = "No face was found in this photo"
        return plots.explored_photo(
            now.photo.whole,
            now.box,
            now.panels,
            now.neighbours,
            title=now.title if now.box else missed,
            below="nearest people, with the distance" + _whose(now),
        )

    upload = Upload(receive, refuse)
    controls = {"run": run_menu(runs), "dataset": set_menu(sets), "crop": crop} | hand
    controls |= {"metric": menu("distance", sorted(METRICS), "Between two fingerprints")}
    rows = [faces, {"note": note}, {"says": says}, near]
    explorer = Explorer(controls | {"upload": upload}, rows, ask, show, figure)
    return explorer


def _line(photo: Photo, crop: str) -> tuple[str, bool]:
    """Say which photo is shown and what was found in it, and whether that is an error."""
    name = photo.name or "the sample"
    if crop == "auto" and photo.face is None:
        how = "Set the crop by hand, or take the whole photo: both are in the menu crop."
        return f"No face was found in {name}. {how}", True
    several = photo.found > 1 and crop == "auto"
    more = f" {photo.found} faces were found: the largest is taken." if several else ""
    return (f"Shown: {name}.{more}" if photo.name else ""), False


def _measure(now: explored.LookedUp) -> str:
    """Say what stands beside the neighbours, and what the chance was fitted to."""
    if now.fitted is None:
        return "Nearest people, with the distance of the fingerprints."
    people = f"{now.fitted.people} people of {now.fitted.dataset}"
    return (
        "Nearest people, with the distance of the fingerprints and the chance that it is the same "
        f"person. The chance is fitted to photos of {people}, from whom this run has not learned."
    )


def _whose(now: explored.LookedUp) -> str:
    """The same of the chance in short, for a figure."""
    fitted = now.fitted
    return f" and chance, fitted to {fitted.people} people of {fitted.dataset}" if fitted else ""


def compare(runs: Sequence[Run], sets: dict[str, Split]) -> Explorer:
    """Put runs side by side on the same test faces, and their test losses in one plot."""
    boxes, dataset = run_boxes(runs, ticked=3), set_menu(sets)
    page = slider("page", 1, 1, 1, f"{FACES} faces on each")
    drawn = of_runs({run.name: Strip(run.name) for run in runs})
    strips = {"input": Strip("input"), **drawn, "target": Strip("target")}
    curve, note = ipywidgets.HTML(), ipywidgets.HTML()

    def fit_menus(*_: object) -> None:
        page.max = -(-len(sets[dataset.value].test) // FACES)

    dataset.observe(fit_menus, "value")
    fit_menus()

    def ask(dataset: str, page: int, *ticked: bool) -> Iterator[explored.Comparison]:
        return explored.compare([*compress(runs, ticked)], sets[dataset], page)

    def labels(now: explored.Comparison) -> dict[str, str]:
        return {name: f"{name}, MSE {error:.4f}" for name, error in now.errors.items()}

    def show(now: explored.Comparison) -> None:
        pictures = {"input": now.input, **of_runs(now.drawn), "target": now.target}
        wait = of_runs(dict.fromkeys(now.histories.keys() - now.drawn.keys() - {*now.other_size}))
        places = {name: strip for name, strip in strips.items() if name not in wait}
        fill(places, pictures, of_runs(labels(now)))
        curves = {name: (log["epoch"], log["val_loss"]) for name, log in now.histories.items()}
        top = loss_top([*now.histories.values()])
        curve.value = line_chart(curves, top=top, x="epoch", y="test loss")
        notes = {
            f"Takes other sizes than {now.dataset}": now.other_size,
            "Trained on some of these people": now.known,
        }
        said = [f"{what}: {', '.join(names)}." for what, names in notes.items() if names]
        note.value = text(" ".join(said))

    def figure(now: explored.Comparison) -> Figure:
        drawn = {labels(now)[name]: pictures for name, pictures in now.drawn.items()}
        rows = {"input": now.input, **drawn, "target": now.target}
        known = f", some trained on by {', '.join(now.known)}" if now.known else ""
        return plots.explored_runs(rows, now.histories, title=f"Faces of {now.dataset}{known}")

    rows = [*({name: strip} for name, strip in strips.items()), {"note": note}, {"curve": curve}]
    return Explorer({"dataset": dataset, "page": page, **boxes}, rows, ask, show, figure)
