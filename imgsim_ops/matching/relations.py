"""What two pictures are to each other, by looking at their pixels once they lie over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from imgsim_ops.images.orientation import LINEAR
from imgsim_ops.matching import frames
from imgsim_ops.matching.choice import (
    BREAKS,
    GREY,
    NOISIER,
    STRETCHED,
    Sight,
    lacks,
    more_compressed,
    preferred,
    shows_more,
)
from imgsim_ops.matching.coverage import Beyond, beyond
from imgsim_ops.matching.detail import Detail, detail
from imgsim_ops.matching.differences import CLEAN, Comparison, agreement, compared, lost
from imgsim_ops.matching.features import opencv
from imgsim_ops.matching.frames import Frame
from imgsim_ops.matching.generations import first_saved, quality_of
from imgsim_ops.matching.looks import SIDE, Look

#: Of the rules of this package: a judgement of another version is made anew.
VERSION = 1

# Alignments are tried small, the best of them refined in the middle, differences looked for in the large sizes.
_FIRST, _MIDDLE, _LARGE = 128, 256, 512
_FIRST_BLOCK, _BLOCK = 12, 16
_TRIED = 2
# Detail is measured over so many pixels each way, where most is to be seen.
_WINDOW = 288
# A transform so many pixels from one that lays pixels on pixels may be that one, which a smaller window tells.
_NEAR_GRID = 2.5
_SMALL_WINDOW = 96
_NO_BLUR = 1.25
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
_SAME_SOURCE = 0.6
# Of a pair in which each shows more than the other, one must lie in the other to such a share.
_COMMON = 0.4


class Relation(str, Enum):
    """What two pictures are to each other, the strongest first."""

    IDENTICAL = "identical"
    SAME_PIXELS = "same_pixels"
    COPY = "copy"
    PART = "part"
    EDITED = "edited"
    LOOK_ALIKE = "look_alike"


Box = tuple[int, int, int, int]


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
        equal: All pixels that were looked at are equal: those of the files may be.
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
        return Judgement(
            self.relation, transform, self.overlap[::-1], self.agreement,
            tuple((there, here) for here, there in self.differences), self.joined, self.lacks[::-1],
            -self.original, self.why, self.equal,
        )  # fmt: skip


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


def whole_to_whole(a: Look, b: Look, orientation: int = 1) -> np.ndarray:
    """The transform that lays all of the one picture, turned, over all of the other, float64 (3, 3)."""
    unit = np.eye(3)
    unit[:2, :2] = LINEAR[orientation]
    unit[:2, 2] = -np.minimum(unit[:2, :2], 0).sum(1)
    return np.diag([b.width, b.height, 1.0]) @ unit @ np.diag([1 / a.width, 1 / a.height, 1.0])


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


def judge(a: Look, b: Look, transforms: Sequence[np.ndarray], *, likely: bool = False) -> Judgement:
    """What one picture is to another, by the pixels.

    Args:
        a: The one.
        b: The other.
        transforms: Alignments to try, from pixels of the one to those of the other, float64 (3, 3) each.
        likely: The first is likely right as it is.

    Returns:
        The judgement; never ``identical`` or ``same_pixels``, which bytes and hashes of pixels tell.
    """
    if _are_equal(a, b):
        return _judged_equal(a, b)
    refined = aligned(a, b, transforms, likely=likely)
    if refined is None:
        return Judgement(Relation.LOOK_ALIKE)
    found = small = refined.frame
    comparison = compared(found, refined.known)
    if _is_another(comparison):
        return _judgement(Relation.LOOK_ALIKE, a, b, found, comparison)
    if not _differs(comparison) and _pixels_in_common(a, b, found) > _WORTH_LARGEST * _LARGE:
        found, comparison = _looked_closely(a, b, found, comparison)
    if a.alpha is not None and b.alpha is not None and not _differs(comparison):
        on_black = frames.frame(a, b, found.transform, SIDE, on_black=True)
        if on_black is not None:
            black = compared(on_black, (0.0, 0))
            if black.structured > comparison.structured or _differs(black):
                found, comparison = on_black, black
    here, there = _beyond(a, b, found)
    sight = _sight(a, b, small, comparison, here, there)
    more = shows_more(sight)
    missing = tuple(
        (*(("more",) if more[side] else ()), *lacks(*pair, sight if side == 0 else _turned(sight)))
        for side, pair in enumerate(((a, b), (b, a)))
    )
    original, why = preferred(a, b, sight)
    framed = (more[0] and here.breaks > BREAKS) or (more[1] and there.breaks > BREAKS)
    differs = _differs(comparison)
    if comparison.structured < _LEAST_STRUCTURED:
        relation = Relation.LOOK_ALIKE
    elif differs or framed:
        relation = Relation.EDITED
    else:
        relation = Relation.PART if any(more) else Relation.COPY
    joined = relation is not Relation.LOOK_ALIKE and comparison.agreement >= _SAME_SOURCE
    if all(more) and max(here.covered, there.covered) < _COMMON:
        joined = False
    judged = _judgement(relation, a, b, found, comparison)
    return Judgement(
        relation, judged.transform, (here.covered, there.covered), comparison.agreement, judged.differences,
        joined, (missing[0], missing[1]), original if joined else 0, why if joined else "",
    )  # fmt: skip


def _are_equal(a: Look, b: Look) -> bool:
    if (a.width, a.height) != (b.width, b.height) or not np.array_equal(a.pixels, b.pixels):
        return False
    return np.array_equal(a.alpha, b.alpha) if a.alpha is not None and b.alpha is not None else a.alpha is b.alpha


def _judged_equal(a: Look, b: Look) -> Judgement:
    """Of two pictures with the same pixels: the one that others were made from, by what their files say."""
    hidden = "frames" if a.facts.further or b.facts.further else "depth" if a.facts.deep or b.facts.deep else ""
    lacking = (hidden,) if hidden else ()
    # Pixels of a JPEG come out of its decoder: who has them without loss took them from it.
    original = (a.facts.camera > b.facts.camera) - (a.facts.camera < b.facts.camera) or (
        int(b.facts.lossless) - int(a.facts.lossless)
    )
    transform = tuple(float(value) for value in np.eye(3).ravel())
    return Judgement(
        Relation.COPY, transform, (1.0, 1.0), 1.0, (), True, (lacking, lacking), original,
        "camera" if a.facts.camera != b.facts.camera else "compression" if original else "", not hidden,
    )  # fmt: skip


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
    more = compared(close, known, colours=False)
    if more.clusters:
        by = frames.drift(close)
        moved = None if by is None else frames.moved(close, a, b, by, SIDE)
        if moved is not None and agreement(moved, _BLOCK)[0] >= agreement(close, _BLOCK)[0]:
            again = compared(moved, known, colours=False)
            if again.largest <= more.largest:
                close, more = moved, again
    if _differs(more):
        return close, replace(more, hue=comparison.hue, chroma=comparison.chroma)
    return close, replace(comparison, clusters=more.clusters)


def _is_another(comparison: Comparison) -> bool:
    """Whether no alignment explains the pixels, or only those of a frame around another picture."""
    if comparison.agreement < _ALIGNED:
        return True
    least = _OTHER_PICTURE if comparison.agreement < _UNCHANGED else _LARGE_PICTURE
    return any(place.blocks > least * comparison.blocks and place.rich > _RICH for place in comparison.uncorrelated[:1])


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
    here = beyond(a.pixels, frames.mapped(np.linalg.inv(a.to_full), polygon))
    there = beyond(b.pixels, frames.mapped(np.linalg.inv(b.to_full), frames.mapped(transform, polygon)))
    return here, there


def _sight(a: Look, b: Look, found: Frame, comparison: Comparison, here: Beyond, there: Beyond) -> Sight:
    window = _liveliest(found)
    linear = _snapped(a, b, found.transform, window)
    fine = frames.frame(a, b, linear, _WINDOW, finer=True, window=window)
    scales = _scales(linear, window)
    axis = None
    if fine is not None and scales[0] / scales[1] > STRETCHED:
        by_axis = [_length(fine.to_b, axis) / _length(fine.to_a, axis) for axis in (0, 1)]
        # Along which more pixels stand against each other; of a matrix x comes first, of an array y.
        axis = 1 - int(np.argmax(np.abs(np.log(by_axis))))
    measured = detail(found if fine is None else fine, axis)
    if axis is None and max(scales) < 1.15 and min(scales) > 1 / 1.15 and not _on_grid(linear):
        # Whichever is laid onto the other's grid is blurred by that: both in turn.
        back = frames.frame(a, b, linear, _WINDOW, window=window)
        if back is not None:
            measured = _mean(measured, detail(back))
    cv2 = opencv()
    apart = 0.0 if fine is None else float(cv2.mean(cv2.absdiff(*fine.greys), mask=fine.valid)[0])
    resampled = not _on_grid(linear)
    saved = 0
    stronger = more_compressed(a, b)
    if stronger and fine is not None and not resampled:
        strong = a if stronger > 0 else b
        if strong.facts.quantisation and max(strong.width, strong.height) <= SIDE:
            light = b if stronger > 0 else a
            noise = measured.noise if stronger > 0 else measured.noise[::-1]
            saved = first_saved(
                fine, quality_of(strong.facts.quantisation), stronger > 0,
                lossless=light.facts.lossless, noisier=noise[1] > NOISIER * noise[0],
            )  # fmt: skip
        else:
            saved = -stronger
    clipped = lost(found, comparison.blur, grey=min(comparison.chroma) < GREY)
    contrast = tuple(float(cv2.meanStdDev(grey, mask=found.valid)[1][0, 0]) for grey in found.greys)
    return Sight(
        here, there, comparison, measured, clipped, (contrast[0], contrast[1]), scales, resampled, saved, apart
    )


def _liveliest(found: Frame) -> np.ndarray:
    """Where most is to be seen: a point (2,) of the one picture."""
    cv2 = opencv()
    grey = found.greys[0]
    shrink = 128 / max(grey.shape)
    size = [max(8, round(side * shrink)) for side in grey.shape[::-1]]
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    lively = cv2.Laplacian(small, cv2.CV_32F)
    around = min(_WINDOW * shrink, min(size))
    lively = cv2.blur(np.abs(lively) * (cv2.resize(found.valid, size) > 0), (int(around) | 1, int(around) | 1))
    row, column = np.unravel_index(int(lively.argmax()), lively.shape)
    at = np.array([[(column + 0.5) / size[0] * grey.shape[1], (row + 0.5) / size[1] * grey.shape[0]]])
    return frames.mapped(found.to_a, at)[0]


def _scales(transform: np.ndarray, point: np.ndarray) -> tuple[float, float]:
    large, small = np.linalg.svd(frames.jacobian(transform, point), compute_uv=False)
    return float(large), float(small)


def _length(matrix: np.ndarray, axis: int) -> float:
    """How long a step along x, 0, or y, 1, becomes."""
    return float(np.linalg.norm(matrix[:2, axis]))


def _snapped(a: Look, b: Look, transform: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The transform that lays pixels on pixels, where that is near and explains as much: refinement never hits it."""
    near = np.eye(3)
    near[:2] = np.rint(transform[:2])
    if abs(np.linalg.det(near[:2, :2])) != 1 or max(a.width, a.height, b.width, b.height) > SIDE:
        return transform
    corners = frames.corners(a.width, a.height)
    if np.abs(frames.mapped(transform, corners) - frames.mapped(near, corners)).max() > _NEAR_GRID:
        return transform
    # Interpolation takes noise away: what needs none may be further off by that.
    best = _NO_BLUR * _apart(a, b, transform, window), transform
    for across in (0, -1, 1):
        for down in (0, -1, 1):
            moved = near + np.array([(0, 0, across), (0, 0, down), (0, 0, 0)])
            apart = _apart(a, b, moved, window)
            if apart < best[0]:
                best = apart, moved
    return best[1]


