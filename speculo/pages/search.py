"""A page that searches the chapters, in the reader's browser."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from bs4 import BeautifulSoup, NavigableString, Tag

HERE = Path(__file__).parent
NAME = "search.html"
"""Where the page stands, beside those of the chapters."""


def sections(name: str, title: str, page: str) -> list[dict[str, str]]:
    """Cut the page of a chapter into its sections, for searching.

    Parameters
    ----------
    name, title : str
        Of the chapter.
    page : str
        HTML, as ``pages.page`` makes it.

    Returns
    -------
    list of dict
        ``chapter``, ``title``, ``address`` and ``text`` (also code and what it printed) of each.
    """
    soup = BeautifulSoup(page, "html.parser")
    for each in soup.select("details.contents"):  # its titles stand at the sections themselves
        each.decompose()
    main = soup.find("main")
    found = [{"title": title, "address": f"{name}.html", "text": ""}]
    for node in main.descendants if isinstance(main, Tag) else ():
        if isinstance(node, Tag) and node.name == "h2" and node.get("id"):
            heading = node.get_text().removesuffix("¶")
            found.append({"title": heading, "address": f"{name}.html#{node['id']}", "text": ""})
        elif type(node) is NavigableString and node.find_parent(["h1", "h2"]) is None:
            found[-1]["text"] += node
    return [
        {"chapter": title, **each, "text": " ".join(each["text"].split())}
        for each in found
        if each["text"].strip()
    ]


def page(
    chapters: Sequence[Any],
    found: Sequence[Mapping[str, str]],
    look: str,
    library: str | None = None,
) -> str:
    """Write the page that searches.

    Parameters
    ----------
    chapters : sequence of Chapter
        Of the whole book, for the menu: each with a ``name`` and a ``title``.
    found : sequence of mapping
        The `sections` of all chapters.
    look : str
        CSS.
    library : str, optional
        Where the reference of the library stands, for the menu.

    Returns
    -------
    str
        HTML. It runs its own script alone, which the hash in its head names.
    """
    script = (HERE / "search.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("search.html.j2").render(
        chapters=chapters,
        sections=list(found),
        look=look,
        library=library,
        script=script,
        digest=f"sha256-{digest}",
    )
