"""The trainings that come with the book, and the weights of two of them."""

import numpy as np
import pytest
from test_recognizer import SMALL

import speculo
from speculo import (
    ablation,
    augmentation,
    evaluation,
    files,
    fingerprints,
    model,
    pairs,
    recognition,
    recognizer,
    recognizer_training,
    recording,
    runs,
)
from speculo.recognizer_training import Lesson
from speculo.sources import heads

WITH_WEIGHTS = [fingerprints.SHIPPED, recording.PRETRAINED]


def test_all_shipped_weights_together_are_small_and_checked():
    found = {path.parent.name: path.stat().st_size for path in runs.RECORDED.rglob("*.npz")}
    assert sorted(found) == sorted(WITH_WEIGHTS) and sum(found.values()) <= 5e6
    for name in WITH_WEIGHTS:
        assert set(runs.recorded(name).record["sha256"]) == {"best.npz"}


def test_whom_it_learned_from_is_nobody_of_the_judged(orl):
    assert set(recognizer_training.REAL) == set(orl.names[:20])
    run = runs.recorded(fingerprints.SHIPPED)
    assert run.trained_on("orl") == set(recognizer_training.REAL)
    assert set(run.unseen(orl).test.people) == set(orl.names[20:])
    assert not run.trained_on("heads-medium") & {heads.person_name(n) for n in range(9999)}


def test_the_shipped_fingerprints_tell_unseen_people_apart(orl):
    """Far better than pixels do, on people of flesh whom it has never seen."""
    unseen = np.flatnonzero(~np.isin(np.array(orl.names)[orl.person], recognizer_training.REAL))
    prints = fingerprints.shipped()(orl.images[unseen])
    assert prints.shape == (200, 128) and prints.dtype == np.float32
    assert np.allclose(np.linalg.norm(prints, axis=1), 1, atol=1e-5)
    found = recognition.measures(prints, orl.person[unseen])
    pixels = recognition.measures(orl.images[unseen].reshape(200, -1) / 255.0, orl.person[unseen])
    assert found["eer"] < 0.6 * pixels["eer"] and found["rank_1"] > pixels["rank_1"] + 0.1
    assert found["tmr_at_fmr_1"] > pixels["tmr_at_fmr_1"] + 0.15


@pytest.mark.parametrize("size", [16, 50, 92])
def test_shipped_fingerprints_of_other_sizes_are_near(orl, size):
    """A picture that is scaled is the same person's."""
    some = orl.images[::20]
    scaled = np.rint(recognizer.resized(some, size) * 255).astype(np.uint8)
    near = (fingerprints.shipped()(scaled) * fingerprints.shipped()(some)).sum(axis=1)
    assert np.median(near) > (0.8 if size >= 32 else 0.5)


def test_it_draws_heads_whom_it_has_not_seen_better_than_ridge_regression():
    split = pairs.split(speculo.load("heads-medium", people=40, photos=6))
    drawn = evaluation.predict(runs.recorded(fingerprints.SHIPPED).model(), split.test)
    errors = {"drawn": drawn, **evaluation.baselines(split)}
    mean = {
        name: evaluation.squared_error(each, split.test).mean() for name, each in errors.items()
    }
    assert mean["drawn"] == min(mean.values()) and np.isfinite(drawn).all()


def test_a_small_teaching_is_kept_with_its_log(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECULO_HOME", str(tmp_path))
    monkeypatch.setattr(runs, "RECORDED", tmp_path / "recorded")
    monkeypatch.setattr(recording, "Recognizer", lambda: SMALL)
    monkeypatch.setattr(recognizer_training, "LESSON", Lesson(epochs=2))
    monkeypatch.setattr(recognizer_training, "SIZE", 32)
    monkeypatch.setattr(recording, "SETTLERS", 30)
    kept = recording.fingerprint(heads=30, epochs=1, batch_size=10)
    assert (kept.path / "teaching.csv").read_text().count("\n") == 3
    assert kept.record["settings"]["start"]["run"] == "fingerprint-taught"
    taught = runs.Run(files.home() / "build" / "fingerprint-taught").model()
    one, other = (model.forward(recognizer.encoder(each), np.zeros((1, 32, 32, 1), np.float32)) for each in (taught, kept.model()))  # fmt: skip
    assert np.allclose(one, other, atol=0.05), "drawing has not changed the fingerprint"
    assert kept.config == SMALL


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
    kept = recording.pretrained(heads=6, epochs=1, batch_size=10)
    assert kept.name == recording.PRETRAINED and kept.model().name == "Speculo-v8-mended-64th"
    whole = files.read_arrays(runs.at(kept.name).path / "best.npz")
    for name, half in files.read_arrays(kept.path / "best.npz").items():
        assert half.dtype == (np.float16 if name.startswith("weights/") else whole[name].dtype)
        assert half == pytest.approx(whole[name], rel=1e-3, abs=1e-6)
    (kept.path / "best.npz").write_bytes(b"")
    with pytest.raises(ValueError, match="SHA-256"):
        kept.model()


def test_halves_draw_the_same_picture():
    """What float16 does to the weights moves no pixel by a grey level."""
    network = model.build(model.named("v8-mended-8th"), seed=0)
    inputs = np.random.default_rng(0).random((4, 32, 32, 1), dtype=np.float32)
    exact = network.predict_on_batch(inputs)
    for weight in network.weights:
        weight.assign(np.asarray(weight).astype(np.float16).astype(np.float32))
    assert np.abs(network.predict_on_batch(inputs) - exact).max() < 1 / 255


def test_what_is_kept_of_a_run_is_all_but_its_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECULO_HOME", str(tmp_path))
    monkeypatch.setattr(runs, "RECORDED", tmp_path / "recorded")
    kept = recording.heads("v8-mended-64th", heads=6, epochs=1, batch_size=10)
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
