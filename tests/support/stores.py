"""Collections of made-up vectors."""

import hashlib

import numpy as np

from imgsim_ops.collection.store.record import FileRecord
from imgsim_ops.collection.store.store import Store
from imgsim_ops.embedding.description import Description
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import PARTS, RECIPES

FINGERPRINT = Fingerprint("stub", "0" * 12, "fp32", 1)


def made_raw(count, width, seed=0):
    """Raw vectors with parts of unit length, as an embedder makes them."""
    parts = np.random.default_rng(seed).standard_normal((count, PARTS, width))
    return (parts / np.linalg.norm(parts, axis=2, keepdims=True)).reshape(count, PARTS * width).astype(np.float16)


def made_store(path, raw, recipe="views", files=None):
    """A store, open for writing, with a content for each raw vector.

    `files` are pairs of a path and a row; by default each row has one. Equal bytes is what one row means.
    """
    raw = np.asarray(raw, np.float16)
    store = Store.create(path, FINGERPRINT, RECIPES[recipe], raw.shape[1])
    hashes = [hashlib.sha256(str(row).encode()).digest() for row in range(len(raw))]
    contents = [
        (sha256, Description(100 + row, 50, "PNG", np.full(32, row % 256, np.uint8), raw[row]))
        for row, sha256 in enumerate(hashes)
    ]
    if files is None:
        files = [(f"/p/{row:04}.png", row) for row in range(len(raw))]
    records = [FileRecord(name.encode(), 1000 + row, 10**18, True, row) for name, row in files]
    store.commit(contents, records)
    return store
