"""The command line: parsing and printing only; the work is in the library's modules."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Runs the command ``imgsim``."""
    _open_streams()
    import signal

    from imgsim_ops.files.interrupts import interrupt_once

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, as in a shell's background
        signal.signal(signal.SIGINT, interrupt_once)

    from imgsim_ops.cli.app import app

    app(prog_name="imgsim")


def _open_streams() -> None:
    """Lets standard streams that were closed lead nowhere.

    Else the next file that is opened takes the number of one, and what is printed would go into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # the lowest number that is free is taken, for processes that are started too
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # until the process ends
