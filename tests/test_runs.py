import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from speculo import card, faces, files, model, pairs, runs


@pytest.mark.parametrize("name", ["", "../a", "a/b", ".hidden", "-p", "a b", "ä"])
def test_a_run_is_one_folder_inside_runs(name):
    with pytest.raises(ValueError, match="expected a name of letters"):
        runs.at(name)


def test_default_names_are_names():
    assert runs.default_name(model.V8, "orl") == "v8-orl"
    assert runs.at(runs.default_name(model.V8, "folder:../data/my faces")).name


def test_opening_a_run_that_is_not_there_says_which_chapter_makes_it():
    with pytest.raises(FileNotFoundError, match="'v8-orl'.*chapter 03"):
        runs.open("v8-orl")


def test_a_damaged_record_is_named(run):
    (run.path / "run.json").write_text("{")
    with pytest.raises(ValueError, match="run.json is damaged"):
        run.record  # noqa: B018


def test_weights_of_another_model_are_refused(run, tiny):
    arrays = files.read_arrays(run.path / "best.npz")
    arrays["weights/latent_space/kernel"] = np.zeros((2, 2))
    with pytest.raises(ValueError, match="latent_space/kernel should have shape"):
        runs.set_weights(model.build(tiny), arrays)


def test_a_run_without_weights_says_so(run):
    for path in run.path.glob("*.npz"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="No weights can be read"):
        run.model()


def test_a_split_that_mixes_in_train_people_is_refused(run, few, orl):
    run.require(few)
    with pytest.raises(
        ValueError, match="other pictures .different: train_people, test_people, pictures.*seed .0."
    ):
        run.require(pairs.split(orl))
    darker = replace(few.train.faces, images=few.train.faces.images // 2)
    with pytest.raises(ValueError, match="different: pictures"):
        run.require(pairs.split(darker))


def test_a_run_knows_whom_it_was_trained_on(run, few, orl):
    people = frozenset(few.train.people)
    assert run.trained_on("orl") == people and not run.trained_on("lfw")
    assert run.matches(few) and not run.matches(pairs.split(orl))
    record = run.record
    record["settings"]["dataset"] = "orl+heads-medium"
    run.write_record(record)
    assert run.trained_on("orl") == run.trained_on("heads-medium") == people
    assert run.trained_on("orl+heads-medium") == people and not run.trained_on("heads")
    record["settings"]["dataset"] = "folder:mum+dad"  # a plus of the reader's own
    run.write_record(record)
    assert run.trained_on("folder:mum+dad") == people


def test_the_unseen_people_of_a_set_are_those_that_a_run_was_not_trained_on(run, few, orl):
    known = set(few.train.people)
    made = run.unseen(orl)
    assert set(made.train.people) == known and not known & set(made.test.people)
    other = replace(orl, name="other")  # people of the same names in another set
    assert run.unseen(other, seed=3).test.people == pairs.split(other, seed=3).test.people
    everybody = faces.select(orl, few.train.people)  # two sides are needed, whoever is known
    assert run.unseen(everybody).test.people


def test_the_model_card_has_the_form_of_the_published_one(run):
    text = card.write(run, ["a note"]).read_text()
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "# Model tiny",
        "### Dataset Sample",
        "## Model Summary",
        "## Training Log",
        "### Model loss",
        "## Predictions",
        "## Notes",
    ]
    assert "Optimizer - adam (LR - 0.001) <br>\nLoss Function - mse <br>\n" in text
    assert "Filters - (16, 8, 8) <br>\nLatent Size - 32 <br>" in text
    assert card.summary(run.model()) in text
    assert card.training_log(run).startswith("Epoch 1/3 - ") and card.training_log(run) in text
    for picture in ("dataset", "model", "loss", "predictions"):
        assert f"(img/{picture}.png)" in text
    assert text.rstrip().endswith("- a note")


def test_run_json_is_plain(run):
    record = json.loads((run.path / "run.json").read_text())
    assert record["config"]["filters"] == [16, 8, 8]


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder" / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.replacing(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(path.parent.iterdir()) == [path]


@pytest.fixture
def book_s(run, tmp_path, monkeypatch):
    """The run, as one that came with the book."""
    folder = tmp_path / "recorded"
    monkeypatch.setattr(runs, "RECORDED", folder)
    folder.mkdir()
    (run.path).rename(folder / "shipped")
    return runs.recorded("shipped")


def test_a_recorded_run_is_found_and_another_is_not(book_s):
    assert book_s.epochs == 3 and book_s.model()
    with pytest.raises(FileNotFoundError, match="no run 'other'.*only: shipped"):
        runs.recorded("other")


def test_recorded_weights_are_checked(book_s):
    weights = book_s.path / "best.npz"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    book_s.write_record(book_s.record | {"sha256": {"best.npz": digest}})
    assert book_s.model()
    arrays = files.read_arrays(weights)
    files.write_arrays(weights, arrays | {"epoch": np.array(9)})
    with pytest.raises(ValueError, match="best.npz has SHA-256 .* expected " + digest):
        book_s.model()


def test_finished_runs_are_the_reader_s_own_and_those_of_the_book(book_s, whole):
    shutil.copytree(whole.path, runs.at("own").path)
    runs.at("begun").write_record({})
    assert [run.name for run in runs.finished()] == ["own", "shipped"]
    shutil.copytree(whole.path, runs.at("shipped").path)
    assert [run.path for run in runs.finished()] == [runs.at("own").path, runs.at("shipped").path]
