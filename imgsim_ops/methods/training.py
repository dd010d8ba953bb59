"""Training an encoder on the classes of a data set that may be seen.

All that is random in an epoch comes from the seed and the epoch's number, in a step from the step's number too: a
checkpoint needs no generator's state, and a training that was stopped and gone on with ends with the same bits as one
that was not, on the same processor, threads and versions.
"""

from __future__ import annotations

import copy
import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imgsim_ops.atomic import write_file
from imgsim_ops.errors import ImgsimError
from imgsim_ops.interrupts import DeferredInterrupt
from imgsim_ops.machine import describe, machine
from imgsim_ops.methods.changes import Changes
from imgsim_ops.methods.compare import check_device
from imgsim_ops.methods.data import LabelledPictures, network_pixels
from imgsim_ops.methods.encoders import Encoder
from imgsim_ops.methods.learners import Learner, check_kind, create_learner
from imgsim_ops.methods.loss_curves import training_results
from imgsim_ops.methods.protocol import VectorMethod
from imgsim_ops.methods.run_folder import ENCODER, MODEL, RunFolder, read_settings
from imgsim_ops.methods.served import encoder_fingerprint, encoder_model
from imgsim_ops.models.weights import read_state_dict
from imgsim_ops.plots import new_figure
from imgsim_ops.results import read_results, write_results

#: Of the k nearest validation pictures all must show the class.
NEIGHBOURS = 5

# Of each class's pictures so many are kept for validation: two at the least, or there would be no neighbour.
_VALIDATION_SHARE = 0.15
_LEAST_PICTURES = 4
# Pictures of each class in a batch.
_PER_CLASS = 16
# What is kept is the mean of the network's weights over the last steps, each step counting so much as the one after it:
# from one step to the next the vectors of unseen classes move more than they get better. The first steps count less.
_FORGETTING = 0.95
_WEIGHT_DECAY = 0.01
# Long epochs are saved within too.
_SAVE_SECONDS = 300.0
_VALIDATION_BATCH = 256

_LOSSES = {
    "triplet": "mean over all triplets of a batch, also those that are not learnt from",
    "contrastive": "mean over all pairs of a batch, also those that are not learnt from",
    "autoencoder": "mean squared error of rebuilt pixels, in their standard deviations",
}

# What the numbers drawn are for, besides the epoch and the step.
_FOR_SPLIT, _FOR_ORDER, _FOR_STEP, _FOR_VALIDATION = range(4)


@dataclass(frozen=True)
class Settings:
    """How an encoder is trained. All but `epochs` and `patience` must be the same when it is gone on with.

    Attributes:
        network: As of ``encoders.Encoder``, likewise the next two.
        size: As there.
        dimension: As there.
        batch: Pictures in a step, at most; at least 32.
        rate: The learning rate of AdamW.
        seed: What everything random depends on.
        changes: How far pictures are changed.
        epochs: How often all pictures are seen, at most.
        patience: After so many epochs that were no better by the validation pictures it ends.
    """

    network: str = "small"
    size: int = 32
    dimension: int = 128
    batch: int = 128
    rate: float = 1e-3
    seed: int = 0
    changes: Changes = field(default_factory=Changes)
    epochs: int = 40
    patience: int = 12

    def check(self) -> None:
        """Checks what a user may have got wrong; the network checks the rest.

        Raises:
            ImgsimError: A number is out of its range.
        """
        if self.batch < 2 * _PER_CLASS:
            raise ImgsimError(f"training: a batch must have {2 * _PER_CLASS} pictures or more (got {self.batch})")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ImgsimError(f"training: the learning rate must be above 0 (got {self.rate})")
        for name in ("epochs", "patience"):
            if getattr(self, name) < 1:
                raise ImgsimError(f"training: {name} must be 1 or more (got {getattr(self, name)})")


