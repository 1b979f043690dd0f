"""The book itself: run its chapters, publish them, turn them into pages.

``python -m speculo.book run`` runs the chapters in order by papermill, into
``build/``; ``publish`` puts what they printed and drew into the committed
notebooks, ``img/`` and the README; ``html`` makes pages, and ``lab`` opens
JupyterLab. ``make`` calls all of them.
"""

import ast
import json
import os
import re
import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jupytext
import nbformat

from speculo import files

NOTEBOOKS = files.PROJECT / "notebooks"
README = files.PROJECT / "README.md"
TABLE = re.compile(r"(<!-- chapters -->\n).*?(<!-- /chapters -->)", re.DOTALL)


@dataclass(frozen=True)
class Chapter:
    """One chapter: a percent script and the notebook paired with it.

    Attributes
    ----------
    name : str
        Such as ``"01_dataset"``.
    """

    name: str

    @property
    def script(self) -> Path:
        """The percent script: the truth."""
        return NOTEBOOKS / f"{self.name}.py"

    @property
    def notebook(self) -> Path:
        """The committed notebook: what the last full run printed and drew."""
        return NOTEBOOKS / f"{self.name}.ipynb"

    @property
    def built(self) -> Path:
        """Where a run of the book puts its notebook."""
        return files.home() / "build" / f"{self.name}.ipynb"

    @property
    def title(self) -> str:
        """The first heading, or the name of a chapter that has none."""
        text = self.script.read_text(encoding="utf-8")
        found = re.search(r"^# # (.+)$", text, re.MULTILINE)
        return found[1] if found else self.name

    @property
    def shows(self) -> str:
        """What the chapter does, as its own first sentence says it, if it has one."""
        text = self.script.read_text(encoding="utf-8")
        found = re.search(r"^# In this notebook we (.+?\.)$", text, re.MULTILINE | re.DOTALL)
        sentence = found[1].replace("\n# ", " ") if found else ""
        return sentence[:1].upper() + sentence[1:]

    @property
    def seconds(self) -> float | None:
        """How long it took in the last full run, or None where no notebook says it."""
        try:
            metadata = json.loads(self.notebook.read_text(encoding="utf-8"))["metadata"]
            return metadata["speculo"]["seconds"]
        except (OSError, ValueError, KeyError, TypeError):
            return None


def chapters() -> list[Chapter]:
    """Find the chapters, in order."""
    scripts = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))
    return [Chapter(path.stem) for path in scripts if path.is_file()]


def contents() -> str:
    """Write the chapters as a Markdown table: what each shows, and the seconds it took."""
    rows = ["| Chapter | What it does | Seconds |", "| --- | --- | ---: |"]
    for chapter in chapters():
        seconds = "" if chapter.seconds is None else f"{chapter.seconds:.0f}"
        link = f"[{chapter.title}](notebooks/{quote(chapter.name)}.ipynb)"
        rows.append(f"| {link} | {chapter.shows} | {seconds} |")
    return "\n".join(rows)


def shown_pictures() -> set[str]:
    """Find the names of the pictures in ``img/`` that the README or a chapter shows."""
    pages = (README, *(chapter.script for chapter in chapters()))
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    return set(re.findall(r"\bimg\W+([\w-]+\.(?:png|gif))", text))


def execute(chapter: Chapter, output: Path, parameters: dict | None = None, **options) -> float:
    """Run one chapter by papermill, in the folder ``notebooks/``.

    Parameters
    ----------
    chapter : Chapter
        Its percent script is what runs, so that a change to it counts at once.
    output : Path
        Where the executed notebook goes. It appears there when the chapter is
        done; one that failed or was stopped is kept beside it, with ``-failed``
        in its name.
    parameters : dict, optional
        Values for the parameters cell.
    **options
        For ``papermill.execute_notebook``.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    papermill.PapermillExecutionError
        If a cell fails.
    """
    import papermill

    output.parent.mkdir(parents=True, exist_ok=True)
    running = output.with_name(f"{output.stem}-running.ipynb")
    begin = time.monotonic()
    try:
        papermill.execute_notebook(
            jupytext.read(chapter.script),
            str(running),
            parameters=parameters,
            cwd=str(NOTEBOOKS),
            kernel_name="python3",
            coalesce_streams=True,
            # ipykernel warns of its own transport, and of its sockets when it is interrupted
            extra_arguments=["--log-level=CRITICAL"],
            **options,
        )
    except BaseException:
        if running.exists():
            running.replace(output.with_name(f"{output.stem}-failed.ipynb"))
        raise
    running.replace(output)
    return time.monotonic() - begin


