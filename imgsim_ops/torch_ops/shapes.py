"""Shape functions: what each operator returns, for torch.compile, torch.export and the meta device.

They refuse what the kernels refuse, in the words of ``csrc/kernels/shapes.h`` and in its order. Rules about sizes that
may be symbolic go through ``torch._check``, which a traced program keeps as an assertion; the others are
``ValueError``s here as there.
"""

import torch

from imgsim_ops.torch_ops import native as _native  # noqa: F401  (registers the schemas)

_FLOATING = {torch.float32, torch.float64, torch.float16, torch.bfloat16}
# C++'s names of dtypes, where they are not Python's.
_NAMES = {
    torch.bool: "Bool",
    torch.uint8: "Byte",
    torch.uint16: "UInt16",
    torch.uint32: "UInt32",
    torch.uint64: "UInt64",
    torch.int8: "Char",
    torch.int16: "Short",
    torch.int32: "Int",
    torch.int64: "Long",
    torch.float16: "Half",
    torch.float32: "Float",
    torch.float64: "Double",
    torch.bfloat16: "BFloat16",
    torch.complex32: "ComplexHalf",
    torch.complex64: "ComplexFloat",
    torch.complex128: "ComplexDouble",
}
_LARGEST = 2**63 - 1


def _require(ok: bool, message: str) -> None:
    if not ok:
        raise ValueError(message)


def _name(dtype: torch.dtype) -> str:
    return _NAMES.get(dtype, str(dtype))


def axis_of(operator: str, dim: int, ndim: int) -> int:
    """`dim` counted from the front."""
    _require(-ndim <= dim < ndim, f"{operator}: dim must be in [{-ndim}, {ndim - 1}] (got {dim})")
    return dim % ndim


def _floating(operator: str, tensor: torch.Tensor, bytes_too: bool = False) -> None:
    known = _FLOATING | {torch.uint8} if bytes_too else _FLOATING
    names = ("uint8, " if bytes_too else "") + "float32, float64, float16 or bfloat16"
    _require(tensor.dtype in known, f"{operator}: dtype must be {names} (got {_name(tensor.dtype)})")


def _one_dtype(operator: str, *tensors: torch.Tensor) -> None:
    first = tensors[0].dtype
    for dtype in (tensor.dtype for tensor in tensors):
        _require(dtype == first, f"{operator}: tensors must have one dtype (got {_name(first)} and {_name(dtype)})")


def _one_device(operator: str, what: str, *tensors: torch.Tensor) -> None:
    first = tensors[0].device
    for device in (tensor.device for tensor in tensors):
        _require(device == first, f"{operator}: {what} must be on one device (got {first} and {device})")


def _score_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


@torch.library.register_fake("imgsim::repeat_interleave")
def _(x, repeats, dim=-1):
    torch._check(repeats >= 0, lambda: f"repeat_interleave: repeats must not be negative (got {repeats})")
    _require(x.ndim > 0, "repeat_interleave: the tensor must have at least one dimension (got a scalar)")
    shape = list(x.shape)
    dim = axis_of("repeat_interleave", dim, x.ndim)
    size = x.numel() * x.element_size() * repeats
    _require(
        not isinstance(size, int) or size <= _LARGEST,  # one that is not known yet is the run's business
        f"repeat_interleave: the result must fit the address space (got {repeats} repeats)",
    )
    shape[dim] = shape[dim] * repeats
    return x.new_empty(shape)


@torch.library.register_fake("imgsim::reduce_mean")
def _(x, dim, keepdim=False):
    _floating("reduce_mean", x)
    named = set()
    for d in dim:
        axis = axis_of("reduce_mean", d, max(x.ndim, 1))
        _require(x.ndim == 0 or axis not in named, f"reduce_mean: a dim may be named once (got {list(dim)})")
        named.add(axis)
    gone = named or range(x.ndim)
    sizes = [1 if axis in gone else size for axis, size in enumerate(x.shape) if keepdim or axis not in gone]
    return x.new_empty(sizes)


