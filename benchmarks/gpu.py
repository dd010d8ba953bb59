"""On one NVIDIA GPU: the operators against PyTorch's expressions, the extractor, and files to vectors. Prints JSON.

    python benchmarks/gpu.py [--rows 10000000] [--only operators|extractor|files] [--weights random:0] [--json FILE]

Bandwidth is that of the bytes that an operator has to read and write at least; its share is of what a copy on the
device reaches in the same run, that of arithmetic of what PyTorch's float16 matrix product reaches. Where there is no
GPU the exit code is 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from _gpu_timing import milliseconds

from imgsim_ops import ops
from imgsim_ops.evaluation.machine import machine

RESULTS = Path(__file__).resolve().parent / "results" / "gpu.json"
TOP = 10
THRESHOLD = 0.9


@dataclass
class Case:
    """An operator and the PyTorch expression that it stands for.

    Attributes:
        ours: Runs the operator.
        plain: Runs the expression.
        bytes: What has to be read and written at least; 0 where arithmetic is what takes the time.
        operations: Floating-point operations of the products; 0 where memory is what takes the time.
    """

    ours: Callable[[], object]
    plain: Callable[[], object]
    bytes: int = 0
    operations: int = 0


def _size(*tensors: torch.Tensor) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def repeat(dtype: torch.dtype, dim: int) -> Case:
    """(4096, 16384), four times."""
    x = torch.randn(4096, 16384, device="cuda").to(dtype)
    return Case(lambda: ops.repeat_interleave(x, 4, dim), lambda: x.repeat_interleave(4, dim), 5 * _size(x))


def mean(dtype: torch.dtype, dims: list[int]) -> Case:
    """(256, 256, 56, 56)."""
    x = torch.randn(256, 256, 56, 56, device="cuda", dtype=dtype)
    return Case(lambda: ops.reduce_mean(x, dims), lambda: x.mean(dims), _size(x))


def stats(dtype: torch.dtype, layout: torch.memory_format) -> Case:
    """256 images of 512 x 512."""
    x = torch.randint(0, 256, (256, 3, 512, 512), device="cuda", dtype=torch.uint8)
    x = x.to(dtype).contiguous(memory_format=layout)
    return Case(lambda: ops.channel_stats(x), lambda: torch.std_mean(x.float(), dim=(0, 2, 3), correction=0), _size(x))


def pool(dtype: torch.dtype, batch: int) -> Case:
    """ResNet-18's maps, channels last as the extractor makes them."""
    shapes = [(batch, 64 << i, 56 >> i, 56 >> i) for i in range(4)]
    maps = [torch.randn(s, device="cuda").to(dtype).to(memory_format=torch.channels_last) for s in shapes]

    def plain() -> torch.Tensor:
        pooled = [F.adaptive_avg_pool2d(m, 1).flatten(1) for m in maps]
        return torch.stack([p.repeat_interleave(512 // p.shape[1], dim=1) for p in pooled]).mean(0)

    return Case(lambda: ops.multiscale_pool(maps, 512), plain, _size(*maps))


def similarity(dtype: torch.dtype, rows: int, queries: int) -> Case:
    """One with all rows, or row by row."""
    x, y = (torch.randn(n, 512, device="cuda").to(dtype) for n in (queries, rows))
    return Case(lambda: ops.cosine_similarity(x, y), lambda: F.cosine_similarity(x, y), _size(x, y))


def topk(dtype: torch.dtype, queries: int, rows: int) -> Case:
    """The expression goes over the gallery in pieces, or its scores would not fit."""
    gallery = torch.empty(rows, 512, device="cuda", dtype=dtype).normal_()
    wanted = gallery[:: rows // queries][:queries] + torch.randn(queries, 512, device="cuda").to(dtype)

    def plain() -> tuple[torch.Tensor, torch.Tensor]:
        unit = F.normalize(wanted)
        scores, indices = [], []
        for start in range(0, rows, 1 << 20):
            piece = F.normalize(gallery[start : start + (1 << 20)])
            best = torch.topk(unit @ piece.T, TOP)
            scores.append(best.values)
            indices.append(best.indices + start)
        best = torch.topk(torch.cat(scores, 1), TOP)
        return best.values, torch.cat(indices, 1).gather(1, best.indices)

    few = queries <= 4  # then reading the gallery is what takes the time
    return Case(
        lambda: ops.cosine_topk(wanted, gallery, TOP),
        plain,
        _size(gallery) if few else 0,
        0 if few else 2 * queries * rows * 512,
    )


def pairs(dtype: torch.dtype, rows: int) -> Case:
    """All pairs at or above 0.9 among random vectors, of which one in a hundred is nearly another."""
    vectors = torch.randn(rows, 512, device="cuda").to(dtype)
    vectors[::100] = vectors[1::100] + 0.1 * torch.randn(len(vectors[::100]), 512, device="cuda").to(dtype)

    def plain() -> torch.Tensor:
        unit = F.normalize(vectors)
        found = []
        for start in range(0, rows, 4096):
            scores = (unit[start : start + 4096] @ unit[start:].T).triu(1)
            found.append((scores >= THRESHOLD).nonzero() + start)
        return torch.cat(found)

    return Case(lambda: ops.cosine_pairs(vectors, THRESHOLD), plain, operations=rows * rows * 512)


F32, F16, BF16 = torch.float32, torch.float16, torch.bfloat16
NHWC, NCHW = torch.channels_last, torch.contiguous_format


def cases(rows: int) -> dict[str, Callable[[], Case]]:
    """Makers, because not all of them fit into the memory together."""
    few = min(rows, 2_000_000)
    some = min(rows, 200_000)
    return {
        "repeat_interleave float32 x 4, dim -1": lambda: repeat(F32, -1),
        "repeat_interleave float16 x 4, dim -1": lambda: repeat(F16, -1),
        "repeat_interleave float32 x 4, dim 0": lambda: repeat(F32, 0),
        "reduce_mean float32 over H, W": lambda: mean(F32, [2, 3]),
        "reduce_mean float16 over H, W": lambda: mean(F16, [2, 3]),
        "reduce_mean float32 over C": lambda: mean(F32, [1]),
        "reduce_mean float32 over N, H, W": lambda: mean(F32, [0, 2, 3]),
        "reduce_mean float32 over all": lambda: mean(F32, [0, 1, 2, 3]),
        "channel_stats uint8": lambda: stats(torch.uint8, NCHW),
        "channel_stats uint8, channels last": lambda: stats(torch.uint8, NHWC),
        "channel_stats float32": lambda: stats(F32, NCHW),
        "channel_stats float32, channels last": lambda: stats(F32, NHWC),
        "multiscale_pool float32, batch 1": lambda: pool(F32, 1),
        "multiscale_pool float32, batch 256": lambda: pool(F32, 256),
        "multiscale_pool bfloat16, batch 256": lambda: pool(BF16, 256),
        f"cosine_similarity float32, 1 with {few}": lambda: similarity(F32, few, 1),
        f"cosine_similarity float16, 1 with {few}": lambda: similarity(F16, few, 1),
        f"cosine_similarity float32, {few // 2} with as many": lambda: similarity(F32, few // 2, few // 2),
        f"cosine_topk float32, 1 in {few}": lambda: topk(F32, 1, few),
        f"cosine_topk float16, 1 in {rows}": lambda: topk(F16, 1, rows),
        f"cosine_topk float16, 64 in {rows}": lambda: topk(F16, 64, rows),
        f"cosine_topk float16, 1024 in {rows}": lambda: topk(F16, 1024, rows),
        f"cosine_topk bfloat16, 1024 in {few}": lambda: topk(BF16, 1024, few),
        f"cosine_topk float32, 1024 in {few}": lambda: topk(F32, 1024, few),
        f"cosine_pairs float16, {some}": lambda: pairs(F16, some),
        f"cosine_pairs float32, {some}": lambda: pairs(F32, some),
    }


def copy_rate() -> float:
    """Bytes per second, read and written together, of a copy of 2 GiB."""
    x = torch.empty(1 << 31, dtype=torch.uint8, device="cuda").fill_(1)
    y = torch.empty_like(x)
    return 2 * _size(x) / milliseconds(lambda: y.copy_(x)) * 1e3


def product_rate(dtype: torch.dtype) -> float:
    """Floating-point operations per second of a product of two 8192 x 8192 matrices."""
    x, y = (torch.randn(8192, 8192, device="cuda").to(dtype) for _ in range(2))
    return 2 * 8192**3 / milliseconds(lambda: x @ y) * 1e3


def check_answers() -> None:
    """Speed of a wrong answer means nothing: scores against the CPU's."""
    queries, gallery = torch.randn(200, 512), torch.randn(20_000, 512)
    for dtype in (F32, F16, BF16):
        x, y = queries.to(dtype), gallery.to(dtype)
        got, want = ops.cosine_topk(x.cuda(), y.cuda(), TOP), ops.cosine_topk(x, y, TOP)
        # Float64 sums in another order, rounded to float32: by the last bit at most.
        torch.testing.assert_close(got[0].cpu(), want[0], rtol=1.2e-7, atol=0)
        assert torch.equal(got[1].cpu(), want[1])


def measure_operators(rows: int) -> dict[str, object]:
    """Each case's times, ratio and shares."""
    check_answers()
    copy, product = copy_rate(), product_rate(F16)
    results = {}
    for title, make in cases(rows).items():
        print(title, file=sys.stderr)
        try:
            results[title] = _measured(make(), copy, product)
        except torch.OutOfMemoryError:
            results[title] = {"note": "does not fit into this card's memory"}
        torch.cuda.empty_cache()
    return {
        "copy_gb_per_s": round(copy / 1e9, 1),
        "product_tflops": {str(dtype): round(product_rate(dtype) / 1e12, 1) for dtype in (F16, BF16, F32)},
        "cases": results,
    }


def _measured(case: Case, copy: float, product: float) -> dict[str, float]:
    """Milliseconds of both, their ratio, and how near the operator comes to what the card reaches."""
    ours, plain = milliseconds(case.ours), milliseconds(case.plain)
    row = {"ms": round(ours, 4), "plain_ms": round(plain, 4), "times_plain": round(plain / ours, 2)}
    if case.bytes:
        row["gb_per_s"] = round(case.bytes / ours / 1e6, 1)
        row["share_of_copy"] = round(case.bytes / ours * 1e3 / copy, 3)
    if case.operations:
        row["tflops"] = round(case.operations / ours / 1e9, 1)
        row["share_of_float16_product"] = round(case.operations / ours * 1e3 / product, 3)
    return row


def gpu_facts() -> dict[str, object]:
    """The card, its driver's CUDA and the libraries."""
    card = torch.cuda.get_device_properties(0)
    return {
        **machine(torch.get_num_threads(), ("torchvision",)),
        "gpu": card.name,
        "compute_capability": f"{card.major}.{card.minor}",
        "multiprocessors": card.multi_processor_count,
        "memory_gib": round(card.total_memory / 2**30, 1),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def measure_pictures(what: str, weights: str) -> object:
    """What needs torchvision too, and scikit-image's photographs."""
    try:
        import _gpu_pictures

        return getattr(_gpu_pictures, what)(weights)
    except ModuleNotFoundError as error:
        return {"note": f"not measured: {error}"}


def main() -> None:
    """Measures what is asked for and prints one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the largest gallery (512 values each)")
    parser.add_argument("--only", choices=["operators", "extractor", "files"], help="measure only this, save nothing")
    parser.add_argument("--weights", default="random:0", help="the extractor's, as of imgsim")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where to write the results too")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print(f"gpu: needs a CUDA device (got none; PyTorch {torch.__version__})", file=sys.stderr)
        sys.exit(2)
    torch.manual_seed(0)
    parts: dict[str, Callable[[], object]] = {
        "operators": lambda: measure_operators(arguments.rows),
        "extractor": lambda: measure_pictures("extractor_rates", arguments.weights),
        "files": lambda: measure_pictures("files_to_vectors", arguments.weights),
    }
    document: dict[str, object] = {"machine": gpu_facts()}
    with torch.inference_mode():
        for name, measure in parts.items():
            if arguments.only in (None, name):
                document[name] = measure()
    text = json.dumps(document, indent=2)
    print(text)
    if arguments.only is None:
        arguments.json.write_text(text + "\n")
        print(f"Results written to {arguments.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
