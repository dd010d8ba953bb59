"""Collections that are kept for folders which have none of their own, so that a second look at them is quick."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from imgsim_ops.collection.store.schema import DATABASE, FORMAT
from imgsim_ops.model_files.cache import cache_folder
from imgsim_ops.models.spec import ModelSpec


def is_collection(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a collection, sound or not."""
    return (Path(path) / DATABASE).is_file()


def kept_folder(paths: Sequence[str | os.PathLike[str]], model: ModelSpec, recipe: str, exact: bool) -> Path:
    """Where the collection of some folders is kept: a folder in the cache of model files, ``IMGSIM_CACHE``.

    Args:
        paths: Files and folders.
        model: What makes its vectors. A file that has changed, as an encoder trained anew, makes it another collection.
        recipe: The name of the recipe.
        exact: Whether every pixel is decoded.
    """
    places = sorted({os.fsencode(os.path.abspath(path)).hex() for path in paths})
    asked = {name: os.fspath(value) for name, value in model.asked.items()}
    files = [os.stat(value) for value in asked.values() if os.path.isfile(value)]
    made_with = {**asked, "recipe": recipe, "exact": exact}
    key = json.dumps([FORMAT, places, sorted(made_with.items()), [(file.st_size, file.st_mtime_ns) for file in files]])
    return cache_folder() / "collections" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.imgsim"
