import io
import os
import re
import warnings
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from speculo import evaluation, model, pairs, plots, runs, scale
from speculo.plots.style import short

HISTORY = pd.DataFrame(
    {"epoch": [1, 2, 3], "loss": [0.06, 0.04, 0.03], "val_loss": [9.0, 0.05, 0.04]}
)

SUMMARY = pd.DataFrame(
    {"MSE": [0.04, 0.03, 0.02, 0.025, 0.022], "± over seeds": [0.001, np.nan, 0.001, 0.001, 0.001]},
    pd.MultiIndex.from_tuples(
        [("none", "v8"), ("added", "a"), ("added", "b"), ("without", "a"), ("without", "b")],
        names=["kind", "change"],
    ),
)
BY_TURN = pd.DataFrame(
    {
        "predictor": ["a", "a", "a", "b", "b", "b"],
        "|yaw|": ["0-15", "15-30", "all"] * 2,
        "MSE": [0.01, 0.02, 0.015] * 2,
        "rank-1": [0.5, 0.4, 0.45] * 2,
    }
)

RATES = pd.DataFrame(
    {"people": [3, 2, 1], "FNMR": [0.1, 0.2, np.nan], "FMR": [0.1, np.nan, 0.3]},
    pd.MultiIndex.from_tuples(
        [("everybody", "everybody"), ("t", "a"), ("t", "b")], names=["trait", "group"]
    ),
)
for _rate in ("FNMR", "FMR"):
    RATES[f"{_rate} low"], RATES[f"{_rate} high"] = 0.9 * RATES[_rate], 1.2 * RATES[_rate]


@pytest.fixture(scope="module")
def split(orl):
    return pairs.split(orl)


@pytest.fixture(scope="module")
def outputs(split):
    return evaluation.baselines(split)["input itself"]


