"""Each operator under torch.jit.script, torch.compile(fullgraph=True) and torch.export: the bits of eager mode."""

from typing import List, Tuple  # noqa: UP035  (TorchScript reads these annotations)

import pytest
import torch
from torch import Tensor

from imgsim_ops import ops
from tests.support.operator_cases import assert_same_bits, tensor, torchscript_is_deprecated


class RepeatInterleave(torch.nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> List[Tensor]:  # noqa: UP006
        return [ops.repeat_interleave(x, 3, 0), ops.repeat_interleave(y, 2)]


class ReduceMean(torch.nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> List[Tensor]:  # noqa: UP006
        return [ops.reduce_mean(x, [-1]), ops.reduce_mean(y, [0], True), ops.reduce_mean(x, [])]


class ChannelStats(torch.nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tuple[Tensor, Tensor]:  # noqa: UP006
        return ops.channel_stats(x[:, :, None, None], 1)


class MultiscalePool(torch.nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return ops.multiscale_pool([x[:, :33, None, None], x[:, :11, None, None].expand(-1, 11, 3, 2)], 66)


class CosineSimilarity(torch.nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return ops.cosine_similarity(x[:, None], y[None], -1) + ops.cosine_similarity(x.mean(0), y[0])


class CosineTopk(torch.nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tuple[Tensor, Tensor]:  # noqa: UP006
        return ops.cosine_topk(x, y, 4)


class CosinePairs(torch.nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tuple[Tensor, Tensor, Tensor]:  # noqa: UP006
        return ops.cosine_pairs(y, 0.1)


MODULES = [
    RepeatInterleave,
    ReduceMean,
    ChannelStats,
    MultiscalePool,
    CosineSimilarity,
    CosineTopk,
    CosinePairs,
]


def _inputs(device: str) -> Tuple[Tensor, Tensor]:  # noqa: UP006
    return tensor((6, 40), seed=1).to(device), tensor((9, 40), seed=2).to(device)


def _other_sizes(device: str) -> Tuple[Tensor, Tensor]:  # noqa: UP006
    return tensor((11, 40), seed=3).to(device), tensor((17, 40), seed=4).to(device)


def _compare(ours, theirs) -> None:
    ours, theirs = ([x] if isinstance(x, Tensor) else list(x) for x in (ours, theirs))
    assert any(x.numel() > 0 for x in theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert_same_bits(one, other)


@pytest.mark.parametrize("module", MODULES)
def test_script(module, device, tmp_path):
    with torchscript_is_deprecated():
        scripted = torch.jit.script(module())
        torch.jit.save(scripted, tmp_path / "module.pt")
        loaded = torch.jit.load(tmp_path / "module.pt")
        frozen = torch.jit.freeze(scripted.eval())
    for run in (scripted, loaded, frozen):
        for inputs in (_inputs(device), _other_sizes(device), _inputs(device)):  # the second and third time optimised
            _compare(run(*inputs), module()(*inputs))


@pytest.mark.parametrize(
    "wrapper",
    [
        ops.repeat_interleave,
        ops.reduce_mean,
        ops.channel_stats,
        ops.multiscale_pool,
        ops.cosine_similarity,
        ops.cosine_topk,
        ops.cosine_pairs,
    ],
)
def test_wrappers_are_scriptable(wrapper):
    with torchscript_is_deprecated():
        assert f"ops.imgsim.{wrapper.__name__}" in torch.jit.script(wrapper).code


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("dynamic", [False, True])
def test_compile(module, dynamic, device):
    torch._dynamo.reset()
    compiled = torch.compile(module(), fullgraph=True, backend="aot_eager", dynamic=dynamic)
    for inputs in (_inputs(device), _other_sizes(device)):
        _compare(compiled(*inputs), module()(*inputs))


@pytest.mark.parametrize("module", [RepeatInterleave, ReduceMean, MultiscalePool, CosineSimilarity])
def test_gradients_under_compile(module, device):
    torch._dynamo.reset()

    def gradients(run):
        leaves = [x.clone().requires_grad_() for x in _inputs(device)]
        out = run(*leaves)
        total = sum(x.sin().sum() for x in ([out] if isinstance(out, Tensor) else out))
        return torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)

    compiled = torch.compile(module(), fullgraph=True, backend="aot_eager")
    for ours, theirs in zip(gradients(compiled), gradients(module()), strict=True):
        # The same formulas over the same numbers, but the order of additions is the compiler's.
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("dynamic", [False, True])
def test_export(module, dynamic, device, tmp_path):
    shapes = tuple({0: torch.export.Dim(name, min=5)} for name in ("rows", "columns")) if dynamic else None
    program = torch.export.export(module(), _inputs(device), dynamic_shapes=shapes)
    assert any(str(node.target).startswith("imgsim.") for node in program.graph.nodes)
    torch.export.save(program, tmp_path / "module.pt2")
    loaded = torch.export.load(tmp_path / "module.pt2")
    for inputs in (_inputs(device), _other_sizes(device)) if dynamic else (_inputs(device),):
        _compare(program.module()(*inputs), module()(*inputs))
        _compare(loaded.module()(*inputs), module()(*inputs))


def test_the_number_of_results_may_be_dynamic(device):
    """k, repeats and width as sizes known only at run time."""

    def sizes(x: Tensor, y: Tensor):
        k = x.shape[0]
        maps = [x[:, :1, None, None]]
        return [ops.cosine_topk(x, y, k)[0], ops.repeat_interleave(y, k), ops.multiscale_pool(maps, k)]

    torch._dynamo.reset()
    compiled = torch.compile(sizes, fullgraph=True, backend="aot_eager", dynamic=True)
    for inputs in (_inputs(device), _other_sizes(device)):
        _compare(compiled(*inputs), sizes(*inputs))


def test_meta_tensors_know_their_shapes():
    x, y = _inputs("meta")
    assert ops.repeat_interleave(x, 3, 0).shape == (18, 40)
    assert ops.reduce_mean(x, [-1], True).shape == (6, 1)
    assert [t.shape for t in ops.channel_stats(x[None, None])] == [(1,), (1,)]
    assert ops.multiscale_pool([x[:, :, None, None]], 80).shape == (6, 80)
    assert ops.cosine_similarity(x[:, None], y[None]).shape == (6, 9)
    scores, indices = ops.cosine_topk(x.half(), y.half(), 4)
    assert scores.shape == indices.shape == (6, 4)
    assert (scores.dtype, indices.dtype) == (torch.float32, torch.int64)
