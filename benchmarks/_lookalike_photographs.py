"""Photographs of the same place, thing or surface that are no copies of each other, for `decisions.py`."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from _decision_copies import opened
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from imgsim_ops.quality.photographs import find_photographs

_SIZE = (640, 480)
_TEXTURES = ("gravel", "brick", "grass")
# Parts of a texture lie beside each other in so many rows and columns: they have nothing in common.
_PARTS = 3
# From so many on, what the originals have of a sort is enough.
_FEW = 6


def is_photograph(picture: Image.Image) -> bool:
    """By the number of its colours, which drawings and pictures over white have less of."""
    colours = picture.resize((64, 64), Image.Resampling.BOX).getcolors(4096)
    return colours is not None and len(colours) > 3200


class Photographs:
    """Draws from the originals: what a kind has in common by the first generator, a picture's own by the second.

    Attributes:
        paths: The originals.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    @cached_property
    def photographs(self) -> list[Path]:
        """Those of the originals that are no drawings, and larger than what is made of them."""
        found = []
        for path in self.paths:
            with Image.open(path) as image:
                large = image.width >= _SIZE[0] and image.height >= _SIZE[1]
            if large and is_photograph(opened(path)):
                found.append(path)
        return found if len(found) >= _FEW else list(self.paths)

    @cached_property
    def things(self) -> list[Image.Image]:
        """Colourful ones that stand alone, over transparency, 256 pixels at most."""
        found = []
        for path in self.paths:
            with Image.open(path) as image:
                if image.mode != "RGBA":
                    continue
                thing = image.copy()
            thing = thing.crop(thing.getchannel("A").getbbox())
            thing.thumbnail((256, 256))
            clear = np.asarray(thing)[..., 3] < 128
            saturation = np.asarray(thing.convert("RGB").convert("HSV"))[..., 1]
            if min(thing.size) > 100 and 0.15 < clear.mean() < 0.7 and saturation[~clear].mean() > 90:
                found.append(thing)
        return found if len(found) >= _FEW else [_drawn_thing(number) for number in range(2 * _FEW)]

    def kinds(self) -> dict[str, Callable[[Generator, Generator], Image.Image]]:
        """Their names and what draws them."""
        return {
            **{name: self._texture(name) for name in _TEXTURES},
            "burst": self.burst,
            "viewpoint": self.viewpoint,
            "product colours": self.product,
            "shirt colours": self.shirt,
            "pasted": self.pasted,
        }

    def _photograph(self, generator: Generator) -> Image.Image:
        path = self.photographs[int(generator.integers(len(self.photographs)))]
        return ImageOps.fit(opened(path), _SIZE)

    def _thing(self, generator: Generator) -> Image.Image:
        return self.things[int(generator.integers(len(self.things)))]

    @staticmethod
    def _texture(name: str) -> Callable[[Generator, Generator], Image.Image]:
        def part(_: Generator, own: Generator) -> Image.Image:
            """Another part of the same surface."""
            whole = opened(find_photographs([f"{name}.png"])[0])
            side = whole.width // _PARTS
            left, top = (side * int(value) for value in own.integers(0, _PARTS, 2))
            return whole.crop((left, top, left + side, top + side)).resize(
                (2 * side, 2 * side), Image.Resampling.BICUBIC
            )

        return part

    def burst(self, common: Generator, own: Generator) -> Image.Image:
        """The next frame: the camera moved a little, a thing in front of it more, and the noise is new."""
        frame, thing = self._photograph(common).copy(), self._thing(common)
        place = 40 * int(own.integers(10))
        frame.paste(thing, (place, int(common.integers(120, 220))), thing)
        # By the place: two frames in which nothing moved would be copies.
        own = np.random.default_rng(place)
        left, top = (int(value) for value in own.integers(0, 24, 2))
        frame = frame.crop((left, top, left + 610, top + 450))
        noisy = np.asarray(frame) + own.normal(0, 3, (450, 610, 3))
        return Image.fromarray(np.clip(noisy, 0, 255).round().astype(np.uint8))

    def viewpoint(self, common: Generator, own: Generator) -> Image.Image:
        """Things at several depths before a wall, from elsewhere."""
        wall = self._photograph(common).resize((960, 720), Image.Resampling.LANCZOS)
        aside = int(own.integers(-4, 5)) / 4
        for depth in (0.3, 0.5, 0.75, 1.0):
            thing = self._thing(common)
            thing = thing.resize(tuple(round(side * (0.6 + depth)) for side in thing.size))
            place = (
                round(common.uniform(180, 620) + 260 * depth * aside),
                round(160 + 300 * depth - thing.height / 2 + 100),
            )
            wall.paste(thing, place, thing)
        corners = np.float32([(120, 90), (840, 90), (840, 630), (120, 630)])
        seen = corners + np.float32([(0, 1), (0, -1), (0, 1), (0, -1)]) * np.float32(110 * aside)
        change = cv2.getPerspectiveTransform(
            seen.astype(np.float32), np.float32([(0, 0), (640, 0), (640, 480), (0, 480)])
        )
        return Image.fromarray(cv2.warpPerspective(np.asarray(wall), change, _SIZE, flags=cv2.INTER_AREA))

    def product(self, common: Generator, own: Generator) -> Image.Image:
        """The same thing in another hue, before the same background."""
        page = _studio(common)
        thing = self._thing(common).resize((380, 380), Image.Resampling.LANCZOS)
        hue, saturation, value = thing.convert("RGB").convert("HSV").split()
        turn = 24 * int(own.integers(10))
        hue = hue.point([(level + turn) % 256 for level in range(256)])
        coloured = Image.merge("HSV", (hue, saturation, value)).convert("RGB")
        page.paste(coloured, (130, 50), thing.getchannel("A"))
        return page

    def shirt(self, common: Generator, own: Generator) -> Image.Image:
        """The same shirt in another hue, with folds and a print."""
        page = _studio(common)
        cloth = Image.new("L", _SIZE, 0)
        outline = (
            (220, 60),
            (420, 60),
            (560, 150),
            (510, 230),
            (440, 190),
            (440, 440),
            (200, 440),
            (200, 190),
            (130, 230),
            (80, 150),
        )
        ImageDraw.Draw(cloth).polygon(outline, fill=255)
        folds = cv2.resize(common.normal(0, 1, (12, 16)).astype(np.float32), _SIZE, interpolation=cv2.INTER_CUBIC)
        hue = int(own.integers(12)) / 12
        colour = np.array(colorsys.hsv_to_rgb(hue, 0.7, 0.75)) * 255
        dyed = colour * (1 + 0.12 * folds[..., np.newaxis])
        page.paste(Image.fromarray(np.clip(dyed, 0, 255).astype(np.uint8)), (0, 0), cloth)
        print_ = self._thing(common).resize((130, 130))
        page.paste(print_, (255, 180), print_)
        return page

    def pasted(self, common: Generator, own: Generator) -> Image.Image:
        """Another thing in the same place of the same photograph."""
        page, thing = self._photograph(common).copy(), self._thing(own)
        thing = ImageOps.contain(thing, (150, 150))
        page.paste(thing, (int(common.integers(60, 420)), int(common.integers(60, 300))), thing)
        return page


def _drawn_thing(number: int) -> Image.Image:
    """Discs and polygons in colours, over transparency."""
    generator = np.random.default_rng([5, number])
    thing = Image.new("RGBA", (220, 220))
    draw = ImageDraw.Draw(thing)
    for reach in (95, 70, 45, 30):
        x, y = (int(value) for value in generator.integers(100, 121, 2))
        colour = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(generator.random(), 0.85, 0.9))
        draw.regular_polygon((x, y, reach), int(generator.integers(3, 9)), int(generator.integers(90)), fill=colour)
    return thing


def _studio(generator: Generator) -> Image.Image:
    """A grey wall with a softer light in the middle, and grain."""
    light = Image.new("L", _SIZE, 150)
    ImageDraw.Draw(light).ellipse((80, 20, 560, 460), fill=225)
    smooth = np.asarray(light.filter(ImageFilter.GaussianBlur(70)), np.float32)
    grain = smooth + generator.normal(0, 2.5, smooth.shape)
    return Image.fromarray(np.clip(grain, 0, 255).astype(np.uint8)).convert("RGB")
