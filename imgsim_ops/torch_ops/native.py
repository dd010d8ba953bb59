"""Finds and loads the native PyTorch libraries."""

import torch

from imgsim_ops.libraries import find_library


def load_torch_operators() -> None:
    """Registers ``torch.ops.imgsim``; the CUDA kernels only where this torch has CUDA.

    Raises:
        ImportError: The package was not built.
    """
    path = find_library("imgsim_torch")
    if path is None:
        raise ImportError("imgsim_ops: the native operators are not built; run `pip install -e .` in the checkout")
    torch.ops.load_library(str(path))
    cuda = find_library("imgsim_torch_cuda")
    if cuda is not None and torch.version.cuda is not None:
        torch.ops.load_library(str(cuda))


load_torch_operators()
