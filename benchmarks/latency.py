"""One comparison of two photographs, from files to a score, four ways.

    python benchmarks/latency.py [--backbone resnet18] [--weights random:0] [--threads 2] [--plot docs/latency.svg]

Every way decodes both files, brings them to 224 x 224, runs one network with one set of weights and takes the cosine:

- plain PyTorch: Pillow, torchvision transforms, eager torchvision network, picture by picture, as one would write it;
- imgsim, eager PyTorch: imgsim's reader, resize_crop, folded network, multiscale_pool, cosine_similarity;
- imgsim, TorchScript: the same, scripted;
- imgsim_app: the C++ program on the exported file.

Warm times are medians inside a running process; cold ones are whole processes, from start to score. Where ImageNet
weights cannot be had, random ones are used: the time is the same, the score means nothing, and the output says so.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from _harness import describe, find_app, machine, save
from PIL import Image
from rich.console import Console
from rich.table import Table
from torchvision import transforms

from imgsim_ops import kernels, reference
from imgsim_ops.demo import PHOTOGRAPHS
from imgsim_ops.engines.create import create_engine
from imgsim_ops.engines.torchscript import save as save_torchscript
from imgsim_ops.errors import WeightsError
from imgsim_ops.images.decode import decode
from imgsim_ops.models.backbones import Backbone
from imgsim_ops.models.extractor import build_extractor
from imgsim_ops.models.weights import load_backbone
from imgsim_ops.quality.photographs import find_photographs

STEPS = ("decode", "preprocess", "forward", "cosine")
Run = Callable[[], tuple[float, list[float]]]


def _milliseconds(marks: list[float]) -> list[float]:
    return [(after - before) * 1e3 for before, after in pairwise(marks)]


def plain_pytorch(backbone: Backbone, paths: list[Path]) -> Run:
    """Pillow, torchvision transforms and eager PyTorch."""
    crop = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.PILToTensor()])

    def run() -> tuple[float, list[float]]:
        marks = [time.perf_counter()]
        images = [Image.open(path).convert("RGB") for path in paths]
        marks.append(time.perf_counter())
        pixels = [crop(image).permute(1, 2, 0)[None] for image in images]
        marks.append(time.perf_counter())
        with torch.inference_mode():
            vectors = [reference.multiscale_embedding(backbone, picture) for picture in pixels]
            marks.append(time.perf_counter())
            score = torch.nn.functional.cosine_similarity(*vectors).item()
        marks.append(time.perf_counter())
        return score, _milliseconds(marks)

    return run


def imgsim_engine(name: str, paths: list[Path], backbone: str, weights: str | None, threads: int) -> Run:
    """The path of imgsim through one of its engines."""
    engine = create_engine(name, backbone=backbone, weights=weights, threads=threads)

    def run() -> tuple[float, list[float]]:
        marks = [time.perf_counter()]
        images = [decode(path) for path in paths]
        marks.append(time.perf_counter())
        pixels = np.stack([kernels.resize_crop(image) for image in images])
        marks.append(time.perf_counter())
        a, b = engine.embed(pixels)
        marks.append(time.perf_counter())
        score = float(kernels.cosine_similarity(a, b))
        marks.append(time.perf_counter())
        return score, _milliseconds(marks)

    return run


def imgsim_app(app: Path, model: Path, paths: list[Path], threads: int) -> Run:
    """The C++ program: one call runs it several times inside and reports the medians."""

    def run() -> tuple[float, list[float]]:
        command = [app, "--model", model, "--threads", str(threads), "--repeat", "15", "--json", *paths]
        document = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        return document["score"], [document["median_ms"][step] for step in STEPS]

    return run


def cold_commands(
    app: Path | None, model: Path, paths: list[Path], backbone: str, weights: str | None, threads: int
) -> dict[str, list[str]]:
    """Whole processes, from start to score."""
    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import torch; torch.set_num_threads({threads})
from pathlib import Path
from latency import plain_pytorch, load_backbone
print(plain_pytorch(load_backbone({backbone!r}, {weights!r}), [Path(p) for p in sys.argv[1:]])()[0])
"""
    files = [str(path) for path in paths]
    compare = [sys.executable, "-m", "imgsim_ops.cli", "compare", "--backbone", backbone, "--threads", str(threads)]
    commands = {
        "plain PyTorch": [sys.executable, "-c", script, *files],
        "imgsim compare": [*compare, *(["--weights", weights] if weights else []), *files],
    }
    if app is not None:
        commands["imgsim_app"] = [str(app), "--model", str(model), "--threads", str(threads), *files]
    return commands