@dataclass(frozen=True)
class Training:
    """What a training came to.

    Attributes:
        kind: One of ``learners.KINDS``.
        folder: Where everything is.
        history: For each epoch its number from 1 (``epoch``), ``train_loss``, ``validation_loss``,
            ``validation_accuracy`` and ``seconds``.
        best_epoch: The one whose encoder is kept; 0 before the first has ended.
        ended: ``epochs`` (as many as asked for), ``early`` (it got no better) or ``interrupted`` (by Ctrl-C).
        model: The encoder as ``encoder.onnx``; None where it was interrupted, and an older one may lie there.
        fingerprint: What the encoder's vectors carry; None likewise.
    """

    kind: str
    folder: Path
    history: Sequence[Mapping[str, float]]
    best_epoch: int
    ended: str
    model: Path | None = None
    fingerprint: str | None = None

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C came; what was done is kept."""
        return self.ended == "interrupted"


def train(
    kind: str,
    data: LabelledPictures,
    folder: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    resume: bool = False,
    device: str = "cpu",
    threads: int = 0,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    on_epoch: Callable[[Mapping[str, float]], None] = lambda epoch: None,
) -> Training:
    """Trains an encoder, keeps it in a folder, and exports it.

    Ctrl-C ends it after the step that it is in and keeps what is done. A crash loses what was done since the last
    checkpoint: an epoch or five minutes.

    Args:
        kind: ``triplet`` or ``contrastive`` (Siamese networks), or ``autoencoder``.
        data: What may be seen: pictures of two classes or more, at least four of each. A part of each class is kept for
            validation. All come to memory, as ``3 * size * size`` bytes each.
        folder: The run's folder, see `run_folder`; made if it is missing.
        settings: How; None: as `Settings` has it.
        resume: Go on with what the folder holds. It may also be done, or not begun.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        threads: How many threads PyTorch may use; 0 leaves its number as it is.
        progress: Called with what goes on, how much of it is done, and of how much.
        on_epoch: Called with an entry of ``Training.history`` when it is made.

    Raises:
        ImgsimError: A name or number is wrong, a package is missing, there are too few pictures or classes, the folder
            holds something else, or the loss became infinite.
        ImageError: A file has changed since the data set was loaded.
        OSError: The disk refuses; the checkpoint before is kept.
    """
    settings = settings or Settings()
    check_kind(kind)
    settings.check()
    check_device(device)
    new_figure(1, 1)  # what is missing is said before the work, not after it
    training, validation = _split(data, settings.seed)
    with RunFolder(folder, _what(kind, data, settings), resume) as run, _threads(threads):
        work = _Work(kind, data, settings, training, validation, run, device)
        with DeferredInterrupt() as interrupt:
            try:
                if work.ending() is None:
                    with interrupt.welcome():
                        work.look(progress)
                    work.go_on(interrupt, progress, on_epoch)
            except torch.OutOfMemoryError as error:
                rule = "a batch must fit into the memory of the device"
                raise ImgsimError(f"training: {rule} (got {settings.batch} pictures, --batch)") from error
        return work.finish()


def load_encoder(folder: str | os.PathLike[str]) -> Encoder:
    """The encoder that a training kept, in PyTorch, on the CPU, in eval mode.

    Raises:
        ImgsimError: The folder holds no training that has ended.
        WeightsError: Its file is damaged.
    """
    settings = read_settings(folder)
    path = Path(folder) / ENCODER
    if settings is None or not path.exists():
        raise ImgsimError(f"training: the folder must hold one that has ended (got {str(folder)!r})")
    encoder = _encoder(settings)
    encoder.load_state_dict(read_state_dict(path))
    return encoder


def _encoder(settings: Mapping[str, Any]) -> Encoder:
    with torch.random.fork_rng(devices=[]):  # its random weights are not the caller's affair
        learner = create_learner(settings["kind"], *(settings[key] for key in ("network", "size", "dimension")))
    return learner.encoder.eval()


def _what(kind: str, data: LabelledPictures, settings: Settings) -> dict[str, Any]:
    """What makes a training what it is."""
    asked = asdict(settings)
    del asked["epochs"], asked["patience"]
    labels, counts = np.unique(data.labels, return_counts=True)
    classes = {data.classes[label]: int(count) for label, count in zip(labels, counts, strict=True)}
    return {"kind": kind, "data": data.name, "classes": classes, **asked}


def _split(data: LabelledPictures, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are trained on and those for validation, some of each class."""
    labels, counts = np.unique(data.labels, return_counts=True)
    if len(labels) < 2:
        raise ImgsimError(f"training: there must be two classes or more (got {len(labels)} in {data.name})")
    for label, count in zip(labels, counts, strict=True):
        if count < _LEAST_PICTURES:
            rule = f"a class must have {_LEAST_PICTURES} pictures or more"
            raise ImgsimError(f"training: {rule} (got {count} of {data.classes[label]!r})")
    draw = np.random.default_rng((seed, _FOR_SPLIT))
    training, validation = [], []
    for label, count in zip(labels, counts, strict=True):
        rows = draw.permutation(np.flatnonzero(data.labels == label))
        kept = max(2, round(_VALIDATION_SHARE * count))
        validation.append(rows[:kept])
        training.append(rows[kept:])
    return np.sort(np.concatenate(training)), np.sort(np.concatenate(validation))


