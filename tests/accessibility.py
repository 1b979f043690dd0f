"""What axe finds wrong with a page: faults that keep people from reading it."""

import pytest


def faults(browser, address: str, scheme: str = "light") -> list[str]:
    """Open a page, and list its serious faults: which rule, and where first."""
    # axe is a script, and the pages allow none.
    context = browser.new_context(bypass_csp=True, color_scheme=scheme)
    try:
        page = context.new_page()
        page.goto(address)
        return faults_of(page)
    finally:
        context.close()


def faults_of(page, part: str | None = None) -> list[str]:
    """List the serious faults of an open page, or of the parts that a selector names."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is not installed"
    )
    found = axe.Axe().run(page, context=part).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
