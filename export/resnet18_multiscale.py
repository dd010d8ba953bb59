"""Writes the multi-scale extractor as files that other programs run: ``imgsim export`` under another name.

Example:
    python export/resnet18_multiscale.py --out resnet18_multiscale.onnx

Without ``--out`` it writes ``resnet18_multiscale.onnx`` and its twin in standard operators,
``resnet18_multiscale.plain.onnx``; with ``--out resnet18_multiscale.pt`` the TorchScript file that imgsim_app runs.
"""

from __future__ import annotations

import sys

from imgsim_ops.cli.app import app


def main(arguments: list[str] | None = None) -> None:
    """Runs the recipe and ends the process with its exit code."""
    app(["export", *(sys.argv[1:] if arguments is None else arguments)], prog_name="imgsim")


if __name__ == "__main__":
    main()
