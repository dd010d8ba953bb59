"""A picture of a table of similarities, with the pictures themselves along its sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Sizes in pixels. The whole is drawn at this scale for screens with dense pixels, and so that text stays
# legible when the picture is shown smaller.
_CELL = 132
_GAP = 6
_THUMBNAIL = 116
_MARGIN = 56
_NAMES = 330
_TITLE = 150
_LEGEND = 120
_RADIUS = 12

_INK = (28, 30, 38)
_FAINT = (112, 116, 128)
_PAPER = (255, 255, 255)
# From far to near: even steps of lightness, so that it reads in grey and for colour-blind eyes too.
_RAMP = np.array(
    [(244, 246, 250), (204, 222, 236), (139, 188, 212), (64, 140, 178), (20, 88, 138), (10, 44, 92)], float
)


def draw_heatmap(
    similarity: np.ndarray, names: Sequence[str], thumbnails: Sequence[np.ndarray], title: str, subtitle: str
) -> Image.Image:
    """Draws a table of similarities as a heat map.

    The colours span the smallest value to 1; a scale below the table says so.

    Args:
        similarity: (N, N) float, the similarity of each pair, at most 1.
        names: N names, for the rows.
        thumbnails: N pictures, uint8 (H, W, 3) and square, for rows and columns.
        title: One line, large.
        subtitle: One line, small.

    Returns:
        An RGB picture.
    """
    count = len(names)
    step = _CELL + _GAP
    left, top = _MARGIN + _NAMES + step, _MARGIN + _TITLE + step
    canvas = Image.new("RGB", (left + count * step + _MARGIN, top + count * step + _LEGEND + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((_MARGIN, _MARGIN), title, _INK, _font(44))
    draw.text((_MARGIN, _MARGIN + 64), subtitle, _FAINT, _font(24))

    low = min(float(np.nanmin(similarity)), 0.999)
    for i, (name, pixels) in enumerate(zip(names, thumbnails, strict=True)):
        thumbnail = Image.fromarray(pixels).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
        inset = (_CELL - _THUMBNAIL) // 2
        _paste_rounded(canvas, thumbnail, (left - step + inset, top + i * step + inset))
        _paste_rounded(canvas, thumbnail, (left + i * step + inset, top - step + inset))
        _right_aligned(draw, name, left - step - 10, top + i * step + _CELL // 2)
        for j in range(count):
            value = float(similarity[i, j])
            x, y = left + j * step, top + i * step
            fill = _colour((value - low) / (1 - low))
            draw.rounded_rectangle((x, y, x + _CELL - 1, y + _CELL - 1), _RADIUS, fill)
            ink = _PAPER if sum(fill) < 400 else _INK
            draw.text((x + _CELL / 2, y + _CELL / 2), f"{value:.2f}", ink, _font(30), anchor="mm")
    _draw_scale(draw, left, top + count * step + 44, count * step - _GAP, low)
    return canvas


def _draw_scale(draw: ImageDraw.ImageDraw, x: int, y: int, width: int, low: float) -> None:
    for offset in range(width):
        draw.line((x + offset, y, x + offset, y + 17), _colour(offset / max(width - 1, 1)))
    for part, anchor in ((0.0, "la"), (0.5, "ma"), (1.0, "ra")):
        draw.text((x + part * width, y + 28), f"{low + part * (1 - low):.2f}", _FAINT, _font(22), anchor=anchor)
    draw.text((x - 24, y + 9), "cosine similarity", _FAINT, _font(24), anchor="rm")


def _colour(part: float) -> tuple[int, ...]:
    position = min(max(part, 0.0), 1.0) * (len(_RAMP) - 1)
    low = min(int(position), len(_RAMP) - 2)
    mixed = _RAMP[low] + (position - low) * (_RAMP[low + 1] - _RAMP[low])
    return tuple(int(value) for value in mixed.round())


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _right_aligned(draw: ImageDraw.ImageDraw, text: str, x: int, y: int) -> None:
    font = _font(26)
    while draw.textlength(text, font) > _NAMES - 10 and len(text) > 2:
        text = text[:-2] + "…"
    draw.text((x, y), text, _INK, font, anchor="rm")


def _paste_rounded(canvas: Image.Image, picture: Image.Image, place: tuple[int, int]) -> None:
    # Four times the size and down again: Pillow's own rounded corners have steps.
    mask = Image.new("L", (picture.width * 4, picture.height * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, mask.width - 1, mask.height - 1), _RADIUS * 4, 255)
    canvas.paste(picture, place, mask.resize(picture.size, Image.Resampling.LANCZOS))
