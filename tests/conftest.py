"""Model files that the tests build go to a cache of their own, shared by one run of the suite."""

import os
import tempfile
import threading

import pytest
from processes import children


@pytest.fixture(scope="session", autouse=True)
def model_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("IMGSIM_CACHE", str(folder))
        yield folder


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
