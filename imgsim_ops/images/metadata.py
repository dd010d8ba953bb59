"""What people and cameras wrote into a picture, of what can be carried over to another one: as XMP says it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin

from imgsim_ops.errors import ImageError
from imgsim_ops.files.opening import open_regular
from imgsim_ops.images import xmp
from imgsim_ops.images.formats import format_of
from imgsim_ops.images.pillow import BROKEN, opened, quiet_pillow

if TYPE_CHECKING:
    from collections.abc import Mapping

#: By topic, the properties that are carried over; who has the first of a topic has the topic.
CARRIED = {
    "rating": ("xmp:Rating",),
    "keywords": ("dc:subject",),
    "date": ("exif:DateTimeOriginal", "photoshop:DateCreated"),
    "place": ("exif:GPSLatitude", "exif:GPSLongitude", "exif:GPSAltitude", "exif:GPSAltitudeRef"),
}
# Tags of Windows, which Pillow's list has under other names or not at all; the date's zone.
_RATING, _KEYWORDS, _OFFSET = 0x4746, 0x9C9E, 0x9011
_XMP_IN_TIFF = 700
_DATE = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d) (\d\d:\d\d:\d\d)")
_ZONE = re.compile(r"[+-]\d\d:\d\d")


def embedded(path: str | os.PathLike[str]) -> dict[str, xmp.Value]:
    """What a picture says of itself, by EXIF and by XMP, of the properties in `CARRIED`; where both do, by XMP.

    Args:
        path: A picture.

    Returns:
        Values by ``{namespace}name``. Of what cannot be read: nothing.
    """
    try:
        with open_regular(path) as file:
            kind = format_of(file, path)
            if kind is None:
                return {}
            with quiet_pillow, opened(file, kind) as image:
                said = _of_exif(image)
                packet = _packet(image)
        return said | carried(xmp.properties(packet) if packet else {})
    except (ImageError, *BROKEN):
        return {}


def carried(said: Mapping[str, xmp.Value]) -> dict[str, xmp.Value]:
    """What of properties can be carried over, keywords as a set."""
    found: dict[str, xmp.Value] = {}
    for name in (xmp.tag(name) for names in CARRIED.values() for name in names):
        value = said.get(name, "")
        if name == xmp.tag("dc:subject"):
            words = [value] if isinstance(value, str) else value
            found[name] = frozenset(word for word in words if word and isinstance(word, str))
        elif isinstance(value, str):
            found[name] = value
    return {name: value for name, value in found.items() if xmp.is_said(name, value)}


def missing(own: Mapping[str, xmp.Value], other: Mapping[str, xmp.Value]) -> dict[str, xmp.Value]:
    """What the one says, and the other says nothing about: of keywords, those that it lacks."""
    found: dict[str, xmp.Value] = {}
    for names in CARRIED.values():
        tags = [xmp.tag(name) for name in names]
        if tags[0] == xmp.tag("dc:subject"):
            lacked = frozenset(own.get(tags[0], ())) - frozenset(other.get(tags[0], ()))
            if lacked:
                found[tags[0]] = lacked
        elif not any(name in other for name in tags):
            found |= {name: own[name] for name in tags if name in own}
    return found


def _packet(image: Image.Image) -> bytes | None:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        packet = image.tag_v2.get(_XMP_IN_TIFF)
    else:
        packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(packet, str):
        packet = packet.encode()
    return packet.rstrip(b"\0") if isinstance(packet, bytes) else None


def _of_exif(image: Image.Image) -> dict[str, xmp.Value]:
    if isinstance(image, PngImagePlugin.PngImageFile) and "exif" not in image.info:
        return {}  # Pillow would decode all pixels to see whether it comes behind them
    exif = image.getexif()
    found: dict[str, xmp.Value] = {}
    rating = exif.get(_RATING)
    if isinstance(rating, int) and 1 <= rating <= 5:
        found[xmp.tag("xmp:Rating")] = str(rating)
    words = exif.get(_KEYWORDS)
    if isinstance(words, bytes):
        text = "".join(filter(str.isprintable, words.decode("utf-16-le", "ignore")))
        split = map(str.strip, text.split(";"))
        found[xmp.tag("dc:subject")] = frozenset(filter(None, split))
    shot = exif.get_ifd(ExifTags.IFD.Exif)
    if (date := _date(shot.get(ExifTags.Base.DateTimeOriginal), shot.get(_OFFSET))) is not None:
        found[xmp.tag("exif:DateTimeOriginal")] = date
    return carried(found) | _place(exif.get_ifd(ExifTags.IFD.GPSInfo))


def _date(date: object, zone: object) -> str | None:
    match = _DATE.match(date) if isinstance(date, str) else None
    if match is None or match[1] == "0000":
        return None
    known = _ZONE.match(zone) if isinstance(zone, str) else None
    return f"{match[1]}-{match[2]}-{match[3]}T{match[4]}{known[0] if known else ''}"


def _place(gps: Mapping[int, object]) -> dict[str, xmp.Value]:
    """Degrees and minutes, as XMP has them (ISO 16684-1, GPSCoordinate: ``DDD,MM.mmk``)."""
    tags = ExifTags.GPS
    latitude = _coordinate(gps.get(tags.GPSLatitude), gps.get(tags.GPSLatitudeRef), "NS", 90)
    longitude = _coordinate(gps.get(tags.GPSLongitude), gps.get(tags.GPSLongitudeRef), "EW", 180)
    if latitude is None or longitude is None:
        return {}
    return {xmp.tag("exif:GPSLatitude"): latitude, xmp.tag("exif:GPSLongitude"): longitude}


def _coordinate(value: object, side: object, sides: str, most: int) -> str | None:
    if not (isinstance(value, tuple) and len(value) == 3 and isinstance(side, str) and side[:1] in tuple(sides)):
        return None
    degrees, minutes, seconds = map(float, value)
    whole = degrees + minutes / 60 + seconds / 3600
    if not 0 <= whole <= most:  # nor any number that is none
        return None
    full, rest = divmod(round(whole * 60, 6), 60)
    return f"{int(full)},{rest:.6f}{side[:1]}"
