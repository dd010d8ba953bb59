"""The operators against PyTorch's own and against libraries made for the same job, in one run.

    python benchmarks/operators.py [--threads 2] [--rows 200000] [--only WORD] [--json FILE]

Peers (SimSIMD, NumKong, FAISS, USearch) are measured where they are installed (`pip install -e .[bench]`), the rest
always.
"""

from __future__ import annotations

import argparse
import os

# Some machines pin an old OpenBLAS kernel, which slows NumPy and FAISS down; a fair comparison lets them choose.
os.environ.pop("OPENBLAS_CORETYPE", None)

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _harness import save, show, summarise, time_in_turn
from PIL import Image
from rich.console import Console

from imgsim_ops import kernels, ops
from imgsim_ops.evaluation.machine import machine, machine_line
from imgsim_ops.torch_ops import reference

Contenders = dict[str, Callable[[], object]]


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _embeddings(rows: int, spread: float) -> torch.Tensor:
    """Vectors like real embeddings: positive, all pointing roughly one way, the more so the smaller the spread."""
    return (torch.rand(1, 512) + spread * torch.randn(rows, 40) @ torch.randn(40, 512) / 40**0.5).clamp_min(0)


def cosine_scan(rows: int, threads: int) -> Contenders:
    """One query against a gallery."""
    query, gallery = torch.randn(1, 512), torch.randn(rows, 512)
    contenders: Contenders = {
        "torch cosine_similarity": lambda: torch.nn.functional.cosine_similarity(query, gallery),
        "imgsim cosine_similarity": lambda: ops.cosine_similarity(query, gallery),
        "torch sum of the gallery (reads it once)": lambda: gallery.sum(),
        "torch max of the gallery (reads it once)": lambda: gallery.max(),
    }
    q, g = query.numpy(), gallery.numpy()
    if _installed("simsimd"):
        import simsimd

        contenders["SimSIMD cdist"] = lambda: simsimd.cdist(q, g, metric="cosine", threads=threads)
    if _installed("numkong"):
        import numkong

        contenders["NumKong cdist"] = lambda: numkong.cdist(q, g, metric="angular", threads=threads)
    return contenders


def scan_by_dtype(rows: int, threads: int) -> Contenders:
    """The best 10 for one query, and as yardsticks the fastest readers there are, over the same bytes."""
    gallery = np.random.default_rng(0).standard_normal((rows, 512), np.float32)
    contenders: Contenders = {}
    for dtype in ("float32", "float16", "int8"):
        g = kernels.quantize_rows(gallery) if dtype == "int8" else gallery.astype(dtype)
        words = torch.from_numpy(g.view(np.float32))
        integers = torch.from_numpy(g.view(np.int64))
        contenders[f"torch max of {dtype}, as float32"] = lambda words=words: words.max()
        contenders[f"torch sum of {dtype}, as int64"] = lambda integers=integers: integers.sum()
        contenders[f"imgsim cosine_topk, {dtype}"] = lambda g=g: kernels.cosine_topk(g[:1], g, 10)
        contenders[f"imgsim cosine_similarity, {dtype}"] = lambda g=g: kernels.cosine_similarity(g[:1], g)
    return contenders


def topk(rows: int, threads: int) -> Contenders:
    """64 queries, the best 10."""
    queries, gallery = torch.randn(64, 512), torch.randn(rows, 512)
    contenders: Contenders = {
        "torch mm + topk": lambda: torch.topk(queries @ gallery.T, 10),
        "imgsim cosine_topk": lambda: ops.cosine_topk(queries, gallery, 10),
    }
    if _installed("faiss"):
        import faiss

        faiss.omp_set_num_threads(threads)
        index = faiss.IndexFlatIP(512)
        index.add(gallery.numpy())
        contenders["FAISS IndexFlatIP"] = lambda: index.search(queries.numpy(), 10)
    if _installed("usearch"):
        from usearch.index import MetricKind, search

        q, g = queries.numpy(), gallery.numpy()
        contenders["USearch, exact"] = lambda: search(g, q, 10, MetricKind.Cos, exact=True, threads=threads)
    return contenders


