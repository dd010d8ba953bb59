"""Changed copies of a picture, of the kinds that people make; the same every time."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps


def _recompressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _cropped(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    width, height = image.size
    return image.crop((round(width * left), round(height * top), round(width * right), round(height * bottom)))


def _shrunk(image: Image.Image, times: int) -> Image.Image:
    size = max(1, image.width // times), max(1, image.height // times)
    return image.resize(size, Image.Resampling.LANCZOS)


def _framed(image: Image.Image) -> Image.Image:
    return ImageOps.expand(image, max(1, min(image.size) // 12), (255, 255, 255))


def _captioned(image: Image.Image) -> Image.Image:
    copy = image.copy()
    size = max(8, image.height // 9)
    bar = (0, image.height - 2 * size, image.width, image.height - size // 2)
    draw = ImageDraw.Draw(copy)
    draw.rectangle(bar, fill=(0, 0, 0))
    draw.text((size // 2, bar[1]), "the same picture", fill=(255, 255, 255), font_size=size)
    return copy


def _turned(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))


def _mixed(image: Image.Image) -> Image.Image:
    copy = ImageEnhance.Color(_cropped(image, 0.1, 0.05, 0.9, 0.95)).enhance(0.3)
    return _recompressed(ImageOps.mirror(ImageEnhance.Contrast(copy).enhance(1.3)), 30)


#: Name of the change to what makes the copy, from an RGB picture to an RGB picture.
COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "recompressed": lambda image: _recompressed(image, 15),
    "shrunk": lambda image: _shrunk(image, 3),
    "cropped": lambda image: _cropped(image, 0.15, 0.1, 0.9, 0.9),
    "half": lambda image: _cropped(image, 0.15, 0.15, 0.85, 0.85),
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.5),
    "darkened": lambda image: ImageEnhance.Brightness(image).enhance(0.5),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.6),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(max(image.size) / 150)),
    "captioned": _captioned,
    "framed": _framed,
    "turned": lambda image: _turned(image, 8),
    "mirrored": ImageOps.mirror,
    "mixed": _mixed,
}
