"""A run whose files are damaged, lost, or wanted by two at once: named, and nothing is lost."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from conftest import BATCH

from speculo import augmentation, card, files, history, model, runs, training


def train(config, split, name="a", **options):
    options = {"epochs": 3, "batch_size": BATCH, "precision": "float32", **options}
    return training.train(config, split, runs.at(name), **options)


def state(run):
    return files.read_arrays(run.path / "last.npz")


def log_of(run):
    return run.history[["epoch", "loss", "val_loss"]].values.tolist()


DAMAGES = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[: len(data) * 2 // 3],
    "overwritten": lambda data: np.random.default_rng(0).bytes(len(data)),
    "a row missing": lambda data: b"\n".join(data.split(b"\n")[::2]),
    "a number unreadable": lambda data: data.replace(b".", b"x", 3),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_log_is_named_and_the_training_goes_on_to_the_same_weights(
    run, whole, few, damage
):
    file = run.path / "history.csv"
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    with pytest.warns(UserWarning, match=r"history\.csv is damaged"):
        assert run.epochs == 2 and "2 epochs" in run.title
    with pytest.warns(UserWarning, match=r"history\.csv is damaged"):
        train(whole.config, few)
    assert log_of(run) == log_of(whole)
    one, other = state(run), state(whole)
    assert one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def test_two_damaged_logs_are_an_error_and_nothing_is_written_over(run, few):
    for name in history.NAMES:
        (run.path / name).write_bytes(b"")
    before = (run.path / "last.npz").read_bytes()
    with pytest.raises(ValueError, match=r"history\.csv is damaged .*history\.previous\.csv"):
        train(run.config, few)
    assert (run.path / "last.npz").read_bytes() == before


def test_a_log_without_weights_is_not_thrown_away(run, few):
    for name in ("last.npz", "previous.npz"):
        (run.path / name).write_bytes(b"damaged")
    with warnings.catch_warnings(), pytest.raises(ValueError, match="the log has 3 epochs"):
        warnings.simplefilter("ignore")
        train(run.config, few, epochs=4)
    assert run.epochs == 3


def test_truncated_weights_are_named_and_cost_one_epoch(run, whole, few):
    file = run.path / "last.npz"
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.warns(UserWarning, match=r"last\.npz is damaged"):
        train(whole.config, few, epochs=4)
    assert run.epochs == 4 and log_of(run)[:3] == log_of(whole)
    third = files.read_arrays(run.path / "previous.npz")  # trained again, from the second epoch on
    other = state(whole)
    assert third.keys() == other.keys() and all(np.array_equal(third[k], other[k]) for k in third)


WRONG = {
    "no config": lambda record: record.pop("config"),
    "config without filters": lambda record: record["config"].pop("filters"),
    "filters are text": lambda record: record["config"].update(filters="many"),
    "a dropout of 2": lambda record: record["config"].update(dropout=2),
    "no settings": lambda record: record.pop("settings"),
    "settings is a list": lambda record: record.update(settings=[1]),
    "no dataset": lambda record: record["settings"].pop("dataset"),
    "people are a number": lambda record: record["settings"].update(train_people=7),
    "people are numbers": lambda record: record["settings"].update(test_people=[7]),
    "a recipe of text": lambda record: record.update(recipe="as always"),
    "no device": lambda record: record.pop("device"),
    "versions is null": lambda record: record.update(versions=None),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_record_with_a_wrong_field_is_an_error_that_names_the_file(run, few, wrong):
    record = run.record
    WRONG[wrong](record)
    (run.path / "run.json").write_text(json.dumps(record), encoding="utf-8")

    def all_that_reads_it():
        assert run.title and run.recipe
        run.require(few)
        card.write(run, [])

    with pytest.raises(ValueError, match=r"run\.json is damaged"):
        all_that_reads_it()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "[" * 100_000, "\x00"])
def test_a_record_that_is_no_record_is_named(run, text):
    (run.path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"run\.json is damaged"):
        _ = run.title


def test_a_record_asks_for_no_file_outside_its_folder(run):
    run.write_record(run.record | {"sha256": {"../../../etc/passwd": "0"}})
    with pytest.raises(ValueError, match=r"passwd has SHA-256") as caught:
        run.model()
    assert str(run.path) in str(caught.value)


HOLDS = textwrap.dedent(
    """
    import sys, time
    from speculo import runs
    run = runs.at("a")
    with run.locked():
        print("held", flush=True)
        time.sleep(60)
    """
)


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL on this system")
def test_a_run_is_trained_by_one_process_and_free_when_that_one_is_killed(run, few, home):
    environment = os.environ | {"SPECULO_HOME": str(home)}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    run.write_record(run.record | {"process": holder.pid})
    with pytest.raises(RuntimeError, match=f"already being trained by process {holder.pid}"):
        train(run.config, few, epochs=4)
    assert run.epochs == 3
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert train(run.config, few, epochs=4).epochs == 4


def test_a_refusal_says_in_one_line_each_what_differs(run, few):
    other = few._replace(train=few.train.take(few.train.person != few.train.person[0]))
    with pytest.raises(ValueError, match="other settings") as caught:
        train(run.config, other, recipe=augmentation.MENDED)
    lines = str(caught.value).splitlines()
    (people,) = [line for line in lines if "train_people" in line]
    assert "4 before, 3 now; only before" in people
    assert max(map(len, lines)) < 250 and len(lines) < 16


def test_default_names_differ_where_the_pairs_differ():
    names = [
        runs.default_name(model.V8, "orl", **options)
        for options in (
            {},
            {"people": 20},
            {"seed": 1},
            {"people": 20, "seed": 1},
            {"crop": "auto"},
        )
    ]
    assert names[0] == "v8-orl" and names[3] == "v8-orl-20-people-seed-1"
    assert len(set(names)) == len(names)
    assert runs.default_name(model.V8, "folder:Zoë & <b>") == "v8-folder-Zo-b"
