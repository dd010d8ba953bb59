"""What collections answer with: pictures, and why two of them belong together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from imgsim_ops.files.pages import split_page


@dataclass(frozen=True)
class Picture:
    """A file of a collection, as it was when it was indexed.

    Attributes:
        path: Absolute; bytes that are not UTF-8 as surrogate escapes. Of a page of a file ``FILE#page=2``: see
            ``files.pages``.
        size: Bytes of the file.
        modified: Time of the last change, in nanoseconds since 1970.
        sha256: Of the file's bytes: 32 bytes. Documents have it in hexadecimal digits.
        width: In pixels, upright.
        height: Likewise.
        format: For example ``JPEG``, as ``images.formats.picture_format`` names it.
        frames: How many frames or pages it has, see ``images.frame_count``; None where that is not known.
        changed: As of ``files.identity.change_and_inode``, likewise the next one; None where it was not taken down.
            They say nothing of the picture, and pictures are equal without them.
        inode: Which file it was.
    """

    path: str
    size: int
    modified: int
    sha256: bytes
    width: int
    height: int
    format: str
    frames: int | None = None
    changed: int | None = field(default=None, compare=False, repr=False)
    inode: int | None = field(default=None, compare=False, repr=False)

    @property
    def file(self) -> str:
        """The path of its file, of which it may be a page."""
        return os.fspath(split_page(self.path)[0])

    @property
    def page(self) -> int | None:
        """Which page of its file it is, from 2 on; None for a file."""
        return split_page(self.path)[1]

    @property
    def frames_in_words(self) -> str:
        """How many frames or pages it has, where these are several; else nothing."""
        what = "pages" if self.format == "TIFF" else "pictures" if self.format in ("JPEG", "HEIF") else "frames"
        return f"{self.frames:,} {what}" if self.frames is not None and self.frames > 1 else ""


Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Evidence:
    """What one picture is to another, and how that is known.

    Attributes:
        stage: What led to looking at the two: ``content`` (equal bytes), ``perceptual`` (hashes a few bits apart),
            ``vector`` (their score), ``local`` (matching local features).
        score: Cosine of the two vectors, the best over their crops; 1 for equal bytes.
        relation: What the one is to the other, see ``matching.relations.Relation``: ``identical``, ``same_pixels``,
            ``copy``, ``part``, ``edited`` or ``look_alike``.
        distance: Bits, of 256, in which the perceptual hashes differ; None where they were not compared.
        inliers: Local features that agree on one transform; None where none were looked at.
        transform: (a, b, c, d, e, f): the point (x, y) of the one picture lies at (a x + b y + c, d x + e y + f) of the
            other, in pixels of the upright pictures. The one is the group's other member, or the picture of the test
            set; the other is the picture kept, or the picture of the training set. None where nothing was aligned.
        homography: Nine numbers, where perspective matters; `transform` is the nearest to it in the middle then.
        orientation: EXIF's number, 1 to 8, of how the one must be turned to lie like the other.
        overlap: Share of the one that the other covers, and of the other that the one covers, 0 to 1.
        differences: Boxes (x, y, width, height) around places that differ, in pixels of the one and of the other.
        lacks: What the one shows or has and the other lacks, see ``matching.relations.Judgement``.
    """

    stage: str
    score: float
    relation: str = "copy"
    distance: int | None = None
    inliers: int | None = None
    transform: tuple[float, ...] | None = None
    homography: tuple[float, ...] | None = None
    orientation: int = 1
    overlap: tuple[float, float] | None = None
    differences: tuple[tuple[Box, Box], ...] = ()
    lacks: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What the one picture is to the other, in a few words."""
        from imgsim_ops.images.orientation import ORIENTATION_WORDS  # and with it Pillow, which reading needs not

        return ", ".join(filter(None, (_WORDS[self.relation], ORIENTATION_WORDS[self.orientation], self._more())))

    def _more(self) -> str:
        if self.relation == "edited" and self.differences:
            return f"{len(self.differences)} places differ" if len(self.differences) > 1 else "1 place differs"
        if self.relation in ("copy", "part") and self.transform is not None:
            a, b, _, d, e, _ = self.transform
            size = abs(a * e - b * d) ** 0.5
            return "smaller" if size > _RESIZED else "larger" if size < 1 / _RESIZED else ""
        return f"similarity {self.score:.2f}" if self.relation == "look_alike" else ""


#: What the one picture is to the other, by relation.
_WORDS = {
    "identical": "equal bytes",
    "same_pixels": "equal pixels",
    "copy": "a copy",
    "part": "a part of it",
    "edited": "edited",
    "look_alike": "looks alike",
}
_RESIZED = 1.02
#: What lies beside a picture, by `Member.stays_for`.
_BESIDE = {
    "date": "the date",
    "edits": "the edits",
    "film": "the film",
    "keywords": "the keywords",
    "metadata": "what is written",
    "place": "the place",
    "rating": "the rating",
    "raw": "the raw file of the same shot",
    "unreadable": "what cannot be read",
}


