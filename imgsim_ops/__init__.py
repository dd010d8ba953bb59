"""imgsim: find, compare and de-duplicate images.

Importing this package is cheap: what needs NumPy or PyTorch is loaded at first use.

Example:
    >>> import imgsim_ops
    >>> imgsim_ops.compare("a.jpg", "b.jpg").score  # doctest: +SKIP
    0.97
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from imgsim_ops.errors import ImageError, ImgsimError, WeightsError

if TYPE_CHECKING:
    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.embedding.embedder import Embedder, Similarity, compare
    from imgsim_ops.libraries import ort_library_path

__version__ = "0.1.0"

__all__ = [
    "Collection",
    "Embedder",
    "ImageError",
    "ImgsimError",
    "Similarity",
    "WeightsError",
    "__version__",
    "compare",
    "ort_library_path",
]

_LAZY = {
    "Collection": "collection.collection",
    "Embedder": "embedding.embedder",
    "Similarity": "embedding.embedder",
    "compare": "embedding.embedder",
    "ort_library_path": "libraries",
}


def __getattr__(name: str):
    if name in _LAZY:
        return getattr(importlib.import_module(f"imgsim_ops.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'imgsim_ops' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
