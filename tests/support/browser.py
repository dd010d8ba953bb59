"""A headless Chromium, driven by Playwright."""

import os
import shutil
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",  # root in a container has none
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
]


def find_chromium():
    """Its path; where there is none the test is skipped, or fails if ``IMGSIM_REQUIRE_BROWSER`` is set."""
    if path := next((path for name in NAMES if (path := shutil.which(name))), None):
        return path
    reason = f"needs Chromium, as one of {', '.join(NAMES)}"
    pytest.fail(reason) if os.environ.get("IMGSIM_REQUIRE_BROWSER") else pytest.skip(reason)


@contextmanager
def chromium():
    path = find_chromium()
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=path, args=FLAGS) as browser:
        yield browser


@contextmanager
def new_page(browser, told_nothing=True, **options):
    """A page that remembers nothing, in which no script may fail and from which nothing may be fetched.

    With ``told_nothing=False`` it may complain, of what its policy forbids.
    """
    with browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options}) as context:
        page = context.new_page()
        told, fetched = [], []
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("console", lambda message: told.append(message.text))  # also what the page's policy forbids
        page.on("request", lambda request: fetched.append(request.url))
        yield page
        page.evaluate("0")  # events come in order: all until now have then been heard
        assert told == [] or not told_nothing
        assert [url for url in fetched if not url.startswith(("file:", "data:", "blob:"))] == []


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def settle(page):
    """Waits until what was changed is laid out and painted."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
