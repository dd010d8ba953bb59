"""The extractor in eager PyTorch."""

from __future__ import annotations

import os

import numpy as np
import torch

from imgsim_ops.engines.base import checked_pixels
from imgsim_ops.models.extractor import build_extractor


class TorchEagerEngine:
    """Runs the extractor as the Python module that it is; see ``engines.base.Engine``."""

    has_gem = False

    def __init__(
        self,
        backbone: str = "resnet18",
        weights: str | os.PathLike[str] | None = None,
        threads: int = 0,
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._extractor = build_extractor(backbone, weights)
        self.fingerprint = self._extractor.fingerprint
        self.dimension = self._extractor.dimension

    def many_at_once(self) -> None:
        """See ``engines.base.Engine.many_at_once``: PyTorch has one pool of threads for the whole process."""

    @torch.inference_mode()
    def embed(self, pixels: np.ndarray) -> np.ndarray:
        """See ``engines.base.Engine.embed``."""
        return self._extractor(torch.from_numpy(checked_pixels(pixels))).numpy()

    @torch.inference_mode()
    def embed_with_layers(self, pixels: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """See ``engines.base.Engine.embed_with_layers``."""
        vectors, layers = self._extractor.with_layers(torch.from_numpy(checked_pixels(pixels)))
        return vectors.numpy(), [layer.numpy() for layer in layers]
