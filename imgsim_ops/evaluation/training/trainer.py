"""The loop of a training: steps, epochs, validation, and what a checkpoint holds.

All that is random in an epoch comes from the seed and the epoch's number, in a step from the step's number too: a
checkpoint needs no generator's state, and a training that was stopped and gone on with ends with the same bits as one
that was not, on the same processor, threads and versions.
"""

from __future__ import annotations

import copy
import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.judging import VectorMethod
from imgsim_ops.evaluation.labelled import LabelledPictures, network_pixels
from imgsim_ops.evaluation.training.learners import Learner, create_learner
from imgsim_ops.evaluation.training.options import PER_CLASS, TrainingOptions
from imgsim_ops.evaluation.training.parts import Parts
from imgsim_ops.evaluation.training.run_folder import RunFolder
from imgsim_ops.files.interrupts import DeferredInterrupt

_VALIDATION_BATCH = 256
# What is kept is the mean of the network's weights over the last steps, each counting so much less than the next one:
# from one step to the next the vectors of unseen classes move more than they get better. The first steps count less.
_FORGETTING = 0.95
_WEIGHT_DECAY = 0.01
# Long epochs are saved within too.
_SAVE_SECONDS = 300.0

# What the numbers drawn are for, besides the epoch and the step; 0 is `parts.split_pictures`'s.
_FOR_ORDER, _FOR_STEP, _FOR_VALIDATION = range(1, 4)


