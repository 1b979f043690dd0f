"""Work on a Dask cluster: a real scheduler and two workers, each a process of its own."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time

import cluster_work
import joblib
import numpy as np
import pytest
import trees
from conftest import ROOT, free_port

import speculo
from speculo import ablation, cluster, diagnosis
from speculo.augmentation import PUBLISHED

distributed = pytest.importorskip("distributed", reason="the extra cluster is not installed")

NICE = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))}


def start(command: str, *options: str, **environment: str) -> subprocess.Popen:
    """Start a scheduler or a worker."""
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{command}", *options, "--no-dashboard"],
        env=os.environ | NICE | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def worker(address: str, **environment: str) -> subprocess.Popen:
    return start("worker", address, "--nthreads", "2", "--no-nanny", **environment)


def free_address() -> str:
    return f"tcp://127.0.0.1:{free_port()}"


def scheduler(address: str) -> subprocess.Popen:
    return start("scheduler", "--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1])


@pytest.fixture(scope="module")
def workers() -> dict[int, subprocess.Popen]:
    """The workers of the tests, by process; a test that kills one starts another."""
    return {}


@pytest.fixture(scope="module")
def running(workers):
    """Address of a scheduler with two workers."""
    address = free_address()
    processes = [scheduler(address)]
    for _ in range(2):
        one = worker(address)
        workers[one.pid] = one
    yield address
    if cluster.client.cache_info().currsize:
        cluster.client(address).close()
        cluster.client.cache_clear()
    for each in [*workers.values(), *processes]:
        each.kill()
        each.wait()


@pytest.fixture
def on_cluster(running, workers, monkeypatch) -> str:
    """Let the work of a test go to two workers."""
    monkeypatch.setenv(cluster.VARIABLE, running)
    for pid in [pid for pid, one in workers.items() if one.poll() is not None]:
        del workers[pid]
        one = worker(running)
        workers[one.pid] = one
    cluster.client(running).wait_for_workers(2, timeout=60)
    return running


@pytest.fixture
def homes(tmp_path, monkeypatch):
    """Begin in a new home at each call, with an empty cache."""
    numbers = itertools.count()

    def begin():
        home = tmp_path / f"home-{next(numbers)}"
        home.mkdir()
        monkeypatch.setenv("SPECULO_HOME", str(home))
        return home

    return begin


def written(home) -> dict[str, bytes]:
    """What `do_all` has written into a home."""
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for pattern in ("build/cache/heads-wild*/*.npy", "build/cache/folder*/*.npy", "*.csv")
        for path in sorted(home.glob(pattern))
    }


def do_all(home, few, tiny, folder) -> np.ndarray:
    """What goes to a cluster: heads, photos, trials, trainings from several seeds."""
    speculo.load("heads-wild", people=20, photos=3)
    speculo.load(f"folder:{folder}")
    variants = {("none", "a"): ablation.Variant(tiny, PUBLISHED)}
    variants["added", "b"] = ablation.Variant(tiny, PUBLISHED, heads=4)
    table = home / "trials.csv"
    ablation.record(table, variants, {"x": few}, divisor=1, epochs=1, seed=0, folder=None)
    return diagnosis.trained(tiny, few, seeds=[0, 1], epochs=1)


def test_a_cluster_writes_the_same_bytes_as_one_machine(
    homes, few, tiny, tmp_path, monkeypatch, request
):
    monkeypatch.setattr(ablation, "HEADS_EPOCHS", 1)
    for number in range(40):
        place = tmp_path / "photos" / f"person {number // 10}" / f"{number}.png"
        trees.save(few.train.faces.images[number % 40], place)
    (tmp_path / "photos" / "person 1" / "empty.png").touch()
    here = homes()
    drawn_here = do_all(here, few, tiny, tmp_path / "photos")
    request.getfixturevalue("on_cluster")
    there = homes()
    drawn_there = do_all(there, few, tiny, tmp_path / "photos")
    assert written(here) == written(there) and len(written(here)) == 19
    assert np.array_equal(drawn_here, drawn_there)


def test_a_killed_worker_costs_its_pieces_only(on_cluster, workers, tmp_path):
    pieces = [(number, str(tmp_path)) for number in range(40)]
    results = cluster.each(cluster_work.noted, pieces)
    found = [next(results) for _ in range(6)]
    victim = next(iter(workers.values()))
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    found += results
    assert found == [number * number for number in range(40)]
    done = [path.name.split("-") for path in tmp_path.iterdir()]
    assert {int(number) for number, *_ in done} == set(range(40))
    assert any(int(pid) == victim.pid for _, pid, _ in done)
    # It had two in hand, and held some results that were not yet asked for.
    assert len(done) <= 40 + 12


def test_a_block_of_joblib_takes_the_work_to_a_cluster(on_cluster, tmp_path, monkeypatch):
    monkeypatch.delenv(cluster.VARIABLE)
    pieces = [(number, str(tmp_path)) for number in range(4)]
    with (
        distributed.Client(on_cluster, set_as_default=False) as client,
        joblib.parallel_config(backend="dask", client=client),
    ):
        assert list(cluster.each(cluster_work.noted, pieces)) == [0, 1, 4, 9]
    assert all(int(path.name.split("-")[1]) != os.getpid() for path in tmp_path.iterdir())


@pytest.mark.parametrize("here", cluster.HOW)
def test_here_the_results_come_in_order(here, tmp_path):
    pieces = [(number, str(tmp_path)) for number in range(5)]
    assert list(cluster.each(cluster_work.noted, pieces, here)) == [0, 1, 4, 9, 16]
    assert list(cluster.each(cluster_work.noted, [], here)) == []


def test_what_a_piece_raises_is_raised_here(on_cluster):
    with pytest.raises(ValueError, match="piece 7 is wrong"):
        list(cluster.each(cluster_work.wrong, [(7,)]))


def test_a_piece_that_ends_every_worker_is_given_up(running, workers, monkeypatch):
    monkeypatch.setenv(cluster.VARIABLE, running)
    more = [worker(running) for _ in range(3)]
    cluster.client(running).wait_for_workers(4, timeout=60)
    with pytest.raises(distributed.KilledWorker, match="all those workers died"):
        list(cluster.each(cluster_work.deadly, [(number,) for number in range(4)]))
    for each in more:
        each.kill()
        each.wait()


def test_a_cluster_that_cannot_work_is_named(monkeypatch, capsys):
    address = free_address()
    monkeypatch.setenv(cluster.VARIABLE, address)
    monkeypatch.setattr(cluster, "PATIENCE", 2)
    with pytest.raises(ConnectionError, match="no Dask scheduler answers"):
        list(cluster.each(cluster_work.deadly, [(0,)]))
    processes = [scheduler(address)]
    try:
        monkeypatch.setattr(cluster, "PATIENCE", 5)
        with pytest.raises(ConnectionError, match="has no worker"):
            list(cluster.each(cluster_work.deadly, [(0,)]))
        monkeypatch.setattr(cluster, "PATIENCE", 30)
        processes.append(worker(address, KERAS_BACKEND="jax"))
        with pytest.raises(RuntimeError, match="KERAS_BACKEND jax there, tensorflow here"):
            list(cluster.each(cluster_work.deadly, [(0,)]))
        processes.pop().kill()
        processes.append(worker(address))
        # One worker is a cluster, too. When it is lost, the work waits for another, and says so.
        results = cluster.each(time.sleep, [(0.5,)] * 20)
        monkeypatch.setattr(cluster, "PATIENCE", 1)
        next(results)
        processes.pop().kill()
        threading.Timer(4, lambda: processes.append(worker(address))).start()
        for _ in range(6):  # some were done before
            next(results)
        assert f"start one: dask worker {address}" in capsys.readouterr().out
        processes[0].kill()
        with pytest.raises(ConnectionError, match="was lost in the middle"):
            list(results)
    finally:
        for each in processes:
            each.kill()
            each.wait()
        cluster.client.cache_clear()


@pytest.mark.parametrize("wrong", ["tcp://127.0.0.1", "here:87b6", "10.0.0.5 8786"])
def test_a_misspelt_address_is_refused(wrong, monkeypatch):
    monkeypatch.setenv(cluster.VARIABLE, wrong)
    with pytest.raises(ValueError, match="such as tcp://"):
        list(cluster.each(cluster_work.deadly, [(0,)]))
    with cluster.none():
        assert list(cluster.each(cluster_work.deadly, [(0,)])) == [0]
    assert os.environ[cluster.VARIABLE] == wrong


@pytest.mark.parametrize("here", cluster.HOW)
def test_pieces_within_pieces_wait_for_nobody(here, on_cluster, tmp_path):
    """All threads of all workers could hold a piece that waits for its own."""
    pieces = [(number, str(tmp_path)) for number in range(6)]
    expected = [[(number + each) ** 2 for each in range(3)] for number in range(6)]
    assert list(cluster.each(cluster_work.nested, pieces, here)) == expected
    with cluster.none():
        assert list(cluster.each(cluster_work.nested, pieces[:2], here)) == expected[:2]


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setenv(cluster.VARIABLE, "tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ModuleNotFoundError, match=r"\[cluster\]"):
        list(cluster.each(cluster_work.deadly, [(0,)]))
