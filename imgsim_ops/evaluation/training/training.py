"""Training an encoder on the classes of a data set that may be seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.labelled import LabelledPictures
from imgsim_ops.evaluation.machine import Place, machine, machine_line
from imgsim_ops.evaluation.plots import new_figure
from imgsim_ops.evaluation.result_files import read_results, write_results
from imgsim_ops.evaluation.training.changes import Changes
from imgsim_ops.evaluation.training.encoders import Encoder
from imgsim_ops.evaluation.training.learners import check_kind, create_learner
from imgsim_ops.evaluation.training.loss_curves import training_results
from imgsim_ops.evaluation.training.options import TrainingOptions
from imgsim_ops.evaluation.training.parts import Parts, split_pictures
from imgsim_ops.evaluation.training.run_folder import ENCODER, MODEL, RunFolder, read_settings
from imgsim_ops.evaluation.training.served import encoder_fingerprint, encoder_model
from imgsim_ops.evaluation.training.trainer import Trainer
from imgsim_ops.files.interrupts import DeferredInterrupt
from imgsim_ops.files.writing import write_file
from imgsim_ops.models.weights import read_state_dict

_VERSION = 1  # changes when a checkpoint can no longer be gone on with

_LOSSES = {
    "triplet": "mean over all triplets of a batch, also those that are not learnt from",
    "contrastive": "mean over all pairs of a batch, also those that are not learnt from",
    "autoencoder": "mean squared error of rebuilt pixels, in their standard deviations",
}


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
    options: TrainingOptions | None = None,
    *,
    resume: bool = False,
    place: Place = Place(),
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
        options: How; None: as `TrainingOptions` has it.
        resume: Go on with what the folder holds. It may also be done, or not begun.
        place: Where.
        progress: Called with what goes on, how much of it is done, and of how much.
        on_epoch: Called with an entry of ``Training.history`` when it is made.

    Raises:
        ImgsimError: A name or number is wrong, a package is missing, there are too few pictures or classes, the folder
            holds something else, or the loss became infinite.
        ImageError: A file has changed since the data set was loaded.
        OSError: The disk refuses; the checkpoint before is kept.
    """
    options = options or TrainingOptions()
    check_kind(kind)
    options.check()
    place.check()
    new_figure(1, 1)  # what is missing is said before the work, not after it
    parts = split_pictures(data, options.seed)
    with RunFolder(folder, _what(kind, data, options), resume) as run, _threads(place.threads):
        trainer = Trainer(kind, data, parts, options, run, place.device)
        with DeferredInterrupt() as interrupt:
            try:
                if trainer.ending() is None:
                    with interrupt.welcome():
                        trainer.look(progress)
                    trainer.go_on(interrupt, progress, on_epoch)
            except torch.OutOfMemoryError as error:
                rule = "a batch must fit into the memory of the device"
                raise ImgsimError(f"training: {rule} (got {options.batch} pictures, --batch)") from error
        if trainer.ending() is None:
            return Training(kind, run.path, trainer.history, trainer.best_epoch, "interrupted")
        return _finished(kind, data, parts, options, run, trainer)


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


def _what(kind: str, data: LabelledPictures, options: TrainingOptions) -> dict[str, Any]:
    """What makes a training what it is."""
    asked = asdict(options)
    del asked["epochs"], asked["patience"]
    labels, counts = np.unique(data.labels, return_counts=True)
    classes = {data.classes[label]: int(count) for label, count in zip(labels, counts, strict=True)}
    return {"imgsim_training": _VERSION, "kind": kind, "data": data.name, "classes": classes, **asked}


def _finished(
    kind: str, data: LabelledPictures, parts: Parts, options: TrainingOptions, run: RunFolder, trainer: Trainer
) -> Training:
    """Writes the encoder and the results, unless they are there."""
    what = _what(kind, data, options)
    encoder = _encoder(what)
    encoder.load_state_dict(trainer.best_encoder())
    model, fingerprint = run.path / MODEL, str(encoder_fingerprint(kind, encoder))
    found = Training(kind, run.path, trainer.history, trainer.best_epoch, trainer.ending(), model, fingerprint)
    ended = {"early": "it got no better", "epochs": "that many were asked for"}[found.ended]
    weights = sum(values.numel() for values in encoder.parameters())
    facts = {
        "Data": f"{data.name}: {len(parts.training):,} pictures to learn from, {len(parts.validation):,} to check by",
        "Classes": ", ".join(data.present),
        "Network": f"{options.network}, {weights:,} weights; pictures of {options.size} x {options.size} to "
        f"{options.dimension} values",
        "Vectors": fingerprint,
        "Kept": f"the encoder of epoch {found.best_epoch}",
        "Ended": f"after {len(found.history)} epochs, because {ended}",
        "Loss": _LOSSES[kind],
        "Validation accuracy": f"the share of validation pictures whose {parts.neighbours} nearest others all show "
        "their class",
        "Changes": _shown_changes(options.changes),
        "Optimiser": f"AdamW, learning rate {options.rate:g}, {trainer.batch} pictures in a batch",
        "Seed": str(options.seed),
        "Device": str(trainer.device),
        "Machine": machine_line(machine(torch.get_num_threads(), ("pytorch-metric-learning",))),
    }
    if not _is_written(run.path, facts):
        run.write_tensors(ENCODER, encoder.state_dict())
        trained_on = {key: what[key] for key in ("data", "classes", "seed")}
        write_file(model, encoder_model(kind, encoder, trained_on).SerializeToString())
        title = f"Training: {kind} on {data.name}"
        write_results(training_results(title, found.history, found.best_epoch, facts), run.path)
    return found


def _is_written(folder: Path, facts: Mapping[str, str]) -> bool:
    """Whether the results of this very state are there; they are written last."""
    try:
        there = read_results(folder / "training.json").facts
    except ImgsimError:
        return False
    return all(there.get(key) == facts[key] for key in ("Vectors", "Ended"))


def _shown_changes(changes: Changes) -> str:
    mirrored = "mirrored or not" if changes.mirror else "never mirrored"
    return (
        f"turned by up to {changes.turn:g} degrees, shifted by {100 * changes.shift:g} % of the side, zoomed by "
        f"{100 * changes.zoom:g} %, {mirrored}"
    )


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if threads:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
