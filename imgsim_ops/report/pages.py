"""Pages that are one file each and need neither the network nor another file.

A page is ``page/base.html`` with ``NAME.html`` in it, the style of ``base.css`` and ``NAME.css``, and the script
``NAME.js``. A Content-Security-Policy allows the page its own script and style, by their hashes, and embedded pictures;
nothing else, so that a mistake in escaping could still not run a script or reach the network.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files

from imgsim_ops.files.names import html_text


def page_around(name: str, title: str, **parts: str) -> tuple[bytes, bytes]:
    """What stands in a page before its data and after it, in UTF-8.

    Args:
        name: Which page: ``groups`` or ``results``.
        title: What it is called.
        parts: What takes the place of further ``{{part}}`` of its template: plain text.
    """
    folder = files("imgsim_ops.report") / "page"

    def read(file: str) -> str:
        return (folder / file).read_text("utf-8")

    style, script = read("base.css") + "\n" + read(f"{name}.css"), read(f"{name}.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    filled = {key: html_text(value) for key, value in {"title": title, **parts}.items()}
    filled |= {"policy": policy, "style": style, "script": script}
    head, _, tail = read("base.html").replace("{{body}}\n", read(f"{name}.html")).partition("{{data}}\n")
    return _filled(head, filled), _filled(tail, filled)


def _filled(template: str, parts: Mapping[str, str]) -> bytes:
    # In one pass, so that nothing is looked for in what was put in.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template).encode("utf-8")


def _source(content: str) -> str:
    """How a Content-Security-Policy names the one script or style that it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode('utf-8')).digest()).decode('ascii')}'"
