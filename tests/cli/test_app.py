"""What all commands share: help, errors, exit codes, a quick start."""

import os
import subprocess
import sys

import pytest

import imgsim_ops
from imgsim_ops.evaluation.results import write_results
from tests.support.commands import HEAVY, packages_of
from tests.support.results_made import made_results

COMMANDS = ["index", "search", "info", "verify", "compact", "approximate"]
COMMANDS += ["compare", "embed", "stats", "zoo", "methods", "report", "apply", "undo", "demo", "doctor"]


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-W", "error", "-X", "importtime", "-m", "imgsim_ops.cli", *arguments],
        capture_output=True,
        check=False,
        **options,
    )


def imported(result):
    """The top-level packages that a process imported, by its -X importtime."""
    lines = [line for line in result.stderr.decode().splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["stats", "--help"], ["stats", "."], ["doctor"], ["doctor", "--json"]]
)
def test_torch_is_not_imported(photos, arguments):
    result = run(*arguments, cwd=photos)
    assert result.returncode == 0, result.stderr
    packages = imported(result)
    assert "imgsim_ops" in packages
    assert not packages & {"torch", "torchvision", "skimage", "scipy"}


def test_help_needs_neither_numpy_nor_pillow():
    assert not imported(run("--help")) & {"numpy", "PIL"}


@pytest.mark.parametrize("options", [[], ["--layers"], ["--json"], ["--backbone", "efficientnet_lite0"]])
def test_compare_is_free_of_torch_once_the_model_is_there(imgsim, photos, options):
    arguments = ["compare", photos / "a.png", photos / "b.jpg", "--weights", "random:0", *options]
    assert imgsim(*arguments).exit_code == 0
    packages = packages_of(*arguments)
    assert {"imgsim_ops", "onnxruntime", "numpy"} <= packages
    assert not packages & HEAVY


@pytest.mark.parametrize("ending", [".npz", ".parquet"])
def test_embed_is_free_of_torch_once_the_model_is_there(imgsim, photos, tmp_path, ending):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    arguments = ["embed", photos, "-o", tmp_path / f"x{ending}", "--weights", "random:0"]
    assert imgsim(*arguments).exit_code == 0
    packages = packages_of(*arguments)
    assert {"imgsim_ops", "onnxruntime", "numpy"} <= packages
    assert not packages & HEAVY
    assert ("pyarrow" in packages) == (ending == ".parquet")
    assert not packages_of(*arguments, "--dry-run") & (HEAVY | {"onnxruntime", "PIL", "pyarrow"})


def test_readers_import_no_more_than_decoding_needs(photos):
    # Their start is what the first picture waits for, and each of them holds what it has imported.
    for task in ("imgsim_ops.images.preprocess:load_pixels", "imgsim_ops.images.statistics:packed_moments"):
        code = f"""
import sys, importlib
module, _, function = {task!r}.partition(":")
import imgsim_ops.images.reader_process
getattr(importlib.import_module(module), function)
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        packages = set(result.stdout.split())
        assert {"imgsim_ops", "numpy", "PIL"} <= packages
        assert not packages & (HEAVY | {"onnxruntime", "rich", "typer", "pyarrow"})


def test_other_commands_are_free_of_torch(photos, tmp_path):
    assert not packages_of("stats", photos) & (HEAVY | {"onnxruntime"})
    write_results(made_results(), tmp_path)
    assert not packages_of("report", tmp_path, "-o", tmp_path / "a.html") & (HEAVY | {"onnxruntime", "numpy", "PIL"})
    assert not packages_of("doctor") & HEAVY


def test_apply_and_undo_need_neither_numpy_nor_pillow(tmp_path):
    (tmp_path / "d.json").write_text('{"imgsim": "decisions", "version": 1, "groups": []}')
    assert not packages_of("apply", tmp_path / "d.json", "--delete", "--yes") & (
        HEAVY | {"numpy", "PIL", "onnxruntime"}
    )


def test_importing_the_package_is_light():
    code = """
import sys
import imgsim_ops
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    packages = set(result.stdout.split())
    assert "imgsim_ops" in packages
    assert not packages & (HEAVY | {"numpy", "PIL", "onnxruntime", "rich", "typer", "platformdirs"})


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(imgsim, command):
    result = imgsim(command, "--help")
    assert result.exit_code == 0
    assert "Examples" in result.stdout
    assert f"imgsim {command}" in result.stdout
    assert "--json" in result.stdout
    assert command in imgsim("--help").stdout


def test_version(imgsim):
    assert imgsim("--version").stdout.strip() == imgsim_ops.__version__


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "nonsense"),
        (["stats"], "PATHS"),
        (["stats", "--nonsense", "."], "--nonsense"),
        (["stats", "--threads", "many", "."], "--threads"),
        (["stats", "--threads", "-1", "."], "--threads"),
        (["compare", "a.jpg"], "B"),
    ],
)
def test_mistakes_in_the_command_line(failure, arguments, words):
    assert words in failure(*arguments)


def test_no_command_shows_the_help(imgsim):
    result = imgsim()
    assert "Commands" in result.output
    assert "imgsim:" not in result.output


def test_missing_native_library(failure, monkeypatch, photos):
    monkeypatch.setitem(sys.modules, "imgsim_ops.images.statistics", None)
    assert "imgsim doctor" in failure("stats", photos)


def test_names_that_are_not_utf8(photos):
    name = b"\xff\xfe-\n.jpg"
    (photos / os.fsdecode(name)).write_bytes(b"words")
    for environment in (
        {"LC_ALL": "C.UTF-8"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    ):
        result = run("stats", name, ".", cwd=photos, env={**os.environ, **environment})
        assert result.returncode == 3, result.stderr
        assert rb"\xff\xfe-\n.jpg" in result.stdout
    result = run("compare", name, "a.png", cwd=photos)
    assert result.returncode == 2
    assert rb"(got \xff\xfe-\n.jpg)" in result.stderr.splitlines()[-1]


def test_a_closed_pipe_is_no_error(photos):
    code = f"{sys.executable} -W error -m imgsim_ops.cli stats . 2>&1 >&3 | cat"
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        ["bash", "-c", f"exec 3>&{writer}; {code}"], pass_fds=[writer], cwd=photos, capture_output=True
    )
    os.close(writer)
    assert result.stdout == b""
