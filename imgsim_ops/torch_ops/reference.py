"""The operators in plain PyTorch, written to be read: the oracle of the tests, the baseline of the timings.

Each function has the signature of its namesake in ``imgsim_ops.ops``. They compute in float64 and round once,
to the type that the native operator returns, so a difference is the native operator's rounding. None of them
checks its arguments: what an operator refuses is tested where it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

COSINE_EPS = 1e-8


def repeat_interleave(x: torch.Tensor, repeats: int, dim: int = -1) -> torch.Tensor:
    """Repeats each element ``repeats`` times in place along ``dim``; see ``ops.repeat_interleave``."""
    return torch.repeat_interleave(x, repeats, dim)


def reduce_mean(x: torch.Tensor, dim: Sequence[int], keepdim: bool = False) -> torch.Tensor:
    """The mean over ``dim``, over all dims where it is empty, typed as ``x``; see ``ops.reduce_mean``."""
    dims = [int(d) for d in dim] or list(range(x.dim()))
    if not dims:  # A 0-d tensor is its own mean.
        return x.clone()
    return x.double().mean(dims, keepdim).to(x.dtype)


def channel_stats(images: torch.Tensor, num_threads: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and population std of each channel of (N, C, H, W) images; see ``ops.channel_stats``.

    Returns:
        Two (C,) tensors, float64 for float64 images, else float32.
    """
    pixels = images.double()
    mean = pixels.mean((0, 2, 3))
    std = (pixels - mean.view(1, -1, 1, 1)).square().mean((0, 2, 3)).sqrt()
    return mean.to(score_dtype(images.dtype)), std.to(score_dtype(images.dtype))


def multiscale_pool(features: Sequence[torch.Tensor], width: int) -> torch.Tensor:
    """Average-pools each (N, C_i, H_i, W_i) map, repeats to ``width``, takes the mean over maps.

    See ``ops.multiscale_pool``.

    Returns:
        (N, width), of the type of the maps.
    """
    pooled = [feature.double().mean((2, 3)) for feature in features]
    widened = [torch.repeat_interleave(vector, width // vector.shape[1], 1) for vector in pooled]
    return torch.stack(widened).mean(0).to(features[0].dtype)


def cosine_similarity(x1: torch.Tensor, x2: torch.Tensor, dim: int = -1, eps: float = COSINE_EPS) -> torch.Tensor:
    """x1.x2 / max(|x1| |x2|, eps) along ``dim`` in the promoted type; a zero vector gives 0.

    See ``ops.cosine_similarity``.
    """
    return _cosine(x1, x2, dim, eps).to(torch.promote_types(x1.dtype, x2.dtype))


def cosine_topk(queries: torch.Tensor, gallery: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The ``k`` most similar rows of (N, D) ``gallery`` for each row of (Q, D) ``queries``.

    See ``ops.cosine_topk``. Ranks the rounded scores, ties by lower index and NaN last. Holds all Q x N
    scores.

    Returns:
        Scores (Q, k), float64 for float64 input, else float32; indices (Q, k), int64.
    """
    scores = _score_matrix(queries, gallery)
    # No cosine is as low as -inf, and a stable sort leaves equal scores in index order.
    ranked = scores.nan_to_num(nan=-torch.inf).sort(dim=1, descending=True, stable=True)
    indices = ranked.indices[:, :k]
    return scores.gather(1, indices), indices


def cosine_pairs(vectors: torch.Tensor, threshold: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """All pairs i < j of rows of (N, D) ``vectors`` with a score >= ``threshold``; see ``ops.cosine_pairs``.

    The rounded score is compared; a NaN score is in no pair. Holds all N x N scores.

    Returns:
        Rows and columns (P,), int64, ordered by row, then column; scores (P,), typed as ``cosine_topk``'s.
    """
    scores = _score_matrix(vectors, vectors)
    chosen = torch.triu(scores.double() >= threshold, diagonal=1)
    rows, cols = chosen.nonzero(as_tuple=True)
    return rows, cols, scores[rows, cols]


def score_dtype(dtype: torch.dtype) -> torch.dtype:
    """The type of scores and statistics of input of type ``dtype``: float64 for float64, else float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def _cosine(x1: torch.Tensor, x2: torch.Tensor, dim: int, eps: float) -> torch.Tensor:
    """Cosine in float64. ``dim`` counts in the broadcast shape."""
    x1, x2 = torch.broadcast_tensors(x1.double(), x2.double())
    dot = (x1 * x2).sum(dim)
    norms = x1.square().sum(dim).sqrt() * x2.square().sum(dim).sqrt()
    # Only where eps is 0 can a zero vector's divisor be 0; 0 / 1 then gives the 0 that is promised.
    divisor = norms.clamp(min=eps)
    return dot / torch.where(divisor == 0, 1.0, divisor)


def _score_matrix(queries: torch.Tensor, gallery: torch.Tensor) -> torch.Tensor:
    """All cosines (Q, N) of the rows of two matrices, rounded to the type of a score."""
    scores = _cosine(queries[:, None, :], gallery[None, :, :], -1, COSINE_EPS)
    return scores.to(score_dtype(torch.promote_types(queries.dtype, gallery.dtype)))
