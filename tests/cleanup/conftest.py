"""What the tests of cleaning up share."""

import pytest


@pytest.fixture(autouse=True)
def trash(tmp_path, monkeypatch):
    """The trash of this test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "Trash"
