"""The trainings that come with the book, and the weights of one of them."""

import numpy as np
import pytest

from speculo import ablation, evaluation, pairs, recording, runs


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


def test_each_photo_of_orl_counts_several_times():
    split = recording.people(20)
    real = np.isin(split.train.faces.names, ablation.CHOICE)[split.train.faces.person]
    counts = np.bincount(split.train.input, minlength=len(real))
    assert (counts[real] == recording.TIMES).all()
    assert len(split.test.people) == 2 and not set(split.test.people) & set(split.train.people)
    assert isinstance(split, pairs.Split)
