"""Pages that are one file each and need neither the network nor another file.

A page is ``page/base.html`` with ``NAME.html`` in it, the style of ``base.css`` and ``NAME.css``, and a script: the
file ``NAME.js``, or the modules of the folder ``NAME``, of which ``main.js`` is the one that begins. Modules import
each other as ``imgsim/words`` and the like, by an import map, so that a server can hand out the very same files.

A Content-Security-Policy allows the page its own script and style and embedded pictures; nothing else, so that a
mistake in escaping could still not run a script or reach the network. They are allowed by their hashes, but for
modules: those have addresses, which not all browsers hold against a hash, and to allow ``data:`` would allow what
others wrote too. Modules come with a nonce, a word that is new in each page, so that no name of a file can know it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from importlib.resources import files

from imgsim_ops.files.names import html_text

_FOLDER = files("imgsim_ops.report") / "page"


def page_around(name: str, title: str, **parts: str) -> tuple[bytes, bytes]:
    """What stands in a page before its data and after it, in UTF-8.

    Args:
        name: Which page: ``groups`` or ``results``.
        title: What it is called.
        parts: What takes the place of further ``{{part}}`` of its template: plain text.
    """
    style = _read("base.css") + "\n" + _read(f"{name}.css")
    scripts, allowed = _modules(name) if (_FOLDER / name).is_dir() else _script(_read(f"{name}.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src {_source(style)}; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )
    filled = {key: html_text(value) for key, value in {"title": title, **parts}.items()}
    filled |= {"policy": policy, "style": style, "scripts": scripts}
    head, _, tail = _read("base.html").replace("{{body}}\n", _read(f"{name}.html")).partition("{{data}}\n")
    return _filled(head, filled), _filled(tail, filled)


def modules(name: str) -> dict[str, bytes]:
    """The modules of a page's script, by the names that they import each other by."""
    found = sorted((_FOLDER / name).iterdir(), key=lambda file: file.name)
    return {f"imgsim/{file.name.removesuffix('.js')}": file.read_bytes() for file in found if file.name.endswith(".js")}


def _read(file: str) -> str:
    return (_FOLDER / file).read_text("utf-8")


def _script(script: str) -> tuple[str, str]:
    """A script's element, and how the policy allows it."""
    return f"<script>{script}</script>", _source(script)


def _modules(name: str) -> tuple[str, str]:
    addresses = {
        module: f"data:text/javascript;base64,{base64.b64encode(content).decode('ascii')}"
        for module, content in modules(name).items()
    }
    nonce = secrets.token_urlsafe(18)
    elements = (
        f'<script type="importmap" nonce="{nonce}">{json.dumps({"imports": addresses})}</script>\n'
        f'<script type="module" nonce="{nonce}">import "imgsim/main"</script>'
    )
    return elements, f"'nonce-{nonce}'"


def _filled(template: str, parts: Mapping[str, str]) -> bytes:
    # In one pass, so that nothing is looked for in what was put in.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template).encode("utf-8")


def _source(content: str) -> str:
    """How a Content-Security-Policy names the one script or style that it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode('utf-8')).digest()).decode('ascii')}'"
