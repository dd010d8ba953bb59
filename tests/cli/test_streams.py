"""Commands whose standard streams are closed, and those of users that have no name and no home."""

import os
import shutil
import subprocess
import sys
import tempfile

import pytest

CLOSED = ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"]
MODEL = ("--weights", "random:0")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder for model files, which take seconds to make."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def commands(photos, tmp_path):
    return {
        "doctor": (),
        "compare": (photos / "a.png", photos / "b.jpg", *MODEL),
        "index": (photos, "--collection", tmp_path / "photos.imgsim", *MODEL),
        "dups": (photos, "--html", tmp_path / "page.html", *MODEL),
        "leak": (photos, photos, *MODEL),
    }


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("command", ["doctor", "compare", "index", "dups", "leak"])
def test_closed_streams(cache, commands, command, closed):
    arguments = [sys.executable, "-m", "imgsim_ops.cli", command, *commands[command]]
    ran = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *map(str, arguments)],
        capture_output=True,
        check=False,
        env={**os.environ, "IMGSIM_CACHE": str(cache)},
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert b"Traceback" not in ran.stderr
    assert bool(ran.stdout) == (">&-" not in closed.split())


@pytest.mark.parametrize("closed", [">&-", "<&- >&-", ">&- 2>&-"])
@pytest.mark.parametrize("command", ["doctor", "stats", "compare", "embed", "index", "search", "dups", "leak"])
def test_a_document_for_a_closed_stream(cache, photos, commands, tmp_path, command, closed):
    """Who asks for a document must get it, or be told that there is no place for it."""
    commands |= {
        "stats": (photos,),
        "embed": (photos, "-o", tmp_path / "v.npz", *MODEL),
        "search": (photos / "a.png", "-c", tmp_path / "photos.imgsim"),
    }
    arguments = [sys.executable, "-m", "imgsim_ops.cli"]
    environment = {**os.environ, "IMGSIM_CACHE": str(cache)}
    if command == "search":
        made = [*arguments, "index", *map(str, commands["index"])]
        subprocess.run(made, check=True, env=environment, capture_output=True)
    ran = subprocess.run(
        ["sh", "-c", f'"$@" --json {closed}', "sh", *arguments, command, *map(str, commands[command])],
        capture_output=True,
        check=False,
        env=environment,
    )
    assert ran.returncode == 2, ran.stderr.decode()
    said = [line for line in ran.stderr.decode().splitlines() if "once" not in line and "xporting" not in line]
    expected = ["imgsim: stdout: what is printed must have a place (got a closed stream)"]
    assert said == ([] if "2>&-" in closed else expected)


def without_home(*command, cwd, **environment):
    """Runs a command as a user whom no file names, where this process may do that."""
    setpriv = shutil.which("setpriv")
    # What setpriv starts itself may be read with its rights still; what that starts, not.
    become = [setpriv, "--reuid", "54321", "--regid", "54321", "--clear-groups", "env"] if setpriv else []
    if not become or os.geteuid() != 0:
        pytest.skip("only the superuser can become another user, and needs setpriv for it")
    if subprocess.run([*become, sys.executable, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip("other users may not run this Python")
    return subprocess.run(
        [*become, sys.executable, "-B", "-m", "imgsim_ops.cli", *map(str, command)],
        capture_output=True,
        check=False,
        env=environment,
        cwd=cwd,
        text=True,
    )


@pytest.fixture
def reachable(photos):
    """A folder with the pictures, and an empty one, that everybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(photos, os.path.join(folder, "photos"))
        os.mkdir(os.path.join(folder, "cache"))
        for path, mode in ((".", 0o755), ("photos", 0o755), ("cache", 0o777)):
            os.chmod(os.path.join(folder, path), mode)
        yield folder


def test_a_user_without_a_home(reachable):
    ran = without_home("compare", "photos/a.png", "photos/b.jpg", *MODEL, cwd=reachable)
    assert ran.returncode == 2
    assert ran.stderr == "imgsim: cache: IMGSIM_CACHE must name a folder for a user without a home (got none)\n"
    ran = without_home("doctor", cwd=reachable)
    assert "IMGSIM_CACHE must name a folder" in ran.stdout
    assert "Traceback" not in ran.stderr


def test_who_has_a_cache_needs_none(reachable):
    ran = without_home("dups", "photos", *MODEL, cwd=reachable, IMGSIM_CACHE="cache")
    assert ran.returncode == 0, ran.stderr
    assert sorted(os.listdir(reachable)) == ["cache", "photos"]  # and no folder that is called ~
