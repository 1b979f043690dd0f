import asyncio
import io
import re
import sys
import time
from datetime import datetime
from types import ModuleType

import ipywidgets
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import speculo
from speculo import evaluation, files, fingerprints, images, model, pairs, runs, training, widgets
from speculo.backend import keras


@pytest.fixture(scope="module")
def sets(orl):
    return {"few": pairs.split(speculo.load("orl", people=5)), "orl": pairs.split(orl)}


@pytest.fixture(scope="module")
def finished(sets, tmp_path_factory):
    """Two runs of a tiny model, on the small set and on the large one."""
    config = model.Config("Speculo-tiny", "adam", 0.001, "mse", (32, 32, 1), (16, 16, 8, 8, 8), 32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECULO_HOME", str(tmp_path_factory.mktemp("home")))
        trained = [
            training.train(config, sets[name], runs.at(f"tiny-{name}"), epochs=number, seed=number)
            for number, name in ((3, "few"), (1, "orl"))
        ]
    for number, run in enumerate(trained):  # so short a training draws one grey: it is no test
        network = model.build(config, seed=number)
        last = network.get_layer("conv2d_transpose_11")
        last.kernel.assign(20 * np.abs(keras.ops.convert_to_numpy(last.kernel)))
        files.write_arrays(run.path / "best.npz", runs.get_weights(network))
    return trained


@pytest.fixture
def heads(monkeypatch):
    """Stand-in for the renderer: quick, and another picture for each setting."""
    fake = ModuleType("speculo.sources.heads")
    fake.EXPRESSIONS = ("neutral", "smile")

    def render(person, *, yaw=0.0, pitch=0.0, roll=0.0, expression="neutral", light=0.0, size=64):
        rows, columns = np.mgrid[:size, :size] / size - 0.5
        face = np.hypot(columns - yaw / 300, rows - pitch / 300) + roll / 500 + light / 9
        face = 200 - 250 * face + 10 * (person % 7) - 20 * fake.EXPRESSIONS.index(expression)
        return np.clip(face, 0, 255).astype(np.uint8)

    fake.render = render
    monkeypatch.setitem(sys.modules, "speculo.sources.heads", fake)
    monkeypatch.setattr("speculo.sources.heads", fake, raising=False)
    return fake


def pixels(face) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(face.image.value)))


def stated(explorer, name: str) -> float:
    """The MSE that stands behind a name."""
    text = re.sub(r"<[^>]+>", " ", explorer.shown["numbers"].value)
    return float(re.search(rf"{re.escape(name)}\s+([0-9.]+)", text)[1])


# ---- the newest of many events


def test_many_events_are_one_piece_of_work():
    done = []
    value = {"now": 0}

    async def slide():
        latest = widgets.Latest(lambda: done.append(value["now"]))
        for number in range(50):
            value["now"] = number
            latest.ask()
        await asyncio.sleep(0.1)

    asyncio.run(slide())
    assert done == [49]


def test_the_steps_of_old_work_are_dropped_for_newer_work():
    done = []

    async def slide():
        value = 1

        def work():
            mine = value
            for step in range(5):
                done.append((mine, step))
                yield

        latest = widgets.Latest(work, wait=0)
        latest.ask()
        while len(done) < 2:
            await asyncio.sleep(0)
        value = 2
        latest.ask()
        await asyncio.sleep(0.1)

    asyncio.run(slide())
    assert [step for mine, step in done if mine == 2] == list(range(5))
    assert len([step for mine, step in done if mine == 1]) < 5


def test_without_a_loop_and_when_asked_to_finish_the_work_is_done_at_once():
    done = []
    widgets.Latest(lambda: done.append("at once")).ask()
    assert done == ["at once"]

    async def finish():
        latest = widgets.Latest(lambda: done.append("finished"))
        latest.ask()
        latest.finish()
        assert done[-1] == "finished"
        await asyncio.sleep(0.05)

    asyncio.run(finish())
    assert done == ["at once", "finished"]


def test_work_that_takes_long_does_not_pile_up():
    done = []

    async def slide():
        latest = widgets.Latest(lambda: (time.sleep(0.02), done.append(1))[:0])
        for _ in range(40):
            latest.ask()
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.1)

    asyncio.run(slide())
    assert 1 <= len(done) < 20


# ---- what the explorers show


