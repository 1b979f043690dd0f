"""What more photos cost is in proportion, and a pipeline is as fast as its slowest one."""

import importlib.util

import numpy as np
import pytest

from speculo import plots, runs, scale
from speculo.scale import Stage

LINE = [
    Stage("reading", 6000, 16_000, divides=False),
    Stage("preparing", 100, 1024),
    Stage("training", 500, 1024, 60, divides=False),
    Stage("indexing", 800, 256, 0.3),
]


def test_costs_are_in_proportion():
    found = scale.costs(LINE, {"one": 1000, "ten": 10_000}, epochs=5, workers=4, gpu=30_000)
    assert np.allclose(found.loc["ten"], 10 * found.loc["one"], equal_nan=True)
    one = found.loc["one"]
    assert one.loc["preparing", "here"] == pytest.approx(1000 / 100)
    assert one.loc["preparing", "workers"] == pytest.approx(1000 / 400)
    training = one.loc["training"]
    assert training["here"] == training["workers"] == pytest.approx(10)
    assert training["GFLOP"] == 5 * 1000 * 60
    assert training["GPU"] == pytest.approx(300_000 / 30_000)
    assert np.isnan(one.loc["reading", "GPU"])


def test_a_time_is_said_in_words():
    said = {
        0.002: "2.00 ms",
        0.25: "250 ms",
        59.96: "1.0 minutes",
        3.14: "3.1 seconds",
        200: "3.3 minutes",
        7e4: "19.4 hours",
    }
    said |= {2e5: "2.3 days", 1e9: "11,574 days", np.nan: ""}
    assert {seconds: scale.spoken(seconds) for seconds in said} == said


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_a_line_is_as_fast_as_its_slowest_stage(workers):
    found = scale.simulate(LINE, workers, pieces=2000, spread=0.01, room=8)
    slowest = min(each.rate * (workers if each.divides else 1) for each in LINE)
    assert found["rate"].iloc[0] == pytest.approx(slowest, rel=0.03)
    assert found["works"].max() == pytest.approx(1, abs=0.03)
    assert np.allclose(found[["works", "waits", "is held up"]].sum(axis=1), 1)
    assert (found[["works", "waits", "is held up"]] > -1e-9).all(axis=None)


def test_times_that_vary_cost_something_and_room_wins_it_back():
    even, odd, roomy = (
        scale.simulate(LINE, 5, spread=spread, room=room)["rate"].iloc[0]
        for spread, room in ((0.01, 1), (1.0, 1), (1.0, 20))
    )
    assert odd < roomy < even * 1.02
    again = scale.simulate(LINE, 5, spread=1.0, room=1)
    assert again.equals(scale.simulate(LINE, 5, spread=1.0, room=1))


def test_more_workers_never_slow_a_line():
    pipelines = {count: scale.simulate(LINE, count) for count in range(1, 9)}
    rates = [each["rate"].iloc[0] for each in pipelines.values()]
    assert (np.diff(rates) > -0.01 * rates[0]).all()
    assert len(plots.stalls(pipelines).axes) == 4
    assert len(plots.stalls({1: pipelines[1]}).axes) == 2


def test_stages_are_measured(finished):
    stages = scale.measured(finished[0], photos=20, side=96, disk=1e8)
    assert [each.name for each in stages] == [each.name for each in LINE]
    assert all(each.rate > 0 and each.size > 0 for each in stages)
    assert stages[0].rate * stages[0].size == pytest.approx(1e8)
    assert stages[2].gigaflop > 0 and not stages[2].divides
    reader = runs.recorded("fingerprint").model()
    assert 0 < stages[3].gigaflop < 2e-9 * reader.count_params() * 1024


def test_a_crowd_is_made_of_some_people():
    rng = np.random.default_rng(0)
    prints = rng.standard_normal((20, 8)).astype(np.float32)
    prints /= np.linalg.norm(prints, axis=1, keepdims=True)
    found = scale.crowd(prints, np.repeat(np.arange(5), 4), 1000)
    assert found.shape == (1000, 8) and found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert len(np.unique(found.round(5), axis=0)) > 200  # 20 photos, 15 differences
    with pytest.raises(ValueError, match="two photos of a person"):
        scale.crowd(prints, np.arange(20), 5)


def test_what_is_not_installed_is_said_in_a_line(capsys, monkeypatch):
    assert scale.have("numpy", "numpy") and not capsys.readouterr().out
    assert not scale.have("no_such_package", "it")
    assert "no_such_package is not installed" in capsys.readouterr().out
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match="pip install jax"):
        scale.on_devices(2)


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"spread": 0}, {"room": 0}, {"seed": -1}])
def test_a_wrong_value_of_a_simulation_is_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        scale.simulate(LINE, **{"workers": 1} | wrong)
