"""The oracle itself, against values worked out by hand, NumPy, or PyTorch's own functions in float64."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from imgsim_ops.torch_ops import reference

# Two float64 computations of one formula in different order: a few times 2**-53, with room for 512 terms.
FLOAT64_ROUNDING = 1e-13

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def test_repeat_interleave():
    x = torch.tensor([[1, 2], [3, 4]])
    assert reference.repeat_interleave(x, 2).tolist() == [[1, 1, 2, 2], [3, 3, 4, 4]]
    assert reference.repeat_interleave(x, 2, 0).tolist() == [[1, 2], [1, 2], [3, 4], [3, 4]]


@pytest.mark.parametrize("dtype", FLOATS)
def test_reduce_mean(dtype):
    x = torch.arange(24).reshape(2, 3, 4).to(dtype)
    assert reference.reduce_mean(x, [-1]).dtype == dtype
    assert reference.reduce_mean(x, [-1]).tolist() == [[1.5, 5.5, 9.5], [13.5, 17.5, 21.5]]
    assert reference.reduce_mean(x, [0, 2], keepdim=True).shape == (1, 3, 1)
    assert reference.reduce_mean(x, []).item() == 11.5
    assert reference.reduce_mean(x, [], keepdim=True).shape == (1, 1, 1)
    assert reference.reduce_mean(x[1, 0, 2], []).item() == 14


def test_reduce_mean_rounds_once():
    # A float16 running sum would stop growing at 2048.
    assert reference.reduce_mean(torch.ones(5000, dtype=torch.float16), [0]).item() == 1


def test_reduce_mean_of_nothing():
    assert math.isnan(reference.reduce_mean(torch.empty(0), [0]).item())


@pytest.mark.parametrize("dtype", [torch.uint8, *FLOATS])
def test_channel_stats(dtype):
    images = torch.randint(0, 200, (2, 3, 5, 7), generator=torch.Generator().manual_seed(0)).to(dtype)
    mean, std = reference.channel_stats(images)
    expected = images.double().numpy()
    assert mean.dtype == std.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    # One rounding to float32.
    np.testing.assert_allclose(mean.numpy(), expected.mean((0, 2, 3)), rtol=1e-7)
    np.testing.assert_allclose(std.numpy(), expected.std((0, 2, 3)), rtol=1e-7)


def test_multiscale_pool():
    narrow = torch.tensor([[[[1.0, 3.0]], [[5.0, 7.0]]]])  # averages 2 and 6
    wide = torch.tensor([0.0, 10.0, 20.0, 30.0]).view(1, 4, 1, 1)
    assert reference.multiscale_pool([narrow, wide], 4).tolist() == [[1.0, 6.0, 13.0, 18.0]]


def test_cosine_similarity_is_the_cosine():
    x1, x2 = torch.randn(2, 4, 512, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours = reference.cosine_similarity(x1, x2)
    torch.testing.assert_close(ours, F.cosine_similarity(x1, x2), rtol=0, atol=FLOAT64_ROUNDING)
    ours = reference.cosine_similarity(x1[:, None], x2[None], dim=-1)
    assert ours.shape == (4, 4)
    assert reference.cosine_similarity(x1, x2, dim=0).shape == (512,)


@pytest.mark.parametrize("dtype", FLOATS)
def test_cosine_similarity_keeps_the_type(dtype):
    assert reference.cosine_similarity(torch.ones(3, dtype=dtype), torch.ones(3, dtype=dtype)).dtype == dtype


def test_cosine_similarity_promotes():
    ours = reference.cosine_similarity(torch.ones(3), torch.ones(3, dtype=torch.float64))
    assert ours.dtype == torch.float64


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_cosine_similarity_neither_overflows_nor_underflows(scale):
    x = torch.tensor([3.0, 4.0]) * scale
    # 3*4 + 4*3 = 24 over 5*5, whatever the scale.
    assert reference.cosine_similarity(x, x.flip(0), eps=0.0).item() == pytest.approx(24 / 25, rel=1e-6)


def test_cosine_similarity_small_norms_meet_eps():
    x = torch.tensor([1e-5, 0.0], dtype=torch.float64)
    assert reference.cosine_similarity(x, x, eps=1e-8).item() == pytest.approx(1e-2)


@pytest.mark.parametrize("eps", [0.0, 1e-8])
def test_cosine_similarity_of_zero_and_of_nan(eps):
    zero, one, nan = torch.zeros(2), torch.ones(2), torch.tensor([1.0, math.nan])
    assert reference.cosine_similarity(zero, one, eps=eps).item() == 0
    assert reference.cosine_similarity(zero, zero, eps=eps).item() == 0
    assert math.isnan(reference.cosine_similarity(nan, one, eps=eps).item())
    assert math.isnan(reference.cosine_similarity(nan, zero, eps=eps).item())


def test_cosine_topk_ties_by_lower_index_and_nan_last():
    gallery = torch.tensor([[math.nan, 0.0], [-1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    scores, indices = reference.cosine_topk(torch.tensor([[1.0, 0.0]]), gallery, 5)
    assert indices.tolist() == [[2, 4, 3, 1, 0]]
    assert scores[0, :4].tolist() == [1, 1, 0, -1]
    assert math.isnan(scores[0, 4].item())


@pytest.mark.parametrize("dtype", FLOATS)
def test_score_types(dtype):
    vectors = torch.eye(3, dtype=dtype)
    expected = torch.float64 if dtype == torch.float64 else torch.float32
    assert reference.cosine_topk(vectors, vectors, 2)[0].dtype == expected
    assert reference.cosine_pairs(vectors, -1.0)[2].dtype == expected


def test_cosine_topk_ranks_the_rounded_score():
    # In float64 the second row is nearer. Both scores round to 1 in float32, where the index decides.
    gallery = torch.tensor([[1.0, 1e-5], [1.0, 0.0]])
    assert reference.cosine_topk(torch.tensor([[1.0, 0.0]]), gallery, 2)[1].tolist() == [[0, 1]]
    gallery = gallery.double()
    assert reference.cosine_topk(torch.tensor([[1.0, 0.0]]).double(), gallery, 2)[1].tolist() == [[1, 0]]


def test_cosine_pairs():
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [math.nan, 0.0], [0.0, 0.0], [1.0, 1.0]])
    rows, cols, scores = reference.cosine_pairs(vectors, 0.5)
    assert list(zip(rows.tolist(), cols.tolist(), strict=True)) == [(0, 2), (0, 5), (1, 5), (2, 5)]
    assert scores[0].item() == 1
    assert reference.cosine_pairs(vectors, 1.0)[0].tolist() == [0]
    assert reference.cosine_pairs(vectors[:1], -1.0)[0].numel() == 0
