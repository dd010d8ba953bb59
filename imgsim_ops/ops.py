"""The operators for PyTorch tensors.

Each wraps one operator of ``torch.ops.imgsim`` and works in eager mode, under ``torch.jit.script``,
``torch.compile(fullgraph=True)`` and ``torch.export``. Tensors are float32, float64, float16 or bfloat16 (images also
uint8, ``repeat_interleave`` takes any dtype), on the CPU or on CUDA. Non-contiguous and empty tensors are fine. Bad
input raises ``ValueError`` with one line that names the rule and the value got.

Sums are accumulated in float64, and the answer has the same bits for any number of threads
(``torch.get_num_threads()`` of them are used), and on CUDA each time; between the two it may differ by a rounding. On
CUDA everything is queued on the current stream and can be captured in a graph, but for ``cosine_pairs``, which has to
wait until it knows how many pairs there are.
"""

from typing import List, Tuple  # noqa: UP035  (TorchScript reads these annotations)

import torch
from torch import Tensor

from imgsim_ops.torch_ops import batching, gradients, shapes  # noqa: F401  (register themselves)

__all__ = [
    "channel_stats",
    "cosine_pairs",
    "cosine_similarity",
    "cosine_topk",
    "multiscale_pool",
    "reduce_mean",
    "repeat_interleave",
]


def _call(operator, *arguments):
    """Calls an operator; what it refuses is a ValueError, whatever this version of PyTorch makes of it."""
    if torch.compiler.is_compiling():
        return operator(*arguments)
    try:
        return operator(*arguments)
    except RuntimeError as error:
        message = str(error).split("\n", 1)[0]
        if message.startswith((f"{operator.__name__}: ", "IMGSIM_ISA: ")):
            raise ValueError(message) from None
        if "sharding strategy" in message or "Sharding propagation" in str(error):
            rule = "a DTensor must be made local first, by full_tensor() or to_local()"
            raise ValueError(f"{operator.__name__}: {rule} (got {message})") from None
        raise


def repeat_interleave(x: Tensor, repeats: int, dim: int = -1) -> Tensor:
    """Repeats each element in place along a dimension: [a, b] becomes [a, a, b, b]. Differentiable.

    Args:
        x: Tensor of at least one dimension, any dtype.
        repeats: How often each element stands in the result; 0 gives an empty dimension.
        dim: The dimension to repeat along.

    Returns:
        Tensor like `x`, `repeats` times as long along `dim`.
    """
    if torch.jit.is_scripting():
        return torch.ops.imgsim.repeat_interleave(x, repeats, dim)
    else:
        return _call(torch.ops.imgsim.repeat_interleave, x, repeats, dim)


def reduce_mean(x: Tensor, dim: List[int], keepdim: bool = False) -> Tensor:  # noqa: UP006
    """Mean over dimensions. Differentiable.

    Args:
        x: Floating tensor, 0-d included.
        dim: The dimensions to reduce; empty means all.
        keepdim: Whether reduced dimensions stay, with size 1.

    Returns:
        Tensor of the same dtype; a mean over no elements is NaN.
    """
    if torch.jit.is_scripting():
        return torch.ops.imgsim.reduce_mean(x, dim, keepdim)
    else:
        return _call(torch.ops.imgsim.reduce_mean, x, dim, keepdim)


def channel_stats(images: Tensor, num_threads: int = 0) -> Tuple[Tensor, Tensor]:  # noqa: UP006
    """Mean and population standard deviation of each channel; exact for uint8.

    Args:
        images: (N, C, H, W), uint8 or floating, any strides (channels last is as fast).
        num_threads: How many threads to use, at most ``torch.get_num_threads()``; 0 means that many. On CUDA ignored.

    Returns:
        mean (C,) and std (C,), float64 for float64 images and float32 otherwise, in the units of `images`.
    """
    if torch.jit.is_scripting():
        return torch.ops.imgsim.channel_stats(images, num_threads)
    else:
        return _call(torch.ops.imgsim.channel_stats, images, num_threads)


def multiscale_pool(features: List[Tensor], width: int) -> Tensor:  # noqa: UP006
    """The multi-scale embedding of feature maps, fused: pool, widen, average. Differentiable.

    Each map is averaged over its positions, its channels are repeated in place until there are `width` of them, and the
    mean over the maps is taken.

    Args:
        features: Maps (N, C_i, H_i, W_i) of one floating dtype, contiguous or channels last; `width` is a multiple of
            every C_i.
        width: Length of the embedding.

    Returns:
        (N, width) tensor of the maps' dtype.
    """
    if len(features) == 0:  # PyTorch would not know whom to ask
        raise ValueError("multiscale_pool: there must be at least one feature map (got none)")
    if torch.jit.is_scripting():
        return torch.ops.imgsim.multiscale_pool(features, width)
    else:
        return _call(torch.ops.imgsim.multiscale_pool, features, width)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = -1, eps: float = 1e-8) -> Tensor:
    """Cosine similarity along a dimension, with broadcasting, in one pass. Differentiable.

    Args:
        x1: Floating tensor, 0-d included.
        x2: Floating tensor of a shape that broadcasts with that of `x1`; of another dtype, both are promoted first.
        dim: The vectors' dimension in the broadcast shape.
        eps: The smallest product of norms to divide by.

    Returns:
        x1·x2 / max(‖x1‖·‖x2‖, eps) of the broadcast shape without `dim`; a zero vector scores 0.
    """
    if x1.dtype != x2.dtype:
        dtype = torch.promote_types(x1.dtype, x2.dtype)
        x1, x2 = x1.to(dtype), x2.to(dtype)
    if x1.dim() == 0 and x2.dim() == 0:
        x1 = x1.unsqueeze(0)
    if torch.jit.is_scripting():
        return torch.ops.imgsim.cosine_similarity(x1, x2, dim, eps)
    else:
        return _call(torch.ops.imgsim.cosine_similarity, x1, x2, dim, eps)


def cosine_topk(queries: Tensor, gallery: Tensor, k: int) -> Tuple[Tensor, Tensor]:  # noqa: UP006
    """The k most similar rows of a gallery for each query; exact, without a (Q, N) matrix.

    Args:
        queries: (Q, D) floating tensor.
        gallery: (N, D) tensor of the same dtype.
        k: How many rows to return for each query, at most N.

    Returns:
        Scores (Q, k), float64 for float64 input and float32 otherwise, best first, and row indices (Q, k) int64. Ties
        go to the lower index; NaN ranks last.
    """
    if torch.jit.is_scripting():
        return torch.ops.imgsim.cosine_topk(queries, gallery, k)
    else:
        return _call(torch.ops.imgsim.cosine_topk, queries, gallery, k)


def cosine_pairs(vectors: Tensor, threshold: float) -> Tuple[Tensor, Tensor, Tensor]:  # noqa: UP006
    """All pairs of rows at or above a similarity; memory grows with the answer, not with N².

    Args:
        vectors: (N, D) floating tensor.
        threshold: The least score of a pair; not NaN.

    Returns:
        rows (P,) and cols (P,) int64 with rows < cols, and scores (P,) as of `cosine_topk`, by row, then column.
    """
    if torch.jit.is_scripting():
        return torch.ops.imgsim.cosine_pairs(vectors, threshold)
    else:
        return _call(torch.ops.imgsim.cosine_pairs, vectors, threshold)