def explorers(finished, sets, orl):
    return {
        "predictions": lambda: widgets.predictions(finished, sets),
        "epochs": lambda: widgets.epochs(finished, sets),
        "turn": lambda: widgets.turn(finished, sets["few"]),
        "between": lambda: widgets.between(finished, sets),
        "photo": lambda: widgets.photo(finished, sets, orl.images[0]),
        "compare": lambda: widgets.compare(finished, sets),
    }


KINDS = ("predictions", "epochs", "turn", "between", "photo", "compare")


@pytest.mark.parametrize("kind", KINDS)
def test_every_explorer_opens_and_every_control_can_be_moved(kind, finished, sets, orl, heads):
    explorer = explorers(finished, sets, orl)[kind]()
    assert isinstance(explorer, ipywidgets.VBox)
    assert isinstance(explorer.figure(), Figure)
    for name, control in explorer.controls.items():
        assert control.tooltip, f"{name} has no tooltip"
        if isinstance(control, ipywidgets.Checkbox):
            values = (not control.value, control.value)
        elif isinstance(control, ipywidgets.Dropdown | ipywidgets.SelectionSlider):
            values = [value for _, value in control._options_full]
            values = (values[-1], values[0])
        elif hasattr(control, "max"):
            values = (control.max, control.min)
        else:
            continue
        for value in values:
            control.value = value
            assert explorer.problem.value == "", name
    assert isinstance(explorer.figure(), Figure)


@pytest.mark.parametrize("kind", KINDS)
def test_where_no_widget_lives_a_line_stands_in_its_place(kind, finished, sets, orl, heads):
    bundle = explorers(finished, sets, orl)[kind]()._repr_mimebundle_()
    assert bundle["text/plain"] == widgets.NO_WIDGET


def test_a_prediction_is_the_models_own_beside_the_baselines(finished, sets):
    explorer = widgets.predictions(finished, sets)
    explorer.controls["dataset"].value = "orl"
    explorer.controls["run"].value = finished[1]
    explorer.controls["person"].value = sets["orl"].test.people[3]
    explorer.controls["photo"].value = 2
    test = sets["orl"].test
    mine = np.flatnonzero(test.person == test.faces.names.index(sets["orl"].test.people[3]))
    turned = [place for place in mine if test.input[place] != test.target[place]]
    place = turned[1]
    drawn = evaluation.predict(finished[1].model(), test)
    assert np.array_equal(pixels(explorer.shown["input"]), test.faces.images[test.input[place]])
    assert np.array_equal(pixels(explorer.shown["target"]), test.faces.images[test.target[place]])
    assert np.abs(
        pixels(explorer.shown["prediction"]).astype(int) - pairs.as_image(drawn)[place]
    ).max() <= 1  # fmt: skip
    assert stated(explorer, "tiny-orl") == pytest.approx(
        evaluation.squared_error(drawn, test)[place], abs=1e-4
    )
    judged = evaluation.baselines(sets["orl"])
    for name, values in judged.items():
        expected = evaluation.squared_error(values, test)[place]
        assert stated(explorer, name) == pytest.approx(expected, abs=1e-4)
    assert explorer.shown["error map"].image.value != explorer.shown["input"].image.value


def test_a_person_of_the_training_is_named_as_one(finished, sets, orl):
    known = finished[0].record["settings"]["train_people"][0]
    assert widgets.Predictor(finished[0]).knows(sets["orl"].test, known)
    unseen = finished[0].record["settings"]["test_people"][0]
    assert not widgets.Predictor(finished[0]).knows(sets["orl"].test, unseen)


def test_the_test_people_of_a_set_are_those_that_a_run_has_not_seen(finished, sets, orl):
    known = set(finished[0].record["settings"]["train_people"])
    made = widgets.unseen(orl, finished[0])
    assert set(made.train.people) == known and not known & set(made.test.people)
    again = widgets.unseen(sets["orl"].train.faces, finished[1])
    assert again.test.people == sets["orl"].test.people
    others = speculo.load("orl", people=4)  # two sides are needed, whatever the run knows
    assert widgets.unseen(others, finished[1]).test.people


def test_epochs_show_the_drawings_that_were_kept(finished, sets):
    explorer = widgets.epochs(finished, sets)
    assert explorer.controls["epoch"].max == explorer.controls["epoch"].value == 3
    drawn = training.read_snapshots(finished[0])
    for epoch in (1, 2):
        explorer.controls["epoch"].value = epoch
        strip = pixels(explorer.shown["drawn"])
        assert np.array_equal(strip[:, :32, 0], drawn[epoch][0])
        loss = finished[0].history["loss"][epoch - 1]
        assert f"train {loss:.4f}" in explorer.shown["note"].value
    test = sets["few"].test
    first = pairs.examples(test, 8)[0]
    assert np.array_equal(
        pixels(explorer.shown["input"])[:, :32, 0], test.faces.images[test.input[first]]
    )
    explorer.controls["run"].value = finished[1]
    assert explorer.controls["epoch"].value == explorer.controls["epoch"].max == 1


