"""Processes that are killed in the middle, for programs of their own: a process with threads must not fork."""

import itertools
import os
import signal
import sys
import traceback

CALLS = (
    "link",
    "unlink",
    "replace",
    "rename",
    "write",
    "fsync",
    "open",
    "mkdir",
    "rmdir",
    "utime",
    "chmod",
    "ftruncate",
)


def kill_before(number):
    """Lets this process die by SIGKILL before its `number`-th call, from 0, of one of `CALLS`."""
    counter = itertools.count()

    def wrap(function):
        def call(*arguments, **options):
            if next(counter) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    for name in CALLS:
        setattr(os, name, wrap(getattr(os, name)))


def forked(work):
    """Starts a process that ends with the number that `work` returns; returns its id."""
    process = os.fork()
    if process == 0:
        code = 99
        try:
            code = work()
        except Exception:  # noqa: BLE001  whatever it is, the parent must hear of it by the exit code
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return process


def ended(process):
    """Waits for a process; returns None when it was killed, else its exit code."""
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else None
