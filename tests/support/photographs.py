"""Real photographs, copies made of them, and collections of both by an engine that takes no time."""

import os

from PIL import Image, ImageOps

from imgsim_ops.quality.copies import COPIES
from imgsim_ops.quality.photographs import find_photographs

NAMES = ("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "coins.png")


def write_photographs(folder, names=NAMES, longer=400):
    """Writes small versions as PNG."""
    folder.mkdir(exist_ok=True)
    for path in find_photographs(names):
        with Image.open(path) as image:
            small = image.convert("RGB")
            small.thumbnail((longer, longer))
            small.save(folder / f"{path.stem}.png")
    return folder


def write_copy(folder, name, kind, suffix=".png"):
    """Writes a copy of one of them: a kind of `COPIES`, or what a function makes of it."""
    path = folder / f"{name}-{kind if isinstance(kind, str) else kind.__name__}{suffix}"
    with Image.open(folder / f"{name}.png") as image:
        (COPIES[kind] if isinstance(kind, str) else kind)(image).save(path)
    return path


def names(pictures):
    return [os.path.basename(picture.path) for picture in pictures]


def piece(image):
    """A piece that neither the hash nor the vector alone knows again."""
    width, height = image.size
    return image.crop((width // 8, height // 8, width, height))


def mirrored(image):
    return ImageOps.mirror(image)
