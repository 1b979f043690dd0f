"""Explorers over names that are no words, and over runs whose files are damaged."""

import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser

import ipywidgets
import numpy as np
import pytest
from matplotlib.figure import Figure

import speculo
from speculo import pairs, predictor, runs, snapshots, widgets
from speculo.pairs import Split
from speculo.runs import Run
from speculo.widgets.live import Explorer

KINDS = ("predictions", "epochs", "turn", "between", "photo", "compare")


def explorer(kind: str, shown: list[Run], split: Split) -> Explorer:
    if kind == "turn":
        return widgets.turn(shown, split)
    more = [split.test.faces.images[0]] if kind == "photo" else []
    return getattr(widgets, kind)(shown, {split.test.faces.name: split}, *more)


def drawn(figure: Figure) -> bytes:
    assert isinstance(figure, Figure)
    out = io.BytesIO()
    figure.savefig(out, dpi=40)
    return out.getvalue()


def everything(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from everything(child)


# ---- names


HOSTILE = (
    "<svg onload=alert(1)>",
    "<img src=x onerror=alert(1)>",
    r"$\frac$",
    "\"'><script>alert(1)</script>",
    "two\nlines",
    "&lt;b&gt; {x} %s",
)
TAGS = {"style", "b", "div", "span", "i", "svg", "line", "text", "polyline"}


class Page(HTMLParser):
    """What a browser would make of HTML: its elements, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.text = set(), {}, ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= dict(attributes)

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def hostile(finished, tmp_path_factory) -> tuple[list[Run], Split]:
    """A run whose folder, dataset and people all have such names, and its split."""
    faces = speculo.load("orl", people=len(HOSTILE))
    split = pairs.split(replace(faces, name="folder:<i onclick=x>$a$", names=HOSTILE), test=0.5)
    run = Run(tmp_path_factory.mktemp("hostile") / r"<img src=x onerror=alert(1)>$\frac$")
    shutil.copytree(finished[0].path, run.path)
    record = run.record
    record["settings"] |= runs.split_record(split)
    run.write_record(record)
    return [run, finished[1]], split


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_is_text_wherever_an_explorer_shows_it(kind, hostile, render):
    shown, split = hostile
    made = explorer(kind, shown, split)
    assert made.problem.value == ""
    texts = ""
    for widget in everything(made):
        assert not isinstance(widget, ipywidgets.HTMLMath | ipywidgets.Label)
        assert not getattr(widget, "description_allow_html", False)
        if isinstance(widget, ipywidgets.HTML):
            page = Page(widget.value)
            assert page.tags <= TAGS, widget.value
            assert not [name for name in page.attributes if name.startswith(("on", "src", "href"))]
            texts += page.text
        if isinstance(widget, ipywidgets.Checkbox):  # here JupyterLab looks for formulas
            assert not set("$\\") & set(widget.description)
    named = {"predictions": split.test.faces.name, "between": split.test.people[0], "epochs": ""}
    assert named.get(kind, shown[0].name if kind != "photo" else "<svg onload=alert(1)>") in texts
    for name in ("person", "from", "to"):
        if name in made.controls and kind != "turn":
            for person in split.test.people:
                made.controls[name].value = person
                assert made.problem.value == ""
    assert drawn(made.figure())


def test_what_went_wrong_is_text_too(hostile):
    shown, split = hostile
    large = replace(split.test.faces, images=split.test.faces.images.repeat(2, 1).repeat(2, 2))
    made = explorer("predictions", shown, pairs.split(large))
    page = Page(made.problem.value)
    assert page.tags == set() and page.text.startswith(rf"{shown[0].name} takes faces of 32 x 32")
    assert drawn(made.figure())


def test_no_name_of_a_run_is_taken_for_another_control(finished, sets, render, tmp_path):
    shown = []
    for name in ("yaw", "input", "dataset", "target"):
        shown.append(Run(tmp_path / name))
        shutil.copytree(finished[0].path, shown[-1].path)
    turned = widgets.turn(shown, sets["few"])
    turned.controls["yaw"].value = 20
    assert turned.problem.value == "" and turned._answer.head.yaw == 20
    assert list(turned._answer.drawn) == ["yaw", "input"]
    compared = widgets.compare(shown[1:], sets)
    compared.controls["dataset"].value = "orl"
    assert compared.problem.value == ""
    assert list(compared._answer.drawn) == ["input", "dataset", "target"]
    strips = [compared.shown[name] for name in ("input", "run input", "run target", "target")]
    assert len({strip.image.value for strip in strips}) == 3  # the two runs are one run
    assert drawn(turned.figure()) and drawn(compared.figure())


# ---- damage


DAMAGES = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "overwritten": lambda data: np.random.default_rng(0).bytes(len(data)),
    "one bit": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 4]) + data[len(data) // 2 + 1 :]
    ),
}


@pytest.fixture
def mine(finished, home) -> list[Run]:
    """A copy of the runs, to damage, in the reader's folder."""
    copies = [runs.at(run.name) for run in finished]
    for run, copy in zip(finished, copies, strict=True):
        shutil.copytree(run.path, copy.path)
    return copies


def damage(path, how: str) -> None:
    path.write_bytes(DAMAGES[how](path.read_bytes()))


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_snapshot_is_named_and_the_others_are_shown(how, mine, sets):
    whole = snapshots.read(mine[0])
    damage(mine[0].path / "snapshots" / "epoch-0002.png", how)
    made = widgets.epochs(mine, sets)
    assert "epoch-0002.png cannot be read: it is left out" in made.problem.value
    for number, kept in ((1, True), (2, False), (3, True)):
        made.controls["epoch"].value = number
        assert ("drawn" in made._answer.rows) == kept
        assert ("kept no drawings" in made.shown["note"].value) != kept
        if kept:
            assert np.array_equal(made._answer.rows["drawn"], whole[number])
    assert drawn(made.figure())
    made.controls["run"].value = mine[1]
    assert made.problem.value == ""


def test_only_pictures_of_an_epoch_are_taken_for_snapshots(mine):
    folder = mine[0].path / "snapshots"
    for name in ("epoch-0001 (copy).png", "epoch-.png", "notes.txt"):
        shutil.copyfile(folder / "epoch-0001.png", folder / name)
    (folder / "epoch-0009.png").mkdir()
    assert list(snapshots.find(mine[0])) == list(snapshots.read(mine[0])) == [1, 2, 3]


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_weights_are_named_and_older_ones_drawn_with(how, mine, sets):
    damage(mine[0].path / "best.npz", how)
    made = explorer("predictions", mine, sets["few"])
    assert "best.npz" in made.problem.value and "next good file" in made.problem.value
    assert made._answer is not None
    made.controls["photo"].value = 2
    assert "best.npz" in made.problem.value, "it is said as long as it is so"
    made.controls["run"].value = mine[1]
    assert made.problem.value == ""


def without_weights(run: Run) -> None:
    for name in ("best.npz", "last.npz", "previous.npz"):
        (run.path / name).write_bytes(b"damaged")


def without_record(run: Run) -> None:
    (run.path / "run.json").write_text(json.dumps(run.record)[:-50], encoding="utf-8")


def without_log(run: Run) -> None:
    for path in run.path.glob("history*.csv"):
        path.write_bytes(b"")


def without_epochs(run: Run) -> None:
    for path in run.path.glob("history*.csv"):
        path.unlink()


LOST = {
    "No weights can be read": without_weights,
    "run.json is damaged": without_record,
    "history.csv is damaged": without_log,
    "has no epoch in its log": without_epochs,
}


@pytest.mark.parametrize("said", LOST)
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_lost_is_named_and_the_others_are_shown(kind, said, mine, sets, render):
    LOST[said](mine[0])
    made = explorer(kind, mine, sets["few"])
    if (kind, said) == ("epochs", "No weights can be read"):
        assert made.problem.value == "", "its drawings and its log are whole"
        return
    assert said in made.problem.value
    assert drawn(made.figure())
    if kind in ("turn", "compare"):
        assert list(made._answer.drawn) == ["tiny-orl"]
    else:
        assert made._answer is None
        made.controls["run"].value = mine[1]
        assert made.problem.value == "" and made._answer is not None


def test_a_run_that_was_mended_is_opened_again(mine, finished, sets):
    without_weights(mine[0])
    made = explorer("predictions", mine, sets["few"])
    assert made._answer is None
    shutil.copyfile(finished[0].path / "best.npz", mine[0].path / "best.npz")
    made.redraw()
    assert made.problem.value == "" and made._answer is not None


@pytest.mark.parametrize("lose", (without_record, without_log, without_epochs))
def test_runs_that_cannot_be_read_are_not_among_the_finished_ones(lose, mine, monkeypatch):
    monkeypatch.setattr(runs, "RECORDED", runs.at("nothing").path)
    shutil.copytree(mine[1].path, mine[1].path.with_name("a copy"))
    lose(mine[0])
    with pytest.warns(UserWarning) as caught:
        assert runs.finished() == [mine[1]]
    said = " ".join(str(each.message) for each in caught)
    assert "tiny-few is left out" in said and "'a copy', expected a name" in said


def test_a_predictor_is_opened_once(mine):
    assert predictor.opened(mine[0]) is predictor.opened(mine[0])
