"""What a reader finds in the repository: pairs that belong together, and one place for each fact."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml
from conftest import ROOT
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from speculo import book, runs

CHAPTERS = book.chapters()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ARRAYS = {
    "data/recorded/fingerprint/best.npz",
    "data/recorded/v8-mended-8th-heads/best.npz",
    "speculo/sources/heads/heads.npz",
}
"""Weights, and the meshes of heads: no photographs."""
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(params=CHAPTERS, ids=lambda chapter: chapter.name)
def chapter(request):
    return request.param


@pytest.fixture
def notebook(chapter):
    return nbformat.read(chapter.notebook, as_version=4)


def test_a_pair_has_the_same_cells(chapter, notebook):
    script = jupytext.read(chapter.script)

    def cells(each):
        return [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in each.cells]

    assert cells(script) == cells(notebook)


def test_a_notebook_is_valid_executed_and_without_error(notebook):
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata  # no state, which can hold what a reader chose
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error"]


def test_a_notebook_has_the_kernel_that_everybody_has(chapter, notebook):
    assert notebook.metadata.kernelspec.name == "python3"
    assert "name: python3" in chapter.script.read_text(encoding="utf-8")


def test_a_notebook_holds_no_path_of_a_machine(chapter):
    text = chapter.notebook.read_text(encoding="utf-8")
    assert str(ROOT) not in text and str(Path.home()) not in text
    assert not re.findall(r"(?:/home/|/Users/|/tmp/|[A-Z]:\\\\)[\w./-]*", text)


def test_a_chapter_has_the_parts_of_a_chapter(chapter):
    text = chapter.script.read_text(encoding="utf-8")
    assert chapter.title and chapter.shows.endswith(".")
    assert "# ## What we learned" in text
    following = CHAPTERS.index(chapter) + 1
    if following < len(CHAPTERS):
        assert f"# Next: [{CHAPTERS[following].title}]({CHAPTERS[following].name}.ipynb)" in text
    code = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(code) <= 170


def test_every_exercise_has_its_solution_in_the_last_chapter():
    *asking, answering = CHAPTERS
    solutions = answering.script.read_text(encoding="utf-8")
    solved = dict(re.findall(r"^# ## (\d\d .+)\n((?:(?!# ## ).*\n)*)", solutions, re.MULTILINE))
    for number, each in enumerate(asking):
        text = each.script.read_text(encoding="utf-8")
        exercises = re.search(
            r"^# ## Exercises\n((?:#.*\n)+?)# Solutions: (.+)\.$", text, re.MULTILINE
        )
        asked = re.findall(r"^# \*\*(.+?)\.\*\*", exercises[1], re.MULTILINE)
        assert asked == [f"{number}.{place}" for place in range(1, len(asked) + 1)]
        assert (
            1 <= len(asked) <= 2 and exercises[2] == f"[{answering.title}]({answering.name}.ipynb)"
        )
        assert re.findall(r"^# \*\*([\d.]+)\.\*\*", solved[each.title], re.MULTILINE) == asked


def test_a_parameter_is_one_line_and_means_the_same_in_every_chapter():
    comments = {}
    for each in CHAPTERS:
        (cell,) = [
            c
            for c in jupytext.read(each.script).cells
            if "parameters" in c.metadata.get("tags", [])
        ]
        for line in cell.source.splitlines():
            name, comment = re.fullmatch(r"(\w+) = \S+  # (\S.*)", line).groups()
            assert len(line) <= 100, line
            assert comments.setdefault(name, comment) == comment, f"{each.name}: {name}"


PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (".", "data", "benchmarks", "speculo/sources/heads")
    for path in (ROOT / folder).glob("*.md")
)


def anchors(page: Path) -> set[str]:
    """The anchors that a page has for its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {each.replace(" ", "-") for each in plain}


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_somewhere(page):
    path = ROOT / page
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES)
def test_a_picture_is_described_to_those_who_do_not_see_it(page):
    for alt, name in re.findall(r"!\[([^]]*)\]\(([^)]+)\)", (ROOT / page).read_text("utf-8")):
        assert len(alt.split()) >= 5, name


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert f"\n## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_container_has_a_python_that_the_book_takes():
    path = ROOT / ".devcontainer" / "devcontainer.json"
    image = json.loads(path.read_text(encoding="utf-8"))["image"]
    assert Version(image.rpartition(":")[2]) in SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("script", ["run", "newest"])
def test_a_script_of_ci_is_a_script(script):
    path = ROOT / ".ci" / script
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", path], check=True)


def test_links_between_chapters_lead_somewhere(chapter):
    for link in re.findall(r"\]\(([^)#]+\.ipynb)\)", chapter.script.read_text(encoding="utf-8")):
        assert (chapter.script.parent / link).is_file(), link


def test_the_readme_has_the_chapters_with_the_times_of_their_notebooks():
    assert book.contents() in README


