"""Labelled pictures, and their classes split into those that are trained on and those that are not."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from imgsim_ops import kernels
from imgsim_ops.errors import ImgsimError, nearest
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.decode import decode
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.preprocess import CROP, RESIZE, min_side
from imgsim_ops.images.readers import IsolatedReaders
from imgsim_ops.images.scan import scan_names
from imgsim_ops.model_files.cache import cache_folder

#: What a data set may be called; a folder's path follows its name.
DATA_SETS = ("digits", "cifar100", "folder:PATH")
#: How to install what only the comparisons need.
INSTALL = "run pip install 'imgsim-ops[tables]'"
#: The code of files that lie beside the classes' folders, and what it means.
NO_CLASS = "no_class"
NO_CLASS_SENTENCE = "a picture must lie in the folder of its class, and this one lies beside them"

_FOLDER = "folder:"
_GREYS = 16  # the largest grey of scikit-learn's digits
# Of a folder's files, how many answers of readers may wait for their turn.
_AHEAD = 16


class Pictures(Protocol):
    """Pictures by number: uint8 RGB (H, W, 3)."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> np.ndarray: ...


@dataclass(frozen=True)
class LabelledPictures:
    """Pictures and what they show.

    Attributes:
        name: As `load_data` takes it.
        pictures: Each uint8 RGB (H, W, 3). Those of a folder are decoded when they are asked for, and then raise
            `ImageError` where the file has changed since.
        labels: int64 (N,), places in `classes`.
        classes: The names of all classes of the data set, also of those that a part of it has no pictures of.
        skipped: The files that are not among the pictures, and why.
    """

    name: str
    pictures: Pictures
    labels: np.ndarray
    classes: tuple[str, ...]
    skipped: tuple[SkippedFile, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def present(self) -> tuple[str, ...]:
        """The names of the classes that have pictures here."""
        return tuple(self.classes[label] for label in np.unique(self.labels))

    def take(self, rows: Sequence[int] | np.ndarray) -> LabelledPictures:
        """Some of the pictures, in the order of `rows`; nothing is copied or decoded."""
        rows = np.asarray(rows, np.int64)
        return replace(self, pictures=_Chosen(self.pictures, rows), labels=self.labels[rows])


@dataclass(frozen=True)
class _Chosen:
    source: Pictures
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> np.ndarray:
        return self.source[int(self.rows[number])]


@dataclass(frozen=True)
class _Files:
    paths: Sequence[str]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> np.ndarray:
        return decode(self.paths[number], min_side=min_side(exact=False))


def load_data(
    name: str,
    root: Path | None = None,
    *,
    download: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> LabelledPictures:
    """Loads a data set.

    Args:
        name: ``digits`` (scikit-learn's 1,797 grey pictures of 8 x 8; grey v of 16 becomes 255 v / 16, halves up),
            ``cifar100`` (the 60,000 pictures of both of its parts, by torchvision's loader) or ``folder:PATH``, a
            folder with one folder for each class. In it hidden names and what is no picture are passed over as by
            ``images.scan``, and every file is decoded once to see whether it can be.
        root: Where cifar100 is or is downloaded to. Default: ``data`` in imgsim's cache.
        download: Whether cifar100 may be downloaded.
        progress: Called with the files of a folder that have been looked at, and how many there are.

    Raises:
        ImgsimError: There is no such data set, it is not on this machine, the package that reads it is missing, or a
            class has no pictures.
    """
    if name.startswith(_FOLDER):
        return _folder(name, progress)
    if name == "digits":
        return _digits()
    if name == "cifar100":
        return _cifar100(root or cache_folder() / "data", download)
    raise ImgsimError(f"data: must be one of {', '.join(DATA_SETS)} (got {name!r}){nearest(name, DATA_SETS)}")


def _digits() -> LabelledPictures:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImgsimError(f"data: digits needs scikit-learn (got none); {INSTALL}") from error
    digits = load_digits()
    grey = np.floor(digits.images * 255 / _GREYS + 0.5).astype(np.uint8)
    pictures = np.repeat(grey[..., np.newaxis], 3, axis=3)
    return LabelledPictures("digits", pictures, digits.target.astype(np.int64), tuple(map(str, digits.target_names)))


def _cifar100(root: Path, download: bool) -> LabelledPictures:
    from torchvision.datasets import CIFAR100

    where = printable(root)
    try:
        # Their loader unpickles, but only files of the check sums that it knows.
        parts = [CIFAR100(root, train=train, download=download) for train in (True, False)]
    except (RuntimeError, OSError) as error:  # OSError: no network, or the disk refuses
        if download:
            raise ImgsimError(f"data: cifar100 could not be downloaded (got {error})") from error
        rule = "cifar100 must lie there whole as cifar-100-python; --download fetches it, --root names another folder"
        raise ImgsimError(f"data: {rule} (got {where})") from error
    pictures = np.concatenate([part.data for part in parts])
    labels = np.concatenate([np.asarray(part.targets, np.int64) for part in parts])
    return LabelledPictures("cifar100", pictures, labels, tuple(parts[0].classes))


def _folder(name: str, progress: Callable[[int, int], None] | None) -> LabelledPictures:
    folder = Path(name.removeprefix(_FOLDER) or ".")
    if not folder.is_dir():
        raise ImgsimError(f"data: must be a folder with one folder for each class (got {printable(folder)})")
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    number = {name: label for label, name in enumerate(names)}
    paths, labels, skipped = [], [], []
    for path in scan_names([folder]):
        top = Path(path).relative_to(folder).parts[0]
        if top in number:
            paths.append(path)
            labels.append(number[top])
        else:
            message = f"data: {NO_CLASS_SENTENCE} (got {printable(path)})"
            skipped.append(SkippedFile(path, NO_CLASS, message))
    readable = np.ones(len(paths), bool)
    with IsolatedReaders("imgsim_ops.images.preprocess:load_pixels", ReadOptions()) as readers:
        for done, (_, answer) in enumerate(readers.in_order(paths, _AHEAD)):
            if isinstance(answer, SkippedFile):
                readable[done] = False
                skipped.append(answer)
            if progress is not None:
                progress(done + 1, len(paths))
    kept = np.asarray(labels, np.int64)[readable]
    _check_classes(folder, names, kept, np.asarray(labels, np.int64)[~readable])
    files = _Files([path for path, fine in zip(paths, readable, strict=True) if fine])
    return LabelledPictures(name, files, kept, tuple(map(printable, names)), tuple(skipped))


def _check_classes(folder: Path, names: Sequence[str], kept: np.ndarray, lost: np.ndarray) -> None:
    if not names:
        raise ImgsimError(f"data: must be a folder with one folder for each class (got none in {printable(folder)})")
    for label, name in enumerate(names):
        if label not in kept:
            unreadable = int((lost == label).sum())
            why = f", where {unreadable} files cannot be read" if unreadable else ""
            raise ImgsimError(f"data: a class must have pictures (got none in {printable(folder / name)}{why})")


def split_classes(
    data: LabelledPictures, unseen: int | Sequence[str], seed: int = 0
) -> tuple[LabelledPictures, LabelledPictures]:
    """Splits a data set by its classes, so that no class has pictures in both parts.

    Args:
        data: The data set.
        unseen: How many classes nothing may be trained on, drawn by `seed`, or their names. At least 2: among pictures
            of one class every neighbour is right.
        seed: What the draw depends on, besides the number of classes.

    Returns:
        The pictures of the other, seen classes and those of the unseen ones, each in the order of `data`. Labels and
        the names of classes keep their meaning.

    Raises:
        ImgsimError: There are no such classes, one is named twice, or fewer than two are meant.
    """
    if isinstance(unseen, int):
        if not 2 <= unseen <= len(data.classes):
            rule = f"the number of unseen classes must be from 2 to {len(data.classes)}, which {data.name} has"
            raise ImgsimError(f"data: {rule} (got {unseen})")
        chosen = np.random.default_rng(seed).permutation(len(data.classes))[:unseen]
    else:
        for name in unseen:
            if name not in data.classes:
                hint = nearest(name, data.classes)
                raise ImgsimError(f"data: an unseen class must be one of {data.name} (got {name!r}){hint}")
        if len(set(unseen)) != len(unseen) or len(unseen) < 2:
            raise ImgsimError(f"data: unseen classes must be two or more different ones (got {', '.join(unseen)})")
        chosen = np.asarray([data.classes.index(name) for name in unseen])
    held_out = np.isin(data.labels, chosen)
    return data.take(np.flatnonzero(~held_out)), data.take(np.flatnonzero(held_out))


def parse_unseen(text: str | None, data: LabelledPictures) -> int | list[str]:
    """What ``--unseen`` means to `split_classes`.

    Args:
        text: A number of classes, names with commas between them, or None: a tenth of the classes, at least two.
        data: The data set.
    """
    if text is None:
        return max(2, len(data.classes) // 10)
    # One name alone is never meant, so that a number is one also where classes are called by numbers.
    return int(text) if text.isascii() and text.isdecimal() else [name.strip() for name in text.split(",")]


def network_pixels(pictures: Pictures, size: int) -> np.ndarray:
    """Pictures as small networks take them.

    Each comes to 224 x 224 as every picture does for an extractor (``images.preprocess``); of these, squares of
    ``224 / size`` pixels a side become one pixel, their mean, halves rounded up.

    Args:
        pictures: N pictures.
        size: The side, a divisor of 224.

    Returns:
        uint8 (N, size, size, 3).

    Raises:
        ImgsimError: `size` does not divide 224.
        ImageError: A file has changed since the data set was loaded.
    """
    if size < 1 or CROP % size:
        raise ImgsimError(f"data: size must divide {CROP} (got {size})")
    pixels = np.empty((len(pictures), size, size, 3), np.uint8)
    for number in range(len(pictures)):
        pixels[number] = averaged(kernels.resize_crop(pictures[number], RESIZE, CROP), size)
    return pixels


def averaged(pixels: np.ndarray, size: int) -> np.ndarray:
    """The means of squares of uint8 (224, 224, 3), halves rounded up: uint8 (size, size, 3)."""
    side = CROP // size
    if side == 1:
        return pixels
    sums = pixels.reshape(size, side, size, side, 3).sum(axis=(1, 3), dtype=np.uint32)
    return ((sums + side * side // 2) // (side * side)).astype(np.uint8)
