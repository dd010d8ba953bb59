"""Groups of small pictures on the disk, under any names."""

import hashlib
import os
from dataclasses import dataclass

import numpy as np
from PIL import Image

from imgsim_ops.collection.findings import Evidence, Group, Member, Picture, evidence_as_json


@dataclass(frozen=True)
class Judged(Member):
    """A member with what is said of it beside the evidence."""

    relation: str | None = None
    remove: bool = False


@dataclass(frozen=True)
class Looked(Evidence):
    """Evidence with what a look at the pixels finds."""

    differences: tuple[dict, ...] = ()
    overlap: tuple[float, float] | None = None


def looked_as_json(evidence):
    found = evidence_as_json(evidence)
    for name in ("differences", "overlap"):
        if value := getattr(evidence, name, None):
            found[name] = value
    return found


def write_picture(path, seed=0, size=(40, 30)):
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(path, "PNG")
    return described(path, size)


def described(path, size=(40, 30)):
    with open(path, "rb") as file:
        content = file.read()
    return Picture(
        os.fspath(path), len(content), 1_600_000_000_000_000_000, hashlib.sha256(content).digest(), *size, "PNG"
    )


def made_groups(folder, count=3):
    """Pairs found by their vectors; the second of every group has a transform."""
    for number in range(count):
        first = write_picture(folder / f"first {number}.png", 2 * number)
        second = write_picture(folder / f"second {number}.png", 2 * number + 1, (20, 15))
        third = write_picture(folder / f"third {number}.png", 2 * number)
        transform = Evidence("local", 0.9 - number / 100, 40, 25, (2.0, 0.0, 0.0, 0.0, 2.0, 0.0))
        yield Group((Member(first, None), Member(third, Evidence("content", 1.0)), Member(second, transform)), best=0)
