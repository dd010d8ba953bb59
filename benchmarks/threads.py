"""Channel statistics of a folder, reading and decoding counted, on one thread and on several.

    python benchmarks/threads.py

Makes photographs of 400 to 1,600 pixels width in a temporary folder and runs `imgsim_app --stats` and
`imgsim stats` over it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _harness import find_app, save
from PIL import Image

from imgsim_ops import kernels
from imgsim_ops.demo import PHOTOGRAPHS
from imgsim_ops.evaluation.machine import describe, machine
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.statistics import channel_statistics
from imgsim_ops.quality.photographs import find_photographs

WIDTHS = (400, 640, 800, 1024, 1280, 1600)
ROUNDS = 9


def make_pictures(folder: Path) -> list[Path]:
    """Each photograph in each width, as JPEG."""
    paths = []
    for source in find_photographs(PHOTOGRAPHS):
        image = Image.open(source).convert("RGB")
        for width in WIDTHS:
            paths.append(folder / f"{source.stem}-{width}.jpg")
            image.resize((width, round(image.height * width / image.width))).save(paths[-1], quality=90)
    return paths


def main() -> None:
    """Measures both programs, prints and saves the tables."""
    app = find_app()
    if app is None:
        sys.exit("threads: needs imgsim_app; run cmake --workflow --preset app")
    threads = kernels.build_info()["threads"]
    with tempfile.TemporaryDirectory() as folder:
        paths = make_pictures(Path(folder))
        command = [app, "--stats", folder, "--repeat", str(ROUNDS), "--json"]
        document = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        seconds: dict[int, list[float]] = {count: [] for count in (1, threads)}
        for _ in range(ROUNDS):
            for count, values in seconds.items():
                values.append(channel_statistics(paths, ReadOptions(count)).seconds)
    rows = {"imgsim_app": [[row["threads"], row["microseconds"]] for row in document["timings"]]}
    rows["imgsim stats (Python)"] = [[count, statistics.median(v) * 1e6] for count, v in seconds.items()]
    facts = machine(threads, ("torchvision", "pillow"))
    print(describe(facts))
    table = []
    for program, timings in rows.items():
        for count, microseconds in timings:
            speedup = timings[0][1] / microseconds
            table.append([program, count, round(microseconds), round(speedup, 3)])
            print(f"{program:24} {count:3} threads {microseconds:12,.0f} us {speedup:6.2f}x")
    result = {"machine": facts, "pictures": document["pictures"], "pixels": document["pixels"], "rows": table}
    print(f"Results written to {save('threads', result)}")


if __name__ == "__main__":
    main()
