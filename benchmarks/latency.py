"""One comparison of two photographs, from files to a score, in many ways.

    python benchmarks/latency.py [--backbone resnet18] [--weights random:0] [--threads 2] [--plot docs/latency.svg]

Every way decodes both files, brings them to 224 x 224, runs one network with one set of weights and takes the cosine:

- plain PyTorch: Pillow, torchvision transforms, eager torchvision network, picture by picture, as one would write it;
- imgsim with each of its engines and precisions, and its pair model;
- ONNX Runtime as it comes, on imgsim's plain twin, and on that twin quantised by ONNX Runtime's own tool;
- OpenVINO on the same quantised file, where it is installed;
- imgsim_app: the C++ program on the exported TorchScript file, where it is built.

Warm times are medians inside a running process, one for each way, taken in turn; cold ones are whole processes, from
start to score. Where ImageNet weights cannot be had, random ones are used: the time is the same, the score means
nothing, and the output says so.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from _harness import (
    Child,
    find_app,
    quantise_plainly,
    result_name,
    save,
    save_plot,
    weights_or_random,
)
from _ways import STEPS
from PIL import Image
from rich.console import Console
from rich.table import Table

from imgsim_ops import kernels
from imgsim_ops.demo import PHOTOGRAPHS
from imgsim_ops.evaluation.machine import describe, machine
from imgsim_ops.evaluation.plots import new_figure
from imgsim_ops.model_files.cache import model_file
from imgsim_ops.model_files.engine import create_engine
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.quality.photographs import find_photographs

PLAIN = "plain PyTorch"
PAIR, APP = "imgsim, pair model", "imgsim_app (C++)"
PAIRS_ONLY = (PAIR, APP)


def make_ways(folder: Path, backbone: str, weights: str | None, threads: int, app: Path | None) -> dict[str, dict]:
    """Exports every file that is needed into the folder; returns each way's settings. Imports torch."""
    from imgsim_ops.export.files import export_files

    single, pair, script = folder / "single.onnx", folder / "pair.onnx", folder / "single.pt"
    export_files(single, backbone=backbone, weights=weights)
    export_files(pair, backbone=backbone, weights=weights, pair=True)
    export_files(script, backbone=backbone, weights=weights)
    plain, int8 = folder / "single.plain.onnx", folder / "int8.onnx"
    quantise_plainly(plain, int8)
    shared = {
        "backbone": backbone,
        "weights": weights,
        "threads": threads,
        "paths": [str(path) for path in make_pair(folder)],
    }
    ways = {
        PLAIN: {"maker": PLAIN},
        "imgsim, eager PyTorch": {"maker": "engine", "engine": "torch", "precision": "fp32"},
        "imgsim, TorchScript": {"maker": "engine", "engine": "torchscript", "precision": "fp32"},
        "stock ONNX Runtime": {"maker": "onnxruntime", "model": str(plain)},
        "imgsim": {"maker": "engine", "engine": "onnx", "precision": "fp32"},
        PAIR: {"maker": "pair", "model": str(pair)},
        "stock ONNX Runtime, int8": {"maker": "onnxruntime", "model": str(int8)},
        "OpenVINO, int8": {"maker": "openvino", "model": str(int8)},
        "imgsim, int8": {"maker": "engine", "engine": "onnx", "precision": "int8"},
        APP: {"maker": "app", "model": str(script), "app": str(app)},
    }
    if importlib.util.find_spec("openvino") is None:
        del ways["OpenVINO, int8"]
    if app is None:
        del ways[APP]
    # Builds what the cache lacks, so that neither a way nor a cold start does.
    for precision in ("fp32", "int8"):
        create_engine("onnx", ModelSpec(backbone, weights, precision))
    return {name: {**shared, **way} for name, way in ways.items()}


def make_pair(folder: Path) -> list[Path]:
    """Two photographs as JPEG files of 500 x 375."""
    paths = []
    for source in find_photographs(PHOTOGRAPHS[:2]):
        path = folder / f"{source.stem}.jpg"
        Image.open(source).convert("RGB").resize((500, 375)).save(path, quality=90)
        paths.append(path)
    return paths


def measure_warm(ways: dict[str, dict], rounds: int) -> dict[str, dict]:
    """All ways in turn."""
    with contextlib.ExitStack() as stack:
        children = {}
        for name, settings in ways.items():
            children[name] = stack.enter_context(Child("_ways.py", settings))
            children[name].ask(1)
        found = {name: [] for name in ways}
        for _ in range(rounds):
            for name, child in children.items():
                found[name].append(child.ask(1 if name == APP else 3))
        rows = {}
        for name, child in children.items():
            steps = [run for turn in found[name] for run in turn["steps"]]
            ones = [one for turn in found[name] for one in turn["ones"]]
            rows[name] = {
                "total_ms": round(statistics.median(map(sum, steps)), 3),
                "steps_ms": {
                    step: round(statistics.median(run[i] for run in steps), 4) for i, step in enumerate(STEPS)
                },
                # The pair model and the C++ program always take two pictures.
                "forward_one_ms": None if name in PAIRS_ONLY else round(statistics.median(ones), 4),
                "score": found[name][-1]["score"],
                "memory_mib": round(child.close()),
            }
    for row in rows.values():
        row["speedup"] = round(rows[PLAIN]["total_ms"] / row["total_ms"], 3)
    return rows