@torch.library.register_fake("imgsim::channel_stats")
def _(images, num_threads=0):
    shape = images.shape
    _require(images.ndim == 4, f"channel_stats: images must have shape (N, C, H, W) (got {list(shape)})")
    _require(num_threads >= 0, f"channel_stats: num_threads must be 0 (all) or more (got {num_threads})")
    for size in (shape[0], shape[2], shape[3]):
        torch._check(size > 0, lambda: f"channel_stats: images must have pixels (got shape {list(shape)})")
    _floating("channel_stats", images, bytes_too=True)
    dtype = _score_dtype(images.dtype)
    return images.new_empty(shape[1], dtype=dtype), images.new_empty(shape[1], dtype=dtype)


@torch.library.register_fake("imgsim::multiscale_pool")
def _(features, width):
    _one_device("multiscale_pool", "feature maps", *features)
    _floating("multiscale_pool", features[0])
    _one_dtype("multiscale_pool", *features)
    torch._check(width >= 1, lambda: f"multiscale_pool: width must be positive (got {width})")
    batch = features[0].shape[0] if features[0].ndim else 0
    for feature in features:
        shape = list(feature.shape)
        _require(feature.ndim == 4, f"multiscale_pool: feature maps must have shape (N, C, H, W) (got {shape})")
        sizes = f"(got {batch} and {shape[0]})"
        torch._check(
            shape[0] == batch, lambda sizes=sizes: f"multiscale_pool: feature maps must have one batch size {sizes}"
        )
        rule = f"width must be a multiple of every map's channels (got width {width}, channels {shape[1]})"
        torch._check(shape[1] > 0, lambda rule=rule: f"multiscale_pool: {rule}")
        torch._check(width % shape[1] == 0, lambda rule=rule: f"multiscale_pool: {rule}")
    return features[0].new_empty(batch, width)


@torch.library.register_fake("imgsim::cosine_similarity")
def _(x1, x2, dim=-1, eps=1e-8):
    _floating("cosine_similarity", x1)
    _one_dtype("cosine_similarity", x1, x2)
    _one_device("cosine_similarity", "tensors", x1, x2)
    _require(eps >= 0, f"cosine_similarity: eps must not be negative (got {eps:g})")
    for m, n in zip(reversed(x1.shape), reversed(x2.shape), strict=False):
        # What is not known yet is left to broadcast_shapes, which asks no more than it must.
        known = isinstance(m, int) and isinstance(n, int)
        shapes = f"(got {list(x1.shape)} and {list(x2.shape)})"
        _require(not known or m == n or 1 in (m, n), f"cosine_similarity: shapes must broadcast {shapes}")
    shape = list(torch.broadcast_shapes(x1.shape, x2.shape))
    _require(len(shape) > 0, "cosine_similarity: tensors must have at least one dimension (got scalars)")
    del shape[axis_of("cosine_similarity", dim, len(shape))]
    return x1.new_empty(shape)


@torch.library.register_fake("imgsim::cosine_topk")
def _(queries, gallery, k):
    _floating("cosine_topk", queries)
    _one_dtype("cosine_topk", queries, gallery)
    _one_device("cosine_topk", "tensors", queries, gallery)
    shapes = f"(got shapes {list(queries.shape)} and {list(gallery.shape)})"
    _require(queries.ndim == gallery.ndim == 2, f"cosine_topk: queries and gallery must be matrices {shapes}")
    (count, dim), (rows, gallery_dim) = queries.shape, gallery.shape
    torch._check(
        dim == gallery_dim,
        lambda: f"cosine_topk: queries and gallery must have equally long rows (got {dim} and {gallery_dim})",
    )
    for ok in (k >= 0, k <= rows):
        torch._check(ok, lambda: f"cosine_topk: k must be between 0 and the gallery's {rows} rows (got {k})")
    scores = queries.new_empty(count, k, dtype=_score_dtype(queries.dtype))
    return scores, queries.new_empty(count, k, dtype=torch.int64)


@torch.library.register_fake("imgsim::cosine_pairs")
def _(vectors, threshold):
    _floating("cosine_pairs", vectors)
    _require(vectors.ndim == 2, f"cosine_pairs: vectors must be a matrix (got shape {list(vectors.shape)})")
    _require(threshold == threshold, "cosine_pairs: threshold must be a number (got nan)")
    count = torch.library.get_ctx().new_dynamic_size()
    rows = vectors.new_empty(count, dtype=torch.int64)
    scores = vectors.new_empty(count, dtype=_score_dtype(vectors.dtype))
    return rows, torch.empty_like(rows), scores
