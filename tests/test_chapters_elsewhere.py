"""Chapters on other datasets, architectures and backends, each from start to end."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import papermill
import pytest
import small_scale
import trees
from conftest import ROOT
from small_scale import CHAPTERS

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


KINDS = ("head-pose", "youtube-faces", "olivetti", "lfw")


@pytest.fixture(scope="module")
def shown(datasets, home_of_all) -> dict[str, nbformat.NotebookNode]:
    """What the first chapter shows of each dataset."""
    asked = [("01_dataset", {"dataset": datasets[kind]}) for kind in KINDS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECULO_HOME", str(home_of_all))
        found = small_scale.in_one_kernel(home_of_all / "build" / "datasets.ipynb", *asked)
    return dict(zip(KINDS, found, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_chapter_shows_any_dataset(kind, shown):
    assert book.metrics(shown[kind])["test_pairs"] > 0
    outputs = str([cell.outputs for cell in shown[kind].cells if cell.cell_type == "code"])
    assert ("No pose is known here" in outputs) == (kind in ("olivetti", "lfw"))


SHORT = {"heads_people": 6, "epochs": 1, "seeds": 1, "batch_size": 64}
"""As short as it goes: a network is compiled anew for each size of batch."""


def run(*asked: tuple[str, ...], home: Path, **parameters: object) -> list[nbformat.NotebookNode]:
    """Run chapters, each with the parameters that it has, and read what they left."""
    with_values = []
    for name, *own in asked:
        values = SHORT | parameters | dict(*own)
        known = small_scale.parameters_of(name)
        with_values.append((name, {key: values[key] for key in values.keys() & known}))
    return small_scale.in_one_kernel(home / "build" / "elsewhere.ipynb", *with_values)


def said(notebook: nbformat.NotebookNode) -> str:
    """All that the cells of a notebook printed, with their tables as text."""
    parts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            assert output.get("name") != "stderr", output.text
            data = output.get("data", {})
            table = re.sub("<style.*?</style>", "", data.get("text/html", ""), flags=re.DOTALL)
            parts += [output.get("text", ""), re.sub("<[^>]+>", " ", table)]
            parts.append("" if table else data.get("text/plain", ""))
    return "\n".join(parts)


def test_any_dataset_is_trained_on_and_judged(datasets, home):
    asked = (("03_training",), ("04_results",), ("05_what_went_wrong",))
    run(*asked, home=home, dataset=datasets["head-pose"])
    assert (home / "runs" / "v8-head-pose" / "README.md").is_file()


def test_the_least_folder_gets_through_every_chapter(home, tmp_path, tiny):
    """Two people with two photos each, and somebody with one: chapters 07 to 09 without 03 too."""
    folder = trees.folder(tmp_path / "least", people=2, photos=2)
    trees.save(trees.face(2, 0), folder / "person 9" / "alone.jpg")
    dataset = f"folder:{folder}"
    split = pairs.split(speculo.load(dataset))
    training.train(tiny, split, runs.at("another"), epochs=1)  # stands before v8 in the alphabet
    untrained = ("00_start_here", "01_dataset", "02_model", "07_mending_v8", "08_fingerprints")
    trained = ("03_training", "04_results", "05_what_went_wrong", "06_what_the_notes_said")
    narrow = {"architecture": "v8-16th", "run": "v8-folder-least"}
    asked = [(name,) for name in untrained] + [(name, narrow) for name in trained]
    notebooks = run(*asked, ("09_explorer",), home=home, dataset=dataset)
    names = (*untrained, *trained, "09_explorer")
    found = {name: said(each) for name, each in zip(names, notebooks, strict=True)}
    for name, text in found.items():
        assert not re.search(r"\bnan\b", text, re.IGNORECASE), name
    assert book.metrics(notebooks[-1])["explorers"] == 6
    assert "No pose is known here" in found["01_dataset"]
    assert "v8 is left out" in found["08_fingerprints"]
    assert "too few people" in found["08_fingerprints"] and "few people" in found["04_results"]
    assert "The last ReLU:" in found["04_results"] and "one person" in found["04_results"]
    assert "One person has one front" in found["07_mending_v8"]
    shown = re.findall(r"^([\w-]+): Speculo-", found["09_explorer"], re.MULTILINE)
    assert shown[:3] == ["fingerprint", "v8-folder-least", "another"]


def test_fingerprints_of_very_few_people_are_judged_as_far_as_that_goes(home, tmp_path, tiny):
    dataset = f"head-pose:{trees.head_pose(tmp_path / 'heads', drawn=True)}"
    split = pairs.split(speculo.load(dataset))
    training.train(tiny, split, runs.at("tiny-drawn"), epochs=1)
    (notebook,) = run(("08_fingerprints",), home=home, dataset=dataset, run="tiny-drawn")
    assert book.metrics(notebook)["people"] == len(split.train.faces.names)
    assert "too few people" in said(notebook) and "unknown as errors" in said(notebook)


def test_another_architecture_is_trained_on_drawn_heads_and_judged(home):
    parameters = {"dataset": "heads-yaw", "people": 6, "architecture": "v8-mended-16th"}
    _, notebook = run(("03_training",), ("04_results",), home=home, **parameters)
    found = book.metrics(notebook)
    assert found["mse"] < 0.05 and found["input_itself"] > found["ridge"]
    card = home / "runs" / "v8-mended-16th-heads-yaw-6-people" / "README.md"
    for text in (said(notebook), card.read_text(encoding="utf-8")):
        assert not re.search(r"\bfloor\b|no output can be|cannot draw|ReLU", text), "it has none"


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
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")  # JAX compiles quicker
    parameters = {"architecture": "v8-16th", "people": 3, "run": f"small-{backend}"}
    run(("03_training",), ("04_results",), home=home, **parameters)
    record = (home / "runs" / f"small-{backend}" / "run.json").read_text(encoding="utf-8")
    assert f'"backend": "{backend}"' in record
    assert os.environ["KERAS_BACKEND"] == backend
