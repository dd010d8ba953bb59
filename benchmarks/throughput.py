"""Folders of JPEGs to vectors: pictures per second, in many ways.

    python benchmarks/throughput.py [--backbone resnet18] [--weights random:0] [--threads 2] [--photographs FOLDER]

The files are mosaics of scikit-image's photographs at three sizes, each file another photograph or another part of it,
saved at quality 90, the largest also at 75; `--photographs` takes JPEGs of one's own instead. They are in the system's
memory: no disk is measured. With one network and one set of weights:

- Pillow, torchvision transforms and eager PyTorch one by one, as one would write it: the baseline of all ratios;
- the same with PyTorch's DataLoader, one worker for each thread, and batches of 32;
- DataLoader before ONNX Runtime and before OpenVINO, both as they come, on the plain twin quantised by ONNX Runtime's
  own tool; and the same again with Pillow's `draft`, which decodes large JPEGs at reduced scale;
- imgsim's `Embedder.stream` in int8 and fp32, and in int8 with `exact=True`.

The peers of the third kind are tuned for each size: as many workers as threads and one thread for the network, or half
of the threads for each; OpenVINO's hints for latency and for throughput, in both cases with its queue, so that it
fetches while it infers. The best of a trial is what is measured.

With networks of their own, as their own users run them: imagededup (its network, with and without workers, and its
perceptual hash), img2vec-pytorch and open_clip; with random weights, since a rate needs no others. Left out where they
are not installed. sentence-transformers is not here: its networks for pictures come by name from a hub, configuration
and vocabulary included, and are the one of open_clip's row.

What bounds imgsim is measured beside it: only decoding and only inference, each on all threads and without any
machinery between; no pipeline on these processors can do better than 1 / (1 / decoding + 1 / inference). Statistics of
the channels are compared with decoding whole pictures.

Each way has a process of its own, which is warm. A turn goes through the folder as often as fills some `--seconds`, and
what a way starts for each turn (imgsim its readers, imagededup its workers) counts. Turns are taken in turn, and
medians of the rounds reported. Peak memory is that of the way's processes together while it works, in a turn that is
not timed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import math
import multiprocessing
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from _harness import (
    Child,
    PeakMemory,
    quantise_plainly,
    result_name,
    save,
    save_plot,
    weights_or_random,
)
from _mosaics import mosaic
from PIL import Image
from rich.console import Console
from rich.table import Table

from imgsim_ops import kernels
from imgsim_ops.evaluation.machine import describe, machine
from imgsim_ops.evaluation.plots import new_figure
from imgsim_ops.model_files.engine import create_engine
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.quality.photographs import find_photographs

PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
# Width, height and quality, and how many files of each.
SIZES = {(500, 375, 90): 96, (1600, 1200, 90): 48, (4000, 3000, 90): 16, (4000, 3000, 75): 16}
# A trial is that much shorter than a turn.
_TRIALS = 4

PLAIN = "PIL + torchvision + eager PyTorch, one by one"
IMGSIM = "imgsim, int8"
DECODE, INFERENCE, WHOLE, STATS = "decode only", "inference only", "decode only, whole", "imgsim stats"
# The plot has the most telling ways only.
PLOTTED = (
    "DataLoader + eager PyTorch, batches",
    "DataLoader + OpenVINO int8",
    "DataLoader + ONNX Runtime int8, PIL draft",
    "DataLoader + OpenVINO int8, PIL draft",
    "imgsim, int8, exact",
    IMGSIM,
)


@dataclass
class Way:
    """How to run one way.

    Attributes:
        settings: For `_throughput_ways.py`.
        variants: Further settings, of which the best is kept.
        network: What it computes; empty for the network of `--backbone`.
        package: What must be installed.
    """

    settings: dict
    variants: list[dict] = field(default_factory=lambda: [{}])
    network: str = ""
    package: str = "numpy"


@dataclass
class Choice:
    """How a way is run on the pictures of one size.

    Attributes:
        settings: For `_throughput_ways.py`.
        turn: What to ask.
        tuned: Those of the settings that were chosen.
        pictures: How many are in a turn.
        rate: Pictures per second in the trial.
        memory: The peak.
        vectors: Of the first few pictures.
    """

    settings: dict
    turn: dict
    tuned: dict
    pictures: int
    rate: float
    memory: PeakMemory
    vectors: np.ndarray


def make_ways(threads: int) -> dict[str, Way]:
    """All ways of the table."""
    half = max(1, threads // 2)
    splits = [{"workers": threads, "threads": 1}, {"workers": half, "threads": max(1, threads - half)}]
    # In trials 8 was as good as 1, 4 and 16, to the noise.
    shapes = [{**split, "batch": 8} for split in splits]
    hints = [{"hint": hint} for hint in ("LATENCY", "THROUGHPUT")]
    peers = {
        "ONNX Runtime int8": ("onnxruntime", shapes),
        "OpenVINO int8": ("openvino", [hint | shape for hint, shape in product(hints, shapes)]),
    }
    ways = {
        PLAIN: Way({"maker": "one_by_one"}),
        "DataLoader + eager PyTorch, batches": Way(
            {"maker": "data_loader", "network": "eager", "workers": threads, "batch": 32}
        ),
    }
    for (name, (network, variants)), draft in product(peers.items(), (False, True)):
        settings = {"maker": "data_loader", "network": network, "draft": draft}
        ways[f"DataLoader + {name}{', PIL draft' * draft}"] = Way(settings, variants, package=network)
    for precision, exact in (("int8", False), ("fp32", False), ("int8", True)):
        settings = {"maker": "imgsim", "precision": precision, "exact": exact}
        ways[f"imgsim, {precision}{', exact' * exact}"] = Way(settings)
    random = "random weights"
    ways |= {
        "imagededup, CNN": Way(
            {"maker": "imagededup_cnn"},
            [{"workers": 0}, {"workers": threads}],
            network=f"mobilenet_v3_small, {random}",
            package="imagededup",
        ),
        "imagededup, PHash": Way({"maker": "imagededup_phash"}, network="none: a hash", package="imagededup"),
        "img2vec-pytorch": Way({"maker": "img2vec"}, network=f"resnet18, {random}", package="img2vec_pytorch"),
        "open_clip": Way({"maker": "open_clip"}, network=f"ViT-B-32, {random}", package="open_clip"),
        DECODE: Way({"maker": "decode_only", "whole": False}, network="none"),
        INFERENCE: Way({"maker": "inference_only", "precision": "int8"}),
        WHOLE: Way({"maker": "decode_only", "whole": True}, network="none"),
        STATS: Way({"maker": "statistics"}, network="none"),
    }
    return ways


def make_folders(parent: Path) -> dict[str, Path]:
    """A folder of mosaics for each size."""
    sources = find_photographs(PHOTOGRAPHS)
    folders = {}
    for (width, height, quality), count in SIZES.items():
        folder = folders[f"{width} x {height}, q{quality}"] = parent / f"{width}x{height}-{quality}"
        folder.mkdir()
        for i in range(count):
            picture = mosaic(sources[i % len(sources)], (width, height), offset=37 * i)
            picture.save(folder / f"{i:03}.jpg", quality=quality)
    return folders


def link_photographs(parent: Path, photographs: Path) -> dict[str, Path]:
    """A folder with nothing but the JPEGs of another, for those that take whole folders."""
    paths = [path for path in photographs.iterdir() if path.suffix.lower() in (".jpg", ".jpeg")]
    if not paths:
        raise SystemExit(f"throughput: --photographs must have JPEGs in it (got {photographs})")
    folder = parent / "photographs"
    folder.mkdir()
    megapixels = []
    for path in paths:
        (folder / path.name).symlink_to(path.resolve())
        with Image.open(path) as image:
            megapixels.append(image.width * image.height / 1e6)
    return {f"own, {statistics.mean(megapixels):.1f} MP": folder}


def make_models(folder: Path, backbone: str, weights: str | None) -> Path:
    """Builds what imgsim's cache lacks; returns the quantised file for peers. Imports torch."""
    from imgsim_ops.export.files import export_files

    for precision in ("fp32", "int8"):
        create_engine("onnx", ModelSpec(backbone, weights, precision))
    export_files(folder / "single.onnx", backbone=backbone, weights=weights)
    quantise_plainly(folder / "single.plain.onnx", folder / "int8.onnx")
    return folder / "int8.onnx"