@pytest.mark.parametrize("people", [1, 8])
def test_a_long_title_over_few_faces_leaves_them_their_room(split, outputs, people):
    few = split.test.take(np.isin(split.test.person, np.unique(split.test.person)[:people]))
    few = few.take(slice(None, 2 if people == 1 else None))
    drawn = {"Speculo-v8-mended-8th": np.zeros((len(few), 32, 32, 1), np.float32)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plots.drawings(few, drawn, 8, title="a title of a run " * 5)
        figure.savefig(io.BytesIO())
    axis = figure.axes[0]
    wide = axis.get_window_extent().width / axis.get_images()[0].get_array().shape[1]
    assert 1 < wide < 4, "pixels of the screen to one of a face"


def turned(faces):
    """Give faces a pose each; some have none."""
    pose = np.random.default_rng(0).uniform(-90, 90, (len(faces), 3)).astype(np.float32)
    pose[::7] = np.nan
    return replace(faces, pose=pose)


def figures(faces, split, outputs, names):
    """Every figure of the book, with these names for all that is named after files and folders."""
    a, b, c = names[:3]
    image, other, row = faces.images[0], faces.images[10], faces.images[:8]
    by_turn = BY_TURN.replace({"a": a, "b": b})
    errors = evaluation.by_person(evaluation.squared_error(outputs, split.test), split.test)
    small = model.narrowed(model.V8, 16)
    return {
        "face_columns": lambda: plots.face_columns({a: row[:2], b: row[:2]}, [b, c]),
        "dataset": lambda: plots.dataset(split),
        "printed_dataset": lambda: plots.printed_dataset(split),
        "fronts": lambda: plots.fronts(faces, pairs.fronts(faces), people=12),
        "photos_per_person": lambda: plots.photos_per_person(faces),
        "poses": lambda: plots.poses(turned(faces)),
        "by_yaw": lambda: plots.by_yaw(turned(faces)),
        "heads_fronts": lambda: plots.heads_fronts(faces.images[::10], columns=7),
        "heads_levels": lambda: plots.heads_levels({a: turned(faces), b: turned(faces)}),
        "output_range": lambda: plots.output_range(outputs, np.array([0.5, 0.7])),
        "model_graph": lambda: plots.model_graph(model.build(small)),
        "costs": lambda: plots.costs(model.build(small)),
        "singular_values": lambda: plots.singular_values(np.array([3.0, 1.0, 0.0]), rank=2),
        "loss": lambda: plots.loss(HISTORY, {a: 0.02, b: 0.021}, title=c),
        "loss, empty": lambda: plots.loss(HISTORY[:0]),
        "snapshots": lambda: plots.snapshots(split.test, [np.zeros((8, 32, 32), np.uint8)], [1]),
        "drawings": lambda: plots.drawings(split.test, {a: outputs, b: outputs}, 20, title=c),
        "one_prediction": lambda: plots.one_prediction(split.test, outputs, 3, title=a),
        "extremes": lambda: plots.extremes(split.test, outputs, errors, title=a),
        "levels": lambda: plots.levels({a: 0.03, b: 0.02}, {c: 0.0325}),
        "pixels": lambda: plots.pixels(outputs, {a: outputs, b: np.full(9, 0.5)}),
        "distances": lambda: plots.distances(
            np.arange(9.0), {a: np.arange(9.0), b: np.ones(9)}, xlabel="x"
        ),
        "front_angles": lambda: plots.front_angles(
            {a: np.array([1.0, 30]), b: np.array([4.0, np.nan])}
        ),
        "rival_fronts": lambda: plots.rival_fronts(
            turned(faces), {a: np.arange(400), b: np.arange(400)[::-1]}
        ),
        "frame_order": lambda: plots.frame_order(np.arange(3), np.arange(3.0), np.array([2, 0, 1])),
        "wrong_by_first_frame": lambda: plots.wrong_by_first_frame(np.arange(9), np.ones(9)),
        "matched_targets": lambda: plots.matched_targets(
            faces, np.arange(40) * 10, {a: np.arange(40) - 1}
        ),
        "seconds": lambda: plots.seconds({a: 1e-3, b: 2e-6}),
        "by_seed": lambda: plots.by_seed({a: np.ones(1), b: np.ones(1)}, {c: 0.5}),
        "by_size": lambda: plots.by_size(
            pd.DataFrame({a: [2, 1], b: [1, np.nan]}, index=[32, 16]), base=a
        ),
        "captioned": lambda: plots.captioned({a: row[:3]}, {a: names[:3]}),
        "loss_against_sharpness": lambda: plots.loss_against_sharpness(
            [0, 1], [0.02, 0.01], [1, 0.4], {a: (0.3, 0.01)}
        ),
        "by_turn": lambda: plots.by_turn(by_turn, {a: a, b: b}),
        "hills": lambda: plots.hills(
            {a: (np.arange(9) / 9, np.arange(4) / 4), b: (np.zeros(1), np.zeros(1))},
            {a: 0.3, b: 0.1},
        ),
        "det": lambda: plots.det(
            {a: (np.array([1, 0.1, 0]), np.array([0, 0.2, 1])), b: (np.ones(2), np.zeros(2))}, 0.01
        ),
        "rank_1_by_yaw": lambda: plots.rank_1_by_yaw(
            {a: np.eye(2), b: np.full((2, 2), np.nan)}, (-90, 0, 90)
        ),
        "face_pairs": lambda: plots.face_pairs(
            {a: np.array([[0, 10], [1, 11]]), b: np.array([[0, 1]])},
            faces.images[:12],
            [names[each] for each in faces.person[:12]],
            np.ones((12, 12)),
        ),
        "fingerprint_map": lambda: plots.fingerprint_map(
            np.random.default_rng(0).normal(size=(20, 2)),
            faces.images[:20],
            np.array([names[each] for each in faces.person[:20]]),
        ),
        "rates_by_group": lambda: plots.rates_by_group(RATES.rename({"a": a, "b": b})),
        "stalls": lambda: plots.stalls(
            {n: scale.simulate([scale.Stage(a, 9, 1), scale.Stage(b, 9, 1)], n) for n in (1, 2)}
        ),
        "ablation": lambda: plots.ablation(
            SUMMARY.rename({"a": a, "b": b}), {a: 0.02, c: 0.013}, title=c
        ),
        "explored_prediction": lambda: plots.explored_prediction(
            {a: image, b: other}, np.zeros((32, 32)), {a: 0.02, b: 0.01}, title=c
        ),
        "explored_epoch": lambda: plots.explored_epoch({a: row, b: row}, HISTORY, 2, title=c),
        "explored_epoch, no faces": lambda: plots.explored_epoch({}, HISTORY, 2, title=c),
        "explored_turn": lambda: plots.explored_turn(
            {a: image, b: other},
            {a: 0.02},
            np.arange(3),
            {a: np.ones(3), b: np.ones(3)},
            1,
            title=c,
        ),
        "explored_between": lambda: plots.explored_between(
            (image, other), (a, b), row, row[None], title=c
        ),
        "explored_photo": lambda: plots.explored_photo(
            image, (2, 2, 20, 30), {a: image, b: other}, {b: image, c: other}, title=a
        ),
        "explored_nothing": lambda: plots.explored_nothing(f"{a}: " + "nothing to be shown. " * 20),
        "explored_runs": lambda: plots.explored_runs({a: row, b: row}, {a: HISTORY}, title=c),
    }


PLAIN = ["a", "b", "c"]
KINDS = [*(name for name in plots.__all__ if name != "STYLE"), "loss, empty", "explored_epoch, no faces"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_returned_drawn_and_not_shown(kind, orl, split, outputs, home):
    draw = figures(orl, split, outputs, PLAIN)[kind]
    figure = draw()
    assert isinstance(figure, Figure) and not plt.get_fignums()
    path = runs.at("a").save_picture(figure, "figure")
    pixels = plt.imread(path)
    assert pixels[..., :3].std() > 0.02, "an empty picture"
    before = path.read_bytes()
    runs.at("a").save_picture(draw(), "figure")
    assert path.read_bytes() == before, "the same figure twice is not the same file"


HOSTILE = [
    r"$\frac$",
    "<svg onload=alert(1)>",
    r"a_b^c \alpha",
    "x" * 300,
    "\N{GRINNING FACE} \N{ROCKET} 王伟",
    "two\nlines\r\tand a\x07bell",
    "עברית",
    "_hidden",
    os.fsdecode(b"\xff no UTF-8"),
    "100% {braces} \\",
]
"""Names that a folder can have."""


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_name_holds_it_is_text(kind, orl, outputs, home):
    first = KINDS.index(kind)  # others in each figure: what makes them text is the same for all
    names = [f"{HOSTILE[(n + first) % len(HOSTILE)]} {n}" for n in range(len(orl.names))]
    faces = replace(orl, names=tuple(names))
    figure = figures(faces, pairs.split(faces), outputs, names)[kind]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = runs.at("a").save_picture(figure, "figure")
    inches = np.array(plt.imread(path).shape[:2]) / plots.STYLE["savefig.dpi"]
    assert (inches < 1.6 * figure.get_size_inches()[::-1] + 1).all(), f"{inches} of {figure}"
    for text in figure.findobj(Text):
        assert "mathdefault" not in text.get_text()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Zoë Müller-Lüdenscheidt", "Zoë Müll…eidt"),
        ("two\nlines\t", "two lines "),
        ("_a", " _a"),  # matplotlib leaves _a out of a legend
        ("\x07\udcff王", "□□□"),
        (r"$\frac$", r"$\frac$"),
        ("", ""),
    ],
)
def test_a_name_is_made_short_and_plain(name, shown):
    assert short(name, 13) == shown


