"""Derivatives of the operators: backwards, forwards, and batched; in plain PyTorch, so that they can be taken again.

``torch.library.register_autograd`` makes functions of one form only, which neither ``torch.func`` nor forward mode
takes: a tangent is then lost without a word. So each operator has a kernel for the key ``Autograd`` here, which calls
an ``autograd.Function`` of one level: each transform of ``torch.func`` calls it once, as it calls PyTorch's own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd import forward_ad
from torch.autograd.function import _SingleLevelFunction

from imgsim_ops.torch_ops import native as _native  # noqa: F401  (registers the schemas)

_operators = torch.library.Library("imgsim", "IMPL")


@dataclass(frozen=True)
class _Rule:
    """How an operator is differentiated.

    Attributes:
        name: Of the operator.
        split: From its arguments, the defaults filled in, to its tensors and the rest.
        join: And back.
        setup: Called with ctx, the tensors, the rest and the result.
        backward: From ctx, what it saved and the gradient to one for each tensor; None: it has no derivative.
        forward: From ctx, what it saved and the tangents, of which some are None, to that of the result.
    """

    name: str
    split: Callable[[Sequence[Any]], tuple[Sequence[torch.Tensor], tuple]]
    join: Callable[[Sequence[torch.Tensor], tuple], tuple]
    setup: Callable[..., None] = lambda ctx, tensors, rest, result: None
    backward: Callable[..., Sequence[torch.Tensor | None]] | None = None
    forward: Callable[..., torch.Tensor] | None = None


def _first(count: int) -> dict[str, Any]:
    """For operators whose first arguments are their tensors."""
    return {
        "split": lambda args: (args[:count], tuple(args[count:])),
        "join": lambda tensors, rest: (*tensors, *rest),
    }


_LIST: dict[str, Any] = {
    "split": lambda args: (args[0], tuple(args[1:])),
    "join": lambda tensors, rest: (list(tensors), *rest),
}


# --- repeat_interleave -----------------------------------------------------------------------------------------------


def _repeat_interleave_setup(ctx, tensors, rest, result):
    ctx.repeats, dim = rest
    (x,) = tensors
    ctx.shape, ctx.dim = x.shape, dim % x.ndim


def _repeat_interleave_backward(ctx, saved, grad):
    shape = [*ctx.shape]
    shape.insert(ctx.dim + 1, ctx.repeats)
    return (grad.reshape(shape).sum(ctx.dim + 1),)


def _repeat_interleave_forward(ctx, saved, tangent):
    return torch.ops.imgsim.repeat_interleave(tangent, ctx.repeats, ctx.dim)


# --- reduce_mean -----------------------------------------------------------------------------------------------------


def _reduce_mean_setup(ctx, tensors, rest, result):
    dim, ctx.keepdim = rest
    (x,) = tensors
    ctx.shape = x.shape
    ctx.gone = sorted({d % x.ndim for d in dim} if dim and x.ndim else range(x.ndim))


def _reduce_mean_backward(ctx, saved, grad):
    count = 1
    for axis in ctx.gone:
        count *= ctx.shape[axis]
        if not ctx.keepdim:
            grad = grad.unsqueeze(axis)
    return ((grad / count).expand(ctx.shape),)


def _reduce_mean_forward(ctx, saved, tangent):
    return torch.ops.imgsim.reduce_mean(tangent, ctx.gone, ctx.keepdim)


# --- multiscale_pool -------------------------------------------------------------------------------------------------


def _multiscale_pool_setup(ctx, tensors, rest, result):
    (ctx.width,) = rest
    ctx.shapes = [feature.shape for feature in tensors]


def _multiscale_pool_backward(ctx, saved, grad):
    grads = []
    for n, channels, height, width in ctx.shapes:
        # The embedding is a mean over maps; each pooled value stands `width / channels` times in it.
        pooled = grad.reshape(n, channels, ctx.width // channels).sum(2) / len(ctx.shapes)
        grads.append((pooled / (height * width))[:, :, None, None].expand(n, channels, height, width))
    return grads


def _multiscale_pool_forward(ctx, saved, *tangents):
    # Not by the operator itself: batches of lists are known to torch.vmap, and not to what gradcheck has.
    widened = [
        tangent.mean((2, 3)).unsqueeze(2).expand(n, channels, ctx.width // channels).reshape(n, ctx.width)
        for (n, channels, *_), tangent in zip(ctx.shapes, tangents, strict=True)
        if tangent is not None
    ]
    return sum(widened[1:], widened[0]) / len(ctx.shapes)


# --- cosine_similarity -----------------------------------------------------------------------------------------------


def _cosine_similarity_setup(ctx, tensors, rest, result):
    x1, x2 = tensors
    dim, ctx.eps = rest
    ndim = max(x1.ndim, x2.ndim)
    ctx.dim = dim % ndim - ndim  # from the end, where broadcasting aligns
    ctx.save_for_backward(x1, x2, result)
    ctx.save_for_forward(x1, x2, result)


def _cosine_slopes(saved, dim, eps):
    """The derivatives of the score by both vectors, in the broadcast shape; `dim` counts from the end."""
    x1, x2, score = saved
    score = score.unsqueeze(dim)
    a, b = torch.broadcast_tensors(x1, x2)
    # In float64, where the squares of all smaller types fit.
    norm_a = torch.linalg.vector_norm(a, dim=dim, keepdim=True, dtype=torch.float64)
    norm_b = torch.linalg.vector_norm(b, dim=dim, keepdim=True, dtype=torch.float64)
    clamped = norm_a * norm_b < eps

    def by(x, other, norm, other_norm):
        # d score / d x = (other / |other| - score x / |x|) / |x|, unless eps stands for |x| |other|: other / eps.
        unit = other / torch.where(other_norm == 0, 1.0, other_norm)
        own = x / torch.where(norm == 0, 1.0, norm)
        free = (unit - score * own) / torch.where(norm == 0, 1.0, norm)
        return torch.where(clamped, other / eps if eps else 0.0, free)

    return by(a, b, norm_a, norm_b), by(b, a, norm_b, norm_a)


def _cosine_similarity_backward(ctx, saved, grad):
    slopes = _cosine_slopes(saved, ctx.dim, ctx.eps)
    grad = grad.unsqueeze(ctx.dim)
    return [(grad * slope).sum_to_size(x.shape).to(x.dtype) for x, slope in zip(saved[:2], slopes, strict=True)]


def _cosine_similarity_forward(ctx, saved, *tangents):
    pairs = zip(tangents, _cosine_slopes(saved, ctx.dim, ctx.eps), strict=True)
    moved = [(tangent * slope).sum(ctx.dim) for tangent, slope in pairs if tangent is not None]
    return sum(moved[1:], moved[0]).to(saved[2].dtype)


RULES = (
    _Rule(
        "repeat_interleave",
        **_first(1),
        setup=_repeat_interleave_setup,
        backward=_repeat_interleave_backward,
        forward=_repeat_interleave_forward,
    ),
    _Rule(
        "reduce_mean",
        **_first(1),
        setup=_reduce_mean_setup,
        backward=_reduce_mean_backward,
        forward=_reduce_mean_forward,
    ),
    _Rule(
        "multiscale_pool",
        **_LIST,
        setup=_multiscale_pool_setup,
        backward=_multiscale_pool_backward,
        forward=_multiscale_pool_forward,
    ),
    _Rule(
        "cosine_similarity",
        **_first(2),
        setup=_cosine_similarity_setup,
        backward=_cosine_similarity_backward,
        forward=_cosine_similarity_forward,
    ),
    _Rule("channel_stats", **_first(1)),
    _Rule("cosine_topk", **_first(2)),
    _Rule("cosine_pairs", **_first(1)),
)


def _function(rule: _Rule, operator) -> type[_SingleLevelFunction]:
    """The function of one level of a rule; its inputs are the dispatcher's keys, the rest, and the tensors."""

    def forward(ctx, keys, rest, *tensors):
        # Outer transforms of torch.func lie below this level; a function's forward has both modes off.
        with torch.enable_grad(), forward_ad._set_fwd_grad_enabled(True), _below_autograd():
            result = operator.redispatch(keys & torch._C._after_autograd_keyset, *rule.join(tensors, rest))
        rule.setup(ctx, tensors, rest, result)
        return result

    def backward(ctx, *grads):
        if rule.backward is None:
            raise RuntimeError(f"{rule.name}: has no gradient (got a backward pass through it)")
        return None, None, *rule.backward(ctx, ctx.saved_tensors, *grads)

    def jvp(ctx, keys, rest, *tangents):
        if rule.forward is None:
            raise RuntimeError(f"{rule.name}: has no derivative (got a tangent)")
        with forward_ad._set_fwd_grad_enabled(True):
            # Those of this level have the tangents already.
            saved = [forward_ad.unpack_dual(tensor).primal for tensor in ctx.saved_tensors]
            return rule.forward(ctx, saved, *tangents)

    members = {"forward": forward, "backward": backward, "jvp": jvp}
    return type(rule.name, (_SingleLevelFunction,), {name: staticmethod(member) for name, member in members.items()})


def _register(rule: _Rule) -> None:
    operator = getattr(torch.ops.imgsim, rule.name).default
    function = _function(rule, operator)
    defaults = [argument.default_value for argument in operator._schema.arguments]

    redispatch, below = operator.redispatch, torch._C._after_autograd_keyset
    requires_grad, grad_enabled = torch._C._any_requires_grad, torch.is_grad_enabled

    def kernel(keys, *args):
        # Of small tensors this is a tenth of the time: nothing is looked up twice.
        if forward_ad._current_level < 0 and not (grad_enabled() and requires_grad(*args)):
            with _below_autograd():
                return redispatch(keys & below, *args)
        tensors, rest = rule.split((*args, *defaults[len(args) :]))  # the dispatcher leaves out what is as usual
        with _at_one_level():
            return function.apply(keys, rest, *tensors)

    _operators.impl(rule.name, kernel, "Autograd", with_keyset=True)


_below_autograd = torch._C._AutoDispatchBelowAutograd
_at_one_level = torch._functorch.utils.enable_single_level_autograd_function


for _rule in RULES:
    _register(_rule)
