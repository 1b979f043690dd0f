"""The book itself: run its chapters, publish them, turn them into pages.

``python -m speculo.book run`` runs the chapters in order by papermill, into
``build/``; ``publish`` puts what they printed and drew into the committed
notebooks, ``img/`` and the README; ``html`` makes pages, and ``lab`` opens
JupyterLab. ``make`` calls all of them.
"""

import ast
import html as html_text
import json
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat

from speculo import files

NOTEBOOKS = files.PROJECT / "notebooks"
README = files.PROJECT / "README.md"
LAB_OPTIONS = ("--ServerApp.tornado_settings={'websocket_max_message_size': 268435456}",)
"""What JupyterLab is started with: photos of more than 10 MB may be sent to the explorer."""

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
        """The first heading."""
        return re.search(r"^# # (.+)$", self.script.read_text(encoding="utf-8"), re.MULTILINE)[1]

    @property
    def shows(self) -> str:
        """What the chapter does, as its own first sentence says it."""
        text = self.script.read_text(encoding="utf-8")
        sentence = re.search(r"^# In this notebook we (.+?\.)$", text, re.MULTILINE | re.DOTALL)[1]
        sentence = re.sub(r"\n# ", " ", sentence)
        return sentence[0].upper() + sentence[1:]

    @property
    def seconds(self) -> float | None:
        """How long it took in the last full run, or None where it has not been run."""
        if not self.notebook.is_file():
            return None
        metadata = json.loads(self.notebook.read_text(encoding="utf-8"))["metadata"]
        return metadata.get("speculo", {}).get("seconds")


def chapters() -> list[Chapter]:
    """Find the chapters, in order."""
    return [Chapter(path.stem) for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))]


def contents() -> str:
    """Write the chapters as a Markdown table: what each shows, and the seconds it took."""
    rows = ["| Chapter | What it does | Seconds |", "| --- | --- | ---: |"]
    for chapter in chapters():
        seconds = "" if chapter.seconds is None else f"{chapter.seconds:.0f}"
        link = f"[{chapter.title}](notebooks/{chapter.name}.ipynb)"
        rows.append(f"| {link} | {chapter.shows} | {seconds} |")
    return "\n".join(rows)


