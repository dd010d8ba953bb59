"""A collection of 1,000,000 made-up vectors: making it, opening it, searching it; time and memory.

    python benchmarks/million.py [--rows 1000000] [--folder DIR] [--skip duplicates]

The vectors have 512 numbers, unit length, and lie around 1,000 centres; each hundredth content is a copy of an earlier
one with a little noise. They are committed as an indexing commits them, with a file each, by the recipe `gem`: one
float16 vector for each content, 1 GB. (The raw vectors, from which other recipes can be made, take three.) Perceptual
hashes are random. `duplicates` finds which pairs to look at, by hashes and vectors, and makes groups of what is found;
as there are no pictures, who was planted answers in place of a look at pixels.

Each step has a process of its own. `cold` is the first search after the system was told to forget the file of vectors,
so that the disk is what is measured; `first` the first one of a process while the file is in the system's memory;
`warm` the median of more. The time of a search is that of `collection.search.search`: the scan and looking up the
files of what it found, without embedding the query; `reading` is that of two threads that only read all of it.
`load` is how many processes wanted a processor meanwhile, this one's threads among them: above the number of processors
others took part of the time. `RssAnon` is what a process holds that cannot be dropped; its peak (`VmHWM`) counts mapped
pages of the file too, which come and go.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from _harness import save
from rich.console import Console

from imgsim_ops.collection.candidates.judging import Asked, Judged
from imgsim_ops.collection.candidates.looking import Looking
from imgsim_ops.collection.candidates.pairs import Pictures, candidate_threshold
from imgsim_ops.collection.duplicates import find_duplicates
from imgsim_ops.collection.search import Query, search
from imgsim_ops.collection.store.record import FileRecord
from imgsim_ops.collection.store.store import Store
from imgsim_ops.collection.summary import summary_of
from imgsim_ops.embedding.description import Description
from imgsim_ops.evaluation.machine import machine, machine_line
from imgsim_ops.matching.options import MatchOptions
from imgsim_ops.matching.relations import Judgement, Relation
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import PARTS, RECIPES

WIDTH = 512
_CENTRES = 1000
_BLOCK = 10_000
_COPY_EVERY = 100
_COPY_NOISE = 0.01
_ASKED = 64


def vectors_of(block: int, rows: int) -> np.ndarray:
    """Rows of one block, float32 (rows, 512) of unit length; the last hundredth are nearly the first ones."""
    centres = np.random.default_rng(0).standard_normal((_CENTRES, WIDTH), np.float32)
    generator = np.random.default_rng([1, block])
    vectors = centres[generator.integers(0, _CENTRES, rows)] + generator.standard_normal((rows, WIDTH), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    copies = rows // _COPY_EVERY
    if copies:
        vectors[-copies:] = vectors[:copies] + _COPY_NOISE * generator.standard_normal((copies, WIDTH), np.float32)
        vectors[-copies:] /= np.linalg.norm(vectors[-copies:], axis=1, keepdims=True)
    return vectors


def fill(store: Store, rows: int, query: Path) -> float:
    """Commits so many contents; returns the seconds that the commits took. The first has the bytes of `query`."""
    seconds = 0.0
    for first in range(0, rows, _BLOCK):
        count = min(_BLOCK, rows - first)
        raw = np.tile(vectors_of(first // _BLOCK, count).astype(np.float16), (1, PARTS))
        names = [f"/photos/{row // 1000:04}/{row:07}.jpg".encode() for row in range(first, first + count)]
        hashes = [hashlib.sha256(name).digest() for name in names]
        if first == 0:
            hashes[0] = hashlib.sha256(query.read_bytes()).digest()
        hashed = np.frombuffer(b"".join(hashes), np.uint8).reshape(count, 32)
        contents = [(hashes[i], Description(640, 480, "JPEG", hashed[i], raw[i])) for i in range(count)]
        files = [FileRecord(name, 100_000, 10**18, True, first + i) for i, name in enumerate(names)]
        start = time.perf_counter()
        store.commit(contents, files)
        seconds += time.perf_counter() - start
    return seconds


# --- the steps, each in a process of its own -------------------------------------------------------------------------


def measure_open(path: Path) -> dict:
    """Opening for reading, and what `imgsim info` counts."""
    times = []
    for _ in range(9):
        start = time.perf_counter()
        with Store.open(path) as store:
            store.vectors()
            times.append(time.perf_counter() - start)
    with Store.open(path) as store:
        start = time.perf_counter()
        summary_of(store)
        counted = time.perf_counter() - start
    return {"first_ms": _ms(times[0]), "median_ms": _ms(statistics.median(times)), "info_ms": _ms(counted)}


def measure_cold(path: Path) -> dict:
    """One search of a file that must come from the disk."""
    with Store.open(path) as store:
        query = _queries(store, 1)
        with open(store.vectors_file, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        start = time.perf_counter()
        search(store, query, 10)
        return {"ms": _ms(time.perf_counter() - start)}


def measure_search(path: Path) -> dict:
    """Searches of a file that is in memory: the first, more of one query, and many queries at once."""
    with Store.open(path) as store:
        queries = _queries(store, _ASKED)
        np.array(store.vectors()[:: (1 << 12) // (2 * WIDTH)])  # all pages are in memory, and none is mapped
        store.close()
    with Store.open(path) as store:
        times = []
        for query in queries[:21]:
            start = time.perf_counter()
            search(store, [query], 10)
            times.append(time.perf_counter() - start)
        reading = [_read_seconds(store.vectors()) for _ in range(9)]
        many = []
        for _ in range(5):
            start = time.perf_counter()
            found = search(store, queries, 10)
            many.append(time.perf_counter() - start)
        # Each query is one of a pair of near copies: itself is first, and the other is second.
        expected = _pairs(store.rows)
        right = sum(
            {hit.picture.path for hit in hits[:2]} == {_name(row) for row in pair}
            for hits, pair in zip(found, expected, strict=True)
        )
    return {
        "first_ms": _ms(times[0]),
        "warm_ms": _ms(statistics.median(times[1:])),
        "least_ms": _ms(min(times[1:])),
        "reading_ms": _ms(statistics.median(reading)),
        "reading_least_ms": _ms(min(reading)),
        "load": round(os.getloadavg()[0], 1),
        "queries": len(queries),
        "together_ms": _ms(statistics.median(many)),
        "together_least_ms": _ms(min(many)),
        "copies_first": right,
    }


def measure_approximate(path: Path) -> dict:
    """Building the approximate index, its recall, and searches by it."""
    if find_spec("faiss") is None:
        return {"skipped": "faiss-cpu is not installed"}
    from imgsim_ops.collection import approximate

    with Store.open(path) as store:
        built = approximate.build(store)
        queries = _queries(store, _ASKED)
        start = time.perf_counter()
        nearest = approximate.opened(store).nearest
        opened = time.perf_counter() - start
        times = []
        for query in queries[:21]:
            start = time.perf_counter()
            search(store, [query], 10, nearest=nearest)
            times.append(time.perf_counter() - start)
    return {
        "build_s": round(built.seconds, 1),
        "recall_at_10": round(built.recall, 4),
        "lists": built.lists,
        "probes": built.probes,
        "bytes": built.size,
        "open_ms": _ms(opened),
        "warm_ms": _ms(statistics.median(times[1:])),
    }


class _Planted:
    """Judges pairs by who was planted.

    Attributes:
        asked: How many pairs it was asked for.
    """

    def __init__(self, pairs: set[tuple[int, int]]) -> None:
        """Of pairs of rows, the first before the second."""
        self.asked = 0
        self._pairs = pairs
        self._copy = Judged(Judgement(Relation.COPY, (1, 0, 0, 0, 1, 0, 0, 0, 1), (1.0, 1.0), 1.0, joined=True))
        self._other = Judged(Judgement(Relation.LOOK_ALIKE))

    def __call__(self, asked: Iterable[Asked]) -> Iterator[tuple[Asked, Judged]]:
        for pair in asked:
            self.asked += 1
            planted = (min(pair.row, pair.col), max(pair.row, pair.col)) in self._pairs
            yield pair, self._copy if planted else self._other


def measure_duplicates(path: Path) -> dict:
    """All groups of copies; what two pictures are to each other is known beforehand."""
    stages: list[tuple[str, float]] = []
    with Store.open(path) as store, Looking(store) as looking:
        start = time.perf_counter()
        pictures = Pictures.of(store)
        threshold = candidate_threshold(pictures, MatchOptions())
        chosen = time.perf_counter() - start
        planted = set(_pairs(store.rows, every_block=True))
        judge = _Planted(planted)
        groups = list(
            find_duplicates(
                store, pictures, MatchOptions(), looking, judge,
                progress=lambda what, *_: stages.append((what, _now(start))),
            )
        )  # fmt: skip
        found = {tuple(sorted(int(Path(member.picture.path).stem) for member in group.members)) for group in groups}
    return {
        "seconds": round(_now(start), 1),
        "threshold_s": round(chosen, 1),
        "hashes_s": round(stages[1][1] - stages[0][1], 1),
        "candidates_from": round(threshold, 4),
        "asked": judge.asked,
        "planted": len(planted),
        "found": len(planted & found),
        "others": len(found - planted),
        "load": round(os.getloadavg()[0], 1),
    }


def _now(start: float) -> float:
    return time.perf_counter() - start


#: More steps may be added here: of the collection's folder, facts to keep.
STEPS: dict[str, Callable[[Path], dict]] = {
    "open": measure_open,
    "search cold": measure_cold,
    "search": measure_search,
    "approximate": measure_approximate,
    "duplicates": measure_duplicates,
}


def _read_seconds(vectors: np.ndarray) -> float:
    """How long two threads take to read all of it: no exact search can be quicker."""
    words = vectors.view(np.int64).ravel()
    halves = words[: len(words) // 2], words[len(words) // 2 :]
    with ThreadPoolExecutor(2) as pool:
        start = time.perf_counter()
        list(pool.map(np.max, halves))
        return time.perf_counter() - start


def _pairs(rows: int, every_block: bool = False) -> list[tuple[int, int]]:
    """Rows of planted copies: the first ones of the first block, or all."""
    found = []
    for first in range(0, rows, _BLOCK):
        block = min(_BLOCK, rows - first)
        copies = block // _COPY_EVERY
        found += [(first + row, first + block - copies + row) for row in range(copies)]
    return found if every_block else found[: min(_ASKED, min(_BLOCK, rows) // _COPY_EVERY)]


def _queries(store: Store, number: int) -> list[Query]:
    raw = store.raw()
    return [Query(np.array(raw[row : row + 1])) for row, _ in _pairs(store.rows)[:number]]


def _name(row: int) -> str:
    return f"/photos/{row // 1000:04}/{row:07}.jpg"


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 2)


def _status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024, 1)


def _in_child(step: str, path: Path) -> dict:
    command = [sys.executable, __file__, "--step", step, "--folder", str(path)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _command_seconds(path: Path, query: Path) -> float:
    """A whole `imgsim search`, of a query whose bytes are in the collection, so that there is no model to load."""
    command = [sys.executable, "-m", "imgsim_ops.cli", "search", str(query), "-c", str(path)]
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return round(statistics.median(times), 3)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the collection is made, and deleted afterwards")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--skip", action="append", default=[], choices=STEPS, help="a step; duplicates takes an hour")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.step:
        facts = STEPS[arguments.step](arguments.folder)
        facts["peak_mib"], facts["anonymous_mib"] = _status("VmHWM"), _status("RssAnon")
        print(json.dumps(facts))
        return
    console = Console()
    facts = machine(os.cpu_count() or 1)
    console.print(machine_line(facts))
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="million-") as folder:
        path, query = Path(folder) / "million.imgsim", Path(folder) / "query.jpg"
        query.write_bytes(b"its hash is what is looked at")
        fingerprint = Fingerprint("made", "0" * 12, "fp32", 1)
        with Store.create(path, fingerprint, RECIPES["gem"], PARTS * WIDTH) as store:
            seconds = fill(store, arguments.rows, query)
            sizes = {file.name: file.stat().st_size for file in sorted(path.iterdir())}
        results = {"make": {"seconds": round(seconds, 1), "peak_mib": _status("VmHWM"), "files": sizes}}
        console.print("make", results["make"])
        for step in (step for step in STEPS if step not in arguments.skip):
            results[step] = _in_child(step, path)
            console.print(step, results[step])
        results["whole command"] = {"seconds": _command_seconds(path, query)}
        console.print("whole command", results["whole command"])
        shutil.rmtree(path)
    document = {"machine": facts, "rows": arguments.rows, "width": WIDTH, "results": results}
    console.print(f"written: {save('million', document, arguments.out)}")


if __name__ == "__main__":
    main()
