"""What several tests share: pictures and collections made for them, stubs, child processes, a browser."""

from pathlib import Path

#: The checkout. Processes of their own that the tests start find ``tests.support`` from here.
ROOT = Path(__file__).resolve().parents[2]
