"""Matrices that try to make screening (csrc/kernels/screen.h) leave out a pair that belongs to the answer.

A module of its own because test_isa.py runs it once more under each instruction set.
"""

import torch

from tests.support.operator_cases import (
    DIMS,
    FLOATS,
    VALUES,
    all_scores,
    check_pairs,
    check_topk,
    made_on_the_cpu,
    tensor,
)


def thresholds_at_scores(vectors: torch.Tensor, count: int) -> list[float]:
    """Thresholds where a rounding decides: scores of pairs, and the next numbers above them."""
    scores = torch.unique(all_scores(vectors, vectors).nan_to_num(0, 0, 0))
    chosen = scores[torch.linspace(0, max(0, len(scores) - 1), min(count, len(scores))).long()]
    above = torch.nextafter(chosen, torch.full_like(chosen, torch.inf))
    return [*chosen.double().tolist(), *above.double().tolist()]


@made_on_the_cpu
def at_the_boundary(dim: int, dtype: torch.dtype, angle: float, count: int, seed: int) -> torch.Tensor:
    """A vector and `count` others at nearly one angle to it: their scores differ by less than any code can tell."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(dim, generator=rng, dtype=torch.float64)
    x /= x.norm()
    others = torch.randn(count, dim, generator=rng, dtype=torch.float64)
    others -= (others @ x)[:, None] * x
    others /= others.norm(dim=1, keepdim=True)
    cosines = angle + 1e-6 * torch.randn(count, 1, generator=rng, dtype=torch.float64)
    vectors = cosines * x + (1 - cosines.square()).clamp(min=0).sqrt() * others
    lengths = 10.0 ** (2 * torch.rand(count + 1, 1, generator=rng, dtype=torch.float64) - 1)
    return (torch.cat([x[None], vectors]) * lengths).to(dtype)


def check_everything(dims=DIMS) -> int:
    """Runs every case; returns how many pairs were found, so that a caller can see it did something."""
    pairs = 0
    for dim in dims:
        for number, values in enumerate(VALUES):
            dtype = FLOATS[(number + dim) % len(FLOATS)]
            vectors = tensor((150, dim), dtype, values, seed=dim + number)
            check_topk(vectors[:9], vectors, 5)
            check_topk(vectors[:2], vectors, 5)  # so few are scanned without codes
            pairs += check_pairs(vectors, *thresholds_at_scores(vectors, 3))
    for dim in sorted({32, 33, 513}.intersection(dims)):
        for seed, angle in enumerate((0.999999, 0.9, 0.5, 0.0, -0.9)):
            vectors = at_the_boundary(dim, (torch.float32, torch.float64)[seed % 2], angle, 140, seed)
            check_topk(vectors[:5], vectors, 70)
            pairs += check_pairs(vectors, *thresholds_at_scores(vectors[:20], 4))
    return pairs
