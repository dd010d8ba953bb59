"""Ctrl-C at moments that leave things whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class DeferredInterrupt:
    """A context in which Ctrl-C waits for `welcome`, so that what is written has no line missing and none twice.

    Only in the main thread, which alone gets Ctrl-C, and only where that does something.

    Attributes:
        pending: Ctrl-C has come.
    """

    def __init__(self) -> None:
        self.pending = False
        self._welcome = False
        self._before: Any = signal.getsignal(signal.SIGINT)
        self._installed = callable(self._before) and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> DeferredInterrupt:
        if self._installed:
            signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        # The handler before may have set another meanwhile, to end with.
        if self._installed and signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, self._before)

    @contextmanager
    def welcome(self) -> Iterator[None]:
        """A context in which Ctrl-C does at once what it would do otherwise, also one that came before."""
        if self.pending:
            self._before(signal.SIGINT, None)
        self._welcome = True
        try:
            yield
        finally:
            self._welcome = False

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """A context inside `welcome` in which Ctrl-C waits again, until the end of this one."""
        welcome, self._welcome = self._welcome, False
        try:
            yield
        finally:
            self._welcome = welcome
        if welcome and self.pending:
            self._welcome = False
            self._before(signal.SIGINT, None)

    def _handle(self, number: int, frame: object) -> None:
        self.pending = True
        if self._welcome:
            self._welcome = False
            self._before(number, frame)


def interrupt_once(number: int, frame: object) -> None:
    """A handler for a program that ends with the first Ctrl-C: a second one must not disturb its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
