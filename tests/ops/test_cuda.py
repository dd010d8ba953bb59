"""What only CUDA has: streams, graphs, several devices, more elements than 32 bits can count, and memory of its own.

That the operators answer on CUDA what they answer on the CPU is tested with each of them: their tests run on each
device.
"""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from imgsim_ops import ops
from imgsim_ops.libraries import find_library
from tests.support.children import succeed
from tests.support.operator_cases import CALLS, assert_same_bits, check_topk, tensor

ON_A_GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def on_a_gpu(test):
    for mark in ON_A_GPU:
        test = mark(test)
    return test


@pytest.fixture
def on_cuda():
    """Makes tensors on the GPU, unless a test says where."""
    torch.set_default_device("cuda")
    yield
    torch.set_default_device(None)


@pytest.mark.skipif(torch.version.cuda is None, reason="this PyTorch has no CUDA")
@pytest.mark.skipif(find_library("imgsim_torch_cuda") is None, reason="the CUDA operators were not built")
@pytest.mark.parametrize("name", ops.__all__)
def test_the_library_registers_every_operator(name):
    assert torch._C._dispatch_has_kernel_for_dispatch_key(f"imgsim::{name}", "CUDA")


USE_THE_CPU = """
import torch
from imgsim_ops import ops
assert ops.reduce_mean(torch.ones(2, 3), [1]).tolist() == [1, 1]
assert ops.cosine_topk(torch.eye(5), torch.eye(5), 1)[1].flatten().tolist() == [0, 1, 2, 3, 4]
assert not torch.cuda.is_initialized()
"""


def test_a_machine_without_a_gpu_does_not_notice():
    succeed(USE_THE_CPU, CUDA_VISIBLE_DEVICES="")


def test_a_build_without_cuda_does_not_notice(tmp_path):
    library = find_library("imgsim_torch")
    (tmp_path / library.name).symlink_to(library)
    elsewhere = "import pathlib, sys, imgsim_ops.libraries as l; l.LIBRARY_DIR = pathlib.Path(sys.argv[1])\n"
    without = 'assert not torch._C._dispatch_has_kernel_for_dispatch_key("imgsim::reduce_mean", "CUDA")\n'
    succeed(elsewhere + USE_THE_CPU + without, str(tmp_path))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_benchmark_says_where_there_is_no_gpu():
    script = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.py"
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 2
    assert re.fullmatch(r"gpu: needs a CUDA device \(got none; PyTorch .+\)\n", run.stderr)
    assert run.stdout == ""


# Each operator on (5000, 64) floats; cosine_topk in each of its ways.
CAPTURABLE = {
    "repeat_interleave": lambda x: [ops.repeat_interleave(x, 3)],
    "reduce_mean of rows": lambda x: [ops.reduce_mean(x, [1])],
    "reduce_mean of columns": lambda x: [ops.reduce_mean(x, [0])],
    "reduce_mean of all": lambda x: [ops.reduce_mean(x, [])],
    "channel_stats": lambda x: [*ops.channel_stats(x[None, None])],
    "channel_stats of bytes": lambda x: [*ops.channel_stats((x * 50).to(torch.uint8)[None, None])],
    "multiscale_pool": lambda x: [ops.multiscale_pool([x.view(50, 64, 10, 10), x.view(50, 16, 20, 20)], 128)],
    "cosine_similarity": lambda x: [ops.cosine_similarity(x, x[:1])],
    "cosine_topk of one": lambda x: [*ops.cosine_topk(x[:1], x, 3)],
    "cosine_topk of many": lambda x: [*ops.cosine_topk(x[:200], x, 3)],
    "cosine_topk, most rows": lambda x: [*ops.cosine_topk(x[:2], x, 4500)],
}
EVERY = {**CAPTURABLE, "cosine_pairs": lambda x: [*ops.cosine_pairs(x, 0.4)]}


def _same_bits(answers, expected) -> None:
    assert any(x.numel() > 0 for x in expected)
    for one, other in zip(answers, expected, strict=True):
        assert_same_bits(one, other)


@on_a_gpu
@pytest.mark.usefixtures("on_cuda")
@pytest.mark.parametrize("name", EVERY)
def test_runs_on_the_current_stream(name):
    values = tensor((5000, 64), seed=1)
    expected = EVERY[name](values)
    x = torch.zeros_like(values)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.cuda._sleep(100_000_000)  # some 50 ms: who does not wait in this stream's queue finds zeros
        x.copy_(values)
        answers = EVERY[name](x)
    torch.cuda.current_stream().wait_stream(stream)
    _same_bits(answers, expected)