def test_every_file_that_the_readme_names_is_there():
    for link in re.findall(r"\]\(((?!http)[^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_images_have_alt_text():
    for path in (ROOT / "README.md", *(chapter.script for chapter in CHAPTERS)):
        assert "![](" not in path.read_text(encoding="utf-8")


def test_the_conda_environment_names_no_version_of_its_own():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, packages = environment["dependencies"]
    assert python == f"python {PROJECT['requires-python']}" and pip == "pip"
    assert packages == {"pip": ["--constraint constraints.txt", "--editable .[test]"]}
    assert environment["channels"] == ["conda-forge"]


def test_constraints_are_names_and_versions_and_cover_every_dependency():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines)
    pinned = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines}
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    assert {re.match(r"[\w-]+", name)[0].lower() for name in wanted} <= pinned


def unexplained(dependencies: str) -> list[str]:
    """Find the dependencies that no comment explains, neither on their line nor above their group."""
    found, heading, begun = [], "", False
    for line in dependencies.splitlines():
        before, _, comment = line.partition("#")
        if not line.strip():  # the end of a group
            heading, begun = "", False
        elif not before.strip():  # a line of a heading
            heading, begun = comment if begun else f"{heading} {comment}", False
        else:
            begun = True
            if not re.search(r"\bchapters?\b|\bthe book\b", f"{heading} {comment}"):
                found.append(before.strip())
    return found


def test_every_dependency_says_who_needs_it():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[\n(.+?)^\]", text, re.DOTALL | re.MULTILINE)[1]
    assert len(re.findall(r'^    "', block, re.MULTILINE)) == len(PROJECT["dependencies"])
    assert not unexplained(block)
    for extra in ("gpu", "backends"):
        assert not unexplained(re.search(rf"^{extra} = .+$", text, re.MULTILINE)[0])


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ('"a",', '"a", # chapter 03'),
        ('"a", # a fine one', '"a", # the book itself'),
        ('# chapter 03\n\n"a",', '# chapter 03\n"b",\n"a", # a fine one'),
        ('# chapter 03\n"b",\n# for nobody\n"a",', '# for nobody\n"a", # chapter 03'),
        ('# a heading\n# of two lines\n"a",', '# a heading of\n# chapter 03\n"a",'),
    ],
)
def test_a_dependency_that_nobody_explained_is_found(bad, good):
    assert unexplained(bad) and not unexplained(good)


def paths_in(text: str) -> set[str]:
    """Find what looks like a file of the project in a text, but for what is made while it runs."""
    text = re.sub(r"https?://\S+", "", text)
    endings = "py|ipynb|md|toml|txt|ya?ml|png|gif|csv|npz"
    names = re.findall(rf"(?<![\w./-])(?:[\w.-]+/)*[A-Za-z_][\w.-]*\.(?:{endings})\b", text)
    made = ("build/", "runs/", "data/my_faces/", "notebooks/NN_name.", "NN_name.")
    return {name for name in names if not name.startswith(made)}


@pytest.mark.parametrize(
    "page", ["README.md", "Makefile", ".ci/run", "data/README.md", "benchmarks/README.md"]
)
def test_every_path_that_is_named_is_there(page, kept):
    named = paths_in((ROOT / page).read_text(encoding="utf-8"))
    assert len(named) > 2
    bare = {Path(name).name for name in kept}  # a name alone may stand for a file of any folder
    assert not [name for name in named if name not in (kept if "/" in name else bare)]


def test_a_path_in_a_comment_of_a_script_is_seen():
    assert paths_in(
        "so that tests/test_nothing.py does not skip. See https://a.b/c.py, build/d.md"
    ) == {"tests/test_nothing.py"}


def test_every_picture_is_shown_somewhere():
    pictures = {path.name for path in (ROOT / "img").iterdir()}
    assert pictures <= book.shown_pictures()


def test_every_benchmark_has_a_line_on_its_page():
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "benchmarks").glob("*.py"):
        assert f"benchmarks/{path.name}" in page


@pytest.fixture(scope="module")
def kept() -> set[str]:
    """Paths of the files that git keeps, or would keep."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.splitlines() if (ROOT / name).is_file()}


def test_no_photograph_is_in_the_repository(kept):
    assert not [name for name in kept if name.endswith((".jpg", ".jpeg", ".pgm", ".h5"))]
    assert {name for name in kept if name.endswith(".npz")} <= ARRAYS
    places = r"img/|data/recorded/[\w.-]+/(img|snapshots)/"
    assert all(re.match(places, name) for name in kept if name.endswith(".png"))


def test_what_is_recorded_is_small_and_says_what_it_is():
    for record in (ROOT / "data" / "recorded").glob("*/run.json"):
        run = runs.recorded(record.parent.name)
        assert run.config.name and (run.path / "README.md").is_file()
        assert sum(path.stat().st_size for path in run.path.rglob("*")) < 8e6
        for name in run.record.get("sha256", {}):
            assert (run.path / name).stat().st_size <= 5e6
