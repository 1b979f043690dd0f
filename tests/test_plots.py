import re
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from speculo import evaluation, model, pairs, plots, runs

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
        "predictor": ["a (gamma 1)", "a (gamma 1)", "a (gamma 1)", "b", "b", "b"],
        "|yaw|": ["0-15", "15-30", "all"] * 2,
        "MSE": [0.01, 0.02, 0.015] * 2,
        "rank-1": [0.5, 0.4, 0.45] * 2,
    }
)


@pytest.fixture(scope="module")
def split(orl):
    return pairs.split(orl)


@pytest.fixture(scope="module")
def outputs(split):
    return evaluation.baselines(split)["input itself"]


def turned(faces):
    """Give faces a pose each; some have none."""
    pose = np.random.default_rng(0).uniform(-90, 90, (len(faces), 3)).astype(np.float32)
    pose[::7] = np.nan
    return replace(faces, pose=pose)


def draw(kind, orl, split, outputs):
    errors = evaluation.by_person(evaluation.squared_error(outputs, split.test), split.test)
    return {
        "dataset": lambda: plots.dataset(split),
        "fronts": lambda: plots.fronts(orl, pairs.fronts(orl)),
        "photos_per_person": lambda: plots.photos_per_person(orl),
        "poses": lambda: plots.poses(turned(orl)),
        "by_yaw": lambda: plots.by_yaw(turned(orl)),
        "heads_fronts": lambda: plots.heads_fronts(orl.images[::10], columns=7),
        "face_columns": lambda: plots.face_columns({"age": orl.images[:2]}, ["low", "high"]),
        "heads_levels": lambda: plots.heads_levels({"yaw": turned(orl), "wild": turned(orl)}),
        "output_range": lambda: plots.output_range(outputs, np.array([0.5, 0.7])),
        "model_graph": lambda: plots.model_graph(model.build(model.V8)),
        "costs": lambda: plots.costs(model.build(model.V8)),
        "singular_values": lambda: plots.singular_values(np.array([3.0, 1.0, 0.0]), rank=2),
        "loss": lambda: plots.loss(HISTORY, {"mean": 0.02, "input": 0.021}, title="t"),
        "loss, empty": lambda: plots.loss(HISTORY[:0]),
        "drawings": lambda: plots.drawings(split.test, {"a": outputs, "b": outputs}, 20),
        "snapshots": lambda: plots.snapshots(split.test, [np.zeros((8, 32, 32), np.uint8)], [1]),
        "one_prediction": lambda: plots.one_prediction(split.test, outputs, 3),
        "extremes": lambda: plots.extremes(split.test, outputs, errors),
        "ablation": lambda: plots.ablation(SUMMARY, {"mean": 0.02, "ridge": 0.013}),
        "by_turn": lambda: plots.by_turn(BY_TURN, {"a": "one", "b": "another"}),
        "levels": lambda: plots.levels({"grey": 0.03, "mean": 0.02}, {"published": 0.0325}),
        "pixels": lambda: plots.pixels(outputs, {"a": outputs, "b": np.full(9, 0.5)}),
        "distances": lambda: plots.distances(
            np.arange(9.0), {"a": np.arange(9.0), "b": np.ones(9)}, xlabel="x"
        ),
        "front_angles": lambda: plots.front_angles(
            {"a": np.array([1.0, 30]), "b": np.array([4.0, np.nan])}
        ),
        "captioned": lambda: plots.captioned({"a": orl.images[:3]}, {"a": ["1", "2", "3"]}),
        "rival_fronts": lambda: plots.rival_fronts(
            turned(orl), {"a": np.arange(400), "b": np.arange(400)[::-1]}
        ),
        "frame_order": lambda: plots.frame_order(np.arange(3), np.arange(3.0), np.array([2, 0, 1])),
        "wrong_by_first_frame": lambda: plots.wrong_by_first_frame(np.arange(9), np.ones(9)),
        "matched_targets": lambda: plots.matched_targets(
            orl, np.arange(40) * 10, {"a": np.arange(40) - 1}
        ),
        "printed_dataset": lambda: plots.printed_dataset(split),
        "seconds": lambda: plots.seconds({"a": 1e-3, "b": 2e-6}),
        "by_seed": lambda: plots.by_seed({"a": np.ones(1), "b": np.ones(1)}, {"floor": 0.5}),
        "by_size": lambda: plots.by_size(
            pd.DataFrame({"mean": [2, 1], "net": [1, np.nan]}, index=[32, 16]), base="mean"
        ),
        "loss_against_sharpness": lambda: plots.loss_against_sharpness(
            [0, 1], [0.02, 0.01], [1, 0.4], {"mean": (0.3, 0.01)}
        ),
    }[kind]()


KINDS = [
    "dataset",
    "fronts",
    "photos_per_person",
    "heads_fronts",
    "face_columns",
    "heads_levels",
    "output_range",
    "model_graph",
    "costs",
    "singular_values",
    "loss",
    "drawings",
    "ablation",
    "by_turn",
    "levels",
    "pixels",
    "distances",
    "front_angles",
    "captioned",
    "rival_fronts",
    "frame_order",
    "wrong_by_first_frame",
    "matched_targets",
    "printed_dataset",
    "seconds",
    "by_seed",
    "by_size",
    "loss_against_sharpness",
    "snapshots",
    "one_prediction",
    "extremes",
] + ["loss, empty"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_returned_drawn_and_not_shown(kind, orl, split, outputs, home):
    figure = draw(kind, orl, split, outputs)
    assert isinstance(figure, Figure) and not plt.get_fignums()
    path = runs.at("a").save_picture(figure, "figure")
    pixels = plt.imread(path)
    assert pixels[..., :3].std() > 0.02, "an empty picture"
    before = path.read_bytes()
    runs.at("a").save_picture(draw(kind, orl, split, outputs), "figure")
    assert path.read_bytes() == before, "the same figure twice is not the same file"


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