class Trainer:
    """One training: the networks, and how far they are.

    Attributes:
        history: As of ``training.Training``.
        batch: Pictures in a step.
        device: Where it goes on.
    """

    def __init__(
        self, kind: str, data: LabelledPictures, parts: Parts, options: TrainingOptions, run: RunFolder, device: str
    ) -> None:
        """Begins, or takes up what the run's checkpoint has.

        Args:
            kind: One of ``learners.KINDS``.
            data: What may be seen.
            parts: As ``parts.split_pictures`` made them of `data`.
            options: How.
            run: Where checkpoints are.
            device: ``cpu``, ``cuda`` or ``cuda:N``.

        Raises:
            ImgsimError: There is no such network, a package is missing, or the checkpoint is damaged.
        """
        self._data, self._parts, self._options, self._run = data, parts, options, run
        self.device = torch.device(device)
        with torch.random.fork_rng(devices=[]):  # the caller's generator must not notice
            torch.manual_seed(options.seed)
            self._learner = create_learner(kind, options.network, options.size, options.dimension)
        classes = len(np.unique(data.labels))
        if self._learner.by_class:
            self.batch = PER_CLASS * min(classes, options.batch // PER_CLASS)
        else:
            self.batch = min(options.batch, len(parts.training))
        self._steps = max(1, len(parts.training) // self.batch)
        # How far it is: the epoch and step that come next, the sum of the losses of the epoch's steps, and its time.
        self._epoch = self._step = 0
        self._losses = self._seconds = 0.0
        self.history: list[dict[str, float]] = []
        self._best: dict[str, Any] | None = None
        self._kept = run.checkpoint()
        if self._kept is not None:
            self.history, self._best = self._kept["history"], self._kept["best"]

    # --- what is there ---

    @property
    def best_epoch(self) -> int:
        """The epoch whose encoder is kept, from 1; 0 before the first has ended."""
        return self._best["epoch"] if self._best else 0

    def best_encoder(self) -> dict[str, torch.Tensor]:
        """Its state dict."""
        return self._best["encoder"]

    def ending(self) -> str | None:
        """Why it has ended; None if it has not."""
        if self.history and len(self.history) - self.best_epoch >= self._options.patience:
            return "early"
        return "epochs" if len(self.history) >= self._options.epochs else None

    def look(self, progress: Callable[[str, int, int], None]) -> None:
        """Reads the pictures, and brings the networks to where the checkpoint has them."""
        progress("Reading pictures", 0, 0)
        pixels = network_pixels(self._data.pictures, self._options.size)
        digest = hashlib.sha256(pixels.tobytes())
        digest.update(self._data.labels.tobytes())
        self._run.begin(digest.hexdigest())
        rows = {"training": self._parts.training, "validation": self._parts.validation}
        self._pixels = {name: torch.from_numpy(pixels[part]) for name, part in rows.items()}
        self._labels = {name: torch.from_numpy(self._data.labels[part]) for name, part in rows.items()}
        self._learner.encoder.set_normalisation(self._pixels["training"])
        self._learner.to(self.device)
        self._average = copy.deepcopy(self._learner).eval().requires_grad_(False)
        self._optimiser = torch.optim.AdamW(
            self._learner.parameters(), lr=self._options.rate, weight_decay=_WEIGHT_DECAY
        )
        if self._kept is not None:
            self._load(self._kept)
            self._kept = None

    def _state(self) -> dict[str, Any]:
        return {
            "epoch": self._epoch,
            "step": self._step,
            "losses": self._losses,
            "seconds": self._seconds,
            "learner": self._learner.state_dict(),
            "average": self._average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "history": self.history,
            "best": self._best,
        }

    def _load(self, state: Mapping[str, Any]) -> None:
        self._epoch, self._step = state["epoch"], state["step"]
        self._losses, self._seconds = state["losses"], state["seconds"]
        self._learner.load_state_dict(state["learner"])
        self._average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])

    def _save(self) -> None:
        self._run.save(self._state(), self.history)

    # --- the work ---

    def go_on(
        self,
        interrupt: DeferredInterrupt,
        progress: Callable[[str, int, int], None],
        on_epoch: Callable[[Mapping[str, float]], None],
    ) -> None:
        """Trains until it ends or Ctrl-C comes."""
        total = self._options.epochs * self._steps
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            while self.ending() is None and not interrupt.pending:
                saved = start = time.monotonic()
                order = self._order(self._epoch)
                while self._step < self._steps and not interrupt.pending:
                    rows = order[self._step * self.batch : (self._step + 1) * self.batch]
                    self._losses += self._take_step(rows)
                    self._step += 1
                    progress("Training", self._epoch * self._steps + self._step, total)
                    if time.monotonic() - saved > _SAVE_SECONDS:
                        self._save()
                        saved = time.monotonic()
                self._seconds += time.monotonic() - start
                if self._step == self._steps:
                    self._end_epoch()
                    on_epoch(self.history[-1])
                self._save()

    def _take_step(self, rows: Sequence[int]) -> float:
        self._learner.train()
        images = self._learner.encoder.images(self._pixels["training"][rows].to(self.device))
        labels = self._labels["training"][rows].to(self.device)
        (drawn,) = self._draws(_FOR_STEP, self._epoch, self._step).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(drawn) >> 1)
        loss, measured = self._learner.loss(images, labels, PER_CLASS, self._options.changes, generator)
        if not math.isfinite(loss.item()):
            where = f"epoch {self._epoch + 1}, at a learning rate of {self._options.rate}"
            raise ImgsimError(f"training: the loss must stay finite (got {loss.item()} in {where})")
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        steps = self._epoch * self._steps + self._step
        _follow(self._average, self._learner, min(_FORGETTING, (1 + steps) / (10 + steps)))
        return measured

    def _end_epoch(self) -> None:
        start = time.monotonic()
        loss, accuracy = self._validate()
        self._seconds += time.monotonic() - start
        self.history.append(
            {
                "epoch": self._epoch + 1,
                "train_loss": self._losses / self._steps,
                "validation_loss": loss,
                "validation_accuracy": accuracy,
                "seconds": self._seconds,
            }
        )
        # The accuracy is what the vectors are for, but says nothing about how well pictures are rebuilt.
        score = [accuracy, -loss] if self._learner.by_class else [-loss]
        if self._best is None or score > self._best["score"]:
            encoder = self._average.encoder.state_dict()
            kept = {name: value.detach().to("cpu", copy=True) for name, value in encoder.items()}
            self._best = {"epoch": self._epoch + 1, "score": score, "encoder": kept}
        self._epoch, self._step = self._epoch + 1, 0
        self._losses = self._seconds = 0.0

    @torch.no_grad()
    def _validate(self) -> tuple[float, float]:
        """The loss, and the share of validation pictures whose nearest others all show their class."""
        pixels, labels = self._pixels["validation"], self._labels["validation"]
        encoder = self._average.encoder
        vectors = np.concatenate(
            [encoder(part.to(self.device)).cpu().numpy() for part in pixels.split(_VALIDATION_BATCH)]
        )
        found = VectorMethod().nearest(vectors, np.arange(len(vectors)), self._parts.neighbours, lambda *_: None)
        accuracy = float((labels.numpy()[found] == labels.numpy()[:, np.newaxis]).all(axis=1).mean())
        order = self._sampled("validation", self._draws(_FOR_VALIDATION))
        losses = []
        for first in range(0, len(order), self.batch):
            rows = order[first : first + self.batch]
            images = encoder.images(pixels[rows].to(self.device))
            losses.append(self._average.measured(images, labels[rows].to(self.device)))
        return float(np.mean(losses)), accuracy

    def _order(self, epoch: int) -> list[int]:
        """The rows of an epoch's batches, one after the other."""
        return self._sampled("training", self._draws(_FOR_ORDER, epoch))

    def _sampled(self, part: str, draws: np.random.SeedSequence) -> list[int]:
        draw = np.random.default_rng(draws)
        labels = self._labels[part]
        if not self._learner.by_class:
            return draw.permutation(len(labels)).tolist()
        from pytorch_metric_learning.samplers import MPerClassSampler
        from pytorch_metric_learning.utils import common_functions

        length = max(1, len(labels) // self.batch) * self.batch
        before = common_functions.NUMPY_RANDOM
        common_functions.NUMPY_RANDOM = draw  # the sampler's source of numbers, which is the process's
        try:
            return list(MPerClassSampler(labels, PER_CLASS, self.batch, length))
        finally:
            common_functions.NUMPY_RANDOM = before

    def _draws(self, *purpose: int) -> np.random.SeedSequence:
        return np.random.SeedSequence((self._options.seed, *purpose))


def _follow(average: Learner, learner: Learner, forgetting: float) -> None:
    """Moves the mean of the weights a little to where they are now."""
    with torch.no_grad():
        for mean, now in zip(average.state_dict().values(), learner.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - forgetting)
            else:
                mean.copy_(now)
