"""The command line: parsing and printing only; the work is in the library's modules."""

from __future__ import annotations


def main() -> None:
    """Runs the command ``imgsim``."""
    from imgsim_ops.cli.app import app

    app(prog_name="imgsim")
