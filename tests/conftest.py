"""Model files that the tests build go to a cache of their own, shared by one run of the suite."""

import os
import signal
import tempfile
import threading

import pytest

from tests.support.processes import children

# Before PyTorch is loaded. Two workers and their children have more threads than there are processors, and OpenMP's
# threads would spin for each other's time: tests that compute took a third less with this.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session", autouse=True)
def model_cache(tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    # The workers of pytest-xdist have one together, and who needs a model first builds it.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMGSIM_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """A shell lets what it starts in the background ignore Ctrl-C, and so would all that the tests start."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def browser():
    from tests.support.browser import chromium  # Playwright, which few tests need

    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser):
    from tests.support.browser import new_page

    with new_page(browser) as page:
        yield page


@pytest.fixture
def nothing_left(monkeypatch, tmp_path_factory):
    """No process, thread or temporary file may be left by a test."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before, threads = children(), set(threading.enumerate())
    yield
    assert children() <= before
    assert set(threading.enumerate()) <= threads
    assert os.listdir(folder) == []
