"""From folders to rows of a collection: only what is new or has changed is read."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from imgsim_ops import kernels
from imgsim_ops.collection.store import FileRecord, Store
from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.images.isolated import TIME_LIMIT
from imgsim_ops.images.memory import MAX_PIXELS
from imgsim_ops.images.names import printable
from imgsim_ops.images.opening import open_regular
from imgsim_ops.images.reasons import Reason, SkippedFile
from imgsim_ops.images.scan import scan
from imgsim_ops.interrupts import DeferredInterrupt
from imgsim_ops.recipes import Whitening

if TYPE_CHECKING:
    from imgsim_ops.embedder import Description, Embedder

# A commit waits for the disk twice, some milliseconds: seldom enough not to be noticed, often enough that little is
# lost with the batch in flight.
_COMMIT_CONTENTS = 256
_COMMIT_FILES = 4096
_COMMIT_SECONDS = 5.0

# A file changed within so many nanoseconds before it was read may change again without another size or time.
_SAME_TICK = 2_000_000_000

# What is wrong with these files lies in their bytes, so they need not be read again while they are the same.
_LASTING = {Reason.EMPTY.code, Reason.NOT_A_PICTURE.code, Reason.TRUNCATED.code, Reason.DAMAGED.code}

#: From so many contents on a recipe that whitens is fitted to the collection, and anew whenever it has doubled: the
#: smallest collections for which it was measured to find more copies among pictures that it was fitted to (`recipes`).
FIT_FROM = 200
# Rows that are looked at for it, spread over all: more change nothing that can be measured.
_FIT_ROWS = 50_000


@dataclass(frozen=True)
class IndexReport:
    """What `index_files` did.

    Attributes:
        files: How many files were found.
        unchanged: How many of them were known by size and time.
        known: How many were new or changed, but their content was known: copies, moved and renamed ones.
        embedded: How many contents were decoded and embedded.
        dropped: How many files are no longer there.
        skipped: The files that are no readable pictures, in the order found.
        interrupted: Ctrl-C came before the last file; what was done is kept, and nothing dropped.
        seconds: Wall time, the model's loading not counted.
    """

    files: int
    unchanged: int
    known: int
    embedded: int
    dropped: int
    skipped: list[SkippedFile] = field(default_factory=list)
    interrupted: bool = False
    seconds: float = 0.0


def index_files(
    store: Store,
    load_embedder: Callable[[], Embedder],
    paths: Sequence[str | os.PathLike[str]],
    exclude: Iterable[str] = (),
    threads: int = 0,
    *,
    progress: Callable[[int, int], None] | None = None,
    max_pixels: int = MAX_PIXELS,
    time_limit: float = TIME_LIMIT,
) -> IndexReport:
    """Brings a collection up to date with files and folders.

    Files of known size and time are not opened. Others are hashed; those with a known content get its row, so that a
    moved or renamed file is not decoded again. Files that were in one of the folders and are not there now are dropped,
    but not those in a folder that cannot be read now.

    Args:
        store: The collection, open for writing.
        load_embedder: Called when there is something to embed, which may be never. Its fingerprint must be the store's.
        paths: As of `scan`.
        exclude: As of `scan`. What was indexed before and is excluded now is dropped.
        threads: As of ``Embedder.stream``.
        progress: Called in this thread with the number of files done and of all.
        max_pixels: As of ``Embedder.stream``.
        time_limit: As of ``Embedder.stream``.

    Raises:
        ImageError: As `scan`.
        ImgsimError: The embedder has another fingerprint.
        OSError: The disk is full or refuses; what was committed before is kept.
    """
    run = _Run(store, progress)
    with DeferredInterrupt() as interrupt:
        try:
            with interrupt.welcome():
                changed = run.look(paths, exclude)
            if changed:
                run.read(changed, load_embedder, threads, interrupt, max_pixels=max_pixels, time_limit=time_limit)
        except KeyboardInterrupt:
            run.interrupted = True
        run.finish()
    return run.report()


def refit(store: Store) -> bool:
    """Fits the recipe's whitening to the collection where that is due; says whether it was.

    Raises:
        OSError: The disk is full or refuses. The collection is as before.
    """
    if not store.recipe.whitens or store.rows < max(FIT_FROM, 2 * store.fitted_on):
        return False
    raw = store.raw()
    step = max(1, len(raw) // _FIT_ROWS)
    store.change_recipe(store.recipe, Whitening.fit(store.recipe.unwhitened(raw[::step])), store.rows)
    return True


def sha256_of(path: str | os.PathLike[str]) -> bytes:
    """The SHA-256 of a regular file's bytes.

    Raises:
        ImageError: It is missing, no regular file, or cannot be read.
    """
    with open_regular(path) as file:
        try:
            digest = hashlib.sha256(usedforsecurity=False)
            while block := file.read(1 << 20):
                digest.update(block)
            return digest.digest()
        except OSError as error:  # the disk fails
            message = f"index: {Reason.UNREADABLE.sentence} (got {printable(path)}: {error.strerror})"
            raise ImageError(Reason.UNREADABLE.code, message) from error


@dataclass
class _Found:
    """A file that must be looked into, with what it was before that."""

    path: str
    key: bytes
    status: os.stat_result
    settled: bool  # as in `FileRecord`
    sha256: bytes = b""


class _Run:
    """One indexing: what is known, what is new, and what waits to be committed."""

    def __init__(self, store: Store, progress: Callable[[int, int], None] | None) -> None:
        self.interrupted = False
        self._store = store
        self._progress = progress or (lambda done, total: None)
        self._start = time.perf_counter()
        self._before = store.files()
        self._files = self._done = self._unchanged = self._known = self._embedded = 0
        self._gone: set[bytes] = set()
        self._dropped = 0
        self._skipped: list[SkippedFile] = []
        self._noted: deque[tuple[_Found, int | SkippedFile]] = deque()
        # Of the batch that is not committed yet:
        self._contents: list[tuple[bytes, Description]] = []
        self._rows: dict[bytes, int] = {}
        self._records: list[FileRecord] = []
        self._committed = time.monotonic()

    # --- what is there ---

    def look(self, paths: Sequence[str | os.PathLike[str]], exclude: Iterable[str]) -> list[_Found]:
        """Finds the files; returns those that must be looked into."""
        changed = []
        seen: set[bytes] = set()
        unreadable: list[bytes] = []
        roots = [os.fsencode(os.path.abspath(path)) for path in paths if os.path.isdir(path)]
        for given in scan(paths, exclude):
            path = os.path.abspath(given)
            key = os.fsencode(path)
            if key in seen:
                continue
            seen.add(key)
            looked = time.time_ns()
            try:
                status = os.stat(path)
            except (OSError, ValueError):
                self._skip(_reason(path))
                continue
            if stat.S_ISDIR(status.st_mode):
                unreadable.append(key)
            before = self._before.get(key)
            if before is None or not self._is_unchanged(before, status):
                changed.append(_Found(path, key, status, looked - status.st_mtime_ns > _SAME_TICK))
                continue
            self._unchanged += 1
            if before.code is not None:
                self._skip(SkippedFile(path, before.code, before.message))
        self._files = len(seen)
        self._done = self._files - len(changed)
        inside = tuple(root.rstrip(b"/") + b"/" for root in roots)
        hidden = tuple(folder + b"/" for folder in unreadable)
        self._gone = {
            key for key in self._before if key not in seen and key.startswith(inside) and not key.startswith(hidden)
        }
        return changed

    @staticmethod
    def _is_unchanged(before: FileRecord, status: os.stat_result) -> bool:
        same = before.settled and (before.size, before.modified) == (status.st_size, status.st_mtime_ns)
        return same and (before.row is not None or before.code in _LASTING)

    # --- what is in it ---

    def read(
        self,
        changed: list[_Found],
        load_embedder: Callable[[], Embedder],
        threads: int,
        interrupt: DeferredInterrupt,
        **limits: float,
    ) -> None:
        """Hashes files, embeds those whose content is new, and commits as it goes."""
        threads = threads or kernels.build_info()["threads"]
        waiting: deque[_Found] = deque()
        twins: dict[bytes, list[_Found]] = {}  # with the content of one that is being embedded
        with ThreadPoolExecutor(threads, thread_name_prefix="imgsim-hash") as pool:

            def unknown() -> Iterator[str]:
                # Runs while Ctrl-C is welcome, so it only takes notes.
                for found, hashed in _ahead(pool, changed, 8 * threads):
                    if isinstance(hashed, SkippedFile):
                        self._noted.append((found, hashed))
                        continue
                    found.sha256 = hashed
                    row = self._rows.get(hashed)
                    row = self._store.row_of(hashed) if row is None else row
                    if row is not None:
                        self._noted.append((found, row))
                    elif hashed in twins:
                        twins[hashed].append(found)
                    else:
                        twins[hashed] = []
                        waiting.append(found)
                        yield found.path

            names = unknown()
            try:
                with interrupt.welcome():
                    first = next(names, None)
                if first is None:
                    return
                with interrupt.welcome():
                    embedder = load_embedder()
                if embedder.fingerprint != self._store.fingerprint:
                    raise ImgsimError(
                        f"collection: vectors must be made by {self._store.fingerprint} (got {embedder.fingerprint}); "
                        "another backbone, weights or precision needs a collection of its own"
                    )
                with closing(embedder.describe(chain((first,), names), threads, **limits)) as stream:
                    while True:
                        with interrupt.welcome():
                            path, answer = next(stream, (None, None))
                        self._add_noted()
                        if path is None:
                            break
                        found = waiting.popleft()
                        self._add_described([found, *twins.pop(found.sha256)], answer)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _add_described(self, same: list[_Found], answer: Description | SkippedFile) -> None:
        """Files of one content, of which the first has been decoded."""
        if isinstance(answer, SkippedFile):
            for found in same:
                self._add(found, SkippedFile(found.path, answer.code, answer.message))
            return
        changed = self._changed(same[0])
        if changed is not None:  # what was decoded may not be what was hashed
            for found in same:
                self._skip(SkippedFile(found.path, changed.code, changed.message))
                self._advance()
            return
        self._embedded += 1
        self._known += len(same) - 1
        row = self._store.rows + len(self._contents)
        self._contents.append((same[0].sha256, answer))
        self._rows[same[0].sha256] = row
        for found in same:
            self._add(found, row)

    def _add_noted(self) -> None:
        while self._noted:
            found, what = self._noted.popleft()
            self._known += not isinstance(what, SkippedFile)
            self._add(found, what)

    def _add(self, found: _Found, what: int | SkippedFile) -> None:
        """A file with the row of its content, which may be of the batch, or with the reason why it has none."""
        status = found.status
        row, code, message = (None, what.code, what.message) if isinstance(what, SkippedFile) else (what, None, None)
        self._records.append(
            FileRecord(found.key, status.st_size, status.st_mtime_ns, found.settled, row, code, message)
        )
        if isinstance(what, SkippedFile):
            self._skip(what)
        self._advance()

    @staticmethod
    def _changed(found: _Found) -> SkippedFile | None:
        """The reason to leave a file to the next run: it was changed between the hashing and the decoding."""
        try:
            now = os.stat(found.path)
            same = (now.st_size, now.st_mtime_ns) == (found.status.st_size, found.status.st_mtime_ns)
            if same and (found.settled or sha256_of(found.path) == found.sha256):
                return None
        except (OSError, ImageError):
            pass
        return _refused(Reason.CHANGED, found.path)

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

    def _skip(self, skipped: SkippedFile) -> None:
        self._skipped.append(skipped)

    # --- the end ---

    def finish(self) -> None:
        """Commits the rest; drops what is gone, unless it was stopped."""
        self._add_noted()
        dropped = () if self.interrupted else self._gone
        self._commit(dropped)
        self._dropped = len(dropped)
        if not self.interrupted:
            refit(self._store)

    def report(self) -> IndexReport:
        return IndexReport(
            files=self._files,
            unchanged=self._unchanged,
            known=self._known,
            embedded=self._embedded,
            dropped=self._dropped,
            skipped=self._skipped,
            interrupted=self.interrupted,
            seconds=time.perf_counter() - self._start,
        )


def _ahead(
    pool: ThreadPoolExecutor, files: Iterable[_Found], most: int
) -> Iterator[tuple[_Found, bytes | SkippedFile]]:
    """Files with their hashes, in order, with few of them begun before the one that is waited for."""
    pending: deque[tuple[_Found, Future]] = deque()
    for found in files:
        pending.append((found, pool.submit(_hash, found.path)))
        if len(pending) > most:
            found, future = pending.popleft()
            yield found, future.result()
    for found, future in pending:
        yield found, future.result()


def _hash(path: str) -> bytes | SkippedFile:
    try:
        return sha256_of(path)
    except ImageError as error:
        return SkippedFile(path, error.code, str(error))


def _reason(path: str) -> SkippedFile:
    """Why a name that was found cannot even be looked at."""
    try:
        with open_regular(path):
            return _refused(Reason.CHANGED, path)
    except ImageError as refused:
        return SkippedFile(path, refused.code, str(refused))


def _refused(reason: Reason, path: str, detail: str = "") -> SkippedFile:
    return SkippedFile(path, reason.code, f"index: {reason.sentence} (got {printable(path)}{detail})")
