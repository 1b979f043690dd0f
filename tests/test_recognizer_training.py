"""Teaching the fingerprint model to tell people apart."""

from dataclasses import replace

import numpy as np
import pytest
from test_recognizer import SMALL

from speculo import files, model, recognizer, recognizer_training
from speculo.backend import keras
from speculo.faces import select
from speculo.recognizer_training import Lesson, teach

LESSON = Lesson(epochs=2, batch_size=16, easy=1)


@pytest.fixture
def people(orl):
    return select(orl, orl.names[:6])


def numbers(network):
    return [keras.ops.convert_to_numpy(weight) for weight in network.weights]


def test_the_loss_is_that_of_its_formula():
    cosines = np.array([[0.5, 0.2, -0.1]], dtype=np.float32)
    found = recognizer_training.cosine_softmax(24.0)(np.float32([[1, 0.15]]), cosines)
    logits = 24.0 * np.array([0.5, 0.05, -0.1])
    expected = np.log(np.exp(logits).sum()) - logits[1]
    assert keras.ops.convert_to_numpy(found)[0] == pytest.approx(expected, rel=1e-4)


def test_a_stopped_training_goes_on_as_if_it_had_not_been(people, tmp_path):
    def stop(epoch):
        raise KeyboardInterrupt

    whole, parts = (model.build(SMALL, seed=0) for _ in range(2))
    log = teach(whole, LESSON, people, tmp_path / "whole.npz")
    with pytest.raises(KeyboardInterrupt):
        teach(parts, LESSON, people, tmp_path / "parts.npz", on_epoch=stop)
    parts = model.build(SMALL, seed=9)
    again = teach(parts, LESSON, people, tmp_path / "parts.npz")
    assert log["epoch"].tolist() == [1, 2] and log["loss"].equals(again["loss"])
    encoders = (numbers(recognizer.encoder(each)) for each in (whole, parts))
    for one, other in zip(*encoders, strict=True):
        assert np.array_equal(one, other)
    assert len(parts.trainable_weights) == 4, "the decoder: two dense layers of kernel and bias"


def test_the_state_of_another_training_is_refused(people, tmp_path):
    files.write_arrays(tmp_path / "state.npz", {"log": np.zeros((1, 2)), "other": np.zeros(3)})
    with pytest.raises(ValueError, match="of another training"):
        teach(model.build(SMALL), LESSON, people, tmp_path / "state.npz")


def test_it_tells_its_people_apart(people, tmp_path):
    lesson = replace(LESSON, epochs=30, rate=1e-2, changes=LESSON.changes.softened(0.2))
    network = model.build(SMALL, seed=0)
    teach(network, lesson, people, tmp_path / "state.npz")
    found = recognizer.encode(recognizer.encoder(network), people.images)
    same = people.person[:, None] == people.person
    scores = found @ found.T
    assert scores[same].mean() > scores[~same].mean() + 0.4


def test_settled_a_person_varies_in_all_directions_alike(people, monkeypatch):
    monkeypatch.setattr(recognizer_training, "RIDGE", 0.0)
    network = model.build(SMALL, seed=0)
    plain = recognizer.encode(recognizer.encoder(network), people.images)
    recognizer_training.settle(network, people, people)
    kernel, bias = (np.asarray(each) for each in network.get_layer("fingerprint").weights)
    inner = plain - np.stack([plain[people.person == each].mean(axis=0) for each in people.person])
    covariance = (inner @ kernel).T @ (inner @ kernel)
    assert np.allclose(covariance / covariance[0, 0], np.eye(8), atol=1e-3)
    assert np.allclose(bias, -recognizer_training.CENTRE * plain.mean(axis=0) @ kernel, atol=1e-4)


def test_drawn_people_have_each_front_once(monkeypatch):
    monkeypatch.setattr(recognizer_training, "PHOTOS", 5)
    monkeypatch.setattr(recognizer_training, "SIZE", 32)
    drawn = recognizer_training.drawn_people(3)
    assert len(drawn) == 3 * 5 and (np.bincount(drawn.person) == 5).all()
    assert (drawn.front == np.arange(len(drawn))).sum() == 3
    assert len({image.tobytes() for image in drawn.images}) == len(drawn)
