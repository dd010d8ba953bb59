"""Peak memory of the searches: what cosine.h promises, not queries x gallery.

Measured in a child as the kernel's high-water mark of resident memory, reset after the inputs are made: ru_maxrss would
begin at what the parent held when it forked.
"""

import sys
from pathlib import Path

import pytest

from tests.support.children import succeed

MIB = 1 << 20
# Thread stacks, allocator arenas of the threads, code pages that were not resident before.
OVERHEAD = 6 * MIB

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc"
)

MEASURE = """
import sys
import numpy as np

def resident(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(field))

def peak(call):
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = resident("VmRSS")
    answer = call()
    return resident("VmHWM") - before, answer

def random(rows, dim):
    return np.random.default_rng(rows).standard_normal((rows, dim), np.float32)

if sys.argv[1] == "ops":
    import torch
    from imgsim_ops import ops as binding
    random_array, random = random, lambda rows, dim: torch.from_numpy(random_array(rows, dim))
else:
    from imgsim_ops import kernels as binding
small = random(40, 64)
binding.cosine_topk(small, small, 3), binding.cosine_pairs(small, 0.0)  # threads and code are there from here on
"""

BINDINGS = pytest.mark.parametrize("binding", ["ops", "kernels"])


def _measure(binding: str, code: str) -> list[int]:
    return [int(word) for word in succeed(MEASURE + code, binding).split()]


def _topk_bound(threads: int, queries: int, dim: int, k: int) -> int:
    """The words of cosine.h in numbers, and the answer: scores and indices."""
    panel = min(256, queries)
    per_thread = panel * dim + panel * k * 16 + 128 * (dim + 16)
    return panel * dim * 14 + threads * per_thread + queries * k * 12


@BINDINGS
@pytest.mark.parametrize(("queries", "rows", "dim", "k"), [(64, 200_000, 128, 10), (3, 200_000, 128, 10)])
def test_topk_does_not_hold_every_score(binding, queries, rows, dim, k):
    used, threads = _measure(
        binding,
        f"""
queries, gallery = random({queries}, {dim}), random({rows}, {dim})
used, _ = peak(lambda: binding.cosine_topk(queries, gallery, {k}))
from imgsim_ops import kernels
print(used, kernels.build_info()["threads"])
""",
    )
    bound = _topk_bound(threads, queries, dim, k) + OVERHEAD
    assert used < bound
    if queries == 64:
        assert bound < queries * rows * 4 / 3  # else this test would not tell the one from the other


@BINDINGS
def test_topk_of_many(binding):
    """A large k: what is kept of each query counts, the rest is small."""
    queries, rows, dim, k = 256, 20_000, 32, 10_000
    used, threads = _measure(
        binding,
        f"""
queries, gallery = random({queries}, {dim}), random({rows}, {dim})
used, _ = peak(lambda: binding.cosine_topk(queries, gallery, {k}))
from imgsim_ops import kernels
print(used, kernels.build_info()["threads"])
""",
    )
    assert used < _topk_bound(threads, queries, dim, k) + OVERHEAD


@BINDINGS
def test_pairs_do_not_hold_every_score(binding):
    rows, dim = 30_000, 128
    used, found = _measure(
        binding,
        f"""
vectors = random({rows}, {dim})
used, (rows, _, _) = peak(lambda: binding.cosine_pairs(vectors, 0.45))
print(used, len(rows))
""",
    )
    assert 0 < found < 10_000
    bound = rows * (dim + 16) + found * (20 + 2 * 24) + OVERHEAD
    assert used < bound
    assert bound < rows * rows * 4 / 100


@BINDINGS
def test_pairs_hold_the_answer_a_few_times(binding):
    """Where nearly all pairs are the answer: 24 bytes a pair in the kernel, that once more, and 20 in the binding's."""
    rows, dim = 3000, 33
    used, found = _measure(
        binding,
        f"""
vectors = random({rows}, {dim})
used, (rows, _, _) = peak(lambda: binding.cosine_pairs(vectors, -1.0))
print(used, len(rows))
""",
    )
    assert found > rows * rows / 2.1
    assert used < rows * (dim + 16) + found * (20 + 2 * 24) + OVERHEAD
