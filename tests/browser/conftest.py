"""Pages in a real browser: Chromium by Playwright, asked for with `make test-browser`."""

import os
import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def pytest_collection_modifyitems(items):
    """Skip what is here where nobody asked for it, or where there is no browser."""
    why = None
    if not os.environ.get("MIATLAS_BROWSER"):
        why = "opens a browser: ask for it with `make test-browser`"
    elif not CHROMIUM:
        why = "needs Chromium (on Debian: apt-get install chromium)"
    for item in items:
        if why and HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium that is not allowed to look anything up."""
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=options)
        yield found
        found.close()
