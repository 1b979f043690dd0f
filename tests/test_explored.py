"""What the explorers show: numbers and pictures, without a widget."""

import io

import numpy as np
import pandas as pd
import pytest
from conftest import BATCH
from PIL import Image

import speculo
from speculo import (
    evaluation,
    explored,
    fingerprints,
    images,
    pairs,
    predictor,
    recognition,
    runs,
    snapshots,
    training,
)
from speculo.explored import FACES, RIDGE, YAWS, Head
from speculo.predictor import DIRECTIONS
from speculo.sources import heads

HEAD = Head(3, 40, 0, 0, 0, "neutral")


def encoded(picture: np.ndarray, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind, **options)
    return out.getvalue()


def test_a_prediction_is_the_models_own_beside_the_baselines(finished, sets):
    split = sets["orl"]
    person = split.test.people[3]
    found = explored.prediction(finished[1], split, person, 2)
    test = split.test
    mine = np.flatnonzero(test.person == test.faces.names.index(person))
    place = mine[test.input[mine] != test.target[mine]][1]
    outputs = evaluation.predict(finished[1].model(), test)
    assert np.array_equal(found.panels["input"], test.faces.images[test.input[place]])
    assert np.array_equal(found.panels["target"], test.faces.images[test.target[place]])
    drawn = pairs.as_image(outputs)[place].astype(int)
    assert np.abs(found.panels["prediction"] - drawn).max() <= 1
    every = {"tiny-orl": outputs} | evaluation.baselines(split)
    assert list(found.errors) == list(every)
    for name, values in every.items():
        expected = evaluation.squared_error(values, test)[place]
        assert found.errors[name] == pytest.approx(expected, abs=1e-4)
    assert np.square(found.error).mean() == pytest.approx(found.errors["tiny-orl"])
    assert not found.known and found.subject == f"{person} of orl"


def test_a_person_of_the_training_is_named_as_one(finished, sets):
    train, test = sets["few"].train.people[0], sets["few"].test.people[0]
    turned_round = pairs.split_by_names(sets["few"].test.faces, [train, test])
    assert explored.prediction(finished[0], turned_round, train, 1).known
    assert not explored.prediction(finished[0], turned_round, test, 1).known
    assert not explored.prediction(finished[1], turned_round, train, 1).known  # of another set


def test_a_run_that_takes_another_size_is_named(finished):
    large = pairs.split(speculo.load("orl", people=3, size=36))
    asks = {
        "prediction": lambda: explored.prediction(finished[0], large, large.test.people[0], 1),
        "between": lambda: explored.between(finished[0], large, ("s1", "s2"), 0.5, ()),
        "turn": lambda: next(explored.turn(finished, large, HEAD)),
    }
    for name, ask in asks.items():
        with pytest.raises(ValueError, match="tiny-few takes .* 32 x 32 .* are 36 x 36"):
            print(name, ask())
    found = [*explored.compare(finished, large, 1)][-1]
    assert found.other_size == ["tiny-few", "tiny-orl"] and not found.drawn


def test_a_run_that_has_trained_on_is_opened_anew(run, few):
    before = predictor.opened(run)
    assert predictor.opened(run) is before and "3 epochs," in before.title
    training.train(run.config, few, run, epochs=4, batch_size=BATCH)
    assert "4 epochs," in predictor.opened(run).title


def test_epochs_are_the_drawings_that_were_kept(finished, sets):
    run, splits = finished[0], tuple(sets.values())
    drawn, test = snapshots.read(run), sets["few"].test
    shown = pairs.examples(test, len(drawn[1]))
    for number in (1, 2, 3):
        found = explored.epoch(run, splits, number)
        assert list(found.rows) == ["input", "drawn", "target"]
        assert np.array_equal(found.rows["drawn"], drawn[number])
        assert np.array_equal(found.rows["input"], test.faces.images[test.input[shown]])
        row = run.history.iloc[number - 1]
        assert found.losses == {"train": row["loss"], "test": row["val_loss"]}
    assert list(explored.epoch(run, (sets["orl"],), 1).rows) == ["drawn"]  # of another split


def test_a_run_that_kept_no_drawings_still_has_its_losses(finished, monkeypatch):
    monkeypatch.setattr(snapshots, "read", lambda run: {})
    found = explored.epoch(finished[0], (), 2)
    assert found.rows == {} and found.losses["train"] > 0


