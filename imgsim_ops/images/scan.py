"""Which files are meant by the paths, folders and globs that a user gives."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from imgsim_ops.errors import ImageError
from imgsim_ops.files.names import printable
from imgsim_ops.files.opening import open_regular
from imgsim_ops.files.reasons import Aside, Reason, SkippedFile
from imgsim_ops.images.formats import ASIDE, claimed_format, format_of, is_surely_meant


def scan(paths: Iterable[str | os.PathLike[str]], exclude: Iterable[str] = ()) -> Iterator[Path]:
    """Yields the files that a user means, in an order that depends on names only.

    A file is yielded as it is given, whatever it is. A folder is searched with all folders in it, names
    sorted by code point, its files before the folders in it; hidden names (with a leading dot) are passed
    over. In a folder a file counts when its name claims a picture or its content is one, so that notes
    and sidecar files are not in the way; links that lead nowhere count too. Films, drawings in SVG and
    PDF do not count unless they are given themselves. A path that does not exist
    and holds ``*``, ``?`` or ``[`` is a glob (``**`` for any depth). Every folder is entered once,
    however many links lead to it, and a file that several of the paths mean is yielded once.

    Args:
        paths: Files, folders and globs.
        exclude: Patterns (``fnmatch``) of what is left out. One without a slash is compared with the names of files and
            of the folders that are searched; one with a slash with whole paths, where ``*`` stands for slashes too.

    Yields:
        Paths of files. They may turn out not to be pictures: `decode` says why.

    Raises:
        ImageError: with the code ``missing`` when a path or a glob means nothing, before anything is
            yielded; with ``unreadable`` when a folder that was named cannot be listed.
    """
    return map(Path, scan_names(paths, exclude))


def scan_names(
    paths: Iterable[str | os.PathLike[str]], exclude: Iterable[str] = (), aside: list[SkippedFile] | None = None
) -> Iterator[str]:
    """`scan` with names as text: to make a hundred thousand of them a ``Path`` takes a second.

    Args:
        paths: As in `scan`.
        exclude: As in `scan`.
        aside: Takes the films and drawings in folders that do not count, see `Aside`.

    Yields:
        Paths of files.

    Raises:
        ImageError: As `scan`.
    """
    roots = [root for path in paths for root in _named(path)]
    seen: set[str] | None = set() if len(roots) > 1 else None
    entered: set[tuple[int, int]] = set()
    left_out = excluder(exclude)
    for root in roots:
        if left_out(root):
            continue
        for file in _search(root, entered, left_out, aside) if os.path.isdir(root) else (root,):
            if seen is not None:
                if file in seen:
                    continue
                seen.add(file)
            yield file


def _named(path: str | os.PathLike[str]) -> list[str]:
    given = os.fspath(path)
    text = str(Path(given)) if given else given  # "./a//b/" is "a/b", but nothing is not the current folder
    try:
        os.lstat(text)
        return [text]
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL character in the name
        found = sorted(glob.glob(text, recursive=True)) if glob.has_magic(text) and "\0" not in text else []
    except OSError:
        return [text]  # it may be there, and `decode` says what is wrong with it
    if not found:
        rule = "a glob must match something" if glob.has_magic(text) else "a path must exist"
        raise ImageError(Reason.MISSING.code, f"scan: {rule} (got {printable(given) or repr(given)})")
    return found


def excluder(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path is left out by patterns, as `scan` asks of each file and folder that it comes by."""
    names: list[re.Pattern[str]] = []
    paths: list[re.Pattern[str]] = []
    for pattern in patterns:
        tidy = str(Path(pattern))  # as the paths are: "./a//b/" is "a/b"
        (paths if "/" in tidy else names).append(re.compile(fnmatch.translate(tidy)))
    if not names and not paths:
        return lambda path: False

    def left_out(path: str) -> bool:
        name = os.path.basename(path)
        named = name not in (".", "..")  # which are no hidden folders
        return any(named and p.match(name) for p in names) or any(p.match(path) for p in paths)

    return left_out


def _search(
    root: str, entered: set[tuple[int, int]], left_out: Callable[[str], bool], aside: list[SkippedFile] | None
) -> Iterator[str]:
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                visible = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            if folder == root:
                got = f"{printable(folder)}: {error.strerror}"
                raise ImageError(Reason.UNREADABLE.code, f"scan: a folder must be readable (got {got})") from error
            yield folder  # `decode` gives it its reason, so that nothing is left out without a word
            continue
        inner = []
        for entry in visible:
            if left_out(entry.path):
                continue
            if _is_folder(entry):
                inner.append(entry.path)
            elif (kind := _kind(entry.path)) in ASIDE:
                if aside is not None:
                    reason = Aside[kind.upper()]
                    aside.append(SkippedFile(entry.path, reason.code, reason.message("scan", entry.path)))
            elif kind is not None:
                yield entry.path
        pending.extend(reversed(inner))


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in a circle
        return False


def _kind(path: str) -> str | None:
    """What a file of a folder is or claims to be; None for what is in the folder for other reasons."""
    claimed = claimed_format(path) if is_surely_meant(path) else None
    if claimed is not None and claimed not in ASIDE:
        return claimed
    try:
        with open_regular(path) as file:
            return format_of(file, path)
    except (ImageError, OSError) as error:
        # Behind a broken link, a lock or a failing disk may be anything: `decode` will meet the same and report it.
        matters = not isinstance(error, ImageError) or error.code in (Reason.BROKEN_LINK.code, Reason.UNREADABLE.code)
        return claimed or ("unknown" if matters else None)


def survey(files: Iterable[str | os.PathLike[str]]) -> tuple[Counter[str], int]:
    """What some files are, by a look at their first bytes.

    Args:
        files: What `scan` yields.

    Returns:
        How many there are of each format (as ``formats.format_of`` names it) and of each reason why a file is none, and
        the bytes of all that can be opened.
    """
    kinds: Counter[str] = Counter()
    size = 0
    for path in files:
        try:
            with open_regular(path) as file:
                kinds[format_of(file, path) or Reason.NOT_A_PICTURE.code] += 1
                size += os.fstat(file.fileno()).st_size
        except ImageError as error:
            kinds[error.code] += 1
        except OSError:  # the disk fails while reading
            kinds[Reason.UNREADABLE.code] += 1
    return kinds, size