def test_the_rows_of_the_dataset_picture_are_what_they_say(split):
    """The published picture showed inputs of the test in the row of train targets."""
    axis = plots.dataset(split, count=4).axes[0]
    picture = axis.images[0].get_array()
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == ["x_train", "y_train", "x_test", "y_test"]
    images, shown = split.train.faces.images, pairs.examples(split.train, 4)
    second_row = round(axis.get_yticks()[1] - 16)
    assert np.array_equal(
        picture[second_row : second_row + 32, :32], images[split.train.target[shown[0]]]
    )


def test_faces_are_shown_from_0_to_255(split, outputs):
    assert plots.drawings(split.test, {"a": outputs}).axes[0].images[0].get_clim() == (0, 255)


def test_few_people_and_photos_can_be_drawn(few):
    faces = few.train.faces
    assert plots.fronts(faces, pairs.fronts(faces))
    assert plots.dataset(few)
    assert plots.drawings(few.test, {"a": few.test.batch()[0]}, 20)


def test_figures_are_made_and_colours_are_named_in_one_place():
    for path in Path(plots.__file__).parent.glob("*.py"):
        found = re.findall(r"pyplot|\"#[0-9a-fA-F]{3,8}\"", path.read_text(encoding="utf-8"))
        assert path.name == "style.py" or not found, f"{path.name}: {found}"
