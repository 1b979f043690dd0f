import asyncio
import base64
import io
import json
import re
import time

import ipywidgets
import numpy as np
import pytest
from ipywidgets.embed import dependency_state
from matplotlib.figure import Figure
from PIL import Image

import speculo
from speculo import explored, pairs, snapshots, widgets
from speculo.sources import heads
from speculo.widgets import live, private
from speculo.widgets.shown import bars, line_chart


def pixels(face) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(face.image.value)))


# ---- the newest of many events


def test_many_events_are_one_piece_of_work():
    done = []
    value = {"now": 0}

    async def slide():
        latest = live.Latest(lambda: done.append(value["now"]))
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

        latest = live.Latest(work, wait=0)
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
    live.Latest(lambda: done.append("at once")).ask()
    assert done == ["at once"]

    async def finish():
        latest = live.Latest(lambda: done.append("finished"))
        latest.ask()
        latest.finish()
        assert done[-1] == "finished"
        await asyncio.sleep(0.05)

    asyncio.run(finish())
    assert done == ["at once", "finished"]


def test_work_that_takes_long_does_not_pile_up():
    done = []

    async def slide():
        latest = live.Latest(lambda: (time.sleep(0.02), done.append(1))[:0])
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
def test_every_explorer_opens_and_every_control_can_be_moved(kind, finished, sets, orl, render):
    explorer = explorers(finished, sets, orl)[kind]()
    assert isinstance(explorer, ipywidgets.VBox)
    assert isinstance(explorer.figure(), Figure)
    for name, control in explorer.controls.items():
        assert name == "upload" or control.tooltip, f"{name} has no tooltip"
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
def test_where_no_widget_lives_a_line_stands_in_its_place(kind, finished, sets, orl, render):
    bundle = explorers(finished, sets, orl)[kind]()._repr_mimebundle_()
    assert bundle["text/plain"] == live.NO_WIDGET


def shows(face, picture: np.ndarray) -> bool:
    return np.array_equal(pixels(face), picture)


def row(strip, count: int) -> np.ndarray:
    """The faces of a strip."""
    size = len(pixels(strip))
    return np.stack([pixels(strip)[:, p * (size + 1) :][:, :size, 0] for p in range(count)])


def test_a_prediction_follows_the_menus(finished, sets):
    explorer = widgets.predictions(finished, sets)
    controls, shown = explorer.controls, explorer.shown
    controls["dataset"].value, controls["run"].value = "orl", finished[1]
    person = controls["person"].value = sets["orl"].test.people[3]
    controls["photo"].value = 2
    expected = explored.prediction(finished[1], sets["orl"], person, 2)
    for name, picture in expected.panels.items():
        assert shows(shown[name], picture)
    assert shown["error map"].image.value != shown["input"].image.value
    for name, error in expected.errors.items():
        assert re.search(f">{name}<.*?>{error:.4f}<", shown["numbers"].value)
    assert shown["note"].value == f"{expected.title}."
    assert controls["photo"].max == 10


def test_people_of_the_training_are_named(finished, sets):
    known, own = sets["few"].train.people[0], sets["few"].test.people[0]
    mixed = {"few": pairs.split_by_names(sets["few"].test.faces, [known, own])}
    explorer = widgets.predictions(finished, mixed)
    explorer.controls["person"].value = own
    assert "It was trained on" not in explorer.shown["note"].value
    explorer.controls["person"].value = known
    assert "It was trained on this person." in explorer.shown["note"].value
    note = widgets.compare(finished, mixed).shown["note"].value
    assert note == "Trained on some of these people: tiny-few."


def test_epochs_follow_their_slider(finished, sets):
    explorer = widgets.epochs(finished, sets)
    controls, shown = explorer.controls, explorer.shown
    assert controls["epoch"].max == controls["epoch"].value == 3
    drawn = snapshots.read(finished[0])
    for epoch in (1, 2):
        controls["epoch"].value = epoch
        assert np.array_equal(row(shown["drawn"], len(drawn[epoch])), drawn[epoch])
        assert shown["drawn"].caption.value == f"after epoch {epoch}"
        assert f"train {finished[0].history['loss'][epoch - 1]:.4f}" in shown["note"].value
    controls["run"].value = finished[1]
    assert controls["epoch"].value == controls["epoch"].max == 1


