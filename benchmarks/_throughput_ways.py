"""The ways of `throughput.py`. Each runs in a process of its own: `python _throughput_ways.py SETTINGS`."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
from _ways import PlainReader, onnxruntime_session, openvino_model, plain_network
from PIL import Image

if TYPE_CHECKING:
    import torch

# How many vectors of a turn are handed back, to be compared with those of other ways.
_SHOWN = 8


@dataclass
class Turn:
    """What is to be done.

    Attributes:
        folder: All its files are taken, in the order of their names,
        repeat: so many times over.
    """

    folder: str
    repeat: int

    @property
    def paths(self) -> list[str]:
        """The files, repeated."""
        return sorted(map(str, Path(self.folder).iterdir())) * self.repeat


Work = Callable[[Turn], Sequence[np.ndarray] | None]


def one_by_one(settings: dict) -> Work:
    """Pillow, torchvision transforms and eager PyTorch, picture by picture, as one would write it."""
    reader, network = PlainReader(), plain_network(settings)
    return lambda turn: [network(reader[path][None])[0] for path in turn.paths]


# --- DataLoader with a network behind it ----------------------------------------------------------------------------

Run = Callable[[Iterable["torch.Tensor"]], list[np.ndarray]]  # batches to vectors


def eager(settings: dict) -> Run:
    """Eager PyTorch."""
    network = plain_network(settings)
    return lambda batches: [network(pixels) for pixels in batches]


def onnxruntime(settings: dict) -> Run:
    """ONNX Runtime as it comes."""
    session = onnxruntime_session(settings["model"], settings["threads"])
    return lambda batches: [session.run(None, {"pixels": pixels.numpy()})[0] for pixels in batches]


def openvino(settings: dict) -> Run:
    """OpenVINO, with as many batches on their way as it asks for: while one runs, the next is fetched."""
    from openvino import AsyncInferQueue

    queue = AsyncInferQueue(openvino_model(settings["model"], settings["threads"], settings["hint"]))
    found: dict[int, np.ndarray] = {}

    def keep(request: object, place: int) -> None:
        found[place] = request.get_output_tensor(0).data.copy()

    queue.set_callback(keep)

    def run(batches: Iterable[torch.Tensor]) -> list[np.ndarray]:
        found.clear()
        for place, pixels in enumerate(batches):
            queue.start_async({0: pixels.numpy()}, userdata=place)
        queue.wait_all()
        return [found[place] for place in sorted(found)]

    return run


class _Batches:
    """What DataLoader asks which files come next: its workers then live from one turn to the next."""

    def __init__(self, size: int) -> None:
        self.paths: list[str] = []
        self._size = size

    def __iter__(self) -> Iterator[list[str]]:
        paths = iter(self.paths)
        return iter(lambda: list(islice(paths, self._size)), [])


def data_loader(settings: dict) -> Work:
    """Worker processes that read with Pillow and torchvision."""
    from torch.utils.data import DataLoader

    run = {"eager": eager, "onnxruntime": onnxruntime, "openvino": openvino}[settings["network"]](settings)
    batches = _Batches(settings["batch"])
    loader = DataLoader(
        PlainReader(settings.get("draft", False)),
        batch_sampler=batches,
        num_workers=settings["workers"],
        persistent_workers=True,
    )

    def work(turn: Turn) -> np.ndarray:
        batches.paths = turn.paths
        return np.concatenate(run(loader))

    return work


# --- imgsim, and what bounds it -------------------------------------------------------------------------------------


def imgsim(settings: dict) -> Work:
    """`Embedder.stream`."""
    from imgsim_ops import Embedder, ModelSpec, ReadOptions

    model = ModelSpec(**{name: settings[name] for name in ("backbone", "weights", "precision")})
    read = ReadOptions(settings["threads"], exact=settings.get("exact", False))
    embedder = Embedder(model, read=read, threads=1)
    return lambda turn: [vector for _, vector in embedder.stream(turn.paths)]


def statistics(settings: dict) -> Work:
    """Mean and standard deviation of the channels."""
    from imgsim_ops.images.options import ReadOptions
    from imgsim_ops.images.statistics import channel_statistics

    def work(turn: Turn) -> None:
        channel_statistics(turn.paths, ReadOptions(settings["threads"]))

    return work


def decode_only(settings: dict) -> Work:
    """Nothing but decoding in threads: to the pixels that the model takes, or whole."""
    from imgsim_ops.images.decode import decode
    from imgsim_ops.images.preprocess import load_pixels

    read = decode if settings["whole"] else load_pixels
    pool = ThreadPoolExecutor(settings["threads"])

    def work(turn: Turn) -> None:
        for _ in pool.map(lambda path: len(read(path)), turn.paths):  # the pixels are let go at once
            pass

    return work


def inference_only(settings: dict) -> Work:
    """Nothing but the int8 model, on pixels that are there already."""
    from imgsim_ops.images.preprocess import load_pixels
    from imgsim_ops.model_files.engine import create_engine
    from imgsim_ops.models.spec import ModelSpec

    names = ("backbone", "weights", "precision")
    engine = create_engine("onnx", ModelSpec(**{name: settings[name] for name in names}), 1)
    pool = ThreadPoolExecutor(settings["threads"])
    pixels = cache(lambda folder: np.stack([load_pixels(path) for path in Turn(folder, 1).paths]))

    def work(turn: Turn) -> np.ndarray:
        ready = pixels(turn.folder)
        batches = [ready[i : i + 4] for i in range(0, len(ready), 4)] * turn.repeat
        return np.concatenate(list(pool.map(engine.embed, batches)))

    return work


# --- other projects -------------------------------------------------------------------------------------------------


def _random_instead(target: str) -> mock._patch:
    """Has a function of torchvision that makes a network make it without weights, which would be a download."""
    import torchvision

    make = getattr(torchvision.models, target.rpartition(".")[2])
    return mock.patch(target, side_effect=lambda weights: make())


def imagededup_cnn(settings: dict) -> Work:
    """The network of imagededup, MobileNetV3 small."""
    import torch
    from imagededup.methods import CNN

    torch.set_num_threads(settings["threads"])
    with _random_instead("torchvision.models.mobilenet_v3_small"):
        encoder = CNN(verbose=False)

    def work(turn: Turn) -> None:
        for _ in range(turn.repeat):
            encoder.encode_images(turn.folder, num_enc_workers=settings["workers"])

    return work


def imagededup_phash(settings: dict) -> Work:
    """The perceptual hash of imagededup."""
    from imagededup.methods import PHash

    hasher = PHash(verbose=False)

    def work(turn: Turn) -> None:
        for _ in range(turn.repeat):
            hasher.encode_images(turn.folder, num_enc_workers=settings["threads"])

    return work


def img2vec(settings: dict) -> Work:
    """img2vec-pytorch, picture by picture."""
    import torch
    from img2vec_pytorch import Img2Vec

    torch.set_num_threads(settings["threads"])
    with _random_instead("img2vec_pytorch.img_to_vec.resnet18"):
        model = Img2Vec(cuda=False, model="resnet18")
    return lambda turn: [model.get_vec(Image.open(path).convert("RGB")) for path in turn.paths]


def open_clip(settings: dict) -> Work:
    """open_clip's picture half, picture by picture, with its own preprocessing."""
    import torch
    from open_clip import create_model_and_transforms

    torch.set_num_threads(settings["threads"])
    model, _, preprocess = create_model_and_transforms("ViT-B-32", pretrained=None)
    encode = torch.inference_mode()(model.eval().encode_image)
    return lambda turn: [encode(preprocess(Image.open(path))[None])[0] for path in turn.paths]


MAKERS: dict[str, Callable[[dict], Work]] = {
    make.__name__: make
    for make in (
        one_by_one,
        data_loader,
        imgsim,
        statistics,
        decode_only,
        inference_only,
        imagededup_cnn,
        imagededup_phash,
        img2vec,
        open_clip,
    )
}


def main() -> None:
    """Makes one way; answers each line of input, a turn, with its seconds and some of its vectors."""
    # What a library prints, or a process that one starts, must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    logging.disable(logging.WARNING)
    settings = json.loads(sys.argv[1])
    work = MAKERS[settings["maker"]](settings)
    for line in sys.stdin:
        turn = Turn(**json.loads(line))
        start = time.perf_counter()
        vectors = work(turn)
        seconds = time.perf_counter() - start
        shown = [] if vectors is None else [np.asarray(vector).tolist() for vector in vectors[:_SHOWN]]
        print(json.dumps({"seconds": seconds, "vectors": shown}), file=answers, flush=True)


if __name__ == "__main__":
    main()
