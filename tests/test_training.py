import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest
from conftest import BATCH

import speculo
from speculo import device, files, history, model, pairs, runs, snapshots, training
from speculo.pairs import Pairs, Split


def train(config, split, name="a", **options):
    options = {"epochs": 3, "batch_size": BATCH, "precision": "float32", **options}
    return training.train(config, split, runs.at(name), **options)


def same_state(one, other):
    first, second = (files.read_arrays(run.path / "last.npz") for run in (one, other))
    assert first.keys() == second.keys()
    return all(np.array_equal(first[name], second[name]) for name in first)


def losses(run):
    return run.history[["epoch", "loss", "val_loss"]].values.tolist()


def test_a_run_leaves_all_that_the_next_chapter_needs(tiny, few, capsys):
    calls = []
    run = train(tiny, few, on_epoch=lambda now: calls.append(now.epochs))
    assert calls == [1, 2, 3]
    assert list(run.history) == list(history.COLUMNS) and run.history["epoch"].tolist() == [1, 2, 3]
    assert run.config == tiny
    record = run.record
    assert record["status"] == "finished" and record["seconds"] > 0
    assert record["settings"]["test_people"] == list(few.test.people)
    assert record["settings"]["precision"] == "float32"
    assert {"python", "keras", "numpy"} < set(record["versions"])
    assert record["device"]["kind"] in ("cpu", "gpu")
    drawn = snapshots.read(run)
    assert list(drawn) == [1, 2, 3]
    assert drawn[1].shape == (snapshots.EXAMPLES, 32, 32) and drawn[1].dtype == np.uint8
    assert not list(run.path.rglob(".unfinished*")) and not (run.path / "next.npz").exists()
    printed = capsys.readouterr().out
    assert "in float32" in printed and printed.count("img/s") == 3


def test_the_best_weights_are_those_of_the_lowest_validation_loss(tiny, few):
    run = train(tiny, few, epochs=4, batch_size=5)
    best = files.read_arrays(run.path / "best.npz")
    assert int(best["epoch"]) == run.best_epoch
    inputs, targets = few.test.batch()
    error = np.square(run.model().predict_on_batch(inputs) - targets).mean()
    assert error == pytest.approx(run.history["val_loss"].min(), rel=1e-4)


def test_losses_are_means_over_all_pairs_and_not_of_the_last_batch(tiny, few, monkeypatch):
    steps = []
    monkeypatch.setattr(
        model.keras.Model, "train_on_batch", lambda self, x, y: steps.append(len(x)) or len(steps)
    )
    run = train(tiny, few, epochs=1, batch_size=16)
    assert steps == [16, 16, 8]
    assert run.history["loss"].item() == pytest.approx((16 * 1 + 16 * 2 + 8 * 3) / 40)


def test_stopped_and_continued_equals_never_stopped(tiny, few):
    """With a last batch that is smaller than the others."""
    whole = train(tiny, few, "whole", epochs=4, batch_size=16)
    for epochs in (1, 2, 4):
        parts = train(tiny, few, "parts", epochs=epochs, batch_size=16)
    assert same_state(whole, parts) and losses(whole) == losses(parts)


def test_seeds_and_epochs_differ(tiny, few, whole):
    assert losses(whole) != losses(train(tiny, few, "other", seed=1))
    assert whole.history["loss"].is_unique


KILLED = textwrap.dedent(
    """
    import os, signal, sys
    import speculo
    from speculo import files, pairs, runs, training
    from speculo.model import Config

    name, batch_size = sys.argv[1], int(sys.argv[2])
    config = Config("Speculo-tiny", "adam", 0.001, "mse", (32, 32, 1), (16, 8, 8), 32)
    split = pairs.split(speculo.load("orl", people=5))

    def killing(function):
        def counted(*args, **options):
            global count
            count -= 1
            if count == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **options)
        return counted

    def train():
        if where == "step":
            pairs.Pairs.batch = killing(pairs.Pairs.batch)
        elif where == "file":
            os.replace = killing(os.replace)
        elif where == "state":
            files.move = killing(files.move)
        training.train(
            config, split, runs.at(name), epochs=4, batch_size=batch_size, precision="float32"
        )

    # A fork for each training: TensorFlow is imported once, and begins to work in the fork alone.
    for line in sys.stdin:
        where, count = line.split()[0], int(line.split()[1])
        child = os.fork()
        if not child:
            train()
            sys.stdout.flush()
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        print("ended", os.waitstatus_to_exitcode(status), flush=True)
    """
)


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL on this system")
def test_killed_again_and_again_ends_with_the_same_weights(tiny, few, home):
    """Killed by SIGKILL in mid-epoch, while files are put in place, and between two of them."""
    trainer = subprocess.Popen(
        [sys.executable, "-c", KILLED, "killed", str(BATCH)],
        env=os.environ | {"SPECULO_HOME": str(home)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip

    def run_until(where, count):
        trainer.stdin.write(f"{where} {count}\n")
        trainer.stdin.flush()
        said = ""
        for line in trainer.stdout:
            if line.startswith("ended "):
                return int(line.split()[1]), said
            said += line
        pytest.fail(said)

    killed = runs.at("killed")
    # An epoch makes 4 steps, 1 test batch and 1 snapshot: 6 batches.
    for where, count, epochs in (("step", 9, 1), ("file", 7, 1), ("state", 3, 2), ("file", 14, 3)):
        code, said = run_until(where, count)
        assert code == -9, said
        assert killed.epochs >= epochs, (where, count)
        assert killed.record["status"] == "training"
    code, said = run_until("nowhere", 0)
    assert code == 0 and "goes on after epoch" in said, said
    trainer.communicate(timeout=60)
    whole = train(tiny, few, "whole", epochs=4)
    assert same_state(whole, killed) and losses(whole) == losses(killed)
    assert whole.best_epoch == killed.best_epoch
    for epoch, drawn in snapshots.read(whole).items():
        assert np.array_equal(drawn, snapshots.read(killed)[epoch])


def test_a_finished_run_is_left_alone(run, tiny, few, capsys):
    before = (run.path / "last.npz").stat().st_mtime_ns
    for epochs in (3, 2):
        train(tiny, few, epochs=epochs)
        assert "nothing to train" in capsys.readouterr().out
    assert (run.path / "last.npz").stat().st_mtime_ns == before and run.epochs == 3


def test_an_interrupt_keeps_the_full_epochs(tiny, few, capsys, monkeypatch):
    batch, calls = Pairs.batch, []

    def interrupting(self, *args):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return batch(self, *args)

    monkeypatch.setattr(Pairs, "batch", interrupting)
    run = train(tiny, few)
    assert run.epochs == 1 and run.record["status"] == "interrupted"
    assert "1 of 3 epochs are kept; run this again" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"learning_rate": 0.01}, "learning_rate: 0.001 before, 0.01 now"),
        ({"filters": (8, 8, 8, 8, 8)}, "filters"),
        ({"loss": "binary_crossentropy"}, "loss: 'mse' before"),
    ],
)
def test_a_run_of_another_config_refuses_and_says_what_differs(run, tiny, few, change, key):
    with pytest.raises(ValueError, match=key):
        train(replace(tiny, **change), few)


