"""Networks that make one vector of a picture, small enough to be trained from nothing on a processor.

An encoder takes pixels at the side that it was made for, and normalises them itself. `Served` is the same for pictures
of 224 x 224, which is what engines give.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.preprocess import CROP

NETWORKS = ("small", "resnet18")
#: The sides that pictures may have, in pixels: divisors of 224 that leave the small network something to see.
SIZES = tuple(side for side in range(14, CROP + 1) if CROP % side == 0)

# The small network halves its maps until their side is at most this. It does not pool them after that: where a stroke
# is tells a digit from another.
_LAST_SIDE = 7
_FIRST_CHANNELS = 16
_MOST_CHANNELS = 64


class Encoder(nn.Module):
    """Pixels to vectors.

    Attributes:
        size: The side of the pictures, in pixels.
        dimension: Values in a vector.
        unit: Whether vectors have unit length.
    """

    def __init__(self, network: str = "small", size: int = 28, dimension: int = 64, unit: bool = True) -> None:
        """An encoder of random weights, by PyTorch's generator.

        Args:
            network: ``small``, convolutions with batch norms and one linear layer (some 200,000 weights), or
                ``resnet18``, torchvision's (11 million).
            size: One of `SIZES`.
            dimension: Values in a vector.
            unit: Whether vectors are brought to unit length.

        Raises:
            ImgsimError: There is no such network or size, or no values are asked for.
        """
        super().__init__()
        if network not in NETWORKS:
            raise ImgsimError(f"encoder: the network must be one of {', '.join(NETWORKS)} (got {network!r})")
        if size not in SIZES:
            raise ImgsimError(f"encoder: the size must be one of {', '.join(map(str, SIZES))} (got {size})")
        if dimension < 2:
            raise ImgsimError(f"encoder: a vector must have 2 values or more (got {dimension})")
        self.size, self.dimension, self.unit = size, dimension, unit
        self.register_buffer("mean", torch.full((3,), 127.5))
        self.register_buffer("std", torch.full((3,), 127.5))
        self.body = _small(size, dimension) if network == "small" else _resnet18(dimension)

    def set_normalisation(self, pixels: torch.Tensor) -> None:
        """Takes the mean and the standard deviation of each channel from pictures.

        Args:
            pixels: uint8 (N, H, W, 3), N at least 1. A channel of one value in all of them is not divided.
        """
        channels = pixels.reshape(-1, 3).double()
        self.mean.copy_(channels.mean(0))
        std = channels.std(0, correction=0)
        self.std.copy_(torch.where(std > 0, std, 1))

    def images(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels as the layers take them.

        Args:
            pixels: (N, size, size, 3), RGB from 0 to 255, of any type.

        Returns:
            float32 (N, 3, size, size), of mean 0 and deviation 1 over what `set_normalisation` was given.
        """
        return ((pixels.to(torch.float32) - self.mean) / self.std).permute(0, 3, 1, 2)

    def vectors(self, images: torch.Tensor) -> torch.Tensor:
        """What `images` made, as vectors: float32 (N, dimension)."""
        found = self.body(images)
        return F.normalize(found) if self.unit else found

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Vectors, float32 (N, dimension), of pixels as `images` takes them."""
        return self.vectors(self.images(pixels))


class Decoder(nn.Module):
    """Vectors to pictures: the small network the other way round."""

    def __init__(self, size: int, dimension: int) -> None:
        super().__init__()
        side, channels = _last_map(size)
        layers: list[nn.Module] = [
            nn.Linear(dimension, channels * side * side),
            nn.ReLU(),
            nn.Unflatten(1, (channels, side, side)),
        ]
        while side < size:
            fewer = max(channels // 2, _FIRST_CHANNELS)
            layers += [nn.Upsample(scale_factor=2), *_convolution(channels, fewer)]
            side, channels = 2 * side, fewer
        self.body = nn.Sequential(*layers, nn.Conv2d(channels, 3, 3, padding=1))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Images as `Encoder.images` makes them, (N, 3, size, size)."""
        return self.body(vectors)


class Served(nn.Module):
    """An encoder for pictures of 224 x 224, which it resizes as `evaluation.labelled.network_pixels` does."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Vectors, float32 (N, dimension), of pixels, uint8 (N, 224, 224, 3)."""
        side = CROP // self.encoder.size
        if side == 1:
            return self.encoder(pixels)
        area = side * side
        means = F.avg_pool2d(pixels.permute(0, 3, 1, 2).to(torch.float32), side)
        # The sums are whole numbers below 2^24, which float32 holds: rounding finds them exactly, whatever the pooling
        # multiplied by. Then halves go up, as there.
        sums = torch.round(means * area)
        return self.encoder(torch.floor((sums + area // 2) / area).permute(0, 2, 3, 1))


def _small(size: int, dimension: int) -> nn.Module:
    layers = [*_convolution(3, _FIRST_CHANNELS)]
    side, channels = size, _FIRST_CHANNELS
    while side > _LAST_SIDE:
        more = min(2 * channels, _MOST_CHANNELS)
        layers += [nn.MaxPool2d(2), *_convolution(channels, more)]
        side, channels = side // 2, more
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side * side, dimension), _centred(dimension))


def _centred(dimension: int) -> nn.Module:
    """Each value of a vector has mean 0 and deviation 1 over all pictures: only then do cosines use all directions."""
    return nn.BatchNorm1d(dimension, affine=False)


def _last_map(size: int) -> tuple[int, int]:
    """The side and the channels of the small network's last map."""
    side, channels = size, _FIRST_CHANNELS
    while side > _LAST_SIDE:
        side, channels = side // 2, min(2 * channels, _MOST_CHANNELS)
    return side, channels


def _convolution(channels: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]


def _resnet18(dimension: int) -> nn.Module:
    from torchvision.models import resnet18

    return nn.Sequential(resnet18(weights=None, num_classes=dimension), _centred(dimension))
