"""What the tests share: a home of their own, the ORL faces, and a model small enough to train."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import speculo
from speculo import files, pairs
from speculo.faces import FaceSet
from speculo.model import V8, Config
from speculo.pairs import Pairs, Split

ROOT = Path(__file__).resolve().parent.parent

LONG = (
    "test_training.py",
    "test_chapters.py",
    "test_browser.py",
    "test_chapters_elsewhere.py",
    "test_mending.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: two run at a time, and none should be left alone at the end."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONG)))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """Runs and builds of a test go to a folder of its own."""
    monkeypatch.setenv("SPECULO_HOME", str(tmp_path))
    return files.home()


@pytest.fixture(scope="session")
def orl() -> FaceSet:
    return speculo.load("orl")


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
    """The network of the card with few channels."""
    return replace(V8, name="Speculo-tiny", filters=(16, 16, 8, 8, 8), latent_size=32)