def test_a_run_that_kept_no_drawings_still_has_its_curve(finished, sets, monkeypatch):
    monkeypatch.setattr(snapshots, "read", lambda run: {})
    explored._course.cache_clear()
    explorer = widgets.epochs(finished, {})
    explored._course.cache_clear()
    assert "kept no drawings" in explorer.shown["note"].value
    assert "<svg" in explorer.shown["curve"].value
    assert isinstance(explorer.figure(), Figure)


def test_turning_the_head_changes_picture_and_curve_and_keeps_the_front(finished, sets, render):
    explorer = widgets.turn(finished, sets["few"])
    controls, shown = explorer.controls, explorer.shown
    number = controls["person"].value
    front, before = pixels(shown["front"]), shown["numbers"].value
    assert np.array_equal(front, render(number, size=32))
    controls["yaw"].value = -60
    assert shows(shown["input"], render(number, yaw=-60, size=32))
    assert shown["numbers"].value != before and shows(shown["front"], front)
    controls["yaw"].value = 0
    assert re.search(">input itself<.*?>0.0000<", shown["numbers"].value)
    curves = re.findall("points='(.+?)'", shown["curve"].value)
    controls["light"].value = 1
    assert re.findall("points='(.+?)'", shown["curve"].value) != curves
    assert "speculo-stale" not in shown["curve"]._dom_classes
    controls["run tiny-few"].value = False
    assert shown["run tiny-few"].layout.display == "none"
    assert "tiny-few" not in shown["curve"].value
    controls["person"].value = number + 3
    assert not shows(shown["front"], front)


def test_the_way_between_two_people_follows_its_sliders(finished, sets):
    explorer = widgets.between(finished, sets)
    controls, shown = explorer.controls, explorer.shown
    controls["dataset"].value, controls["run"].value = "orl", finished[1]
    assert (controls["from"].value, controls["to"].value) == (
        sets["orl"].test.people[0], sets["orl"].test.people[-1],
    )  # fmt: skip
    for value, end in ((0, "start"), (100, "end")):
        controls["way"].value = value
        assert shows(shown["between"], pixels(shown[end]))
    assert f"<b>{controls['to'].value}</b>, at " in shown["note"].value
    before = pixels(shown["between"])
    controls["direction 1"].value = 3
    assert not shows(shown["between"], before)
    controls["back"].click()
    assert shows(shown["between"], before)


def test_with_one_test_person_the_way_leads_to_the_others(finished, sets, orl):
    alone = pairs.split_by_names(orl, ["s3"])
    explorer = widgets.between(finished, {"alone": alone, "orl": sets["orl"]})
    controls = explorer.controls
    assert controls["from"].value == "s3" and controls["to"].value != "s3"
    assert set(controls["to"].options) == set(orl.names) and explorer.problem.value == ""
    controls["dataset"].value = "orl"
    assert controls["to"].options == sets["orl"].test.people
    assert controls["to"].value == sets["orl"].test.people[-1]


def upload(explorer, name: str, content: bytes, piece: int | None = None) -> None:
    """Send what the browser sends when a file is chosen."""
    button, size = explorer.controls["upload"], len(content)
    for begin in range(0, max(size, 1), piece or max(size, 1)):
        message = {"name": name, "size": size, "begin": begin}
        part = content[begin : begin + (piece or size)]
        button._handle_custom_msg(message, [memoryview(part)])


def encoded(picture: np.ndarray, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind, **options)
    return out.getvalue()


def hidden(explorer) -> set[str]:
    """Names of what is shown nowhere now."""
    return {name for name, each in explorer.shown.items() if each.layout.display == "none"}


FACES_OF_A_PHOTO = {"photo", "crop", "prediction", *(f"near {place}" for place in range(5))}


