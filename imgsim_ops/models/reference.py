"""The multi-scale embedding in plain PyTorch: the oracle of the extractor's tests, the baseline of its timings."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from imgsim_ops.models.backbones import Backbone


@torch.no_grad()
def multiscale_embedding(backbone: Backbone, pixels: torch.Tensor) -> torch.Tensor:
    """The multi-scale embedding as a PyTorch user would write it.

    No operator of ours, nothing folded, float32 throughout.

    Args:
        backbone: From ``imgsim_ops.models.weights.load_backbone``, in eval mode.
        pixels: uint8 RGB (N, 224, 224, 3).

    Returns:
        float32 (N, backbone.dimension).
    """
    mean = torch.tensor(backbone.mean).view(1, 3, 1, 1)
    std = torch.tensor(backbone.std).view(1, 3, 1, 1)
    images = pixels.permute(0, 3, 1, 2).float() / 255
    taps = backbone((images - mean) / std)
    pooled = [F.adaptive_avg_pool2d(tap, 1).flatten(1) for tap in taps]
    width = backbone.dimension
    widened = [torch.repeat_interleave(vector, width // vector.shape[1], dim=1) for vector in pooled]
    return torch.stack(widened).mean(dim=0)