def choose(way: Way, shared: dict, folders: dict[str, Path], seconds: float) -> dict[str, Choice]:
    """The best variant for the pictures of each size; each is tried in a process that runs alone."""
    best: dict[str, Choice] = {}
    for variant in way.variants:
        settings = {**shared, **way.settings, **variant}
        with Child("_throughput_ways.py", settings) as child:
            for size, folder in folders.items():
                files = len(list(folder.iterdir()))
                child.ask(turn := {"folder": str(folder), "repeat": 1})  # threads and workers start
                while (found := child.ask(turn))["seconds"] < seconds / _TRIALS:
                    turn["repeat"] = math.ceil(turn["repeat"] * max(1.1, seconds / _TRIALS / found["seconds"]))
                rate = files * turn["repeat"] / found["seconds"]
                if size in best and best[size].rate >= rate:
                    continue
                with PeakMemory(child.process.pid) as memory:
                    child.ask(turn)
                turn["repeat"] *= _TRIALS
                vectors = np.array(found["vectors"][:files], np.float32)
                best[size] = Choice(settings, turn, variant, files * turn["repeat"], rate, memory, vectors)
    return best


def check(shared: dict, folders: dict[str, Path], plain: dict[str, Choice]) -> None:
    """The speed of a wrong answer means nothing: imgsim in fp32 on whole pictures must give the plain way's vectors."""
    exact = choose(Way({"maker": "imgsim", "precision": "fp32", "exact": True}), shared, folders, 0.0)
    for size, choice in exact.items():
        cosine = float(kernels.cosine_similarity(choice.vectors, plain[size].vectors).min())
        if not cosine > 0.999:
            raise SystemExit(f"throughput: imgsim must give the plain way's vectors (got cosine {cosine} at {size})")


