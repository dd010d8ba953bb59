"""What `imgsim zoo` needs of a model, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.zoo.files import WeightFiles

ENGINES = ("torch", "onnx")

#: From one prepared picture, (1, ...), to its embedding, (D,).
Embed = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Facts:
    """What is known of a model before it is loaded.

    Attributes:
        dimension: Values in an embedding.
        gflops: Billions of multiplications with an addition for one picture, classifier included; torchvision's unit.
        parameters: How many the model has, classifier included.
        acc1: Percent of ImageNet's validation pictures whose class is the likeliest one; None: not known.
        acc5: Likewise, one of the five likeliest.
        picture: How a picture is prepared, in few words.
    """

    dimension: int
    gflops: float
    parameters: int
    acc1: float | None
    acc5: float | None
    picture: str


@dataclass(frozen=True)
class Place:
    """Where models run.

    Attributes:
        engine: One of `ENGINES`.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        threads: On the CPU; 0 means all processors that this process may use.
    """

    engine: str = "torch"
    device: str = "cpu"
    threads: int = 0

    def check(self) -> None:
        """Finds mistakes before any model is loaded.

        Raises:
            ImgsimError: No engine has that name, or there is no such device here.
        """
        if self.engine not in ENGINES:
            raise ImgsimError(f"zoo: --engine must be one of {', '.join(ENGINES)} (got {self.engine!r})")
        kind, _, number = self.device.partition(":")
        if kind not in ("cpu", "cuda") or (":" in self.device and not (kind == "cuda" and number.isdecimal())):
            raise ImgsimError(f"zoo: --device must be cpu, cuda or cuda:N (got {self.device!r})")
        if kind == "cuda":
            self._check_cuda()

    def _check_cuda(self) -> None:
        if self.engine == "onnx":
            from imgsim_ops.engines.onnx import CPU_ONLY, providers

            if providers() == CPU_ONLY:
                raise ImgsimError(f"zoo: --device {self.device} needs a GPU that ONNX Runtime can use (got none)")
            return
        import torch

        count = torch.cuda.device_count()
        if self.cuda_number >= count:
            raise ImgsimError(f"zoo: --device {self.device} must be a GPU that PyTorch sees (got {count} of them)")

    @property
    def cuda_number(self) -> int:
        """Which GPU."""
        return int(self.device.partition(":")[2] or 0)


@dataclass(frozen=True)
class Loaded:
    """A model in memory.

    Attributes:
        embed: Runs it; the embedding is in main memory when it returns.
        trained: Its values are the trained ones; else random.
        note: What a reader of the table should know, in few words.
    """

    embed: Embed
    trained: bool
    note: str = ""


class Candidate(Protocol):
    """A model that can be compared.

    Attributes:
        label: Its name, as ``--models`` takes it.
        weights: The version of its weights.
        gflops: See `Facts`; known at once.
    """

    label: str
    weights: str
    gflops: float

    def facts(self) -> Facts:
        """What is known without its weights; takes a fraction of a second."""
        ...

    def prepare(self, pixels: np.ndarray) -> np.ndarray:
        """A picture as the model takes it.

        Args:
            pixels: uint8 RGB (H, W, 3).

        Returns:
            (1, ...), for `Loaded.embed`.
        """
        ...

    def load(self, files: WeightFiles, place: Place) -> Loaded:
        """Loads it.

        Raises:
            WeightsError: Its weights cannot be had or do not fit.
            ImgsimError: It cannot run there.
        """
        ...
