"""Shape functions: what each operator returns, for torch.compile, torch.export and the meta device.

They refuse what the kernels refuse. Rules about sizes that may be symbolic go through ``torch._check``, which a traced
program keeps as an assertion; the others are ``ValueError``s here as there.
"""

import torch

from imgsim_ops.torch_ops import native as _native  # noqa: F401  (registers the schemas)

_FLOATING = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def _require(ok: bool, message: str) -> None:
    if not ok:
        raise ValueError(message)


def _dim(operator: str, dim: int, ndim: int) -> int:
    """`dim` counted from the front."""
    _require(-ndim <= dim < ndim, f"{operator}: dim must be in [{-ndim}, {ndim - 1}] (got {dim})")
    return dim % ndim


def _alike(operator: str, what: str, *tensors: torch.Tensor) -> None:
    """All floating, of one dtype, on one device."""
    first = tensors[0]
    for tensor in tensors:
        _require(tensor.dtype in _FLOATING, f"{operator}: dtype must be floating (got {tensor.dtype})")
        _require(
            tensor.dtype == first.dtype,
            f"{operator}: {what} must have one dtype (got {first.dtype} and {tensor.dtype})",
        )
        _require(
            tensor.device == first.device,
            f"{operator}: {what} must be on one device (got {first.device} and {tensor.device})",
        )


def _score_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


@torch.library.register_fake("imgsim::repeat_interleave")
def _(x, repeats, dim=-1):
    torch._check(repeats >= 0, lambda: f"repeat_interleave: repeats must not be negative (got {repeats})")
    _require(x.ndim > 0, "repeat_interleave: the tensor must have at least one dimension (got a scalar)")
    shape = list(x.shape)
    dim = _dim("repeat_interleave", dim, x.ndim)
    shape[dim] = shape[dim] * repeats
    return x.new_empty(shape)


@torch.library.register_fake("imgsim::reduce_mean")
def _(x, dim, keepdim=False):
    _alike("reduce_mean", "tensors", x)
    named = [_dim("reduce_mean", d, max(x.ndim, 1)) for d in dim]
    _require(len(set(named)) == len(named), f"reduce_mean: a dim may be named once (got {list(dim)})")
    gone = named or range(x.ndim)
    sizes = [1 if axis in gone else size for axis, size in enumerate(x.shape) if keepdim or axis not in gone]
    return x.new_empty(sizes)


@torch.library.register_fake("imgsim::channel_stats")
def _(images, num_threads=0):
    _require(images.ndim == 4, f"channel_stats: images must have shape (N, C, H, W) (got {list(images.shape)})")
    _require(num_threads >= 0, f"channel_stats: num_threads must be 0 (all) or more (got {num_threads})")
    torch._check(images.numel() > 0 or images.shape[1] == 0, lambda: "channel_stats: images must have pixels")
    if images.dtype != torch.uint8:
        _alike("channel_stats", "images", images)
    dtype = _score_dtype(images.dtype)
    return images.new_empty(images.shape[1], dtype=dtype), images.new_empty(images.shape[1], dtype=dtype)


@torch.library.register_fake("imgsim::multiscale_pool")
def _(features, width):
    _alike("multiscale_pool", "feature maps", *features)
    torch._check(width >= 1, lambda: f"multiscale_pool: width must be positive (got {width})")
    for feature in features:
        shape = feature.shape
        _require(feature.ndim == 4, f"multiscale_pool: feature maps must have shape (N, C, H, W) (got {list(shape)})")
        torch._check(shape[0] == features[0].shape[0], lambda: "multiscale_pool: feature maps must have one batch size")
        torch._check(shape[1] > 0, lambda: "multiscale_pool: feature maps must have channels (got 0)")
        torch._check(width % shape[1] == 0, lambda: "multiscale_pool: width must be a multiple of every map's channels")
    return features[0].new_empty(features[0].shape[0], width)


@torch.library.register_fake("imgsim::cosine_similarity")
def _(x1, x2, dim=-1, eps=1e-8):
    _alike("cosine_similarity", "tensors", x1, x2)
    _require(eps >= 0, f"cosine_similarity: eps must not be negative (got {eps})")
    shape = list(torch.broadcast_shapes(x1.shape, x2.shape))
    _require(len(shape) > 0, "cosine_similarity: tensors must have at least one dimension (got scalars)")
    del shape[_dim("cosine_similarity", dim, len(shape))]
    return x1.new_empty(shape)


@torch.library.register_fake("imgsim::cosine_topk")
def _(queries, gallery, k):
    _alike("cosine_topk", "tensors", queries, gallery)
    shapes = f"(got shapes {list(queries.shape)} and {list(gallery.shape)})"
    _require(queries.ndim == gallery.ndim == 2, f"cosine_topk: queries and gallery must be matrices {shapes}")
    torch._check(queries.shape[1] == gallery.shape[1], lambda: f"cosine_topk: rows must be equally long {shapes}")
    torch._check(k >= 0, lambda: f"cosine_topk: k must not be negative (got {k})")
    torch._check(k <= gallery.shape[0], lambda: f"cosine_topk: k must be at most the gallery's rows (got {k})")
    scores = queries.new_empty(queries.shape[0], k, dtype=_score_dtype(queries.dtype))
    return scores, queries.new_empty(queries.shape[0], k, dtype=torch.int64)


@torch.library.register_fake("imgsim::cosine_pairs")
def _(vectors, threshold):
    _alike("cosine_pairs", "vectors", vectors)
    _require(vectors.ndim == 2, f"cosine_pairs: vectors must be a matrix (got shape {list(vectors.shape)})")
    _require(threshold == threshold, "cosine_pairs: threshold must be a number (got nan)")
    count = torch.library.get_ctx().new_dynamic_size()
    rows = vectors.new_empty(count, dtype=torch.int64)
    scores = vectors.new_empty(count, dtype=_score_dtype(vectors.dtype))
    return rows, torch.empty_like(rows), scores
