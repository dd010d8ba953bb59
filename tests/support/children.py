"""Runs code in a fresh interpreter: another environment, its own memory, or a crash that must not end the tests."""

import os
import subprocess
import sys

from tests.support import ROOT


def python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs `code` where ``from tests.support import ...`` works; `environment` is added to this one's."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def succeed(code: str, *arguments: str, **environment: str) -> str:
    """What `code` prints; fails the test when it does not end well."""
    child = python(code, *arguments, **environment)
    assert child.returncode == 0, child.stderr
    return child.stdout
