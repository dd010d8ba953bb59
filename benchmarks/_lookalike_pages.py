"""Pages of one template with other things on them, for `decisions.py`.

Every function draws one picture: what a kind has in common by its first generator, what is the picture's own by the
second.
"""

from __future__ import annotations

import calendar as calendars
from collections.abc import Sequence

import cv2
import numpy as np
from _decision_copies import font
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

_FIRST = ("Anna", "Bruno", "Clara", "David", "Elif", "Farid", "Greta", "Henri", "Ines", "Jonas", "Kira", "Luca")
_LAST = ("Adler", "Berg", "Costa", "Dumont", "Evans", "Fischer", "Garcia", "Holm", "Ivanov", "Jansen", "Kaya", "Lopez")
_TOWNS = ("Aachen", "Bergen", "Cadiz", "Dublin", "Erfurt", "Florence", "Ghent", "Haarlem", "Innsbruck", "Jena")
_THINGS = ("bread", "apples", "coffee", "paper", "soap", "rice", "cheese", "pens", "lamp", "tea", "screws", "paint")
_WORDS = (
    "time", "water", "plan", "house", "green", "seven", "market", "letter", "cloud", "early", "number", "garden",
    "street", "paper", "never", "small", "window", "river", "money", "table", "summer", "answer", "quick", "stone",
    "happy", "learn", "music", "bridge", "cover", "point", "train", "light", "begin", "world", "story", "change",
)  # fmt: skip
_INK, _PALE = (30, 32, 40), (150, 155, 165)


