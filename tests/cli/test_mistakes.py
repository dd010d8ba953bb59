"""Numbers that make no sense, given to every option that takes one: a line, exit code 2, and nothing begun."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from PIL import Image

from imgsim_ops.cli.app import app

ROOT = Path(__file__).parents[2]


def commands(group=None, path=()):
    """Every command with its path."""
    group = group or typer.main.get_command(app)
    inner = getattr(group, "commands", {})
    for name, command in inner.items():
        yield from commands(command, (*path, name))
    if path:
        yield path, group


def numeric():
    """Every option that takes a number: the command's path, the arguments it must have, the option, and its type."""
    for path, command in commands():
        arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
        for parameter in command.params:
            kind = parameter.type_descriptor.annotation
            if kind in (int, float) and parameter.param_type_name == "option":
                yield path, len(arguments), parameter.opts[0], kind


OPTIONS = list(numeric())


@pytest.fixture
def refused(tmp_path, capfd, monkeypatch):
    """Runs a command line that must be refused; what it says."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("a.png")

    def run(path, arguments, option, value):
        line = [*path, *["a.png"] * arguments, f"{option}={value}"]
        with pytest.raises(SystemExit) as ended:
            app(line, prog_name="imgsim")
        out, error = capfd.readouterr()
        assert (ended.value.code, out) == (2, "")
        assert error.startswith("imgsim: ")
        assert error.count("\n") == 1
        assert sorted(os.listdir()) == ["a.png"]
        return error

    return run


def test_there_are_such_options():
    assert len(OPTIONS) > 30
    assert {kind for *_, kind in OPTIONS} == {int, float}


@pytest.mark.parametrize("value", ["", "word", "0x10", "1e", "--"])
@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: f"{' '.join(option[0])} {option[2]}")
def test_what_is_no_number(refused, option, value):
    path, arguments, name, _ = option
    assert name in refused(path, arguments, name, value)


@pytest.mark.parametrize("value", ["1.5", "nan", "inf", "1e9"])
@pytest.mark.parametrize(
    "option", [o for o in OPTIONS if o[3] is int], ids=lambda option: f"{' '.join(option[0])} {option[2]}"
)
def test_what_is_no_whole_number(refused, option, value):
    path, arguments, name, _ = option
    assert name in refused(path, arguments, name, value)


@pytest.mark.parametrize("value", [-1, 1025, 10**9, 10**30])
@pytest.mark.parametrize("option", [o for o in OPTIONS if o[2] == "--threads"], ids=lambda option: " ".join(option[0]))
def test_more_threads_than_any_machine_has(refused, option, value):
    """Each would be a process: a billion of them was a machine that no longer answered."""
    path, arguments, name, _ = option
    assert str(value) in refused(path, arguments, name, value)


def test_help_is_the_same_without_docstrings():
    """`python -OO` takes them out of the code."""
    for path in [(), *(path for path, _ in commands())]:
        shown = {
            subprocess.run(
                [sys.executable, *flags, "-c", "from imgsim_ops.cli import main; main()", *path, "--help"],
                capture_output=True, text=True, check=True, cwd=ROOT,
            ).stdout
            for flags in ((), ("-OO",))
        }  # fmt: skip
        assert len(shown) == 1, path