def _apart(a: Look, b: Look, transform: np.ndarray, window: np.ndarray) -> float:
    """Mean difference of the finest structure in a small window, in levels; infinite where there is none."""
    cv2 = opencv()
    found = frames.frame(a, b, transform, _SMALL_WINDOW, window=window)
    if found is None or not found.valid.any():
        return np.inf
    x, y = (grey.astype(np.float32) for grey in found.greys)
    x, y = (plane - cv2.blur(plane, (5, 5)) for plane in (x, y))
    gain = max(float(x.std()), 1e-3), max(float(y.std()), 1e-3)
    return float(cv2.mean(cv2.absdiff(x / gain[0], y / gain[1]), mask=found.valid)[0])


def _on_grid(transform: np.ndarray) -> bool:
    """Whether pixels lie on pixels, so that nothing is interpolated."""
    linear, shift = transform[:2, :2], transform[:2, 2]
    return bool(np.abs(linear - np.rint(linear)).max() < 1e-3 and np.abs(shift - np.rint(shift)).max() < 0.05)


def _mean(one: Detail, other: Detail) -> Detail:
    bands = tuple((x + y) / 2 for x, y in zip(one.bands, other.bands, strict=False))
    noise = (one.noise[0] + other.noise[0]) / 2, (one.noise[1] + other.noise[1]) / 2
    return Detail(max(bands, key=abs, default=0.0), bands, noise)


def _turned(sight: Sight) -> Sight:
    """The same seen from the other picture."""
    c, d = sight.comparison, sight.detail
    comparison = Comparison(
        c.blocks, c.structured, c.agreement, c.clusters, c.uncorrelated, c.blur[::-1], c.chroma[::-1], c.hue,
    )  # fmt: skip
    measured = Detail(-d.finer, tuple(-band for band in d.bands), d.noise[::-1])
    large, small = sight.scales
    return Sight(
        sight.there, sight.here, comparison, measured, sight.clipped[::-1], sight.contrast[::-1],
        (1 / max(small, 1e-9), 1 / max(large, 1e-9)), sight.resampled, -sight.saved, sight.apart,
    )  # fmt: skip


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
    return Judgement(relation, transform, (0.0, 0.0), comparison.agreement, tuple(boxes[:_MOST_BOXES]))


_MOST_BOXES = 20


def _box(points: np.ndarray, look: Look) -> Box:
    low = np.clip(np.floor(points.min(0)), 0, (look.width, look.height)).astype(int)
    high = np.clip(np.ceil(points.max(0)), 0, (look.width, look.height)).astype(int)
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])
