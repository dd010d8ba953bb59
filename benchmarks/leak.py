"""Leaks among 60,000 small pictures: `imgsim leak`, a whole command, with all embedding.

    python benchmarks/leak.py [--train 50000] [--test 10000] [--precision auto]

The pictures are 32 x 32 PNG files as in CIFAR, made up: a few colours run into each other, with shapes on them. Each
hundredth test picture is a copy of a training picture: by turns the same bytes, saved as JPEG and back, brighter, or
with noise. The model file is in the cache before; the collections that the command keeps are not. A second run, which
has nothing to embed, is timed too.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _harness import save
from PIL import Image, ImageDraw, ImageEnhance
from rich.console import Console

from imgsim_ops import kernels
from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.evaluation.machine import machine, machine_line
from imgsim_ops.model_files.cache import cache_folder
from imgsim_ops.models.spec import ModelSpec

_SIDE = 32
_COPY_EVERY = 100


def made(number: int) -> Image.Image:
    """A picture that is like no other."""
    generator = np.random.default_rng([7, number])
    few = Image.fromarray(generator.integers(0, 256, (4, 4, 3), np.uint8))
    picture = few.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(4):
        left, top = (int(value) for value in generator.integers(0, 24, 2))
        width, height = (int(value) for value in generator.integers(3, 16, 2))
        shape = draw.ellipse if generator.random() < 0.5 else draw.rectangle
        shape((left, top, left + width, top + height), fill=tuple(generator.integers(0, 256, 3).tolist()))
    return picture


def _as_jpeg(picture: Image.Image) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=70)
    return Image.open(file)


def _noisy(picture: Image.Image) -> Image.Image:
    noise = np.random.default_rng(1).normal(0, 8, (_SIDE, _SIDE, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


COPIES: tuple[Callable[[Image.Image], Image.Image], ...] = (
    lambda picture: picture,
    _as_jpeg,
    lambda picture: ImageEnhance.Brightness(picture).enhance(1.3),
    _noisy,
)


def write(folder: Path, train: int, test: int) -> set[str]:
    """Writes both sets; returns the names of the test pictures that are copies."""
    copies = set()
    for number in range(train + test):
        place = number - train
        path = folder / ("train" if place < 0 else "test") / f"{number // 1000:03}" / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if place >= 0 and place % _COPY_EVERY == 0:
            copies.add(path.name)
            picture = COPIES[len(copies) % len(COPIES)](made(place * train // test))
        else:
            picture = made(number)
        picture.save(path, compress_level=1)
    return copies


def leak(folder: Path, options: list[str]) -> tuple[float, dict]:
    """Runs the command; returns its seconds and what it printed."""
    command = [sys.executable, "-m", "imgsim_ops.cli", "leak", folder / "train", folder / "test", "--json", *options]
    environment = {**os.environ, "IMGSIM_CACHE": str(folder / "cache")}
    start = time.perf_counter()
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    return time.perf_counter() - start, json.loads(result.stdout)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=50_000)
    parser.add_argument("--test", type=int, default=10_000)
    parser.add_argument("--precision", default="auto", help="as of imgsim embed")
    parser.add_argument("--folder", type=Path, help="where the pictures are written, and deleted afterwards")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    console = Console()
    facts = machine(kernels.build_info()["threads"])
    console.print(machine_line(facts))
    embedder = Embedder(ModelSpec("efficientnet_lite0", precision=arguments.precision))
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="leak-") as name:
        folder = Path(name)
        copies = write(folder, arguments.train, arguments.test)
        (folder / "cache").mkdir()
        for entry in cache_folder().iterdir():
            if entry.name != "collections":
                (folder / "cache" / entry.name).symlink_to(entry)
        options = ["--backbone", "efficientnet_lite0", "--precision", arguments.precision]
        seconds, found = leak(folder, options)
        again, _ = leak(folder, options)
    leaking = {Path(entry["picture"]["path"]).name for entry in found["leaks"]}
    results = {
        "fingerprint": str(embedder.fingerprint),
        "seconds": round(seconds, 1),
        "pictures_per_second": round((arguments.train + arguments.test) / seconds),
        "again_s": round(again, 1),
        "planted": len(copies),
        "found": len(copies & leaking),
        "others": len(leaking - copies),
        "judged": found["judged"]["pairs"],
        "load": round(os.getloadavg()[0], 1),
    }
    console.print(results)
    document = {"machine": facts, "train": arguments.train, "test": arguments.test, "results": results}
    console.print(f"written: {save('leak', document, arguments.out)}")


if __name__ == "__main__":
    main()
