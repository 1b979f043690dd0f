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
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import jupytext
import nbformat

from speculo import files, pages
from speculo.pages import search

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
    print(f"The executed chapters are in {files.home() / 'build'}. `make html` makes pages of them")


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


def html(library: bool = False) -> None:
    """Turn the executed chapters into pages in ``build/html``, with a menu through them.

    Parameters
    ----------
    library : bool
        Whether the reference of the library stands beside them, too.
    """
    folder = files.home() / "build" / "html"
    all_chapters, sections = chapters(), []
    for place, chapter in enumerate(all_chapters):
        source = chapter.built if chapter.built.is_file() else chapter.notebook
        if not source.is_file():
            sys.exit(f"{chapter.name} has not been run: run `make book` first")
        page = pages.page(_read(source), all_chapters, place, NOTEBOOKS, library)
        files.write_text(folder / f"{chapter.name}.html", page)
        sections += search.sections(quote(chapter.name), chapter.title, page)
    found = search.page(all_chapters, sections, pages.LOOK, pages.LIBRARY if library else None)
    files.write_text(folder / search.NAME, found)
    first = quote(all_chapters[0].name)
    files.write_text(
        folder / "index.html",
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Speculo</title>'
        f'<meta http-equiv="refresh" content="0; url={first}.html">'
        f'<a href="{first}.html">Speculo</a>\n',
    )
    if library:
        pages.reference(folder)
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


def metrics(notebook: nbformat.NotebookNode) -> dict:
    """Read the figures that a chapter records: the output of its cell tagged ``metrics``."""
    for cell in notebook.cells:
        if "metrics" in cell.metadata.get("tags", []):
            return ast.literal_eval(cell.outputs[-1].data["text/plain"])
    return {}


def _publish(chapter: Chapter, executed: nbformat.NotebookNode, seconds: float) -> None:
    """Write the cells of the script with the outputs of the executed notebook."""
    pages.take_out_widgets(executed)
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
    commands: dict[str, Callable[[], None]] = {
        "run": run,
        "publish": publish,
        "html": partial(html, library=True),
        "lab": lab,
    }
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(f"usage: python -m speculo.book {'|'.join(commands)}")
    try:
        commands[sys.argv[1]]()
    except OSError as error:  # a full disk, a folder that cannot be written to
        sys.exit(f"{error}")
