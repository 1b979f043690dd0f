"""Chapters at small scale: what is run, and the home that the tests of one file share."""

from pathlib import Path

import pytest
import yaml

from speculo import book

SMALL = yaml.safe_load(Path(__file__).with_name("chapters.yaml").read_text(encoding="utf-8"))
CHAPTERS = {chapter.name: chapter for chapter in book.chapters()}


@pytest.fixture(scope="module")
def home_of_all(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def home(home_of_all, monkeypatch) -> Path:
    monkeypatch.setenv("SPECULO_HOME", str(home_of_all))
    return home_of_all