def _mono(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return font(size, family="Mono")


def _pick(generator: Generator, values: Sequence[str]) -> str:
    return values[int(generator.integers(len(values)))]


def _digits(generator: Generator, count: int) -> str:
    return "".join(map(str, generator.integers(0, 10, count).tolist()))


def _name(generator: Generator) -> str:
    return f"{_pick(generator, _FIRST)} {_pick(generator, _LAST)}"


def _date(generator: Generator) -> str:
    return f"{generator.integers(1, 29):02}.{generator.integers(1, 13):02}.20{generator.integers(10, 25)}"


def _sentence(generator: Generator, words: int) -> str:
    return " ".join(_pick(generator, _WORDS) for _ in range(words))


def _price(generator: Generator) -> str:
    return f"{generator.integers(1, 900)}.{generator.integers(0, 100):02}"


def _colour(generator: Generator, low: int = 30, high: int = 180) -> tuple[int, ...]:
    return tuple(generator.integers(low, high, 3).tolist())


def _page(width: int, height: int, colour: str | tuple[int, ...] = "white") -> tuple[Image.Image, ImageDraw.ImageDraw]:
    page = Image.new("RGB", (width, height), colour)
    return page, ImageDraw.Draw(page)


def form(common: Generator, own: Generator) -> Image.Image:
    """A form that different people have filled in."""
    page, draw = _page(900, 1200)
    draw.text((60, 50), f"Application for {_sentence(common, 2)}", _INK, font(38, bold=True))
    draw.text((60, 110), f"Office of {_pick(common, _TOWNS)}, form {_digits(common, 3)}", _PALE, font(20))
    answers = (
        _name(own),
        _date(own),
        _pick(own, _TOWNS),
        _digits(own, 8),
        f"{_sentence(own, 1)} street {_digits(own, 2)}",
    )
    for row in range(13):
        top = 170 + row * 70
        draw.text((60, top), f"{row + 1}. {_sentence(common, 3)}", _INK, font(18))
        draw.rectangle((60, top + 24, 840, top + 60), outline=_PALE, width=2)
        if row < len(answers):
            draw.text((74, top + 28), answers[row], (20, 40, 140), font(24))
    draw.line((60, 1130, 380, 1130), fill=_INK, width=2)
    draw.text((60, 1140), "signature", _PALE, font(18))
    return page


def invoice(common: Generator, own: Generator) -> Image.Image:
    """The same invoice but for one or two digits."""
    page, draw = _page(850, 1100)
    numbers = [_digits(common, 6), *(_price(common) for _ in range(9)), f"{_digits(common, 4)}.{_digits(common, 2)}"]
    for _ in range(int(own.integers(1, 3))):
        which = int(own.integers(len(numbers)))
        places = [place for place, sign in enumerate(numbers[which]) if sign.isdigit()]
        place = places[int(own.integers(len(places)))]
        digit = (int(numbers[which][place]) + int(own.integers(1, 10))) % 10
        numbers[which] = f"{numbers[which][:place]}{digit}{numbers[which][place + 1 :]}"
    draw.rectangle((0, 0, 850, 90), fill=(60, 90, 70))
    draw.text((50, 45), f"{_pick(common, _LAST)} & {_pick(common, _LAST)}", "white", font(36, bold=True), anchor="lm")
    draw.text((50, 130), f"Invoice {numbers[0]}", _INK, font(30, bold=True))
    for row in range(3):
        draw.text((50, 190 + row * 30), f"{_pick(common, _TOWNS)} {_sentence(common, 2)}", _INK, font(20))
    for row, price in enumerate(numbers[1:-1]):
        top = 330 + row * 62
        draw.line((50, top - 14, 800, top - 14), fill=_PALE)
        draw.text((50, top), f"{row + 1}   {_pick(common, _THINGS)}, {_sentence(common, 2)}", _INK, font(22))
        draw.text((800, top), price, _INK, font(22), anchor="ra")
    draw.line((50, 890, 800, 890), fill=_INK, width=3)
    draw.text((50, 910), "Total", _INK, font(26, bold=True))
    draw.text((800, 910), numbers[-1], _INK, font(26, bold=True), anchor="ra")
    draw.text((50, 1030), f"Payable by {_date(common)} to account {_digits(common, 10)}", _PALE, font(18))
    return page


def ticket(common: Generator, own: Generator) -> Image.Image:
    """A ticket for another seat: its QR code and a few signs."""
    page, draw = _page(1000, 420, (250, 247, 240))
    draw.rectangle((0, 0, 1000, 80), fill=_colour(common))
    draw.text((40, 40), f"{_sentence(common, 2).title()} Festival", "white", font(40, bold=True), anchor="lm")
    for row in range(3):
        draw.text((40, 110 + row * 42), f"{_sentence(common, 3)}, {_date(common)}", _INK, font(24))
    draw.text((40, 270), f"Row {own.integers(1, 40)}  Seat {own.integers(1, 60)}", _INK, font(40, bold=True))
    code = cv2.QRCodeEncoder.create().encode(f"T-{_digits(own, 12)}-{_digits(own, 12)}")
    draw.text((40, 350), f"No {_digits(own, 9)}", _PALE, font(22))
    page.paste(Image.fromarray(code).resize((290, 290), Image.Resampling.NEAREST), (680, 105))
    return page


def receipt(common: Generator, own: Generator) -> Image.Image:
    """What was bought another time in the same shop."""
    page, draw = _page(460, 1000, (252, 252, 250))
    draw.text((230, 50), f"{_pick(common, _LAST)} Market".upper(), _INK, font(34, bold=True), anchor="mm")
    draw.text(
        (230, 95), f"{_sentence(common, 2)} {_digits(common, 2)}, {_pick(common, _TOWNS)}", _INK, _mono(16), anchor="mm"
    )
    draw.text(
        (230, 125), f"{_date(own)}  {own.integers(8, 20):02}:{own.integers(0, 60):02}", _INK, _mono(18), anchor="mm"
    )
    for row in range(int(own.integers(12, 20))):
        top = 170 + row * 32
        draw.text((40, top), _pick(own, _THINGS), _INK, _mono(20))
        draw.text((420, top), _price(own), _INK, _mono(20), anchor="ra")
    draw.line((40, 820, 420, 820), fill=_INK, width=2)
    draw.text((40, 840), "TOTAL", _INK, _mono(28))
    draw.text((420, 840), _price(own), _INK, _mono(28), anchor="ra")
    draw.text((230, 940), "Thank you for your visit", _INK, _mono(18), anchor="mm")
    return page


def table(common: Generator, own: Generator) -> Image.Image:
    """The same table with other numbers."""
    page, draw = _page(1000, 800)
    draw.text((40, 30), f"Table {_digits(common, 1)}: {_sentence(common, 4)}", _INK, font(26, bold=True))
    for column in range(7):
        left = 40 + column * 133
        draw.text((left + 120, 90), _pick(common, _WORDS), _INK, font(20, bold=True), anchor="ra")
    for row in range(20):
        top = 125 + row * 33
        draw.line((40, top, 970, top), fill=(220, 220, 225))
        draw.text((40, top + 5), f"20{row + 2:02}", _INK, font(20))
        for column in range(1, 7):
            draw.text((160 + column * 133, top + 5), f"{own.normal(500, 200):.1f}", _INK, font(20), anchor="ra")
    return page


def business_card(common: Generator, own: Generator) -> Image.Image:
    """The card of another one of the same firm."""
    page, draw = _page(850, 500)
    colour, name = _colour(common), _name(own)
    draw.rectangle((0, 0, 250, 500), fill=colour)
    draw.ellipse((65, 160, 185, 280), outline="white", width=10)
    draw.polygon(((125, 180), (165, 250), (85, 250)), fill="white")
    draw.text((125, 330), f"{_sentence(common, 1)} works", "white", font(26, bold=True), anchor="mm")
    draw.text((300, 110), name, _INK, font(42, bold=True))
    draw.text((300, 170), f"{_sentence(own, 1)} manager", colour, font(26))
    draw.text((300, 290), f"+49 {_digits(own, 3)} {_digits(own, 7)}", _INK, font(24))
    draw.text((300, 330), f"{name.split()[0].lower()}@works.example", _INK, font(24))
    draw.text((300, 370), f"{_sentence(common, 2)} {_digits(common, 2)}, {_pick(common, _TOWNS)}", _INK, font(24))
    return page


def bar_code(_: Generator, own: Generator) -> Image.Image:
    """Other digits as bars."""
    page, draw = _page(640, 360)
    digits = _digits(own, 12)
    bits = "101" + "".join(f"{int(digit) * 11 + 17:07b}" for digit in digits) + "101"
    step = 6
    left = (640 - step * len(bits)) // 2
    for place, bit in enumerate(bits):
        if bit == "1":
            draw.rectangle((left + place * step, 40, left + (place + 1) * step - 1, 270), fill="black")
    draw.text((320, 310), " ".join(digits), "black", _mono(32), anchor="mm")
    return page


def slide(common: Generator, own: Generator) -> Image.Image:
    """Another slide of the same talk."""
    page, draw = _page(1280, 720, (248, 249, 252))
    colour = _colour(common)
    draw.rectangle((0, 0, 1280, 110), fill=colour)
    draw.rectangle((0, 670, 1280, 720), fill=colour)
    draw.ellipse((1160, 20, 1230, 90), fill="white")
    draw.text((60, 695), f"{_name(common)}, {_sentence(common, 3)}", "white", font(22), anchor="lm")
    draw.text((60, 55), _sentence(own, 4).capitalize(), "white", font(44, bold=True), anchor="lm")
    for row in range(int(own.integers(4, 7))):
        top = 160 + row * 80
        draw.ellipse((70, top + 12, 86, top + 28), fill=colour)
        draw.text((110, top), _sentence(own, int(own.integers(5, 9))), _INK, font(30))
    draw.text((1220, 695), str(own.integers(1, 90)), "white", font(22), anchor="rm")
    return page


def chat(common: Generator, own: Generator) -> Image.Image:
    """Other words in the same window."""
    page, draw = _page(540, 960, (232, 226, 216))
    draw.rectangle((0, 0, 540, 90), fill=(20, 110, 100))
    draw.ellipse((20, 18, 74, 72), fill=_colour(common, 100, 230))
    draw.text((95, 45), _name(common), "white", font(26, bold=True), anchor="lm")
    top = 120
    while top < 800:
        lines = [_sentence(own, 4) for _ in range(int(own.integers(1, 4)))]
        mine, height = own.random() < 0.5, 34 * len(lines) + 24
        left = 150 if mine else 20
        draw.rounded_rectangle((left, top, left + 370, top + height), 14, fill=(215, 245, 200) if mine else "white")
        for row, line in enumerate(lines):
            draw.text((left + 16, top + 10 + 34 * row), line, _INK, font(20))
        top += height + 18
    draw.rounded_rectangle((20, 895, 450, 945), 24, fill="white")
    draw.text((45, 920), "Message", _PALE, font(20), anchor="lm")
    draw.ellipse((465, 893, 520, 948), fill=(20, 110, 100))
    return page


def code(_: Generator, own: Generator) -> Image.Image:
    """Other lines in the same editor."""
    page, draw = _page(1100, 760, (30, 32, 40))
    draw.rectangle((0, 0, 1100, 44), fill=(48, 51, 62))
    for place, colour in enumerate(((240, 95, 90), (245, 190, 80), (100, 200, 90))):
        draw.ellipse((18 + place * 28, 14, 34 + place * 28, 30), fill=colour)
    deep = 0
    for row in range(26):
        top = 60 + row * 26
        draw.text((50, top), str(row + 1), (90, 95, 110), _mono(18), anchor="ra")
        if own.random() < 0.12:
            continue
        deep = int(np.clip(deep + own.integers(-1, 2), 0, 4))
        left = 80 + deep * 44
        for word, colour in (
            (_pick(own, ("if", "for", "return", "with", "while")), (200, 120, 220)),
            (_pick(own, _WORDS), (130, 180, 250)),
            (_pick(own, ("=", "in", "(", "+", ".")), (220, 220, 225)),
            (f'"{_sentence(own, int(own.integers(1, 3)))}"', (150, 205, 130)),
        ):
            draw.text((left, top), word, colour, _mono(18))
            left += round(draw.textlength(word, _mono(18))) + 12
    return page


def dashboard(common: Generator, own: Generator) -> Image.Image:
    """The same tiles with other values."""
    page, draw = _page(1280, 760, (238, 241, 246))
    draw.rectangle((0, 0, 180, 760), fill=(36, 42, 60))
    for row in range(8):
        draw.text((30, 60 + row * 56), _pick(common, _WORDS), (190, 196, 210), font(20))
    colour = _colour(common, 60, 190)
    for place in range(8):
        left, top = 210 + place % 4 * 265, 40 + place // 4 * 350
        draw.rounded_rectangle((left, top, left + 245, top + 325), 12, fill="white")
        draw.text((left + 20, top + 18), _sentence(common, 2), _PALE, font(20))
        draw.text((left + 20, top + 54), f"{own.integers(100, 9999):,}", _INK, font(36, bold=True))
        values = own.uniform(0.15, 1, 9)
        if place % 2:
            points = [(left + 22 + i * 25, top + 300 - round(170 * value)) for i, value in enumerate(values)]
            draw.line(points, fill=colour, width=4)
        else:
            for i, value in enumerate(values):
                bar = left + 20 + i * 23
                draw.rectangle((bar, top + 300 - round(170 * value), bar + 15, top + 300), fill=colour)
    return page


def calendar(common: Generator, own: Generator) -> Image.Image:
    """Another month of the same calendar."""
    page, draw = _page(900, 700)
    year, month = int(own.integers(2015, 2027)), int(own.integers(1, 13))
    colour = _colour(common)
    draw.rectangle((0, 0, 900, 120), fill=colour)
    draw.text((450, 60), f"{calendars.month_name[month]} {year}", "white", font(50, bold=True), anchor="mm")
    for column, day in enumerate(calendars.day_abbr):
        draw.text((90 + column * 120, 150), day, colour, font(24, bold=True), anchor="mm")
    for row, week in enumerate(calendars.monthcalendar(year, month)):
        for column, day in enumerate(week):
            left, top = 30 + column * 120, 180 + row * 84
            draw.rectangle((left, top, left + 120, top + 84), outline=_PALE)
            if day:
                draw.text((left + 60, top + 42), str(day), _INK, font(30), anchor="mm")
    return page


def sheet_music(_: Generator, own: Generator) -> Image.Image:
    """Another tune."""
    page, draw = _page(1000, 900)
    for staff in range(6):
        top = 70 + staff * 138
        for line in range(5):
            draw.line((40, top + 14 * line, 960, top + 14 * line), fill="black", width=2)
        draw.text((50, top + 28), "&", "black", font(70), anchor="lm")
        left = 130
        while left < 930:
            height = top + 7 * int(own.integers(-2, 11))
            filled = own.random() < 0.7
            draw.ellipse(
                (left, height - 7, left + 18, height + 7), fill="black" if filled else "white", outline="black", width=2
            )
            draw.line((left + 17, height, left + 17, height - 48), fill="black", width=3)
            left += int(own.integers(34, 70))
            if own.random() < 0.2:
                draw.line((left, top, left, top + 56), fill="black", width=2)
                left += 20
    return page


PAGES = {
    "form": form, "invoice": invoice, "ticket": ticket, "receipt": receipt, "table": table,
    "business card": business_card, "bar code": bar_code, "slide": slide, "chat": chat, "code": code,
    "dashboard": dashboard, "calendar": calendar, "sheet music": sheet_music,
}  # fmt: skip
