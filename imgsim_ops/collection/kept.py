"""Collections that are kept for folders which have none of their own, so that a second look at them is quick."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imgsim_ops.collection.store.store import DATABASE, FORMAT
from imgsim_ops.model_files.cache import cache_folder


def is_collection(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a collection, sound or not."""
    return (Path(path) / DATABASE).is_file()


def kept_folder(paths: Sequence[str | os.PathLike[str]], made_with: Mapping[str, Any]) -> Path:
    """Where the collection of some folders is kept: a folder in the cache of model files, ``IMGSIM_CACHE``.

    Args:
        paths: Files and folders.
        made_with: How their vectors are made, as ``Collection.create`` takes it. A file in it that has changed, as an
            encoder trained anew, makes it another collection.
    """
    places = sorted({os.fsencode(os.path.abspath(path)).hex() for path in paths})
    files = [os.stat(value) for value in made_with.values() if isinstance(value, str) and os.path.isfile(value)]
    key = json.dumps([FORMAT, places, sorted(made_with.items()), [(file.st_size, file.st_mtime_ns) for file in files]])
    return cache_folder() / "collections" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.imgsim"
