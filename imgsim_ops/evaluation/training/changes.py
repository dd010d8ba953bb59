"""What training does to pictures so that the network learns what does not matter, and what does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Changes:
    """How far pictures are changed, each by other amounts, drawn evenly. None of it makes another digit of a digit.

    Attributes:
        turn: Degrees to either side.
        shift: To each of the four sides, as a share of the picture's side.
        zoom: Larger or smaller, as a share of the size.
        mirror: Whether every other picture is mirrored, left to right. Not for what can be read: digits, letters.
    """

    turn: float = 10.0
    shift: float = 0.07
    zoom: float = 0.1
    mirror: bool = False


def changed(images: torch.Tensor, changes: Changes, generator: torch.Generator) -> torch.Tensor:
    """Pictures turned, shifted, zoomed and perhaps mirrored; at the border the outermost pixels go on.

    Args:
        images: float32 (N, C, H, W).
        changes: How far.
        generator: On the CPU, also for pictures elsewhere: the draws are the same ones there.

    Returns:
        The same shape.
    """

    def drawn(most: float) -> torch.Tensor:
        return (2 * torch.rand(len(images), generator=generator) - 1) * most

    angle, scale = drawn(math.radians(changes.turn)), 1 + drawn(changes.zoom)
    across, down = drawn(2 * changes.shift), drawn(2 * changes.shift)  # the grid's picture is 2 wide and high
    flip = torch.ones(len(images))
    if changes.mirror:
        flip -= 2 * torch.randint(0, 2, (len(images),), generator=generator)
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    rows = torch.stack([flip * cosine, -sine, across, flip * sine, cosine, down], 1).view(-1, 2, 3)
    grid = F.affine_grid(rows.to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def joined(
    images: torch.Tensor, labels: torch.Tensor, per_class: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch in which half of each class's pictures have a part of another class's pictures; they are a new class.

    A network that tells only a few classes apart forgets all that these do not differ in, and then takes new classes
    for one another. Classes that are made up are the remedy of Gu, Ko and Kim, "Proxy Synthesis: Learning with
    Synthetic Classes for Deep Metric Learning" (arXiv:2103.15454), who mix vectors; here the pictures themselves are
    cut, as in Yun et al., "CutMix" (arXiv:1905.04899), all of a batch at the same line.

    Args:
        images: float32 (N, C, H, H): classes one after the other, `per_class` pictures of each.
        labels: int64 (N,).
        per_class: See `images`.
        generator: On the CPU. Draws the line, 0.35 to 0.65 of the way across or down, and which class goes with which.

    Returns:
        The same shapes. A made-up class has one label for each two classes, below 0.
    """
    classes = len(images) // per_class
    if classes < 2:
        return images, labels
    by = per_class * int(torch.randint(1, classes, (1,), generator=generator))
    side = images.shape[-1]
    line = round(side * (0.35 + 0.3 * float(torch.rand(1, generator=generator))))
    kept = torch.zeros(side, side, dtype=torch.bool)
    kept[:line] = True
    kept = torch.rot90(kept, int(torch.randint(0, 4, (1,), generator=generator))).to(images.device)
    chosen = (torch.arange(len(images), device=images.device) % per_class) < per_class // 2
    whole = kept | ~chosen.view(-1, 1, 1, 1)
    # Which part of which class: one number for each ordered pair, apart from every real label.
    partner = labels.roll(by)
    made_up = -1 - labels - (labels.max() + 1) * partner
    return torch.where(whole, images, images.roll(by, 0)), torch.where(chosen, made_up, labels)
