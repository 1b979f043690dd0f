"""One training on several devices: JAX with virtual devices of the CPU, each in processes of their own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, free_port

from speculo import device, sharing

jax_only = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed"
)


def start(home: Path, devices: int, *arguments: str, **environment: str) -> subprocess.Popen:
    """Train with so many virtual devices."""
    home.mkdir(exist_ok=True)
    mine = {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        # Compiled in a third of the time.
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0",
        "JAX_COMPILATION_CACHE_DIR": str(home.parent / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "SPECULO_HOME": str(home),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [sys.executable, ROOT / "tests" / "sharing_work.py", *arguments],
        env=os.environ | mine | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(process: subprocess.Popen) -> dict:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def together(homes: list[Path], *arguments: list[str]) -> list[subprocess.Popen]:
    """Start processes of one device each, that train together."""
    address = f"127.0.0.1:{free_port()}"
    names = ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")
    started = []
    for number, (home, mine) in enumerate(zip(homes, arguments, strict=True)):
        values = address, str(len(homes)), str(number)
        keras = {f"KERAS_DISTRIBUTION_{n}": v for n, v in zip(names, values, strict=True)}
        started.append(start(home, 1, *mine, **keras))
    return started


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> dict[str, dict]:
    """The same training on one device, on two, on two with a stop in between, and in two processes."""
    home = tmp_path_factory.mktemp("homes")
    one, two = start(home / "1", 1, "one-5", "2"), start(home / "2", 2, "one-5", "2")
    found = {"one": answer(one), "two": answer(two)}
    found["stopped"] = answer(start(home / "3", 2, "one-5", "1", "2"))
    processes = together([home / "4", home / "5"], ["one-5", "2"], ["one-5", "2"])
    found["first"], found["second"] = map(answer, processes)
    return found


@jax_only
def test_two_devices_train_as_one_does(trained):
    one, two = trained["one"], trained["two"]
    assert (one["devices"], two["devices"]) == (1, 2)
    for loss in ("loss", "val_loss"):
        assert np.allclose(one[loss], two[loss], rtol=1e-4)


@jax_only
def test_a_training_that_was_stopped_ends_with_the_same_weights(trained):
    assert trained["stopped"] == trained["two"]


@jax_only
def test_two_processes_train_together(trained):
    first, second = trained["first"], trained["second"]
    assert first["weights"] == second["weights"] and first["devices"] == 2
    assert np.allclose(first["loss"], trained["one"]["loss"], rtol=1e-4)
    assert np.allclose(first["val_loss"], trained["one"]["val_loss"], rtol=1e-4)


@jax_only
def test_a_run_records_its_devices(trained):
    assert trained["one"]["settings"] is None  # as in runs of before
    assert trained["two"]["settings"] == trained["first"]["settings"] == 2
    assert trained["two"]["device"]["processes"] == 1
    assert trained["first"]["device"]["processes"] == 2
    assert "shared by 2 devices" in trained["two"]["report"]


@jax_only
def test_processes_that_would_do_different_things_say_so(tmp_path):
    processes = together([tmp_path / "1", tmp_path / "2"], ["some-5", "1"], ["some-6", "1"])
    for each in processes:
        assert "are not about to do the same" in each.communicate(timeout=300)[1]
        assert each.returncode


@pytest.mark.filterwarnings("error")
def test_one_device_is_no_several():
    assert sharing.devices() == sharing.processes() == 1
    sharing.agree("anything")
    sharing.warn_of_batches(7)  # a warning would fail: they are errors here


def test_batches_that_no_devices_divide_are_warned_of(monkeypatch):
    monkeypatch.setattr(sharing, "devices", lambda: 3)
    with pytest.warns(UserWarning, match="Take a multiple of 3"):
        sharing.warn_of_batches(16)


def test_several_processes_without_jax_are_refused(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import speculo.backend"],
        env=os.environ | {"KERAS_DISTRIBUTION_NUM_PROCESSES": "2", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "only JAX trains in several processes" in done.stderr


def test_a_backend_that_trains_on_one_gpu_says_so(monkeypatch):
    found = device.Device("gpu", "a GPU", 4, True)
    monkeypatch.setattr(device, "find", lambda: found)
    assert "tensorflow trains on one of the 4 GPUs" in device.report()
