"""What decoding large JPEGs at reduced scale, imgsim's default, costs the vectors.

    python benchmarks/scaled_jpeg.py [--photographs FOLDER]

Every picture, and the copies made of it in the ways of `imgsim_ops.quality.copies`, is written as a JPEG, read on the
default route and with `exact=True`, and embedded with efficientnet_lite0's ImageNet weights in fp32. Measured are the
cosines of the two vectors of each file that is decoded at reduced scale, and the micro average precision of finding
each copy's original on both routes.

Pictures are scikit-image's photographs made large in two ways: mosaics, whose every pixel has real detail, and
enlargements, which are softer than what a camera takes. `--photographs` adds JPEGs of one's own, which are read as they
are; of several that show the same, only the first is taken. Copies are saved at quality 75 and 92 in turn. Results of
other pictures in the file are kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
from _harness import RESULTS, save
from _mosaics import mosaic
from PIL import Image

from imgsim_ops import kernels
from imgsim_ops.engines.base import Engine
from imgsim_ops.evaluation.machine import describe, machine
from imgsim_ops.export.recipes import calibration_pixels
from imgsim_ops.images.decode import decode
from imgsim_ops.images.jpeg import fraction
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.preprocess import load_pixels, min_side
from imgsim_ops.model_files.engine import create_engine
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.quality.copies import COPIES
from imgsim_ops.quality.photographs import CALIBRATION, EVALUATION, find_photographs
from imgsim_ops.quality.precision import precision_of_copies

BACKBONE = "efficientnet_lite0"
# 1.2 to 18 megapixels, tall, wide and square, and one of 50, because nothing smaller is decoded at an eighth.
SIZES = (
    (1280, 960), (1200, 1600), (2560, 1440), (2000, 2000), (2000, 3000), (4000, 3000), (5184, 3456), (8192, 6144),
)  # fmt: skip
QUALITIES = (75, 92)

LEAST_MEAN_COSINE = 0.997
LEAST_COSINE = 0.95
MOST_PRECISION_LOST = 0.003
# Photographs above this cosine show the same thing; a copy of one would rightly be found in the other too.
_SAME = 0.97

#: Where a picture comes from: a file as it is, or how to make its pixels and the quality to save them with.
Source = Path | tuple[Callable[[], Image.Image], int]


def made_large(photographs: Sequence[Path]) -> dict[str, list[Source]]:
    """Each photograph in one of `SIZES`, as a mosaic and enlarged."""

    def enlarged(path: Path, size: tuple[int, int]) -> Image.Image:
        return Image.fromarray(decode(path)).resize(size, Image.Resampling.BICUBIC)

    # Sizes and qualities go together differently in their second turn: eight sizes would meet one quality only.
    qualities = cycle((*QUALITIES * 4, *QUALITIES[::-1] * 4))
    chosen = list(zip(photographs, cycle(SIZES), qualities, strict=False))
    return {
        name: [(partial(make, path, size), quality) for path, size, quality in chosen]
        for name, make in (("mosaics", mosaic), ("enlargements", enlarged))
    }


def read_both_ways(source: Source, folder: Path) -> Iterator[tuple[int, np.ndarray]]:
    """The picture and then its copies: by how much each is scaled, and its pixels (2, 224, 224, 3), exact first."""
    with tempfile.NamedTemporaryFile(suffix=".jpg", dir=folder) as file:

        def read(path: str | Path) -> tuple[int, np.ndarray]:
            with Image.open(path) as image:
                by = fraction(*image.size, min_side(exact=False))
            return by, np.stack([load_pixels(path, ReadOptions(exact=exact)) for exact in (True, False)])

        def save_and_read(image: Image.Image, quality: int) -> tuple[int, np.ndarray]:
            image.save(file.name, "JPEG", quality=quality)
            return read(file.name)

        if isinstance(source, Path):
            yield read(source)
            original = Image.fromarray(decode(source))
        else:
            original = source[0]()
            yield save_and_read(original, source[1])
        for change, quality in zip(COPIES.values(), cycle(QUALITIES), strict=False):
            yield save_and_read(change(original), quality)


def measure(sources: Sequence[Source], engine: Engine, threads: int) -> dict[str, object]:
    """Reads all pictures and their copies, embeds them on both routes and compares."""

    def embed(pixels: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [engine.embed(np.ascontiguousarray(pixels[i : i + 16])) for i in range(0, len(pixels), 16)]
        )

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(threads) as pool:
        read = list(pool.map(lambda source: list(read_both_ways(source, Path(folder))), sources))
    scaled = np.array([[by for by, _ in files] for files in read])
    pixels = np.array([[pair for _, pair in files] for files in read])  # (pictures, copies + 1, 2, 224, 224, 3)
    routes = [embed(pixels[:, :, i].reshape(-1, *pixels.shape[-3:])) for i in (0, 1)]
    cosines = kernels.cosine_similarity(*routes)[scaled.ravel() > 1]
    exact, default = (vectors.reshape(*scaled.shape, -1) for vectors in routes)
    others = embed(calibration_pixels())
    kept = _different(exact[:, 0])
    precisions = [
        precision_of_copies(vectors[kept, 0], vectors[kept, 1:].reshape(-1, vectors.shape[-1]), others)
        for vectors in (exact, default)
    ]
    counts = Counter(scaled.ravel().tolist())
    return {
        "originals": len(sources),
        "files": scaled.size,
        "scaled": {f"1/{by}": counts[by] for by in (2, 4, 8)},
        "mean_cosine": round(float(cosines.mean()), 5),
        "least_cosine": round(float(cosines.min()), 5),
        "originals_searched": len(kept),
        "exact_micro_ap": round(precisions[0], 5),
        "default_micro_ap": round(precisions[1], 5),
        "holds": bool(
            cosines.mean() >= LEAST_MEAN_COSINE
            and cosines.min() >= LEAST_COSINE
            and precisions[0] - precisions[1] <= MOST_PRECISION_LOST
        ),
    }


def _different(vectors: np.ndarray) -> list[int]:
    kept: list[int] = []
    for i, vector in enumerate(vectors):
        if not kept or kernels.cosine_similarity(vector, vectors[kept]).max() <= _SAME:
            kept.append(i)
    return kept


def main() -> None:
    """Measures, prints and saves; exit code 1 where a limit does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, help="a folder with JPEGs of one's own, to measure these only")
    parser.add_argument("--threads", type=int, default=kernels.build_info()["threads"])
    parser.add_argument("--json", type=Path, default=RESULTS / "scaled_jpeg.json")
    options = parser.parse_args()
    if options.photographs:
        runs = {"photographs": sorted(options.photographs.glob("*.jpg"))}
    else:
        runs = made_large(find_photographs((*EVALUATION, *CALIBRATION)))
    engine = create_engine("onnx", ModelSpec(BACKBONE, precision="fp32"), options.threads)
    document = {"backbone": BACKBONE, "runs": {}}
    if options.json.exists():
        document = json.loads(options.json.read_text())
    document["machine"] = machine(options.threads, ("pillow", "simplejpeg", "onnxruntime-gpu", "onnxruntime"))
    print(describe(document["machine"]))
    for name, sources in runs.items():
        document["runs"][name] = row = measure(sources, engine, options.threads)
        print(name, json.dumps(row))
    print(f"Results written to {save('scaled_jpeg', document, options.json)}")
    if not all(document["runs"][name]["holds"] for name in runs):
        sys.exit("scaled_jpeg: the default route must hold to its limits")


if __name__ == "__main__":
    main()
