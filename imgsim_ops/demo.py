"""imgsim on real photographs that an installed package brings along."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from imgsim_ops import kernels
from imgsim_ops.errors import ImgsimError, WeightsError
from imgsim_ops.evaluation.heatmap import draw_heatmap
from imgsim_ops.images.preprocess import load_pixels
from imgsim_ops.quality.copies import COPIES
from imgsim_ops.quality.photographs import find_photographs

if TYPE_CHECKING:
    from imgsim_ops.embedding.embedder import Embedder

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
CHANGES = ("recompressed", "cropped", "brightened", "shrunk")  # keys of COPIES, one for each photograph


@dataclass(frozen=True)
class DemoResult:
    """What `run_demo` found and wrote.

    Attributes:
        backbone: The backbone that looked at the pictures.
        fingerprint: What made the vectors.
        reason: Why this backbone: one sentence.
        pictures: The files compared: each photograph, followed by a copy made of it.
        similarity: (N, N) float32, the cosine similarity of each pair of pictures.
        heatmap: The table as a picture, a PNG file.
        table: The table as a JSON file.
    """

    backbone: str
    fingerprint: str
    reason: str
    pictures: list[Path]
    similarity: np.ndarray
    heatmap: Path
    table: Path


def run_demo(folder: Path, announce: Callable[[str], None]) -> DemoResult:
    """Compares photographs and changed copies of them, each with each.

    Args:
        folder: Where the pictures, ``similarity.png`` and ``similarity.json`` are written; made when missing.
        announce: Called with one line before each step that may take seconds or use the network.

    Raises:
        ImgsimError: The photographs or all weights are missing, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pictures = write_pictures(folder)
    except OSError as error:
        raise ImgsimError(f"demo: the folder must be writable (got {folder}: {error.strerror})") from error
    embedder, reason = _embedder_with_real_weights(announce)
    announce(f"Comparing {len(pictures)} pictures with {embedder.fingerprint.backbone}")
    vectors = embedder.embed(pictures)
    similarity = kernels.cosine_similarity(vectors[:, np.newaxis], vectors[np.newaxis])
    result = DemoResult(
        backbone=embedder.fingerprint.backbone,
        fingerprint=str(embedder.fingerprint),
        reason=reason,
        pictures=pictures,
        similarity=similarity,
        heatmap=folder / "similarity.png",
        table=folder / "similarity.json",
    )
    draw_heatmap(
        similarity,
        [picture.stem for picture in pictures],
        [load_pixels(picture) for picture in pictures],
        "Four photographs, each with a changed copy",
        f"imgsim, {result.fingerprint}",
    ).save(result.heatmap, optimize=True)
    result.table.write_text(json.dumps(as_document(result), indent=2) + "\n")
    return result


def as_document(result: DemoResult) -> dict:
    """A demo's result as JSON has it; the same in the file and on the command line."""
    return {
        "backbone": result.backbone,
        "fingerprint": result.fingerprint,
        "reason": result.reason,
        "pictures": [str(picture) for picture in result.pictures],
        "similarity": [[float(value) for value in row] for row in result.similarity],
        "heatmap": str(result.heatmap),
    }


def write_pictures(folder: Path) -> list[Path]:
    """Writes the photographs and a changed copy of each.

    Returns:
        The files: each photograph followed by its copy.

    Raises:
        ImgsimError: As ``find_photographs``.
    """
    pictures = []
    for source, change in zip(find_photographs(PHOTOGRAPHS), CHANGES, strict=True):
        original = folder / source.name
        shutil.copyfile(source, original)
        changed = folder / f"{source.stem}-{change}.jpg"
        with Image.open(original) as image:
            COPIES[change](image.convert("RGB")).save(changed, quality=90)
        pictures += [original, changed]
    return pictures


def _embedder_with_real_weights(announce: Callable[[str], None]) -> tuple[Embedder, str]:
    """resnet18 where its weights can be had, else the backbone whose weights pip can install."""
    announce("Looking for resnet18's ImageNet weights: given file, torch hub's cache, else a download")
    from imgsim_ops.embedding.embedder import Embedder

    try:
        return Embedder("resnet18"), "resnet18's ImageNet weights were found"
    except WeightsError as no_resnet18:
        try:
            embedder = Embedder("efficientnet_lite0")
        except WeightsError as no_lite0:
            raise WeightsError(f"demo: no backbone has its weights (got {no_resnet18}; {no_lite0})") from no_lite0
        return (
            embedder,
            "resnet18's ImageNet weights could not be had here, efficientnet_lite0's are installed",
        )