def run() -> None:
    """Run every chapter that is not up to date, and those after it, into ``build/``.

    Exits
    -----
    With status 1 and the name of the cell, if one fails.
    """
    _refuse_edited_notebooks()
    sources = max(path.stat().st_mtime for path in (files.PROJECT / "speculo").rglob("*.py"))
    all_chapters = chapters()
    stale = False
    for number, chapter in enumerate(all_chapters, start=1):
        changed = max(sources, chapter.script.stat().st_mtime)
        stale = stale or not chapter.built.exists() or chapter.built.stat().st_mtime < changed
        place = f"[{number}/{len(all_chapters)}] {chapter.name}"
        if not stale:
            print(f"{place}: up to date")
            continue
        print(f"{place}: {chapter.title}", flush=True)
        seconds = _execute_or_stop(chapter, place, stdout_file=sys.stdout)
        print(f"{place}: {seconds:.0f} s", flush=True)
    if stale:
        first = all_chapters[0]
        print(f"{first.name}, once more: its picture is now of this run", flush=True)
        _execute_or_stop(first, first.name)
    print(f"The executed chapters are in {files.home() / 'build'}")


def _execute_or_stop(chapter: Chapter, place: str, **options) -> float:
    """Run a chapter into ``build/``. If a cell fails, the last thing said is why, without a traceback."""
    from nbclient.exceptions import DeadKernelError
    from papermill import PapermillExecutionError

    failed = chapter.built.with_name(f"{chapter.name}-failed.ipynb")
    try:
        return execute(chapter, chapter.built, progress_bar=False, **options)
    except PapermillExecutionError as error:
        print(
            f"\n{place} stopped in cell {error.cell_index} (In [{error.exec_count}]):\n\n"
            f"{error.source.rstrip()}\n\nThe whole notebook: {failed}\n\n"
            f"{error.ename}: {error.evalue}"
        )
    except DeadKernelError:
        print(
            f"\n{place} stopped: the kernel was killed, most likely because the memory is full. "
            f"Close other programs, and run it again"
        )
    except KeyboardInterrupt:
        print(f"\n{place} stopped. Run it again: a training goes on after its last full epoch")
    sys.exit(1)


def _refuse_edited_notebooks() -> None:
    """Stop where a notebook was edited by itself: the script beside it is what runs."""
    for chapter in chapters():
        if (
            chapter.notebook.is_file()
            and chapter.notebook.stat().st_mtime > chapter.script.stat().st_mtime
            and _cells(_read(chapter.notebook)) != _cells(jupytext.read(chapter.script))
        ):
            name = chapter.notebook.relative_to(NOTEBOOKS.parent)
            sys.exit(
                f"{name} was edited after its script {chapter.script.name}, and only the script is run. "
                f"To take the edit into the script: .venv/bin/jupytext --sync {shlex.quote(str(name))}\n"
                f"To go on without it: touch {shlex.quote(str(name.with_suffix('.py')))}"
            )


