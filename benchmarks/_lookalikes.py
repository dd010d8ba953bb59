"""Pictures that look alike and show other things, 32 kinds of them, for `decisions.py`: none may go for another."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _decision_folders import Folder, Manifest, Truth
from _lookalike_drawings import DRAWINGS
from _lookalike_pages import PAGES
from _lookalike_photographs import Photographs

#: How many there are of a kind: as many as a texture has parts.
OF_A_KIND = 9


def make_lookalikes(manifest: Manifest, name: str, originals: Sequence[Path], of_a_kind: int, seed: int) -> None:
    """Writes a folder for each kind."""
    for kind, draw in (PAGES | DRAWINGS | Photographs(originals).kinds()).items():
        folder = Folder(manifest, f"{name}/{kind.replace(' ', '-')}", seed)
        key = zlib.crc32(kind.encode())
        seen: set[bytes] = set()
        tried = 0
        while len(seen) < of_a_kind:
            tried += 1
            own = np.random.default_rng([seed, key, tried])
            picture = draw(np.random.default_rng([seed, key]), own)
            if picture.tobytes() not in seen:
                seen.add(picture.tobytes())
                truth = Truth(f"{kind} {len(seen)}", kind)
                folder.write(picture, truth, ".png" if own.random() < 0.5 else ".jpg", quality=90)
