"""What axe finds wrong with a page: faults that keep people from reading it."""

import pytest


def faults(browser, address: str, scheme: str = "light") -> list[str]:
    """Open a page, and list its serious faults: which rule, and where first."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is not installed"
    )
    # axe is a script, and the pages allow none.
    context = browser.new_context(bypass_csp=True, color_scheme=scheme)
    try:
        page = context.new_page()
        page.goto(address)
        found = axe.Axe().run(page).response["violations"]
    finally:
        context.close()
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
