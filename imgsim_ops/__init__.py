"""imgsim: find, compare and de-duplicate images.

Importing this package is cheap: what needs NumPy or PyTorch is loaded at first use.

Example:
    >>> import imgsim_ops
    >>> imgsim_ops.compare("a.jpg", "b.jpg").score  # doctest: +SKIP
    0.97
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from imgsim_ops.errors import ImageError, ImgsimError, WeightsError

if TYPE_CHECKING:
    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.collection.duplicates import Rules
    from imgsim_ops.collection.find import find_duplicates, find_leaks
    from imgsim_ops.collection.search import SearchOptions
    from imgsim_ops.embedding.embedder import Embedder, compare
    from imgsim_ops.embedding.similarity import Similarity
    from imgsim_ops.images.given import pixels
    from imgsim_ops.images.options import ReadOptions
    from imgsim_ops.libraries import ort_library_path
    from imgsim_ops.matching.options import MatchOptions
    from imgsim_ops.models.spec import ModelSpec

__version__ = "0.1.0"

__all__ = [
    "Collection",
    "Embedder",
    "ImageError",
    "ImgsimError",
    "MatchOptions",
    "ModelSpec",
    "ReadOptions",
    "Rules",
    "SearchOptions",
    "Similarity",
    "WeightsError",
    "__version__",
    "compare",
    "find_duplicates",
    "find_leaks",
    "ort_library_path",
    "pixels",
]

# ONNX Runtime would leave a number for this machine in the user's cache, and look for a host in the internet to tell it
# what is run; huggingface_hub, which downloads weights for open_clip, would say what it runs in. They ask for this when
# they are loaded.
for _name in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ.setdefault(_name, "1")

_LAZY = {
    "Collection": "collection.collection",
    "Embedder": "embedding.embedder",
    "MatchOptions": "matching.options",
    "ModelSpec": "models.spec",
    "ReadOptions": "images.options",
    "Rules": "collection.duplicates",
    "SearchOptions": "collection.search",
    "Similarity": "embedding.similarity",
    "compare": "embedding.embedder",
    "pixels": "images.given",
    "find_duplicates": "collection.find",
    "find_leaks": "collection.find",
    "ort_library_path": "libraries",
}


def __getattr__(name: str):
    if name in _LAZY:
        return getattr(importlib.import_module(f"imgsim_ops.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'imgsim_ops' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
