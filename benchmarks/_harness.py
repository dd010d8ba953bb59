"""What every benchmark here shares: fair timing, facts about the machine, a table, a JSON file."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from imgsim_ops.evaluation.plots import svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
# Threads of some libraries spin for a tenth of a second after a call, on processors that the next way needs.
SETTLE_S = 0.2


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


def result_name(name: str, backbone: str) -> str:
    """What the file of a benchmark's results is called: that of resnet18 has the plain name."""
    return name if backbone == "resnet18" else f"{name}-{backbone}"


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


class Child:
    """A way in a process of its own: one for all would charge one library's spinning threads to the next way."""

    def __init__(self, script: str, settings: dict) -> None:
        command = [sys.executable, str(Path(__file__).parent / script), json.dumps(settings)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._peak_mib: float | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type | None, *rest: object) -> None:
        if kind is not None:
            self.process.kill()
        self.close()

    def ask(self, question: object) -> dict:
        """Sends a line of JSON and waits for the answer, then for the threads to settle."""
        with suppress(BrokenPipeError):  # the missing answer says so
            self.process.stdin.write(f"{json.dumps(question)}\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        time.sleep(SETTLE_S)
        if not line:
            raise SystemExit("benchmark: a way failed; its error stands above")
        return json.loads(line)

    def close(self) -> float:
        """Ends the process; returns the most memory it had, in MiB."""
        if self._peak_mib is None:
            with suppress(BrokenPipeError):
                self.process.stdin.close()
            self.process.stdout.close()
            _, _, usage = os.wait4(self.process.pid, 0)
            self._peak_mib = usage.ru_maxrss / 1024
        return self._peak_mib


class PeakMemory:
    """The most memory that a process and its descendants have together, sampled while the context lasts (Linux only).

    Sampling slows them down: nothing is to be timed at the same time.

    Attributes:
        kind: ``PSS``, where pages that several processes share count once, or ``RSS`` where the kernel has no PSS.
        mib: The peak; None where there is no /proc.
    """

    def __init__(self, pid: int) -> None:
        self.kind = "PSS" if Path("/proc/self/smaps_rollup").exists() else "RSS"
        self.mib: float | None = None
        self._pid, self._over = pid, threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> PeakMemory:
        if Path("/proc/self/status").exists():
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _sample(self) -> None:
        file, field = ("smaps_rollup", "Pss:") if self.kind == "PSS" else ("status", "VmRSS:")
        while True:
            held = 0
            for pid in _tree(self._pid):
                with suppress(OSError):  # it has just ended
                    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
                    held += sum(int(line.split()[1]) for line in lines if line.startswith(field))
            self.mib = max(self.mib or 0.0, held / 1024)
            if self._over.wait(0.02):
                return


def _tree(root: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name, in brackets, may hold anything.
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(status.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def weights_or_random(console: Console, backbone: str, weights: str | None) -> str | None:
    """The weights asked for; where they are ImageNet's and cannot be had, random ones, and a line that says so."""
    from imgsim_ops.models.locations import weights_source

    if weights is None and weights_source(backbone, None) is None:
        console.print("No ImageNet weights here: timing with random:0 instead; the scores mean nothing.")
        return "random:0"
    return weights


def quantise_plainly(source: Path, target: Path) -> None:
    """ONNX Runtime's static quantisation with its own settings but for what the network needs (Clip and Add too)."""
    import logging

    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    from imgsim_ops.export.recipes import calibration_pixels

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.remaining = iter(calibration_pixels())

        def get_next(self) -> dict | None:
            picture = next(self.remaining, None)
            return None if picture is None else {"pixels": picture[None]}

    logging.disable(logging.WARNING)
    quantize_static(
        source,
        target,
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "Add", "Clip", "Relu", "MaxPool"],
    )
    logging.disable(logging.NOTSET)


def save_plot(figure: Figure, path: Path) -> None:
    """Writes a figure as SVG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg(figure))
