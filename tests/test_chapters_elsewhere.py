"""Chapters on other datasets, architectures and backends, each from start to end."""

import os
import subprocess
import sys
from collections.abc import Iterator

import nbformat
import papermill
import pytest
import small_scale
import trees
from conftest import ROOT
from small_scale import CHAPTERS, SMALL

import speculo
from speculo import book, pairs, runs, training

# One home for the whole file, in the place of one for each test.
home_of_all, home = small_scale.home_of_all, small_scale.home


@pytest.fixture(scope="module")
def datasets(tmp_path_factory) -> Iterator[dict[str, str]]:
    """Every dataset but ORL, as a small tree in its own layout."""
    root = tmp_path_factory.mktemp("datasets")
    data_home = root / "scikit"
    data_home.mkdir()
    trees.olivetti(data_home)
    trees.lfw(data_home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCIKIT_LEARN_DATA", str(data_home))
        yield {
            "folder": f"folder:{trees.folder(root / 'my_faces')}",
            "head-pose": f"head-pose:{trees.head_pose(root / 'heads')}",
            "youtube-faces": f"youtube-faces:{trees.youtube_faces(root / 'videos')}",
            "olivetti": "olivetti",
            "lfw": "lfw",
        }


@pytest.mark.parametrize("kind", ["folder", "head-pose", "youtube-faces", "olivetti", "lfw"])
def test_the_first_chapter_shows_any_dataset(kind, datasets, home):
    path = home / "build" / f"dataset-{kind}.ipynb"
    parameters = {"dataset": datasets[kind]}
    book.execute(CHAPTERS["01_dataset"], path, parameters, progress_bar=False)
    notebook = nbformat.read(path, as_version=4)
    assert book.metrics(notebook)["test_pairs"] > 0
    outputs = str([cell.outputs for cell in notebook.cells if cell.cell_type == "code"])
    assert ("No pose is known here" in outputs) == (kind in ("folder", "olivetti", "lfw"))


@pytest.mark.parametrize("kind", ["folder", "head-pose"])
def test_any_dataset_is_trained_on_and_judged(kind, datasets, home):
    # Without poses the experiments do what they do on ORL.
    experiments = ("05_what_went_wrong", "06_what_the_notes_said") if kind == "head-pose" else ()
    for name in ("03_training", "04_results", *experiments, "08_fingerprints"):
        parameters = {"dataset": datasets[kind]}
        parameters |= {"heads_people": 6} if "heads_people" in SMALL[name]["parameters"] else {}
        parameters |= {key: 1 for key in ("epochs", "seeds") if key in SMALL[name]["parameters"]}
        path = home / "build" / f"{name}-{kind}.ipynb"
        book.execute(CHAPTERS[name], path, parameters, progress_bar=False)
    run = home / "runs" / {"folder": "v8-folder-my_faces", "head-pose": "v8-head-pose"}[kind]
    assert (run / "README.md").is_file()


@pytest.mark.parametrize("kind", ["two people", "drawn heads"])
def test_fingerprints_of_very_few_people_are_judged_as_far_as_that_goes(kind, home, tmp_path, tiny):
    if kind == "two people":
        dataset = f"folder:{trees.folder(tmp_path / 'two', people=2, photos=2)}"
    else:
        dataset = f"head-pose:{trees.head_pose(tmp_path / 'heads', drawn=True)}"
    split = pairs.split(speculo.load(dataset))
    run = f"tiny-{kind[:3]}"
    training.train(tiny, split, runs.at(run), epochs=1)
    path = home / "build" / "few.ipynb"
    parameters = {"dataset": dataset, "run": run, "heads_people": 6}
    book.execute(CHAPTERS["08_fingerprints"], path, parameters, progress_bar=False)
    notebook = nbformat.read(path, as_version=4)
    assert book.metrics(notebook)["people"] == len(split.train.faces.names)
    outputs = str([cell.outputs for cell in notebook.cells if cell.cell_type == "code"])
    assert "too few people" in outputs and "unknown as errors" in outputs
    assert "stderr" not in outputs


def test_another_architecture_is_trained_on_drawn_heads_and_judged(home):
    for name in ("03_training", "04_results"):
        parameters = {"dataset": "heads-yaw", "people": 6, "architecture": "v8-mended-16th"}
        parameters |= {"epochs": 1} if "epochs" in SMALL[name]["parameters"] else {}
        path = home / "build" / f"{name}-heads.ipynb"
        book.execute(CHAPTERS[name], path, parameters, progress_bar=False)
    found = book.metrics(nbformat.read(path, as_version=4))
    assert found["mse"] < 0.05 and found["input_itself"] > found["ridge"]
    assert (home / "runs" / "v8-mended-16th-heads-yaw-6-people" / "README.md").is_file()


def test_papermill_itself_runs_a_chapter_on_a_folder(datasets, home):
    """The command of the README, from the project's folder."""
    output = home / "build" / "by_command.ipynb"
    command = [sys.executable, "-m", "papermill", "notebooks/01_dataset.ipynb", str(output)]
    result = subprocess.run(
        [*command, "-p", "dataset", datasets["folder"]], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert book.metrics(nbformat.read(output, as_version=4))["people"] == 3


def test_a_wrong_path_shows_the_layout_in_the_chapter(home):
    with pytest.raises(papermill.PapermillExecutionError, match="my_faces/\n(.|\n)*front.jpg"):
        book.execute(
            CHAPTERS["01_dataset"],
            home / "build" / "wrong.ipynb",
            {"dataset": "folder:nowhere"},
            progress_bar=False,
        )


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_same_chapters_train_on_another_backend(backend, home, monkeypatch):
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    monkeypatch.setenv("KERAS_BACKEND", backend)
    for name in ("03_training", "04_results"):
        parameters = SMALL[name]["parameters"] | {"people": 3, "run": f"small-{backend}"}
        if "epochs" in parameters:
            parameters["epochs"] = 1
        path = home / "build" / f"{name}-{backend}.ipynb"
        book.execute(CHAPTERS[name], path, parameters, progress_bar=False)
    record = (home / "runs" / f"small-{backend}" / "run.json").read_text(encoding="utf-8")
    assert f'"backend": "{backend}"' in record
    assert os.environ["KERAS_BACKEND"] == backend
