"""Drawings of one style that show other things, for `decisions.py`; as `_lookalike_pages.py` says."""

from __future__ import annotations

import io
import math

import cv2
import numpy as np
from _decision_copies import font
from matplotlib.figure import Figure
from numpy.random import Generator
from PIL import Image, ImageDraw

_WHITE = (255, 255, 255)


def _drawn(figure: Figure) -> Image.Image:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return Image.open(file).convert("RGB")


def line_chart(_: Generator, own: Generator) -> Image.Image:
    """Other values on the same axes."""
    figure = Figure(figsize=(8, 5), dpi=100)
    axes = figure.subplots()
    for name in ("north", "south"):
        axes.plot(np.clip(50 + np.cumsum(own.normal(0, 5, 40)), 0, 100), label=name)
    axes.set(ylim=(0, 100), xlim=(0, 40), xlabel="week", ylabel="sales", title="Sales by week")
    axes.legend(loc="upper left")
    return _drawn(figure)


def bar_chart(_: Generator, own: Generator) -> Image.Image:
    """Other values on the same axes."""
    figure = Figure(figsize=(8, 5), dpi=100)
    axes = figure.subplots()
    axes.bar(list("ABCDEFGHIJ"), own.uniform(5, 100, 10), color="tab:green")
    axes.set(ylim=(0, 100), xlabel="group", ylabel="share", title="Share by group")
    axes.grid(axis="y")
    return _drawn(figure)


def number_plate(_: Generator, own: Generator) -> Image.Image:
    """Other signs on the same plate."""
    page = Image.new("RGB", (780, 170), (250, 250, 248))
    draw = ImageDraw.Draw(page)
    draw.rounded_rectangle((4, 4, 775, 165), 18, outline=(20, 20, 20), width=6)
    draw.rectangle((10, 10, 80, 159), fill=(20, 60, 160))
    draw.text((45, 125), "D", "white", font(36, bold=True), anchor="mm")
    letters = "".join(chr(65 + value) for value in own.integers(0, 26, 4).tolist())
    digits = "".join(map(str, own.integers(0, 10, 3).tolist()))
    draw.text((435, 85), f"{letters[:2]} {letters[2:]} {digits}", (20, 20, 20), font(104, bold=True), anchor="mm")
    return page


