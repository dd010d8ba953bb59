"""Results of comparisons as JSON, Markdown, CSV and SVG files: written, read, and found in folders."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.results import Results, plot_file
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import Reason, SkippedFile
from imgsim_ops.files.writing import write_file

#: Codes of `find_results`'s skipped files beside those of a `Reason`, with their sentences.
SENTENCES = {"no_results": "what says that it holds results must hold them whole, in a version that is known here"}


def write_results(results: Results, folder: str | os.PathLike[str]) -> list[Path]:
    """Writes ``KIND.json``, ``KIND.md``, ``KIND.csv`` and a ``KIND-NAME.svg`` for each plot.

    Args:
        results: What is written.
        folder: Where; made if it is missing. Files of these names are replaced.

    Returns:
        The files.

    Raises:
        OSError: The folder or the disk refuses.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"{results.kind}.json": json.dumps(results.as_json(), indent=1, allow_nan=False) + "\n"}
    texts[f"{results.kind}.md"] = results.as_markdown()
    texts[f"{results.kind}.csv"] = results.as_csv()
    texts |= {plot_file(results, plot): plot.svg for plot in results.plots}
    for name, text in texts.items():
        write_file(folder / name, text.encode("utf-8", "surrogateescape"))  # names in CSV have their own bytes
    return [folder / name for name in texts]


def read_results(path: str | os.PathLike[str]) -> Results:
    """Reads a ``KIND.json``.

    Raises:
        ImgsimError: It is something else, or cannot be read.
    """
    content = _content(path)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):  # no JSON, or deeper than any that is meant well
        document = None
    return Results.from_json(document, printable(path))


def _content(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ImgsimError(f"results: must be readable (got {printable(path)}: {error.strerror})") from error


def find_results(paths: Iterable[str | os.PathLike[str]]) -> tuple[dict[Path, Results], list[SkippedFile]]:
    """Reads files, and in folders and all folders in them every ``.json`` that holds results.

    Args:
        paths: Files, which must hold results, and folders, where other files are passed over.

    Returns:
        The results by their files, each once, in the order of `paths` and by names in folders; and files of folders
        that were skipped: they cannot be read, or say that they hold results and do not. Their codes are those of a
        `Reason` or of `SENTENCES`.

    Raises:
        ImgsimError: A file named in `paths` holds no results, or cannot be read.
    """
    found: dict[Path, Results] = {}
    skipped: dict[str, SkippedFile] = {}
    seen = set()
    for path in map(Path, paths):
        named = not path.is_dir()
        for file in [path] if named else _json_files(path):
            real = os.path.realpath(file)
            if real in seen:
                continue
            try:
                if named or b'"imgsim_results"' in _content(file):
                    found[file] = read_results(file)
                    seen.add(real)
            except ImgsimError as error:
                if named:
                    raise
                code = Reason.UNREADABLE.code if isinstance(error.__cause__, OSError) else "no_results"
                skipped[real] = SkippedFile(str(file), code, str(error))
    return found, list(skipped.values())


def _json_files(folder: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        folders.sort()
        files = (Path(path, name) for name in sorted(names) if name.endswith(".json"))
        yield from filter(os.path.isfile, files)  # a pipe would be waited for without end
