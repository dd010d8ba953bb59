"""From folders to rows of a collection: only what is new or has changed is read."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from imgsim_ops import kernels
from imgsim_ops.collection.indexing.changes import LASTING, is_up_to_date, look_for_changes, refused
from imgsim_ops.collection.indexing.fitting import refit
from imgsim_ops.collection.indexing.hashing import FoundFile, hashed_ahead
from imgsim_ops.collection.store.record import FileRecord
from imgsim_ops.collection.store.store import Store
from imgsim_ops.files.interrupts import DeferredInterrupt
from imgsim_ops.files.names import printable
from imgsim_ops.files.pages import SECOND, split_page
from imgsim_ops.files.reasons import Reason, SkippedFile, unread
from imgsim_ops.images.formats import PAGED, READERS

if TYPE_CHECKING:
    from imgsim_ops.embedding.description import Description
    from imgsim_ops.embedding.embedder import Embedder

# A commit waits for the disk twice, some milliseconds: seldom enough not to be noticed, often enough that little is
# lost with the batch in flight.
_COMMIT_CONTENTS = 256
_COMMIT_FILES = 4096
_COMMIT_SECONDS = 5.0
#: Of a file so many frames or pages are taken at the most: a film as a GIF has thousands.
MOST_PAGES = 1000


@dataclass(frozen=True)
class IndexReport:
    """What `index_files` did.

    Attributes:
        files: How many files were found.
        unchanged: How many of them were known by size, both times and inode.
        known: How many were new or changed, but their content was known: copies, moved and renamed ones.
        embedded: How many contents were decoded and embedded.
        dropped: How many files are no longer there.
        skipped: The files that are no readable pictures, sorted by path.
        aside: Those that nobody expects to be read, films and drawings, likewise.
        interrupted: Ctrl-C came before the end; what was done is kept. Before the last file, nothing was dropped.
        seconds: Wall time, the model's loading not counted.
        hidden: Folders that could not be looked into, as their drive is not there or refuses, each with the number of
            files that are known of it; nothing of that was dropped.
        same: Folders that are in the collection by another path, each with that path: their files were taken once.
    """

    files: int
    unchanged: int
    known: int
    embedded: int
    dropped: int
    skipped: list[SkippedFile]
    interrupted: bool = False
    seconds: float = 0.0
    aside: list[SkippedFile] = field(default_factory=list)
    hidden: Mapping[str, int] = field(default_factory=dict)
    same: Mapping[str, str] = field(default_factory=dict)


def index_files(
    store: Store,
    load_embedder: Callable[[], Embedder],
    paths: Sequence[str | os.PathLike[str]],
    exclude: Iterable[str] = (),
    *,
    rehash: bool = False,
    pages: bool | None = None,
    threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> IndexReport:
    """Brings a collection up to date with files and folders.

    Files of known size, times and inode are not opened. Others are hashed; those with a known content get its row, so
    that a moved, renamed or restored file is not decoded again. Files that were in one of the folders and are not there
    now are dropped, but not those in a folder that cannot be read now, or on a drive that is not there.

    Args:
        store: The collection, open for writing.
        load_embedder: Called when there is something to embed, which may be never. Its fingerprint must be the store's.
        paths: As of `scan`.
        exclude: As of `scan`. What was indexed before and is excluded now is dropped.
        rehash: All files are hashed: what changed unseen, on a file system that tells little or a disk that fails, is
            found too.
        pages: Whether the frames and pages of a file are pictures of their own, see ``files.pages``; None: as before.
            The file itself stands for the first; more than 1,000 are not taken.
        threads: How many files are hashed at once; 0 means one for each processor that this process may use.
        progress: Called in this thread with the number of files done and of all.

    Raises:
        ImageError: As `scan`.
        ImgsimError: The embedder has another fingerprint, or the collection is open for reading.
        OSError: The disk is full or refuses; what was committed before is kept.
    """
    store.require_writing()
    if pages is not None and pages != store.pages:
        store.take_pages(pages)
    run = _Run(store, progress)
    with DeferredInterrupt() as interrupt:
        try:
            with interrupt.welcome():
                changed = run.look(paths, exclude, rehash)
            run.read(changed, load_embedder, threads, interrupt)
        except KeyboardInterrupt:
            run.interrupted = True
        run.finish(interrupt)
    return run.report()


class _Run:
    """One indexing: what is known, what is new, and what waits to be committed."""

    def __init__(self, store: Store, progress: Callable[[int, int], None] | None) -> None:
        self.interrupted = False
        self._store = store
        self._progress = progress or (lambda done, total: None)
        self._start = time.perf_counter()
        self._loading = 0.0
        known = store.files()
        self._before_of_pages = {key: record for key, record in known.items() if _file_of(key) is not None}
        self._before = {key: record for key, record in known.items() if key not in self._before_of_pages}
        self._with_pages = store.with_pages() if store.pages else {}
        self._pages: list[FoundFile] = []  # of files that have been looked into
        self._stale: set[bytes] = set()  # pages that are gone, unless they are met again
        self._files = self._done = self._unchanged = self._known = self._embedded = 0
        self._gone: set[bytes] = set()
        self._dropped = 0
        self._skipped: list[SkippedFile] = []
        self._rehash = False
        self._hidden: Mapping[str, int] = {}
        self._same: Mapping[str, str] = {}
        # Of the batch that is not committed yet:
        self._contents: list[tuple[bytes, Description]] = []
        self._rows: dict[bytes, int] = {}
        self._records: list[FileRecord] = []
        self._committed = time.monotonic()

    def look(self, paths: Sequence[str | os.PathLike[str]], exclude: Iterable[str], rehash: bool) -> list[FoundFile]:
        """Finds the files; returns those that must be looked into."""
        found = look_for_changes(self._before, self._store.path, paths, exclude, rehash=rehash)
        self._rehash = rehash
        self._hidden, self._same = found.hidden, found.same
        self._files, self._unchanged, self._gone = found.files, found.unchanged, found.gone
        self._skipped += found.skipped
        self._done = found.files - len(found.changed)
        self._look_for_pages(paths, found.changed)
        return found.changed

    def _look_for_pages(self, paths: Sequence[str | os.PathLike[str]], changed: list[FoundFile]) -> None:
        """Finds pages that are gone with their file, or may be; and those that are to be taken of a known file."""
        looked_into = {os.fsencode(found.path) for found in changed} | self._gone
        for key, record in self._before_of_pages.items():
            file = self._before.get(_file_of(key) or b"")
            as_it_is = file is not None and (file.size, file.modified) == (record.size, record.modified)
            if not self._store.pages or not as_it_is or _file_of(key) in looked_into:
                self._stale.add(key)
        roots = tuple(os.fsencode(os.path.abspath(path)) for path in paths)
        inside = tuple(root.rstrip(b"/") + b"/" for root in roots)
        for key, record in self._before.items():
            if record.row in self._with_pages and key not in looked_into and (key in roots or key.startswith(inside)):
                _, _, sha256 = self._with_pages[record.row]
                known_by = record.changed or 0, record.inode or 0, record.mount, sha256
                found = FoundFile(os.fsdecode(key), record.size, record.modified, record.settled, *known_by)
                self._take_pages(found, record.row)

    def _take_pages(self, found: FoundFile, row: int) -> None:
        """Notes the pages of a file that must be looked into."""
        kind, frames, _ = self._with_pages[row]
        if kind not in PAGED:
            return
        if frames > MOST_PAGES:
            message = Reason.TOO_MANY_PAGES.message("index", found.path, f"{frames:,}")
            self._skipped.append(SkippedFile(found.path, Reason.TOO_MANY_PAGES.code, message))
        for number in range(SECOND, min(frames, MOST_PAGES) + 1):
            page = found.page(number)
            key = os.fsencode(page.path)
            before = self._before_of_pages.get(key)
            if os.path.lexists(page.path):  # a file has this very name
                continue
            if before is None or key in self._stale:
                self._pages.append(page)
                self._files += 1
            elif before.code is not None and before.message is not None:
                self._skipped.append(SkippedFile(page.path, before.code, before.message))

    # --- what is in it ---

    def read(
        self,
        changed: list[FoundFile],
        load_embedder: Callable[[], Embedder],
        threads: int,
        interrupt: DeferredInterrupt,
    ) -> None:
        """Hashes files, embeds those whose content is new, and commits as it goes."""
        threads = threads or kernels.build_info()["threads"]
        while changed or self._pages:
            if not changed:  # or their files' hashes would not be known
                changed, self._pages = self._pages, []
            changed = self._read(changed, load_embedder, threads, interrupt)

    def _read(
        self,
        changed: list[FoundFile],
        load_embedder: Callable[[], Embedder],
        threads: int,
        interrupt: DeferredInterrupt,
    ) -> list[FoundFile]:
        """Returns files to begin anew with: their twin, which was to be decoded for them too, is not what it was."""
        waiting: deque[FoundFile] = deque()
        twins: dict[bytes, list[FoundFile]] = {}  # with the content of one that is being embedded
        again: list[FoundFile] = []
        with ThreadPoolExecutor(threads, thread_name_prefix="imgsim-hash") as pool:

            def unknown() -> Iterator[str]:
                # Runs while Ctrl-C is welcome, which must not come between two halves of a note or in a commit.
                for found, hashed in hashed_ahead(pool, changed, 8 * threads):
                    with interrupt.deferred():
                        if isinstance(hashed, SkippedFile):
                            self._add(found, hashed)
                            continue
                        found.sha256 = hashed
                        if (why := self._why_no_picture(found)) is not None:
                            self._add(found, why)
                            continue
                        row = self._rows.get(hashed)
                        row = self._store.row_of(hashed) if row is None else row
                        if row is not None:
                            self._known += 1
                            self._add(found, row)
                            continue
                        if hashed in twins:
                            twins[hashed].append(found)
                            continue
                        twins[hashed] = []
                        waiting.append(found)
                    yield found.path

            names = unknown()
            try:
                with interrupt.welcome():
                    first = next(names, None)
                if first is None:
                    return again
                with interrupt.welcome():
                    start = time.perf_counter()
                    embedder = load_embedder()
                    self._loading += time.perf_counter() - start
                self._store.check_made_by(embedder.fingerprint)
                with closing(embedder.describe(chain((first,), names))) as stream:
                    while True:
                        with interrupt.welcome():
                            path, answer = next(stream, (None, None))
                        if path is None:
                            return again
                        found = waiting.popleft()
                        again += self._add_described(found, twins.pop(found.sha256), answer)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _why_no_picture(self, found: FoundFile) -> SkippedFile | None:
        """Why a file with these bytes, of this name, was none; not if all are hashed or the readers are newer."""
        key = os.fsencode(found.path)
        before = None if self._rehash else self._before.get(key) or self._before_of_pages.get(key)
        if before is None or before.sha256 != found.sha256 or before.code is None or before.message is None:
            return None
        if not is_up_to_date(before):
            return None
        return SkippedFile(found.path, before.code, before.message)

    def _add_described(
        self, found: FoundFile, twins: list[FoundFile], answer: Description | SkippedFile
    ) -> Sequence[FoundFile]:
        """A file that has been decoded and others with its content, which are returned where that tells nothing."""
        if not found.is_as_found():  # what was decoded may not be what was hashed
            self._skipped.append(answer if isinstance(answer, SkippedFile) else refused(Reason.CHANGED, found.path))
            self._advance()
            return twins
        if isinstance(answer, SkippedFile):
            for each in (found, *twins):
                message = answer.message.replace(printable(found.path), printable(each.path))
                self._add(each, SkippedFile(each.path, answer.code, message))
            return ()
        self._embedded += 1
        self._known += len(twins)
        row = self._store.rows + len(self._contents)
        self._contents.append((found.sha256, answer))
        self._rows[found.sha256] = row
        if self._store.pages and answer.frames is not None and answer.frames > 1:
            self._with_pages[row] = answer.format, answer.frames, found.sha256
        for each in (found, *twins):
            self._add(each, row)
        return ()

    def _add(self, found: FoundFile, what: int | SkippedFile) -> None:
        """A file with the row of its content, which may be of the batch, or with the reason why it has none."""
        row, code, message = (None, what.code, what.message) if isinstance(what, SkippedFile) else (what, None, None)
        key = os.fsencode(found.path)
        self._stale.discard(key)
        sha256 = (found.sha256 or None) if code in LASTING else None
        known_by = found.changed, found.inode, found.mount, sha256, None if row is not None else READERS
        self._records.append(FileRecord(key, found.size, found.modified, found.settled, row, code, message, *known_by))
        if isinstance(what, SkippedFile):
            self._skipped.append(what)
        elif what in self._with_pages and _file_of(key) is None:
            self._take_pages(found, what)
        self._advance()

    def _advance(self) -> None:
        self._done += 1
        self._progress(self._done, self._files)
        due = len(self._contents) >= _COMMIT_CONTENTS or len(self._records) >= _COMMIT_FILES
        if due or time.monotonic() - self._committed > _COMMIT_SECONDS:
            self._commit()

    def _commit(self, dropped: Iterable[bytes] = ()) -> None:
        if self._contents or self._records or dropped:
            self._store.commit(self._contents, self._records, dropped)
        self._contents, self._records, self._rows = [], [], {}
        self._committed = time.monotonic()

    # --- the end ---

    def finish(self, interrupt: DeferredInterrupt) -> None:
        """Commits the rest; drops what is gone, unless it was stopped."""
        dropped = () if self.interrupted else self._gone | self._stale
        self._commit(dropped)
        self._dropped = len(dropped)
        if not self.interrupted:
            try:
                with interrupt.welcome():  # of a large collection it takes a minute, and may be left to the next run
                    refit(self._store)
            except KeyboardInterrupt:
                self.interrupted = True

    def report(self) -> IndexReport:
        passed_over = sorted(self._skipped, key=lambda file: file.path)
        return IndexReport(
            files=self._files,
            unchanged=self._unchanged,
            known=self._known,
            embedded=self._embedded,
            dropped=self._dropped,
            skipped=unread(passed_over),
            interrupted=self.interrupted,
            seconds=time.perf_counter() - self._start - self._loading,
            aside=[file for file in passed_over if file.is_aside],
            hidden=self._hidden,
            same=self._same,
        )


def _file_of(key: bytes) -> bytes | None:
    """The file of a page, by the paths that a collection has; None for a file."""
    if b"#page=" not in key:  # nearly all of a million
        return None
    file, page = split_page(os.fsdecode(key))
    return None if page is None else os.fsencode(file)