def topk_clustered(rows: int, threads: int) -> Contenders:
    """The same with vectors like real embeddings: positive, all pointing roughly one way."""
    gallery = _embeddings(rows, 0.1)
    queries = gallery[:64] + 0.01 * torch.randn(64, 512)
    return {
        "torch mm + topk": lambda: torch.topk(queries @ gallery.T, 10),
        "imgsim cosine_topk": lambda: ops.cosine_topk(queries, gallery, 10),
    }


def topk_many(rows: int, threads: int) -> Contenders:
    """1024 queries, the best 10 in half of the rows, against the bare matrix products that PyTorch has."""
    queries, gallery = torch.randn(1024, 512), torch.randn(rows // 2, 512)
    q, g = queries.numpy(), gallery.numpy()
    contenders: Contenders = {
        "torch mm, float32": lambda: queries @ gallery.T,
        "imgsim cosine_topk, float32": lambda: kernels.cosine_topk(q, g, 10),
    }
    halves = queries.half(), gallery.half()
    contenders["torch mm, float16"] = lambda: halves[0] @ halves[1].T
    contenders["imgsim cosine_topk, float16"] = lambda: kernels.cosine_topk(halves[0].numpy(), halves[1].numpy(), 10)
    codes = kernels.quantize_rows(q), kernels.quantize_rows(g)
    integers = torch.from_numpy(codes[0]), torch.from_numpy(codes[1])
    contenders["torch _int_mm, int8"] = lambda: torch._int_mm(integers[0], integers[1].T)
    contenders["imgsim cosine_topk, int8"] = lambda: kernels.cosine_topk(*codes, 10)
    return contenders


def pairs(rows: int, threads: int) -> Contenders:
    """All pairs at or above 0.9 among a tenth of the rows."""
    vectors = torch.randn(rows // 10, 512)

    def plain() -> torch.Tensor:
        unit = torch.nn.functional.normalize(vectors)
        found = []
        for start in range(0, len(unit), 1024):
            scores = (unit[start : start + 1024] @ unit.T).triu(start + 1)
            found.append((scores >= 0.9).nonzero())
        return torch.cat(found)

    return {"torch blocks of mm": plain, "imgsim cosine_pairs": lambda: ops.cosine_pairs(vectors, 0.9)}


def channel_stats(rows: int, threads: int) -> Contenders:
    """16 uint8 images of 500 x 375, as NCHW."""
    images = torch.randint(0, 256, (16, 3, 375, 500), dtype=torch.uint8)
    nhwc = images.contiguous(memory_format=torch.channels_last)
    return {
        "torch std_mean of floats": lambda: torch.std_mean(images.float(), dim=(0, 2, 3), correction=0),
        "imgsim channel_stats, 1 thread": lambda: ops.channel_stats(images, 1),
        f"imgsim channel_stats, {threads} threads": lambda: ops.channel_stats(images, threads),
        "imgsim, channels last, 1 thread": lambda: ops.channel_stats(nhwc, 1),
        f"imgsim, channels last, {threads} threads": lambda: ops.channel_stats(nhwc, threads),
    }


def channel_stats_large(rows: int, threads: int) -> Contenders:
    """The same for 256 images, more than any cache holds: what threads are worth."""
    images = torch.randint(0, 256, (256, 3, 375, 500), dtype=torch.uint8)
    return {
        "imgsim channel_stats, 1 thread": lambda: ops.channel_stats(images, 1),
        f"imgsim channel_stats, {threads} threads": lambda: ops.channel_stats(images, threads),
    }


def _resize_crop(height: int, width: int) -> Contenders:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)

    def pillow() -> np.ndarray:
        longer = int(256 * max(height, width) / min(height, width))
        size = (longer, 256) if width > height else (256, longer)
        left, top = (size[0] - 224) // 2, (size[1] - 224) // 2
        resized = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
        return np.asarray(resized.crop((left, top, left + 224, top + 224)))

    return {"Pillow resize and crop": pillow, "imgsim resize_crop": lambda: kernels.resize_crop(pixels)}


def _multiscale_pool(batch: int) -> Contenders:
    maps = [torch.randn(batch, 64 << i, 56 >> i, 56 >> i) for i in range(4)]

    def plain() -> torch.Tensor:
        pooled = [torch.nn.functional.adaptive_avg_pool2d(m, 1).flatten(1) for m in maps]
        return torch.stack([torch.repeat_interleave(p, 512 // p.shape[1], dim=1) for p in pooled]).mean(0)

    return {"torch expression": plain, "imgsim multiscale_pool": lambda: ops.multiscale_pool(maps, 512)}


def _repeat_interleave(shape: tuple[int, ...], repeats: int, dim: int) -> Contenders:
    x = torch.randn(shape)
    return {
        "torch repeat_interleave": lambda: torch.repeat_interleave(x, repeats, dim),
        "imgsim repeat_interleave": lambda: ops.repeat_interleave(x, repeats, dim),
    }


def _reduce_mean(dim: list[int]) -> Contenders:
    x = torch.randn(64, 256, 28, 28)
    return {"torch mean": lambda: x.mean(dim), "imgsim reduce_mean": lambda: ops.reduce_mean(x, dim)}


CASES: dict[str, Callable[[int, int], Contenders]] = {
    "cosine of 1 with {rows} x 512, float32": cosine_scan,
    "top 10 of 1 in {rows} x 512, and reading them": scan_by_dtype,
    "top 10 of 64 queries in {rows} x 512, float32": topk,
    "top 10 of 64 queries in {rows} x 512, clustered": topk_clustered,
    "top 10 of 1024 queries in {half} x 512": topk_many,
    "pairs at or above 0.9 in {tenth} x 512": pairs,
    "channel_stats, 16 uint8 images of 500 x 375": channel_stats,
    "channel_stats, 256 uint8 images of 500 x 375": channel_stats_large,
    "resize_crop of 500 x 375": lambda rows, threads: _resize_crop(375, 500),
    "resize_crop of 4000 x 3000": lambda rows, threads: _resize_crop(3000, 4000),
    "multiscale_pool of ResNet-18's maps, batch 1": lambda rows, threads: _multiscale_pool(1),
    "multiscale_pool of ResNet-18's maps, batch 32": lambda rows, threads: _multiscale_pool(32),
    "repeat_interleave (1, 64) x 8": lambda rows, threads: _repeat_interleave((1, 64), 8, 1),
    "repeat_interleave (32, 64) x 8": lambda rows, threads: _repeat_interleave((32, 64), 8, 1),
    "repeat_interleave (1000, 1000) x 4": lambda rows, threads: _repeat_interleave((1000, 1000), 4, 1),
    "repeat_interleave (1000, 1000) x 4, dim 0": lambda rows, threads: _repeat_interleave((1000, 1000), 4, 0),
    "reduce_mean (64, 256, 28, 28) over H, W": lambda rows, threads: _reduce_mean([2, 3]),
    "reduce_mean (64, 256, 28, 28) over N, H, W": lambda rows, threads: _reduce_mean([0, 2, 3]),
}


def check_answers(rows: int) -> None:
    """Speed of a wrong answer means nothing: compare with the oracle before timing."""
    queries, gallery = torch.randn(4, 512), torch.randn(min(rows, 20000), 512)
    for got, want in zip(
        ops.cosine_topk(queries, gallery, 10), reference.cosine_topk(queries, gallery, 10), strict=True
    ):
        torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-7)  # scores are rounded once from float64


def measure_pairs(kind: str, rows: int) -> dict[str, float]:
    """Seconds, peak memory and answers of cosine_pairs at 0.95 where one row in a hundred is nearly another.

    Pairs among the first 20,000 rows are compared with those of every score taken one by one, which no screening and no
    bound has a part in.
    """
    torch.manual_seed(0)
    vectors = torch.randn(rows, 512) if kind == "random" else _embeddings(rows, 0.5)
    copies = torch.randperm(rows - 500)[: rows // 100] + 500
    originals = vectors[copies - 1 - torch.randint(0, 500, (len(copies),))]
    vectors[copies] = originals + 0.1 * vectors.std() * torch.randn(len(copies), 512)
    kernels.cosine_pairs(vectors[:1000].numpy(), 0.95)  # threads start, code is loaded
    before = _reset_peak()
    start = time.perf_counter()
    first, second, _ = kernels.cosine_pairs(vectors.numpy(), 0.95)
    seconds = time.perf_counter() - start
    grown = _peak() - before
    sample = min(rows, 20_000)
    expected = set()
    for i in range(0, sample, 500):
        scores = ops.cosine_similarity(vectors[i : i + 500, None], vectors[None, :sample]).triu(i + 1)
        expected.update((i + row, col) for row, col in (scores >= 0.95).nonzero().tolist())
    found = {pair for pair in zip(first.tolist(), second.tolist(), strict=True) if max(pair) < sample}
    return {
        "seconds": round(seconds, 2),
        "extra_memory_mib": round(grown, 1),
        "pairs": len(first),
        "sample_pairs": len(expected),
        "sample_found": len(found & expected),
        "sample_wrong": len(found - expected),
    }


def _peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def _reset_peak() -> float:
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is in use
    return _peak()


def measure_memory(operator: str, rows: int) -> float:
    """MiB by which this process grows at its peak while it runs the operator on `rows` x 512 floats."""
    torch.manual_seed(0)
    vectors = torch.randn(rows, 512)

    def run(g: torch.Tensor) -> object:
        return ops.cosine_topk(g[:64], g, 10) if operator == "cosine_topk" else ops.cosine_pairs(g, 0.9)

    run(vectors[:1000])  # threads start, code is loaded
    before = _reset_peak()
    run(vectors)
    return round(_peak() - before, 1)


def in_a_fresh_process(function: str, *arguments: object, threads: int) -> object:
    """What one of the functions above answers where nothing else has run (Linux only, else None)."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    code = f"""
import json, sys
import torch
import operators
torch.set_num_threads({threads})
print(json.dumps(operators.{function}(*json.loads(sys.argv[1]))))
"""
    run = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


def main() -> None:
    """Runs every case, prints tables, writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads for everyone")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the gallery (512 floats each)")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", help="time only what has this in its title, and write nothing")
    parser.add_argument("--json", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    check_answers(arguments.rows)
    console = Console(width=110)
    facts = machine(arguments.threads, ("simsimd", "numkong", "faiss-cpu", "usearch"))
    console.print(machine_line(facts), highlight=False)
    results = {}
    for pattern, make in CASES.items():
        title = pattern.format(rows=arguments.rows, half=arguments.rows // 2, tenth=arguments.rows // 10)
        if arguments.only is not None and arguments.only not in title:
            continue
        contenders = make(arguments.rows, arguments.threads)
        baseline = next(iter(contenders))
        # Inference mode is how the engines call the operators; with gradients on, Python autograd adds its price.
        with torch.inference_mode():
            small = "repeat_interleave" in title or "batch 1" in title
            large = "1024 queries" in title
            times = time_in_turn(contenders, 3 if large else arguments.rounds, 200 if small else 1 if large else 3)
        results[title] = summarise(times, baseline)
        show(console, title, results[title], baseline)
    if arguments.only is not None:
        return
    memory = {
        name: in_a_fresh_process("measure_memory", name, arguments.rows // 4, threads=arguments.threads)
        for name in ("cosine_topk", "cosine_pairs")
    }
    console.print(f"Peak memory beyond {arguments.rows // 4} x 512 floats, MiB: {memory}", highlight=False)
    large = {
        kind: in_a_fresh_process("measure_pairs", kind, arguments.rows // 2, threads=arguments.threads)
        for kind in ("random", "clustered")
    }
    console.print(f"Pairs at or above 0.95 in {arguments.rows // 2} x 512: {large}", highlight=False)
    document = {"machine": facts, "results": results, "extra_memory_mib": memory, "large_pairs": large}
    path = save("operators", document, arguments.json)
    console.print(f"Results written to {path}", highlight=False)


if __name__ == "__main__":
    main()
