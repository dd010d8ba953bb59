"""The programs whose decisions are measured, each run as its users run it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from _harness import ROOT

from imgsim_ops.model_files.cache import cache_folder

#: Imgsim's exit code when it has skipped files.
_SKIPPED = 3
HASHES = ("PHash", "DHash", "WHash", "AHash")


@dataclass(frozen=True)
class Member:
    """A picture of a group, by its file's name.

    Attributes:
        goes: Whether it is proposed for removal.
        relation: What it is said to be to the picture that is kept; empty where nothing is said.
    """

    name: str
    goes: bool
    relation: str = ""


@dataclass(frozen=True)
class Group:
    """Pictures that are said to belong together, and which of them is kept at any rate."""

    members: tuple[Member, ...]
    best: Member


class Finder(Protocol):
    """Whatever finds copies."""

    def groups(self, *folders: Path) -> tuple[list[Group], float]:
        """Those in each folder by itself, and the seconds that it took."""


def _as_groups(document: dict[str, Any]) -> list[Group]:
    """Where members have no field ``remove``, all but the best of their group go."""
    groups = []
    for group in document["groups"]:
        members = tuple(
            Member(
                Path(member["path"]).name, member.get("remove", place != group["best"]), member.get("relation") or ""
            )
            for place, member in enumerate(group["members"])
        )
        groups.append(Group(members, members[group["best"]]))
    return groups


class Imgsim:
    """Its command, with a cache in which nothing is but the model file.

    Args:
        program: An executable, or a folder with another version's ``imgsim_ops``; None takes this one.
        cache: An empty folder.
        options: Of ``dups`` and ``leak``.
    """

    def __init__(self, program: Path | None, cache: Path, options: Sequence[str]) -> None:
        self._options = ("--backbone", "efficientnet_lite0", *options)
        self._cache = cache
        self._environment = {**os.environ, "IMGSIM_CACHE": str(cache)}
        folder = ROOT if program is None else program.resolve()
        if folder.is_dir():
            self._command = [sys.executable, "-m", "imgsim_ops.cli"]
            self._environment["PYTHONPATH"] = str(folder)
        else:
            self._command = [str(folder)]
            self._environment.pop("PYTHONPATH", None)
        if cache_folder().is_dir():
            for entry in cache_folder().iterdir():
                if entry.name != "collections" and not entry.name.endswith(".lock"):
                    (cache / entry.name).symlink_to(entry)

    def groups(self, *folders: Path) -> tuple[list[Group], float]:
        """Those in each folder by itself, and the seconds that it took."""
        found, seconds = [], 0.0
        for folder in folders:
            document, taken = self._run("dups", folder)
            found, seconds = found + _as_groups(document), seconds + taken
        return found, seconds

    def leaks(self, train: Path, test: Path) -> tuple[dict[str, str], float]:
        """The names of the pictures that leak, with those of their sources, and the seconds that it took."""
        document, seconds = self._run("leak", train, test)
        leaks = document["leaks"]
        return {Path(leak["picture"]["path"]).name: Path(leak["source"]["path"]).name for leak in leaks}, seconds

    def _run(self, command: str, *folders: Path) -> tuple[dict[str, Any], float]:
        start = time.perf_counter()
        line = [*self._command, command, *(str(folder.resolve()) for folder in folders), "--json", *self._options]
        # From elsewhere: Python would take the imgsim_ops of the folder that it is started in.
        ran = subprocess.run(line, stdout=subprocess.PIPE, env=self._environment, cwd=self._cache)
        if ran.returncode not in (0, _SKIPPED):
            raise SystemExit(f"decisions: imgsim {command} must run (got exit code {ran.returncode})")
        return json.loads(ran.stdout), time.perf_counter() - start


class Imagededup:
    """One of its perceptual hashes, at the threshold that it has by itself; the picture with most pixels is kept."""

    def __init__(self, python: Path, method: str) -> None:
        self._command = [str(python), str(Path(__file__).with_name("_imagededup.py"))]
        self._method = method

    def groups(self, *folders: Path) -> tuple[list[Group], float]:
        """Those in each folder by itself, and the seconds that it took."""
        start = time.perf_counter()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        line = [*self._command, self._method, *map(str, folders)]
        ran = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
        if ran.returncode:
            raise SystemExit(f"decisions: imagededup's {self._method} must run (got exit code {ran.returncode})")
        return _as_groups(json.loads(ran.stdout)), time.perf_counter() - start


def python_with_imagededup(folder: Path, install: bool) -> Path | None:
    """This Python, or one in `folder` that takes all but imagededup and PyWavelets from this one.

    Args:
        folder: Where the other one is, or is made.
        install: Whether it may be made.

    Returns:
        None where there is none and it cannot be had.
    """
    if importlib.util.find_spec("imagededup"):
        return Path(sys.executable)
    python = folder / "bin" / "python"
    if not python.exists() and install:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        ours = sysconfig.get_paths()["purelib"]
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        (folder / "lib" / version / "site-packages" / "all-else.pth").write_text(f"{ours}\n")
        needed = ["imagededup", "PyWavelets"]
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", *needed], stderr=subprocess.DEVNULL)
    works = python.exists() and subprocess.run(
        [python, "-c", "import imagededup.methods"], cwd=folder, stderr=subprocess.DEVNULL
    )
    return python if works and works.returncode == 0 else None