def icon(common: Generator, own: Generator) -> Image.Image:
    """Another glyph of the same set: white shapes on a rounded square."""
    side = 256
    page = Image.new("RGB", (side, side), _WHITE)
    draw = ImageDraw.Draw(page)
    draw.rounded_rectangle((8, 8, 247, 247), 48, fill=tuple(common.integers(30, 170, 3).tolist()))
    for _ in range(3):
        x, y = (int(value) for value in own.integers(70, 186, 2))
        reach = int(own.integers(20, 52))
        shape = int(own.integers(4))
        if shape == 0:
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=_WHITE)
        elif shape == 1:
            draw.rounded_rectangle((x - reach, y - reach // 2, x + reach, y + reach // 2), 8, fill=_WHITE)
        elif shape == 2:
            draw.regular_polygon((x, y, reach), int(own.integers(3, 7)), int(own.integers(90)), fill=_WHITE)
        else:
            draw.arc((x - reach, y - reach, x + reach, y + reach), 0, int(own.integers(150, 360)), _WHITE, 14)
    return page


def sky(_: Generator, own: Generator) -> Image.Image:
    """Nothing but colours that run into each other."""
    corners = own.integers((90, 120, 170), (200, 210, 256), (2, 2, 3)).astype(np.float32)
    smooth = cv2.resize(corners, (640, 480), interpolation=cv2.INTER_LINEAR)
    return Image.fromarray(np.clip(smooth + own.normal(0, 0.6, smooth.shape), 0, 255).round().astype(np.uint8))


def night_sky(_: Generator, own: Generator) -> Image.Image:
    """Other stars."""
    sky = np.full((600, 800), 12, np.float32)
    for x, y, light in zip(own.integers(4, 796, 260), own.integers(4, 596, 260), own.pareto(1.5, 260), strict=True):
        cv2.circle(sky, (int(x), int(y)), 1 + int(light > 4), min(255.0, 60 + 60 * float(light)), -1, cv2.LINE_AA)
    sky = cv2.GaussianBlur(sky, (0, 0), 0.8) + own.normal(0, 2, sky.shape).astype(np.float32)
    return Image.fromarray(np.clip(sky, 0, 255).astype(np.uint8)).convert("RGB")


def street_map(_: Generator, own: Generator) -> Image.Image:
    """Another town in the same style."""
    page = Image.new("RGB", (800, 800), (242, 239, 233))
    draw = ImageDraw.Draw(page)
    for _ in range(6):
        centre = own.uniform(0, 800, 2)
        corners = [tuple(centre + own.uniform(40, 130) * np.array([math.cos(a), math.sin(a)])) for a in range(6)]
        draw.polygon(corners, fill=(200, 226, 180) if own.random() < 0.6 else (170, 205, 230))
    for width, count in ((7, 26), (14, 7)):
        for _ in range(count):
            x, y, way = *own.uniform(0, 800, 2), own.uniform(0, math.pi)
            points = []
            for step in np.linspace(-900, 900, 30):
                points.append((x + step * math.cos(way), y + step * math.sin(way) + 30 * math.sin(step / 140 + x)))
            draw.line(points, fill=(190, 185, 178), width=width + 3, joint="curve")
            draw.line(points, fill=_WHITE if width < 10 else (250, 215, 140), width=width, joint="curve")
    return page


def chess(_: Generator, own: Generator) -> Image.Image:
    """Another position on the same board."""
    page = Image.new("RGB", (640, 640), (240, 217, 181))
    draw = ImageDraw.Draw(page)
    for place in range(64):
        if (place // 8 + place) % 2:
            left, top = place % 8 * 80, place // 8 * 80
            draw.rectangle((left, top, left + 79, top + 79), fill=(181, 136, 99))
    pieces = "♔♕♖♖♗♗♘♘♙♙♙♙♙♙♚♛♜♜♝♝♞♞♟♟♟♟♟♟"
    for piece, place in zip(pieces, own.permutation(64).tolist(), strict=False):
        if own.random() < 0.75 or piece in "♔♚":
            centre = place % 8 * 80 + 40, place // 8 * 80 + 40
            draw.text(centre, piece, (20, 20, 20), font(62), anchor="mm")
    return page


def playing_card(_: Generator, own: Generator) -> Image.Image:
    """Another card of the same pack."""
    page = Image.new("RGB", (500, 700), (60, 110, 70))
    draw = ImageDraw.Draw(page)
    draw.rounded_rectangle((20, 20, 479, 679), 30, fill=_WHITE)
    suit = int(own.integers(4))
    sign, colour = "♠♥♦♣"[suit], (200, 20, 30) if suit in (1, 2) else (20, 20, 20)
    value = int(own.integers(1, 11))
    for x, y in ((65, 75), (435, 625)):
        draw.text((x, y), "A" if value == 1 else str(value), colour, font(56, bold=True), anchor="mm")
    rows = np.linspace(190, 510, max(1, -(-value // 2)))
    for place in range(value):
        centre = (180 if place % 2 == 0 else 320, float(rows[place // 2]))
        draw.text(centre, sign, colour, font(90), anchor="mm")
    return page


def clock(_: Generator, own: Generator) -> Image.Image:
    """The same clock at another time."""
    page = Image.new("RGB", (600, 600), (225, 220, 210))
    draw = ImageDraw.Draw(page)
    draw.ellipse((30, 30, 570, 570), fill=_WHITE, outline=(60, 45, 35), width=18)
    hour, minute = int(own.integers(12)), int(own.integers(60))
    for number in range(1, 13):
        angle = number * math.pi / 6
        place = (300 + 215 * math.sin(angle), 300 - 215 * math.cos(angle))
        draw.text(place, str(number), (30, 30, 30), font(44, bold=True), anchor="mm")
    for angle, length, width in (((hour + minute / 60) / 6, 120, 18), (minute / 30, 190, 10)):
        end = (300 + length * math.sin(angle * math.pi), 300 - length * math.cos(angle * math.pi))
        draw.line((300, 300, *end), fill=(30, 30, 30), width=width)
    return page


def flag(_: Generator, own: Generator) -> Image.Image:
    """Stripes in other colours, some with a star, a disc or a cross."""
    page = Image.new("RGB", (600, 400), _WHITE)
    draw = ImageDraw.Draw(page)
    colours = [(200, 30, 40), (20, 60, 150), (250, 210, 40), (20, 120, 60), (255, 255, 255), (20, 20, 20)]
    stripes = [colours[place] for place in own.permutation(len(colours))[:4].tolist()]
    down = own.random() < 0.5
    for place in range(3):
        box = (place * 200, 0, place * 200 + 199, 399) if down else (0, place * 134, 599, place * 134 + 133)
        draw.rectangle(box, fill=stripes[place])
    sign = int(own.integers(4))
    if sign == 0:
        draw.ellipse((240, 140, 360, 260), fill=stripes[3])
    elif sign == 1:
        draw.regular_polygon((300, 200, 80), 5, fill=stripes[3])
    elif sign == 2:
        draw.rectangle((160, 0, 220, 399), fill=stripes[3])
        draw.rectangle((0, 170, 599, 230), fill=stripes[3])
    return page


DRAWINGS = {
    "line chart": line_chart, "bar chart": bar_chart, "number plate": number_plate, "icon": icon, "sky": sky,
    "night sky": night_sky, "map": street_map, "chess": chess, "playing card": playing_card, "clock": clock,
    "flag": flag,
}  # fmt: skip
