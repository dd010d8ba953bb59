"""The multi-scale extractor: raw pixels in, one embedding out."""

import copy
import os

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from imgsim_ops import ops
from imgsim_ops.images.preprocess import PREPROCESSING_VERSION
from imgsim_ops.models.backbones import Backbone
from imgsim_ops.models.facts import ModelFacts
from imgsim_ops.models.weights import load_backbone, weights_digest
from imgsim_ops.recipes.fingerprint import Fingerprint


class MultiScaleExtractor(nn.Module):
    """A backbone's four taps, average-pooled, repeated to one width and averaged into one vector.

    For inference only: batch norms and the division of the normalisation are folded into the convolutions,
    nothing has a gradient. Works under ``torch.jit.script``, ``torch.compile(fullgraph=True)`` and
    ``torch.export``.

    Attributes:
        backbone_name: Name of the backbone.
        dimension: Values in an embedding.
        channels: Values in each of the four pooled vectors of ``with_layers``.
        fingerprint: What an embedding of this extractor carries.
    """

    backbone_name: str
    dimension: int
    channels: tuple[int, int, int, int]

    def __init__(self, backbone: Backbone) -> None:
        """Builds the extractor on a copy of ``backbone``, which stays as it is."""
        super().__init__()
        self.backbone_name = backbone.name
        self.dimension = backbone.dimension
        self.channels = backbone.channels
        self.fingerprint = Fingerprint(backbone.name, weights_digest(backbone), "fp32", PREPROCESSING_VERSION)

        folded = copy.deepcopy(backbone).double().requires_grad_(False)
        _fold_batch_norms(folded)
        # (pixel / 255 - mean) / std = (pixel - 255 mean) / (255 std). The division commutes with the
        # convolution. The subtraction does not: the border is padded with zeros after it.
        folded.first_convolution().weight /= 255 * torch.tensor(backbone.std).double().view(1, 3, 1, 1)
        self.backbone = folded.float().to(memory_format=torch.channels_last)
        mean = 255 * torch.tensor(backbone.mean, dtype=torch.float64)
        self.register_buffer("mean_pixel", mean.float().view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def facts(self) -> ModelFacts:
        """What a program that loads it from a file has to know about it."""
        return ModelFacts(self.fingerprint, self.dimension, self.channels)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """The embeddings of a batch of pictures.

        Args:
            pixels: uint8 RGB (N, 224, 224, 3).

        Returns:
            float32 (N, dimension). Not normalised to unit length.

        Raises:
            ValueError: ``pixels`` has another type or shape (``torch.jit.Error`` once scripted).
        """
        return ops.multiscale_pool(self.taps(pixels), self.dimension)

    @torch.jit.export
    def with_layers(self, pixels: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The embeddings, and the average-pooled vector of each tap, fine to coarse, from one forward pass.

        Args:
            pixels: uint8 RGB (N, 224, 224, 3).

        Returns:
            float32 (N, dimension), and four float32 tensors (N, C_i).

        Raises:
            ValueError: As ``forward``.
        """
        taps = self.taps(pixels)
        # A single map at its own width is that map's average, from the very kernel that makes the embedding.
        layers = [ops.multiscale_pool([tap], tap.size(1)) for tap in taps]
        return ops.multiscale_pool(taps, self.dimension), layers

    def taps(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """The backbone's four feature maps, float32 (N, C_i, H_i, W_i); arguments and errors as of ``forward``."""
        if pixels.dtype != torch.uint8:
            raise ValueError(f"extractor: pixels must be uint8 (got {pixels.dtype})")
        if pixels.dim() != 4 or pixels.size(1) != 224 or pixels.size(2) != 224 or pixels.size(3) != 3:
            raise ValueError(f"extractor: pixels must be (N, 224, 224, 3) (got {list(pixels.shape)})")
        # NHWC pixels seen as NCHW are in the channels_last layout that the convolutions have too: no copy
        # between.
        images = pixels.permute(0, 3, 1, 2).to(torch.float32) - self.mean_pixel
        return self.backbone(images)


def build_extractor(backbone: str = "resnet18", weights: str | os.PathLike[str] | None = None) -> MultiScaleExtractor:
    """The extractor of a backbone with its weights, ready for inference.

    Args:
        backbone: ``resnet18`` (512 values) or ``efficientnet_lite0`` (1280).
        weights: As in ``imgsim_ops.models.weights.load_backbone``.

    Raises:
        ImgsimError: No backbone has that name.
        WeightsError: The weights cannot be had or do not fit.
    """
    return MultiScaleExtractor(load_backbone(backbone, weights))


@torch.no_grad()
def _fold_batch_norms(parent: nn.Module) -> None:
    """Folds each batch norm into the convolution registered just before it; an identity takes its place."""
    previous_name, previous = "", parent
    for name, child in list(parent.named_children()):
        if isinstance(child, nn.BatchNorm2d) and isinstance(previous, nn.Conv2d):
            setattr(parent, previous_name, fuse_conv_bn_eval(previous, child))
            setattr(parent, name, nn.Identity())
        else:
            _fold_batch_norms(child)
        previous_name, previous = name, child
