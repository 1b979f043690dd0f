"""Chapters at small scale: what is run, and the home that the tests of one file share."""

from functools import cache
from pathlib import Path
from types import SimpleNamespace

import jupytext
import nbformat
import papermill
import pytest
import yaml

from speculo import book, chapter

SMALL = yaml.safe_load(Path(__file__).with_name("chapters.yaml").read_text(encoding="utf-8"))
CHAPTERS = {chapter.name: chapter for chapter in book.chapters()}


@pytest.fixture(scope="module")
def home_of_all(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def home(home_of_all, monkeypatch) -> Path:
    monkeypatch.setenv("SPECULO_HOME", str(home_of_all))
    return home_of_all


QUICK = """from speculo import evaluation

evaluation.ENOUGH = 500  # pairs for the ridge regression on moved pairs, whose error nobody looks at here
"""


@cache
def parameters_of(name: str) -> frozenset[str]:
    """The names of the parameters of a chapter."""
    return frozenset(papermill.inspect_notebook(jupytext.read(CHAPTERS[name].script)))


def in_one_kernel(output: Path, *asked: tuple[str, dict]) -> list[nbformat.NotebookNode]:
    """Run chapters one after the other in one kernel, as starting one takes longer than most of them.

    Parameters
    ----------
    output : Path
        Where the notebook with all their cells goes.
    *asked : tuple
        Name of a chapter, and values for its parameters.

    Returns
    -------
    list of NotebookNode
        Each of them as it was executed.
    """
    whole, ends = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(QUICK)]), [1]
    for name, parameters in asked:
        cells = jupytext.read(CHAPTERS[name].script).cells
        given = "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
        place = next(
            i for i, each in enumerate(cells) if "parameters" in each.metadata.get("tags", ())
        )
        cells.insert(place + 1, nbformat.v4.new_code_cell(chapter.INJECTED + given))
        whole.cells += cells
        ends.append(len(whole.cells))
    output.parent.mkdir(parents=True, exist_ok=True)
    script = output.with_name(f"{output.stem}-script.ipynb")
    nbformat.write(whole, script)
    book.execute(SimpleNamespace(script=script), output, progress_bar=False)
    cells = nbformat.read(output, as_version=4).cells
    return [
        nbformat.v4.new_notebook(cells=cells[begin:end])
        for begin, end in zip(ends[:-1], ends[1:], strict=True)
    ]
