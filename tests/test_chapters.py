"""Every chapter, run by papermill at small scale, in order, in one home."""

import jupytext
import nbformat
import papermill
import pytest
import small_scale
from small_scale import CHAPTERS, SMALL

from speculo import book

# One home for the whole file, in the place of one for each test.
home_of_all, home = small_scale.home_of_all, small_scale.home


def test_every_chapter_has_its_small_scale():
    assert list(SMALL) == list(CHAPTERS)


@pytest.mark.parametrize("name", SMALL)
def test_every_name_is_a_parameter_of_its_chapter(name):
    notebook = jupytext.read(CHAPTERS[name].script)
    known = papermill.inspect_notebook(notebook)
    assert set(SMALL[name]["parameters"]) <= set(known)
    assert {"dataset", "seed", "run"} <= set(known)
    # A parameter that nothing reads would be ignored in silence.
    code = "\n".join(
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", [])
    )
    assert all(parameter in code for parameter in known)


@pytest.mark.parametrize("name", SMALL)
def test_the_chapter_runs_and_its_figures_are_right(name, home):
    small = SMALL[name]
    path = home / "build" / f"{name}.ipynb"
    book.execute(
        CHAPTERS[name],
        path,
        small["parameters"],
        execution_timeout=small["limit"],
        progress_bar=False,
    )
    notebook = nbformat.read(path, as_version=4)
    recorded = book.metrics(notebook)
    for metric, (low, high) in small["metrics"].items():
        assert low <= recorded[metric] <= high, f"{metric} is {recorded[metric]}"
    assert recorded.get("held", []) == small.get("held", [])
    noise = [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.get("name") == "stderr"
    ]
    assert not noise


def test_the_chapters_left_a_whole_run(home):
    run = home / "runs" / "small"
    text = (run / "README.md").read_text(encoding="utf-8")
    for picture in ("dataset", "model", "loss", "predictions"):
        assert (run / "img" / f"{picture}.png").stat().st_size > 10_000
        assert f"img/{picture}.png" in text


def test_results_without_a_training_say_what_to_do(home):
    with pytest.raises(papermill.PapermillExecutionError, match="Run chapter 03 first"):
        book.execute(
            CHAPTERS["04_results"],
            home / "build" / "untrained.ipynb",
            {"run": "untrained"},
            progress_bar=False,
        )