@on_a_gpu
@pytest.mark.usefixtures("on_cuda")
@pytest.mark.parametrize("name", CAPTURABLE)
def test_can_be_captured_in_a_graph(name):
    # cosine_pairs cannot: the size of its answer is only known when it is there.
    x = tensor((5000, 64), seed=1)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # PyTorch wants everything to have run before
        CAPTURABLE[name](x)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        answers = CAPTURABLE[name](x)
    for seed in (2, 3):
        values = tensor((5000, 64), seed=seed)
        x.copy_(values)
        graph.replay()
        _same_bits(answers, CAPTURABLE[name](values))


@on_a_gpu
@pytest.mark.usefixtures("on_cuda")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("name", CALLS)
def test_the_same_bits_every_time(name, dtype):
    expected = CALLS[name](dtype)
    for _ in range(3):
        _same_bits(CALLS[name](dtype), expected)


@on_a_gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
@pytest.mark.parametrize("name", EVERY)
def test_runs_where_its_tensors_are(name):
    values = tensor((5000, 64), seed=1)
    answers = EVERY[name](values.to("cuda:1"))
    assert torch.cuda.current_device() == 0
    assert all(answer.device == torch.device("cuda:1") for answer in answers)
    _same_bits([answer.cpu() for answer in answers], [x.cpu() for x in EVERY[name](values.to("cuda:0"))])


REFUSED = {
    "repeats": lambda x: ops.repeat_interleave(x, -1),
    "scalar": lambda x: ops.repeat_interleave(x[0, 0], 2),
    "dim": lambda x: ops.reduce_mean(x, [2]),
    "dim twice": lambda x: ops.reduce_mean(x, [0, 0]),
    "dtype": lambda x: ops.reduce_mean(x.long(), [0]),
    "images": lambda x: ops.channel_stats(x),
    "no pixels": lambda x: ops.channel_stats(x[None, None, :0]),
    "threads": lambda x: ops.channel_stats(x[None, None], -1),
    "width": lambda x: ops.multiscale_pool([x[None, None]], 0),
    "channels": lambda x: ops.multiscale_pool([x[None]], 4),
    "maps' dtypes": lambda x: ops.multiscale_pool([x[None], x[None].double()], 3),
    "broadcast": lambda x: ops.cosine_similarity(x, x[:, :3]),
    "eps": lambda x: ops.cosine_similarity(x, x, -1, -1.0),
    "k": lambda x: ops.cosine_topk(x, x, 4),
    "row lengths": lambda x: ops.cosine_topk(x, x[:, :3], 1),
    "dtypes": lambda x: ops.cosine_topk(x, x.double(), 1),
    "matrix": lambda x: ops.cosine_pairs(x[0], 0.5),
    "threshold": lambda x: ops.cosine_pairs(x, math.nan),
}


@on_a_gpu
@pytest.mark.parametrize("name", REFUSED)
def test_refuses_in_the_cpu_s_words(name):
    messages = []
    for device in ("cpu", "cuda"):
        with pytest.raises(ValueError, match=r"^\w+: .+ \(got .+\)$") as caught:
            REFUSED[name](torch.ones(3, 4, device=device))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@on_a_gpu
@pytest.mark.parametrize("swap", [False, True])
def test_refuses_tensors_on_two_devices(swap):
    here, there = torch.ones(3, 4), torch.ones(3, 4, device="cuda")
    pair = (there, here) if swap else (here, there)
    got = "cuda:0 and cpu" if swap else "cpu and cuda:0"
    for name, call in {
        "cosine_similarity: tensors": lambda: ops.cosine_similarity(*pair),
        "cosine_topk: tensors": lambda: ops.cosine_topk(*pair, 1),
        "multiscale_pool: feature maps": lambda: ops.multiscale_pool([x[None, None] for x in pair], 3),
    }.items():
        with pytest.raises(ValueError, match=rf"^{name} must be on one device \(got {got}\)$"):
            call()


