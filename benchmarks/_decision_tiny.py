"""Pictures of 32 x 32 pixels out of real ones, some of them planted anew, for `decisions.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _decision_copies import opened
from _decision_folders import Folder, Manifest, Truth
from PIL import Image, ImageEnhance

SIDE = 32
_ACROSS = (4, 6, 8)
_LEAST_DEVIATION = 12
# So many pictures on is one that only the test set has parts of.
_EVERY_APART = 7
# Two of which 8 x 8 pixels, less the plane through them, correlate more than this may be the same to look at.
_ALIKE = 0.9


@dataclass(frozen=True)
class _Cell:
    """A square part of a picture."""

    path: Path
    left: int
    top: int
    side: int

    def cut(self, picture: Image.Image, aside: int = 0) -> Image.Image:
        left, top = min(self.left + aside, picture.width - self.side), self.top
        return picture.crop((left, top, left + self.side, top + self.side))


def _small(picture: Image.Image) -> Image.Image:
    return picture.resize((SIDE, SIDE), Image.Resampling.BOX)


#: By kind: what a planted copy is, from the picture and the part of it that the original shows.
PLANTED: dict[str, Callable[[Image.Image, _Cell], Image.Image]] = {
    "jpeg 85": lambda picture, cell: _small(cell.cut(picture)),
    "brighter": lambda picture, cell: ImageEnhance.Brightness(_small(cell.cut(picture))).enhance(1.12),
    "shifted": lambda picture, cell: cell.cut(picture, max(1, cell.side // 40)).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC
    ),
}


def _cells(paths: Sequence[Path], seed: int) -> list[_Cell]:
    """Parts that lie beside each other, of all pictures, in an order by chance."""
    generator = np.random.default_rng([seed, 3])
    found = []
    for path in paths:
        with Image.open(path) as image:
            width, height = image.size
        side = max(SIDE, min(width, height) // int(generator.choice(_ACROSS)))
        found += [
            _Cell(path, left, top, side)
            for top in range(0, height - side + 1, side)
            for left in range(0, width - side + 1, side)
        ]
    return [found[place] for place in generator.permutation(len(found)).tolist()]


def _distinct(cells: Sequence[_Cell]) -> Iterator[tuple[_Cell, Image.Image]]:
    """Those that show something, and something else than all before them."""
    seen = np.empty((len(cells), 64), np.float32)
    # What runs evenly from one colour into another shows nothing.
    down, across = np.mgrid[:8, :8].reshape(2, 64) - 3.5
    planes = np.linalg.qr(np.stack([np.ones(64), down, across], axis=1))[0].astype(np.float32)
    by_path: dict[Path, list[int]] = {}
    for place, cell in enumerate(cells):
        by_path.setdefault(cell.path, []).append(place)
    shown: dict[int, Image.Image] = {}
    for path, places in by_path.items():
        picture = opened(path)
        shown.update((place, _small(cells[place].cut(picture))) for place in places)
    number = 0
    for place, cell in enumerate(cells):
        grey = np.asarray(shown[place].convert("L").resize((8, 8), Image.Resampling.BOX), np.float32).ravel()
        grey -= planes @ (planes.T @ grey)
        length = float(np.linalg.norm(grey))
        if length / 8 < _LEAST_DEVIATION or (number and (seen[:number] @ grey).max() > _ALIKE * length):
            continue
        seen[number] = grey / length
        number += 1
        yield cell, shown[place]


def make_tiny(
    manifest: Manifest, name: str, paths: Sequence[Path], train: int, test: int, planted: int, seed: int
) -> None:
    """Writes a training set, and a test set with copies out of it among others.

    Half of these others are parts of pictures of which the training set has other parts, often mirrored or beside them
    (``beside``); the rest are of pictures that it has nothing of (``other``).

    Raises:
        SystemExit: The pictures do not give so many.
    """
    cells = list(_distinct(_cells(paths, seed)))
    apart = set(paths[::_EVERY_APART])
    others = [cell for cell in cells if cell[0].path in apart][: test // 2]
    rest = [cell for cell in cells if cell[0].path not in apart]
    beside, trained = rest[: test - test // 2], rest[test - test // 2 :][:train]
    if len(others) + len(beside) + len(trained) < train + test:
        raise SystemExit(f"decisions: there must be {train + test} different tiny pictures (got {len(cells)})")
    training, testing = Folder(manifest, f"{name}/train", seed), Folder(manifest, f"{name}/test", seed)
    for number, (_, picture) in enumerate(trained):
        training.write(picture, Truth(f"tiny {number}", "original"), ".png")
    for kind, written in (("beside", beside), ("other", others)):
        for number, (_, picture) in enumerate(written):
            testing.write(picture, Truth(f"{kind} {number}", kind), ".png")
    for number in range(planted):
        place = number * train // planted
        kind = list(PLANTED)[number % len(PLANTED)]
        cell = trained[place][0]
        suffix = ".jpg" if kind.startswith("jpeg") else ".png"
        testing.write(
            PLANTED[kind](opened(cell.path), cell), Truth(f"tiny {place}", kind, ("copy",)), suffix, quality=85
        )