class _Work:
    """One training: the networks, how far they are, and what is looked at."""

    def __init__(
        self,
        kind: str,
        data: LabelledPictures,
        settings: Settings,
        training: np.ndarray,
        validation: np.ndarray,
        run: RunFolder,
        device: str,
    ) -> None:
        self._kind, self._data, self._settings, self._run = kind, data, settings, run
        self._rows = {"training": training, "validation": validation}
        self._device = torch.device(device)
        with torch.random.fork_rng(devices=[]):  # the caller's generator must not notice
            torch.manual_seed(settings.seed)
            self._learner = create_learner(kind, settings.network, settings.size, settings.dimension)
        classes = len(np.unique(data.labels))
        if self._learner.by_class:
            self._batch = _PER_CLASS * min(classes, settings.batch // _PER_CLASS)
        else:
            self._batch = min(settings.batch, len(training))
        self._steps = max(1, len(training) // self._batch)
        # How far it is: the epoch and step that come next, the sum of the losses of the epoch's steps, and its time.
        self._epoch = self._step = 0
        self._losses = self._seconds = 0.0
        self.history: list[dict[str, float]] = []
        self._best: dict[str, Any] | None = None
        self._kept = run.checkpoint()
        if self._kept is not None:
            self.history, self._best = self._kept["history"], self._kept["best"]

    # --- what is there ---

    def ending(self) -> str | None:
        """Why it has ended; None if it has not."""
        if self.history and len(self.history) - self._best["epoch"] >= self._settings.patience:
            return "early"
        return "epochs" if len(self.history) >= self._settings.epochs else None

    def look(self, progress: Callable[[str, int, int], None]) -> None:
        """Reads the pictures, and brings the networks to where the checkpoint has them."""
        progress("Reading pictures", 0, 0)
        pixels = network_pixels(self._data.pictures, self._settings.size)
        digest = hashlib.sha256(pixels.tobytes())
        digest.update(self._data.labels.tobytes())
        self._run.begin(digest.hexdigest())
        self._pixels = {name: torch.from_numpy(pixels[rows]) for name, rows in self._rows.items()}
        self._labels = {name: torch.from_numpy(self._data.labels[rows]) for name, rows in self._rows.items()}
        self._learner.encoder.set_normalisation(self._pixels["training"])
        self._learner.to(self._device)
        self._average = copy.deepcopy(self._learner).eval().requires_grad_(False)
        self._optimiser = torch.optim.AdamW(
            self._learner.parameters(), lr=self._settings.rate, weight_decay=_WEIGHT_DECAY
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
        total = self._settings.epochs * self._steps
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            while self.ending() is None and not interrupt.pending:
                saved = start = time.monotonic()
                order = self._order(self._epoch)
                while self._step < self._steps and not interrupt.pending:
                    rows = order[self._step * self._batch : (self._step + 1) * self._batch]
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
        images = self._learner.encoder.images(self._pixels["training"][rows].to(self._device))
        labels = self._labels["training"][rows].to(self._device)
        (drawn,) = self._draws(_FOR_STEP, self._epoch, self._step).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(drawn) >> 1)
        loss, measured = self._learner.loss(images, labels, _PER_CLASS, self._settings.changes, generator)
        if not math.isfinite(loss.item()):
            where = f"epoch {self._epoch + 1}, at a learning rate of {self._settings.rate}"
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
            [encoder(part.to(self._device)).cpu().numpy() for part in pixels.split(_VALIDATION_BATCH)]
        )
        found = _nearest(vectors, self._neighbours())
        accuracy = float((labels.numpy()[found] == labels.numpy()[:, np.newaxis]).all(axis=1).mean())
        order = self._sampled("validation", self._draws(_FOR_VALIDATION))
        losses = []
        for first in range(0, len(order), self._batch):
            rows = order[first : first + self._batch]
            images = encoder.images(pixels[rows].to(self._device))
            losses.append(self._average.measured(images, labels[rows].to(self._device)))
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

        length = max(1, len(labels) // self._batch) * self._batch
        before = common_functions.NUMPY_RANDOM
        common_functions.NUMPY_RANDOM = draw  # the sampler's source of numbers, which is the process's
        try:
            return list(MPerClassSampler(labels, _PER_CLASS, self._batch, length))
        finally:
            common_functions.NUMPY_RANDOM = before

    def _draws(self, *purpose: int) -> np.random.SeedSequence:
        return np.random.SeedSequence((self._settings.seed, *purpose))

    # --- the end ---

    def finish(self) -> Training:
        """Writes the encoder and the results, unless it was interrupted."""
        ended = self.ending() or "interrupted"
        best = self._best["epoch"] if self._best else 0
        found = Training(self._kind, self._run.path, self.history, best, ended)
        if found.interrupted:
            return found
        what = _what(self._kind, self._data, self._settings)
        encoder = _encoder(what)
        encoder.load_state_dict(self._best["encoder"])
        found = replace(found, model=self._run.path / MODEL, fingerprint=str(encoder_fingerprint(self._kind, encoder)))
        facts = self._facts(found, encoder)
        if not self._is_written(facts):
            self._run.write_tensors(ENCODER, encoder.state_dict())
            trained_on = {key: what[key] for key in ("data", "classes", "seed")}
            write_file(found.model, encoder_model(self._kind, encoder, trained_on).SerializeToString())
            title = f"Training: {self._kind} on {self._data.name}"
            write_results(training_results(title, self.history, best, facts), self._run.path)
        return found

    def _facts(self, found: Training, encoder: Encoder) -> dict[str, str]:
        asked, rows = self._settings, self._rows
        classes = ", ".join(self._data.present)
        weights = sum(values.numel() for values in encoder.parameters())
        ended = "it got no better" if found.ended == "early" else "that many were asked for"
        return {
            "Data": f"{self._data.name}: {len(rows['training']):,} pictures to learn from, "
            f"{len(rows['validation']):,} for validation",
            "Classes": classes,
            "Network": f"{asked.network}, {weights:,} weights; pictures of {asked.size} x {asked.size} to "
            f"{asked.dimension} values",
            "Vectors": found.fingerprint,
            "Kept": f"the encoder of epoch {found.best_epoch}",
            "Ended": f"after {len(self.history)} epochs, because {ended}",
            "Loss": _LOSSES[self._kind],
            "Validation accuracy": f"the share of validation pictures whose {self._neighbours()} nearest others all "
            "show their class",
            "Changes": _shown_changes(asked.changes),
            "Optimiser": f"AdamW, learning rate {asked.rate:g}, {self._batch} pictures in a batch",
            "Seed": str(asked.seed),
            "Device": str(self._device),
            "Machine": describe(machine(torch.get_num_threads(), ("pytorch-metric-learning",))),
        }

    def _is_written(self, facts: Mapping[str, str]) -> bool:
        """Whether the results of this very state are there; they are written last."""
        try:
            there = read_results(self._run.path / "training.json").facts
        except ImgsimError:
            return False
        return all(there.get(key) == facts[key] for key in ("Vectors", "Ended"))

    def _neighbours(self) -> int:
        counts = np.unique(self._data.labels[self._rows["validation"]], return_counts=True)[1]
        return min(NEIGHBOURS, int(counts.min()) - 1)


def _shown_changes(changes: Changes) -> str:
    mirrored = "mirrored or not" if changes.mirror else "never mirrored"
    return (
        f"turned by up to {changes.turn:g} degrees, shifted by {100 * changes.shift:g} % of the side, zoomed by "
        f"{100 * changes.zoom:g} %, {mirrored}"
    )


def _follow(average: Learner, learner: Learner, forgetting: float) -> None:
    """Moves the mean of the weights a little to where they are now."""
    with torch.no_grad():
        for mean, now in zip(average.state_dict().values(), learner.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - forgetting)
            else:
                mean.copy_(now)


def _nearest(vectors: np.ndarray, k: int) -> np.ndarray:
    return VectorMethod().nearest(vectors, np.arange(len(vectors)), k, lambda *_: None)


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if threads:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
