from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from speculo import evaluation, model, pairs, plots, runs

HISTORY = pd.DataFrame(
    {"epoch": [1, 2, 3], "loss": [0.06, 0.04, 0.03], "val_loss": [9.0, 0.05, 0.04]}
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
        "output_range": lambda: plots.output_range(outputs, np.array([0.5, 0.7])),
        "model_graph": lambda: plots.model_graph(model.build(model.V8)),
        "costs": lambda: plots.costs(model.build(model.V8)),
        "singular_values": lambda: plots.singular_values(np.array([3.0, 1.0, 0.0]), rank=2),
        "loss": lambda: plots.loss(HISTORY, {"mean": 0.02, "input": 0.021}, title="t"),
        "loss, empty": lambda: plots.loss(HISTORY[:0]),
        "predictions": lambda: plots.predictions(split.test, outputs),
        "snapshots": lambda: plots.snapshots(split.test, [np.zeros((8, 32, 32), np.uint8)], [1]),
        "one_prediction": lambda: plots.one_prediction(split.test, outputs, 3),
        "extremes": lambda: plots.extremes(split.test, outputs, errors),
    }[kind]()


KINDS = [
    "dataset",
    "fronts",
    "photos_per_person",
    "output_range",
    "model_graph",
    "costs",
    "singular_values",
    "loss",
    "predictions",
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
    assert plots.predictions(split.test, outputs).axes[0].images[0].get_clim() == (0, 255)


def test_few_people_and_photos_can_be_drawn(few):
    faces = few.train.faces
    assert plots.fronts(faces, pairs.fronts(faces))
    assert plots.dataset(few)
    assert plots.predictions(few.test, few.test.batch()[0])
