"""How the library is built: rooms in the order of the README's layout, none too large."""

import ast
import graphlib
import re
from pathlib import Path

from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
LAYOUT = re.findall(r"^  ((?:\w+(?:\.py|/)(?:, )?)+)", README.split("## Layout")[1], re.MULTILINE)
FLOORS = {Path(name).stem: floor for floor, line in enumerate(LAYOUT) for name in line.split(", ")}
"""Each room of ``speculo/``, with its line in the README's layout, counted from above."""


def imports() -> dict[str, set[str]]:
    """Find which modules of the library each of them imports, also within functions."""
    modules = {}
    for path in (ROOT / "speculo").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found = {}
    for module, path in modules.items():
        names = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                full = {f"{node.module}.{each.name}" for each in node.names}
                names |= {name if name in modules else node.module for name in full}
        found[module] = names & set(modules)
    return found


def room(module: str) -> str:
    """Name the room that a module is in: that of ``speculo.load`` for the package itself."""
    return (module.split(".") + ["sources"])[1]


IMPORTS = imports()


def test_the_layout_names_every_room_once():
    rooms = [path for path in (ROOT / "speculo").iterdir() if not path.name.startswith("_")]
    assert sorted(FLOORS) == sorted(path.stem for path in rooms)
    assert len(FLOORS) == sum(len(line.split(", ")) for line in LAYOUT)


def test_a_room_imports_only_from_those_above_it_in_the_layout():
    for module, imported in IMPORTS.items():
        for each in imported:
            assert FLOORS[room(each)] <= FLOORS[room(module)], f"{module} imports {each}"


def test_modules_do_not_import_in_a_circle():
    graphlib.TopologicalSorter(IMPORTS).prepare()


def test_no_module_and_no_function_is_too_long_to_be_read_at_once():
    too_long = []
    for path in (ROOT / "speculo").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if (lines := len(text.splitlines())) > 450:
            too_long.append(f"{path.name}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 80:
                lines = node.end_lineno - node.lineno + 1
                too_long.append(f"{path.name}, {node.name}: {lines} lines")
    assert not too_long
