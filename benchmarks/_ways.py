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
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import onnxruntime
    import openvino
    import torch

STEPS = ("decode", "preprocess", "forward", "cosine")
Forward = Callable[[np.ndarray], np.ndarray]


class Way:
    """Two pictures to a score with imgsim's reader, a forward pass of one's own, and imgsim's cosine."""

    def __init__(self, settings: dict, forward: Forward) -> None:
        from imgsim_ops import kernels
        from imgsim_ops.images.decode import decode

        self.paths = [Path(path) for path in settings["paths"]]
        self.decode: Callable = decode
        self.preprocess: Callable = lambda images: np.stack([kernels.resize_crop(image) for image in images])
        self.forward = forward
        self.cosine: Callable = lambda vectors: float(kernels.cosine_similarity(*vectors))

    def run(self) -> tuple[float, list[float]]:
        """The score, and the milliseconds of each of `STEPS`."""
        marks = [time.perf_counter()]
        images = [self.decode(path) for path in self.paths]
        marks.append(time.perf_counter())
        pixels = self.preprocess(images)
        marks.append(time.perf_counter())
        vectors = self.forward(pixels)
        marks.append(time.perf_counter())
        score = self.cosine(vectors)
        marks.append(time.perf_counter())
        return score, [(after - before) * 1e3 for before, after in pairwise(marks)]

    def forward_one(self) -> float:
        """The milliseconds of a forward pass of one picture."""
        pixels = np.full((1, 224, 224, 3), 90, np.uint8)
        start = time.perf_counter()
        self.forward(pixels)
        return (time.perf_counter() - start) * 1e3


class PlainReader:
    """Pillow and torchvision transforms, as one would write them; what PyTorch's DataLoader takes as a data set."""

    def __init__(self, draft: bool = False) -> None:
        from torchvision import transforms

        self._draft = draft
        self._crop = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.PILToTensor()])

    def open(self, path: str | Path) -> Image.Image:
        """Decodes a file; a JPEG, with `draft`, to about twice the size that is needed."""
        image = Image.open(path)
        if self._draft:
            image.draft("RGB", (512, 512))
        return image.convert("RGB")

    def crop(self, image: Image.Image) -> torch.Tensor:
        """Pixels, uint8 (224, 224, 3)."""
        return self._crop(image).permute(1, 2, 0)

    def __getitem__(self, path: str | Path) -> torch.Tensor:
        return self.crop(self.open(path))


def plain_network(settings: dict) -> Callable[[torch.Tensor], torch.Tensor]:
    """The network in eager PyTorch, from pixels (N, 224, 224, 3) to vectors."""
    import torch

    from imgsim_ops.models.reference import multiscale_embedding
    from imgsim_ops.models.weights import load_backbone

    torch.set_num_threads(settings["threads"])
    backbone = load_backbone(settings["backbone"], settings["weights"])
    return torch.inference_mode()(lambda pixels: multiscale_embedding(backbone, pixels))


def plain_pytorch(settings: dict) -> Way:
    """Pillow, torchvision transforms and eager PyTorch, picture by picture, as one would write it."""
    import torch

    reader, network = PlainReader(), plain_network(settings)
    way = Way(settings, lambda pictures: [network(torch.as_tensor(picture)[None]) for picture in pictures])
    way.decode = reader.open
    way.preprocess = lambda images: [reader.crop(image) for image in images]
    way.cosine = lambda vectors: torch.nn.functional.cosine_similarity(*vectors).item()
    return way


def engine(settings: dict) -> Way:
    """One of imgsim's engines."""
    from imgsim_ops.model_files.engine import create_engine
    from imgsim_ops.models.spec import ModelSpec

    spec = ModelSpec(**{name: settings[name] for name in ("backbone", "weights", "precision")})
    made = create_engine(settings["engine"], spec, settings["threads"])
    return Way(settings, made.embed)


def onnxruntime_session(model: str, threads: int, library: Path | None = None) -> onnxruntime.InferenceSession:
    """ONNX Runtime as it comes, or with a library of operators."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    if library is not None:
        options.register_custom_ops_library(str(library))
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def openvino_model(model: str, threads: int, hint: str = "LATENCY") -> openvino.CompiledModel:
    """A file of standard operators in OpenVINO."""
    import openvino

    options = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": hint,
        "INFERENCE_PRECISION_HINT": "f32",  # what is not quantised stays float32
    }
    return openvino.Core().compile_model(model, "CPU", options)


def stock_onnxruntime(settings: dict) -> Way:
    """A file of standard operators in ONNX Runtime as it comes."""
    session = onnxruntime_session(settings["model"], settings["threads"])
    return Way(settings, lambda pixels: session.run(None, {"pixels": pixels})[0])


def stock_openvino(settings: dict) -> Way:
    """A file of standard operators in OpenVINO."""
    request = openvino_model(settings["model"], settings["threads"]).create_infer_request()
    return Way(settings, lambda pixels: request.infer({0: pixels}, share_inputs=True)[0].copy())


def pair_model(settings: dict) -> Way:
    """The pair model, from two pictures to their similarity, with our operators registered."""
    import imgsim_ops

    session = onnxruntime_session(settings["model"], settings["threads"], imgsim_ops.ort_library_path())
    way = Way(settings, lambda pixels: session.run(None, {"pixels_a": pixels[:1], "pixels_b": pixels[-1:]})[0])
    way.cosine = lambda similarity: float(similarity[0])  # it is in the forward pass
    return way


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
    "plain PyTorch": plain_pytorch,
    "engine": engine,
    "onnxruntime": stock_onnxruntime,
    "openvino": stock_openvino,
    "pair": pair_model,
    "app": App,
}


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
