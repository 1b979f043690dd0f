"""The trainings that come with the book, and the weights of one of them."""

import numpy as np
import pytest

from speculo import ablation, augmentation, evaluation, files, model, pairs, recording, runs


@pytest.fixture(scope="module")
def small():
    return runs.recorded(recording.SMALL)


def test_it_has_not_seen_the_last_people(small):
    settings = small.record["settings"]
    people = {*settings["train_people"], *settings["test_people"]}
    assert set(ablation.CHOICE) <= people and not people & set(ablation.LAST)


def test_its_weights_are_checked_and_small(small):
    assert set(small.record["sha256"]) == {"best.npz"}
    assert (small.path / "best.npz").stat().st_size <= 5e6


def test_it_draws_people_whom_it_has_not_seen(small, last_eight):
    """Better than ridge regression that was fitted on the same people of ORL."""
    outputs = evaluation.predict(small.model(), last_eight.test)
    ridge = evaluation.baselines(last_eight)["ridge regression"]
    error, level = (
        evaluation.squared_error(each, last_eight.test).mean() for each in (outputs, ridge)
    )
    assert error < level and np.isfinite(outputs).all()


def test_the_network_to_begin_with_has_seen_no_photograph_and_no_head_of_the_benchmark():
    run = runs.recorded(recording.PRETRAINED)
    assert run.config == model.named(recording.PRETRAINED_ARCHITECTURE)
    assert run.recipe == augmentation.HEADS and run.settings["dataset"] == "heads-medium"
    assert ablation.HEADS_SEED != 0  # the benchmark's
    assert set(run.record["sha256"]) == {"best.npz"}
    assert (run.path / "best.npz").stat().st_size <= 1.6e6


def test_its_drawings_differ_as_people_do(last_eight):
    """Before any photograph, it is no mean face: it draws dark people darker."""
    network = runs.recorded(recording.PRETRAINED).model()
    inputs, targets = last_eight.test.batch()
    drawn = model.forward(network, inputs)
    brightness = [each.mean(axis=(1, 2, 3)) for each in (drawn, targets)]
    assert np.corrcoef(*brightness)[0, 1] > 0.3


def test_what_is_kept_with_weights_is_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECULO_HOME", str(tmp_path))
    monkeypatch.setattr(runs, "RECORDED", tmp_path / "recorded")
    monkeypatch.setattr(recording, "PRETRAINED_ARCHITECTURE", "v8-mended-64th")
    kept = recording.pretrained(heads=6, epochs=1, batch_size=16)
    assert kept.name == recording.PRETRAINED and kept.model().name == "Speculo-v8-mended-64th"
    whole = files.read_arrays(runs.at(kept.name).path / "best.npz")
    for name, half in files.read_arrays(kept.path / "best.npz").items():
        assert half.dtype == (np.float16 if name.startswith("weights/") else whole[name].dtype)
        assert half == pytest.approx(whole[name], rel=1e-3, abs=1e-6)
    (kept.path / "best.npz").write_bytes(b"")
    with pytest.raises(ValueError, match="SHA-256"):
        kept.model()


def test_each_photo_of_orl_counts_several_times():
    split = recording.people(20)
    real = np.isin(split.train.faces.names, ablation.CHOICE)[split.train.faces.person]
    counts = np.bincount(split.train.input, minlength=len(real))
    assert (counts[real] == recording.TIMES).all()
    assert len(split.test.people) == 2 and not set(split.test.people) & set(split.train.people)
    assert isinstance(split, pairs.Split)


def test_halves_draw_the_same_picture():
    """What float16 does to the weights moves no pixel by a grey level."""
    network = model.build(recording.CONFIG, seed=0)
    inputs = np.random.default_rng(0).random((4, 32, 32, 1), dtype=np.float32)
    exact = network.predict_on_batch(inputs)
    for weight in network.weights:
        weight.assign(np.asarray(weight).astype(np.float16).astype(np.float32))
    assert np.abs(network.predict_on_batch(inputs) - exact).max() < 1 / 255


def test_what_is_kept_of_a_run_is_all_but_its_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECULO_HOME", str(tmp_path))
    monkeypatch.setattr(runs, "RECORDED", tmp_path / "recorded")
    kept = recording.heads("v8-mended-64th", heads=6, epochs=1, batch_size=16)
    found = {str(path.relative_to(kept.path)) for path in kept.path.rglob("*") if path.is_file()}
    pictures = {f"img/{name}.png" for name in ("dataset", "model", "loss", "predictions")}
    assert found == {
        "run.json",
        "history.csv",
        "README.md",
        "snapshots/epoch-0001.png",
    } | {*pictures}
    card = (kept.path / "README.md").read_text(encoding="utf-8")
    assert "recording heads --architecture v8-mended-64th" in card


@pytest.mark.parametrize("name", ["v8-4th-heads-medium", "v8-mended-4th-heads-medium"])
def test_the_recorded_runs_are_those_that_the_chapter_names(name):
    run = runs.recorded(name)
    assert run.config == model.named(name.removesuffix("-heads-medium"))
    assert len({*run.record["settings"]["train_people"]}) == 1600 and run.epochs >= 8
    assert not list(run.path.glob("*.npz"))
