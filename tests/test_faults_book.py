"""What names, settings, parameters and moved files can do to the book: nothing in silence."""

import base64
import hashlib
import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

import jupytext
import markdown_it
import mistune
import nbformat
import pandas as pd
import papermill
import pytest
import trees
from bs4 import BeautifulSoup
from conftest import CHROMIUM, ROOT, free_port

import speculo
from speculo import book, card, chapter, pairs, runs, training

NAMES = (
    "<svg onload=fired()>",
    "<img src=x onerror=fired()>",
    "a|b `c` [d](javascript:fired()) ![e](x) _f_ **g**",
    "two\n\n# lines <script>fired()<",
    r"$\frac$ \href{javascript:fired()}{x} http:&&x &lt;b&gt;",
)
"""Names that a folder can have. Each is one person."""

HEADER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

"""
PARAMETERS = """# %% tags=["parameters"]
dataset = "orl"
people = None
epochs = 12

# %%
import speculo

speculo.chapter.begin()

"""


@pytest.fixture
def notebooks(tmp_path, monkeypatch) -> Path:
    """A book without chapters yet."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    shutil.copy(ROOT / "notebooks" / "jupytext.toml", folder)
    monkeypatch.setattr(book, "NOTEBOOKS", folder)
    return folder


def write(folder: Path, name: str, cells: str) -> book.Chapter:
    """Add a chapter: a script and its notebook, which has not been run."""
    (folder / f"{name}.py").write_text(HEADER + cells, encoding="utf-8")
    made = book.Chapter(name)
    jupytext.write(jupytext.read(made.script), made.notebook)
    return made


# ---- names


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """A folder of people with such names, and photos with such names."""
    root = tmp_path_factory.mktemp("names") / "my <svg onload=fired()> faces"
    for person, name in enumerate(NAMES):
        for photo in range(4):
            trees.save(trees.face(person, photo), root / name / f"{photo}{NAMES[0]}.png")
    (root / NAMES[0] / f"broken{NAMES[1]}.png").write_bytes(b"none")
    return root


def elements(html: str) -> set[str]:
    return {element.name for element in BeautifulSoup(html, "html.parser").find_all()}


def words(text: str) -> str:
    return " ".join(text.split())


IN_TABLES = {"div", "style", "table", "thead", "tbody", "tr", "th", "td"}


def test_tables_show_names_as_text():
    index = pd.MultiIndex.from_product([NAMES[:2], NAMES], names=["kind", "name"])
    frame = pd.DataFrame({name: list(NAMES) * 2 for name in NAMES[:3]}, index=index)
    frame["error"] = 0.12345
    for shown in (chapter.table(frame, {"error": "{:.2f}"}), chapter.table(frame)):
        html = shown.to_html()
        assert elements(html) <= IN_TABLES
        text = words(BeautifulSoup(html, "html.parser").text)
        assert all(words(name) in text for name in NAMES)
        assert "mathjax_ignore" in BeautifulSoup(html, "html.parser").table["class"]
    assert "0.12<" in chapter.table(frame, {"error": "{:.2f}"}).to_html()


def test_plain_frames_show_names_as_text():
    frame = pd.DataFrame({name: list(NAMES) for name in NAMES}, index=list(NAMES))
    with pd.option_context("display.html.use_mathjax", True):
        chapter.begin()
        html = frame._repr_html_()
    assert elements(html) <= IN_TABLES
    assert "mathjax_ignore" in BeautifulSoup(html, "html.parser").table["class"]


def test_a_model_card_shows_names_as_text(hostile, tiny):
    split = pairs.split(speculo.load(f"folder:{hostile}"))
    run = runs.at("named")
    training.train(tiny, split, run, epochs=1)
    text = card.write(run, ["a note"]).read_text(encoding="utf-8")
    for html in (
        markdown_it.MarkdownIt("gfm-like", {"linkify": False}).render(text),
        mistune.html(text),
    ):
        page = BeautifulSoup(html, "html.parser")
        assert not page.find_all(["svg", "script", "a", "em", "strong", "table"])
        pictures = ["dataset", "model", "loss", "predictions"]
        assert [image["src"] for image in page.find_all("img")] == [
            f"img/{name}.png" for name in pictures
        ]
        assert len(page.find_all(["h1", "h2", "h3"])) == 7
        people = split.test.people
        assert all(words(name) in words(page.text) for name in people)


