"""A chapter as a page: its sections are listed, and what is no reading is folded or left out."""

import re
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup

from speculo import checks, pages
from speculo.pages import search

CHAPTERS = [SimpleNamespace(name=f"0{n}_it", title=f"0{n} It & more") for n in range(3)]


def made(place: int, library: bool = False) -> BeautifulSoup:
    new = nbformat.v4
    cells = [
        new.new_markdown_cell("# 01 It & more\n\nIn this notebook we test."),
        new.new_code_cell("import speculo\n\nspeculo.chapter.begin()"),
        new.new_markdown_cell("## One of *two*\n\nText.\n\n## Why 1 < 2?\n\nMore."),
        new.new_code_cell("1 + 1"),
        new.new_code_cell('{"figure": 12345}', metadata={"tags": ["metrics"]}),
    ]
    notebook = nbformat.from_dict(new.new_notebook(cells=cells))
    page = pages.page(notebook, CHAPTERS, place, Path("."), library)
    return BeautifulSoup(page, "html.parser")


def test_the_sections_of_a_chapter_are_listed_with_links():
    page = made(1)
    links = page.select("details.contents a")
    assert [link.text for link in links] == ["One of two", "Why 1 < 2?"]
    anchors = {heading["id"] for heading in page.find_all("h2")}
    assert {link["href"] for link in links} == {f"#{anchor}" for anchor in anchors}


def test_imports_are_folded_and_what_is_recorded_for_the_tests_is_left_out():
    page = made(1)
    (folded,) = page.select("details.folded")
    assert "import speculo" in folded.text and "1 + 1" not in folded.text
    assert "1 + 1" in page.text and "12345" not in page.text


def test_the_reference_has_the_docstrings(tmp_path):
    pages.reference(tmp_path, "speculo.checks")
    text = (tmp_path / "library" / "speculo" / "checks.html").read_text(encoding="utf-8")
    assert "whole_number" in text and checks.whole_number.__doc__.split("\n")[0] in text
    assert (tmp_path / "library" / "search.js").is_file()
    page = BeautifulSoup(text, "html.parser")
    assert page.nav.a["href"] == "../../index.html"
    assert all(link["aria-label"] for link in page.select("a.headerlink"))
    with pytest.raises(RuntimeError, match="no_such_module"):
        pages.reference(tmp_path, "speculo.no_such_module")


def test_the_menu_leads_to_the_reference_where_there_is_one():
    for library in (False, True):
        links = [link["href"] for link in made(1, library).nav.find_all("a")]
        assert (pages.LIBRARY in links) == library


def test_menus_lead_to_the_other_chapters():
    for place in range(3):
        first, last = made(place).find_all("nav")
        assert first.b.text == "01 It & more".replace("1", str(place), 1)
        assert len(first.find_all("a")) == 2
        expected = [CHAPTERS[other].name for other in (place - 1, place + 1) if 0 <= other < 3]
        assert [re.sub(r"\.html$", "", link["href"]) for link in last.find_all("a")] == expected


def test_formulas_are_typeset_and_dollars_in_code_are_none():
    text = """
With $x_1^2$ and `$HOME` it costs $5 and $6, or 7 $, or $5-$10 or \\$8 and \\$9.

$$
\\frac{1}{n} \\sum_i (\\hat y_i - y_i)^2
$$

```
$y$
```
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
    page = BeautifulSoup(pages.page(notebook, CHAPTERS, 1, Path(".")), "html.parser")
    inline, block = page.find_all("math")
    assert inline["display"] == "inline" and inline.find("msubsup").text == "x12"
    assert block["display"] == "block" and block.find("mfrac").text == "1n"
    assert "`" not in page.main.text and "$HOME" in page.main.text and "$y$" in page.main.text
    assert "it costs $5 and $6, or 7 $, or $5-$10 or $8 and $9." in page.main.text


def test_a_formula_that_cannot_be_read_is_named():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(r"Let $\frac$ be.")])
    with pytest.raises(ValueError, match=r"\$\\frac\$ cannot be read"):
        pages.page(notebook, CHAPTERS, 1, Path("."))


def test_no_output_becomes_a_tag_by_the_mark_of_a_formula():
    tag = b"<b id=evil>".hex()
    output = nbformat.v4.new_output("stream", text=f"\ue000{tag}\ue001 \ue0007\ue001")
    cell = nbformat.v4.new_code_cell("1", outputs=[output])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    page = BeautifulSoup(pages.page(notebook, CHAPTERS, 1, Path(".")), "html.parser")
    assert page.find(id="evil") is None and tag in page.main.text


def test_a_chapter_is_cut_into_its_sections_for_the_search():
    page = str(made(1))
    first, one, two = search.sections("01_it", "01 It & more", page)
    assert first["address"] == "01_it.html" and "we test" in first["text"]
    assert one["title"] == "One of two" and one["text"] == "Text."
    assert "1 + 1" in two["text"] and "12345" not in two["text"]
    assert "In this chapter" not in first["text"]
    anchors = {heading["id"] for heading in made(1).find_all("h2")}
    assert {each["address"].split("#")[1] for each in (one, two)} == anchors
