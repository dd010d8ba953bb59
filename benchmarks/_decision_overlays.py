"""One caption or one frame of an app over many photographs, for `decisions.py`: no two of them belong together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from _decision_copies import captioned, font, opened
from _decision_folders import Folder, Truth
from PIL import Image, ImageDraw, ImageOps

_INK, _PALE = (30, 32, 40), (150, 155, 165)


def _banner(image: Image.Image) -> Image.Image:
    """A black bar with large words below, as much as a third of the picture."""
    copy = image.copy()
    top = round(image.height * 0.72)
    draw = ImageDraw.Draw(copy)
    draw.rectangle((0, top, image.width, image.height), fill="black")
    size = (image.height - top) // 3
    for row, line in enumerate(("WHEN THE WEEKEND", "IS FINALLY HERE")):
        draw.text(
            (image.width // 2, top + size * (row + 0.9)), line, "white", font(size * 3 // 4, bold=True), anchor="mm"
        )
    return copy


def _above_and_below(image: Image.Image) -> Image.Image:
    return captioned(captioned(image, "one does not simply", top=True), "walk into Monday")


def _post(image: Image.Image) -> Image.Image:
    """A post in an app for pictures."""
    page = Image.new("RGB", (720, 1180), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 720, 70), fill=(250, 250, 250))
    draw.text((30, 35), "Pictogram", _INK, font(34, bold=True), anchor="lm")
    draw.ellipse((24, 92, 84, 152), fill=(220, 120, 60))
    draw.text((104, 108), "holidays.and.more", _INK, font(24, bold=True))
    page.paste(ImageOps.fit(image, (720, 540)), (0, 176))
    for place in range(3):
        draw.ellipse((30 + place * 62, 740, 74 + place * 62, 784), outline=_INK, width=4)
    for row, line in enumerate(
        ("4,127 likes", "holidays.and.more  What a day! More of this soon,", "so stay with us and tell your friends.",
         "View all 214 comments", "ben.k  I want to go there too", "carla_99  where is this?")
    ):  # fmt: skip
        draw.text((30, 810 + row * 46), line, _PALE if row == 3 else _INK, font(24))
    draw.rectangle((0, 1110, 720, 1180), fill=(250, 250, 250))
    for place in range(5):
        draw.rounded_rectangle((50 + place * 135, 1125, 90 + place * 135, 1165), 8, outline=_INK, width=4)
    return page


def _message(image: Image.Image) -> Image.Image:
    """A picture that somebody sent in a messenger."""
    page = Image.new("RGB", (600, 1000), (232, 226, 216))
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 600, 90), fill=(20, 110, 100))
    draw.ellipse((20, 18, 74, 72), fill=(200, 180, 90))
    draw.text((95, 45), "Family", "white", font(28, bold=True), anchor="lm")
    for top, left, line in (
        (110, 20, "Have you seen this one?"), (170, 20, "It is from last summer, I think"),
        (760, 180, "Oh, that is lovely. Send me more!"), (820, 20, "I will, tonight"),
    ):  # fmt: skip
        draw.rounded_rectangle((left, top, left + 400, top + 48), 14, fill="white" if left < 100 else (215, 245, 200))
        draw.text((left + 16, top + 24), line, _INK, font(20), anchor="lm")
    draw.rounded_rectangle((20, 240, 560, 740), 14, fill="white")
    page.paste(ImageOps.fit(image, (520, 440)), (30, 250))
    draw.text((550, 718), "14:05", _PALE, font(18), anchor="rm")
    draw.rounded_rectangle((20, 925, 500, 980), 26, fill="white")
    draw.ellipse((520, 922, 578, 980), fill=(20, 110, 100))
    return page


def _article(image: Image.Image) -> Image.Image:
    """A page of news with a picture that takes less than a third of it."""
    page = Image.new("RGB", (900, 1100), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 900, 80), fill=(160, 20, 30))
    draw.text((40, 40), "THE DAILY NEWS", "white", font(40, bold=True), anchor="lm")
    draw.text((40, 120), "Town council decides about", _INK, font(44, bold=True))
    draw.text((40, 176), "the new bridge at last", _INK, font(44, bold=True))
    page.paste(ImageOps.fit(image, (540, 405)), (40, 260))
    words = re.split(" ", "after many months of talks the members of the council have agreed on a plan that they like")
    for row in range(15):
        line = " ".join(words[(row * 5 + place) % len(words)] for place in range(9))
        draw.text((40, 690 + row * 26), line, _INK, font(18))
    for row in range(26):
        draw.text((610, 262 + row * 26), " ".join(words[(row * 3 + 7) % 15 : (row * 3 + 7) % 15 + 4]), _INK, font(16))
    return page


OVERLAYS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "caption": lambda image: captioned(image, "the best day of the year"),
    "banner": _banner,
    "above and below": _above_and_below,
    "post": _post,
    "message": _message,
    "article": _article,
}


def make_overlays(folder: Folder, photographs: Sequence[Path]) -> None:
    """Writes photographs as they are, and each under all captions and in all frames."""
    for place, path in enumerate(photographs):
        name = f"photograph {place}"
        folder.keep(path, Truth(name, "original"))
        picture = ImageOps.contain(opened(path), (1200, 1200))
        for kind, change in OVERLAYS.items():
            folder.write(change(picture), Truth(name, kind, ("edited",)))
