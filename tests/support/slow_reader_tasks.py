"""`reader_tasks` of a reader that takes its time to start."""

import time

from tests.support.reader_tasks import act

__all__ = ["act"]
time.sleep(0.6)