def test_a_run_that_kept_no_drawings_still_has_its_curve(finished, sets, monkeypatch):
    monkeypatch.setattr(training, "read_snapshots", lambda run: {})
    explorer = widgets.epochs(finished, {})
    assert "kept no drawings" in explorer.shown["note"].value
    assert "<svg" in explorer.shown["curve"].value
    assert isinstance(explorer.figure(), Figure)


def test_turning_the_head_changes_picture_and_error_and_keeps_the_front(finished, sets, heads):
    explorer = widgets.turn(finished, sets["few"])
    controls, shown = explorer.controls, explorer.shown
    front, curve = pixels(shown["front"]), explorer.figure().get_axes()
    assert np.array_equal(front, heads.render(0, size=32)) and len(curve) > 3
    before = pixels(shown["input"]), stated(explorer, "input itself")
    controls["yaw"].value = -60
    assert np.array_equal(pixels(shown["input"]), heads.render(0, yaw=-60, size=32))
    assert not np.array_equal(pixels(shown["input"]), before[0])
    assert stated(explorer, "input itself") != before[1]
    assert np.array_equal(pixels(shown["front"]), front)
    controls["yaw"].value = 0
    assert stated(explorer, "input itself") == 0
    controls["person"].value = 3
    assert not np.array_equal(pixels(shown["front"]), front)


def test_the_curve_of_the_turned_head_is_drawn_anew_only_when_it_must(finished, sets, heads):
    explorer = widgets.turn(finished, sets["few"])
    calls = []
    render = heads.render
    heads.render = lambda *args, **pose: calls.append(pose) or render(*args, **pose)
    explorer.controls["yaw"].value = 10
    assert len(calls) == 1
    explorer.controls["light"].value = 1
    assert len(calls) == 2 + len(widgets.YAWS)


def test_the_ends_of_the_way_are_the_two_people(finished, sets):
    explorer = widgets.between(finished, sets)
    controls, shown = explorer.controls, explorer.shown
    assert controls["from"].value == controls["to"].value or len(controls["from"].options) > 1
    controls["dataset"].value = "orl"
    controls["run"].value = finished[1]
    for value, end in ((0, "start"), (100, "end")):
        controls["way"].value = value
        assert np.array_equal(pixels(shown["between"]), pixels(shown[end]))
    name = controls["to"].value
    assert f"<b>{name}</b>, at 0" in shown["note"].value
    before = pixels(shown["between"])
    controls["direction 1"].value = 3
    assert not np.array_equal(pixels(shown["between"]), before)
    controls["back"].click()
    assert np.array_equal(pixels(shown["between"]), before)


def upload(explorer, name: str, content: bytes) -> None:
    explorer.controls["upload"].value = (
        {"name": name, "type": "", "size": len(content), "content": memoryview(content),
         "last_modified": datetime(2024, 1, 1)},
    )  # fmt: skip


def encoded(picture: np.ndarray, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind, **options)
    return out.getvalue()


def test_a_photo_of_the_set_finds_itself(finished, sets, orl):
    explorer = widgets.photo(finished[1:], {"orl": sets["orl"]}, np.zeros((40, 30), np.uint8))
    index = 123
    upload(explorer, "one.png", encoded(orl.images[index]))
    explorer.controls["crop"].value = "whole"
    assert np.array_equal(pixels(explorer.shown["crop"]), orl.images[index])
    nearest = explorer.shown["near 0"].caption.value
    assert nearest.startswith(orl.names[orl.person[index]] + ", ")
    for metric in fingerprints.METRICS:
        explorer.controls["metric"].value = metric
        captions = [explorer.shown[f"near {n}"].caption.value.split(", ") for n in range(5)]
        assert len({name for name, _ in captions}) == 5
        assert [float(d) for _, d in captions] == sorted(float(d) for _, d in captions)


