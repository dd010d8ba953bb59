"""Encoders: their shapes, their normalisation, and pictures of 224 x 224 brought to their size inside."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.labelled import averaged
from imgsim_ops.evaluation.training.encoders import SIZES, Decoder, Encoder, Served


def noise(count, side, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), np.uint8)


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_shapes_and_lengths(size, unit):
    encoder = Encoder("small", size, 10, unit).eval()
    with torch.no_grad():
        vectors = encoder(torch.from_numpy(noise(3, size)))
        rebuilt = Decoder(size, 10).eval()(vectors)
    assert vectors.shape == (3, 10)
    assert vectors.dtype == torch.float32
    assert rebuilt.shape == (3, 3, size, size)
    lengths = vectors.norm(dim=1)
    # Ten squares are summed in float32.
    assert torch.allclose(lengths, torch.ones(3), atol=1e-6) == unit


def test_resnet18():
    encoder = Encoder("resnet18", 32, 10).eval()
    with torch.no_grad():
        assert encoder(torch.from_numpy(noise(2, 32))).shape == (2, 10)


def test_the_small_network_is_small():
    weights = sum(values.numel() for values in Encoder().parameters())
    assert 100_000 < weights < 300_000


def test_normalisation():
    pixels = torch.from_numpy(noise(5, 14))
    pixels[..., 2] = 7
    encoder = Encoder("small", 14, 4)
    encoder.set_normalisation(pixels)
    images = encoder.images(pixels).double()
    # 980 values of a channel; each is rounded to float32 once or twice.
    assert torch.allclose(images.mean((0, 2, 3)), torch.zeros(3, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(
        images.std((0, 2, 3), correction=0), torch.tensor([1.0, 1, 0], dtype=torch.float64), atol=1e-6
    )


class Itself(nn.Module):
    """In an encoder's place: gives back the pixels."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, pixels):
        return pixels


@pytest.mark.parametrize("size", [*SIZES, 7, 8])
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), most=st.sampled_from([2, 256]))
def test_served_pixels_are_those_of_training(size, seed, most):
    # With values of 0 and 1 many means are halves, or just beside.
    pixels = np.random.default_rng(seed).integers(0, most, (224, 224, 3), np.uint8)
    served = Served(Itself(size))(torch.from_numpy(pixels[np.newaxis]))
    assert np.array_equal(served[0].numpy(), averaged(pixels, size))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense",), "small, resnet18 (got 'nonsense')"),
        (("small", 30), "14, 16, 28, 32, 56, 112, 224 (got 30)"),
        (("small", 28, 1), "2 values or more (got 1)"),
    ],
)
def test_errors(arguments, words):
    with pytest.raises(ImgsimError) as raised:
        Encoder(*arguments)
    assert str(raised.value).startswith("encoder: ")
    assert words in str(raised.value)
