"""What every benchmark here shares: fair timing, facts about the machine, a table, a JSON file."""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def time_in_turn(
    contenders: dict[str, Callable[[], object]], rounds: int = 9, calls: int = 3
) -> dict[str, list[float]]:
    """Seconds per call of each contender, all measured in turn, so that a drifting machine is fair to all.

    Each round runs every contender `calls` times in a row after one call that is not counted: a thread pool that still
    spins after another contender's turn would otherwise be charged to this one.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            call()
            for _ in range(calls):
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
    return times


def summarise(times: dict[str, list[float]], baseline: str) -> dict[str, dict[str, float]]:
    """Median and quartiles in milliseconds, and how many times faster than the baseline's median."""
    base = statistics.median(times[baseline])
    summary = {}
    for name, values in times.items():
        low, middle, high = statistics.quantiles(values, n=4)
        summary[name] = {
            "median_ms": round(middle * 1e3, 4),
            "quartiles_ms": [round(low * 1e3, 4), round(high * 1e3, 4)],
            "speedup": round(base / statistics.median(values), 3),
        }
    return summary


def machine(threads: int, packages: tuple[str, ...] = ()) -> dict[str, object]:
    """The processor, its instruction sets in use, threads and package versions."""
    from imgsim_ops import kernels

    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    versions = {}
    for package in ("imgsim-ops", "torch", "numpy", *packages):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": processor,
        "cores": kernels.build_info()["threads"],
        "threads": threads,
        "instruction_set": kernels.build_info()["isa"],
        "python": platform.python_version(),
        "versions": versions,
    }


def describe(facts: dict[str, object]) -> str:
    """The machine in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['threads']} threads, "
        f"{facts['instruction_set']}; Python {facts['python']}, {versions}"
    )


def show(console: Console, title: str, summary: dict[str, dict[str, float]], baseline: str) -> None:
    """Prints one comparison as a table."""
    table = Table(title=title, title_justify="left")
    table.add_column("contender")
    table.add_column("median ms", justify="right")
    table.add_column("quartiles", justify="right")
    table.add_column(f"times {baseline}", justify="right")
    for name, row in summary.items():
        low, high = row["quartiles_ms"]
        table.add_row(name, f"{row['median_ms']:.3f}", f"{low:.3f} - {high:.3f}", f"{row['speedup']:.2f}")
    console.print(table)


def save(name: str, document: dict[str, object], out: Path | None = None) -> Path:
    """Writes the results as JSON; returns the path."""
    path = out or RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def find_app() -> Path | None:
    """The built imgsim_app: IMGSIM_APP, build/app, or the path."""
    for candidate in (os.environ.get("IMGSIM_APP"), ROOT / "build/app/imgsim_app", shutil.which("imgsim_app")):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    return None