def test_what_is_no_photo_is_said_above_an_empty_place(finished, sets, orl):
    explorer = widgets.photo(finished, {"orl": sets["orl"]}, orl.images[0])
    explorer.controls["crop"].value = "whole"
    button = explorer.controls["upload"]
    assert not button.wrong and not hidden(explorer) & FACES_OF_A_PHOTO
    large = encoded(np.zeros((10_000, 10_000), np.uint8))
    for name, content, why in (
        ("notes.png", b"no picture at all", "not a picture"),
        ("empty.png", b"", "empty"),
        ("large.png", large, "10000 x 10000 pixels"),
        ("<b>.png", encoded(orl.images[1])[:200], ""),
    ):
        upload(explorer, name, content)
        assert button.wrong and button.said.startswith(f"{name}: ") and why in button.said
        assert button.said.endswith(". Choose another photo.")
        assert hidden(explorer) >= FACES_OF_A_PHOTO, "the photo before is not this one"
        assert explorer.shown["says"].value == explorer.shown["note"].value == ""
        assert isinstance(explorer.figure(), Figure)
        explorer.controls["metric"].value = "l2" if name == "empty.png" else "cosine"
        assert button.wrong, "another setting brings no photo"
    upload(explorer, "good.png", encoded(orl.images[1]))
    explorer.controls["crop"].value = "whole"
    assert button.said == "Shown: good.png." and not button.wrong
    assert not hidden(explorer) & FACES_OF_A_PHOTO and explorer.problem.value == ""


def test_without_the_weights_of_the_detector_the_line_says_what_to_do(
    finished, sets, orl, monkeypatch
):
    explorer = widgets.photo(finished, sets, orl.images[0])

    def gone(grey: np.ndarray) -> None:
        raise OSError("the weights are missing, install them anew")

    monkeypatch.setattr(explored.detector, "find_all", gone)
    upload(explorer, "me.png", encoded(orl.images[1]))
    button = explorer.controls["upload"]
    assert button.wrong and "me.png: the weights are missing, install them" in button.said


def test_the_line_of_the_photo_stands_right_above_its_faces(finished, sets, orl):
    """Only what went wrong with a run can come between."""
    explorer = widgets.photo(finished, sets, orl.images[0])
    _, controls, problem, faces, *_ = explorer.children
    assert list(controls.children)[-1] is explorer.controls["upload"]
    assert problem is explorer.problem and problem.layout.display == "none"
    assert list(faces.children)[0] is explorer.shown["photo"]


def test_a_file_arrives_in_pieces(finished, sets, orl):
    explorer = widgets.photo(finished, sets, orl.images[0])
    button, content = explorer.controls["upload"], encoded(orl.images[1])
    upload(explorer, "pieces.png", content, piece=100)
    assert "pieces.png" in button.said and not button._content
    explorer.controls["crop"].value = "whole"
    assert shows(explorer.shown["crop"], orl.images[1])
    size = len(content)
    button._handle_custom_msg({"name": "a.png", "size": size, "begin": 0}, [content[:100]])
    button._handle_custom_msg({"name": "a.png", "size": size, "begin": 200}, [content[200:]])
    assert "a.png: a part of it was lost" in button.said and button.wrong and not button._content
    button._handle_custom_msg({"name": "b.png", "size": size, "begin": 0}, [content[:100]])
    upload(explorer, "c.png", content)
    assert "c.png" in button.said, "a new file begins anew"


def test_a_file_that_is_too_large_is_refused_without_its_content(finished, sets, orl):
    explorer = widgets.photo(finished, sets, orl.images[0])
    button = explorer.controls["upload"]
    assert f"size > {private.MOST}" in private.Upload._esm, "the browser knows the same limit"
    message = {"name": "film.mp4", "size": 300 * 2**20, "begin": 0}
    button._handle_custom_msg(message, [])
    assert "film.mp4: 300 MB, more than the 256 MB" in button.said and button.wrong
    assert hidden(explorer) >= FACES_OF_A_PHOTO


