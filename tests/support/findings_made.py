"""Groups of small pictures on the disk, under any names."""

import hashlib
import os

import numpy as np
from PIL import Image

from imgsim_ops.collection.findings import Evidence, Group, Member, Picture


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


def made_groups(folder, count=3, proposed=False):
    """Of each group the second has the bytes of the one kept, and may go; the third differs, and has a transform."""
    for number in range(count):
        first = write_picture(folder / f"first {number}.png", 2 * number)
        second = write_picture(folder / f"second {number}.png", 2 * number + 1, (20, 15))
        third = write_picture(folder / f"third {number}.png", 2 * number)
        edited = Evidence(
            "local", 0.9 - number / 100, "edited", 40, 25, (2.0, 0.0, 0.0, 0.0, 2.0, 0.0), overlap=(1.0, 1.0),
            differences=(((3, 4, 5, 6), (6, 8, 10, 12)),), lacks=("detail",),
        )  # fmt: skip
        twin = Member(third, Evidence("content", 1.0, "identical"), remove=proposed)
        yield Group((Member(first, None), twin, Member(second, edited)))
