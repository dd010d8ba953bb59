"""Answers for other programs: CSV, JUnit's XML, and plain lists of files."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from imgsim_ops.collection.findings import Evidence, Group, Leak, Picture
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.files.writing import write_file

_COLUMNS = (
    "group", "path", "role", "best", "relation", "remove", "stage", "score", "distance", "inliers", "orientation",
    "width", "height", "format", "bytes", "sha256", "frames", "stays_for",
)  # fmt: skip
# What no XML document may hold, escaped or not.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_csv(path: str | os.PathLike[str], groups: Iterable[Group]) -> None:
    """Writes groups of copies as CSV (RFC 4180, UTF-8), a line for each picture.

    Names that are not UTF-8 stand in it with their own bytes.

    Raises:
        OSError: The folder or the disk refuses.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for number, group in enumerate(groups, 1):
        for place, member in enumerate(group.members):
            role = "kept" if member.evidence is None else "member"
            best = "yes" if place == group.best else ""
            decided = member.relation or "", "yes" if member.remove else ""
            stays_for = " ".join(member.stays_for)
            facts = *_why(member.evidence), *_facts(member.picture)
            writer.writerow([number, member.picture.path, role, best, *decided, *facts, stays_for])
    write_file(Path(path), text.getvalue().encode("utf-8", "surrogateescape"))


def _why(evidence: Evidence | None) -> Sequence[object]:
    if evidence is None:
        return [""] * 5
    values = evidence.stage, f"{evidence.score:.6f}", evidence.distance, evidence.inliers, evidence.orientation
    return ["" if value is None else value for value in values]


def _facts(picture: Picture) -> Sequence[object]:
    return picture.width, picture.height, picture.format, picture.size, picture.sha256.hex(), picture.frames or ""


def write_junit(path: str | os.PathLike[str], pictures: Iterable[Picture], leaks: Sequence[Leak]) -> None:
    """Writes a test set as JUnit's XML for programs that show the results of tests: each leak is a failure.

    Args:
        path: The file.
        pictures: The whole test set.
        leaks: Which of them are copies, and of what.

    Raises:
        OSError: The folder or the disk refuses.
    """
    by_path = {leak.picture.path: leak for leak in leaks}
    suite = ElementTree.Element("testsuite", name="imgsim leak", failures=str(len(by_path)), errors="0")
    for picture in pictures:
        folder, name = os.path.split(picture.path)
        case = ElementTree.SubElement(suite, "testcase", classname=_xml(folder), name=_xml(name))
        if picture.path in by_path:
            leak = by_path[picture.path]
            message = f"{leak.evidence.words}: {printable(leak.source.path)}"
            failure = ElementTree.SubElement(case, "failure", type=leak.relation, message=_xml(message))
            failure.text = _xml(f"{printable(picture.path)}\n{printable(leak.source.path)}")
    suite.set("tests", str(len(suite)))
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    write_file(Path(path), ElementTree.tostring(suites, "utf-8", xml_declaration=True) + b"\n")


def _xml(text: str) -> str:
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def check_lines(names: Iterable[str]) -> None:
    """Checks that a list with one name in each line would say what is meant.

    Args:
        names: Of files; consumed until the first one that breaks the rule.

    Raises:
        ImgsimError: A name holds a line break.
    """
    for name in names:
        if "\n" in name or "\r" in name:  # many programs end lines at either
            rule = "no name in it may hold a line break; --null, or a file that ends in .json, takes any"
            raise ImgsimError(f"list: {rule} (got {printable(name)})")


def write_paths(path: str | os.PathLike[str], pictures: Iterable[Picture], *, null: bool = False) -> None:
    """Writes a list of files, one in each line, with the bytes that their names have.

    Args:
        path: The file to write.
        pictures: What is listed.
        null: A NUL ends each name, as ``find -print0`` writes and ``xargs -0`` reads them, and no line break.

    Raises:
        ImgsimError: A name holds a line break, and `null` is not given.
        OSError: The folder or the disk refuses.
    """
    names = [picture.path for picture in pictures]
    if not null:
        check_lines(names)
    end = b"\0" if null else b"\n"
    write_file(Path(path), b"".join(os.fsencode(name) + end for name in names))
