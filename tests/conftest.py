"""What the tests share: a home of their own, the ORL faces, and a model small enough to train."""

import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import speculo
from speculo import evaluation, files, model, pairs, runs, training
from speculo.backend import keras
from speculo.faces import FaceSet
from speculo.model import V8, Config
from speculo.pairs import Pairs, Split
from speculo.runs import Run
from speculo.sources import heads

ROOT = Path(__file__).resolve().parent.parent

SCREENSHOTS = ROOT / "build" / "screenshots"
"""Where the tests in a browser keep what they saw."""

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
"""The browser of this machine, if it has one."""

BATCH = 10
"""Divides the 40 and the 10 pairs of `few`: a network is compiled anew for a last batch that is smaller."""

LONG = (
    "test_chapters_elsewhere.py",
    "test_chapters.py",
    "test_browser.py",
    "test_training.py",
    "test_faults_book.py",
    "test_mending.py",
    "test_faults_files.py",
    "test_plots.py",
)


def pytest_xdist_setupnodes(config: pytest.Config, specs: list) -> None:
    """Two processes share two cores: NumPy of one is not to wait in circles for a core that the other has."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: two run at a time, and none should be left alone at the end."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONG)))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """Runs and builds of a test go to a folder of its own."""
    monkeypatch.setenv("SPECULO_HOME", str(tmp_path))
    return files.home()


@pytest.fixture(autouse=True)
def fewer_moved_pairs(monkeypatch) -> None:
    """A ridge regression on moved pairs takes few of them: its error counts in its own tests alone."""
    monkeypatch.setattr(evaluation, "ENOUGH", 500)


@pytest.fixture(scope="session")
def orl() -> FaceSet:
    return speculo.load("orl")


@pytest.fixture
def by_hand() -> np.ndarray:
    """Scores of two photos of each of three people, made by hand."""
    scores = np.full((6, 6), 0.1)
    for one, two, score in ((0, 1, 0.9), (2, 3, 0.5), (4, 5, 0.2), (1, 2, 0.6), (3, 5, 0.3)):
        scores[one, two] = scores[two, one] = score
    return scores


@pytest.fixture(scope="session")
def few() -> Split:
    """Pairs of five people: four to train on and one to test on."""
    return pairs.split(speculo.load("orl", people=5))


@pytest.fixture(scope="session")
def last_eight(orl) -> Split:
    """The split of the published baselines: people 33 to 40 are held out."""
    target = pairs.fronts(orl)
    test = orl.person >= 32
    return Split(*(Pairs(orl, np.flatnonzero(side), target[side]) for side in (~test, test)))


@pytest.fixture(scope="session")
def tiny() -> Config:
    """The network of the card with few channels, and three layers each way: it compiles in a second."""
    return replace(V8, name="Speculo-tiny", filters=(16, 8, 8), latent_size=32)


@pytest.fixture(scope="session")
def whole(tiny, few, tmp_path_factory) -> Run:
    """A run of three epochs, never stopped, that no test changes."""
    run = Run(tmp_path_factory.mktemp("whole") / "a")
    return training.train(tiny, few, run, epochs=3, batch_size=BATCH, precision="float32")


@pytest.fixture
def run(whole, home) -> Run:
    """A copy of it, to change or to damage."""
    copy = runs.at("a")
    shutil.copytree(whole.path, copy.path)
    return copy


@pytest.fixture(scope="session")
def sets(orl) -> dict[str, Split]:
    """Two splits for the explorers, a small one and a large one, by name."""
    some = replace(speculo.load("orl", people=5), name="few")
    return {"few": pairs.split(some), "orl": pairs.split(orl)}


@pytest.fixture(scope="session")
def finished(sets, tiny, tmp_path_factory) -> list[Run]:
    """Two runs of a tiny model, on the small set and on the large one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECULO_HOME", str(tmp_path_factory.mktemp("home")))
        trained = [
            training.train(
                tiny,
                sets[name],
                runs.at(f"tiny-{name}"),
                epochs=number,
                batch_size=BATCH,
                seed=number,
            )
            for number, name in ((3, "few"), (1, "orl"))
        ]
    for number, run in enumerate(trained):  # so short a training draws one grey: it is no test
        network = model.build(tiny, seed=number)
        last = network.get_layer("conv2d_transpose_7")
        last.kernel.assign(20 * keras.ops.abs(last.kernel))
        files.write_arrays(run.path / "best.npz", runs.get_weights(network))
    return trained


@pytest.fixture
def render(monkeypatch):
    """Stand-in for the renderer: quick, and another picture for each setting."""

    def picture(person, *, yaw=0.0, pitch=0.0, roll=0.0, expression="neutral", light=0.0, size=64):
        rows, columns = np.mgrid[:size, :size] / size - 0.5
        face = np.hypot(columns - yaw / 300, rows - pitch / 300) + roll / 500 + light / 9
        face = 200 - 250 * face + 10 * (person % 7) - 20 * heads.EXPRESSIONS.index(expression)
        return np.clip(face, 0, 255).astype(np.uint8)

    monkeypatch.setattr(heads, "render", picture)
    return picture