def test_without_a_face_nobody_is_looked_up_before_the_reader_chooses(finished, sets):
    explorer = widgets.photo(finished, sets, np.zeros((40, 30), np.uint8))
    wall = np.random.default_rng(0).integers(0, 255, (120, 90), dtype=np.uint8)
    upload(explorer, "wall.png", encoded(wall))
    button = explorer.controls["upload"]
    assert button.said.startswith("No face was found in wall.png. Set the crop by hand, or take")
    assert button.wrong
    assert hidden(explorer) >= FACES_OF_A_PHOTO - {"photo"} and "photo" not in hidden(explorer)
    assert isinstance(explorer.figure(), Figure)
    for crop in ("whole", "hand"):
        explorer.controls["crop"].value = crop
        assert button.said == "Shown: wall.png." and not button.wrong
        assert not hidden(explorer) & {"photo", "crop", "prediction", "near 0"}
        explorer.controls["crop"].value = "auto"
        assert button.wrong and "near 0" in hidden(explorer)


def test_of_several_faces_it_is_said_which_is_taken(finished, sets):
    group = np.full((200, 420), 120, np.uint8)
    for place, side in ((10, 160), (220, 120)):
        head = heads.render(20 + place, size=side)
        group[20 : 20 + side, place : place + side] = head
    explorer = widgets.photo(finished, sets, np.zeros((40, 30), np.uint8))
    upload(explorer, "two.png", encoded(group))
    expected = "Shown: two.png. 2 faces were found: the largest is taken."
    assert explorer.controls["upload"].said == expected
    explorer.controls["crop"].value = "whole"
    assert explorer.controls["upload"].said == "Shown: two.png."


def test_the_line_above_the_neighbours_says_whom_the_chance_was_fitted_to(finished, sets, orl):
    explorer = widgets.photo(finished, sets, orl.images[0])
    explorer.controls["crop"].value = "whole"
    explorer.controls["run"].value = finished[1]
    for name, people in (("orl", "8 people of orl"), ("few", "8 people of orl")):
        explorer.controls["dataset"].value = name  # one test person alone is too few
        said = explorer.shown["says"].value
        assert "the chance" in said and f"photos of {people}, from whom this run has not" in said


@pytest.mark.parametrize("shape", [(1, 1), (1, 1000), (1000, 1), (5000, 3), (20, 30)])
def test_a_photo_of_any_shape_is_shown(shape, finished, sets):
    explorer = widgets.photo(finished, sets, np.zeros((40, 30), np.uint8))
    upload(explorer, "odd.png", encoded(np.full(shape, 90, np.uint8)))
    for crop in ("auto", "whole", "hand"):
        explorer.controls["crop"].value = crop
        assert explorer.problem.value == ""
    assert isinstance(explorer.figure(), Figure)


def test_what_a_reader_chooses_is_in_no_state_that_a_notebook_could_keep(finished, sets, orl):
    explorer = widgets.photo(finished, {"few": sets["few"]}, orl.images[0])
    photo = np.asarray(Image.fromarray(orl.images[300]).resize((200, 240)))
    content = encoded(photo)
    upload(explorer, "mum and me.png", content)
    explorer.controls["crop"].value = "hand"
    explorer.controls["left"].value = 3
    upload(explorer, "no photo of me.png", content[:400])
    assert explorer.controls["upload"].said.startswith("no photo of me.png: ")
    texts, every = (
        json.dumps(state, default=lambda value: base64.b64encode(value).decode())
        for state in (dependency_state(explorer), ipywidgets.Widget.get_manager_state())
    )
    assert "mum and me" not in every and "photo of me" not in every
    photo, crop, prediction = (
        explorer.shown[name].image.value for name in ("photo", "crop", "prediction")
    )
    for hidden in (content, content[:400], photo, crop):
        assert hidden and base64.b64encode(hidden).decode() not in every
    assert prediction and base64.b64encode(prediction).decode() not in texts
    pictures = [base64.b64decode(data) for data in re.findall(r'"data": "(iVBOR.+?)"', texts)]
    faces = [np.asarray(Image.open(io.BytesIO(picture))) for picture in pictures]
    known = {face.tobytes() for face in sets["few"].test.faces.images}
    near = [face for face in faces if face.shape == (32, 32) and face.tobytes() in known]
    assert len(near) >= 4, "those of the set are there"


