"""Files of decisions: which pictures of each group are kept, and which go."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.files.pages import split_page
from imgsim_ops.files.writing import write_file

if TYPE_CHECKING:
    from imgsim_ops.collection.findings import Group

VERSION = 1


@dataclass(frozen=True)
class DecidedFile:
    """A picture that was decided about.

    Attributes:
        path: Absolute; bytes that are not UTF-8 as surrogate escapes.
        sha256: Of the bytes that were looked at, 64 lower-case hexadecimal digits.
        own: It goes by a person's own choice, which was not proposed.
    """

    path: str
    sha256: str
    own: bool = False


@dataclass(frozen=True)
class DecidedGroup:
    """A group of copies.

    Attributes:
        keep: At least one picture.
        remove: Each path once.
    """

    keep: tuple[DecidedFile, ...]
    remove: tuple[DecidedFile, ...]


@dataclass(frozen=True)
class Decisions:
    """What a file of decisions says.

    Attributes:
        groups: No path is both kept and removed, in whatever groups.
        sha256: Of the file itself, by which a journal knows it again.
    """

    groups: tuple[DecidedGroup, ...]
    sha256: str


def proposed(groups: Iterable[Group]) -> list[DecidedGroup]:
    """What is proposed for groups: of those of which something may go, what goes, and what stays in its place."""
    decided = []
    for group in groups:
        files = [DecidedFile(member.picture.path, member.picture.sha256.hex()) for member in group.members]
        gone = [place for place, member in enumerate(group.members) if member.remove]
        if gone:
            kept = sorted({group.best, *(group.members[place].kept for place in gone)})
            kept = [place for place in kept if group.members[place].picture.page is None]
            decided.append(DecidedGroup(tuple(files[i] for i in kept), tuple(files[i] for i in gone)))
    return decided


def read_decisions(path: str | os.PathLike[str]) -> Decisions:
    """Reads a file of decisions.

    Raises:
        ImgsimError: It is none, or breaks a rule.
        OSError: It cannot be read.
    """
    return parse_decisions(Path(path).read_bytes(), os.fspath(path))


def parse_decisions(content: bytes, name: str) -> Decisions:
    """Checks what a file of decisions says.

    Keys that are not known are passed over. A path that a group removes twice counts once.

    Args:
        content: The file's bytes: UTF-8 JSON ``{"imgsim": "decisions", "version": 1, "groups": [{"keep": [{"path": ...,
            "sha256": ...}], "remove": [...]}]}``.
        name: What errors call the file.

    Raises:
        ImgsimError: A rule is broken: the message names it, and the value.
    """
    try:
        document = json.loads(content.decode(), object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise _error("the file must be JSON", f"{printable(name)}: {printable(str(error))}") from error
    if not isinstance(document, dict) or document.get("imgsim") != "decisions":
        raise _error('the file must say "imgsim": "decisions"', printable(name))
    version = document.get("version")
    if type(version) is not int or version != VERSION:
        raise _error(f"the version must be {VERSION}", _shown(version))
    groups = document.get("groups")
    if not isinstance(groups, list):
        raise _error("groups must be a list", _shown(groups))
    found = tuple(_group(group, number) for number, group in enumerate(groups, 1))
    _check_across(found)
    return Decisions(found, hashlib.sha256(content).hexdigest())


def decisions_as_json(groups: Sequence[DecidedGroup]) -> dict[str, Any]:
    """The document that `parse_decisions` reads."""

    def files(some: Sequence[DecidedFile]) -> list[dict[str, Any]]:
        return [{"path": f.path, "sha256": f.sha256, **({"own": True} if f.own else {})} for f in some]

    listed = [{"keep": files(group.keep), "remove": files(group.remove)} for group in groups]
    return {"imgsim": "decisions", "version": VERSION, "groups": listed}


def write_decisions(path: str | os.PathLike[str], groups: Sequence[DecidedGroup]) -> None:
    """Writes a file of decisions, whole or not at all.

    Raises:
        ImgsimError: The groups break a rule.
        OSError: The folder or the disk refuses.
    """
    content = (json.dumps(decisions_as_json(groups), indent=1) + "\n").encode()
    parse_decisions(content, os.fspath(path))
    write_file(Path(path), content)


def _error(rule: str, got: str) -> ImgsimError:
    return ImgsimError(f"decisions: {rule} (got {got})")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:80] + "..."


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"a key twice: {next(name for name in names if names.count(name) > 1)}")
    return found


def _group(group: Any, number: int) -> DecidedGroup:
    if not isinstance(group, dict):
        raise _error(f"group {number} must be an object", _shown(group))
    lists = []
    for side in ("keep", "remove"):
        files = group.get(side)
        if not isinstance(files, list):
            raise _error(f"{side} of group {number} must be a list", _shown(files))
        by_path: dict[str, DecidedFile] = {}
        for file in files:
            file = _file(file, number)
            if by_path.setdefault(_place(file.path), file).sha256 != file.sha256:
                raise _error("a path must have one sha256", printable(file.path))
        lists.append(tuple(by_path.values()))
    keep, remove = lists
    if not keep:
        raise _error("a group must keep a picture", f"none in group {number}")
    return DecidedGroup(keep, remove)


def _file(file: Any, number: int) -> DecidedFile:
    if not isinstance(file, dict):
        raise _error(f"a picture of group {number} must be an object", _shown(file))
    path, sha256 = file.get("path"), file.get("sha256")
    if not isinstance(path, str) or not os.path.isabs(path):
        raise _error("a path must be absolute", _shown(path))
    try:
        named = "\0" not in path and os.fsencode(path)
    except UnicodeEncodeError:  # half of a surrogate pair that stands for no byte
        named = False
    if not named or os.path.basename(path) in ("", ".", ".."):
        raise _error("a path must be one that a file can have", _shown(path))
    if split_page(path)[1] is not None:
        raise _error("a picture must be a file, which loses no page", printable(path))
    if not isinstance(sha256, str) or not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise _error("a sha256 must have 64 hexadecimal digits", _shown(sha256))
    own = file.get("own", False)
    if not isinstance(own, bool):
        raise _error("own must be true or false", _shown(own))
    return DecidedFile(path, sha256.lower(), own)


def _place(path: str) -> str:
    """One spelling of a path for all that differ in ``//``, ``.`` and ``..`` only."""
    return os.path.normcase(os.path.normpath("/" + path.lstrip("/") if os.name == "posix" else path))


def _check_across(groups: Sequence[DecidedGroup]) -> None:
    kept = {_place(file.path) for group in groups for file in group.keep}
    removed: set[str] = set()
    for group in groups:
        for file in group.remove:
            place = _place(file.path)
            if place in kept:
                raise _error("a picture must not be both kept and removed", printable(file.path))
            if place in removed:
                raise _error("a picture must be removed in one group only", printable(file.path))
            removed.add(place)
