"""Folders of pictures of which is known what they are: nothing of that can be read from their names or times."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

MANIFEST = "manifest.json"
# Between 2012 and 2024.
_TIMES = (1_325_376_000, 1_704_067_200)


@dataclass(frozen=True)
class Truth:
    """What is known of a file.

    Attributes:
        original: Which picture it shows; files with the same one belong together, and no others.
        kind: ``original``, the kind of copy, overlay or look-alike.
        right: The relations to its original that are right; empty for what is a copy of nothing.
        transparent: Whether its original is, so that what stands behind it decides what is seen.
    """

    original: str
    kind: str
    right: tuple[str, ...] = ()
    transparent: bool = False


class Manifest:
    """What is known of all files under a folder, kept in a file beside the folders with pictures.

    Attributes:
        facts: How they were made.
    """

    def __init__(self, root: Path, **facts: object) -> None:
        self.root, self.facts = root, facts
        self._files: dict[str, Truth] = {}

    @classmethod
    def read(cls, root: Path) -> Manifest:
        """That of a folder that is made already."""
        document = json.loads((root / MANIFEST).read_text())
        manifest = cls(root, **document["made"])
        for name, truth in document["files"].items():
            manifest[name] = Truth(**{**truth, "right": tuple(truth["right"])})
        return manifest

    def __setitem__(self, name: str, truth: Truth) -> None:
        self._files[name] = truth

    def under(self, folder: str) -> dict[Path, Truth]:
        """The files in one of the folders."""
        return {self.root / name: truth for name, truth in self._files.items() if name.startswith(f"{folder}/")}

    def write(self) -> None:
        """Keeps it."""
        files = {name: asdict(truth) for name, truth in sorted(self._files.items())}
        (self.root / MANIFEST).write_text(json.dumps({"made": self.facts, "files": files}, indent=1) + "\n")


class Folder:
    """A folder of pictures that is being made."""

    def __init__(self, manifest: Manifest, name: str, seed: int) -> None:
        self.name = name
        self._manifest = manifest
        self._generator = np.random.default_rng([seed, *name.encode()])
        (manifest.root / name).mkdir(parents=True, exist_ok=True)

    def keep(self, path: Path, truth: Truth) -> None:
        """A file as it is, to the byte."""
        place = self._place(path.suffix.lower())
        shutil.copyfile(path, place)
        self._done(place, truth)

    def write(self, image: Image.Image, truth: Truth, suffix: str = ".jpg", quality: int = 92) -> None:
        """A picture; the quality is for JPEG and WebP."""
        place = self._place(suffix)
        if suffix in (".jpg", ".webp"):
            image.save(place, quality=quality)
        else:
            image.save(place)
        self._done(place, truth)

    def _place(self, suffix: str) -> Path:
        name = f"{self._generator.integers(0, 2**40):010x}{suffix}"
        return self._manifest.root / self.name / name

    def _done(self, place: Path, truth: Truth) -> None:
        time = int(self._generator.integers(*_TIMES))
        os.utime(place, (time, time))
        self._manifest[place.relative_to(self._manifest.root).as_posix()] = truth
