"""What a reader does, done in a real browser: JupyterLab, the explorer, the HTML pages.

Screenshots are kept in ``build/screenshots`` of the checkout.
"""

import base64
import io
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
from accessibility import faults, faults_of
from conftest import CHROMIUM, ROOT, SCREENSHOTS, free_port
from PIL import Image

import speculo
from speculo import book, images, pairs, runs, training
from speculo.model import Config

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

CHAPTERS = [chapter.name for chapter in book.chapters()]
EXPLORER = "09_explorer"
SMALL = {"people = None": "people = 6", "heads_people = 100": "heads_people = 8"}
SECONDS = 60_000  # Playwright's milliseconds: the most that any one thing may take

DONE = "'explorers': 6"  # the last output of the explorer's chapter


@dataclass
class Window:
    """A page of the browser, and what went wrong on it."""

    page: "playwright.Page"
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(SECONDS)
        self.page.on("console", lambda m: m.type == "error" and self.errors.append(m.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def keep(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.fixture(scope="module")
def small_home(tmp_path_factory) -> Path:
    """A home with a run of the reader's own."""
    home = tmp_path_factory.mktemp("home")
    config = Config("Speculo-tiny", "adam", 0.001, "mse", (32, 32, 1), (16, 16, 8, 8, 8), 32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECULO_HOME", str(home))
        split = pairs.split(speculo.load("orl", people=6))
        training.train(config, split, runs.at("my-own"), epochs=2)
    return home


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory) -> Path:
    """A copy of the chapters, so that the checkout stays as it is. The explorer's is small."""
    folder = tmp_path_factory.mktemp("book") / "notebooks"
    ignored = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
    shutil.copytree(ROOT / "notebooks", folder, ignore=ignored)
    script = folder / f"{EXPLORER}.py"
    text = script.read_text(encoding="utf-8")
    for old, new in SMALL.items():
        assert f"\n{old}" in text
        text = text.replace(f"\n{old}", f"\n{new}", 1)
    script.write_text(text, encoding="utf-8")
    (folder / f"{EXPLORER}.ipynb").unlink(missing_ok=True)
    for script in folder.glob("*.py"):  # the explorer's, and those that were never published
        if not script.with_suffix(".ipynb").exists():
            jupytext.write(jupytext.read(script), script.with_suffix(".ipynb"))
    return folder


@pytest.fixture(scope="module")
def server(notebooks, small_home, tmp_path_factory) -> Iterator[tuple[str, str]]:
    """JupyterLab as it comes, with settings of its own. Its address and token."""
    private = tmp_path_factory.mktemp("jupyter")
    settings = private / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    # The question whether to fetch news of Jupyter is answered: it would lie over the first page.
    (settings / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
    # What a reader's photo must stand: that the state of all widgets is saved with a notebook.
    manager = private / "settings" / "@jupyter-widgets" / "jupyterlab-manager"
    manager.mkdir(parents=True)
    (manager / "plugin.jupyterlab-settings").write_text(json.dumps({"saveState": True}))
    port = free_port()
    token = secrets.token_hex(16)
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "SPECULO_HOME": str(small_home),
        "JUPYTERLAB_SETTINGS_DIR": str(private / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(private / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(private / "config"),
        "JUPYTER_RUNTIME_DIR": str(private / "runtime"),
    }
    command = [
        *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={notebooks.parent}",
        f"--IdentityProvider.token={token}",
    ]
    log = private / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=notebooks, env=environment, stdout=out, stderr=out, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address, token
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def lab(browser, server) -> Iterator[Window]:
    """One window of JupyterLab for all tests of this file."""
    address, token = server
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    window = Window(page)
    page.goto(f"{address}/lab?token={token}")
    page.wait_for_selector(".jp-Launcher")
    yield window
    page.close()


@pytest.fixture(autouse=True)
def no_error(request) -> Iterator[None]:
    """No test may leave an error on the console of its window."""
    names = {"lab", "explorer"} & set(request.fixturenames)
    window = request.getfixturevalue("lab") if names else None
    begin = len(window.errors) if window else 0
    yield
    if window:
        assert window.errors[begin:] == []


def open_chapter(lab: Window, server: tuple[str, str], name: str) -> None:
    lab.page.goto(f"{server[0]}/lab/tree/notebooks/{name}.ipynb?reset")  # no tab of before
    panel = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    panel.locator(".jp-Cell").first.wait_for()
    tab = lab.page.locator(".lm-TabBar-tab.lm-mod-current", has_text=f"{name}.ipynb")
    tab.first.wait_for()


def menu(lab: Window, bar: str, item: str) -> None:
    lab.page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{bar}$")).click()
    lab.page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{item}$")).first.click()


# ---- the chapters in JupyterLab


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_opens_without_complaint(name, lab, server):
    open_chapter(lab, server, name)
    title = next(chapter.title for chapter in book.chapters() if chapter.name == name)
    lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) h1", has_text=title).wait_for()
    assert not lab.page.locator(".jp-Dialog").count()
    lab.keep(f"chapter-{name}")


def test_the_table_of_contents_lists_the_headings_and_the_links_lead_on(lab, server):
    open_chapter(lab, server, CHAPTERS[0])
    lab.page.locator(".lm-TabBar-tab[data-id='table-of-contents']").click()
    lab.page.locator(".jp-tocItem-content", has_text="What trains here").first.wait_for()
    lab.keep("contents")
    lab.page.locator(".lm-TabBar-tab[data-id='table-of-contents']").click()
    panel = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    text = (ROOT / "notebooks" / f"{CHAPTERS[0]}.py").read_text(encoding="utf-8")
    title, target = re.search(r"^# Next: \[(.+?)\]\((.+?)\)", text, re.MULTILINE).groups()
    panel.locator("p", has_text="Next:").locator("a", has_text=title).click()
    lab.page.locator(".lm-TabBar-tab.lm-mod-current", has_text=target).first.wait_for()
    assert not lab.page.locator(".jp-Dialog").count()


def test_an_edit_is_saved_to_both_halves_and_opens_again(lab, server, notebooks):
    name = "02_model"
    open_chapter(lab, server, name)
    script, notebook = notebooks / f"{name}.py", notebooks / f"{name}.ipynb"
    before = nbformat.read(notebook, as_version=4)
    cell = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell").first
    cell.locator(".cm-content").click()
    lab.page.keyboard.press("Control+Home")
    lab.page.keyboard.type("# an edit of a reader\n")
    lab.page.keyboard.press("Control+s")
    for _ in range(100):
        if "# an edit of a reader" in script.read_text(encoding="utf-8"):
            break
        time.sleep(0.1)
    saved = nbformat.read(notebook, as_version=4)
    halves = [jupytext.read(script), saved]
    sources = [[(cell.cell_type, cell.source) for cell in half.cells] for half in halves]
    assert sources[0] == sources[1] and "# an edit of a reader" in str(sources[0])
    assert [cell.id for cell in saved.cells] == [cell.id for cell in before.cells]
    assert [c.get("outputs") for c in saved.cells] == [c.get("outputs") for c in before.cells]
    open_chapter(lab, server, name)
    edited = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell").first
    edited.get_by_text("# an edit of a reader").wait_for()
    assert not lab.page.locator(".jp-Dialog").count()


# ---- the explorer


@pytest.fixture(scope="module")
def explorer(lab, server) -> Window:
    """The explorer's chapter after *Run All*."""
    open_chapter(lab, server, EXPLORER)
    lab.page.get_by_text(re.compile(r"\| Idle$")).first.wait_for()  # the kernel is there
    menu(lab, "Run", "Run All Cells")
    try:
        lab.page.get_by_text(DONE).wait_for(timeout=2 * SECONDS)
    finally:
        lab.keep("run-all")
    return lab


def part(explorer: Window, title: str) -> "playwright.Locator":
    """The explorer that stands below a heading."""
    order = ("Turn the head", "One prediction", "A training", "Between", "Your photo", "Runs side")
    found = explorer.page.locator(".jp-OutputArea .speculo").nth(order.index(title))
    found.scroll_into_view_if_needed()
    return found


def slide(part: "playwright.Locator", name: str, key: str, times: int = 1) -> None:
    """Move a slider by the keyboard."""
    row = part.locator(".widget-inline-hbox", has=part.page.locator(f"label:text-is('{name}')"))
    row.locator(".noUi-handle").focus()
    for _ in range(times):
        part.page.keyboard.press(key)


def picture(part: "playwright.Locator", caption: str) -> np.ndarray:
    """The pixels of a face, by its caption, as they are on the screen."""
    face = part.locator(".speculo-face", has_text=re.compile(f"^\\s*{re.escape(caption)}"))
    shot = face.locator("img").first.screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("L")).astype(int)


def upload(part: "playwright.Locator", path: Path) -> None:
    """Choose a file by the button."""
    with part.page.expect_file_chooser() as chooser:
        part.locator(".widget-upload").click()
    chooser.value.set_files(path)


def stated(part: "playwright.Locator", name: str) -> str:
    """The MSE behind a name."""
    text = part.locator(".speculo-bars").inner_text()
    return re.search(rf"{re.escape(name)}\s+([0-9.]+)", text)[1]


def until(wanted, what: str, seconds: float = 20):
    for _ in range(int(seconds / 0.1)):
        if wanted():
            return
        time.sleep(0.1)
    pytest.fail(f"never happened: {what}")


def test_run_all_ends_without_an_error(explorer):
    page = explorer.page
    assert page.locator(".jp-OutputArea .speculo").count() == 6
    assert not page.locator(".jp-OutputArea-output[data-mime-type*='stderr']").count()
    assert not page.locator(".jp-OutputArea-output[data-mime-type*='error']").count()
    assert not page.locator(".jupyter-widgets-error-widget").count()
    assert not page.locator(".jp-OutputArea-output", has_text=re.compile("WARNING:")).count()
    for number, title in enumerate(("Turn the head", "Your photo")):
        part(explorer, title)
        explorer.keep(f"explorer-{number}")


def test_the_own_run_and_the_books_are_in_the_menu(explorer):
    options = part(explorer, "One prediction").locator("select").first.locator("option")
    assert options.all_text_contents() == ["fingerprint", "my-own", "v8-mended-8th-heads"]


def test_turning_the_head_changes_the_picture_and_the_stated_error(explorer):
    turned = part(explorer, "Turn the head")
    front, before = picture(turned, "true front"), picture(turned, "input")
    number = stated(turned, "input itself")
    slide(turned, "yaw", "ArrowLeft", 12)
    until(lambda: stated(turned, "input itself") != number, "another MSE")
    until(lambda: np.abs(picture(turned, "input") - before).mean() > 1, "another picture")
    assert np.abs(picture(turned, "true front") - front).max() == 0
    until(lambda: not turned.locator(".speculo-stale").count(), "the curve of this head")
    explorer.keep("turned")


def test_the_explorers_can_be_read_by_everybody(explorer):
    assert faults_of(explorer.page, ".jp-OutputArea .speculo") == []


def test_every_control_is_reached_by_the_tab_key(explorer):
    """From the first one on, to the last one of each explorer, in the order that they stand in."""
    wanted = """part => {
        const all = "button, select, input, .noUi-handle, .widget-readout[contenteditable=true]";
        const stop = each => each.checkVisibility() && !each.disabled;
        window.wanted = [...part.querySelectorAll(all)].filter(stop);
        window.wanted[0].focus();
        return window.wanted.length;
    }"""
    for number in range(explorer.page.locator(".jp-OutputArea .speculo").count()):
        part = explorer.page.locator(".jp-OutputArea .speculo").nth(number)
        part.scroll_into_view_if_needed()
        count = part.evaluate(wanted)
        reached = []
        for _ in range(count):
            reached.append(explorer.page.evaluate("wanted.indexOf(document.activeElement)"))
            explorer.page.keyboard.press("Tab")
        assert reached == list(range(count)), number


def test_a_film_of_a_turning_head(explorer):
    """The README shows it: ``img/explorer.gif`` is a copy of what this keeps."""
    turned = part(explorer, "Turn the head")
    yaw = turned.locator(".widget-inline-hbox", has=explorer.page.locator("label:text-is('yaw')"))
    turned.get_by_role("checkbox", name="my-own").uncheck()
    until(lambda: not turned.locator(".speculo-stale").count(), "the curve of one run")
    frames = []
    for angle in [*range(-75, 76, 15), *range(60, -75, -15)]:
        before = stated(turned, "input itself")
        yaw.locator(".widget-readout").fill(str(angle))
        yaw.locator(".widget-readout").press("Enter")
        until(lambda: stated(turned, "input itself") != before, f"yaw {angle}")  # noqa: B023
        time.sleep(0.05)  # for the last of the pictures
        shot = Image.open(io.BytesIO(turned.screenshot())).convert("RGB")
        frames.append(shot.resize((shot.width * 3 // 4, shot.height * 3 // 4)))
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    film = SCREENSHOTS / "explorer.gif"
    frames = [frame.convert("P", palette=Image.Palette.ADAPTIVE, colors=96) for frame in frames]
    frames[0].save(film, save_all=True, append_images=frames[1:], duration=160, loop=0)
    assert film.stat().st_size < 1_000_000
    turned.get_by_role("checkbox", name="my-own").check()


def test_a_held_down_key_ends_at_the_newest_value(explorer):
    """It sends more events than can be drawn: the last one counts."""
    turned = part(explorer, "Turn the head")
    slide(turned, "yaw", "End")
    until(lambda: stated(turned, "input itself") != "0.0000", "a turned head")
    slide(turned, "yaw", "ArrowLeft", 90)  # from 90 degrees to the front
    until(lambda: stated(turned, "input itself") == "0.0000", "the front as its own input")
    assert np.abs(picture(turned, "input") - picture(turned, "true front")).max() <= 1


def test_stepping_through_people_by_the_keyboard_changes_everything(explorer):
    one = part(explorer, "One prediction")
    before, number = picture(one, "input"), stated(one, "input itself")
    slide(one, "photo", "ArrowRight")
    until(lambda: stated(one, "input itself") != number, "another photo")
    slide(one, "person", "ArrowRight")
    until(lambda: np.abs(picture(one, "input") - before).mean() > 1, "another person")
    explorer.keep("predictions")


def test_the_other_explorers_follow_their_sliders(explorer):
    two = part(explorer, "Between")
    before = picture(two, "between")
    slide(two, "direction 1", "End")
    until(lambda: np.abs(picture(two, "between") - before).max() > 0, "another drawing")
    two.get_by_role("button", name="directions to 0").click()
    until(lambda: np.abs(picture(two, "between") - before).max() == 0, "the first drawing")
    explorer.keep("between")
    training = part(explorer, "A training")
    run = training.locator("select").first
    run.select_option("my-own")
    until(lambda: "Epoch 2" in training.inner_text(), "the last epoch of the run")
    # The words can be there before the slider has moved: a key would move it from where it was.
    at = training.locator(".noUi-handle")
    until(lambda: float(at.get_attribute("aria-valuenow") or 0) == 2, "the slider at that epoch")
    slide(training, "epoch", "ArrowLeft")
    until(lambda: "Epoch 1" in training.inner_text(), "the epoch before")
    explorer.keep("epochs")
    runs_side = part(explorer, "Runs side")
    runs_side.get_by_role("checkbox", name="my-own").uncheck()
    until(lambda: runs_side.get_by_text("my-own, MSE").count() == 0
          or not runs_side.get_by_text("my-own, MSE").is_visible(), "one run less")  # fmt: skip
    explorer.keep("compare")


def test_photos_and_what_is_none_are_taken_or_named(explorer, tmp_path, orl):
    yours = part(explorer, "Your photo")
    (tmp_path / "notes.png").write_bytes(b"this is no picture\n" * 40)
    Image.new("L", (10_000, 10_000), 90).save(tmp_path / "large.png")
    Image.fromarray(orl.images[30]).resize((400, 400)).save(tmp_path / "face.jpg")
    wall = np.random.default_rng(0).integers(0, 255, (60, 80), dtype=np.uint8)
    Image.fromarray(wall).save(tmp_path / "wall.png")
    with (tmp_path / "film.mp4").open("wb") as film:
        film.truncate(300 * 2**20)

    def choose(name: str) -> None:
        upload(yours, tmp_path / name)

    before = picture(yours, "input")
    said, wrong = yours.get_by_role("status"), yours.locator(".speculo-wrong")
    faces = yours.locator(".speculo-face:visible")
    for name, why in (
        ("notes.png", "notes.png: not a picture"),
        ("large.png", "10000 x 10000 pixels"),
        ("film.mp4", "film.mp4: 300 MB, more than the 256 MB at most"),
    ):
        choose(name)
        until(lambda: wrong.count() and why in wrong.inner_text(), f"one line on {name}")  # noqa: B023
        until(lambda: not faces.count(), "no face that is not of this file")
        explorer.keep(f"upload-of-{Path(name).stem}")
    choose("wall.png")
    until(lambda: "No face was found in wall.png" in said.inner_text(), "that there is no face")
    until(lambda: faces.count() == 1, "the photo, and nobody near")
    assert wrong.count() and said.bounding_box()["y"] < faces.first.bounding_box()["y"]
    explorer.keep("upload-of-a-wall")
    yours.locator("select").nth(2).select_option("the whole photo")
    until(lambda: faces.count() == 8, "who is nearest, once that is asked for")
    assert said.inner_text() == "Shown: wall.png." and not wrong.count()
    choose("face.jpg")
    until(lambda: said.inner_text().startswith("Shown: face.jpg"), "the photo")
    until(lambda: faces.count() == 8, "its crop and its neighbours")
    until(lambda: np.abs(picture(yours, "input") - before).mean() > 1, "another picture")
    assert not wrong.count() and "people of orl, from whom this run has not" in yours.inner_text()
    explorer.keep("upload-of-a-photo")


def test_a_photo_that_was_chosen_is_not_saved_with_the_widgets(explorer, notebooks, tmp_path, orl):
    yours, notebook = part(explorer, "Your photo"), notebooks / f"{EXPLORER}.ipynb"
    Image.fromarray(orl.images[300]).resize((300, 340)).save(tmp_path / "mum and me.png")
    content = (tmp_path / "mum and me.png").read_bytes()
    upload(yours, tmp_path / "mum and me.png")
    until(lambda: "mum and me.png" in yours.inner_text(), "the photo")
    yours.locator("select").nth(2).select_option("the whole photo")
    until(lambda: yours.locator(".speculo-face:visible").count() == 8, "the crop")

    def saved() -> dict:
        with suppress(ValueError):  # while it is being written
            metadata = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
            return metadata.get("widgets", {"": {}}).popitem()[1].get("state", {})
        return {}

    def nearest_is_saved() -> bool:
        explorer.page.keyboard.press("Control+s")
        time.sleep(1)
        nearest = yours.locator(".speculo-face").nth(3).inner_text().strip()  # it may still change
        return nearest in json.dumps(saved())

    until(nearest_is_saved, "the state of the widgets")
    state, text = saved(), notebook.read_text(encoding="utf-8")
    assert "mum and me" not in text and base64.b64encode(content)[:200].decode() not in text
    buffers = [each["data"] for one in state.values() for each in one.get("buffers", ())]
    pictures = [Image.open(io.BytesIO(base64.b64decode(data))) for data in buffers]
    assert pictures and max(max(each.size) for each in pictures) < 300, "no photo, faces only"
    crop = images.cut(images.read_whole(content, 640), (0, 0, 300, 340), 32).astype(int)
    shown = [np.asarray(each.convert("L")) for each in pictures if each.size == (32, 32)]
    assert min(np.abs(crop - each).mean() for each in shown) > 1


HOSTILE = r"""
from dataclasses import replace
import shutil, tempfile, ipywidgets
from pathlib import Path
from speculo import pairs
from speculo.runs import Run
bad = r"z<img src=x onerror='document.title=1'>$\frac{a}{b}$"
mine = Run(Path(tempfile.mkdtemp()) / bad)
shutil.copytree(runs.open("my-own").path, mine.path)
people = replace(faces, name=bad, names=tuple(f"{bad}{name}" for name in faces.names))
named = {bad: pairs.split(people)}
kinds = (widgets.predictions, widgets.epochs, widgets.between, widgets.compare)
ipywidgets.VBox([widgets.turn([mine], sets[rendered.name]), *(kind([mine], named) for kind in kinds)])
"""


def run_below(page: "playwright.Page", code: str) -> None:
    """Run code in a new cell at the end of the notebook."""
    cells = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")
    cells.last.scroll_into_view_if_needed()
    cells.last.locator(".cm-content").click()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")


def test_a_name_is_text_in_the_browser_too(explorer):
    page = explorer.page
    title = page.title()
    run_below(page, HOSTILE.strip())
    made = page.locator(".jp-OutputArea .speculo")
    until(lambda: made.count() == 11, "five more explorers", 60)
    for number in range(6, 11):
        made.nth(number).scroll_into_view_if_needed()
    until(lambda: "z<img src=x" in made.nth(10).inner_text(), "the name as text")
    assert not page.locator("img[src='x']").count() and not page.locator("mjx-container").count()
    assert page.title() == title
    explorer.keep("hostile-names")


def test_a_photo_without_an_answer_is_no_silence(explorer, tmp_path, orl):
    """While a cell runs, nothing that is chosen is answered."""
    page, yours = explorer.page, part(explorer, "Your photo")
    Image.fromarray(orl.images[40]).save(tmp_path / "late.png")
    run_below(page, "import time\nyours.controls['upload'].patience = 1\ntime.sleep(5)")
    said = yours.get_by_role("status")
    upload(yours, tmp_path / "late.png")
    until(lambda: said.inner_text().startswith("No answer yet"), "that there is no answer")
    until(lambda: "late.png" in said.inner_text(), "the answer")


def test_a_photo_of_many_megabytes_arrives(explorer, tmp_path):
    """In one message the server would refuse it, and close the connection without a word."""
    yours = part(explorer, "Your photo")
    noise = np.random.default_rng(0).integers(0, 256, (3000, 3000, 2), dtype=np.uint8)
    Image.fromarray(noise, "LA").save(tmp_path / "big.png", compress_level=1)
    assert (tmp_path / "big.png").stat().st_size > 15_000_000
    upload(yours, tmp_path / "big.png")
    until(lambda: "big.png" in yours.inner_text(), "the large photo", 40)


def test_dark_and_narrow(explorer):
    page = explorer.page
    page.set_viewport_size({"width": 420, "height": 900})
    if page.locator("#jp-left-stack").is_visible():
        page.keyboard.press("Control+b")  # folds the side bar
        page.locator("#jp-left-stack").wait_for(state="hidden")
    for number, title in enumerate(("Turn the head", "Runs side")):
        shown = part(explorer, title)
        over = "e => e.scrollWidth - e.clientWidth"
        until(lambda: shown.evaluate(over) <= 1, f"{title} fits into a narrow window")  # noqa: B023
        assert shown.bounding_box()["width"] < 420
        explorer.keep(f"narrow-{number}")
    page.set_viewport_size({"width": 1280, "height": 900})
    menu(explorer, "Settings", "Theme")
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^JupyterLab Dark$")).click()
    page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")
    for number, title in enumerate(("Turn the head", "One prediction", "Runs side")):
        part(explorer, title)
        time.sleep(0.3)
        explorer.keep(f"dark-{number}")


# ---- the HTML pages


@pytest.fixture(scope="module")
def pages(small_home) -> Path:
    """The pages, of what the repository holds."""
    if not all(chapter.notebook.is_file() for chapter in book.chapters()):
        pytest.skip("a chapter is not published yet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECULO_HOME", str(small_home))
        book.html(library=True)
    return small_home / "build" / "html"


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_page_is_whole_on_a_phone_and_asks_nobody(name, pages, browser):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    window = Window(page)
    try:
        page.goto((pages / f"{name}.html").as_uri(), wait_until="networkidle")
        outside = [
            url for url in window.requests if not url.startswith(("file:", "data:", "blob:"))
        ]
        assert outside == [] and window.errors == []
        broken = page.eval_on_selector_all(
            "img", "all => all.filter(i => !i.complete || !i.naturalWidth || !i.alt).length"
        )
        assert broken == 0
        alts = page.eval_on_selector_all("img", "all => all.map(i => i.alt)")
        assert not [alt for alt in alts if "No description" in alt]
        for link in page.eval_on_selector_all("a", "all => all.map(a => a.getAttribute('href'))"):
            target = (link or "").split("#")[0]
            if target and not target.startswith("http"):
                assert (pages / target).is_file(), target
        menu = page.locator("nav[aria-label=Chapters]")
        assert menu.locator("a, b").count() == len(CHAPTERS) + 1  # and the library
        over = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert over <= 1, f"{over} pixels to scroll sideways"
        window.keep(f"page-{name}")
    finally:
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*CHAPTERS, "search", "library/speculo/pairs"])
def test_a_page_can_be_read_by_everybody(name, scheme, pages, browser):
    asked = "?q=ridge" if name == "search" else ""
    assert faults(browser, (pages / f"{name}.html").as_uri() + asked, scheme) == []


def test_the_search_leads_from_any_page_to_a_section(pages, browser):
    page = browser.new_page()
    window = Window(page)
    try:
        page.goto((pages / f"{CHAPTERS[3]}.html").as_uri())
        page.get_by_role("searchbox").fill("Ridge REGRESSION")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?q=*")
        links = page.locator("#found a")
        assert links.count() > 1 and page.locator("#found mark").count() > 1
        links.first.click()
        page.wait_for_url("**/*.html#*")
        anchor = urllib.parse.unquote(page.url.split("#")[1])
        assert page.locator(f'[id="{anchor}"]').is_visible()
        page.go_back()
        for asked, said in (("rank-1", r"^[1-9]\d* sections?\.$"), (r"([\-", r"^No sections\.$")):
            page.get_by_role("searchbox").fill(asked)
            playwright.expect(page.locator("#count")).to_have_text(re.compile(said))
        assert window.errors == []
    finally:
        page.close()


def test_the_menu_of_the_pages_leads_through_the_book(pages, browser):
    page = browser.new_page()
    try:
        page.goto((pages / "index.html").as_uri())
        page.wait_for_url(f"**/{CHAPTERS[0]}.html")
        for name in CHAPTERS[1:]:
            page.locator("nav[aria-label='Before and after'] a").last.click()
            page.wait_for_url(f"**/{name}.html")
    finally:
        page.close()
