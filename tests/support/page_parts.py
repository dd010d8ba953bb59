"""What a page is made of, and that it needs nothing else."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

from hypothesis import strategies as st

#: Names that files may have.
ODD_NAMES = st.text(
    st.one_of(
        st.sampled_from("<>&\"'`/=-! {}\\\u2028\u2029\u202e\u2066\n\r\t\udcff\udc80"),
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=40,
)
#: What would do harm if it were taken for more than text.
NASTY = ["", "</script><script>alert(1)</script>", "<!--<script>", "{{script}}{{data}}\n", '" onload="alert(1)']


class Elements(HTMLParser):
    """Every element of a page, as (tag, attributes, text up to the next tag, or to its own end)."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self._inside = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])
        self._inside = True

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.found[-1][2] += data

    def named(self, tag):
        return [(attributes, text) for name, attributes, text in self.found if name == tag]


def assert_closed(text):
    """Nothing is fetched, and of scripts and styles only the page's own are allowed, modules by a nonce."""
    elements = Elements(text)
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)
    for tag, attributes, _ in elements.found:
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
        assert attributes.get("src", "data:").startswith("data:"), (tag, attributes)
    (policy,) = [a["content"] for a, _ in elements.named("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    (style,) = elements.named("style")
    assert rules["style-src"] == _hash(style[1])
    scripts = [
        (a, text) for a, text in elements.named("script") if a.get("type") not in ("application/json", "text/plain")
    ]
    if len(scripts) == 1:
        assert scripts[0][0] == {}
        assert rules["script-src"] == _hash(scripts[0][1])
    else:
        (imports, addresses), (main, text) = scripts
        assert (imports.pop("type"), main.pop("type"), text) == ("importmap", "module", 'import "imgsim/main"')
        assert imports == main
        assert rules["script-src"] == f"'nonce-{main['nonce']}'"
        assert len(main["nonce"]) >= 22  # characters of six bits: nobody guesses it
        for address in json.loads(addresses)["imports"].values():
            assert address.startswith("data:text/javascript;base64,")


def _hash(content):
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
