"""Changed copies of a picture, of the kinds that people make; the same every time."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

#: From an RGB picture, and where the numbers come from that chance decides, to an RGB picture.
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


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


def _cut(image: Image.Image, generator: np.random.Generator, share: float) -> Image.Image:
    """A part of the same shape, anywhere, without this share of the area."""
    kept = (1 - share) ** 0.5
    left, top = generator.uniform(0, 1 - kept, 2)
    return _cropped(image, left, top, left + kept, top + kept)


def _resized(image: Image.Image, across: float, down: float) -> Image.Image:
    size = max(1, round(image.width * across)), max(1, round(image.height * down))
    return image.resize(size, Image.Resampling.BICUBIC)


def _noisy(image: Image.Image, generator: np.random.Generator, deviation: float) -> Image.Image:
    noise = generator.normal(0, deviation, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).round().astype(np.uint8))


def _blurred(image: Image.Image, part: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(image.size) / part))


def _bordered(image: Image.Image, share: float, colour: tuple[int, int, int]) -> Image.Image:
    return ImageOps.expand(image, max(1, round(min(image.size) * share)), colour)


def _lettered(image: Image.Image) -> Image.Image:
    """Large letters across the middle, half transparent, as a watermark."""
    copy = image.convert("RGBA")
    layer = Image.new("RGBA", copy.size, (255, 255, 255, 0))
    size = max(8, image.width // 8)
    place = (image.width // 16, (image.height - size) // 2)
    dark = (0, 0, 0, 150)
    ImageDraw.Draw(layer).text(
        place, "WATERMARK", fill=(255, 255, 255, 150), font_size=size, stroke_width=2, stroke_fill=dark
    )
    return Image.alpha_composite(copy, layer).convert("RGB")


def _brightened(image: Image.Image, times: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(times)


def _contrasted(image: Image.Image, times: float) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(times)


def _grey(image: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


def _forwarded(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """What a messenger makes of a part of a picture."""
    return _recompressed(_resized(_cut(image, generator, 0.2), 0.5, 0.5), 25)


def _poster(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    return _recompressed(_bordered(_lettered(_contrasted(_cut(image, generator, 0.3), 1.4)), 0.06, (20, 20, 20)), 40)


def _old(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    return _recompressed(_noisy(_grey(_turned(_cut(image, generator, 0.1), 4)), generator, 12), 40)


def _screenshot(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """The picture on a page with bars and a line of text, on a third of its area taken by other things."""
    part = _resized(_cut(image, generator, 0.1), 0.7, 0.7)
    page = Image.new("RGB", (round(part.width * 1.15), round(part.height * 1.3)), (245, 245, 245))
    page.paste(part, (round(part.width * 0.075), round(part.height * 0.2)))
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, page.width, round(part.height * 0.08)), fill=(40, 70, 120))
    draw.text(
        (8, round(part.height * 0.1)), "A picture that I found", fill=(0, 0, 0), font_size=max(8, page.height // 20)
    )
    return _recompressed(page, 50)


#: Name of the change to what makes the copy, from an RGB picture to an RGB picture.
COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "recompressed": lambda image: _recompressed(image, 15),
    "shrunk": lambda image: _shrunk(image, 3),
    "cropped": lambda image: _cropped(image, 0.15, 0.1, 0.9, 0.9),
    "half": lambda image: _cropped(image, 0.15, 0.15, 0.85, 0.85),
    "brightened": lambda image: _brightened(image, 1.5),
    "darkened": lambda image: _brightened(image, 0.5),
    "contrast": lambda image: _contrasted(image, 1.6),
    "grey": lambda image: _grey(image),
    "blurred": lambda image: _blurred(image, 150),
    "captioned": _captioned,
    "framed": _framed,
    "turned": lambda image: _turned(image, 8),
    "mirrored": ImageOps.mirror,
    "mixed": _mixed,
}

#: Copies of one step. The share that `cropped` takes away is one of the area.
SINGLE_STEPS: dict[str, Change] = {
    "jpeg 60": lambda image, _: _recompressed(image, 60),
    "jpeg 30": lambda image, _: _recompressed(image, 30),
    "jpeg 10": lambda image, _: _recompressed(image, 10),
    "half the size": lambda image, _: _resized(image, 0.5, 0.5),
    "quarter of the size": lambda image, _: _resized(image, 0.25, 0.25),
    "stretched": lambda image, _: _resized(image, 1.25, 1),
    "cropped 10 %": lambda image, generator: _cut(image, generator, 0.1),
    "cropped 30 %": lambda image, generator: _cut(image, generator, 0.3),
    "cropped 50 %": lambda image, generator: _cut(image, generator, 0.5),
    "brighter": lambda image, _: _brightened(image, 1.5),
    "darker": lambda image, _: _brightened(image, 0.5),
    "more contrast": lambda image, _: _contrasted(image, 1.6),
    "less contrast": lambda image, _: _contrasted(image, 0.5),
    "greyscale": lambda image, _: _grey(image),
    "colourful": lambda image, _: ImageEnhance.Color(image).enhance(2),
    "blurred": lambda image, _: _blurred(image, 250),
    "blurred much": lambda image, _: _blurred(image, 100),
    "noisy": lambda image, generator: _noisy(image, generator, 25),
    "caption": lambda image, _: _captioned(image),
    "watermark": lambda image, _: _lettered(image),
    "border": lambda image, _: _bordered(image, 0.1, (0, 0, 0)),
    "rotated 3": lambda image, _: _turned(image, 3),
    "rotated 10": lambda image, _: _turned(image, 10),
}

#: Copies of several steps.
MIXTURES: dict[str, Change] = {
    "forwarded": _forwarded,
    "poster": _poster,
    "old": _old,
    "screenshot": _screenshot,
}

#: Copies that lie another way than their original.
TURNED: dict[str, Change] = {
    "mirrored": lambda image, _: ImageOps.mirror(image),
    "mirrored and forwarded": lambda image, generator: ImageOps.mirror(_forwarded(image, generator)),
    "quarter turn": lambda image, _: image.transpose(Image.Transpose.ROTATE_90),
    "half turn": lambda image, _: image.transpose(Image.Transpose.ROTATE_180),
    "three quarter turn": lambda image, _: image.transpose(Image.Transpose.ROTATE_270),
}
