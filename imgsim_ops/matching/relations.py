"""What two pictures are to each other, by looking at their pixels once they lie over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from imgsim_ops.matching import frames
from imgsim_ops.matching.choice import BREAKS, Sight, lacks, more_frames, preferred, shows_more
from imgsim_ops.matching.closer import Pieces, closer
from imgsim_ops.matching.coverage import Beyond, beyond
from imgsim_ops.matching.differences import BLOCK, CLEAN, Comparison, agreement, compared, evenness
from imgsim_ops.matching.features import opencv
from imgsim_ops.matching.frames import Frame
from imgsim_ops.matching.looks import SIDE, Box, Look
from imgsim_ops.matching.sights import liveliest, sight_of

#: Of the rules of this package: a judgement of another version is made anew.
VERSION = 10

# Alignments are tried small, the best of them refined in the middle, differences looked for in the large sizes.
_FIRST, _MIDDLE, _LARGE = 128, 256, 512
_FIRST_BLOCK, _BLOCK = 12, 16
_TRIED = 2
_LEAST_AGREEMENT = 0.12
_CLEARLY_BETTER = 1.5
_GOOD = 0.9
# A look at more pixels is worth it where there are so many times more.
_WORTH_LARGEST = 1.25

# So many structured blocks must there be to say anything.
_LEAST_STRUCTURED = 24
# Below this share of agreeing blocks no alignment explains the pixels; below that, something else is shown somewhere.
_ALIGNED = 0.45
_UNCHANGED = 0.7
# Blocks of a place that differs, and of one whose colour does.
_DIFFERING = 3
_HUE = 5
# Another picture in the same frame: a place of this share of all blocks, structured in both, without correlation.
_OTHER_PICTURE = 0.12
_LARGE_PICTURE = 0.17  # where all else agrees; captions take less
_RICH = 0.5
# Pictures may be soft in large parts: then it is a box of this share, and no ground of one level with writing on it
# (of the half `tune`, pictures in pages: at most 0.37 of the box has one level; bars with large words: from 0.68 on).
_BOX = 0.16
_GROUND = 0.5
_SAME_SOURCE = 0.6
# Of what is shown so much may differ: captions and watermarks change 0.37 at most, another animal on a road sign 0.98,
# a drawing of the same series in other colours 0.49 (half `tune`).
_MOST_CHANGED = 0.43
# Of a pair in which each shows more than the other, one must lie in the other to such a share; and where it differs
# besides (drawings of a series: 0.87 at most).
_COMMON, _COMMON_CHANGED = 0.4, 0.9
# Places that differ that are told.
_MOST_BOXES = 20


class Relation(str, Enum):
    """What two pictures are to each other, the strongest first."""

    IDENTICAL = "identical"
    SAME_PIXELS = "same_pixels"
    COPY = "copy"
    PART = "part"
    EDITED = "edited"
    LOOK_ALIKE = "look_alike"


@dataclass(frozen=True)
class Judgement:
    """What one picture is to another.

    Attributes:
        relation: What.
        transform: From pixels of the one to those of the other, a homography in nine numbers, row by row; None where
            nothing lies over each other.
        overlap: Share of the one that the other covers, and of the other that the one covers, 0 to 1.
        agreement: Share of the structured blocks in common that correlate, 0 to 1.
        differences: Boxes (x, y, width, height) around the places that differ, in pixels of the one and of the other.
        joined: Both come of one picture, as sure as for a group; true of no `look_alike`.
        lacks: What the one shows or has that the other lacks, and the other way round: ``more`` beyond the common part;
            inside it ``frames``, ``depth``, ``transparency``, ``detail``, ``colour``, ``levels``, ``tones``. Empty is
            what the promise asks for.
        original: 1 where the one is the original, -1 where the other is, 0 where the pixels do not say.
        why: What told the original.
        equal: All pixels that were looked at are equal: those of the files may be, or all of the one be in the other.
    """

    relation: Relation
    transform: tuple[float, ...] | None = None
    overlap: tuple[float, float] = (0.0, 0.0)
    agreement: float = 0.0
    differences: tuple[tuple[Box, Box], ...] = ()
    joined: bool = False
    lacks: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    original: int = 0
    why: str = ""
    equal: bool = False

    def reversed(self) -> Judgement:
        """The same seen from the other picture."""
        transform = self.transform
        if transform is not None:
            inverse = frames.normalised(np.linalg.inv(np.reshape(transform, (3, 3))))
            transform = tuple(float(value) for value in inverse.ravel())
        return replace(
            self,
            transform=transform,
            overlap=self.overlap[::-1],
            differences=tuple((there, here) for here, there in self.differences),
            lacks=self.lacks[::-1],
            original=-self.original,
        )


@dataclass(frozen=True, eq=False)
class Aligned:
    """Two pictures laid over each other, and what agrees.

    Attributes:
        frame: Both.
        agreement: Share of the structured blocks that correlate.
        structured: How many blocks are structured.
    """

    frame: Frame
    agreement: float
    structured: int

    @property
    def known(self) -> tuple[float, int]:
        """What `differences.compared` asks for."""
        return self.agreement, self.structured


def aligned(a: Look, b: Look, transforms: Sequence[np.ndarray], *, likely: bool = False) -> Aligned | None:
    """The best of some alignments, refined; None where none of them explains any pixels.

    Args:
        a: The one.
        b: The other.
        transforms: From pixels of the one to those of the other, float64 (3, 3) each.
        likely: The first is likely right as it is, so that nothing need be tried small.
    """
    if likely:
        first = _refined(a, b, transforms[0], _LARGE, most=0)
        if first is not None and first.agreement >= CLEAN:
            return first
    scored = []
    for transform in transforms:
        found = frames.frame(a, b, transform, _FIRST)
        if found is not None:
            scored.append((agreement(found, _FIRST_BLOCK)[0], transform))
    scored.sort(key=lambda pair: -pair[0])
    scored = [pair for pair in scored[:_TRIED] if pair[0] >= _LEAST_AGREEMENT]
    if scored and (len(scored) == 1 or scored[0][0] > _CLEARLY_BETTER * scored[1][0]):
        return _refined(a, b, scored[0][1], _LARGE)
    best: Aligned | None = None
    for _, transform in scored:
        if best is not None and best.agreement > _GOOD:
            break
        refined = _refined(a, b, transform, _MIDDLE)
        if refined is not None and (best is None or refined.agreement > best.agreement):
            best = refined
    return None if best is None else _refined(a, b, best.frame.transform, _LARGE)


def lie_over_each_other(a: Look, b: Look, transform: np.ndarray) -> bool:
    """Whether a transform explains any pixels, in few of them, or all are equal; small looks are enough."""
    if _are_equal(a, b):
        return True
    found = frames.frame(a, b, transform, _FIRST)
    return found is not None and agreement(found, _FIRST_BLOCK)[0] >= _LEAST_AGREEMENT


def judge(
    a: Look,
    b: Look,
    transforms: Sequence[np.ndarray],
    *,
    likely: bool = False,
    pieces: tuple[Pieces, Pieces] | None = None,
) -> Judgement:
    """What one picture is to another, by the pixels.

    Args:
        a: The one.
        b: The other.
        transforms: Alignments to try, from pixels of the one to those of the other, float64 (3, 3) each.
        likely: The first is likely right as it is.
        pieces: Of the one and of the other, for what can only be told in full size.

    Returns:
        The judgement; never ``identical`` or ``same_pixels``, which bytes and hashes of pixels tell.
    """
    if _are_equal(a, b):
        return _judged_equal(a, b)
    refined = aligned(a, b, transforms, likely=likely)
    if refined is None:
        return Judgement(Relation.LOOK_ALIKE)
    found = small = refined.frame
    coloured = frames.coloured(found, a, b)
    comparison = compared(found, refined.known, coloured)
    if _is_another(comparison, found):
        return _judgement(Relation.LOOK_ALIKE, a, b, found, comparison)
    differing = [place.box for place in comparison.clusters if place.blocks >= _DIFFERING]
    if not _differs(comparison) and _pixels_in_common(a, b, found) > _WORTH_LARGEST * _LARGE:
        found, comparison = _looked_closely(a, b, found, comparison)
    if a.alpha is not None and b.alpha is not None and not _differs(comparison):
        on_black = frames.frame(a, b, found.transform, SIDE, on_black=True)
        if on_black is not None:
            black = compared(on_black, (0.0, 0))
            black = replace(black, hue=comparison.hue, chroma=comparison.chroma)
            if black.structured > comparison.structured or _differs(black):
                found, comparison = on_black, black
    here, there = _beyond(a, b, found)
    sight = sight_of(a, b, small, coloured, comparison, here, there, differing)
    more = shows_more(sight)
    framed = (more[0] and here.breaks > BREAKS) or (more[1] and there.breaks > BREAKS)
    differs = _differs(comparison)
    if comparison.structured < _LEAST_STRUCTURED:
        relation = Relation.LOOK_ALIKE
    elif differs or framed:
        relation = Relation.EDITED
    else:
        relation = Relation.PART if any(more) else Relation.COPY
    changed = sum(place.blocks for place in (*comparison.clusters, *comparison.hue))
    same_source = comparison.agreement >= _SAME_SOURCE and changed <= _MOST_CHANGED * comparison.structured
    joined = relation is not Relation.LOOK_ALIKE and same_source
    # What moves on and changes, without a frame around it, is another one of a series.
    least = _COMMON_CHANGED if differs and not framed else _COMMON
    if all(more) and max(here.covered, there.covered) < least:
        joined = False
    one, other = a, b
    # Large pictures are read once more for that: only where it decides anything.
    if pieces and joined and not differs and max(a.shrunk, b.shrunk) > 1:
        one, other, sight = _in_full(a, b, found, sight, pieces)
    missing = tuple(
        (*(("more",) if more[side] else ()), *lacks(*pair, sight if side == 0 else sight.reversed()))
        for side, pair in enumerate(((one, other), (other, one)))
    )
    original, why = preferred(one, other, sight)
    return replace(
        _judgement(relation, a, b, found, comparison),
        overlap=(here.covered, there.covered),
        joined=joined,
        lacks=(missing[0], missing[1]),
        original=original if joined else 0,
        why=why if joined else "",
    )


def _are_equal(a: Look, b: Look) -> bool:
    if (a.width, a.height) != (b.width, b.height) or not np.array_equal(a.pixels, b.pixels):
        return False
    return np.array_equal(a.alpha, b.alpha) if a.alpha is not None and b.alpha is not None else a.alpha is b.alpha


def _judged_equal(a: Look, b: Look) -> Judgement:
    """Of two pictures with the same pixels: the one that others were made from, by what their files say."""
    hidden = "frames" if a.facts.further or b.facts.further else "depth" if a.facts.deep or b.facts.deep else ""
    lacking = (hidden,) if hidden else ()
    original, why = next(
        (
            (told, why)
            for why, told in (
                ("frames", more_frames(a, b)),
                ("depth", int(a.facts.deep) - int(b.facts.deep)),
                ("camera", (a.facts.camera > b.facts.camera) - (a.facts.camera < b.facts.camera)),
                # Pixels of a JPEG come out of its decoder: who has them without loss took them from it.
                ("compression", int(b.facts.lossless) - int(a.facts.lossless)),
            )
            if told
        ),
        (0, ""),
    )
    transform = tuple(float(value) for value in np.eye(3).ravel())
    return Judgement(Relation.COPY, transform, (1.0, 1.0), 1.0, (), True, (lacking, lacking), original, why, equal=True)


def _refined(a: Look, b: Look, transform: np.ndarray, side: int, most: int = 2) -> Aligned | None:
    """The frame in a size, the second picture moved as long as that makes more agree."""
    found = frames.frame(a, b, transform, side)
    if found is None:
        return None
    best = Aligned(found, *agreement(found, _BLOCK))
    for _ in range(most):
        if best.agreement >= CLEAN:
            break
        by = frames.drift(best.frame)
        better = None if by is None else frames.moved(best.frame, a, b, by, side)
        if better is None:
            break
        after = Aligned(better, *agreement(better, _BLOCK))
        if after.agreement < best.agreement:
            break
        gain, best = after.agreement - best.agreement, after
        if gain < 0.01:
            break
    return best


def _looked_closely(a: Look, b: Look, found: Frame, comparison: Comparison) -> tuple[Frame, Comparison]:
    """The frame in the largest size, and what is seen in it besides what the smaller one showed."""
    close = frames.frame(a, b, found.transform, SIDE)
    if close is None:
        return found, comparison
    known = comparison.agreement, comparison.structured
    more = compared(close, known)
    if more.clusters:
        by = frames.drift(close)
        moved = None if by is None else frames.moved(close, a, b, by, SIDE)
        if moved is not None and agreement(moved, _BLOCK)[0] >= agreement(close, _BLOCK)[0]:
            again = compared(moved, known)
            if again.largest <= more.largest:
                close, more = moved, again
    if _differs(more):
        return close, replace(more, hue=comparison.hue, chroma=comparison.chroma)
    return close, replace(comparison, clusters=more.clusters)


def _in_full(a: Look, b: Look, found: Frame, sight: Sight, pieces: tuple[Pieces, Pieces]) -> tuple[Look, Look, Sight]:
    """Pieces of both, and what the choice goes by as they tell it; what was there before where they do not."""
    place = frames.mapped(found.to_b, liveliest(found.b, found.valid)[np.newaxis])[0]
    # By looks alone pictures lie some pixels beside each other.
    whole = frames.near_whole(a, b, found.transform)
    cut = closer(a, b, found.transform if whole is None else whole, place, pieces)
    if cut is None:
        return a, b, sight
    one, other, transform = cut
    refined = _refined(one, other, transform, _LARGE)
    if refined is None or refined.agreement < _GOOD or refined.structured < _LEAST_STRUCTURED:
        return a, b, sight
    coloured = frames.coloured(refined.frame, one, other)
    comparison = replace(compared(refined.frame, refined.known), chroma=sight.comparison.chroma)
    closely = sight_of(one, other, refined.frame, coloured, comparison, sight.here, sight.there)
    of_all = {name: getattr(sight, name) for name in ("clipped", "contrast", "apart", "usual")}
    return one, other, replace(closely, **of_all)


def _is_another(comparison: Comparison, found: Frame) -> bool:
    """Whether no alignment explains the pixels, or only those of a frame around another picture."""
    if comparison.agreement < _ALIGNED:
        return True
    if not comparison.uncorrelated:
        return False
    place = comparison.uncorrelated[0]
    least = _OTHER_PICTURE if comparison.agreement < _UNCHANGED else _LARGE_PICTURE
    # Half of a block at a rim may agree.
    boxed = (place.box[2] - BLOCK) * (place.box[3] - BLOCK) > _BOX * opencv().countNonZero(found.valid)
    shown = boxed or (place.blocks > least * comparison.blocks and place.rich > _RICH)
    return shown and evenness(found, place) < _GROUND


def _differs(comparison: Comparison) -> bool:
    hue = comparison.hue[0].blocks if comparison.hue else 0
    return comparison.largest >= _DIFFERING or hue >= _HUE or comparison.agreement < _UNCHANGED


def _pixels_in_common(a: Look, b: Look, found: Frame) -> float:
    """The longer side of the common part in the looks' own pixels, of the coarser one."""
    height, width = found.valid.shape
    longer = max(height, width)
    middle = np.array([width / 2, height / 2])
    return longer * min(
        frames.density(np.linalg.inv(look.to_full) @ to_picture, middle)
        for look, to_picture in ((a, found.to_a), (b, found.to_b))
    )


