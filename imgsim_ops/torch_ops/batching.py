"""How the operators work on batches, under ``torch.vmap``, without a loop; and under autocast.

A rule is given the position of the batch's dimension in each tensor, None where a tensor has none, and moves it to
where the operator works across it. What an operator refuses it refuses in its own words, whose shapes may have the
batch's dimension in them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from imgsim_ops.torch_ops import native as _native  # noqa: F401  (registers the schemas)
from imgsim_ops.torch_ops.shapes import axis_of


def _front(x: torch.Tensor, at: int | None, size: int) -> torch.Tensor:
    """A tensor with the batch's dimension in front, expanded where it has none."""
    return x.expand(size, *x.shape) if at is None else x.movedim(at, 0)


def _repeat_interleave(info, in_dims, x, repeats, dim=-1):
    x = _front(x, in_dims[0], info.batch_size)
    if x.ndim == 1:
        raise ValueError("repeat_interleave: the tensor must have at least one dimension (got a scalar)")
    axis = axis_of("repeat_interleave", dim, x.ndim - 1)
    return torch.ops.imgsim.repeat_interleave(x, repeats, axis + 1), 0


def _reduce_mean(info, in_dims, x, dim, keepdim=False):
    x = _front(x, in_dims[0], info.batch_size)
    axes = [axis_of("reduce_mean", each, max(1, x.ndim - 1)) + 1 for each in dim]
    if x.ndim == 1:  # a number is its own mean
        return x.clone(), 0
    return torch.ops.imgsim.reduce_mean(x, axes or list(range(1, x.ndim)), keepdim), 0


def _channel_stats(info, in_dims, images, num_threads=0):
    """Each channel has statistics of its own: those of the batch become further channels."""
    images = _front(images, in_dims[0], info.batch_size)
    if images.ndim != 5:
        raise ValueError(f"channel_stats: images must have shape (N, C, H, W) (got {list(images.shape[1:])})")
    batch, count, channels, height, width = images.shape
    joined = images.transpose(0, 1).reshape(count, batch * channels, height, width)
    found = torch.ops.imgsim.channel_stats(joined, num_threads)
    return tuple(values.reshape(batch, channels) for values in found), (0, 0)


def _multiscale_pool(info, in_dims, features, width):
    batch = info.batch_size
    maps = [_front(feature, at, batch) for feature, at in zip(features, in_dims[0], strict=True)]
    for feature in maps:
        if feature.ndim != 5:
            shape = list(feature.shape[1:])
            raise ValueError(f"multiscale_pool: feature maps must have shape (N, C, H, W) (got {shape})")
    pooled = torch.ops.imgsim.multiscale_pool([feature.flatten(0, 1) for feature in maps], width)
    return pooled.reshape(batch, -1, width), 0


def _cosine_similarity(info, in_dims, x1, x2, dim=-1, eps=1e-8):
    ndims = [x.ndim - (at is not None) for x, at in zip((x1, x2), in_dims, strict=False)]
    ndim = max(ndims)
    if ndim == 0:
        raise ValueError("cosine_similarity: tensors must have at least one dimension (got scalars)")
    axis = axis_of("cosine_similarity", dim, ndim)
    aligned = []
    for x, at in zip((x1, x2), in_dims, strict=False):
        if at is not None:
            x = x.movedim(at, 0)
            x = x.reshape(x.shape[0], *[1] * (ndim + 1 - x.ndim), *x.shape[1:])
        aligned.append(x)
    return torch.ops.imgsim.cosine_similarity(*aligned, axis - ndim, eps), 0


def _cosine_topk(info, in_dims, queries, gallery, k):
    query_at, gallery_at = in_dims[:2]
    if gallery_at is None:  # all queries are asked of one gallery
        queries = queries.movedim(query_at, 0)
        if queries.ndim != 3:
            shapes = f"(got shapes {list(queries.shape[1:])} and {list(gallery.shape)})"
            raise ValueError(f"cosine_topk: queries and gallery must be matrices {shapes}")
        found = torch.ops.imgsim.cosine_topk(queries.flatten(0, 1), gallery, k)
        return tuple(values.reshape(*queries.shape[:2], k) for values in found), (0, 0)
    pairs = zip(_front(queries, query_at, info.batch_size), gallery.movedim(gallery_at, 0), strict=True)
    scores, indices = zip(*(torch.ops.imgsim.cosine_topk(one, of, k) for one, of in pairs), strict=True)
    return (torch.stack(scores), torch.stack(indices)), (0, 0)


def _cosine_pairs(info, in_dims, vectors, threshold):
    raise ValueError("cosine_pairs: has no batching rule, as each matrix has its own number of pairs (got a batch)")


_RULES: Sequence[Callable[..., Any]] = (
    _repeat_interleave,
    _reduce_mean,
    _channel_stats,
    _multiscale_pool,
    _cosine_similarity,
    _cosine_topk,
    _cosine_pairs,
)
for _rule in _RULES:
    torch.library.register_vmap(f"imgsim::{_rule.__name__[1:]}", _rule)

# PyTorch's own computes in float32 under autocast on CUDA, and on the CPU as it is given.
torch.library.register_autocast("imgsim::cosine_similarity", "cuda", torch.float32)
