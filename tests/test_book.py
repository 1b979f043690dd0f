import re

import nbformat
import pytest

from speculo import book, chapter

SCRIPT = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # {title}
#
# In this notebook we add
# two numbers.

# %% tags=["parameters"]
one = 1

# %%
print("one and one is", one + 1)

# %% [markdown]
# Next: [the other](01_two.ipynb).

# %% tags=["metrics"]
{{"sum": one + 1}}
"""


@pytest.fixture
def chapters(tmp_path, monkeypatch):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(book, "NOTEBOOKS", folder)
    for name, title in (("00_one", "The one"), ("01_two", "The other")):
        (folder / f"{name}.py").write_text(SCRIPT.format(title=title))
    return book.chapters()


def test_chapters_are_found_in_order_with_title_and_first_sentence(chapters):
    assert [chapter.title for chapter in chapters] == ["The one", "The other"]
    assert chapters[0].shows == "Add two numbers."
    assert "| [The one](notebooks/00_one.ipynb) | Add two numbers. |  |" in book.contents()


def test_a_second_run_does_nothing_and_a_change_runs_what_follows(chapters, capfd):
    book.run()
    first = capfd.readouterr().out
    assert "[1/2] 00_one: The one\n" in first and re.search(r"00_one: \d+ s", first)
    assert "one and one is 2" in first
    notebook = nbformat.read(chapters[0].built, as_version=4)
    assert book.metrics(notebook) == {"sum": 2}
    book.run()
    assert capfd.readouterr().out.count("up to date") == 2
    script = chapters[1].script
    script.write_text(script.read_text().replace("and one is", "plus one is"))
    book.run()
    again = capfd.readouterr().out
    assert "00_one: up to date" in again and "one plus one is 2" in again


def test_a_failing_chapter_stops_the_book_and_names_the_cell(chapters, capfd):
    script = chapters[0].script
    script.write_text(script.read_text().replace("one + 1)", "one / 0)"))
    with pytest.raises(SystemExit) as stopped:
        book.run()
    assert stopped.value.code == 1
    out = capfd.readouterr().out
    assert "00_one stopped in cell 2 (In [2])" in out and "ZeroDivisionError" in out
    assert 'print("one and one is", one / 0)' in out and "01_two" not in out
    assert not chapters[0].built.exists()
    assert chapters[0].built.with_name("00_one-failed.ipynb").exists()


def test_parameters_reach_the_chapter(chapters, tmp_path):
    book.execute(chapters[0], tmp_path / "out.ipynb", {"one": 4}, progress_bar=False)
    assert book.metrics(nbformat.read(tmp_path / "out.ipynb", as_version=4)) == {"sum": 5}


def test_pages_have_a_menu_working_links_and_ask_no_other_host(chapters, home):
    book.run()
    book.html()
    pages = {path.name: path.read_text() for path in (home / "build" / "html").glob("*.html")}
    assert set(pages) == {"index.html", "search.html", "00_one.html", "01_two.html"}
    for page in pages.values():
        for link in re.findall(r'href="([^"#]+\.html)"', page):
            assert link in pages
        assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="https?:', page)
    assert '<a href="01_two.html">the other</a>' in pages["00_one.html"]
    assert "one and one is 2" in pages["00_one.html"]


@pytest.mark.parametrize(("user", "said"), [(0, True), (1000, False), (None, False)])
def test_root_starts_jupyterlab_by_the_same_command(user, said, chapters, monkeypatch):
    started = []
    monkeypatch.setattr(book.os, "execv", lambda program, command: started.extend(command))
    if user is None:  # Windows has no such function
        monkeypatch.delattr(book.os, "geteuid")
    else:
        monkeypatch.setattr(book.os, "geteuid", lambda: user)
    book.lab()
    assert ("--allow-root" in started) == said
    assert started[1:3] == ["-m", "jupyterlab"]
    assert started[-1] == f"--LabApp.default_url=/lab/tree/notebooks/{chapters[0].notebook.name}"
    assert f"--ServerApp.root_dir={book.NOTEBOOKS.parent}" in started  # build/ lies in it


def test_a_warning_for_the_reader_is_a_line_of_text_and_others_stay_what_they_are(capsys):
    for kind in (UserWarning, DeprecationWarning):
        chapter._tell(lambda *_: print("elsewhere"), kind("2 skipped"), kind, "file", 1)
    assert capsys.readouterr().out == "Note: 2 skipped\nelsewhere\n"


def test_pages_of_a_book_that_was_not_run_say_what_to_do(chapters):
    with pytest.raises(SystemExit, match="run `make book` first"):
        book.html()
