"""A page's script as modules."""

import base64
import json
import re
from importlib.resources import files

from imgsim_ops.report.pages import modules, page_around
from tests.support.page_parts import Elements

FOLDER = files("imgsim_ops.report") / "page" / "groups"


def import_map():
    _, tail = page_around("groups", "A title", kind="groups")
    ((_, text),) = [found for found in Elements(tail.decode()).named("script") if found[0].get("type") == "importmap"]
    return json.loads(text)["imports"]


def test_the_import_map_has_the_very_files():
    files_there = {f"imgsim/{file.name[:-3]}": file.read_bytes() for file in FOLDER.iterdir()}
    assert modules("groups") == files_there
    carried = {name: base64.b64decode(address.partition(",")[2]) for name, address in import_map().items()}
    assert carried == files_there


def test_modules_import_only_what_there_is_and_not_in_circles():
    graph = {
        name: set(re.findall(r'^import .* from "(.*)";$', content.decode(), re.MULTILINE))
        for name, content in modules("groups").items()
    }
    assert set().union(*graph.values()) == graph.keys() - {"imgsim/main"}
    while graph:
        done = {name for name, others in graph.items() if not others & graph.keys()}
        assert done, f"a circle among {sorted(graph)}"
        graph = {name: others for name, others in graph.items() if name not in done}


def test_each_page_has_a_nonce_of_its_own():
    found = {re.findall(rb"'nonce-(.*?)'", page_around("groups", "", kind="groups")[0])[0] for _ in range(3)}
    assert len(found) == 3