def test_a_card_leaves_an_ordinary_name_as_it_is():
    for name in ("Anna-Lena", "folder-my_faces", "Zoë O'Hara, jr. (2)", "s33", "王"):
        assert card._text(name) == name


SHOWN = """# %% [markdown]
# # A <b>bold</b> "title"
#
# In this notebook we see names. [The other](01_two.ipynb), [none](https://example.org/01_two.ipynb).

# %% tags=["parameters"]
dataset = "orl"

# %%
import pandas as pd

import speculo
from speculo import chapter

chapter.begin()
faces = speculo.load(dataset)
frame = pd.DataFrame({"photos": 4}, index=list(faces.names))
chapter.table(frame)

# %%
frame.reset_index()

# %%
pd.DataFrame(faces.skipped, columns=["file", "why"])

# %%
print(faces.names, faces.skipped, 'alt="No description has been provided for this image" </main>')
faces

# %%
from PIL import Image

Image.fromarray(faces.images[0])

# %% [markdown]
# **Figure 1.** A *face* with [a link](01_two.ipynb) and "quotes".
"""


@pytest.fixture(scope="module")
def pages(hostile, tmp_path_factory) -> Path:
    """Two chapters that show such names, run and turned into pages."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECULO_HOME", str(home))
        patch.setattr(book, "NOTEBOOKS", home)
        one, two = (write(home, name, SHOWN) for name in ("00_one", "01_two"))
        book.execute(one, one.built, {"dataset": f"folder:{hostile}"}, progress_bar=False)
        shutil.copy(one.built, two.built)
        book.html()
    return home / "build" / "html"


def test_pages_show_names_as_text(pages):
    page = BeautifulSoup((pages / "00_one.html").read_text(encoding="utf-8"), "html.parser")
    assert not page.find_all(["script", "svg"]) and len(page.nav.find_all("b")) == 1
    text = words(page.text)
    readable = [name.replace("\n", "\N{REPLACEMENT CHARACTER}") for name in NAMES]  # by the loader
    assert all(words(name) in text for name in readable)
    (picture,) = page.find_all("img")
    assert picture["alt"] == 'Figure 1. A face with a link and "quotes".'
    assert page.title.text == 'A <b>bold</b> "title"'
    links = [link["href"] for link in page.main.find_all("a") if "#" not in link["href"]]
    assert links == ["01_two.html", "https://example.org/01_two.ipynb", "01_two.html"]
    assert len(page.find_all("main")) == 1 and len(page.find_all("nav")) == 2


def test_the_search_holds_names_as_text_and_runs_its_own_script_alone(pages):
    page = BeautifulSoup((pages / "search.html").read_text(encoding="utf-8"), "html.parser")
    data, script = page.find_all("script")
    assert data["id"] == "sections" and "replaceChildren" in script.text
    found = json.loads(data.text)
    readable = [name.replace("\n", "\N{REPLACEMENT CHARACTER}") for name in NAMES]
    assert all(words(name) in words(found[0]["text"]) for name in readable)
    assert found[0]["chapter"] == 'A <b>bold</b> "title"'
    rule = page.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in rule


def test_no_name_runs_script_in_a_browser(pages):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    path = pages / "00_one.html"
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        problems = []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: problems.append(request.url))
        page.goto(path.as_uri(), wait_until="networkidle")
        assert [each for each in problems if not each.startswith(("file:", "data:"))] == []
        assert page.locator("img").evaluate("image => image.naturalWidth") == 32
        # The page allows no script at all, should HTML find a way into it.
        path.write_text(path.read_text().replace("</main>", f"{NAMES[0]}<b id=end></b></main>"))
        page.goto(path.as_uri(), wait_until="networkidle")
        assert page.locator("svg").count() == 1
        assert any("Content Security Policy" in each for each in problems)
        assert not any("fired is not defined" in each for each in problems)
        browser.close()


# ---- parameters and errors


def check(injected: str, parameters: str = 'dataset = "orl"\npeople = None\nepochs = 12') -> None:
    chapter._check(["", parameters, f"# Parameters\n{injected}", "import speculo"])


@pytest.mark.parametrize("each", book.chapters(), ids=lambda each: each.name)
def test_a_chapter_begins_by_checking_its_parameters_and_shows_tables_as_text(each):
    cells = [cell for cell in jupytext.read(each.script).cells if cell.cell_type == "code"]
    assert "parameters" in cells[0].metadata["tags"]
    assert cells[1].source.startswith("import speculo\n\nspeculo.chapter.begin()\n")
    assert not [cell.source for cell in cells if re.search(r"\.style\b|\.to_html\b", cell.source)]


@pytest.mark.parametrize("given", ["0", "7", '""', '"../x"', "True"])
def test_a_run_is_a_name(given):
    with pytest.raises(ValueError, match="run is"):
        check(f"run = {given}\n", "run = None\n")


def test_a_parameter_of_the_chapter_is_taken():
    check('dataset = "folder:x"\nepochs = 3\npeople = 5\nPAPERMILL_INPUT_PATH = "x"\n')
    check("epochs = -1\n")  # that it makes no sense is for others to say
    check("epochs = float('nan')\npeople = None\n")
    check("rate = 1\n", "rate = 0.5")
    chapter._check(["", "dataset = 1", "import speculo", "dataset = 2", "other = 3", "%%time\nx"])


@pytest.mark.parametrize(
    ("injected", "message"),
    [
        (
            'datset = "x"',
            "no parameter 'datset'. Did you mean 'dataset'[?] It has: dataset, people",
        ),
        ("epochs = 3\nzzz = 1", "no parameter 'zzz'. It has: dataset, people, epochs"),
        ('epochs = "12"', "epochs is '12', expected int, such as 12"),
        ("epochs = 1.5", "epochs is 1.5, expected int"),
        ("epochs = True", "epochs is True, expected int"),
        ("dataset = None", "dataset is None, expected str, such as 'orl'"),
        ("dataset = ['orl']", "expected str"),
    ],
)
def test_a_parameter_that_the_chapter_does_not_have_is_refused(injected, message):
    with pytest.raises(ValueError, match=message):
        check(injected)


def failure(made: book.Chapter, **parameters) -> list[str]:
    """Run a chapter that fails: the lines with which papermill's command ends."""
    with pytest.raises(papermill.PapermillExecutionError) as failed:
        book.execute(made, made.built, parameters, progress_bar=False)
    lines = str(failed.value).rstrip().splitlines()
    return lines[[line.startswith("Exception encountered") for line in lines].index(True) :]


