"""Finds and loads the native PyTorch libraries."""

import ctypes
import os

import torch

from imgsim_ops.libraries import find_library


def load_torch_operators() -> None:
    """Registers ``torch.ops.imgsim``; the CUDA kernels only where this torch has CUDA.

    Raises:
        ImportError: The package was not built, or a program has loaded another copy of the operators.
    """
    path = find_library("imgsim_torch")
    if path is None:
        raise ImportError("imgsim_ops: the native operators are not built; run `pip install -e .` in the checkout")
    if hasattr(torch.ops.imgsim, "reduce_mean") and not _is_loaded(str(path)):
        raise ImportError(f"imgsim_ops: the operators must be loaded from one file (got others before {path})")
    torch.ops.load_library(str(path))
    cuda = find_library("imgsim_torch_cuda")
    if cuda is not None and torch.version.cuda is not None:
        torch.ops.load_library(str(cuda))


def _is_loaded(path: str) -> bool:
    if not hasattr(os, "RTLD_NOLOAD"):  # Windows, where the library itself says it
        return True
    try:
        ctypes.CDLL(path, mode=os.RTLD_NOLOAD)
    except OSError:
        return False
    return True


load_torch_operators()
