"""The plan of the house: data never turns back.

No package imports one to its right, and no files import each other in a circle. Lazy imports and those for type
checking count; the face, ``imgsim_ops/__init__.py``, hands names on and does not.
"""

import ast
import re
from pathlib import Path

import pytest

import imgsim_ops

PACKAGE = Path(imgsim_ops.__file__).parent
#: From left to right.
ORDER = """
    errors ahead libraries kernels torch_ops ops files images recipes models engines quality export model_files matching
    embedding collection cleanup report evaluation demo doctor cli
""".split()  # noqa: SIM905  (a line a room would hide the order)
# Tasks that are handed to other processes by name: "imgsim_ops.images.preprocess:load_pixels".
TASK = re.compile(r"(imgsim_ops(?:\.\w+)+):\w+")


def module_files(folder=PACKAGE):
    """Every module of the package by its dotted name."""
    files = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


def imported_by(source, modules):
    """The modules of the package that some source names, in imports anywhere in it and in tasks."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "imports say from where"
            for name in node.names:
                below = f"{node.module}.{name.name}"
                found.add(below if below in modules else node.module)
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and (task := TASK.fullmatch(node.value)):
            found.add(task[1])
    return found & modules.keys()


def arrows(modules):
    """Which modules each module imports, but for the face."""
    face = PACKAGE.name
    return {
        name: imported_by(path.read_text("utf-8"), modules) - {name, face}
        for name, path in modules.items()
        if name != face
    }


def circle(graph):
    """The names along one circle of a graph; empty where it has none."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        for other in sorted(graph.get(name, ())):
            if found := visit(other):
                return found
        done.add(path.pop())
        return []

    return next((found for name in sorted(graph) if (found := visit(name))), [])


def room(module):
    """The package, or the file beside the packages, that a module is in."""
    return module.split(".")[1]


def turning_back(graph):
    """The arrows that run from a room to one right of it."""
    place = {name: number for number, name in enumerate(ORDER)}
    return sorted(
        f"{name} -> {other}"
        for name, others in graph.items()
        for other in others
        if place[room(other)] > place[room(name)]
    )


def test_every_room_has_its_place():
    assert {room(name) for name in module_files() if name != PACKAGE.name} == set(ORDER)


def test_data_never_turns_back():
    assert turning_back(arrows(module_files())) == []


def test_no_circle_of_files():
    found = circle(arrows(module_files()))
    assert not found, " -> ".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "from imgsim_ops.cli.app import app",
        "import imgsim_ops.cli.app",
        "def lazy():\n    from imgsim_ops.cli import app",
        "if TYPE_CHECKING:\n    from imgsim_ops.cli import app",
        "TASK = 'imgsim_ops.cli.app:app'",
    ],
)
def test_an_arrow_that_turns_back_is_named(source):
    modules = module_files()
    graph = {"imgsim_ops.images.decode": imported_by(source, modules)}
    assert "imgsim_ops.images.decode -> imgsim_ops.cli.app" in turning_back(graph)


def test_a_circle_is_named():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []
