"""What `imgsim zoo` needs of a model, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.machine import Place, cuda_devices
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
class Runtime(Place):
    """What runs models, and where.

    Attributes:
        engine: One of `ENGINES`.
    """

    engine: str = "torch"

    def check(self) -> None:
        """Finds mistakes before any model is loaded.

        Raises:
            ImgsimError: No engine has that name, or there is no such device here.
        """
        if self.engine not in ENGINES:
            raise ImgsimError(f"zoo: --engine must be one of {', '.join(ENGINES)} (got {self.engine!r})")
        self.check_name("zoo")
        if self.device == "cpu":
            return
        if self.engine == "torch":
            if self.cuda_number >= (count := cuda_devices()):
                raise ImgsimError(f"zoo: --device {self.device} must be a GPU that PyTorch sees (got {count} of them)")
            return
        from imgsim_ops.engines.onnx import CPU_ONLY, providers

        if providers() == CPU_ONLY:
            raise ImgsimError(f"zoo: --device {self.device} needs a GPU that ONNX Runtime can use (got none)")


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

    @property
    def gflops(self) -> float:
        """See above."""
        ...

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

    def load(self, files: WeightFiles, runtime: Runtime) -> Loaded:
        """Loads it.

        Raises:
            WeightsError: Its weights cannot be had or do not fit.
            ImgsimError: It cannot run there.
        """
        ...
