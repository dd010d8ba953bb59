"""The command line: parsing and printing only; the work is in the library's modules."""

from __future__ import annotations


def main() -> None:
    """Runs the command ``imgsim``."""
    import signal

    from imgsim_ops.files.interrupts import interrupt_once

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, as in a shell's background
        signal.signal(signal.SIGINT, interrupt_once)

    from imgsim_ops.cli.app import app

    app(prog_name="imgsim")