def execute(chapter: Chapter, output: Path, parameters: dict | None = None, **options) -> float:
    """Run one chapter by papermill, in the folder ``notebooks/``.

    Parameters
    ----------
    chapter : Chapter
        Its percent script is what runs, so that a change to it counts at once.
    output : Path
        Where the executed notebook goes. It appears there when the chapter is
        done; one that failed is kept beside it, with ``-failed`` in its name.
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
            extra_arguments=["--log-level=ERROR"],  # ipykernel warns of its own transport otherwise
            **options,
        )
    except papermill.PapermillExecutionError:
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
    import papermill

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
        try:
            seconds = execute(chapter, chapter.built, stdout_file=sys.stdout, progress_bar=False)
        except papermill.PapermillExecutionError as error:
            print(
                f"\n{place} stopped in cell {error.cell_index} (In [{error.exec_count}]):\n\n"
                f"{error.source.rstrip()}\n\n{error.ename}: {error.evalue}\n\n"
                f"The whole notebook: {chapter.built.with_name(chapter.name + '-failed.ipynb')}"
            )
            sys.exit(1)
        print(f"{place}: {seconds:.0f} s", flush=True)
    if stale:
        first = all_chapters[0]
        print(f"{first.name}, once more: its picture is now of this run", flush=True)
        execute(first, first.built, progress_bar=False)
    print(f"The executed chapters are in {files.home() / 'build'}")


def publish() -> None:
    """Put the last full run into the committed notebooks, ``img/`` and the README.

    Nothing is executed here but chapter 00, once more, so that it shows this
    run's picture and times.
    """
    from speculo import model, runs

    for chapter in chapters():
        if not chapter.built.is_file():
            sys.exit(f"{chapter.built} is missing: run `make book` first")
        executed = nbformat.read(chapter.built, as_version=4)
        seconds = executed.metadata.papermill.duration
        nbformat.write(_publishable(chapter, executed, seconds), chapter.notebook)

    first = chapters()[0]
    execute(first, first.built, progress_bar=False)
    executed = nbformat.read(first.built, as_version=4)
    nbformat.write(_publishable(first, executed, first.seconds), first.notebook)
    for architecture in ("v8", "v8-mended-16th"):  # the runs of chapters 03 and 07
        pictures = runs.open(runs.default_name(model.named(architecture), "orl")).path / "img"
        for picture in sorted(pictures.glob("*.png")):
            shutil.copyfile(picture, files.PROJECT / "img" / picture.name)

    text = README.read_text(encoding="utf-8")
    files.write_text(README, TABLE.sub(lambda found: f"{found[1]}{contents()}\n{found[2]}", text))


def html() -> None:
    """Turn the executed chapters into pages in ``build/html``, with a menu through them."""
    from nbconvert import HTMLExporter

    folder = files.home() / "build" / "html"
    folder.mkdir(parents=True, exist_ok=True)
    exporter = HTMLExporter(
        template_name="lab",
        embed_images=True,  # a page is one file, readable wherever it is put
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        # Nothing is asked of another host when a page is viewed.
        mathjax_url="",
        require_js_url="",
        mermaid_js_url="",
    )
    exporter.log.setLevel("ERROR")  # it warns of texts that are added below
    all_chapters = chapters()
    for chapter in all_chapters:
        source = chapter.built if chapter.built.is_file() else chapter.notebook
        if not source.is_file():
            sys.exit(f"{chapter.name} has not been run: run `make book` first")
        notebook = nbformat.read(source, as_version=4)
        _take_out_widgets(notebook)
        alt = iter(_descriptions(notebook))
        page, _ = exporter.from_notebook_node(
            notebook, {"metadata": {"name": chapter.title, "path": str(NOTEBOOKS)}}
        )
        page = re.sub(
            r'<script src="">\s*</script>', "", page
        )  # the scripts that are not asked for
        page = re.sub(r'href="(\d\d_\w+)\.ipynb', r'href="\1.html', page)
        page = NO_ALT.sub(lambda _: f'alt="{next(alt)}"', page)  # noqa: B023
        page = page.replace("</head>", f"<style>{PAGE_STYLE}</style>\n</head>", 1)
        page = re.sub(r"(<body[^>]*>)", rf"\1\n{_menu(chapter)}", page, count=1)
        page = page.replace("</main>", f"</main>\n{_neighbours(chapter)}", 1)
        files.write_text(folder / f"{chapter.name}.html", page)
    first = all_chapters[0].name
    files.write_text(
        folder / "index.html",
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Speculo</title>'
        f'<meta http-equiv="refresh" content="0; url={first}.html">'
        f'<a href="{first}.html">Speculo</a>\n',
    )
    print(f"Open {folder / 'index.html'}")


def lab() -> None:
    """Open JupyterLab at the first chapter. It takes the place of this process."""
    command = [sys.executable, "-m", "jupyterlab", *LAB_OPTIONS, str(chapters()[0].notebook)]
    os.execv(sys.executable, command)


NO_ALT = re.compile(r'alt="No description has been provided for this image"')  # nbconvert's words

PAGE_STYLE = """
nav.book { font: 15px/1.9 sans-serif; padding: .6em 1em; border-bottom: 1px solid #ddd; background: #fafafa; }
nav.book a, nav.book b { margin-right: 1.1em; white-space: nowrap; }
nav.book.end { border: 0; border-top: 1px solid #ddd; display: flex; justify-content: space-between; }
nav.book a { color: #1a5fb4; text-decoration: none; } nav.book a:hover { text-decoration: underline; }
body.jp-Notebook { padding: 0; } main { max-width: 62rem; margin: 0 auto; padding: 0 .6em; }
main img { max-width: 100%; height: auto; }
.jp-RenderedHTMLCommon, .jp-OutputArea-output, .jp-Cell-inputArea, .highlight { overflow-x: auto; }
@media (max-width: 600px) { .jp-Notebook .jp-Cell { padding-left: 0; padding-right: 0; }
  .jp-InputPrompt, .jp-OutputPrompt, .jp-Collapser { display: none !important; } }
"""


def _menu(chapter: Chapter) -> str:
    """Links to every chapter but this one, which is named."""
    links = [
        f'<b aria-current="page">{each.title}</b>'
        if each == chapter
        else f'<a href="{each.name}.html">{each.title}</a>'
        for each in chapters()
    ]
    return f'<nav class="book" aria-label="Chapters">{" ".join(links)}</nav>'


def _neighbours(chapter: Chapter) -> str:
    """Links to the chapter before and the chapter after."""
    every = chapters()
    place = every.index(chapter)
    before, after = every[place - 1 : place], every[place + 1 : place + 2]
    links = [f'<a href="{each.name}.html">← {each.title}</a>' for each in before] or [
        "<span></span>"
    ]
    links += [f'<a href="{each.name}.html">{each.title} →</a>' for each in after]
    return f'<nav class="book end" aria-label="Before and after">{"".join(links)}</nav>'


def _descriptions(notebook: nbformat.NotebookNode) -> list[str]:
    """Say in words what each picture of an executed chapter shows: its caption."""
    texts = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        pictures = sum("image/png" in output.get("data", {}) for output in cell.outputs)
        below = notebook.cells[number + 1] if number + 1 < len(notebook.cells) else None
        caption = "A picture that the cell above has drawn"
        if below is not None and below.source.startswith("**Figure"):
            caption = re.sub(r"\[([^]]*)\]\([^)]*\)|[*`]", r"\1", below.source)
        texts += [html_text.escape(" ".join(caption.split()))] * pictures
    return texts


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


def _publishable(
    chapter: Chapter, executed: nbformat.NotebookNode, seconds: float
) -> nbformat.NotebookNode:
    """Join the cells of the script with the outputs of the executed notebook."""
    _take_out_widgets(executed)
    notebook = jupytext.read(chapter.script)
    if [cell.source for cell in notebook.cells] != [cell.source for cell in executed.cells]:
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
    return notebook


if __name__ == "__main__":
    commands = {"run": run, "publish": publish, "html": html, "lab": lab}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(f"usage: python -m speculo.book {'|'.join(commands)}")
    commands[sys.argv[1]]()
