"""One writer at a time."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import filelock

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.files.writing import write_file


class WriterLock:
    """The right to change a collection; the system takes it back from a process that dies."""

    def __init__(self, folder: Path, wait: bool = False, announce: Callable[[str], None] = lambda line: None) -> None:
        """Takes the lock.

        Args:
            folder: The collection.
            wait: Wait until it is free.
            announce: Called with one line before it waits.

        Raises:
            ImgsimError: Another process has it, and is named.
            ImgsimError: The folder cannot be written.
        """
        self._holder = folder / "writer.json"
        self._lock = filelock.FileLock(folder / "writer.lock")
        if not os.access(folder, os.W_OK | os.X_OK):  # filelock would wait for ever
            raise ImgsimError(f"collection: the folder must be writable (got {printable(folder)})")
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            if not wait:
                raise ImgsimError(
                    f"collection: must have one writer at a time (got {printable(folder)}, "
                    f"in use by {self._who()}); --wait waits for it"
                ) from None
            announce(f"Waiting for {self._who()}, which writes to {printable(folder)}")
            self._lock.acquire()
        try:
            facts = {"process": os.getpid(), "host": socket.gethostname(), "since": time.time()}
            with suppress(OSError):  # a full disk must not keep a collection from being compacted
                self._holder.unlink(missing_ok=True)
                write_file(self._holder, json.dumps(facts).encode())
        except BaseException:
            self._lock.release()
            raise

    def release(self) -> None:
        """Gives it back."""
        with suppress(OSError):  # the next holder does it
            self._holder.unlink(missing_ok=True)
        self._lock.release()

    def _who(self) -> str:
        try:
            facts = json.loads(self._holder.read_bytes())
            since = time.strftime("%H:%M:%S", time.localtime(facts["since"]))
            return f"process {facts['process']} on {facts['host']} since {since}"
        except (OSError, ValueError, LookupError, TypeError):  # it is just beginning, or ending
            return "another process"
