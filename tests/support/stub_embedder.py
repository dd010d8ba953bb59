"""An embedder that needs no decoder and no model: what it says of a file follows from the file's bytes."""

import functools
import hashlib
import os

import numpy as np

from imgsim_ops.embedding.description import Description
from imgsim_ops.files.reasons import Reason, SkippedFile
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.recipes.fingerprint import Fingerprint

WIDTH = 8
SIGNATURE = b"\x89PNG\r\n\x1a\n"


class StubEmbedder:
    """In place of an `Embedder`.

    Attributes:
        decoded: The files that it was asked for, in order.
        before: Called with each path before it is read.
    """

    raw_width = 3 * WIDTH
    read = ReadOptions()

    def __init__(self, fingerprint="stub-000000000000-fp32-p2"):
        self.fingerprint = Fingerprint.parse(fingerprint)
        self.decoded = []
        self.before = lambda path: None

    def describe(self, paths):
        for path in paths:
            self.decoded.append(path)
            self.before(path)
            try:
                with open(path, "rb") as file:
                    content = file.read()
            except OSError:
                yield path, SkippedFile(path, "missing", f"decode: there must be a file of this name (got {path})")
                continue
            if content.startswith(SIGNATURE):
                yield path, description_of(content)
            else:
                code = Reason.NOT_A_PICTURE.code
                yield path, SkippedFile(path, code, f"decode: the content must be a picture (got {path})")


@functools.lru_cache(1024)
def description_of(content):
    """What the stub says of a file with these bytes."""
    digest = hashlib.sha256(content).digest()
    random = np.random.default_rng(list(digest))
    raw = random.standard_normal((3, WIDTH))
    raw /= np.linalg.norm(raw, axis=1, keepdims=True)
    perceptual = np.frombuffer(digest, np.uint8)
    return Description(1 + digest[0], 1 + digest[1], "PNG", perceptual, raw.astype(np.float16).ravel())


def picture(path, number, modified=1_500_000_000):
    """Writes a file that the stub takes for a picture, as old as is said; returns its path as text."""
    return put(path, SIGNATURE + b"picture %d" % number * (1 + number % 5), modified)


def put(path, content, modified=1_500_000_000):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.utime(path, (modified, modified))
    return os.fspath(path)


def contents_of(store):
    """All that a store holds: path to (size, time, picture's facts, raw vector, searched vectors) in bytes."""
    raw, vectors = store.raw(), store.vectors().reshape(store.rows, store.views * store.width)
    hashes = store.hashes()
    return {
        picture.path: (picture, raw[row].tobytes(), vectors[row].tobytes(), hashes[row].tobytes())
        for row, picture in store.pictures()
    }


def wrong(store):
    """The pictures of a store whose file's bytes say something else than the store does."""
    raw, hashes, bad = store.raw(), store.hashes(), []
    for row, found in store.pictures():
        with open(found.path, "rb") as file:
            content = file.read()
        expected = description_of(content)
        same = (
            found.sha256 == hashlib.sha256(content).digest()
            and (found.size, found.width, found.height) == (len(content), expected.width, expected.height)
            and raw[row].tobytes() == expected.raw.tobytes()
            and hashes[row].tobytes() == expected.perceptual.tobytes()
        )
        if not same:
            bad.append(found.path)
    return bad
