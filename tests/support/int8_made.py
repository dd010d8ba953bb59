"""int8 vectors, and what the operators must say of them. Imports no torch: processes of their own start in no time."""

from collections.abc import Iterable

import numpy as np

from imgsim_ops import kernels

VALUES = ("uniform", "extremes", "lowest", "binary", "onehot", "zeros", "duplicates", "clustered")


def codes(rows: int, dim: int, values: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if values == "extremes":  # where products of neighbours saturate 16 bits
        return rng.choice(np.array([-128, -127, 127], np.int8), (rows, dim))
    if values == "lowest":
        return np.full((rows, dim), -128, np.int8)
    if values == "binary":  # as short as vectors that are not zero can be
        return rng.integers(0, 2, (rows, dim), dtype=np.int8)
    if values == "onehot":
        return np.eye(max(dim, 1), dtype=np.int8)[rng.integers(0, max(dim, 1), rows), :dim] * 127
    everything = rng.integers(-128, 128, (rows, dim), dtype=np.int8)
    if values == "zeros":
        return everything * (rng.random((rows, 1)) < 0.5)
    if values == "duplicates":
        return everything[rng.integers(0, 3, rows) % max(rows, 1)]
    if values == "clustered":
        return (everything // 16 + rng.integers(-119, 119, (1, dim))).astype(np.int8)
    return everything


def all_scores(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """By integers and then in float64, each number rounded as often as in the kernel."""
    x, y = queries.astype(np.int64), gallery.astype(np.int64)
    norms = np.sqrt((x * x).sum(1).astype(np.float64))[:, None] * np.sqrt((y * y).sum(1).astype(np.float64))
    return ((x @ y.T) / np.maximum(norms, 1e-8)).astype(np.float32)


def check_topk(queries: np.ndarray, gallery: np.ndarray, k: int) -> None:
    everything = all_scores(queries, gallery)
    ranked = np.argsort(-everything, axis=1, kind="stable")[:, :k]
    scores, indices = kernels.cosine_topk(queries, gallery, k)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, np.take_along_axis(everything, ranked, 1))
    np.testing.assert_array_equal(indices, ranked)


def check_pairs(vectors: np.ndarray, threshold: float) -> None:
    everything = all_scores(vectors, vectors)
    expected = np.nonzero(np.triu(everything.astype(np.float64) >= threshold, 1))
    rows, cols, scores = kernels.cosine_pairs(vectors, threshold)
    np.testing.assert_array_equal(rows, expected[0])
    np.testing.assert_array_equal(cols, expected[1])
    np.testing.assert_array_equal(scores, everything[expected])


def check_everything(dims: Iterable[int]) -> int:
    """For one instruction set; returns how many matrices there were."""
    count = 0
    for dim in dims:
        for seed, values in enumerate(VALUES):
            vectors = codes(150, dim, values, seed + dim)
            np.testing.assert_array_equal(
                kernels.cosine_similarity(vectors[:20, None], vectors), all_scores(vectors[:20], vectors)
            )
            for queries in (2, 9):
                check_topk(vectors[:queries], vectors, 7)
                check_topk(codes(queries, dim, "uniform", seed), vectors, 7)
            for threshold in (-0.1, 0.0, 0.5, float(all_scores(vectors[:1], vectors).max()), 1.0):
                check_pairs(vectors, threshold)
            count += 1
    return count


def quantized(vectors: np.ndarray) -> np.ndarray:
    """The definition (csrc/kernels/quantize.h) in NumPy."""
    wide = vectors.astype(np.float64)
    top = np.abs(wide).max(1, keepdims=True, initial=0)
    with np.errstate(divide="ignore", over="ignore"):
        factor = 127 / top
    scaled = (wide * np.where(np.isfinite(factor), factor, 0)).astype(np.float32)
    return np.rint(scaled).astype(np.int8)
