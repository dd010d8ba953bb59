"""The operators against PyTorch's own and against libraries made for the same job, in one run.

    python benchmarks/operators.py [--threads 2] [--rows 200000] [--json FILE]

Peers (SimSIMD, NumKong, FAISS) are measured where they are installed (`pip install -e .[bench]`), the rest always.
"""

from __future__ import annotations

import argparse
import os

# Some machines pin an old OpenBLAS kernel, which slows NumPy and FAISS down; a fair comparison lets them choose.
os.environ.pop("OPENBLAS_CORETYPE", None)

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from _harness import describe, machine, save, show, summarise, time_in_turn
from rich.console import Console

from imgsim_ops import ops, reference

Contenders = dict[str, Callable[[], object]]


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def cosine_scan(rows: int, threads: int) -> Contenders:
    """One query against a gallery."""
    query, gallery = torch.randn(1, 512), torch.randn(rows, 512)
    contenders: Contenders = {
        "torch cosine_similarity": lambda: torch.nn.functional.cosine_similarity(query, gallery),
        "imgsim cosine_similarity": lambda: ops.cosine_similarity(query, gallery),
        "torch sum of the gallery (reads it once)": lambda: gallery.sum(),
    }
    q, g = query.numpy(), gallery.numpy()
    if _installed("simsimd"):
        import simsimd

        contenders["SimSIMD cdist"] = lambda: simsimd.cdist(q, g, metric="cosine", threads=threads)
    if _installed("numkong"):
        import numkong

        contenders["NumKong cdist"] = lambda: numkong.cdist(q, g, metric="angular", threads=threads)
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
    return contenders


def topk_clustered(rows: int, threads: int) -> Contenders:
    """The same with vectors like real embeddings: positive, all pointing roughly one way."""
    centre = torch.rand(1, 512)
    basis = torch.randn(40, 512)
    gallery = (centre + 0.1 * torch.randn(rows, 40) @ basis / 40**0.5).clamp_min(0)
    queries = gallery[:64] + 0.01 * torch.randn(64, 512)
    return {
        "torch mm + topk": lambda: torch.topk(queries @ gallery.T, 10),
        "imgsim cosine_topk": lambda: ops.cosine_topk(queries, gallery, 10),
    }


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
    "top 10 of 64 queries in {rows} x 512, float32": topk,
    "top 10 of 64 queries in {rows} x 512, clustered": topk_clustered,
    "pairs at or above 0.9 in {tenth} x 512": pairs,
    "channel_stats, 16 uint8 images of 500 x 375": channel_stats,
    "channel_stats, 256 uint8 images of 500 x 375": channel_stats_large,
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


def extra_memory(operator: str, rows: int) -> float | None:
    """MiB by which a fresh process grows at its peak while it runs the operator on `rows` x 512 floats (Linux only)."""
    code = """
import sys, torch
from pathlib import Path
from imgsim_ops import ops

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024

operator, rows = sys.argv[1], int(sys.argv[2])
torch.manual_seed(0)
vectors = torch.randn(rows, 512)
run = lambda g: ops.cosine_topk(g[:64], g, 10) if operator == "cosine_topk" else ops.cosine_pairs(g, 0.9)
run(vectors[:1000])  # threads start, code is loaded
Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is in use
before = peak()
run(vectors)
print(peak() - before)
"""
    if not Path("/proc/self/clear_refs").exists():
        return None
    run = subprocess.run([sys.executable, "-c", code, operator, str(rows)], capture_output=True, text=True, check=True)
    return round(float(run.stdout), 1)


def main() -> None:
    """Runs every case, prints tables, writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads for everyone")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the gallery (512 floats each)")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    check_answers(arguments.rows)
    console = Console(width=110)
    facts = machine(arguments.threads, ("simsimd", "numkong", "faiss-cpu"))
    console.print(describe(facts), highlight=False)
    results = {}
    for pattern, make in CASES.items():
        title = pattern.format(rows=arguments.rows, tenth=arguments.rows // 10)
        contenders = make(arguments.rows, arguments.threads)
        baseline = next(iter(contenders))
        # Inference mode is how the engines call the operators; with gradients on, Python autograd adds its price.
        with torch.inference_mode():
            small = "repeat_interleave" in title or "batch 1" in title
            times = time_in_turn(contenders, arguments.rounds, 200 if small else 3)
        results[title] = summarise(times, baseline)
        show(console, title, results[title], baseline)
    memory = {name: extra_memory(name, arguments.rows // 4) for name in ("cosine_topk", "cosine_pairs")}
    console.print(f"Peak memory beyond {arguments.rows // 4} x 512 floats, MiB: {memory}", highlight=False)
    path = save("operators", {"machine": facts, "results": results, "extra_memory_mib": memory}, arguments.json)
    console.print(f"Results written to {path}", highlight=False)


if __name__ == "__main__":
    main()
