"""The protocol of engines, and the check that they share."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from imgsim_ops.errors import ImgsimError
from imgsim_ops.recipes.fingerprint import Fingerprint


class Engine(Protocol):
    """Turns pixels into vectors. All engines give the same vectors, to the rounding of float32.

    Attributes:
        fingerprint: What the vectors carry.
        dimension: Values in an embedding.
        has_gem: Whether there is ``embed_with_gem`` too, see ``engines.onnx.OnnxEngine``.
    """

    fingerprint: Fingerprint
    dimension: int
    has_gem: bool

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        """Embeds a batch of pictures.

        Args:
            pixels: uint8 RGB (N, 224, 224, 3), as ``images.preprocess.load_pixels`` makes them; N may be 0.

        Returns:
            float32 (N, dimension). Not normalised to unit length, unless the model is a file exported by another recipe
            than ``mean``.

        Raises:
            ImgsimError: ``pixels`` has another type or shape.
        """
        ...

    def embed_with_layers(self, pixels: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """The embeddings, and the average-pooled vectors of the backbone's four taps, fine to coarse.

        Args:
            pixels: As in ``embed``.

        Returns:
            What ``embed`` returns, and four float32 arrays (N, C_i); none of them where the model was exported without
            its layers, or is a trained encoder, which has no taps.

        Raises:
            ImgsimError: As ``embed``.
        """
        ...

    def many_at_once(self) -> Engine | None:
        """An engine like this one for several threads to call at once, each call on one processor.

        For many pictures that is the faster way: no thread waits for another in the middle of a picture. None where the
        runtime has no such engine; calls must then come one at a time.
        """
        ...


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
