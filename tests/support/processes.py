"""Which processes there are, by /proc, waiting for what other processes do, and what memory this one takes."""

import os
import time
import tracemalloc
from contextlib import contextmanager

import pytest

needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")


def _parents():
    """The parent of each process, zombies among them."""
    found = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                found[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:  # it has ended since
            pass
    return found


def children(of=None):
    """The ids of a process's children, zombies among them; of this process by default."""
    of = os.getpid() if of is None else of
    return {child for child, parent in _parents().items() if parent == of}


def peak_memory(process="self"):
    """The most memory that a process has held so far, in bytes."""
    with open(f"/proc/{process}/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))


def wait_until(condition, seconds=20):
    """Waits until a condition holds; it must within so many seconds. Returns what it gave."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{condition} within {seconds} s"
        time.sleep(0.01)
    return value


@contextmanager
def little_memory():
    """A context in which Python must not have taken 4 MiB at any time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()
