"""A chapter as a page: one file with menus and pictures, without scripts, that asks nothing of a host."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

LIBRARY = "library/speculo.html"
"""Where the reference of the library stands, beside the pages."""


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
        raw_template=PAGE,
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
    }
    made, _ = exporter.from_notebook_node(_as_page(notebook), resources)
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
    command = [sys.executable, "-m", "pdoc", "-d", "numpy", "--no-show-source", "-o", str(where)]
    done = subprocess.run([*command, module], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"The reference could not be made: {done.stderr.strip()[-300:]}")


def _contents(made: str) -> str:
    """List the sections of a page, with links to them."""
    sections = re.findall(r'<h2 id="([^"]+)">(.+?)<a class="anchor-link"', made)
    if not sections:
        return ""
    items = "".join(f'<li><a href="#{anchor}">{title}</a></li>' for anchor, title in sections)
    return f'<details class="contents"><summary>In this chapter</summary><ul>{items}</ul></details>'


PAGE = """
{%- extends "lab/index.html.j2" -%}
{%- macro link(to, before="", after="") -%}
<a href="{{ to.name | urlencode }}.html">{{ before }}{{ to.title | e }}{{ after }}</a>
{%- endmacro -%}
{%- block html_head -%}
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'">
{{ super() }}
{%- endblock -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_css -%}
<style>
nav.book { font: 15px/1.9 sans-serif; padding: .6em 1em; border-bottom: 1px solid #ddd; background: #fafafa; }
nav.book a, nav.book b { margin-right: 1.1em; white-space: nowrap; }
nav.book.end { border: 0; border-top: 1px solid #ddd; display: flex; justify-content: space-between; }
nav.book a { color: #1a5fb4; text-decoration: none; } nav.book a:hover { text-decoration: underline; }
/* contrasts of 4.5 and more, and links that are seen without their colour */
.highlight .c1, .highlight .c, .highlight .cm { color: #33605f !important; }
.highlight .o, .highlight .ow { color: #7a1fb5 !important; }
.highlight .mi, .highlight .mf, .highlight .mh { color: #006600 !important; }
.jp-RenderedMarkdown p a, .jp-RenderedMarkdown li a { text-decoration: underline !important; }
details { font: 15px/1.7 sans-serif; margin: .8em 1em; } summary { cursor: pointer; color: #1a5fb4; }
details.contents a { color: #1a5fb4; text-decoration: none; } details.contents ul { margin: .2em 0; }
body.jp-Notebook { padding: 0; } main { max-width: 62rem; margin: 0 auto; padding: 0 .6em; }
main img { max-width: 100%; height: auto; }
.jp-RenderedHTMLCommon, .jp-OutputArea-output, .jp-Cell-inputArea, .highlight { overflow-x: auto; }
@media (max-width: 600px) { .jp-Notebook .jp-Cell { padding-left: 0; padding-right: 0; }
  .jp-InputPrompt, .jp-OutputPrompt, .jp-Collapser { display: none !important; } }
</style>
{%- endblock -%}
{%- block body_header -%}
<body class="jp-Notebook" data-jp-theme-light="true" data-jp-theme-name="JupyterLab Light">
<nav class="book" aria-label="Chapters">
{%- for each in resources.chapters %}
{% if each == resources.chapter -%}
<b aria-current="page">{{ each.title | e }}</b>
{%- else -%}{{ link(each) }}{%- endif -%}
{%- endfor -%}
{%- if resources.library %}
<a href="{{ resources.library }}">The library</a>
{%- endif -%}
</nav>
<main>
<!-- contents -->
{%- endblock -%}
{%- block input_group -%}
{%- if cell.metadata.get("folded") -%}
<details class="folded"><summary>Imports, and what the chapter begins with</summary>{{ super() }}</details>
{%- else -%}{{ super() }}{%- endif -%}
{%- endblock -%}
{%- block data_png scoped -%}
<div class="jp-RenderedImage jp-OutputArea-output">
<img alt="{{ output | get_metadata("alt", "image/png") | e }}" src="data:image/png;base64,{{ output.data["image/png"] }}"
{%- for size in ("width", "height") if output | get_metadata(size, "image/png") %}
 {{ size }}="{{ output | get_metadata(size, "image/png") | e }}"
{%- endfor -%}
>
</div>
{%- endblock -%}
{%- block body_footer -%}
</main>
<nav class="book end" aria-label="Before and after">
{%- if resources.before -%}{{ link(resources.before, before="← ") }}{%- else -%}<span></span>{%- endif -%}
{%- if resources.after -%}{{ link(resources.after, after=" →") }}{%- endif -%}
</nav>
</body>
{%- endblock -%}
"""
"""nbconvert's page of a notebook, with menus, and without scripts: none is run, none is fetched."""


def _as_page(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Prepare an executed chapter: pictures described, links to pages, imports folded, no widgets.

    What the last cell records is for the tests, and left out.
    """
    take_out_widgets(notebook)
    notebook.cells = [c for c in notebook.cells if "metrics" not in c.metadata.get("tags", [])]
    below = [*notebook.cells[1:], None]
    for cell, following in zip(notebook.cells, below, strict=True):
        cell.metadata["folded"] = "speculo.chapter.begin()" in cell.source
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(r"](\1.html", cell.source)
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
