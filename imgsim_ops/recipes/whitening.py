"""Whitening: what many pictures have in common no longer drowns what tells them apart."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imgsim_ops.errors import ImgsimError
from imgsim_ops.recipes.fingerprint import Fingerprint

_MOST_COMPONENTS = 512
# What is added to each variance, as a share of their mean, so that directions which the pictures hardly differ in are
# not blown up into noise: that pulls copies apart where there are fewer pictures than dimensions. Fitted to 200 of them
# with copies of some among them, a share of 0.01 gives a micro average precision of 0.950, one of 0.1 0.998, and no
# whitening 0.980; with 676 pictures it is 0.983, 0.984 and 0.944.
_SHRINKAGE = 0.1
_BLOCK = 8192


@dataclass(frozen=True)
class Whitening:
    """A linear map after which pictures differ as much in every direction as in any other.

    Principal components, each divided by its standard deviation: what many pictures have in common no longer drowns
    what tells them apart. Source: Jégou and Chum, "Negative evidences and co-occurrences in image retrieval: the
    benefit of PCA and whitening" (2012).

    Attributes:
        mean: float32 (D,).
        matrix: float32 (D, K), K at most 512.
    """

    mean: np.ndarray
    matrix: np.ndarray

    @classmethod
    def fit(cls, vectors: np.ndarray, shrinkage: float = _SHRINKAGE) -> Whitening:
        """Fits it to vectors; the same bits each time for the same vectors.

        Args:
            vectors: (N, D) floating array, N at least 2. Of fewer than D + 1 vectors the directions in which they do
                not differ at all are left out.
            shrinkage: Share of the mean variance that is added to each, above 0.

        Raises:
            ImgsimError: Fewer than two.
        """
        if len(vectors) < 2:
            raise ImgsimError(f"whitening: must be fitted to at least 2 vectors (got {len(vectors)})")
        dimension = vectors.shape[1]
        total, products = np.zeros(dimension), np.zeros((dimension, dimension))
        for block in _blocks(vectors):
            total += block.sum(0)
        mean = total / len(vectors)
        for block in _blocks(vectors):
            block = block - mean
            products += block.T @ block
        variances, directions = np.linalg.eigh(products / len(vectors))
        kept = min(_MOST_COMPONENTS, dimension, len(vectors) - 1)
        variances, directions = np.maximum(variances[::-1][:kept], 0), directions[:, ::-1][:, :kept]
        mean_variance = variances.mean()
        scale = 1 / np.sqrt(variances + shrinkage * mean_variance) if mean_variance > 0 else np.ones(kept)
        return cls(mean.astype(np.float32), (directions * scale).astype(np.float32))

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Whitened vectors of unit length, float32 (N, K), of (N, D) floating ones; rows of zeros stay zeros."""
        vectors = vectors.astype(np.float32)
        found = (vectors - self.mean) @ self.matrix
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        lengths[lengths == 0] = 1
        return np.where(vectors.any(1, keepdims=True), found / lengths, np.float32(0))

    @property
    def digest(self) -> str:
        """12 hexadecimal digits that tell it from others."""
        return hashlib.sha256(self.to_bytes(), usedforsecurity=False).hexdigest()[:12]

    def to_bytes(self) -> bytes:
        """As NumPy's own file of both arrays, one after the other."""
        file = io.BytesIO()
        np.save(file, self.mean)
        np.save(file, self.matrix)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Whitening:
        """Reads what `to_bytes` wrote.

        Raises:
            ImgsimError: `content` is something else.
        """
        file = io.BytesIO(content)
        try:
            mean, matrix = (np.load(file, allow_pickle=False) for _ in range(2))
        except (ValueError, EOFError, OSError) as error:
            raise ImgsimError(f"whitening: must be what imgsim wrote (got {error})") from error
        if mean.dtype != np.float32 or matrix.dtype != np.float32 or mean.ndim != 1 or matrix.shape[:1] != mean.shape:
            raise ImgsimError(f"whitening: must be what imgsim wrote (got arrays of {mean.shape} and {matrix.shape})")
        return cls(mean, matrix)


@dataclass(frozen=True)
class FittedWhitening:
    """A whitening with what it was fitted to.

    Attributes:
        whitening: The map.
        fingerprint: What made the vectors that it was fitted to.
        path: The collection that has them.
    """

    whitening: Whitening
    fingerprint: Fingerprint
    path: Path


def _blocks(vectors: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(vectors), _BLOCK):
        yield vectors[first : first + _BLOCK].astype(np.float64)
