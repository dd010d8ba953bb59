"""What collections answer with: pictures, and why two of them belong together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Picture:
    """A file of a collection, as it was when it was indexed.

    Attributes:
        path: Absolute; bytes that are not UTF-8 as surrogate escapes.
        size: Bytes.
        modified: Time of the last change, in nanoseconds since 1970.
        sha256: Of the file's bytes: 32 bytes. Documents have it in hexadecimal digits.
        width: In pixels, upright.
        height: Likewise.
        format: For example ``JPEG``, as ``images.formats.picture_format`` names it.
    """

    path: str
    size: int
    modified: int
    sha256: bytes
    width: int
    height: int
    format: str


@dataclass(frozen=True)
class Evidence:
    """Why two pictures are held to be copies of each other.

    Attributes:
        stage: What settled it: ``content`` (equal bytes), ``perceptual`` (hashes a few bits apart), ``vector`` (the
            score alone), ``local`` (matching local features).
        score: Cosine of the two vectors, the best over their crops; 1 for equal bytes.
        distance: Bits, of 256, in which the perceptual hashes differ; None where they were not compared.
        inliers: Local features that agree on one transform; None where none were looked at.
        transform: (a, b, c, d, e, f): the point (x, y) of the one picture lies at (a x + b y + c, d x + e y + f) of the
            other, in pixels of the upright pictures. The one is the group's other member, or the picture of the test
            set; the other is the representative, or the picture of the training set. None where nothing was matched.
        orientation: EXIF's number, 1 to 8, of how the one must be turned to lie like the other.
    """

    stage: str
    score: float
    distance: int | None = None
    inliers: int | None = None
    transform: tuple[float, ...] | None = None
    orientation: int = 1

    @property
    def words(self) -> str:
        """Why two pictures are held to be copies, in a few words."""
        from imgsim_ops.images.orientation import ORIENTATION_WORDS  # and with it Pillow, which reading needs not

        words = {
            "content": "the same bytes",
            "perceptual": f"the same picture, {self.distance} of 256 bits differ",
            "vector": f"similarity {self.score:.4f}",
            "local": f"{self.inliers} details at the same places",
        }[self.stage]
        return words if self.orientation == 1 else f"{words}, {ORIENTATION_WORDS[self.orientation]}"


@dataclass(frozen=True)
class Member:
    """A picture of a group.

    Attributes:
        picture: The picture.
        evidence: Why it is held to be a copy of the group's representative; None for the representative itself.
    """

    picture: Picture
    evidence: Evidence | None


@dataclass(frozen=True)
class Group:
    """Pictures each of which is a copy of one of them, the representative: nothing is chained.

    Attributes:
        members: The representative first, then by falling score.
        best: Position in `members` of the copy worth keeping, by the rule of `collection.duplicates.best_copy`.
    """

    members: Sequence[Member]
    best: int

    @property
    def bytes_of_copies(self) -> int:
        """Bytes of all but the best copy."""
        return sum(member.picture.size for place, member in enumerate(self.members) if place != self.best)

    def figures(self) -> list[tuple[str, list[str]]]:
        """Its pictures for people, as of ``notebook.as_figures``, the best copy marked."""
        return [
            (
                member.picture.path,
                [
                    os.path.basename(member.picture.path),
                    f"{'best, ' if place == self.best else ''}{member.picture.width} x {member.picture.height}",
                    "the picture" if member.evidence is None else member.evidence.words,
                ],
            )
            for place, member in enumerate(self.members)
        ]

    def _repr_html_(self) -> str:
        from imgsim_ops.collection.notebook import as_figures

        return as_figures(f"{len(self.members)} pictures", [self.figures()])


@dataclass(frozen=True)
class Leak:
    """A picture of the test set that is a copy of one of the training set.

    Attributes:
        picture: Of the test set.
        source: Of the training set, the best match.
        evidence: Why.
    """

    picture: Picture
    source: Picture
    evidence: Evidence

    def figures(self) -> list[tuple[str, list[str]]]:
        """Both pictures for people."""
        return [
            (self.picture.path, [os.path.basename(self.picture.path), f"test set: {self.evidence.words}"]),
            (self.source.path, [os.path.basename(self.source.path), "training set"]),
        ]

    def _repr_html_(self) -> str:
        from imgsim_ops.collection.notebook import as_figures

        return as_figures("", [self.figures()])


@dataclass(frozen=True)
class Hit:
    """A picture that a query found.

    Attributes:
        picture: The picture.
        score: Cosine, the best over the crops of both.
        orientation: EXIF's number, 1 to 8, of how the query had to be turned; 1 unless other ones were asked for.
    """

    picture: Picture
    score: float
    orientation: int = 1

    def figure(self) -> tuple[str, list[str]]:
        """The picture for people."""
        return (self.picture.path, [os.path.basename(self.picture.path), f"{self.score:.4f}"])

    def _repr_html_(self) -> str:
        from imgsim_ops.collection.notebook import as_figures

        return as_figures("", [[self.figure()]])


class Hits(list[Hit]):
    """What a query found, the best first; a list that notebooks show as pictures."""

    def _repr_html_(self) -> str:
        from imgsim_ops.collection.notebook import as_figures

        return as_figures(f"{len(self)} pictures", [[hit.figure() for hit in self]])


def picture_as_json(picture: Picture) -> dict[str, Any]:
    """A picture as every ``--json`` shows it."""
    return {
        "path": picture.path,
        "sha256": picture.sha256.hex(),
        "bytes": picture.size,
        "modified": picture.modified / 1e9,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
    }


def evidence_as_json(evidence: Evidence) -> dict[str, Any]:
    """The evidence as every ``--json`` shows it; what was not looked at is left out."""
    found: dict[str, Any] = {"stage": evidence.stage, "score": evidence.score, "orientation": evidence.orientation}
    if evidence.distance is not None:
        found["distance"] = evidence.distance
    if evidence.inliers is not None:
        found["inliers"] = evidence.inliers
    if evidence.transform is not None:
        found["transform"] = list(evidence.transform)
    return found
