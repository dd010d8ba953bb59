"""Shape functions: what each operator returns, for torch.compile, torch.export and the meta device."""

import torch

from imgsim_ops import _native  # noqa: F401  (registers the schemas)


def _score_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


@torch.library.register_fake("imgsim::repeat_interleave")
def _(x, repeats, dim=-1):
    shape = list(x.shape)
    shape[dim] = shape[dim] * repeats
    return x.new_empty(shape)


@torch.library.register_fake("imgsim::reduce_mean")
def _(x, dim, keepdim=False):
    gone = {d % x.ndim for d in dim} if dim and x.ndim else set(range(x.ndim))
    sizes = [1 if axis in gone else size for axis, size in enumerate(x.shape) if keepdim or axis not in gone]
    return x.new_empty(sizes)


@torch.library.register_fake("imgsim::channel_stats")
def _(images, num_threads=0):
    dtype = _score_dtype(images.dtype)
    return images.new_empty(images.shape[1], dtype=dtype), images.new_empty(images.shape[1], dtype=dtype)


@torch.library.register_fake("imgsim::multiscale_pool")
def _(features, width):
    return features[0].new_empty(features[0].shape[0], width)


@torch.library.register_fake("imgsim::cosine_similarity")
def _(x1, x2, dim=-1, eps=1e-8):
    shape = list(torch.broadcast_shapes(x1.shape, x2.shape))
    del shape[dim]
    return x1.new_empty(shape)


@torch.library.register_fake("imgsim::cosine_topk")
def _(queries, gallery, k):
    scores = queries.new_empty(queries.shape[0], k, dtype=_score_dtype(queries.dtype))
    return scores, queries.new_empty(queries.shape[0], k, dtype=torch.int64)


@torch.library.register_fake("imgsim::cosine_pairs")
def _(vectors, threshold):
    count = torch.library.get_ctx().new_dynamic_size()
    rows = vectors.new_empty(count, dtype=torch.int64)
    scores = vectors.new_empty(count, dtype=_score_dtype(vectors.dtype))
    return rows, torch.empty_like(rows), scores
