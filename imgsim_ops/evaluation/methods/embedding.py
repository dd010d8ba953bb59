"""Encoders that were trained here, our own multi-scale embedding, and the pixels themselves to hold them against."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.engines.onnx import OnnxEngine
from imgsim_ops.evaluation.judging import VectorMethod
from imgsim_ops.evaluation.labelled import network_pixels
from imgsim_ops.models.locations import weights_source


class TrainedEncoder(VectorMethod):
    """An encoder that ``imgsim methods train`` exported; a ``judging.Method``."""

    def __init__(self, model: str | os.PathLike[str], threads: int = 0) -> None:
        """Loads the model.

        Args:
            model: The file ``encoder.onnx`` of a run.
            threads: How many threads a forward pass may use; 0 means all processors that this process may use.

        Raises:
            ImgsimError: It is no such file.
        """
        self._engine = OnnxEngine(model, threads)
        self.made_by = str(self._engine.fingerprint)
        self.dimension = self._engine.dimension

    def embed(self, pictures: list[np.ndarray]) -> np.ndarray:
        """See `VectorMethod.embed`."""
        return self._engine.embed(network_pixels(pictures, 224))


class MultiScale(VectorMethod):
    """Our own embedding, as ``imgsim embed`` makes it; a ``judging.Method``."""

    def __init__(self, backbone: str, threads: int = 0, announce: Callable[[str], None] | None = None) -> None:
        """Loads the model.

        Args:
            backbone: As in ``Embedder``, likewise the others.
            threads: As there.
            announce: As there.

        Raises:
            ImgsimError: As ``Embedder``.
            WeightsError: The weights cannot be had.
        """
        self._embedder = Embedder(backbone, threads=threads, announce=announce)
        self.made_by = str(self._embedder.fingerprint)
        self.dimension = self._embedder.dimension
        if isinstance(weights_source(backbone, None), int):
            self.meaningless = f"random weights: these numbers say nothing about {backbone}"

    def embed(self, pictures: list[np.ndarray]) -> np.ndarray:
        """See `VectorMethod.embed`."""
        return self._embedder.embed(pictures)


class Pixels(VectorMethod):
    """The pixels of a picture at 32 x 32, less their mean: what any method must beat; a ``judging.Method``."""

    made_by = "32 x 32 pixels, less their mean"
    dimension = 3 * 32 * 32

    def embed(self, pictures: list[np.ndarray]) -> np.ndarray:
        """See `VectorMethod.embed`."""
        pixels = network_pixels(pictures, 32).reshape(len(pictures), self.dimension).astype(np.float32)
        return pixels - pixels.mean(axis=1, keepdims=True)
