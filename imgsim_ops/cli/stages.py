"""Showing on a terminal what is going on."""

from __future__ import annotations

from typing import Any

from imgsim_ops.cli.console import LateProgress, waiting


class Stages:
    """Shows on a terminal what is going on, one stage after the other; a context.

    Called as ``find_duplicates`` calls its progress.
    """

    def __init__(self) -> None:
        self._stage: tuple[str, int] | None = None
        self._shown: Any = None

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shown is not None:
            self._shown.__exit__(None, None, None)
        self._stage = self._shown = None

    def __call__(self, what: str, done: int, total: int) -> None:
        """Shows that `done` of `total` are done; a total of 0 is not known."""
        if self._stage != (what, total):
            self.__exit__()
            self._stage = what, total
            self._shown = LateProgress(what, total) if total else waiting(what)
            self._shown.__enter__()
        if total:
            self._shown(done)
