"""Finds and loads the native PyTorch libraries."""

from pathlib import Path

import torch

LIBRARY_DIR = Path(__file__).parent / "lib"


def _library(name: str) -> Path | None:
    for suffix in (".so", ".dylib", ".dll"):
        path = LIBRARY_DIR / f"lib{name}{suffix}"
        if path.exists():
            return path
    return None


def load_torch_operators() -> None:
    """Registers ``torch.ops.imgsim``; the CUDA kernels only where this torch has CUDA.

    Raises:
        ImportError: The package was not built.
    """
    path = _library("imgsim_torch")
    if path is None:
        raise ImportError("imgsim_ops: the native operators are not built; run `pip install -e .` in the checkout")
    torch.ops.load_library(str(path))
    cuda = _library("imgsim_torch_cuda")
    if cuda is not None and torch.version.cuda is not None:
        torch.ops.load_library(str(cuda))


load_torch_operators()
