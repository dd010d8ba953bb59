"""Collections that are kept for folders which have none of their own, so that a second look at them is quick."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from imgsim_ops.collection.collection import DEFAULT_RECIPE
from imgsim_ops.collection.store import DATABASE, FORMAT, Store
from imgsim_ops.models.files import cache_folder


@dataclass(frozen=True)
class Making:
    """How vectors are made, as ``Collection.create`` takes it.

    Attributes:
        backbone: As of ``Embedder``, likewise the next three.
        precision: As of ``Embedder``.
        weights: As of ``Embedder``.
        exact: As of ``Embedder``.
        recipe: A name in ``recipes.RECIPES``.
    """

    backbone: str = "resnet18"
    precision: str = "auto"
    weights: str | None = None
    exact: bool = False
    recipe: str = DEFAULT_RECIPE

    @classmethod
    def of(cls, store: Store) -> Making:
        """What makes vectors that can be compared with those of a collection."""
        made_by = store.fingerprint
        precision = "int8" if made_by.precision.startswith("int8") else made_by.precision
        return cls(made_by.backbone, precision, store.weights, made_by.preprocessing == 1, store.recipe.name)


def is_collection(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a collection, sound or not."""
    return (Path(path) / DATABASE).is_file()


def kept_folder(paths: Sequence[str | os.PathLike[str]], making: Making) -> Path:
    """Where the collection of some folders is kept: a folder in the cache of model files, ``IMGSIM_CACHE``.

    Args:
        paths: Files and folders.
        making: How their vectors are made.
    """
    places = sorted({os.fsencode(os.path.abspath(path)).hex() for path in paths})
    key = json.dumps([FORMAT, places, asdict(making)])
    return cache_folder() / "collections" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.imgsim"