def test_the_last_line_of_a_failing_chapter_is_the_message(notebooks):
    cells = """# %%
def open_it(dataset):
    if dataset == 3:
        1 / 0
    return speculo.load(dataset)

# %% tags=["raises-exception"]
open_it(3)

# %%
faces = open_it(dataset)
"""
    made = write(notebooks, "00_one", PARAMETERS + cells)
    shown = failure(made, epoch=3)
    assert shown[-1] == (
        "ValueError: This chapter has no parameter 'epoch'. Did you mean 'epochs'? "
        "It has: dataset, people, epochs"
    )
    assert len(shown) == 3
    shown = failure(made, dataset="nonsense")
    where = ["Cell In[6], line 1: faces = open_it(dataset)"]
    where += ["Cell In[4], line 4: return speculo.load(dataset)"]
    assert shown[1:3] == where
    assert shown[3].startswith("ValueError: Unknown dataset 'nonsense'.")
    # An error that nobody has foreseen is shown whole.
    failed = nbformat.read(made.built.with_name("00_one-failed.ipynb"), as_version=4)
    (error,) = next(each for each in failed.cells if each.source == "open_it(3)").outputs
    shown = "\n".join(error.traceback).splitlines()
    assert (error.ename, error.evalue) == ("ZeroDivisionError", "division by zero")
    assert any("1 / 0" in re.sub(r"\x1b\[[\d;]*m", "", line) for line in shown) and len(shown) > 8


