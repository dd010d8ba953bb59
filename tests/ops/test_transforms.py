"""The operators under every transform of PyTorch, against the plain expressions that they replace."""

import warnings
from functools import partial

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap

from imgsim_ops import ops
from imgsim_ops.models.extractor import build_extractor
from tests.support.operator_cases import assert_same_bits, examples, reference, seeds, tensor

pytestmark = pytest.mark.usefixtures("each_device")

F64 = torch.float64
# Derivatives by two ways of float64 numbers of about 1 differ by their roundings.
# Second ones cancel to nothing where all is one number.
CLOSE = {"rtol": 1e-10, "atol": 1e-9}


@pytest.fixture(autouse=True)
def _no_fallback():
    """What PyTorch does in a loop, or says that it does slowly, is a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # PyTorch loads its decompositions at the first tangent, by what it deprecates itself.
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\.jit")
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.jit")
        warnings.filterwarnings("ignore", "Attempted to insert a get_attr Node", UserWarning)  # linearize, of anything
        yield


def repeated(module, x, dim):
    return module.repeat_interleave(x, 3, dim)


def averaged(module, x, dim):
    return module.reduce_mean(x, [dim], keepdim=dim == 0).square()


def pooled(module, x, dim):
    maps = [x[:, :2, None], x[:, 2:, None, :]]
    return module.multiscale_pool(maps, 2 * (x.shape[1] - 2)).square()


def compared(module, x, dim):
    # Not near zero, where derivatives are as large as 1 / x² and cancel.
    away, other = x + x.sign(), x.flip(0) / 2 + x.flip(0).sign()
    return module.cosine_similarity(away, other, dim)


DIFFERENTIABLE = [repeated, averaged, pooled, compared]
# Rows, columns, and a third axis.
SHAPES = [(1, 3, 1), (2, 4, 7), (3, 6, 2)]


def both(function, dim):
    """A function of one tensor, of the operators and of the reference."""
    return partial(function, ops, dim=dim), partial(function, reference, dim=dim)


def as_reference(transform, function, dim, *arguments):
    found, expected = (transform(f)(*arguments) for f in both(function, dim))
    torch.testing.assert_close(found, expected, **CLOSE)


TRANSFORMS = {
    "jacrev": jacrev,
    "jacfwd": jacfwd,
    "reverse over reverse": lambda f: jacrev(jacrev(f)),
    "forward over reverse": lambda f: jacfwd(jacrev(f)),
    "reverse over forward": lambda f: jacrev(jacfwd(f)),
    "forward over forward": lambda f: jacfwd(jacfwd(f)),
    "hessian": lambda f: hessian(lambda x: f(x).sum()),
    "third derivative": lambda f: jacfwd(jacrev(grad(lambda x: f(x).sum()))),
    "jacobian": lambda f: lambda x: torch.autograd.functional.jacobian(f, x),
    "jacobian, forwards": lambda f: (
        lambda x: torch.autograd.functional.jacobian(f, x, strategy="forward-mode", vectorize=True)
    ),
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("function", DIFFERENTIABLE)
@pytest.mark.parametrize("dim", [0, -1])
def test_derivatives(function, dim, transform):
    as_reference(transform, function, dim, tensor((2, 4, 3), F64))


@pytest.mark.parametrize("function", DIFFERENTIABLE)
@examples(60)
@given(st.sampled_from(SHAPES), st.sampled_from([0, -1]), seeds())
def test_tangents_and_gradients(function, shape, dim, seed):
    x, tangent = tensor(shape, F64, seed=seed), tensor(shape, F64, seed=seed + 1)
    as_reference(lambda f: lambda x: jvp(f, (x,), (tangent,)), function, dim, x)
    as_reference(lambda f: lambda x: linearize(f, x)[1](tangent), function, dim, x)

    def pulled_back(f):
        value, pull = vjp(f, x)
        return pull(torch.ones_like(value) / 3)[0]

    torch.testing.assert_close(*map(pulled_back, both(function, dim)), **CLOSE)
    with forward_ad.dual_level():
        found, expected = (forward_ad.unpack_dual(f(forward_ad.make_dual(x, tangent))) for f in both(function, dim))
        torch.testing.assert_close(found.tangent, expected.tangent, **CLOSE)


@pytest.mark.parametrize("function", DIFFERENTIABLE)
@examples(60)
@given(st.sampled_from(SHAPES), st.integers(0, 3), st.sampled_from([0, -1]), seeds())
def test_transforms_of_batches(function, shape, at, dim, seed):
    batch = tensor((5, *shape), F64, seed=seed).movedim(0, at)
    total = lambda f: lambda x: f(x).sum()  # noqa: E731
    as_reference(lambda f: vmap(f, at), function, dim, batch)
    as_reference(lambda f: vmap(grad(total(f)), at), function, dim, batch)  # gradients of each sample
    as_reference(lambda f: grad(lambda x: vmap(f, at)(x).sum()), function, dim, batch)
    as_reference(lambda f: vmap(jacfwd(f), at), function, dim, batch)
    as_reference(lambda f: vmap(hessian(total(f)), at), function, dim, batch)
    as_reference(lambda f: vmap(vmap(f, 0), 1), lambda module, x, dim: function(module, x.expand(2, -1, -1), dim=dim),
                 dim, tensor((3, 4, 4, 2), F64, seed=seed))  # fmt: skip


@pytest.mark.parametrize("function", DIFFERENTIABLE)
@pytest.mark.parametrize("dim", [0, -1])
def test_gradcheck_of_everything(function, dim):
    x = tensor((2, 4, 3), F64).requires_grad_()
    ours, _ = both(function, dim)
    assert torch.autograd.gradcheck(ours, (x,), check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(ours, (x,), check_fwd_over_rev=True, check_batched_grad=True)


@pytest.mark.parametrize("clamped", [False, True])
def test_tangents_of_one_vector_and_at_zero(clamped):
    """Where only one of two has a tangent, and where eps stands for the norms."""
    x, y = tensor((3, 5), F64), tensor((3, 5), F64, seed=1)
    x[1] = 0
    eps = 10.0 if clamped else 1e-8
    tangent = torch.ones_like(x)
    ours = jvp(lambda x: ops.cosine_similarity(x, y, -1, eps), (x,), (tangent,))
    slopes = jacrev(lambda x: ops.cosine_similarity(x, y, -1, eps))(x)
    torch.testing.assert_close(ours[1], (slopes * tangent).sum((1, 2)), **CLOSE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_tangents_have_the_type_of_what_they_belong_to(dtype):
    x = tensor((2, 4, 3), dtype)
    for function in DIFFERENTIABLE:
        value, tangent = jvp(both(function, -1)[0], (x,), (torch.ones_like(x),))
        assert (value.dtype, tangent.dtype, tangent.shape) == (dtype, dtype, value.shape)


WITHOUT = {
    "channel_stats": lambda x: ops.channel_stats(x[:, None])[0],
    "cosine_topk": lambda x: ops.cosine_topk(x[0], x[1], 1)[0],
    "cosine_pairs": lambda x: ops.cosine_pairs(x[0], -1.0)[2],
}


@pytest.mark.parametrize("name", WITHOUT)
def test_operators_without_derivatives_say_so(name):
    x = tensor((2, 4, 3), F64)
    for transform in (lambda f: jvp(f, (x,), (x,)), lambda f: jacfwd(f)(x)):
        with pytest.raises((RuntimeError, ValueError), match=f"{name}: has no (derivative|batching rule)"):
            transform(WITHOUT[name])
    with pytest.raises((RuntimeError, ValueError), match=f"{name}: has no (gradient|batching rule)"):
        grad(lambda x: WITHOUT[name](x).sum())(x)
    # Where nobody asks for them, they are no hindrance.
    _, tangent = jvp(lambda x, y: WITHOUT[name](x.detach()) * y.sum(), (x, x), (x, torch.ones_like(x)))
    torch.testing.assert_close(tangent, WITHOUT[name](x) * x.numel(), **CLOSE)


# --- batches of all seven, bit for bit what each sample gives ---------------------------------------------------------


def assert_batched(function, in_dims, *arguments):
    found = vmap(function, in_dims)(*arguments)
    found = found if isinstance(found, tuple) else (found,)
    size = next(x.shape[at] for x, at in zip(arguments, in_dims, strict=True) if at is not None)
    for i in range(size):
        sample = (x if at is None else x.select(at, i) for x, at in zip(arguments, in_dims, strict=True))
        expected = function(*sample)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for ours, theirs in zip(found, expected, strict=True):
            assert_same_bits(ours[i], theirs)


@examples(60)
@given(st.integers(0, 3), st.integers(1, 5), st.sampled_from([1, 7, 33]), seeds())
def test_batches(at, size, length, seed):
    def batch(*shape, dtype=torch.float32):
        return tensor((size, *shape), dtype, seed=seed).movedim(0, min(at, len(shape)))

    x, row, alone = batch(3, 4, length), batch(length), tensor((4, length), seed=seed + 1)
    ends = min(at, 1)
    for dim in (-3, -1, 0, 2):
        assert_batched(lambda x, dim=dim: ops.repeat_interleave(x, 2, dim), (at,), x)
        assert_batched(lambda x, dim=dim: ops.reduce_mean(x, [dim], True), (at,), x)
        assert_batched(lambda x, y, dim=dim: ops.cosine_similarity(x, y, dim), (at, None), x, alone)
    assert_batched(lambda x: ops.reduce_mean(x, []), (at,), x)
    assert_batched(lambda x: ops.reduce_mean(x, []), (0,), tensor((size,), seed=seed))
    assert_batched(lambda x, y: ops.cosine_similarity(x, y), (ends, at), row, x)
    assert_batched(lambda x, y: ops.cosine_similarity(y, x, 0), (ends, None), row, alone.movedim(0, 1)[:, 0])
    images = batch(2, 3, 5, length)
    assert_batched(ops.channel_stats, (at,), images)
    assert_batched(ops.channel_stats, (at,), (images.clamp(0, 2) * 100).byte())
    maps = tensor((2, 6, 1, 4), seed=seed)
    assert_batched(lambda a, b: ops.multiscale_pool([a, b], 6), (at, None), images, maps)
    assert_batched(lambda a, b: ops.multiscale_pool([b, a], 6), (at, 0), images, maps.expand(size, *maps.shape))
    queries, several = batch(3, length), min(at, 2)
    assert_batched(lambda q, g: ops.cosine_topk(q, g, 2), (several, None), queries, alone)
    assert_batched(lambda g, q: ops.cosine_topk(q, g, 2), (several, None), queries, alone)
    assert_batched(lambda q, g: ops.cosine_topk(q, g, 2), (several, several), queries, queries)


def test_batches_are_refused_in_words():
    x = tensor((2, 3, 4))
    for call, words in (
        (lambda x: ops.cosine_pairs(x, 0.5), "cosine_pairs: has no batching rule, as each matrix has its own number"),
        (lambda x: ops.repeat_interleave(x, 2, 2), r"repeat_interleave: dim must be in \[-2, 1\] \(got 2\)"),
        (lambda x: ops.repeat_interleave(x.sum(), 2), "repeat_interleave: the tensor must have at least one dimension"),
        (lambda x: ops.reduce_mean(x, [-3]), r"reduce_mean: dim must be in \[-2, 1\] \(got -3\)"),
        (lambda x: ops.cosine_similarity(x, x, 2), r"cosine_similarity: dim must be in \[-2, 1\] \(got 2\)"),
        (ops.channel_stats, r"channel_stats: images must have shape \(N, C, H, W\) \(got \[3, 4\]\)"),
        (lambda x: ops.multiscale_pool([x], 4), r"multiscale_pool: feature maps must have shape .* \(got \[3, 4\]\)"),
        (lambda x: ops.cosine_topk(x[0], torch.ones(3, 4), 1), "cosine_topk: queries and gallery must be matrices"),
    ):
        with pytest.raises(ValueError, match=words):
            vmap(call)(x)


def test_the_extractor_as_a_function_of_its_weights():
    """Per-sample gradients of a real network through `torch.func.functional_call`."""
    torch.manual_seed(0)
    body = torch.nn.ModuleList([torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 8, 3)])
    weights = dict(body.named_parameters())
    pictures = torch.rand(3, 3, 9, 8)

    class Small(torch.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.body, self.module = body, module

        def forward(self, x):
            first = self.body[0](x).relu()
            return self.module.multiscale_pool([first, self.body[1](first).relu()], 8)

    def loss(module):
        net = Small(module)
        names = {f"body.{name}": value for name, value in weights.items()}
        return lambda picture: functional_call(net, names, (picture[None],)).square().sum()

    for transform in (lambda f: vmap(grad(f)), lambda f: vmap(jacfwd(f))):
        found, expected = (transform(loss(module))(pictures) for module in (ops, reference))
        # Of float32, sums of some hundred products.
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_the_extractor_itself():
    extractor = build_extractor("resnet18", "random:0")
    weights = {name: value.detach() for name, value in extractor.state_dict(keep_vars=True).items()}
    pixels = torch.randint(0, 256, (3, 224, 224, 3), dtype=torch.uint8)
    assert_same_bits(functional_call(extractor, weights, (pixels,)), extractor(pixels))
    found = vmap(lambda picture: extractor(picture[None])[0])(pixels)
    torch.testing.assert_close(found, extractor(pixels))