def cold_commands(ways: dict[str, dict]) -> dict[str, list[str]]:
    """Whole processes, from start to score."""
    settings = ways[PLAIN]
    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from _ways import plain_pytorch
print(plain_pytorch({settings!r}).run()[0])
"""
    files = settings["paths"]
    compare = [sys.executable, "-m", "imgsim_ops.cli", "compare", *files, "--backbone", settings["backbone"]]
    compare += [
        "--threads",
        str(settings["threads"]),
        *(["--weights", settings["weights"]] if settings["weights"] else []),
    ]
    commands = {
        PLAIN: [sys.executable, "-c", script],
        "imgsim compare --engine torch": [*compare, "--engine", "torch"],
        "imgsim compare --precision fp32": [*compare, "--precision", "fp32"],
        "imgsim compare --precision int8": [*compare, "--precision", "int8"],
    }
    if APP in ways:
        app = ways[APP]
        commands["imgsim_app"] = [app["app"], "--model", app["model"], "--threads", str(app["threads"]), *files]
    return commands


def measure_cold(commands: dict[str, list[str]], rounds: int) -> dict[str, dict]:
    """All commands in turn, after one round that is not counted: files come from the system's memory."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    memory: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            _, status, usage = os.wait4(process.pid, 0)
            if status:
                raise SystemExit(f"latency: {name} failed: {process.stderr.read().decode()}")
            process.stderr.close()
            if turn:
                seconds[name].append(time.perf_counter() - start)
                memory[name].append(usage.ru_maxrss / 1024)
    rows = {
        name: {"median_s": round(statistics.median(seconds[name]), 3), "memory_mib": round(max(memory[name]))}
        for name in commands
    }
    for row in rows.values():
        row["speedup"] = round(rows[PLAIN]["median_s"] / row["median_s"], 3)
    return rows


def plot(rows: dict[str, dict], facts: dict, path: Path) -> None:
    """Stacked bars of the warm steps."""
    colours = ("#8ecae6", "#219ebc", "#fb8500", "#6a4c93")
    figure = new_figure(9, 0.45 * len(rows) + 1.4)
    axes = figure.subplots()
    names = list(rows)[::-1]
    left = [0.0] * len(names)
    for step, colour in zip(STEPS, colours, strict=True):
        widths = [rows[name]["steps_ms"][step] for name in names]
        axes.barh(names, widths, left=left, color=colour, label=step, height=0.6)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    for y, (name, total) in enumerate(zip(names, left, strict=True)):
        axes.text(total, y, f"  {total:.1f} ms, {rows[name]['speedup']:.2f}x", va="center")
    axes.set_xlim(0, max(left) * 1.22)
    axes.set_xlabel(f"milliseconds, warm, two 500 x 375 JPEGs; {facts['processor']}, {facts['threads']} threads")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(ncols=len(STEPS), loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
    save_plot(figure, path)


def show(console: Console, warm: dict[str, dict], cold: dict[str, dict]) -> None:
    """Prints both tables."""
    table = Table(title="Warm: medians in ms", title_justify="left")
    for column in ("way", *STEPS, "total", "times plain", "one forward", "MiB", "score"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for name, row in warm.items():
        steps = [f"{row['steps_ms'][step]:.2f}" for step in STEPS]
        one = "" if row["forward_one_ms"] is None else f"{row['forward_one_ms']:.2f}"
        numbers = [f"{row['total_ms']:.2f}", f"{row['speedup']:.2f}", one, str(row["memory_mib"])]
        table.add_row(name, *steps, *numbers, f"{row['score']:.6f}")
    console.print(table)
    table = Table("way", "seconds", "times plain", "MiB", title="Cold: whole processes", title_justify="left")
    for name, row in cold.items():
        table.add_row(name, f"{row['median_s']:.2f}", f"{row['speedup']:.2f}", str(row["memory_mib"]))
    console.print(table)


def main() -> None:
    """Measures all ways in turn, prints tables, writes JSON and a plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--weights", help="default: ImageNet's, or random:0 where they cannot be had")
    parser.add_argument("--threads", type=int, default=kernels.build_info()["threads"])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="where to write the plot (SVG)")
    options = parser.parse_args()
    console = Console(width=130)
    weights = weights_or_random(console, options.backbone, options.weights)
    facts = machine(options.threads, ("torchvision", "pillow", "onnxruntime-gpu", "onnxruntime", "openvino"))
    console.print(describe(facts), highlight=False)

    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: Linux counts the size of the process that starts another to the other's peak.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            arguments = (Path(folder), options.backbone, weights, options.threads, find_app())
            ways = pool.submit(make_ways, *arguments).result()
        if APP not in ways:
            console.print("imgsim_app is not built (cmake --workflow --preset app): left out")
        if "OpenVINO, int8" not in ways:
            console.print("openvino is not installed: left out")
        warm = measure_warm(ways, options.rounds)
        cold = measure_cold(cold_commands(ways), options.rounds)

    show(console, warm, cold)
    gate = model_file(ModelSpec(options.backbone, weights, "int8")).facts["gate"]
    document = {"machine": facts, "backbone": options.backbone, "weights": weights or "ImageNet", "gate": gate}
    path = save(result_name("latency", options.backbone), {**document, "warm": warm, "cold": cold}, options.json)
    console.print(f"Results written to {path}", highlight=False)
    if options.plot:
        plot(warm, facts, options.plot)
        console.print(f"Plot written to {options.plot}", highlight=False)


if __name__ == "__main__":
    main()