def test_the_book_ends_with_the_message_and_without_a_traceback(notebooks, capfd):
    write(notebooks, "00_one", PARAMETERS + '# %%\nspeculo.load("folder:nowhere at all")\n')
    with pytest.raises(SystemExit) as stopped:
        book.run()
    said = capfd.readouterr()
    assert stopped.value.code == 1 and "Traceback" not in said.out + said.err
    end = said.out.split("The whole notebook: ")[1].splitlines()
    assert end[2].startswith("FileNotFoundError: ") and "nowhere at all" in end[2]


def test_a_killed_kernel_is_named(notebooks, capfd):
    write(notebooks, "00_one", "# %%\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    with pytest.raises(SystemExit):
        book.run()
    said = capfd.readouterr()
    assert "00_one stopped: the kernel was killed" in said.out.splitlines()[-1]
    assert "Traceback" not in said.out + said.err


def test_an_interrupted_book_says_how_to_go_on(notebooks, monkeypatch, capfd):
    made = write(notebooks, "00_one", "# %%\n1\n")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(papermill, "execute_notebook", interrupted)
    with pytest.raises(SystemExit) as stopped:
        book.run()
    assert stopped.value.code == 1 and "00_one stopped. Run it again" in capfd.readouterr().out
    assert not made.built.exists()


def test_a_folder_that_cannot_be_written_to_is_named():
    result = subprocess.run(
        [sys.executable, "-m", "speculo.book", "html"],
        cwd=ROOT, env=os.environ | {"SPECULO_HOME": "/dev/null/x"}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
    assert "/dev/null/x" in result.stderr


def test_a_chapter_without_the_parts_of_one_is_listed_all_the_same(notebooks):
    made = write(notebooks, "09_mine and [yours]", "# %%\n1\n")
    assert made.title == made.name and made.shows == "" and made.seconds is None
    assert "(notebooks/09_mine%20and%20%5Byours%5D.ipynb)" in book.contents()
    for damage in ("", "[]", '{"metadata": {}}', "\0"):
        made.notebook.write_text(damage)
        assert made.seconds is None and book.contents()
        with pytest.raises(SystemExit, match="09_mine.*is damaged|has not been run"):
            book.html()


# ---- the machine's settings


def with_keras(
    settings: str | None, tmp_path: Path, **environment: str
) -> subprocess.CompletedProcess:
    """Import the backend on a machine with such a ``keras.json`` and such variables."""
    if settings is not None:
        (tmp_path / "keras.json").write_text(settings)
    code = (
        "from speculo.backend import keras; c = keras.config; print(c.image_data_format(), c.floatx(), "
        "c.epsilon(), keras.layers.Dense(1).dtype_policy.name, c.max_epochs(), c.max_steps_per_epoch())"
    )
    plain = {key: value for key, value in os.environ.items() if not key.startswith("KERAS_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=plain | {"KERAS_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
    )


def test_the_settings_of_the_machine_change_no_number(tmp_path):
    other = {"image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.5}
    limits = {"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "1"}
    result = with_keras(json.dumps(other | {"backend": "tensorflow"}), tmp_path, **limits)
    assert result.stdout == "channels_last float32 1e-07 float32 None None\n", result.stderr


@pytest.mark.parametrize(
    ("settings", "backend", "words"),
    [
        ('{"backend": "numpy"}', "", ("'numpy' is chosen by", "keras.json", "'jax', 'torch'")),
        ('{"backend": ["jax"]}', "", ("['jax'] is chosen by", "keras.json")),
        ("{}", "tensorflw", ("'tensorflw' is chosen by", "KERAS_BACKEND", "'tensorflow'")),
        ("[]", "", ("Keras does not start", "keras.json, which can be deleted")),
        ('{"floatx": "float8"}', "", ("floatx", "keras.json, which can be deleted")),
    ],
)
def test_settings_that_keras_cannot_start_with_are_named(settings, backend, words, tmp_path):
    result = with_keras(settings, tmp_path, KERAS_BACKEND=backend)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ValueError: ") and all(word in last for word in words), last


# ---- setting up

PIP = """
import json, pathlib
here = pathlib.Path.cwd()
(site,) = here.glob(".venv/lib/python*/site-packages")
for name, more in ("speculo", "Requires-Dist: numpy>=1\\nRequires-Dist: jax; extra == 'backends'"), ("numpy", ""):
    info = site / f"{name}-1.0.dist-info"
    for folder in (site / name, info):
        folder.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n{more}\\n")
    (info / "RECORD").write_text(f"{name}/__init__.py,,\\n../../../bin/{name},,\\n__pycache__/x.pyc,,\\n")
(site / "speculo-1.0.dist-info" / "direct_url.json").write_text(json.dumps({"url": here.as_uri()}))
print("installed")
"""
"""What stands in the place of pip: it installs two empty packages."""


class Checkout(NamedTuple):
    """A copy of the project's folder, with what `make` is given in the place of Python and pip."""

    folder: Path
    tools: Path

    def make(self, **values: str) -> list[str]:
        given = {"PYTHON": str(self.tools / "python"), "INSTALL": str(self.tools / "pip")} | values
        command = ["make", "environment", *(f"{name}={value}" for name, value in given.items())]
        plain = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        result = subprocess.run(
            command, cwd=self.folder, env=plain | {"PYTHONPATH": ""}, capture_output=True, text=True
        )
        said = (result.stdout + result.stderr).splitlines()
        assert result.returncode == any("Error" in line for line in said) * 2
        return [line for line in said if not line.startswith("make")]

    def packages(self, pattern: str) -> list[Path]:
        return list(self.folder.glob(f".venv/lib/python*/site-packages/{pattern}"))


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    """A folder with a blank in its name, set up."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    made = Checkout(tmp_path / "my own book", tmp_path / "tools")
    made.folder.mkdir()
    made.tools.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, made.folder)
    (made.tools / "pip.py").write_text(PIP)
    python = f'"{sys.executable}"'
    for name, line in {
        "python": f'[ "$2" = venv ] && exec {python} -m venv --without-pip "$3"; exec {python} "$@"',
        "pip": f'exec {python} "{made.tools}/pip.py"',
        "full": "echo No space left on device; exit 1",
    }.items():
        (made.tools / name).write_text(f"#!/bin/sh\n{line}\n")
        (made.tools / name).chmod(0o755)
    assert made.make() == [SETTING_UP, "installed"]
    assert made.make() == []
    return made


SETTING_UP = "Setting up .venv: a minute or two, some 700 MB to download"


def test_an_environment_of_another_folder_is_made_anew(checkout):
    copied = checkout._replace(folder=checkout.folder.with_name("a copy é"))
    shutil.copytree(checkout.folder, copied.folder, symlinks=True)
    assert copied.make()[0] == f".venv is made anew: it was made for {checkout.folder}"
    assert copied.make() == [] and checkout.make() == []
    renamed = checkout._replace(folder=checkout.folder.with_name("renamed"))
    checkout.folder.rename(renamed.folder)
    assert renamed.make()[0] == f".venv is made anew: it was made for {checkout.folder}"
    assert renamed.make() == []


def test_a_link_to_an_environment_of_another_folder_is_taken_away_and_no_more(checkout):
    linked = checkout._replace(folder=checkout.folder.with_name("linked"))
    shutil.copytree(checkout.folder, linked.folder, ignore=shutil.ignore_patterns(".venv"))
    (linked.folder / ".venv").symlink_to(checkout.folder / ".venv")
    assert "it was made for" in linked.make()[0]
    assert not (linked.folder / ".venv").is_symlink() and checkout.make() == []


def test_a_broken_environment_is_made_anew(checkout):
    (package,) = checkout.packages("numpy")
    package.rmdir()
    assert checkout.make()[0] == ".venv is made anew: files of numpy are missing"
    for path in checkout.packages("numpy*"):
        shutil.rmtree(path)
    assert checkout.make()[0] == ".venv is made anew: numpy is not installed in it"
    python = checkout.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert checkout.make()[0] == ".venv is made anew: its Python does not start"
    (checkout.folder / ".venv" / "ready").unlink()
    assert checkout.make()[0] == ".venv is made anew: setting up was interrupted"
    assert checkout.make() == []


def test_a_new_list_of_packages_is_installed_into_the_same_environment(checkout):
    (checkout.folder / ".venv" / "mine").touch()
    later = time.time() + 5
    os.utime(checkout.folder / "pyproject.toml", (later, later))
    assert checkout.make() == [SETTING_UP, "installed"]
    assert (checkout.folder / ".venv" / "mine").exists()


def test_what_keeps_an_environment_from_being_made_is_said(checkout):
    shutil.rmtree(checkout.folder / ".venv")
    assert "There is no /nowhere/python" in checkout.make(PYTHON="/nowhere/python")[0]
    said = checkout.make(INSTALL=str(checkout.tools / "full"))
    assert said[1] == "No space left on device" and "4 GB on the disk" in said[2]
    assert checkout.make()[0] == ".venv is made anew: setting up was interrupted"
    old = checkout.tools / "old"
    old.write_text("#!/bin/sh\necho Python 3.11, 3.12 or 3.13 is needed; exit 1\n")
    old.chmod(0o755)
    (checkout.folder / ".venv" / "ready").unlink()
    assert checkout.make(PYTHON=str(old))[1:] == ["Python 3.11, 3.12 or 3.13 is needed"]


# ---- the pair


@pytest.fixture
def edited(notebooks) -> book.Chapter:
    """A chapter whose notebook was edited by another program than JupyterLab."""
    made = write(notebooks, "00_one", PARAMETERS)
    before = time.time() - 100
    os.utime(made.script, (before, before))
    book._refuse_edited_notebooks()  # another time of day is no edit
    notebook = nbformat.read(made.notebook, as_version=4)
    notebook.cells[0].source += "\nmine = 1"
    nbformat.write(notebook, made.notebook)
    return made


def test_the_book_does_not_pass_over_an_edited_notebook(edited, monkeypatch):
    for command in (book.run, book.publish):
        with pytest.raises(SystemExit) as refused:
            command()
        assert "00_one.ipynb was edited after its script 00_one.py" in str(refused.value)
    (command,) = re.findall("jupytext --sync .+", str(refused.value))
    subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=book.NOTEBOOKS.parent, check=True, capture_output=True,
    )  # fmt: skip
    assert "mine = 1" in edited.script.read_text()
    book._refuse_edited_notebooks()


def test_jupyter_does_not_overwrite_an_edited_notebook(edited, tmp_path):
    """It asks before it saves if the hash of a pair changes, and opens no pair of which it knows better."""
    port = free_port()
    token = secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root"),
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={book.NOTEBOOKS}",
        f"--IdentityProvider.token={token}",
    ]
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(tmp_path),
        "JUPYTER_RUNTIME_DIR": str(tmp_path),
    }

    def ask(query: str) -> dict:
        address = f"http://127.0.0.1:{port}/api/contents/00_one.ipynb?{query}&token={token}"
        for _ in range(300):
            assert server.poll() is None
            try:
                return json.load(urllib.request.urlopen(address, timeout=20))
            except urllib.error.HTTPError as error:
                return json.load(error)
            except OSError:
                time.sleep(0.1)  # until it has started
        pytest.fail("the server does not start")

    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        assert "00_one.ipynb" in ask("content=1")["message"]
        before = time.time() - 200
        os.utime(edited.notebook, (before, before))  # older than its script: only a picture of it
        opened = ask("content=1&hash=1")
        assert "mine" not in str(opened["content"])
        edited.notebook.write_text(edited.notebook.read_text().replace("mine", "other"))
        assert ask("content=0&hash=1")["hash"] != opened["hash"]
        assert "more recent" in ask("content=1")["message"]
    finally:
        server.terminate()
        server.wait(30)