def test_what_is_shown_is_sent_to_each_view_that_opens(finished, sets, orl, monkeypatch):
    explorer = widgets.photo(finished, sets, orl.images[0])
    picture, sent = explorer.shown["crop"].image, []
    monkeypatch.setattr(picture, "send", lambda *message: sent.append(message))
    picture._handle_custom_msg({}, [])
    explorer.controls["crop"].value = "whole"
    assert [buffers for _, buffers in sent] == [[sent[0][1][0]], [picture.value]]
    assert shows(explorer.shown["crop"], orl.images[0])


def test_a_photo_follows_its_controls(finished, sets, orl):
    explorer = widgets.photo(finished[1:], {"orl": sets["orl"]}, orl.images[0])
    controls, shown = explorer.controls, explorer.shown
    upload(explorer, "one.png", encoded(orl.images[123]))
    controls["crop"].value = "whole"
    photo = explored.read_photo("one.png", encoded(orl.images[123]))
    for metric in ("l2", "cosine"):
        controls["metric"].value = metric
        expected = explored.look_up(finished[1], sets["orl"], photo, "whole", metric)
        assert shows(shown["crop"], orl.images[123])
        for place, (caption, picture) in enumerate(expected.neighbours.items()):
            assert shown[f"near {place}"].caption.value == caption
            assert shows(shown[f"near {place}"], picture)
    hand = [controls[name] for name in ("left", "top", "size")]
    assert all(slider.disabled for slider in hand)
    controls["crop"].value = "hand"
    assert not any(slider.disabled for slider in hand)
    for slider, value in zip(hand, (10, 20, 30), strict=True):
        slider.value = value
    expected = explored.look_up(finished[1], sets["orl"], photo, (10, 20, 30), "cosine")
    assert shows(shown["crop"], expected.panels["input"])


def test_runs_side_by_side_follow_their_boxes(finished, sets):
    explorer = widgets.compare(finished, sets)
    controls, shown = explorer.controls, explorer.shown
    controls["dataset"].value = "orl"
    *_, expected = explored.compare(finished, sets["orl"], 1)
    assert np.array_equal(row(shown["input"], 8), expected.input)
    for run in finished:
        assert np.array_equal(row(shown[f"run {run.name}"], 8), expected.drawn[run.name])
        assert (
            f"{run.name}, MSE {expected.errors[run.name]:.4f}"
            == shown[f"run {run.name}"].caption.value
        )
        assert run.name in shown["curve"].value
    controls["run tiny-few"].value = False
    assert shown["run tiny-few"].layout.display == "none"
    assert "tiny-few" not in shown["curve"].value
    before = shown["input"].image.value
    controls["page"].value = 2
    assert shown["input"].image.value != before


def test_a_run_that_takes_another_size_is_named(finished):
    large = {"large": pairs.split(speculo.load("orl", people=3, size=36))}
    explorer = widgets.predictions(finished, large)
    assert "takes faces of 32 x 32 pixels, these are 36 x 36" in explorer.problem.value
    explorer = widgets.compare(finished, large)
    assert explorer.shown["note"].value == "Takes other sizes than orl: tiny-few, tiny-orl."


def test_no_run_is_said_in_one_line(sets):
    for explorer in (widgets.predictions, widgets.compare):
        with pytest.raises(ValueError, match="Run chapter 03 first"):
            explorer([], sets)


def test_charts_hold_what_they_were_given():
    chart = line_chart(
        {"a<b": ([1, 2, 3], [0.3, 0.2, 9.0])}, cursor=2, top=0.4, x="epoch", y="loss"
    )
    assert "a&lt;b" in chart and "a<b" not in chart and "class='cursor'" in chart
    heights = [float(p.split(",")[1]) for p in re.search("points='(.+?)'", chart)[1].split()]
    assert heights[0] < heights[1] and heights[2] > 0
    assert "<svg" in line_chart({}, top=1, x="x", y="y")
    errors = bars({"one": 0.2, "two": 0.1})
    assert "class='best'>two" in errors and "class='best'>one" not in errors
