"""Whether the files of a collection are what was indexed, by their bytes; nothing is changed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from imgsim_ops import kernels
from imgsim_ops.collection.findings import Picture
from imgsim_ops.collection.indexing.changes import is_unchanged
from imgsim_ops.collection.indexing.drives import Mounts
from imgsim_ops.collection.indexing.hashing import hashed_ahead
from imgsim_ops.collection.store.reading import Reader
from imgsim_ops.collection.store.record import FileRecord
from imgsim_ops.files.names import printable
from imgsim_ops.files.pages import split_page
from imgsim_ops.files.reasons import Reason, SkippedFile


def problems_of_files(
    reader: Reader, *, threads: int = 0, progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[SkippedFile]:
    """Reads all pictures of a collection; yields those that are not as they were indexed.

    Args:
        reader: The collection.
        threads: How many files are hashed at once; 0 means one for each processor that this process may use.
        progress: Called in this thread with the number of files done and of all.

    Yields:
        Files that have other bytes (``changed``) or cannot be read, in the order of their rows; after them each folder
        that is not there, or whose drive is not, with the number of its pictures in the message.
    """
    known = reader.files()
    total = sum(record.row is not None for record in known.values())
    mounts = Mounts()
    missing: Counter[str] = Counter()
    threads = threads or kernels.build_info()["threads"]
    pictures = (picture for _, picture in reader.pictures())
    with ThreadPoolExecutor(threads, thread_name_prefix="imgsim-hash") as pool:
        try:
            for done, (picture, hashed) in enumerate(hashed_ahead(pool, pictures, 8 * threads), 1):
                file, _ = split_page(picture.path)
                record = known.get(os.fsencode(picture.path))
                if isinstance(hashed, SkippedFile):
                    folder = _missing_folder(str(file), record, mounts) if not os.path.lexists(file) else ""
                    missing[folder] += bool(folder)
                    if not folder:
                        yield SkippedFile(hashed.path, hashed.code, f"verify: {hashed.message.partition(': ')[2]}")
                elif hashed != picture.sha256:
                    yield _changed(picture, record)
                progress(done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for folder, number in sorted((+missing).items()):
        got = f"{printable(folder)}, of which {number:,} pictures could not be looked at"
        message = f"verify: a folder and its drive must be there (got {got})"
        yield SkippedFile(folder, Reason.MISSING.code, message)


def _missing_folder(path: str, record: FileRecord | None, mounts: Mounts) -> str:
    """The highest folder around a file that is not there or whose drive is not; empty where only the file is gone."""
    if record is not None and record.mount is not None:
        root = os.fsdecode(record.path[: record.mount])
        if not mounts.is_root(root):
            return root
    found, folder = "", os.path.dirname(path)
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        found, folder = folder, os.path.dirname(folder)
    return found


def _changed(picture: Picture, record: FileRecord | None) -> SkippedFile:
    """A file with other bytes, and what brings the collection up to date with it."""
    try:
        unseen = record is not None and is_unchanged(record, os.stat(split_page(picture.path)[0]))
    except OSError:
        unseen = False
    command = "imgsim index --rehash, as neither its size nor its times tell," if unseen else "imgsim index"
    rule = "the file must have the bytes that were indexed"
    message = f"verify: {rule} (got {printable(picture.path)}: {command} takes in what it is now)"
    return SkippedFile(picture.path, Reason.CHANGED.code, message)
