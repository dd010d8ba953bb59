"""The ways of `latency.py` from two files to a score. Each runs in a process of its own: `python _ways.py SETTINGS`.

One process for all would be unfair: threads that spin while they wait for their library's next call would take a
processor from whoever is measured next.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

STEPS = ("decode", "preprocess", "forward", "cosine")
Forward = Callable[[np.ndarray], np.ndarray]


class Way:
    """Two pictures to a score with imgsim's reader, a forward pass of one's own, and imgsim's cosine."""

    def __init__(self, settings: dict, forward: Forward) -> None:
        self.paths = [Path(path) for path in settings["paths"]]
        self.forward = forward

    def run(self) -> tuple[float, list[float]]:
        """The score, and the milliseconds of each of `STEPS`."""
        from imgsim_ops import kernels
        from imgsim_ops.images.decode import decode

        marks = [time.perf_counter()]
        images = [decode(path) for path in self.paths]
        marks.append(time.perf_counter())
        pixels = np.stack([kernels.resize_crop(image) for image in images])
        marks.append(time.perf_counter())
        a, b = self.forward(pixels)
        marks.append(time.perf_counter())
        score = float(kernels.cosine_similarity(a, b))
        marks.append(time.perf_counter())
        return score, _milliseconds(marks)

    def forward_one(self) -> float:
        """The milliseconds of a forward pass of one picture."""
        pixels = np.full((1, 224, 224, 3), 90, np.uint8)
        start = time.perf_counter()
        self.forward(pixels)
        return (time.perf_counter() - start) * 1e3


class PlainPyTorch(Way):
    """Pillow, torchvision transforms and eager PyTorch, picture by picture, as one would write it."""

    def __init__(self, settings: dict) -> None:
        import torch
        from torchvision import transforms

        from imgsim_ops import reference
        from imgsim_ops.models.weights import load_backbone

        torch.set_num_threads(settings["threads"])
        backbone = load_backbone(settings["backbone"], settings["weights"])
        self.torch = torch
        self.crop = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.PILToTensor()])
        self.embed = lambda pixels: reference.multiscale_embedding(backbone, pixels)

        def forward(pixels: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return self.embed(torch.from_numpy(pixels)).numpy()

        super().__init__(settings, forward)

    def run(self) -> tuple[float, list[float]]:
        """See `Way.run`."""
        marks = [time.perf_counter()]
        images = [Image.open(path).convert("RGB") for path in self.paths]
        marks.append(time.perf_counter())
        pixels = [self.crop(image).permute(1, 2, 0)[None] for image in images]
        marks.append(time.perf_counter())
        with self.torch.inference_mode():
            vectors = [self.embed(picture) for picture in pixels]
            marks.append(time.perf_counter())
            score = self.torch.nn.functional.cosine_similarity(*vectors).item()
        marks.append(time.perf_counter())
        return score, _milliseconds(marks)


def engine(settings: dict) -> Way:
    """One of imgsim's engines."""
    from imgsim_ops.engines.create import create_engine

    names = ("backbone", "weights", "threads")
    made = create_engine(
        settings["engine"], precision=settings["precision"], **{name: settings[name] for name in names}
    )
    return Way(settings, made.embed)


def stock_onnxruntime(settings: dict) -> Way:
    """A file of standard operators in ONNX Runtime as it comes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings["threads"]
    session = onnxruntime.InferenceSession(settings["model"], options, providers=["CPUExecutionProvider"])
    return Way(settings, lambda pixels: session.run(None, {"pixels": pixels})[0])


def openvino(settings: dict) -> Way:
    """A file of standard operators in OpenVINO."""
    import openvino

    options = {
        "INFERENCE_NUM_THREADS": settings["threads"],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # what is not quantised stays float32
    }
    request = openvino.Core().compile_model(settings["model"], "CPU", options).create_infer_request()
    return Way(settings, lambda pixels: request.infer({0: pixels}, share_inputs=True)[0].copy())


class PairModel(Way):
    """imgsim's model from two pictures to their similarity, with imgsim's operators registered."""

    def __init__(self, settings: dict) -> None:
        import onnxruntime

        import imgsim_ops

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = settings["threads"]
        options.register_custom_ops_library(str(imgsim_ops.ort_library_path()))
        session = onnxruntime.InferenceSession(settings["model"], options, providers=["CPUExecutionProvider"])
        super().__init__(
            settings, lambda pixels: session.run(None, {"pixels_a": pixels[:1], "pixels_b": pixels[-1:]})[0]
        )

    def run(self) -> tuple[float, list[float]]:
        """See `Way.run`; the forward pass has the cosine in it."""
        from imgsim_ops import kernels
        from imgsim_ops.images.decode import decode

        marks = [time.perf_counter()]
        images = [decode(path) for path in self.paths]
        marks.append(time.perf_counter())
        pixels = np.stack([kernels.resize_crop(image) for image in images])
        marks.append(time.perf_counter())
        (score,) = self.forward(pixels)
        marks.append(time.perf_counter())
        return float(score), [*_milliseconds(marks), 0.0]


class App(Way):
    """The C++ program: one call runs it several times inside and reports the medians."""

    def __init__(self, settings: dict) -> None:
        model, threads = settings["model"], str(settings["threads"])
        self.command = [settings["app"], "--model", model, "--threads", threads, "--repeat", "15", "--json"]
        super().__init__(settings, lambda pixels: pixels)

    def run(self) -> tuple[float, list[float]]:
        """See `Way.run`."""
        command = [*self.command, *map(str, self.paths)]
        document = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        return document["score"], [document["median_ms"][step] for step in STEPS]

    def forward_one(self) -> float:
        """It always takes two pictures."""
        return float("nan")


MAKERS: dict[str, Callable[[dict], Way]] = {
    "plain PyTorch": PlainPyTorch,
    "engine": engine,
    "onnxruntime": stock_onnxruntime,
    "openvino": openvino,
    "pair": PairModel,
    "app": App,
}


def _milliseconds(marks: list[float]) -> list[float]:
    return [(after - before) * 1e3 for before, after in pairwise(marks)]


def main() -> None:
    """Makes one way; for each line of input measures it that many times and prints what came out as JSON."""
    settings = json.loads(sys.argv[1])
    way = MAKERS[settings["maker"]](settings)
    for line in sys.stdin:
        way.run()
        runs = [way.run() for _ in range(int(line))]
        way.forward_one()
        ones = [way.forward_one() for _ in range(int(line))]
        score = runs[-1][0]
        print(json.dumps({"score": score, "steps": [steps for _, steps in runs], "ones": ones}), flush=True)


if __name__ == "__main__":
    main()
