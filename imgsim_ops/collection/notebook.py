"""Findings as HTML for notebooks: pictures in small with what is said of each."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from imgsim_ops.files.names import html_text
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.readers import IsolatedReaders
from imgsim_ops.images.thumbnails import MEDIA_TYPE

_SIDE = 160  # of the small pictures, in pixels
_MOST_PICTURES = 8  # of one row
# Somebody is waiting, and what is slow to decode can do without a picture.
_READ = ReadOptions(time_limit=10.0)

#: A file, and what is said under its picture, each on a line of its own.
Figure = tuple[str, Sequence[str]]


def as_figures(title: str, rows: Sequence[Sequence[Figure]]) -> str:
    """Rows of pictures as HTML without scripts; a file that cannot be read has its reason in place of a picture.

    Pictures are read in processes of their own, so that no file can end the notebook's.
    """
    shown = [row[:_MOST_PICTURES] for row in rows]
    paths = dict.fromkeys(path for row in shown for path, _ in row)
    processes = min(_READ.processes, max(1, len(paths)))
    with IsolatedReaders("imgsim_ops.images.thumbnails:thumbnail", _READ, {"side": _SIDE}, processes) as readers:
        small = dict(readers.in_order(paths, ahead=2 * _READ.processes))
    parts = [f"<p>{html_text(title)}</p>"] if title else []
    for row, whole in zip(shown, rows, strict=True):
        figures = "".join(_figure(lines, small[path]) for path, lines in row)
        more = f"<span>and {len(whole) - len(row):,} more</span>" if len(whole) > len(row) else ""
        parts.append(f'<div style="display:flex;flex-wrap:wrap;gap:12px;margin:0 0 16px">{figures}{more}</div>')
    return "".join(parts)


def _figure(lines: Sequence[str], small: bytes | SkippedFile) -> str:
    said = "<br>".join(map(html_text, lines))
    if isinstance(small, SkippedFile):
        picture = f"<em>{html_text(small.code)}</em>"
    else:
        source = f"data:{MEDIA_TYPE};base64,{base64.b64encode(small).decode('ascii')}"
        picture = f'<img src="{source}" alt="" style="max-width:{_SIDE}px">'
    caption = f'<figcaption style="font-size:smaller;overflow-wrap:anywhere">{said}</figcaption>'
    return f'<figure style="margin:0;width:{_SIDE}px">{picture}{caption}</figure>'
