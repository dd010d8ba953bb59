"""The commands where little is as on a desktop: under cron, in a folder that is gone, on a disk that is full."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from functools import partial

import pytest

from tests.support.children import python

MODEL = ("--weights", "random:0")
COMMANDS = ("doctor", "compare", "embed", "index", "dups", "leak", "apply")
WITH_MODEL = COMMANDS[1:-1]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder for model files, which take seconds to make."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(photos, tmp_path, cache):
    """Runs one of the commands on two pictures and a copy; all that it writes goes to the folder ``out``."""
    out, decisions = tmp_path / "out", tmp_path / "decisions.json"
    out.mkdir()
    shutil.copy(photos / "a.png", photos / "copy.png")
    files = [{"path": str(photos / name), "sha256": "0" * 64} for name in ("a.png", "copy.png")]
    groups = [{"keep": files[:1], "remove": files[1:]}]
    decisions.write_text(json.dumps({"imgsim": "decisions", "version": 1, "groups": groups}))
    arguments = {
        "doctor": (),
        "compare": (photos / "a.png", photos / "b.jpg", *MODEL),
        "embed": (photos, "-o", out / "v.npz", *MODEL),
        "index": (photos, "-c", out / "photos.imgsim", *MODEL),
        "dups": (photos, "--html", out / "page.html", "--csv", out / "t.csv", *MODEL),
        "leak": (photos, photos, "--clean", out / "clean.txt", "--html", out / "page.html", *MODEL),
        "apply": (decisions, "--delete"),
    }

    def runs(command, environment=None, *, before=(), **options):
        # What runs this is not to be seen, but for where it lies.
        own = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        line = [*before, sys.executable, "-m", "imgsim_ops.cli", command, *map(str, arguments[command])]
        environment = {"IMGSIM_CACHE": str(cache), **own, **(environment or {})}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.run(line, env=environment, check=False, **pipes)

    runs.out = out
    return runs


def in_a_folder_that_is_gone(tmp_path):
    """What stands before a command so that its working folder does not exist."""
    gone = tmp_path / "gone"
    return "sh", "-c", f'mkdir "{gone}" && cd "{gone}" && rmdir "{gone}" && exec "$@"', "sh"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("strange", [False, True])
def test_who_says_little_is_served(run, tmp_path, command, strange):
    """Under cron there are no variables, no home and no terminal; ``strange`` is all else that may be amiss."""
    if strange:
        environment = {**ASCII, "TMPDIR": str(tmp_path / "missing"), "HOME": "/dev/null"}
        ran = run(command, environment, before=in_a_folder_that_is_gone(tmp_path), start_new_session=True)
    else:
        ran = run(command, start_new_session=True)
    # The decisions are of other bytes than the files have.
    assert ran.returncode == (3 if command == "apply" else 0), ran.stderr
    assert ran.stdout
    assert b"Traceback" not in ran.stderr
    if strange:
        ran.stdout.decode("ascii")


def one_line(ran):
    """What a command that fails says, all of it."""
    assert ran.returncode == 2, ran.stderr
    *others, line = ran.stderr.decode().splitlines()
    # "Preparing" and "Exporting", where the cache is empty.
    assert all(other.startswith("imgsim: ") and other.endswith(("once", "resnet18")) for other in others), others
    assert line.startswith("imgsim: ")
    return line


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_for_what_is_printed(run, command):
    with open("/dev/full", "wb") as full:
        line = one_line(run(command, stdout=full))
    assert line == "imgsim: stdout: what is printed must have a place (got No space left on device)"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
def test_a_full_disk_for_what_is_said(run):
    with open("/dev/full", "wb") as full:
        ran = run("compare", {"IMGSIM_CACHE": "/dev/null/none"}, stderr=full)
    assert ran.returncode == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_has_seen_enough(run, command):
    reader, writer = os.pipe()
    os.close(reader)
    ran = run(command, stdout=writer)
    os.close(writer)
    assert ran.returncode == 0, ran.stderr  # and not 1, which says something of leaks
    assert ran.stderr == b""


@pytest.mark.parametrize("command", WITH_MODEL)
@pytest.mark.parametrize("where", ["/proc", "/dev/null/below"])
def test_a_cache_that_cannot_be_written(run, command, where):
    """Nobody may make files in /proc, nor a folder below a file."""
    line = one_line(run(command, {"IMGSIM_CACHE": where}))
    assert line.startswith(f"imgsim: cache: must be writable (got {where}: ")
    assert line.endswith("); set IMGSIM_CACHE")


@pytest.mark.parametrize("command", ["embed", "index", "dups", "leak"])
def test_results_that_cannot_be_written(run, command):
    run.out.rmdir()
    run.out.touch()
    before = set(os.listdir(run.out.parent))
    assert str(run.out) in one_line(run(command))
    assert set(os.listdir(run.out.parent)) == before


@pytest.mark.parametrize("command", ["embed", "index"])
def test_a_disk_that_is_full_for_results(run, command):
    """A limit on the size of files stops writing midway, as a full disk does."""
    assert run(command).returncode == 0  # the model is in the cache
    shutil.rmtree(run.out)
    run.out.mkdir()
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (2000, 2000))
    assert str(run.out) in one_line(run(command, preexec_fn=limit))
    assert [name for name in os.listdir(run.out) if name.startswith(".")] == []  # nothing unfinished is left


@pytest.mark.parametrize("value", ["sse", "0", "-1", "1000000000"])
def test_an_instruction_set_that_is_none_is_one_line(value):
    child = python("from imgsim_ops.cli import main; main()", "doctor", IMGSIM_ISA=value)
    assert (child.returncode, child.stdout) == (2, "")
    assert re.fullmatch(rf"imgsim: IMGSIM_ISA: .+ \(got {value}\)\n", child.stderr), child.stderr