def _beyond(a: Look, b: Look, found: Frame) -> tuple[Beyond, Beyond]:
    transform = found.transform
    polygon = frames.overlap(transform, (a.width, a.height), (b.width, b.height))
    if polygon is None:
        return Beyond(0.0, 0.0, 0.0), Beyond(0.0, 0.0, 0.0)
    return beyond(a, polygon), beyond(b, frames.mapped(transform, polygon))


def _judgement(relation: Relation, a: Look, b: Look, found: Frame, comparison: Comparison) -> Judgement:
    boxes = []
    places = () if relation is Relation.LOOK_ALIKE else (*comparison.clusters, *comparison.hue)
    for place in places:
        if place.blocks < _DIFFERING:
            continue
        x, y, width, height = place.box
        around = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], float)
        boxes.append((_box(frames.mapped(found.to_a, around), a), _box(frames.mapped(found.to_b, around), b)))
    transform = tuple(float(value) for value in found.transform.ravel())
    return Judgement(relation, transform, agreement=comparison.agreement, differences=tuple(boxes[:_MOST_BOXES]))


def _box(points: np.ndarray, look: Look) -> Box:
    low = np.clip(np.floor(points.min(0)), 0, (look.width, look.height)).astype(int)
    high = np.clip(np.ceil(points.max(0)), 0, (look.width, look.height)).astype(int)
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])
