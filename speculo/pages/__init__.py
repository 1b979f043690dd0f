"""A chapter as a page: one file with menus and pictures, without scripts, that asks nothing of a host.

Beside the chapters stand a page that searches them, the only one with a script,
and the reference of the library. This is nbconvert with a template, and not
Sphinx with MyST-NB: its pages are opened without a server, are whole without
scripts, and leave photographs as they are in the dark.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from latex2mathml.converter import convert

from speculo.pages import search

HERE = Path(__file__).parent
LIBRARY = "library/speculo.html"
"""Where the reference of the library stands, beside the pages."""

LOOK = (HERE / "look.css").read_text(encoding="utf-8")
"""Colours and sizes of all pages, by day and by night."""


def page(
    notebook: nbformat.NotebookNode,
    chapters: Sequence[Any],
    place: int,
    path: Path,
    library: bool = False,
) -> str:
    """Turn an executed chapter into a page.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        It is changed.
    chapters : sequence of Chapter
        Of the whole book, for the menus: each with a ``name`` and a ``title``.
    place : int
        Which of them this is.
    path : Path
        The folder that the chapter's own links start from.
    library : bool
        Whether the menu has a link to `LIBRARY`.

    Returns
    -------
    str
        HTML.
    """
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        raw_template=(HERE / "chapter.html.j2").read_text(encoding="utf-8"),
        embed_images=True,  # a page is one file, readable wherever it is put
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    resources = {
        "metadata": {"name": chapters[place].title, "path": str(path)},
        "chapters": chapters,
        "chapter": chapters[place],
        "before": chapters[place - 1] if place else None,
        "after": chapters[place + 1] if place + 1 < len(chapters) else None,
        "library": LIBRARY if library else None,
        "search": search.NAME,
        "look": LOOK,
    }
    formulas: list[str] = []
    made, _ = exporter.from_notebook_node(_as_page(notebook, formulas), resources)
    for number, formula in enumerate(formulas):
        made = made.replace(HIDDEN.format(number), formula)
    return made.replace("<!-- contents -->", _contents(made), 1)


def reference(folder: Path, module: str = "speculo") -> None:
    """Write the docstrings of the library as pages with a search, by pdoc.

    Parameters
    ----------
    folder : Path
        Of the chapters' pages.
    module : str
        A package or a module, with all that is in it.
    """
    where = folder / Path(LIBRARY).parent
    shutil.rmtree(where, ignore_errors=True)  # pages of modules that are no more
    options = ["-d", "numpy", "--no-show-source", "-t", str(HERE / "reference"), "-o", str(where)]
    command = [sys.executable, "-m", "pdoc", *options, module]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"The reference could not be made: {done.stderr.strip()[-300:]}")
    for path in where.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        # the mark beside each name has no name for a screen reader, and no link leads back
        text = re.sub(r'(<a class="headerlink" href="#([^"]+)")>', r'\1 aria-label="\2">', text)
        up = "../" * (len(path.relative_to(folder).parts) - 1)
        back = f'<nav class="pdoc"><a class="book" href="{up}index.html">The book</a>'
        path.write_text(text.replace('<nav class="pdoc">', back, 1), encoding="utf-8")


def _contents(made: str) -> str:
    """List the sections of a page, with links to them."""
    sections = re.findall(r'<h2 id="([^"]+)">(.+?)<a class="anchor-link"', made)
    if not sections:
        return ""
    items = "".join(f'<li><a href="#{anchor}">{title}</a></li>' for anchor, title in sections)
    return f'<details class="contents"><summary>In this chapter</summary><ul>{items}</ul></details>'


def _as_page(notebook: nbformat.NotebookNode, formulas: list[str]) -> nbformat.NotebookNode:
    """Prepare an executed chapter: pictures described, links to pages, imports folded, no widgets.

    Its formulas go to `formulas`. What the last cell records is for the tests, and left out.
    """
    take_out_widgets(notebook)
    notebook.cells = [c for c in notebook.cells if "metrics" not in c.metadata.get("tags", [])]
    below = [*notebook.cells[1:], None]
    for cell, following in zip(notebook.cells, below, strict=True):
        cell.metadata["folded"] = "speculo.chapter.begin()" in cell.source
        if cell.cell_type == "markdown":
            cell.source = _hide_formulas(LINK.sub(r"](\1.html", cell.source), formulas)
        caption = "A picture that the cell above has drawn"
        if following is not None and following.source.startswith("**Figure"):
            caption = " ".join(
                re.sub(r"\[([^]]*)\]\([^)]*\)|[*`]", r"\1", following.source).split()
            )
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/markdown" in data:
                data["text/markdown"] = LINK.sub(r"](\1.html", data["text/markdown"])
            if "image/png" in data:
                output.metadata.setdefault("image/png", {}).setdefault("alt", caption)
    return notebook


def _hide_formulas(markdown: str, formulas: list[str]) -> str:
    """Put marks in the place of formulas, between ``$$`` or within a line between ``$``.

    As MathML, which browsers draw by themselves, they are added to `formulas`:
    Markdown would take the tags apart. A dollar in code, or behind a backslash, begins none.
    """

    def hidden(found: re.Match) -> str:
        if found["code"]:
            return found[0]
        try:
            if found["block"]:
                formulas.append(convert(found["block"].strip(), display="block"))
            else:
                formulas.append(convert(found["inline"]))
        except Exception as error:  # latex2mathml has many of its own, most without a word
            raise ValueError(f"The formula {found[0]} cannot be read: {error!r}") from error
        return HIDDEN.format(len(formulas) - 1)

    return FORMULA.sub(hidden, markdown)


HIDDEN = "\ue000{}\ue001"
"""The mark of a formula by its number, in characters that no text has."""

FORMULA = re.compile(
    r"(?P<code>(?<!`)(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))"
    r"|(?<!\\)\$\$(?P<block>.+?)\$\$"
    r"|(?<![\\$])\$(?P<inline>[^$\s](?:[^$\n]*[^$\s\\])?)\$(?!\d)",
    re.DOTALL,
)
"""Code, which is left as it is, or a formula."""

LINK = re.compile(r"\]\((\d\d_\w+)\.ipynb")
"""A link from one chapter to another, in Markdown."""


def take_out_widgets(notebook: nbformat.NotebookNode) -> None:
    """Leave of each widget its line of text. Without a kernel it would be an error message."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if WIDGET in output.get("data", {}):
                del output.data[WIDGET]


WIDGET = "application/vnd.jupyter.widget-view+json"