def measure(choices: dict[str, Choice], rounds: int) -> dict[str, list[float]]:
    """Pictures per second of all ways in turn, on pictures of one size."""
    rates: dict[str, list[float]] = {name: [] for name in choices}
    with contextlib.ExitStack() as stack:
        children = {}
        for name, choice in choices.items():
            children[name] = stack.enter_context(Child("_throughput_ways.py", choice.settings))
            children[name].ask({**choice.turn, "repeat": 1})
        for _ in range(rounds):
            for name, choice in choices.items():
                rates[name].append(choice.pictures / children[name].ask(choice.turn)["seconds"])
    return rates


def row(choice: Choice, plain: Choice, rates: list[float], baseline: float, same_network: bool) -> dict[str, object]:
    """What the results have for one way and size."""
    median = statistics.median(rates)
    found = {
        "per_second": round(median, 2),
        "range": [round(min(rates), 2), round(max(rates), 2)],
        "speedup": round(median / baseline, 3),
        "memory_mib": None if choice.memory.mib is None else round(choice.memory.mib),
    }
    if same_network and choice.vectors.size:
        found["least_cosine"] = round(float(kernels.cosine_similarity(choice.vectors, plain.vectors).min()), 5)
    return found | ({"tuned": choice.tuned} if choice.tuned else {})


def bounds(ways: dict[str, dict], sizes: list[str]) -> dict[str, dict[str, float]]:
    """For each size what no pipeline can surpass, and how near imgsim comes to it."""

    def rate(name: str, size: str) -> float:
        return ways[name]["sizes"][size]["per_second"]

    found = {}
    for size in sizes:
        bound = 1 / (1 / rate(DECODE, size) + 1 / rate(INFERENCE, size))
        found[size] = {
            "per_second": round(bound, 2),
            "share": round(rate(IMGSIM, size) / bound, 3),
            "stats_share": round(rate(STATS, size) / rate(WHOLE, size), 3),
        }
    return found


def show(console: Console, document: dict) -> None:
    """Prints the table."""
    sizes = list(document["pictures"])
    table = Table("way", "network", *(f"{size}, /s" for size in sizes), *("times" for _ in sizes), "MiB", "cosine")
    for name, way in document["ways"].items():
        rows = way["sizes"].values()
        cells = [f"{row['per_second']:.1f}" for row in rows] + [f"{row['speedup']:.2f}" for row in rows]
        memory = max(row["memory_mib"] or 0 for row in rows)
        cosines = [row["least_cosine"] for row in rows if "least_cosine" in row]
        table.add_row(name, way["network"], *cells, str(memory), f"{min(cosines):.4f}" if cosines else "")
    console.print(table)
    for size, bound in document["bounds"].items():
        console.print(
            f"{size}: bound {bound['per_second']:.1f}/s, of which imgsim int8 {bound['share']:.0%}; "
            f"stats {bound['stats_share']:.0%} of decoding whole",
            highlight=False,
        )


