"""What is trained: an encoder with what teaches it, a triplet loss, a contrastive loss, or rebuilding pictures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from imgsim_ops.errors import ImgsimError, nearest
from imgsim_ops.evaluation.labelled import INSTALL
from imgsim_ops.evaluation.training.changes import Changes, changed, joined
from imgsim_ops.evaluation.training.encoders import Decoder, Encoder

#: How an encoder can be taught.
KINDS = ("triplet", "contrastive", "autoencoder")

# Distances between vectors of unit length, from 0 to 2. The triplet loss wants a picture of another class farther away
# than one of its own by so much; the contrastive loss wants pictures of a class within one distance, and those of two
# classes beyond the other.
_TRIPLET_MARGIN = 0.2
_POSITIVE_MARGIN, _NEGATIVE_MARGIN = 0.4, 0.8


class Learner(nn.Module):
    """An encoder and how it learns.

    Attributes:
        encoder: What remains.
        by_class: Whether it learns from classes; batches must then have several pictures of each of theirs.
    """

    encoder: Encoder
    by_class: bool

    def loss(
        self, images: torch.Tensor, labels: torch.Tensor, per_class: int, changes: Changes, generator: torch.Generator
    ) -> tuple[torch.Tensor, float]:
        """What a step makes smaller.

        Args:
            images: As ``Encoder.images`` makes them; where it learns by classes, `per_class` of one after the other.
            labels: int64 (N,).
            per_class: See `images`.
            changes: How far pictures are changed.
            generator: On the CPU; all that is random comes from it.

        Returns:
            The loss, and the same kind of number that `measured` gives.
        """
        raise NotImplementedError

    def measured(self, images: torch.Tensor, labels: torch.Tensor) -> float:
        """The loss of pictures as they are, over all that can be formed of them and not only what is hard."""
        raise NotImplementedError


class Siamese(Learner):
    """One network for all pictures, and a loss on the distances between its vectors.

    Neither loss pulls all of a class to one point: the triplet loss pulls a picture to the nearest one of its class in
    the batch (Xuan, Stylianou and Pless, "Improved Embeddings with Easy Positive Triplet Mining", arXiv:1904.04370),
    the contrastive loss pulls it to all, but no nearer than a margin. Classes so keep their inner differences, and new
    ones are told apart better. Half of a batch are made-up classes, see `changes.joined`.
    """

    by_class = True

    def __init__(self, encoder: Encoder, kind: str) -> None:
        """Puts an encoder under a loss.

        Args:
            encoder: Makes vectors of unit length.
            kind: ``triplet`` or ``contrastive``.

        Raises:
            ImgsimError: pytorch-metric-learning is not installed.
        """
        super().__init__()
        self.encoder = encoder
        try:
            from pytorch_metric_learning import losses, miners, reducers
        except ImportError as error:
            raise ImgsimError(f"training: pytorch-metric-learning must be installed (got none); {INSTALL}") from error
        if kind == "triplet":
            # Of negatives the nearest of those farther away than the positive: the very nearest would at first bring
            # all vectors to one point.
            self._miner = miners.BatchEasyHardMiner(pos_strategy="easy", neg_strategy="semihard")
            loss, margins = losses.TripletMarginLoss, {"margin": _TRIPLET_MARGIN}
        else:
            margins = {"pos_margin": _POSITIVE_MARGIN, "neg_margin": _NEGATIVE_MARGIN}
            self._miner, loss = miners.PairMarginMiner(**margins), losses.ContrastiveLoss
        self._loss, self._measure = loss(**margins), loss(**margins, reducer=reducers.MeanReducer())

    def loss(
        self, images: torch.Tensor, labels: torch.Tensor, per_class: int, changes: Changes, generator: torch.Generator
    ) -> tuple[torch.Tensor, float]:
        """See `Learner.loss`."""
        images = changed(images, changes, generator)
        images, labels = joined(images, labels, per_class, generator)
        vectors = self.encoder.vectors(images)
        loss = self._loss(vectors, labels, self._miner(vectors, labels))
        return loss, float(self._measure(vectors.detach(), labels))

    def measured(self, images: torch.Tensor, labels: torch.Tensor) -> float:
        """See `Learner.measured`."""
        return float(self._measure(self.encoder.vectors(images), labels))


class Autoencoder(Learner):
    """An encoder, and a decoder that makes the picture again of its vector; the loss is the mean squared error.

    The encoder sees the picture changed and the decoder must make the unchanged one: what a change does is not to be
    kept in the vector (Vincent et al., "Extracting and Composing Robust Features with Denoising Autoencoders", 2008).
    """

    by_class = False

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = Decoder(encoder.size, encoder.dimension)

    def loss(
        self, images: torch.Tensor, labels: torch.Tensor, per_class: int, changes: Changes, generator: torch.Generator
    ) -> tuple[torch.Tensor, float]:
        """See `Learner.loss`."""
        rebuilt = self.decoder(self.encoder.vectors(changed(images, changes, generator)))
        loss = F.mse_loss(rebuilt, images)
        return loss, loss.item()

    def measured(self, images: torch.Tensor, labels: torch.Tensor) -> float:
        """See `Learner.measured`."""
        return F.mse_loss(self.decoder(self.encoder.vectors(images)), images).item()


def create_learner(kind: str, network: str, size: int, dimension: int) -> Learner:
    """A learner of random weights, by PyTorch's generator.

    Args:
        kind: One of `KINDS`.
        network: As of `Encoder`, likewise the next two.
        size: As there.
        dimension: As there.

    Raises:
        ImgsimError: There is no such kind, network or size, or a package is missing.
    """
    check_kind(kind)
    encoder = Encoder(network, size, dimension, unit=kind != "autoencoder")
    return Autoencoder(encoder) if kind == "autoencoder" else Siamese(encoder, kind)


def check_kind(kind: str) -> None:
    """Checks a name of a kind.

    Raises:
        ImgsimError: There is no such kind.
    """
    if kind not in KINDS:
        raise ImgsimError(f"training: must be one of {', '.join(KINDS)} (got {kind!r}){nearest(kind, KINDS)}")
