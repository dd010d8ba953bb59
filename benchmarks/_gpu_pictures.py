"""Pictures to vectors on a GPU: the extractor in several ways, and JPEG files decoded here or there."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
import torch.nn.functional as F
from _gpu_timing import milliseconds
from torch import nn

from imgsim_ops import ops
from imgsim_ops.images.preprocess import CROP, RESIZE, load_pixels
from imgsim_ops.models.extractor import build_extractor
from imgsim_ops.models.weights import load_backbone

BATCHES = (1, 32, 256)
#: Width, height and how many files.
SIZES = ((500, 375, 512), (1600, 1200, 128), (4000, 3000, 32))
_TOGETHER = 64  # files whose pixels go through the network in one batch


class Plain(nn.Module):
    """The multi-scale embedding as a PyTorch user would write it: NCHW floats, batch norms, no operator of ours."""

    def __init__(self, weights: str) -> None:
        super().__init__()
        self.backbone = load_backbone("resnet18", weights)
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(getattr(self.backbone, name)).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 (N, 224, 224, 3) to float32 (N, 512)."""
        images = pixels.permute(0, 3, 1, 2).contiguous().float() / 255
        taps = self.backbone((images - self.mean) / self.std)
        pooled = [F.adaptive_avg_pool2d(tap, 1).flatten(1) for tap in taps]
        return torch.stack([p.repeat_interleave(512 // p.shape[1], dim=1) for p in pooled]).mean(0)


class InDtype(nn.Module):
    """Our extractor, folded and channels last, with its network in a dtype."""

    def __init__(self, weights: str, dtype: torch.dtype) -> None:
        super().__init__()
        extractor = build_extractor("resnet18", weights)
        self.backbone = extractor.backbone.to(dtype)
        self.register_buffer("mean_pixel", extractor.mean_pixel)
        self.dtype = dtype

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 (N, 224, 224, 3) to float32 (N, 512)."""
        images = (pixels.permute(0, 3, 1, 2).float() - self.mean_pixel).to(self.dtype)
        return ops.multiscale_pool(self.backbone(images), 512).float()


def captured(run: Callable[[torch.Tensor], torch.Tensor], pixels: torch.Tensor) -> Callable[[], torch.Tensor]:
    """A forward pass over these pixels as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run(pixels)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = run(pixels)

    def replay() -> torch.Tensor:
        graph.replay()
        return out

    return replay


def _use_tf32(use: bool) -> None:
    if hasattr(torch.backends.cudnn, "conv"):  # from PyTorch 2.9 on
        torch.backends.cudnn.conv.fp32_precision = "tf32" if use else "ieee"
    else:
        torch.backends.cudnn.allow_tf32 = use


def _compiled(module: nn.Module, pixels: torch.Tensor) -> Callable[[], torch.Tensor]:
    run = torch.compile(module)
    return lambda: run(pixels)


def extractor_rates(weights: str) -> dict[str, object]:
    """ResNet-18's extractor: milliseconds and pictures per second of each way at each batch size.

    ``cosine`` is that of a way's vectors with those of plain PyTorch in float32, the least of a batch.
    """
    plain = Plain(weights).cuda().eval()
    ours = {dtype: InDtype(weights, dtype).cuda().eval() for dtype in (torch.float32, torch.bfloat16)}
    results: dict[str, object] = {}
    for batch in BATCHES:
        results |= _batch_rates(plain, ours[torch.float32], ours[torch.bfloat16], batch)
        torch.compiler.reset()
    return results


def _batch_rates(plain: nn.Module, fp32: nn.Module, bf16: nn.Module, batch: int) -> dict[str, object]:
    pixels = torch.randint(0, 256, (batch, 224, 224, 3), dtype=torch.uint8, device="cuda")
    _use_tf32(False)
    expected = plain(pixels)
    # Whether TF32 is allowed, and what makes the call that is timed.
    ways: dict[str, tuple[bool, Callable[[], Callable[[], torch.Tensor]]]] = {
        "plain PyTorch, fp32": (False, lambda: lambda: plain(pixels)),
        "fp32, channels last": (False, lambda: lambda: fp32(pixels)),
        "plain PyTorch, tf32": (True, lambda: lambda: plain(pixels)),
        "tf32, channels last": (True, lambda: lambda: fp32(pixels)),
        "bf16, channels last": (True, lambda: lambda: bf16(pixels)),
        "tf32, channels last, CUDA graph": (True, lambda: captured(fp32, pixels)),
        "bf16, channels last, CUDA graph": (True, lambda: captured(bf16, pixels)),
        "bf16, channels last, torch.compile": (True, lambda: _compiled(bf16, pixels)),
        "bf16, channels last, torch.compile, CUDA graph": (True, lambda: captured(torch.compile(bf16), pixels)),
    }
    rates: dict[str, object] = {}
    for name, (tf32, make) in ways.items():
        print(f"extractor, batch {batch}: {name}", file=sys.stderr)
        _use_tf32(tf32)
        run = make()
        ms = milliseconds(run)
        rates[f"{name}, batch {batch}"] = {
            "ms": round(ms, 4),
            "pictures_per_s": round(batch / ms * 1e3, 1),
            "cosine": round(ops.cosine_similarity(run(), expected).min().item(), 6),
        }
    return rates


def decoded_here(paths: list[Path], pool: ThreadPoolExecutor) -> torch.Tensor:
    """Pixels by imgsim's own reading on all processors, sent to the GPU."""
    return torch.stack([torch.from_numpy(pixels) for pixels in pool.map(load_pixels, paths)]).cuda()


def decoded_there(paths: list[Path], pool: ThreadPoolExecutor) -> torch.Tensor:
    """Pixels by nvJPEG, and by an antialiased resize of PyTorch's on the GPU."""
    from torchvision.io import ImageReadMode, decode_jpeg, read_file

    files = list(pool.map(lambda path: read_file(str(path)), paths))
    crops = []
    for image in decode_jpeg(files, ImageReadMode.RGB, device="cuda"):
        height, width = image.shape[1:]
        short = min(height, width)
        size = (RESIZE * height // short, RESIZE * width // short)
        resized = F.interpolate(image[None].float(), size, mode="bilinear", antialias=True)
        top, left = (size[0] - CROP) // 2, (size[1] - CROP) // 2
        crops.append(resized[0, :, top : top + CROP, left : left + CROP])
    return torch.stack(crops).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def files_to_vectors(weights: str) -> dict[str, object]:
    """Pictures per second from JPEG files to vectors on the GPU, decoded by the processors and by nvJPEG.

    ``cosine`` compares the two ways' vectors: the mean over the files.
    """
    network = InDtype(weights, torch.bfloat16).cuda().eval()
    results: dict[str, object] = {"processors": os.cpu_count()}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        for width, height, count in SIZES:
            print(f"files of {width} x {height}", file=sys.stderr)
            paths = make_files(Path(folder), width, height, count)
            here, there = (_embedded(network, decode, paths, pool) for decode in (decoded_here, decoded_there))
            results[f"{width} x {height}"] = {
                "files": count,
                "pictures_per_s": {"processors": round(here[1], 1), "nvJPEG": round(there[1], 1)},
                "nvJPEG_pays": there[1] > here[1],
                "cosine": round(ops.cosine_similarity(here[0], there[0]).mean().item(), 5),
            }
    return results


def _embedded(
    network: nn.Module,
    decode: Callable[[list[Path], ThreadPoolExecutor], torch.Tensor],
    paths: list[Path],
    pool: ThreadPoolExecutor,
) -> tuple[torch.Tensor, float]:
    """The vectors of files, and how many pictures a second that is."""

    def run() -> torch.Tensor:
        parts = range(0, len(paths), _TOGETHER)
        return torch.cat([network(decode(paths[i : i + _TOGETHER], pool)) for i in parts])

    vectors = run()
    times = []
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return vectors, len(paths) / statistics.median(times)


def make_files(folder: Path, width: int, height: int, count: int) -> list[Path]:
    """JPEG files of a size, one from each of scikit-image's photographs, each named several times."""
    from _mosaics import mosaic

    from imgsim_ops.demo import PHOTOGRAPHS
    from imgsim_ops.quality.photographs import find_photographs

    made = []
    for number, source in enumerate(find_photographs(PHOTOGRAPHS)):
        made.append(folder / f"{width}-{number}.jpg")
        mosaic(source, (width, height), 7 * number).convert("RGB").save(made[-1], quality=90)
    return [made[i % len(made)] for i in range(count)]