def test_a_turned_head_is_judged_against_its_front(finished, sets, render):
    first, *between, last = explored.turn(finished, sets["few"], HEAD)
    assert np.array_equal(first.front, render(3, size=32))
    assert np.array_equal(first.input, render(3, yaw=40, size=32))
    asked, target = (pairs.as_input(each[None]) for each in (first.input, first.front))
    for run in finished:
        drawn = predictor.opened(run).draw(asked)
        assert np.array_equal(first.drawn[run.name], pairs.as_image(drawn)[0])
        assert first.errors[run.name] == evaluation.mse(drawn, target)
    assert first.errors["input itself"] == evaluation.mse(asked, target) > 0
    assert first.measured != first.setting and not first.curves
    assert all(each is first for each in between), "nothing new is shown until all is measured"
    assert last.measured == last.setting
    assert list(last.curves) == ["tiny-few", "tiny-orl", RIDGE, "input itself"]
    assert last.curves["input itself"][len(YAWS) // 2] == 0 < last.curves["input itself"][0]


def test_the_curve_of_the_turned_head_is_measured_anew_only_when_it_must(
    finished, sets, render, monkeypatch
):
    calls = []
    monkeypatch.setattr(
        heads, "render", lambda *args, **pose: calls.append(pose) or render(*args, **pose)
    )

    def turn(head: Head, before=None, chosen=finished):
        calls.clear()
        return [*explored.turn(chosen, sets["few"], head, before)]

    *_, shown = turn(HEAD)
    assert len(calls) == 2 + len(YAWS), "the front, the head, and the curve"
    (again,) = turn(HEAD._replace(yaw=10), shown)
    assert len(calls) == 1 and again.curves is shown.curves
    first, *_, last = turn(HEAD._replace(light=1), again)
    assert len(calls) == 1 + len(YAWS)
    assert first.curves is shown.curves and last.curves is not shown.curves
    assert list([*turn(HEAD, shown, finished[:1])][-1].curves)[0] == "tiny-few"
    assert [*turn(HEAD._replace(person=4), shown)][-1].front.max() > 0 and len(calls) == 15


def test_the_head_that_is_shown_first_is_nobodys(finished, sets):
    rendered = pairs.split_by_names(speculo.load("heads-medium", people=3), ["p00001"])
    assert explored.unknown_head(finished, rendered) == 1
    known = [*explored.turn([], rendered, HEAD._replace(person=0))][0].known
    assert known == ["the baselines"]


def test_the_ends_of_the_way_are_the_two_people(finished, sets):
    split, zero = sets["orl"], (0,) * DIRECTIONS
    names = split.test.people[0], split.test.people[-1]

    def go(share: float, pushes=zero):
        return explored.between(finished[1], split, names, share, pushes)

    for share, end in ((0, 0), (1, 1)):
        found = go(share)
        assert np.array_equal(found.middle, found.ends[end])
        assert found.nearest == names[end] and found.distance == pytest.approx(0, abs=1e-3)
    half = go(0.5)
    assert not np.array_equal(half.middle, half.ends[0])
    pushed = go(0.5, (3, *zero[1:]))
    moved = pushed.vector - half.vector
    directions = half.fronts.directions
    assert moved == pytest.approx(3 * directions.spread[0] * directions.axes[0], rel=1e-3, abs=1e-4)
    straight, along = explored.ways(half, 5)
    assert along.shape == (DIRECTIONS, 5, 32, 32)
    for place, expected in ((0, half.ends[0]), (2, half.middle), (4, half.ends[1])):
        assert np.abs(straight[place].astype(int) - expected).max() <= 1
    assert np.abs(along[:, 2].astype(int) - half.middle).max() <= 1, "the middle of each row"


def test_a_photo_of_the_set_finds_itself(finished, sets, orl):
    index = 123
    photo = explored.read_photo("one.png", encoded(orl.images[index]))
    for metric in fingerprints.METRICS:
        found = explored.look_up(finished[1], sets["orl"], photo, "whole", metric)
        assert np.array_equal(found.panels["input"], orl.images[index])
        captions = [caption.split(", ") for caption in found.neighbours]
        assert captions[0][0] == orl.names[orl.person[index]]
        assert len({name for name, *_ in captions}) == explored.NEIGHBOURS
        distances = [float(distance) for _, distance, _ in captions]
        assert distances == sorted(distances) and distances[0] == pytest.approx(0, abs=1e-3)
        chances = [int(chance.removesuffix("%")) for *_, chance in captions]
        assert chances == sorted(chances, reverse=True) and 0 <= chances[-1] <= chances[0] <= 100
        assert np.array_equal([*found.neighbours.values()][0], orl.images[index])


def fitted_to(run, split, metric="cosine"):
    return predictor.chance(predictor.opened(run), split, metric)


def test_a_chance_is_fitted_to_test_people_whom_the_run_has_not_seen(finished, sets, orl):
    """Of ORL the run has seen all but eight: their pairs, and no others, are what is fitted to."""
    split, run = sets["orl"], finished[1]
    found = fitted_to(run, split)
    assert (found.people, found.dataset) == (8, "orl")
    mine = np.isin(orl.person, split.test.person)
    prints = predictor.opened(run).fingerprints(orl.images[mine])
    apart = fingerprints.distances(prints, prints)
    expected = recognition.chance(*recognition.pair_scores(apart, orl.person[mine]))
    assert found.chance.of(0.1) == pytest.approx(expected.of(0.1))
    seen = pairs.split_by_names(orl, split.train.people)  # the sides change places
    assert fitted_to(run, seen) == found


def test_of_a_set_with_few_people_the_chance_is_fitted_to_orl(finished, sets, orl):
    """For the fingerprint model to the twenty that it was not settled by, for others to the last."""
    few = sets["few"]
    shipped = runs.recorded(fingerprints.SHIPPED)
    found = fitted_to(shipped, few)
    assert (found.people, found.dataset) == (20, "orl")
    mine = orl.person >= 20
    prints = fingerprints.shipped()(orl.images[mine])
    apart = fingerprints.distances(prints, prints)
    expected = recognition.chance(*recognition.pair_scores(apart, orl.person[mine]))
    assert found.chance.of(0.5) == pytest.approx(expected.of(0.5), abs=1e-3)
    assert fitted_to(finished[0], few)[1:] == (20, "orl"), "trained on another set"
    assert fitted_to(finished[1], few)[1:] == (8, "orl"), "the others were its teachers"


def test_without_strangers_there_is_no_chance_to_tell(finished, sets, orl, monkeypatch):
    everybody = frozenset(orl.names)
    monkeypatch.setattr(type(finished[1]), "trained_on", lambda run, dataset: everybody)
    predictor.chance.cache_clear()
    photo = explored.read_photo("one.png", encoded(orl.images[0]))
    found = explored.look_up(finished[1], sets["orl"], photo, "whole", "l2")
    predictor.chance.cache_clear()
    assert found.fitted is None
    assert all(len(caption.split(", ")) == 2 for caption in found.neighbours)


def test_a_photo_lies_as_the_folder_reader_lays_it(finished, sets, orl):
    """EXIF orientation and any format: both readers are one."""
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = np.asarray(Image.fromarray(orl.images[5]).resize((320, 200)))
    content = encoded(wide, "JPEG", exif=exif, quality=95)
    photo = explored.read_photo("phone.jpg", content)
    found = explored.look_up(finished[0], sets["few"], photo, "whole", "l2")
    expected = images.read(content, 32).astype(int)
    assert np.abs(found.panels["input"] - expected).max() <= 3


def test_a_crop_is_the_face_all_or_what_the_sliders_say(finished, sets):
    whole = np.zeros((200, 100), np.uint8)
    whole[100:150, 50:] = 255
    photo = explored.Photo("one", whole, (10.0, 20.0, 60.0, 70.0))

    def crop(chosen, photo=photo):
        return explored.look_up(finished[0], sets["few"], photo, chosen, "l2")

    assert crop("auto").box == photo.face
    assert crop("whole").box == (0, 0, 100, 200)
    assert crop((50, 50, 50)).box == (50, 100, 100, 150)
    assert crop((50, 50, 50)).panels["input"].min() > 220  # shrinking blurs the edges a little


def test_without_a_face_or_a_photo_nobody_is_near(finished, sets):
    nobody = explored.Photo("one", np.zeros((200, 100), np.uint8), None)
    for photo, crop in ((nobody, "auto"), (None, "auto"), (None, "whole")):
        found = explored.look_up(finished[0], sets["few"], photo, crop, "l2")
        assert found.box is None and not found.panels and not found.neighbours
    assert explored.look_up(finished[0], sets["few"], nobody, "whole", "l2").neighbours


def test_the_largest_of_several_faces_is_taken():
    group = np.full((200, 420), 120, np.uint8)
    for left, side in ((10, 120), (220, 160)):
        group[20 : 20 + side, left : left + side] = heads.render(20 + left, size=side)
    found = explored.photo("two", group)
    assert found.found == 2 and found.face[0] > 200


def test_runs_are_compared_on_the_same_faces(finished, sets):
    test = sets["orl"].test
    first, *partly, last = explored.compare(finished, sets["orl"], 1)
    shown = [(test.faces.images[test.input] == face).all(axis=(1, 2)) for face in first.input]
    people = {int(test.person[np.flatnonzero(match)[0]]) for match in shown}
    assert len(people) == FACES, "as many people as there is room for"
    assert not first.drawn and [list(each.drawn) for each in partly] == [["tiny-few"]]
    target = pairs.as_input(last.target)
    for run in finished:
        drawn = predictor.opened(run).draw(pairs.as_input(last.input))
        assert np.array_equal(last.drawn[run.name], pairs.as_image(drawn))
        assert last.errors[run.name] == pytest.approx(evaluation.mse(drawn, target))
        pd.testing.assert_frame_equal(last.histories[run.name], run.history)
    assert not last.known  # the small run knows some of them, under another dataset's name
    *_, second = explored.compare(finished, sets["orl"], 2)
    assert not np.array_equal(second.input, last.input)


def test_a_run_that_knows_the_faces_is_named(finished, sets):
    train, test = sets["few"].train.people[0], sets["few"].test.people[0]
    turned_round = pairs.split_by_names(sets["few"].test.faces, [train, test])
    assert next(explored.compare(finished, turned_round, 1)).known == ["tiny-few"]
