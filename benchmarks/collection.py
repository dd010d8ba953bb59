"""Collections at scale, on this machine.

    python benchmarks/collection.py rescan

``rescan``: how long ``Collection.add`` takes over 100,000 files that have not changed since they were indexed, and how
many of them it opens and decodes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from _harness import save

from imgsim_ops.collection.collection import Collection
from imgsim_ops.embedding.description import Description
from imgsim_ops.evaluation.machine import machine, machine_line
from imgsim_ops.recipes.fingerprint import Fingerprint

FILES = 100_000
FILES_OF_A_FOLDER = 1000
ROUNDS = 5
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class _Made:
    """In place of an embedder: vectors of noise, as what is measured here asks for none.

    Attributes:
        decoded: How many files it was asked for.
    """

    fingerprint = Fingerprint.parse("made-000000000000-fp32-p2")
    raw_width = 3 * 16

    def __init__(self) -> None:
        self.decoded = 0

    def describe(self, paths: Iterable[str], threads: int = 0, **limits: float) -> Iterator[tuple[str, Description]]:
        """Says something of each path that is its alone."""
        for path in paths:
            self.decoded += 1
            digest = hashlib.sha256(os.fsencode(path)).digest()
            raw = np.random.default_rng(list(digest[:8])).standard_normal(self.raw_width).astype(np.float16)
            yield path, Description(1, 1, "PNG", np.frombuffer(digest, np.uint8), raw)


def make_files(folder: Path, count: int) -> None:
    """Tiny files with names and signatures of PNG, each with bytes of its own, as old as pictures are."""
    for number in range(count):
        path = folder / f"{number // FILES_OF_A_FOLDER:03}" / f"{number:06}.png"
        if number % FILES_OF_A_FOLDER == 0:
            path.parent.mkdir()
        path.write_bytes(_SIGNATURE + str(number).encode())
        os.utime(path, (1_500_000_000, 1_500_000_000))


def rescan(count: int) -> dict[str, object]:
    """Indexes files once and looks at them again and again."""
    opened: list[str] = []
    counting = False

    def count_opens(event: str, arguments: tuple) -> None:
        if counting and event == "open" and str(arguments[0]).endswith(".png"):
            opened.append(arguments[0])

    with tempfile.TemporaryDirectory() as folder:
        photos, path = Path(folder) / "photos", Path(folder) / "c.imgsim"
        photos.mkdir()
        make_files(photos, count)
        made = _Made()
        with Collection.create(path, recipe="gem", embedder=made) as collection:
            start = time.perf_counter()
            report = collection.add([photos])
            first = time.perf_counter() - start
        if (report.embedded, made.decoded) != (count, count):
            sys.exit(f"rescan: all files must be embedded (got {report})")
        seconds, processor = [], []
        made = _Made()
        for number in range(ROUNDS + 1):
            if number == ROUNDS:  # once more, to count and not to time
                sys.addaudithook(count_opens)
                counting = True
            start, used = time.perf_counter(), time.process_time()
            with Collection.open(path, write=True, embedder=made) as collection:
                report = collection.add([photos])
            seconds.append(time.perf_counter() - start)
            processor.append(time.process_time() - used)
            if report.unchanged != count:
                sys.exit(f"rescan: all files must be as they were (got {report})")
        counting = False
    return {
        "files": count,
        "first_s": first,
        "rescan_s": {
            "median": statistics.median(seconds[:-1]),
            "least": min(seconds[:-1]),
            "most": max(seconds[:-1]),
        },
        "rescan_processor_s": statistics.median(processor[:-1]),
        "load_average": os.getloadavg()[0],
        "opened": len(opened),
        "decoded": made.decoded,
    }


def main() -> None:
    """Measures what is asked for, prints and saves it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", choices=["rescan"])
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--out", type=Path, help="where the results go; default: benchmarks/results")
    given = parser.parse_args()
    facts = machine(os.cpu_count() or 1)
    print(machine_line(facts))
    found = rescan(given.files)
    times = found["rescan_s"]
    print(
        f"{found['files']:,} unchanged files: {times['median']:.2f} s ({times['least']:.2f} to {times['most']:.2f}; "
        f"{found['rescan_processor_s']:.2f} s of one processor, load average {found['load_average']:.0f}), "
        f"{found['opened']} opened, {found['decoded']} decoded; the first run without decoder {found['first_s']:.1f} s"
    )
    print(f"Results written to {save('collection-rescan', {'machine': facts, **found}, given.out)}")


if __name__ == "__main__":
    main()
