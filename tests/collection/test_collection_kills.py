"""kill -9 at any moment loses at most the batch in flight and corrupts nothing."""

import os
import subprocess
import sys

import pytest

from tests.support import ROOT
from tests.support.tries import tries

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
KILLS = tries(200)
KILLS_OF_CHANGES = tries(25)


def test_killed_at_random_moments(tmp_path):
    command = [
        sys.executable,
        ROOT / "tests" / "support" / "collection_kills.py",
        tmp_path,
        str(KILLS),
        str(KILLS_OF_CHANGES),
    ]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # whose threads would not fork
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    indexing, compact, recipe = map(int, result.stdout.split())
    assert indexing == KILLS
    assert compact >= 5 + KILLS_OF_CHANGES  # before each call that counts, and at random moments
    assert recipe >= 5 + KILLS_OF_CHANGES
