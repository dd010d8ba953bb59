"""The protocol of engines, and the way to make one by name."""

from __future__ import annotations

import os
from typing import Protocol

import numpy as np

from imgsim_ops.errors import ImgsimError
from imgsim_ops.models.fingerprint import Fingerprint

ENGINES = ("torch", "torchscript")


class Engine(Protocol):
    """Turns pixels into vectors. All engines give the same vectors, to the rounding of float32.

    Attributes:
        fingerprint: What the vectors carry.
        dimension: Values in an embedding.
    """

    fingerprint: Fingerprint
    dimension: int

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        """Embeds a batch of pictures.

        Args:
            pixels: uint8 RGB (N, 224, 224, 3), as ``images.preprocess.load_pixels`` makes them; N may be 0.

        Returns:
            float32 (N, dimension). Not normalised to unit length.

        Raises:
            ImgsimError: ``pixels`` has another type or shape.
        """
        ...

    def embed_with_layers(self, pixels: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """The embeddings, and the average-pooled vectors of the backbone's four taps, fine to coarse.

        Args:
            pixels: As in ``embed``.

        Returns:
            What ``embed`` returns, and four float32 arrays (N, C_i).

        Raises:
            ImgsimError: As ``embed``.
        """
        ...


def create_engine(
    name: str = "torch",
    *,
    backbone: str = "resnet18",
    weights: str | os.PathLike[str] | None = None,
    model: str | os.PathLike[str] | None = None,
    threads: int = 0,
) -> Engine:
    """The engine called ``name``.

    Args:
        name: ``torch`` (eager PyTorch) or ``torchscript``.
        backbone: As in ``imgsim_ops.models.extractor.build_extractor``.
        weights: As there.
        model: A file that ``export/resnet18_multiscale.py`` wrote, in place of a backbone and weights; for
            ``torchscript`` only.
        threads: How many threads a forward pass may use; 0 leaves PyTorch's number as it is. PyTorch has one
            number for the whole process.

    Raises:
        ImgsimError: No engine or backbone has that name, or an option does not fit it.
        WeightsError: The weights cannot be had or do not fit.
    """
    if name not in ENGINES:
        raise ImgsimError(f"engine: must be one of {', '.join(ENGINES)} (got {name!r})")
    if threads < 0:
        raise ImgsimError(f"engine: threads must be 0 or more (got {threads})")
    if name == "torchscript":
        from imgsim_ops.engines.torchscript import TorchScriptEngine

        if model is None:
            return TorchScriptEngine.build(backbone, weights, threads)
        if weights is not None:
            raise ImgsimError(f"engine: a model file has its own weights (got weights {str(weights)!r} too)")
        return TorchScriptEngine.load(model, threads)
    if model is not None:
        raise ImgsimError(f"engine: torch takes a backbone and weights, no model file (got {str(model)!r})")
    from imgsim_ops.engines.torch_eager import TorchEagerEngine

    return TorchEagerEngine(backbone, weights, threads)


def checked_pixels(pixels: np.ndarray) -> np.ndarray:
    """``pixels`` as an adjacent, writable array, which is what PyTorch can wrap; copied only if it must be.

    Raises:
        ImgsimError: Not uint8, or not (N, 224, 224, 3).
    """
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (224, 224, 3):
        raise ImgsimError(
            f"engine: pixels must be uint8 of shape (N, 224, 224, 3) (got {pixels.dtype} of shape {list(pixels.shape)})"
        )
    return np.require(pixels, requirements=["C_CONTIGUOUS", "WRITEABLE"])
