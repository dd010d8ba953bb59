"""Seeded copies of real pictures for `decisions.py`: 28 kinds, each with the relation that is right for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from _decision_folders import Folder, Truth
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from imgsim_ops.quality.copies import Change

#: Words over pictures, so that not every copy has the same caption.
WORDS = ("summer holidays", "look at this!", "for sale, call me", "Monday again", "happy birthday", "do not forget")


def _as_it_is(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return image


@dataclass(frozen=True)
class Kind:
    """How copies of one kind are made and kept.

    Attributes:
        change: From an RGB picture to an RGB picture.
        right: The relations to its original that are right for it.
        suffix: What its files end in.
        quality: What JPEG and WebP are saved with; None takes 85 to 95.
        cut: The share of the area that is cut off before.
    """

    change: Change = _as_it_is
    right: tuple[str, ...] = ("copy",)
    suffix: str = ".jpg"
    quality: int | None = None
    cut: float = 0.0


def font(size: int, bold: bool = False, family: str = "") -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu Sans, which matplotlib brings along; or its family ``Mono``."""
    name = f"DejaVuSans{family}{'-Bold' * bold}.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def _resized(image: Image.Image, across: float, down: float | None = None) -> Image.Image:
    size = max(1, round(image.width * across)), max(1, round(image.height * (down or across)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _cut(image: Image.Image, generator: np.random.Generator, share: float) -> tuple[Image.Image, bool]:
    """A part of the same shape without this share of the area, off the centre; and whether nothing was cut off."""
    kept = (1 - share) ** 0.5
    left, top = (1 - kept) * generator.choice((0.0, 0.15, 0.85, 1.0), 2)
    width, height = image.size
    first = round(width * left), round(height * top)
    last = round(width * (left + kept)), round(height * (top + kept))
    beyond = np.ones((height, width), bool)
    beyond[first[1] : last[1], first[0] : last[0]] = False
    margin = np.asarray(image)[beyond].astype(int)
    off = np.abs(margin - np.median(margin, 0)).max(1) > _ONE_COLOUR
    return image.crop((*first, *last)), bool(off.sum() < _NOTHING * beyond.size)


# Levels from the margin's own colour; and the share of the picture that may be off by more.
_ONE_COLOUR, _NOTHING = 10, 1e-4


def _border(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    width = max(2, round(min(image.size) * generator.uniform(0.04, 0.1)))
    return ImageOps.expand(image, width, (0, 0, 0) if generator.random() < 0.5 else (255, 255, 255))


def _perspective(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    width, height = image.size
    corners = np.float32([(0, 0), (width, 0), (width, height), (0, height)])
    moved = corners + generator.uniform(-0.04, 0.04, (4, 2)).astype(np.float32) * (width, height)
    change = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    grey = (128, 128, 128)
    return Image.fromarray(
        cv2.warpPerspective(np.asarray(image), change, (width, height), flags=cv2.INTER_CUBIC, borderValue=grey)
    )


def _turned(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    degrees = 5 * generator.choice((-1, 1))
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))


def _white_balance(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Warmer or colder."""
    warm = 1.18 if generator.random() < 0.5 else 1 / 1.18
    values = np.asarray(image, np.float32) * np.float32([warm, 1, 1 / warm])
    return Image.fromarray(np.clip(values, 0, 255).round().astype(np.uint8))


def _noisy(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    noise = generator.standard_normal((image.height, image.width, 3), np.float32) * np.float32(12)
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).round().astype(np.uint8))


def _blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(1.0, max(image.size) / 250)))


def captioned(image: Image.Image, words: str, top: bool = False) -> Image.Image:
    """White words with a dark edge over the lower part, or the upper one."""
    copy = image.copy()
    size = max(12, min(image.height // 9, round(1.6 * image.width / len(words))))
    place = (image.width // 2, size if top else image.height - size)
    ImageDraw.Draw(copy).text(
        place, words, "white", font(size, bold=True), anchor="mm", stroke_width=max(1, size // 12), stroke_fill="black"
    )
    return copy


def _logo(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    copy = image.copy()
    side = max(24, min(image.size) // 6)
    left, top = (int(value) for value in generator.integers(0, 2, 2) * (image.width - side, image.height - side))
    colour = tuple(generator.integers(40, 220, 3).tolist())
    draw = ImageDraw.Draw(copy)
    draw.ellipse((left + 2, top + 2, left + side - 3, top + side - 3), fill=colour, outline="white", width=side // 16)
    draw.text((left + side / 2, top + side / 2), "tv", "white", font(side // 2, bold=True), anchor="mm")
    return copy


def _watermark(image: Image.Image) -> Image.Image:
    """Words again and again, slanting, half transparent."""
    size = max(14, min(image.size) // 10)
    far = image.width + image.height
    layer = Image.new("L", (far, far), 0)
    draw = ImageDraw.Draw(layer)
    for row, top in enumerate(range(0, far, 3 * size)):
        for left in range(-(row % 2) * 4 * size, far, 8 * size):
            draw.text((left, top), "SAMPLE", 110, font(size, bold=True))
    layer = layer.rotate(30, Image.Resampling.BICUBIC)
    left, top = (far - image.width) // 2, (far - image.height) // 2
    mask = layer.crop((left, top, left + image.width, top + image.height))
    return Image.composite(Image.new("RGB", image.size, "white"), image, mask)


def _screenshot(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """The picture on a page with bars and lines of text."""
    part = _resized(image, min(0.8, 1200 / max(image.size)))
    page = Image.new("RGB", (round(part.width * 1.2), round(part.height * 1.45)), (246, 246, 246))
    bar = max(16, page.height // 14)
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, page.width, bar), fill=(48, 84, 150))
    draw.text((bar // 3, bar // 2), "pictures of the day", "white", font(bar // 2, bold=True), anchor="lm")
    page.paste(part, (round(part.width * 0.1), round(bar * 1.8)))
    top = round(bar * 1.8) + part.height + bar // 3
    for line in generator.permutation(WORDS)[:2]:
        draw.text((round(part.width * 0.1), top), str(line), (30, 30, 30), font(max(9, bar // 2)))
        top += round(bar * 0.7)
    return page


def _palette(image: Image.Image) -> Image.Image:
    return image.quantize(64)


EITHER = ("copy", "part")
KINDS: dict[str, Kind] = {
    "jpeg 75": Kind(quality=75),
    "jpeg 30": Kind(quality=30),
    "webp": Kind(suffix=".webp", quality=80),
    "palette": Kind(lambda image, _: _palette(image), suffix=".gif"),
    "half size": Kind(lambda image, _: _resized(image, 0.5)),
    "quarter size": Kind(lambda image, _: _resized(image, 0.25)),
    "larger": Kind(lambda image, _: _resized(image, 1.5)),
    "aspect": Kind(lambda image, _: _resized(image, 1, 0.8)),
    "border": Kind(_border),
    "mirrored": Kind(lambda image, _: ImageOps.mirror(image)),
    "turned 90": Kind(lambda image, _: image.transpose(Image.Transpose.ROTATE_90)),
    "turned 5": Kind(_turned, EITHER),
    "perspective": Kind(_perspective, EITHER),
    "grey": Kind(lambda image, _: image.convert("L").convert("RGB")),
    "brighter": Kind(lambda image, _: ImageEnhance.Brightness(image).enhance(1.3)),
    "more contrast": Kind(lambda image, _: ImageEnhance.Contrast(image).enhance(1.4)),
    "white balance": Kind(_white_balance),
    "blurred": Kind(lambda image, _: _blurred(image)),
    "sharpened": Kind(lambda image, _: image.filter(ImageFilter.UnsharpMask(2, 120, 2))),
    "noise": Kind(_noisy),
    "crop 10 %": Kind(right=("part",), cut=0.1),
    "crop 30 %": Kind(right=("part",), cut=0.3),
    "crop 50 %": Kind(right=("part",), cut=0.5),
    "forwarded": Kind(lambda image, _: _resized(image, 0.5), ("part",), quality=25, cut=0.2),
    "caption": Kind(lambda image, generator: captioned(image, str(generator.choice(WORDS))), ("edited",)),
    "logo": Kind(_logo, ("edited",)),
    "watermark": Kind(lambda image, _: _watermark(image), ("edited",)),
    "screenshot": Kind(_screenshot, ("edited",)),
}
#: Left out, as 28 are asked for: darker, less contrast, more colour, and saving as PNG.
LYING_OTHERWISE = ("mirrored", "turned 90")


def dealt(originals: int, copies: int, seed: Sequence[int]) -> list[list[str]]:
    """Kinds for each original, all different, each kind equally often in all."""
    generator = np.random.default_rng(seed)
    deck: list[str] = []
    hands: list[list[str]] = []
    for _ in range(originals):
        hand: list[str] = []
        while len(hand) < copies:
            free = [kind for kind in deck if kind not in hand]
            if not free:
                deck += generator.permutation(list(KINDS)).tolist()
                continue
            hand.append(free[0])
            deck.remove(free[0])
        hands.append(hand)
    return hands


def opened(path: Path) -> Image.Image:
    """As RGB, the right way up, over white where it is transparent."""
    with Image.open(path) as image:
        turned = ImageOps.exif_transpose(image).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", turned.size, "white"), turned).convert("RGB")


def is_transparent(path: Path) -> bool:
    """Whether something shines through a picture."""
    with Image.open(path) as image:
        return image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255


def make_copies(folder: Folder, originals: Sequence[Path], copied: Sequence[int], copies: int, seed: int) -> None:
    """Writes all originals as they are, and copies of those whose places are in `copied`."""
    hands = dict(zip(copied, dealt(len(copied), copies, [seed, 1]), strict=True))
    for place, path in enumerate(originals):
        name = f"original {place}"
        transparent = is_transparent(path)
        folder.keep(path, Truth(name, "original", transparent=transparent))
        if place not in hands:
            continue
        picture = opened(path)
        for number in sorted(list(KINDS).index(kind) for kind in hands[place]):
            kind_name, kind = list(KINDS.items())[number]
            generator = np.random.default_rng([seed, 2, place, number])
            part, bare = _cut(picture, generator, kind.cut) if kind.cut else (picture, False)
            changed = kind.change(part, generator)
            quality = kind.quality or int(generator.integers(85, 96))
            folder.write(
                changed, Truth(name, kind_name, EITHER if bare else kind.right, transparent), kind.suffix, quality
            )