def _cells(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def _read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook. One that is damaged is named."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat has no class of its own for most of them
        sys.exit(f"{path} is damaged ({error}). Delete it and run `make book`")


def publish() -> None:
    """Put the last full run into the committed notebooks, ``img/`` and the README.

    Nothing is executed but chapter 00, once more, so that it shows this run's picture and times.
    """
    from speculo import runs

    _refuse_edited_notebooks()
    for chapter in chapters():
        if not chapter.built.is_file():
            sys.exit(f"{chapter.built} is missing: run `make book` first")
        executed = _read(chapter.built)
        _publish(chapter, executed, executed.metadata.papermill.duration)

    first = chapters()[0]
    _execute_or_stop(first, first.name)
    assert first.seconds is not None  # it was written above
    _publish(first, _read(first.built), first.seconds)
    for name in ("v8-orl", "v8-mended-8th-orl-last"):  # the runs of chapters 03 and 07
        pictures = runs.open(name).path / "img"
        for picture in sorted(pictures.glob("*.png")):
            if picture.name in shown_pictures():
                with files.replacing(files.PROJECT / "img" / picture.name) as part:
                    shutil.copyfile(picture, part)

    text = README.read_text(encoding="utf-8")
    files.write_text(README, TABLE.sub(lambda found: f"{found[1]}{contents()}\n{found[2]}", text))


def html() -> None:
    """Turn the executed chapters into pages in ``build/html``, with a menu through them."""
    from nbconvert import HTMLExporter

    folder = files.home() / "build" / "html"
    exporter = HTMLExporter(
        raw_template=PAGE,
        embed_images=True,  # a page is one file, readable wherever it is put
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    all_chapters = chapters()
    for place, chapter in enumerate(all_chapters):
        source = chapter.built if chapter.built.is_file() else chapter.notebook
        if not source.is_file():
            sys.exit(f"{chapter.name} has not been run: run `make book` first")
        resources = {
            "metadata": {"name": chapter.title, "path": str(NOTEBOOKS)},
            "chapters": all_chapters,
            "chapter": chapter,
            "before": all_chapters[place - 1] if place else None,
            "after": all_chapters[place + 1] if place + 1 < len(all_chapters) else None,
        }
        page, _ = exporter.from_notebook_node(_as_page(_read(source)), resources)
        files.write_text(folder / f"{chapter.name}.html", page)
    first = quote(all_chapters[0].name)
    files.write_text(
        folder / "index.html",
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Speculo</title>'
        f'<meta http-equiv="refresh" content="0; url={first}.html">'
        f'<a href="{first}.html">Speculo</a>\n',
    )
    print(f"Open {folder / 'index.html'}")


def lab() -> None:
    """Open JupyterLab at the first chapter, on the whole project, in the place of this process."""
    # Started by root, as in a container, it wants to be told that this is meant.
    root = ["--allow-root"] * (hasattr(os, "geteuid") and os.geteuid() == 0)
    first = quote(chapters()[0].notebook.relative_to(NOTEBOOKS.parent).as_posix())
    options = [
        f"--ServerApp.root_dir={NOTEBOOKS.parent}",
        f"--LabApp.default_url=/lab/tree/{first}",
    ]
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *root, *options])


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
</nav>
<main>
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
    """Prepare an executed chapter: pictures described, links to pages, no widgets."""
    _take_out_widgets(notebook)
    below = [*notebook.cells[1:], None]
    for cell, following in zip(notebook.cells, below, strict=True):
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


def _take_out_widgets(notebook: nbformat.NotebookNode) -> None:
    """Leave of each widget its line of text. Without a kernel it would be an error message."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if WIDGET in output.get("data", {}):
                del output.data[WIDGET]


WIDGET = "application/vnd.jupyter.widget-view+json"


def metrics(notebook: nbformat.NotebookNode) -> dict:
    """Read the figures that a chapter records: the output of its cell tagged ``metrics``."""
    for cell in notebook.cells:
        if "metrics" in cell.metadata.get("tags", []):
            return ast.literal_eval(cell.outputs[-1].data["text/plain"])
    return {}


def _publish(chapter: Chapter, executed: nbformat.NotebookNode, seconds: float) -> None:
    """Write the cells of the script with the outputs of the executed notebook."""
    _take_out_widgets(executed)
    notebook = jupytext.read(chapter.script)
    if _cells(notebook) != _cells(executed):
        sys.exit(f"{chapter.script} has changed since it was run: run `make book` first")
    for number, (cell, run_cell) in enumerate(zip(notebook.cells, executed.cells, strict=True)):
        cell.id = f"{chapter.name}-{number:02}"
        if cell.cell_type == "code":
            cell.execution_count = run_cell.execution_count
            # A progress line that was taken away leaves an empty display.
            cell.outputs = [o for o in run_cell.outputs if o.get("data") != {"text/plain": ""}]
    notebook.metadata = nbformat.from_dict(
        {
            # as JupyterLab writes them, so that opening a chapter changes nothing
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": executed.metadata.language_info,
            "speculo": {"seconds": round(seconds, 1)},
        }
    )
    files.write_text(chapter.notebook, nbformat.writes(notebook) + "\n")


if __name__ == "__main__":
    commands = {"run": run, "publish": publish, "html": html, "lab": lab}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(f"usage: python -m speculo.book {'|'.join(commands)}")
    try:
        commands[sys.argv[1]]()
    except OSError as error:  # a full disk, a folder that cannot be written to
        sys.exit(f"{error}")
