"""Pictures to vectors, and two pictures to a similarity."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from imgsim_ops import kernels
from imgsim_ops.engines.create import create_engine
from imgsim_ops.images.preprocess import CROP, RESIZE, load_pixels
from imgsim_ops.models.fingerprint import Fingerprint

Picture = str | os.PathLike[str] | np.ndarray

# Bounds the feature maps held at once to about 200 MB. Larger batches are no faster on a CPU.
_BATCH = 16


@dataclass(frozen=True)
class Similarity:
    """How alike two pictures are.

    Attributes:
        score: Cosine of the two embeddings; at most 1, and 1 for equal pixels.
        layers: Cosines of the pooled vectors of the four taps, fine to coarse: the first compares texture and
            colour, the last the subject.
    """

    score: float
    layers: tuple[float, float, float, float]


class Embedder:
    """Turns pictures into vectors.

    Attributes:
        fingerprint: What the vectors carry; only vectors with equal fingerprints may be compared.
        dimension: Values in a vector.
    """

    fingerprint: Fingerprint
    dimension: int

    def __init__(
        self,
        backbone: str = "resnet18",
        engine: str = "onnx",
        precision: str = "auto",
        weights: str | os.PathLike[str] | None = None,
        threads: int = 0,
        *,
        model: str | os.PathLike[str] | None = None,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """Loads the model; the first time for these weights it is built, which takes seconds.

        Args:
            backbone: ``resnet18`` or ``efficientnet_lite0``.
            engine: ``onnx``, ``torch`` or ``torchscript``; see ``imgsim_ops.engines.create.create_engine``.
            precision: ``fp32``; ``int8``; or ``auto``, int8 where it is fast here and was measured to be as good.
            weights: As in ``imgsim_ops.models.weights.load_backbone``.
            threads: How many threads a forward pass may use; 0 leaves the engine's own number.
            model: A file that ``imgsim export`` wrote, in place of a backbone, precision and weights.
            announce: Called with one line when something takes seconds. Default: prints it to stderr.

        Raises:
            ImgsimError: No backbone, engine or precision has that name, or an option does not fit the engine.
            WeightsError: The weights cannot be had or do not fit.
        """
        self._engine = create_engine(
            engine,
            backbone=backbone,
            precision=precision,
            weights=weights,
            threads=threads,
            model=model,
            announce=announce,
        )
        self.fingerprint = self._engine.fingerprint
        self.dimension = self._engine.dimension

    def embed(self, pictures: Iterable[Picture]) -> np.ndarray:
        """The vectors of pictures, in their order.

        Args:
            pictures: Paths, or uint8 RGB arrays (H, W, 3).

        Returns:
            float32 (N, dimension). Not normalised to unit length.

        Raises:
            ImageError: A file cannot be read as a picture.
            ValueError: An array is no picture, or ``pictures`` is a single one.
        """
        batches = [self._engine.embed(batch) for batch in _batches(pictures)]
        return np.concatenate(batches) if batches else np.empty((0, self.dimension), np.float32)

    def compare(self, a: Picture, b: Picture) -> Similarity:
        """How alike two pictures are, as a whole and at each of the four scales.

        Raises:
            ImageError: A file cannot be read as a picture.
            ValueError: An array is no picture.
        """
        pixels = np.stack([_pixels(a), _pixels(b)])
        (first, second), layers = self._engine.embed_with_layers(pixels)
        return Similarity(_cosine(first, second), tuple(_cosine(layer[0], layer[1]) for layer in layers))


def compare(
    a: Picture,
    b: Picture,
    *,
    backbone: str = "resnet18",
    engine: str = "onnx",
    precision: str = "auto",
    weights: str | os.PathLike[str] | None = None,
    threads: int = 0,
) -> Similarity:
    """How alike two pictures are. Loads the model each time: for many comparisons keep an ``Embedder``.

    Args:
        a: A path, or a uint8 RGB array (H, W, 3).
        b: Likewise.
        backbone: As in ``Embedder``.
        engine: As in ``Embedder``.
        precision: As in ``Embedder``.
        weights: As in ``Embedder``.
        threads: As in ``Embedder``.

    Raises:
        ImgsimError: As ``Embedder``.
        WeightsError: The weights cannot be had or do not fit.
        ImageError: A file cannot be read as a picture.
        ValueError: An array is no picture.
    """
    return Embedder(backbone, engine, precision, weights, threads).compare(a, b)


def _batches(pictures: Iterable[Picture]) -> Iterator[np.ndarray]:
    if isinstance(pictures, str | os.PathLike) or (isinstance(pictures, np.ndarray) and pictures.ndim == 3):
        raise ValueError("embed: pictures must be a list of paths or arrays (got a single one)")
    remaining = iter(pictures)
    while batch := [_pixels(picture) for picture in islice(remaining, _BATCH)]:
        yield np.stack(batch)


def _pixels(picture: Picture) -> np.ndarray:
    if isinstance(picture, np.ndarray):
        return kernels.resize_crop(picture, RESIZE, CROP)
    return load_pixels(picture)


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(kernels.cosine_similarity(x, y))
