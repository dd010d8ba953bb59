"""All that quality.py measures with of each original and copy, kept in a file as it takes minutes to make."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from imgsim_ops.embedding.crops import Crops, load_crops
from imgsim_ops.embedding.description import Description
from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.images.decode import decode
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.quality.copies import MIXTURES, SINGLE_STEPS, TURNED
from imgsim_ops.recipes.recipes import PARTS

KINDS = {**SINGLE_STEPS, **MIXTURES, **TURNED}
#: EXIF's numbers of how a query is turned besides as it lies, with the flag that such kinds need: every way that the
#: flag tries, of which one is right.
FLIPS, ROTATIONS = (2,), (6, 3, 8)
TURNS = {
    "mirrored": FLIPS,
    "mirrored and forwarded": FLIPS,
    "quarter turn": ROTATIONS,
    "half turn": ROTATIONS,
    "three quarter turn": ROTATIONS,
}
# Copies are made of the original at this size of its longer side where it is larger, as making thousands of copies of
# 15 megapixels takes an hour.
_SIDE = 1024
_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_270,
    8: Image.Transpose.ROTATE_90,
}
ENGINES = ("int8", "fp32")


@dataclass
class Described:
    """Pictures in order: the originals, then all versions of the copies.

    Attributes:
        raw: By precision, the raw vectors of ``imgsim_ops.recipes.recipes``, float16 (N, 3 D).
        hashes: Our perceptual hashes, uint8 (N, 32).
        phashes: Those of imagehash, likewise.
        originals: How many of them are originals.
        original: Of each copy's version, its original.
        kind: And its kind, as a position in `KINDS`.
        turn: And how it was turned, as EXIF's number: 1 as the copy lies, others for the flags.
    """

    raw: dict[str, np.ndarray]
    hashes: np.ndarray
    phashes: np.ndarray
    originals: int
    original: np.ndarray
    kind: np.ndarray
    turn: np.ndarray

    def without(self, left_out: np.ndarray) -> Described:
        """The same without some originals, bool (originals,), and their copies."""
        copies = ~left_out[self.original]
        kept = np.concatenate([~left_out, copies])
        return Described(
            raw={precision: raw[kept] for precision, raw in self.raw.items()},
            hashes=self.hashes[kept],
            phashes=self.phashes[kept],
            originals=int((~left_out).sum()),
            original=(np.cumsum(~left_out) - 1)[self.original[copies]],
            kind=self.kind[copies],
            turn=self.turn[copies],
        )


def described(paths: Sequence[Path], copied: int, cache: Path, threads: int) -> Described:
    """Describes originals, and the copies of `copied` of them spread evenly over all."""
    key = hashlib.sha256(json.dumps([[str(path) for path in paths], copied, list(KINDS)]).encode()).hexdigest()[:12]
    file = cache / f"described-{key}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npz")
        np.savez(part, **_made(paths, copied, threads))
        part.rename(file)
    with np.load(file) as kept:
        raw = {precision: kept[precision] for precision in ENGINES}
        rest = {name: kept[name] for name in ("hashes", "phashes", "original", "kind", "turn")}
        return Described(raw, originals=len(paths), **rest)


def raw_vectors(paths: Sequence[Path], cache: Path) -> np.ndarray:
    """The raw vectors, int8, of pictures that are not copied."""
    file = cache / f"raw-{hashlib.sha256(json.dumps([str(path) for path in paths]).encode()).hexdigest()[:12]}.npy"
    if not file.exists():
        answers = Embedder(ModelSpec("efficientnet_lite0", precision="int8")).describe(paths)
        np.save(file, np.stack([answer.raw for _, answer in answers if isinstance(answer, Description)]))
    return np.load(file)


def _made(paths: Sequence[Path], copied: int, threads: int) -> dict[str, np.ndarray]:
    engines = {precision: Embedder(ModelSpec("efficientnet_lite0", precision=precision)) for precision in ENGINES}
    which = {i * len(paths) // copied for i in range(copied)}
    raw: dict[str, list[np.ndarray]] = {precision: [] for precision in ENGINES}
    rows: list[tuple] = []
    with ProcessPoolExecutor(threads) as pool:
        work = (
            pool.map(_original, paths),
            pool.map(partial(_copies), [path for i, path in enumerate(paths) if i in which], sorted(which)),
        )
        for answers in work:
            for answer in answers:
                pixels = np.concatenate([entry[1] for entry in answer])
                for precision, embedder in engines.items():
                    raw[precision].append(_raw(embedder, pixels))
                rows += [(*entry[0], *entry[2:]) for entry in answer]
    original, kind, turn, hashes, phashes = zip(*rows, strict=True)
    count = len(paths)
    return {
        **{precision: np.concatenate(blocks) for precision, blocks in raw.items()},
        "hashes": np.stack(hashes),
        "phashes": np.stack(phashes),
        "original": np.array(original[count:]),
        "kind": np.array(kind[count:]),
        "turn": np.array(turn[count:]),
    }


def _raw(embedder: Embedder, pixels: np.ndarray) -> np.ndarray:
    """As ``Embedder.describe`` makes them of both crops of each picture."""
    engine = embedder._engine
    found = [engine.embed_with_gem(pixels[first : first + 16]) for first in range(0, len(pixels), 16)]
    mean, gem = (np.concatenate(part).reshape(len(pixels) // 2, 2, -1) for part in zip(*found, strict=True))
    parts = np.stack([mean[:, 0], gem[:, 0], gem[:, 1]], axis=1).astype(np.float64)
    parts /= np.maximum(np.linalg.norm(parts, axis=2, keepdims=True), 1e-30)
    return parts.reshape(len(parts), PARTS * embedder.dimension).astype(np.float16)


def _original(path: Path) -> list[tuple]:
    return [_entry((0, 0, 0), path, Image.fromarray(decode(path)))]


def _copies(path: Path, number: int) -> list[tuple]:
    """All copies of an original, as they lie and turned as flags would turn them; the same each time."""
    image = Image.fromarray(decode(path))
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    with tempfile.TemporaryDirectory() as folder:
        return list(_versions(image, number, Path(folder) / "copy.bmp"))


def _versions(image: Image.Image, number: int, file: Path) -> Iterator[tuple]:
    known: dict[bytes, tuple] = {}
    for position, (kind, change) in enumerate(KINDS.items()):
        copy = change(image, np.random.default_rng([number, zlib.crc32(kind.encode())]))
        for turn in (1, *TURNS.get(kind, ())):
            version = copy if turn == 1 else copy.transpose(_TURN[turn])
            key = hashlib.sha256(b"%d %d" % version.size + version.tobytes()).digest()
            if key not in known:
                version.save(file)
                known[key] = _entry((), file, version)
                os.unlink(file)
            yield ((number, position, turn), *known[key][1:])


def _entry(what: tuple, path: Path, image: Image.Image) -> tuple:
    import imagehash  # here, as it brings SciPy along

    crops = Crops.from_bytes(load_crops(path))
    phash = np.packbits(imagehash.phash(image, hash_size=16).hash.ravel())
    return what, crops.pixels, crops.perceptual, phash
