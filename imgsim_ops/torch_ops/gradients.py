"""Gradients of the differentiable operators, in plain PyTorch, so that they can be differentiated again."""

import torch

from imgsim_ops.torch_ops import native as _native  # noqa: F401  (registers the schemas)


def _repeat_interleave_setup(ctx, inputs, output):
    x, ctx.repeats, dim = inputs
    ctx.shape, ctx.dim = x.shape, dim % x.ndim


def _repeat_interleave_backward(ctx, grad):
    return grad.unflatten(ctx.dim, (ctx.shape[ctx.dim], ctx.repeats)).sum(ctx.dim + 1), None, None


def _reduce_mean_setup(ctx, inputs, output):
    x, dim, ctx.keepdim = inputs
    ctx.shape = x.shape
    ctx.gone = sorted({d % x.ndim for d in dim} if dim and x.ndim else range(x.ndim))


def _reduce_mean_backward(ctx, grad):
    count = 1
    for axis in ctx.gone:
        count *= ctx.shape[axis]
        if not ctx.keepdim:
            grad = grad.unsqueeze(axis)
    return (grad / count).expand(ctx.shape), None, None


def _multiscale_pool_setup(ctx, inputs, output):
    features, ctx.width = inputs
    ctx.shapes = [feature.shape for feature in features]


def _multiscale_pool_backward(ctx, grad):
    grads = []
    for n, channels, height, width in ctx.shapes:
        # The embedding is a mean over maps; each pooled value stands `width / channels` times in it.
        pooled = grad.unflatten(1, (channels, ctx.width // channels)).sum(2) / len(ctx.shapes)
        grads.append((pooled / (height * width))[:, :, None, None].expand(n, channels, height, width))
    return grads, None


def _cosine_similarity_setup(ctx, inputs, output):
    x1, x2, ctx.dim, ctx.eps = inputs
    ctx.save_for_backward(x1, x2, output)


def _cosine_similarity_backward(ctx, grad):
    x1, x2, score = ctx.saved_tensors
    ndim = max(x1.ndim, x2.ndim)
    dim = ctx.dim % ndim - ndim  # from the end, where broadcasting aligns
    grad, score = grad.unsqueeze(dim), score.unsqueeze(dim)
    a, b = torch.broadcast_tensors(x1, x2)
    # In float64, where the squares of all smaller types fit.
    norm_a = torch.linalg.vector_norm(a, dim=dim, keepdim=True, dtype=torch.float64)
    norm_b = torch.linalg.vector_norm(b, dim=dim, keepdim=True, dtype=torch.float64)
    clamped = norm_a * norm_b < ctx.eps

    def towards(x, other, norm, other_norm):
        # d score / d x = (other / |other| - score x / |x|) / |x|, unless eps stands for |x| |other|: other / eps.
        unit = other / torch.where(other_norm == 0, 1.0, other_norm)
        own = x / torch.where(norm == 0, 1.0, norm)
        free = (unit - score * own) / torch.where(norm == 0, 1.0, norm)
        return grad * torch.where(clamped, other / ctx.eps if ctx.eps else 0.0, free)

    grad_a, grad_b = towards(a, b, norm_a, norm_b), towards(b, a, norm_b, norm_a)
    return grad_a.sum_to_size(x1.shape).to(x1.dtype), grad_b.sum_to_size(x2.shape).to(x2.dtype), None, None


for _name, _setup, _backward in (
    ("repeat_interleave", _repeat_interleave_setup, _repeat_interleave_backward),
    ("reduce_mean", _reduce_mean_setup, _reduce_mean_backward),
    ("multiscale_pool", _multiscale_pool_setup, _multiscale_pool_backward),
    ("cosine_similarity", _cosine_similarity_setup, _cosine_similarity_backward),
):
    torch.library.register_autograd(f"imgsim::{_name}", _backward, setup_context=_setup)
