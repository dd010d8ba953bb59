"""Commands whose standard streams are closed, and those of users that have no name and no home."""

import os
import shutil
import subprocess
import sys

import pytest

CLOSED = ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"]
MODEL = ("--weights", "random:0")


@pytest.fixture
def commands(photos, tmp_path):
    return {
        "doctor": (),
        "compare": (photos / "a.png", photos / "b.jpg", *MODEL),
        "index": (photos, "-o", tmp_path / "photos.imgsim", *MODEL),
        "dups": (photos, "--html", tmp_path / "page.html", *MODEL),
        "leak": (photos, photos, *MODEL),
    }


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("command", ["doctor", "compare", "index", "dups", "leak"])
def test_closed_streams(tmp_path, commands, command, closed):
    arguments = [sys.executable, "-m", "imgsim_ops.cli", command, *commands[command]]
    ran = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *map(str, arguments)],
        capture_output=True,
        check=False,
        env={**os.environ, "IMGSIM_CACHE": str(tmp_path / "cache")},
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert b"Traceback" not in ran.stderr
    assert bool(ran.stdout) == (">&-" not in closed.split() and command != "index")


def without_home(*command, cwd, **environment):
    """Runs a command as a user whom no file names, where this process may do that."""
    setpriv = shutil.which("setpriv")
    become = [setpriv, "--reuid", "54321", "--regid", "54321", "--clear-groups"] if setpriv else []
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
def reachable(photos, tmp_path):
    """The pictures, in folders that everybody may enter."""
    for folder in (photos, tmp_path, *tmp_path.parents[:2]):
        os.chmod(folder, 0o755)
    return photos


def test_a_user_without_a_home(reachable):
    ran = without_home("compare", reachable / "a.png", reachable / "b.jpg", *MODEL, cwd=reachable)
    assert ran.returncode == 2
    assert ran.stderr == "imgsim: cache: IMGSIM_CACHE must name a folder for a user without a home (got none)\n"
    ran = without_home("doctor", cwd=reachable)
    assert "IMGSIM_CACHE must name a folder" in ran.stdout
    assert "Traceback" not in ran.stderr


def test_who_has_a_cache_needs_none(reachable, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    os.chmod(cache, 0o777)
    ran = without_home("dups", reachable, *MODEL, cwd=reachable, IMGSIM_CACHE=str(cache))
    assert ran.returncode == 0, ran.stderr
    assert sorted(os.listdir(reachable)) == ["a.png", "b.jpg"]  # no folder that is called ~