@pytest.mark.parametrize(
    "options", [{"seed": 1}, {"batch_size": 8}, {"precision": "mixed_bfloat16"}]
)
def test_a_run_with_other_settings_refuses(run, tiny, few, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}.*(.|\n)*another name"):
        train(tiny, few, **options)


def test_a_run_on_other_people_refuses(run, tiny, few, orl):
    with pytest.raises(ValueError, match="test_people"):
        train(tiny, Split(few.train, pairs.split(orl).test))


def test_a_run_goes_on_in_its_own_precision(tiny, few):
    train(tiny, few, epochs=1, precision="mixed_bfloat16")
    run = train(tiny, few, epochs=2, precision=None)
    assert run.record["settings"]["precision"] == "mixed_bfloat16" and run.epochs == 2


def test_one_wrong_byte_in_the_best_weights_is_noticed(run, few):
    best = run.path / "best.npz"
    data = bytearray(best.read_bytes())
    data[len(data) // 2] ^= 1
    best.write_bytes(data)
    with pytest.warns(UserWarning, match="best.npz is damaged"):
        network = run.model()
    assert np.isfinite(network.predict_on_batch(few.test.batch()[0])).all()


def test_a_full_disk_keeps_the_last_full_epoch(tiny, few, whole, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    run = runs.at("a")
    with (
        monkeypatch.context() as patch,
        pytest.raises(OSError, match="The disk is full: .*npz was not written"),
    ):
        train(tiny, few, on_epoch=lambda _: patch.setattr(np.lib.format, "write_array", full))
    assert run.epochs == 1 and not list(run.path.rglob(".unfinished*"))
    assert same_state(train(tiny, few), whole)


@pytest.mark.parametrize("value", [0, -1, 1.5, True])
@pytest.mark.parametrize("name", ["epochs", "batch_size"])
def test_a_number_below_one_is_refused(tiny, few, name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}, expected a whole number from 1 up"):
        train(tiny, few, **{name: value})


def test_pictures_of_another_size_are_refused(few):
    config = replace(model.V8, input_shape=(64, 64, 1))
    with pytest.raises(ValueError, match="32 x 32, but Speculo-v8 takes 64 x 64"):
        train(config, few)


def test_an_unknown_precision_lists_the_known_ones(tiny, few):
    with pytest.raises(ValueError, match="'half', expected one of float32"):
        train(tiny, few, precision="half")


def test_the_device_report_is_one_line_and_an_advice():
    report = device.report()
    assert report.startswith(("CPU: ", "GPU: ")) and "Keras" in report
    if device.find().kind == "cpu":
        assert report.count("\n") == 1 and "No GPU found" in report


def test_v8_at_full_width_is_the_same_to_the_bit_when_it_was_stopped():
    """A small network hid that the CPU may add up large gradients in any order."""
    split = pairs.split(speculo.load("orl", people=3))
    parts = runs.at("parts")

    def keep(run):  # as a kill would leave it behind the first epoch
        if run.epochs == 1:
            shutil.copytree(run.path, parts.path, ignore=shutil.ignore_patterns(".lock"))

    whole = train(model.V8, split, "whole", epochs=2, precision=None, on_epoch=keep)
    assert parts.epochs == 1
    train(model.V8, split, "parts", epochs=2, precision=None)
    assert same_state(whole, parts) and losses(whole) == losses(parts)