def test_a_photo_lies_as_the_folder_reader_lays_it(finished, sets, orl):
    """EXIF orientation and any format: both readers are one."""
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = np.asarray(Image.fromarray(orl.images[5]).resize((320, 200)))
    content = encoded(wide, "JPEG", exif=exif, quality=95)
    explorer = widgets.photo(finished, sets, orl.images[0])
    upload(explorer, "phone.jpg", content)
    explorer.controls["crop"].value = "whole"
    expected = images.read(content, 32).astype(int)
    assert np.abs(pixels(explorer.shown["crop"]).astype(int) - expected).max() <= 3


def test_what_is_no_photo_gets_one_line_and_the_last_photo_stays(finished, sets, orl):
    explorer = widgets.photo(finished, sets, orl.images[0])
    before = explorer.shown["crop"].image.value
    large = encoded(np.zeros((10_000, 10_000), np.uint8))
    for name, content, why in (
        ("notes.png", b"no picture at all", "not a picture"),
        ("empty.png", b"", "empty"),
        ("large.png", large, "10000 x 10000 pixels"),
        ("<b>.png", encoded(orl.images[1])[:200], ""),
    ):
        upload(explorer, name, content)
        problem = explorer.problem.value
        assert why in problem and "\n" not in problem and "<b>" not in problem
        assert problem
        assert explorer.shown["crop"].image.value == before
    upload(explorer, "good.png", encoded(orl.images[1]))
    assert explorer.problem.value == "" and "good.png" in explorer.shown["note"].value


def test_a_crop_by_hand_takes_what_the_sliders_say(finished, sets, orl):
    whole = np.zeros((200, 100), np.uint8)
    whole[100:150, 50:] = 255
    explorer = widgets.photo(finished, sets, whole)
    controls = explorer.controls
    assert all(controls[name].disabled for name in ("left", "top", "size"))
    controls["crop"].value = "hand"
    assert not any(controls[name].disabled for name in ("left", "top", "size"))
    for name, value in (("left", 50), ("top", 50), ("size", 50)):
        controls[name].value = value
    assert pixels(explorer.shown["crop"]).min() > 220  # shrinking blurs the edges a little
    controls["left"].value = 100  # moved back into the photo
    assert pixels(explorer.shown["crop"]).shape == (32, 32)


def test_runs_are_compared_on_the_same_faces(finished, sets):
    explorer = widgets.compare(finished, sets)
    explorer.controls["dataset"].value = "orl"
    test = sets["orl"].test
    shown = pixels(explorer.shown["input"])
    people = set()
    for place in range(widgets.FACES):
        face = shown[:, place * 33 : place * 33 + 32, 0]
        match = (test.faces.images[test.input] == face).all(axis=(1, 2))
        people.update(test.person[match])
    assert len(people) == widgets.FACES, "as many people as there is room for"
    for run in finished:
        assert f"{run.name}, MSE 0." in explorer.shown[run.name].caption.value
        assert run.name in explorer.shown["curve"].value
    explorer.controls[finished[0].name].value = False
    assert explorer.shown[finished[0].name].layout.display == "none"
    assert finished[0].name not in explorer.shown["curve"].value
    before = explorer.shown["input"].image.value
    explorer.controls["page"].value = 2
    assert explorer.shown["input"].image.value != before


def test_a_run_that_takes_another_size_is_named(finished, sets):
    large = {"large": pairs.split(speculo.load("orl", people=3, size=64))}
    explorer = widgets.predictions(finished, large)
    assert "takes faces of 32 x 32 pixels, these are 64 x 64" in explorer.problem.value
    explorer = widgets.compare(finished, large)
    assert "tiny-few, tiny-orl" in explorer.shown["note"].value


def test_no_run_is_said_in_one_line(sets):
    for explorer in (widgets.predictions, widgets.compare):
        with pytest.raises(ValueError, match="Run chapter 03 first"):
            explorer([], sets)


def test_charts_hold_what_they_were_given():
    chart = widgets.line_chart(
        {"a<b": ([1, 2, 3], [0.3, 0.2, 9.0])}, cursor=2, top=0.4, x="epoch", y="loss"
    )
    assert "a&lt;b" in chart and "a<b" not in chart and "class='cursor'" in chart
    heights = [float(p.split(",")[1]) for p in re.search("points='(.+?)'", chart)[1].split()]
    assert heights[0] < heights[1] and heights[2] > 0
    assert "<svg" in widgets.line_chart({}, top=1, x="x", y="y")
    bars = widgets.bars({"one": 0.2, "two": 0.1})
    assert "class='best'>two" in bars and "class='best'>one" not in bars
