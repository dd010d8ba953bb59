"""Writes the multi-scale extractor as files that other programs run.

Example:
    python export/resnet18_multiscale.py --out resnet18_multiscale.pt

The file is a TorchScript module with the methods ``forward`` (the embedding) and ``with_layers`` (the
embedding and the pooled vector of each of the four taps). Both take raw pixels, uint8 RGB (N, 224, 224, 3).
Its member ``imgsim.json`` says what it is. Whoever loads it must load the imgsim operators first: in Python by
``import imgsim_ops.ops``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from imgsim_ops.engines.torchscript import save
from imgsim_ops.errors import ImgsimError
from imgsim_ops.models.backbones import BACKBONES
from imgsim_ops.models.extractor import build_extractor


def main(arguments: list[str] | None = None) -> int:
    """Runs the recipe; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the multi-scale extractor as a TorchScript file.")
    parser.add_argument("--out", type=Path, default=Path("resnet18_multiscale.pt"), help="the file to write")
    parser.add_argument("--backbone", choices=list(BACKBONES), default="resnet18")
    parser.add_argument("--weights", help="a state dict, or random:SEED (default: ImageNet's)")
    options = parser.parse_args(arguments)
    try:
        facts = save(build_extractor(options.backbone, options.weights), options.out)
    except ImgsimError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"export: the file must be writable (got {options.out}: {error.strerror})", file=sys.stderr)
        return 2
    print(f"{options.out}: {facts['fingerprint']}, {facts['dimension']} values")
    return 0


if __name__ == "__main__":
    sys.exit(main())