@dataclass(frozen=True)
class Member:
    """A picture of a group.

    Attributes:
        picture: The picture.
        evidence: What it is to the picture kept; None for that one itself.
        remove: It is proposed that it goes: it shows nothing that the picture kept in its place does not show.
        kept: Position among the group's members of the picture that stays in its place, where that is proposed: the
            one kept, or one of equal bytes.
        stays_for: Why it is not proposed though its pixels would allow it: what lies beside it and not beside the
            picture kept. See ``beside.Beside.lacking``.
        same_file: Position of an earlier member of which this is another name: a hard link, a link, or the same file
            through another mount; None where it is a file of its own.
        frees: Whether its bytes become free, once all goes that is proposed; not those of a file with other names.
    """

    picture: Picture
    evidence: Evidence | None
    remove: bool = False
    kept: int = 0
    stays_for: tuple[str, ...] = ()
    same_file: int | None = None
    frees: bool = True

    @property
    def words(self) -> str:
        """What it is to the picture kept, and why it stays, in a few words."""
        return "; ".join(filter(None, (self._what, self.why_stays)))

    @property
    def _what(self) -> str:
        if self.evidence is None:
            return "the picture"
        if self.same_file == 0:
            return "another name of this file"
        return self.evidence.words + ("" if self.same_file is None else ", another name of a file above")

    @property
    def why_stays(self) -> str:
        """Why it is not proposed though its pixels would allow it, in a few words; empty where it is not so."""
        return f"stays for {' and '.join(_BESIDE[why] for why in self.stays_for)} beside it" if self.stays_for else ""

    @property
    def relation(self) -> str | None:
        """What it is to the picture kept; None for that one itself."""
        return None if self.evidence is None else self.evidence.relation


@dataclass(frozen=True)
class Group:
    """Pictures each of which comes of one of them, the one kept: nothing is chained.

    Attributes:
        members: The picture kept first, then by relation, then by falling score.
        best: Position in `members` of the picture kept: 0.
    """

    members: Sequence[Member]
    best: int = 0

    @property
    def bytes_of_copies(self) -> int:
        """Bytes that become free when all goes that is proposed; of a file with several names they count once."""
        return sum(member.picture.size for member in self.members if member.remove and member.frees)

    def figures(self) -> list[tuple[str, list[str]]]:
        """Its pictures for people, as of ``notebook.as_figures``, the one kept marked."""
        return [
            (
                member.picture.path,
                [
                    os.path.basename(member.picture.path),
                    f"{'keep, ' if place == self.best else 'remove, ' if member.remove else ''}"
                    f"{member.picture.width} x {member.picture.height}"
                    f"{', ' * bool(member.picture.frames_in_words)}{member.picture.frames_in_words}",
                    member.words,
                ],
            )
            for place, member in enumerate(self.members)
        ]

    def _repr_html_(self) -> str:
        from imgsim_ops.collection.notebook import as_figures

        return as_figures(f"{len(self.members)} pictures", [self.figures()])


@dataclass(frozen=True)
class Similar:
    """Pictures that look alike, and are no copies: a burst, one place, one template.

    Attributes:
        pictures: At least two.
        sharpest: Position of the sharpest one.
    """

    pictures: Sequence[Picture]
    sharpest: int


@dataclass(frozen=True)
class Leak:
    """A picture of the test set that comes of one of the training set.

    Attributes:
        picture: Of the test set.
        source: Of the training set, the best match.
        evidence: What the one is to the other.
    """

    picture: Picture
    source: Picture
    evidence: Evidence

    @property
    def relation(self) -> str:
        """What the picture is to its source."""
        return self.evidence.relation

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


class Judge(Protocol):
    """How many pairs were looked at: see ``candidates.judging.Judge``."""

    judged: int
    unreadable: int


Finding = TypeVar("Finding")


class Findings(Iterator[Finding]):
    """Groups or leaks, found while they are asked for.

    Attributes:
        judge: What it did so far.
    """

    def __init__(self, judge: Judge, findings: Iterator[Finding], resources: ExitStack) -> None:
        """Closes `resources` after the last of `findings`, or with `close`."""
        self.judge = judge
        self._findings = findings
        self._resources = resources

    def __next__(self) -> Finding:
        try:
            return next(self._findings)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stops."""
        self._resources.close()

    def __enter__(self) -> Findings[Finding]:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def picture_as_json(picture: Picture) -> dict[str, Any]:
    """A picture as every ``--json`` shows it."""
    return {
        "path": picture.file,
        **({} if picture.page is None else {"page": picture.page}),
        "sha256": picture.sha256.hex(),
        "bytes": picture.size,
        "modified": picture.modified / 1e9,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        **({} if picture.frames is None else {"frames": picture.frames}),
    }


def names_as_json(member: Member) -> dict[str, Any]:
    """What documents say of a file with several names; nothing of others."""
    found: dict[str, Any] = {} if member.same_file is None else {"same_file": member.same_file}
    return found if member.frees else {**found, "frees": False}


def evidence_as_json(evidence: Evidence) -> dict[str, Any]:
    """The evidence as every ``--json`` shows it; what was not looked at is left out."""
    found: dict[str, Any] = {
        "stage": evidence.stage,
        "score": evidence.score,
        "relation": evidence.relation,
        "orientation": evidence.orientation,
    }
    for name in ("distance", "inliers"):
        if (value := getattr(evidence, name)) is not None:
            found[name] = value
    for name in ("transform", "homography", "overlap"):
        if (values := getattr(evidence, name)) is not None:
            found[name] = list(values)
    if evidence.differences:
        found["differences"] = [{"here": list(here), "there": list(there)} for here, there in evidence.differences]
    if evidence.lacks:
        found["lacks"] = list(evidence.lacks)
    return found