def make_pair(folder: Path) -> list[Path]:
    """Two photographs as JPEG files of 500 x 375."""
    paths = []
    for source in find_photographs(PHOTOGRAPHS[:2]):
        path = folder / f"{source.stem}.jpg"
        Image.open(source).convert("RGB").resize((500, 375)).save(path, quality=90)
        paths.append(path)
    return paths


def plot(rows: dict[str, dict], facts: dict, path: Path) -> None:
    """Stacked bars of the warm steps."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    colours = ("#8ecae6", "#219ebc", "#fb8500", "#6a4c93")
    figure, axes = pyplot.subplots(figsize=(9, 0.7 * len(rows) + 1.4))
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
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    matplotlib.rcParams["svg.hashsalt"] = "imgsim"
    figure.savefig(path, metadata={"Date": None})


def show(console: Console, rows: dict[str, dict], cold: dict[str, dict]) -> None:
    """Prints both tables."""
    table = Table(title="Warm: medians in ms", title_justify="left")
    for column in ("way", *STEPS, "total", "times plain", "score"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for name, row in rows.items():
        steps = [f"{row['steps_ms'][step]:.2f}" for step in STEPS]
        table.add_row(name, *steps, f"{row['total_ms']:.2f}", f"{row['speedup']:.2f}", f"{row['score']:.6f}")
    console.print(table)
    table = Table("way", "seconds", "times plain", title="Cold: whole processes", title_justify="left")
    for name, row in cold.items():
        table.add_row(name, f"{row['median_s']:.2f}", f"{row['speedup']:.2f}")
    console.print(table)


def main() -> None:
    """Measures all ways in turn, prints tables, writes JSON and a plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--weights", help="default: ImageNet's, or random:0 where they cannot be had")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="where to write the plot (SVG)")
    options = parser.parse_args()
    console = Console(width=110)
    torch.set_num_threads(options.threads)
    weights = options.weights
    try:
        backbone = load_backbone(options.backbone, weights)
    except WeightsError as error:
        console.print(f"{error}\nTiming with random:0 instead; the scores mean nothing.", highlight=False)
        weights = "random:0"
        backbone = load_backbone(options.backbone, weights)
    facts = machine(options.threads, ("torchvision", "pillow"))
    console.print(describe(facts), highlight=False)

    with tempfile.TemporaryDirectory() as folder:
        paths = make_pair(Path(folder))
        model = Path(folder) / "model.pt"
        save_torchscript(build_extractor(options.backbone, weights), model)
        ways: dict[str, Run] = {
            "plain PyTorch": plain_pytorch(backbone, paths),
            "imgsim, eager PyTorch": imgsim_engine("torch", paths, options.backbone, weights, options.threads),
            "imgsim, TorchScript": imgsim_engine("torchscript", paths, options.backbone, weights, options.threads),
        }
        app = find_app()
        if app is None:
            console.print("imgsim_app is not built (cmake --workflow --preset app): left out")
        else:
            ways["imgsim_app (C++)"] = imgsim_app(app, model, paths, options.threads)

        samples: dict[str, list[list[float]]] = {name: [] for name in ways}
        scores: dict[str, float] = {}
        for _ in range(options.rounds):
            for name, run in ways.items():
                run()
                for _ in range(1 if "C++" in name else 3):
                    scores[name], steps = run()
                    samples[name].append(steps)
        rows = {}
        for name, times in samples.items():
            total = statistics.median(sum(steps) for steps in times)
            steps = {step: round(statistics.median(t[i] for t in times), 4) for i, step in enumerate(STEPS)}
            rows[name] = {"total_ms": round(total, 3), "steps_ms": steps, "score": scores[name]}
        for row in rows.values():
            row["speedup"] = round(rows["plain PyTorch"]["total_ms"] / row["total_ms"], 3)

        commands = cold_commands(app, model, paths, options.backbone, weights, options.threads)
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(max(3, options.rounds // 2)):
            for name, command in commands.items():
                start = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                seconds[name].append(time.perf_counter() - start)
        cold = {name: {"median_s": round(statistics.median(values), 3)} for name, values in seconds.items()}
        for row in cold.values():
            row["speedup"] = round(cold["plain PyTorch"]["median_s"] / row["median_s"], 3)

    show(console, rows, cold)
    document = {"machine": facts, "backbone": options.backbone, "weights": weights or "ImageNet"}
    path = save("latency", {**document, "warm": rows, "cold": cold}, options.json)
    console.print(f"Results written to {path}", highlight=False)
    if options.plot:
        plot(rows, facts, options.plot)
        console.print(f"Plot written to {options.plot}", highlight=False)


if __name__ == "__main__":
    main()
