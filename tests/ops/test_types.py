"""Types and kinds of tensors: what each operator takes, and what it answers with, as docs/operators.md says."""

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from imgsim_ops import ops
from tests.support.operator_cases import FLOATS, assert_same_bits, tensor

# On a matrix, each operator, and the PyTorch expression that it replaces where that takes the same.
CALLS = {
    "repeat_interleave": (lambda x: ops.repeat_interleave(x, 2), lambda x: torch.repeat_interleave(x, 2, -1)),
    "reduce_mean": (lambda x: ops.reduce_mean(x, [0]), lambda x: x.mean(0)),
    "channel_stats": (lambda x: ops.channel_stats(x[None, :, None])[0], None),
    "multiscale_pool": (lambda x: ops.multiscale_pool([x[None, :, None]], x.shape[0]), lambda x: x.mean(1)[None]),
    "cosine_similarity": (lambda x: ops.cosine_similarity(x, x), lambda x: F.cosine_similarity(x, x, -1)),
    "cosine_topk": (lambda x: ops.cosine_topk(x, x, 2)[0], None),
    "cosine_pairs": (lambda x: ops.cosine_pairs(x, -2.0)[2], None),
}
TABLE = Path(__file__).parents[2] / "docs/operators.md"


@pytest.fixture(params=CALLS)
def name(request):
    return request.param


@pytest.fixture
def call(name):
    return CALLS[name][0]


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_answer_has_the_type_that_pytorch_gives_it(name, call, dtype):
    expected = CALLS[name][1]
    x = tensor((3, 4), dtype)
    scores = torch.float64 if dtype == torch.float64 else torch.float32
    assert call(x).dtype == (scores if expected is None else expected(x).dtype)


PAIRS = [(one, other) for one in (*FLOATS, torch.int32, torch.uint8, torch.bool) for other in FLOATS]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_vectors_of_two_types_are_promoted_as_by_pytorch(one, other):
    x, y = tensor((3, 4), torch.float64).to(one), tensor((3, 4), other, seed=1)
    for a, b in ((x, y), (y, x)):
        found = ops.cosine_similarity(a, b)
        assert found.dtype == F.cosine_similarity(a, b, -1).dtype
        assert_same_bits(found, ops.cosine_similarity(a.to(found.dtype), b.to(found.dtype)))


@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("values", [(2.0, -3.0), (0.5, 4.0), (0.0, 1.0)])
def test_numbers_are_vectors_of_one_dimension(dim, values):
    x, y = map(torch.tensor, values)
    found = ops.cosine_similarity(x, y, dim)
    assert found.shape == ()
    torch.testing.assert_close(found, F.cosine_similarity(x, y, dim))


def test_integers_alone_are_refused_as_by_pytorch():
    x = torch.ones(3, dtype=torch.int32)
    with pytest.raises(ValueError, match="cosine_similarity: dtype must be float32"):
        ops.cosine_similarity(x, x)
    with pytest.raises(RuntimeError):
        F.cosine_similarity(x, x, -1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_under_autocast_the_types_are_those_of_pytorch(name, call, dtype):
    x, expected = tensor((3, 4), dtype), CALLS[name][1]
    with torch.autocast("cpu", torch.bfloat16):
        assert call(x).dtype == (torch.float32 if expected is None else expected(x).dtype)
        assert_same_bits(call(x), call(x.clone()))


def test_on_cuda_autocast_gives_cosines_of_float32():
    """As PyTorch's list for CUDA has it; asked of the dispatcher, since there may be no CUDA."""
    for operator in CALLS:
        has = torch._C._dispatch_has_kernel_for_dispatch_key(f"imgsim::{operator}", "AutocastCUDA")
        assert has is (operator == "cosine_similarity")


def test_views_with_negated_and_conjugated_numbers(name, call):
    negated = torch.complex(tensor((3, 4)), tensor((3, 4), seed=1)).conj().imag
    assert negated.is_neg()
    assert_same_bits(call(negated), call(negated.resolve_neg()))
    if name == "repeat_interleave":
        conjugated = torch.complex(tensor((3, 4)), tensor((3, 4), seed=1)).conj()
        assert conjugated.is_conj()
        assert_same_bits(torch.view_as_real(call(conjugated)), torch.view_as_real(call(conjugated.resolve_conj())))


def test_expanded_and_empty_tensors(call):
    row = tensor((1, 4))
    assert_same_bits(call(row.expand(3, 4)), call(row.expand(3, 4).contiguous()))


@pytest.mark.parametrize("shape", [(0, 4), (3, 0)])
def test_of_nothing(name, call, shape):
    x = torch.empty(shape)
    if name in ("channel_stats", "multiscale_pool", "cosine_topk") and (name != "multiscale_pool" or shape[0] == 0):
        if name == "channel_stats" and shape[0] == 0:
            assert call(x).shape == (0,)
            return
        if name == "cosine_topk" and shape[0]:
            assert call(x).tolist() == [[0, 0]] * 3
            return
        with pytest.raises(ValueError, match=f"{name}: "):
            call(x)
        return
    assert call(x).dtype == torch.float32


def test_deterministic_mode_changes_nothing(call):
    x = tensor((7, 33))
    before = call(x)
    torch.use_deterministic_algorithms(True)
    try:
        assert_same_bits(call(x), before)
    finally:
        torch.use_deterministic_algorithms(False)


class Named(torch.Tensor):
    pass


def test_subclasses_stay_what_they_are(call):
    x = tensor((3, 4))
    found = call(x.as_subclass(Named))
    assert type(found) is Named
    assert_same_bits(found.as_subclass(torch.Tensor), call(x))


def test_modes_see_the_operator(name, call):
    seen = []

    class Mode(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            seen.append(str(function))
            return function(*args, **(kwargs or {}))

    with Mode():
        call(tensor((3, 4)))
    assert f"imgsim.{name}" in seen


def test_distributed_tensors_are_refused_in_words(call, name):
    distributed = pytest.importorskip("torch.distributed")
    if not distributed.is_available():
        pytest.skip("PyTorch was built without distributed tensors")
    from torch.distributed.tensor import Replicate, distribute_tensor, init_device_mesh
    from torch.testing._internal.distributed.fake_pg import FakeStore

    distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=1)
    try:
        x = distribute_tensor(tensor((3, 4)), init_device_mesh("cpu", (1,)), [Replicate()])
        with pytest.raises(ValueError, match=rf"{name}: a DTensor must be made local first, by full_tensor\(\)"):
            call(x)
    finally:
        distributed.destroy_process_group()


def test_the_table_names_each_operator_and_what_it_does():
    rows = dict(re.findall(r"^\| `(\w+)` \|(.+)\|$", TABLE.read_text("utf-8"), re.MULTILINE))
    assert list(rows) == list(CALLS)
    for operator, row in rows.items():
        x = tensor((2, 4, 3), torch.float64)
        differentiable = operator in ("repeat_interleave", "reduce_mean", "multiscale_pool", "cosine_similarity")
        assert ("none: refused" not in row) is differentiable
        batched = "refused" not in row.split("|")[-1]
        try:
            torch.vmap(CALLS[operator][0])(x)
        except ValueError:
            assert not batched
        else:
            assert batched
