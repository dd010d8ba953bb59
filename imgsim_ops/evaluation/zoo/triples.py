"""The pictures that models are compared on: triples of an anchor, a positive and a negative."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.decode import decode
from imgsim_ops.quality.copies import COPIES
from imgsim_ops.quality.photographs import find_photographs

# Decoded pictures that are kept between models; of more of them the rest is decoded for each model anew.
_KEPT_BYTES = 512 << 20


@dataclass(frozen=True)
class Triple:
    """Three pictures, paths or uint8 RGB (H, W, 3): the positive shows what the anchor shows, the negative does not."""

    anchor: str | np.ndarray
    positive: str | np.ndarray
    negative: str | np.ndarray


class Triples:
    """Triples whose pictures can be read, and the files that could not be.

    Attributes:
        words: What they show.
        skipped: Files that are no sound pictures; the triples they belong to are left out.
    """

    def __init__(self, triples: Sequence[Triple], words: str = "") -> None:
        """Reads all pictures once.

        Args:
            triples: The pictures.
            words: What they show. Default: how many there are.

        Raises:
            ImgsimError: No triple is left.
        """
        self._kept: dict[str, np.ndarray] = {}
        self._room = _KEPT_BYTES
        self.skipped: list[SkippedFile] = []
        checked: dict[str, bool] = {}
        self._triples = [triple for triple in triples if self._can_be_read(triple, checked)]
        if not self._triples:
            raise ImgsimError(f"zoo: there must be a triple of readable pictures (got {self.skipped[0].message})")
        count = len(self._triples)
        self.words = words or ("1 triple" if count == 1 else f"{count:,} triples")

    def __len__(self) -> int:
        return len(self._triples)

    def __iter__(self) -> Iterator[list[np.ndarray]]:
        """Goes through the triples.

        Yields:
            Four pictures, uint8 RGB (H, W, 3): the anchor, the positive, the negative, and the negative resized to the
            anchor's width and height.

        Raises:
            ImageError: A file has become unreadable.
        """
        for triple in self._triples:
            anchor, positive, negative = map(self._pixels, (triple.anchor, triple.positive, triple.negative))
            size = anchor.shape[1], anchor.shape[0]
            resized = Image.fromarray(negative).resize(size, Image.Resampling.BICUBIC)
            yield [anchor, positive, negative, np.asarray(resized)]

    def _can_be_read(self, triple: Triple, checked: dict[str, bool]) -> bool:
        for source in (triple.anchor, triple.positive, triple.negative):
            if isinstance(source, np.ndarray) or source in checked:
                continue
            try:
                self._pixels(source)
                checked[source] = True
            except ImageError as error:
                self.skipped.append(SkippedFile(source, error.code, str(error)))
                checked[source] = False
        sources = (triple.anchor, triple.positive, triple.negative)
        return all(isinstance(source, np.ndarray) or checked[source] for source in sources)

    def _pixels(self, source: str | np.ndarray) -> np.ndarray:
        if isinstance(source, np.ndarray):
            return source
        if source in self._kept:
            return self._kept[source]
        pixels = decode(source)
        if pixels.nbytes <= self._room:
            self._room -= pixels.nbytes
            self._kept[source] = pixels
        return pixels


def triples_of(paths: Sequence[str]) -> Triples:
    """Files in threes: anchor, positive, negative, and again; none: `default_triples`.

    Raises:
        ImgsimError: They do not come in threes, or in no three all can be read.
    """
    if not paths:
        return default_triples()
    if len(paths) % 3:
        raise ImgsimError(f"zoo: pictures must come in threes, anchor, positive, negative (got {len(paths)})")
    return Triples([Triple(*paths[first : first + 3]) for first in range(0, len(paths), 3)])


def default_triples() -> Triples:
    """One triple of photographs of scikit-image.

    Raises:
        ImgsimError: scikit-image is not installed.
    """
    anchor, negative = map(decode, find_photographs(["chelsea.png", "coffee.png"]))
    positive = COPIES["turned"](COPIES["cropped"](Image.fromarray(anchor)))
    words = "scikit-image's cat (chelsea.png), the same cropped and turned, and a cup of coffee (coffee.png)"
    return Triples([Triple(anchor, np.asarray(positive), negative)], words)