def plot(document: dict, path: Path) -> None:
    """Grouped bars, as multiples of the baseline."""
    colours = ("#adb5bd", "#8ecae6", "#219ebc", "#126782", "#fdbb74", "#fb8500")
    figure = new_figure(9, 4.2)
    axes = figure.subplots()
    sizes = list(document["pictures"])
    width = 0.85 / len(PLOTTED)
    ways = [(name, document["ways"].get(name), colour) for name, colour in zip(PLOTTED, colours, strict=True)]
    for place, (name, way, colour) in enumerate(ways):
        if way is None:
            continue
        for group, size in enumerate(sizes):
            found = way["sizes"][size]
            x = group + (place - (len(PLOTTED) - 1) / 2) * width
            axes.bar(x, found["speedup"], width * 0.92, color=colour, label=None if group else name)
            axes.text(x, found["speedup"], f"{found['speedup']:.1f}", ha="center", va="bottom", fontsize=8)
    plain = document["ways"][PLAIN]["sizes"]
    labels = [f"{size}\n(one by one: {plain[size]['per_second']:.1f}/s)" for size in sizes]
    axes.set_xticks(range(len(sizes)), labels)
    axes.axhline(1, color="#6c757d", linewidth=0.8)
    facts = document["machine"]
    axes.set_ylabel("pictures per second,\ntimes PIL + eager PyTorch one by one")
    axes.set_title(f"{document['backbone']}; {facts['processor']}, {facts['threads']} threads", fontsize=9, loc="right")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.06), ncols=2, frameon=False, fontsize=9)
    save_plot(figure, path)


def main() -> None:
    """Chooses, checks, measures, prints, and writes JSON and a plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--weights", help="default: ImageNet's, or random:0 where they cannot be had")
    parser.add_argument("--photographs", type=Path, help="a folder with JPEGs of one's own")
    parser.add_argument("--threads", type=int, default=kernels.build_info()["threads"])
    parser.add_argument("--only", nargs="+", metavar="WORD", help="ways with such words, the baseline and the bounds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="that a turn takes, about")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="where to write the plot (SVG)")
    options = parser.parse_args()
    console = Console(width=200)
    weights = weights_or_random(console, options.backbone, options.weights)
    packages = ("torchvision", "pillow", "simplejpeg", "onnxruntime-gpu", "onnxruntime", "openvino")
    others = ("imagededup", "img2vec-pytorch", "open-clip-torch")
    facts = machine(options.threads, (*packages, *others))
    console.print(describe(facts), highlight=False)
    ways = make_ways(options.threads)
    if options.only:
        always = (PLAIN, IMGSIM, DECODE, INFERENCE, WHOLE, STATS)
        ways = {name: way for name, way in ways.items() if name in always or any(map(name.__contains__, options.only))}
    for name in [name for name, way in ways.items() if importlib.util.find_spec(way.package) is None]:
        console.print(f"{name}: {ways.pop(name).package} is not installed: left out")

    with tempfile.TemporaryDirectory() as temporary:
        parent = Path(temporary)
        folders = link_photographs(parent, options.photographs) if options.photographs else make_folders(parent)
        pictures = {}
        for size, folder in folders.items():
            lengths = [path.stat().st_size for path in folder.iterdir()]
            pictures[size] = {"files": len(lengths), "mean_bytes": round(statistics.mean(lengths))}
            console.print(f"{size}: {len(lengths)} files of {statistics.mean(lengths) / 1e3:,.0f} kB on average")
        # In a process of its own: PSS would count the libraries that this one holds too as half a way's.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            model = pool.submit(make_models, parent, options.backbone, weights).result()
        shared = {"backbone": options.backbone, "weights": weights, "threads": options.threads, "model": str(model)}
        choices = {}
        for name, way in ways.items():
            choices[name] = choose(way, shared, folders, options.seconds)
            trial = {size: f"{choice.rate:.1f}/s {choice.tuned or ''}" for size, choice in choices[name].items()}
            console.print(f"{name}: {trial}", highlight=False)
            if name == PLAIN:
                check(shared, folders, choices[PLAIN])
        rates = {size: measure({name: choices[name][size] for name in ways}, options.rounds) for size in folders}

    found = {}
    for name, way in ways.items():
        found[name] = {"network": way.network or options.backbone, "sizes": {}}
        for size in folders:
            baseline = statistics.median(rates[size][PLAIN])
            arguments = (choices[name][size], choices[PLAIN][size], rates[size][name], baseline, not way.network)
            found[name]["sizes"][size] = row(*arguments)
    document = {
        "machine": facts,
        "backbone": options.backbone,
        "weights": weights or "ImageNet",
        "memory": choices[PLAIN][next(iter(folders))].memory.kind,
        "pictures": pictures,
        "ways": found,
        "bounds": bounds(found, list(folders)),
    }
    show(console, document)
    name = "throughput-photographs" if options.photographs else "throughput"
    path = save(result_name(name, options.backbone), document, options.json)
    console.print(f"Results written to {path}", highlight=False)
    if options.plot:
        plot(document, options.plot)
        console.print(f"Plot written to {options.plot}", highlight=False)


if __name__ == "__main__":
    main()