@on_a_gpu
def test_the_extractor_embeds_as_on_the_cpu():
    from imgsim_ops.models.extractor import build_extractor

    pixels = torch.randint(0, 256, (3, 224, 224, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    extractor = build_extractor("resnet18", "random:0")
    with torch.inference_mode():
        expected, layers = extractor.with_layers(pixels)
        embedding, ours = extractor.cuda().with_layers(pixels.cuda())
    assert embedding.is_cuda
    # Convolutions in TF32, which PyTorch allows by itself, keep 11 bits of each factor.
    for one, other in zip([embedding, *ours], [expected, *layers], strict=True):
        assert ops.cosine_similarity(one.cpu(), other).min() > 0.9999


# ------------------------------------------------------------------------------------------- more than 2**31 elements


@pytest.fixture
def room(on_cuda):
    """Twelve GiB, of which no test needs more."""
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    if free < 12 << 30:
        pytest.skip(f"needs 12 GiB of GPU memory (got {free / 2**30:.1f})")
    yield
    torch.cuda.empty_cache()


@on_a_gpu
@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_repeat_interleave_of_billions(dtype):
    x = torch.randint(0, 256, ((1 << 31) // 3 // dtype.itemsize + 5,), dtype=torch.uint8).to(dtype)
    out = ops.repeat_interleave(x, 3)
    for turn in range(3):
        assert torch.equal(out[turn::3], x)
    out = ops.repeat_interleave(x[None], 3, 0)
    for turn in range(3):
        assert torch.equal(out[turn], x)


@on_a_gpu
@pytest.mark.usefixtures("room")
def test_reduce_mean_of_billions():
    # Sums of so many small integers are exact in float64.
    rows = torch.arange(1, 4, dtype=torch.float16)[:, None].repeat(1, (1 << 30) + 3)
    assert ops.reduce_mean(rows, [1]).tolist() == [1, 2, 3]
    assert ops.reduce_mean(rows, []).item() == 2
    assert ops.reduce_mean(rows, [0]).eq(2).all()
    del rows
    columns = torch.arange(8, dtype=torch.float16).repeat((1 << 28) + 3, 1)
    assert ops.reduce_mean(columns, [0]).tolist() == list(range(8))
    assert ops.reduce_mean(columns, [1]).eq(3.5).all()


@on_a_gpu
@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_channel_stats_of_billions(layout):
    side = 26_800
    images = torch.zeros((1, 3, side, side), dtype=torch.uint8, memory_format=layout)
    images[0, 2, -1, -1] = 255
    mean, std = ops.channel_stats(images)
    part = 1 / side**2
    assert mean.tolist() == [0, 0, pytest.approx(255 * part)]
    assert std.tolist() == [0, 0, pytest.approx(255 * math.sqrt(part - part**2))]
    mean, std = ops.channel_stats(images.half())
    assert mean.tolist() == [0, 0, pytest.approx(255 * part)]
    assert std.tolist() == [0, 0, pytest.approx(255 * math.sqrt(part - part**2))]


@on_a_gpu
@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_multiscale_pool_of_billions(layout):
    x = torch.arange(4, dtype=torch.float16).view(1, 4, 1, 1).expand(1, 4, 23_200, 23_200)
    assert ops.multiscale_pool([x.contiguous(memory_format=layout)], 4).tolist() == [[0, 1, 2, 3]]


@on_a_gpu
@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("queries", [1, 6])
def test_cosines_with_billions(queries):
    gallery = torch.empty(((1 << 31) // 256 + 3, 256), dtype=torch.float16).normal_()
    gallery[-2:] = gallery[5]
    last = len(gallery) - 1
    scores, indices = ops.cosine_topk(gallery[5:6].expand(queries, -1), gallery, 3)
    assert indices.tolist() == [[5, last - 1, last]] * queries
    assert scores.eq(1).all()
    scores = ops.cosine_similarity(gallery[5:6], gallery)
    assert scores[[5, last - 1, last]].eq(1).all()
    assert (scores == 1).sum() == 3


@on_a_gpu
@pytest.mark.usefixtures("room")
def test_cosine_pairs_of_billions():
    vectors = torch.empty((65_539, 32_768), dtype=torch.float16).normal_()
    vectors[-1] = vectors[3]
    rows, cols, scores = ops.cosine_pairs(vectors, 0.9)
    assert (rows.tolist(), cols.tolist(), scores.tolist()) == ([3], [65_538], [1])


# ------------------------------------------------------------------------------------------------------------- memory


def _peak(call) -> int:
    """Bytes that a call has of the device at most, beyond what was there before."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


@on_a_gpu
@pytest.mark.usefixtures("on_cuda")
@pytest.mark.parametrize("k", [10, 3000, 5000])
def test_cosine_topk_holds_no_matrix_of_scores(k):
    queries, gallery = torch.randn(2048, 16), torch.randn(1_000_000, 16)
    # All scores would be 8 GB. cosine.h allows 512 MiB, and 4 bytes for each vector; answers have 12 bytes. PyTorch's
    # allocator rounds up to whole MiB.
    assert _peak(lambda: ops.cosine_topk(queries, gallery, k)) < (516 << 20) + 4 * 1_002_048 + 12 * 2048 * k


@on_a_gpu
@pytest.mark.usefixtures("on_cuda")
def test_cosine_pairs_holds_no_matrix_of_scores():
    vectors = torch.randn(100_000, 64)
    # All scores would be 40 GB. cosine.h allows 64 MiB, and 4 bytes for each vector; the allocator rounds up.
    assert _peak(lambda: ops.cosine_pairs(vectors, 0.99)) < 70 << 20


@on_a_gpu
@pytest.mark.usefixtures("on_cuda")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_a_gallery_that_keeps_a_gpu_busy(dtype):
    # More parts and tiles than an emulation gets: limits rise, lists are sorted again and again.
    gallery = tensor((100_000, 65), dtype, "clustered", seed=1)
    check_topk(gallery[::500].contiguous(), gallery, 10)
