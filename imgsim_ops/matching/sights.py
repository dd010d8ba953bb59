"""What the choice between two pictures that show the same goes by, measured where most is to be seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imgsim_ops.matching import frames
from imgsim_ops.matching.choice import GREY, STRETCHED, Sight, is_usual, more_compressed
from imgsim_ops.matching.coverage import Beyond
from imgsim_ops.matching.detail import NOISIER, Detail, detail
from imgsim_ops.matching.differences import Comparison, lost
from imgsim_ops.matching.features import opencv
from imgsim_ops.matching.frames import Frame
from imgsim_ops.matching.generations import Made, first_saved, made_from, made_from_as_webp, quality_of
from imgsim_ops.matching.looks import SIDE, Look

# Detail is measured over so many pixels each way, where most is to be seen.
_WINDOW = 288
# A transform so many pixels from one that lays pixels on pixels may be that one, which a smaller window tells.
_NEAR_GRID = 2.5
_SMALL_WINDOW = 96
_JPEG_BLOCK, _WEBP_BLOCK = 8, 16
# Levels by which reducing a photograph to few colours changes it, and saving these as JPEG of quality 100 does not.
_REDUCED = 0.7
# Pixels in flat places that tell a drawing; levels by which a photograph changes there; in so many of them, as a share.
_FLAT, _CHANGING, _SOME = 200, 2, 0.1
_NO_BLUR = 1.25
_ALL_BUT_EQUAL = 0.25  # of the finest structure's deviation: then nothing else need be tried


def sight_of(
    a: Look,
    b: Look,
    found: Frame,
    coloured: Frame,
    comparison: Comparison,
    here: Beyond,
    there: Beyond,
    differing: Sequence[tuple[int, int, int, int]] = (),
) -> Sight:
    """Measures what the choice between two pictures goes by.

    Args:
        a: The one.
        b: The other.
        found: Both, laid over each other.
        coloured: The same in RGB, see `frames.coloured`.
        comparison: Of the pixels in common.
        here: What the one shows beyond the other.
        there: What the other shows beyond the one.
        differing: Boxes (x, y, width, height) in pixels of `found` that say nothing: letters are sharper than what was
            there before.
    """
    told = frames.without(found, differing, found).valid
    window = frames.mapped(found.to_a, liveliest(found.a, told)[np.newaxis])[0]
    linear = _snapped(a, b, found.transform, window)
    fine = frames.frame(a, b, linear, _WINDOW, finer=True, window=window)
    fine = None if fine is None else frames.without(fine, differing, found)
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
            measured = _mean(measured, detail(frames.without(back, differing, found)))
    cv2 = opencv()
    apart = 0.0 if fine is None else float(cv2.mean(cv2.absdiff(fine.a, fine.b), mask=fine.valid)[0])
    resampled = not _on_grid(linear)
    saved, surely = (0, 0) if resampled else _saved(a, b, fine, linear, window, measured, apart)
    clipped = lost(coloured, comparison.blur, grey=min(comparison.chroma) < GREY)
    contrast = tuple(float(cv2.meanStdDev(grey, mask=found.valid)[1][0, 0]) for grey in (found.a, found.b))
    usual = is_usual(a.width, a.height) - is_usual(b.width, b.height)
    return Sight(
        here, there, comparison, measured, clipped, (contrast[0], contrast[1]), scales, resampled, saved, apart, surely,
        usual,
    )  # fmt: skip


def _saved(
    a: Look, b: Look, fine: Frame | None, linear: np.ndarray, window: np.ndarray, measured: Detail, apart: float
) -> tuple[int, int]:
    """`Sight.saved` and `Sight.made` of two pictures that lie pixels on pixels."""
    made = _made_from(a, b, linear, window)
    surely = (made[0] is Made.SURELY) - (made[1] is Made.SURELY)
    saved = (made[0] > 0) - (made[1] > 0)
    # Compression takes noise away, as if the noisier one had been there before. That of WebP is asked how much, too,
    # which dots for want of colours may be alike.
    first, last = (a, b) if saved > 0 else (b, a)
    if not surely and (first.facts.palette if last.facts.webp_quality else saved == measured.noisier):
        saved = 0
    stronger = more_compressed(a, b)
    if saved or not stronger or fine is None:
        return saved, surely
    strong, light = (a, b) if stronger > 0 else (b, a)
    noise = measured.noise if stronger > 0 else measured.noise[::-1]
    looked_at = max(strong.width, strong.height) <= SIDE
    reduced = looked_at and light.facts.palette and noise[0] < NOISIER * noise[1] and apart > _REDUCED
    if reduced and _is_of_photograph(fine, of_first=stronger < 0):
        # Or else it would come out as compressed from the few colours.
        saved = 0 if any(made) else stronger
    elif looked_at and strong.facts.quantisation:
        saved = first_saved(
            fine, quality_of(strong.facts.quantisation), stronger > 0,
            lossless=light.facts.lossless, noisier=noise[1] > NOISIER * noise[0],
        )  # fmt: skip
        if saved == -stronger and _is_of_unknown_loss(light):
            saved = 0  # that may be all that differs
    elif strong.facts.quantisation or (light.facts.lossless and not light.facts.palette):
        saved = -stronger  # of other formats it is not known how strongly they were compressed
    return saved, surely


def _is_of_unknown_loss(look: Look) -> bool:
    """Whether it is not known what compressing changed, as of AVIF and HEIC."""
    return not (look.facts.lossless or look.facts.quantisation or look.facts.webp_quality)


def _is_of_photograph(found: Frame, *, of_first: bool) -> bool:
    """Whether the few colours of one picture are not of a drawing: where they do not change, the other one does."""
    cv2 = opencv()
    few, other = (found.a, found.b) if of_first else (found.b, found.a)
    # Compression spreads what lies beside a flat place into the block that it begins in.
    around, changes = (
        cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((side, side), np.uint8))
        for grey, side in ((few, 2 * _JPEG_BLOCK + 1), (other, _JPEG_BLOCK + 1))
    )
    flat = (around == 0) & (found.valid > 0)
    return bool(flat.sum() < _FLAT or (changes[flat] > _CHANGING).mean() > _SOME)


def _made_from(a: Look, b: Look, transform: np.ndarray, window: np.ndarray) -> tuple[Made, Made]:
    """Whether the other was made by compressing the one, and the one by compressing the other."""
    if max(a.width, a.height, b.width, b.height) > SIDE:
        return Made.NO, Made.NO
    inverse = frames.normalised(np.linalg.inv(transform))
    there = frames.mapped(transform, window[np.newaxis])[0]
    whole = (
        a.pixels.shape == b.pixels.shape and a.alpha is b.alpha is None and np.allclose(transform, np.eye(3), atol=0.1)
    )
    made = []
    for one, other, between, point in ((a, b, transform, window), (b, a, inverse, there)):
        quality = other.facts.webp_quality
        block = _WEBP_BLOCK if quality else _JPEG_BLOCK
        pieces = None
        if quality or other.facts.quantisation:
            pieces = frames.on_pixels(one, other, between, point, _WINDOW, block)
        if pieces is None:
            made.append(Made.NO)
        elif quality:
            made.append(made_from_as_webp(*pieces, quality))
        else:
            made.append(made_from(*pieces, quality_of(other.facts.quantisation)))
    for i, (one, other) in enumerate(((a, b), (b, a))):
        # Only of all pixels can it be sure, and more tones are told; it takes ten times as long.
        if whole and other.facts.webp_quality and Made.SURELY not in made:
            made[i] = max(made[i], made_from_as_webp(one.pixels, other.pixels, other.facts.webp_quality))
    return made[0], made[1]


def liveliest(grey: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Where most is to be seen: a point (2,) of greys (h, w), where `valid`, likewise, is not 0."""
    cv2 = opencv()
    shrink = 128 / max(grey.shape)
    size = [max(8, round(side * shrink)) for side in grey.shape[::-1]]
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    lively = cv2.Laplacian(small, cv2.CV_32F)
    around = min(_WINDOW * shrink, min(size))
    lively = cv2.blur(np.abs(lively) * (cv2.resize(valid, size) > 0), (int(around) | 1, int(around) | 1))
    row, column = np.unravel_index(int(lively.argmax()), lively.shape)
    return np.array([(column + 0.5) / size[0] * grey.shape[1], (row + 0.5) / size[1] * grey.shape[0]])


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
    beside = np.abs(frames.mapped(transform, corners) - frames.mapped(near, corners)).max()
    if beside <= 1e-6:
        return transform
    tried = []
    whole = frames.near_whole(a, b, transform)
    if whole is not None and np.array_equal(whole[:2, :2], near[:2, :2]):
        tried.append(whole)
    if beside <= _NEAR_GRID:
        steps = [(across, down) for across in (0, -1, 1) for down in (0, -1, 1)]
        tried += [near + np.array([(0, 0, across), (0, 0, down), (0, 0, 0)]) for across, down in steps]
    if not tried:
        return transform
    # Interpolation takes noise away: what needs none may be further off by that.
    best = _NO_BLUR * _apart(a, b, transform, window), transform
    for moved in tried:
        apart = _apart(a, b, moved, window)
        if apart < best[0]:
            best = apart, moved
        if moved is whole and best[0] < _ALL_BUT_EQUAL:
            break
    return best[1]


def _apart(a: Look, b: Look, transform: np.ndarray, window: np.ndarray) -> float:
    """Mean difference of the finest structure in a small window, in levels; infinite where there is none."""
    cv2 = opencv()
    found = frames.frame(a, b, transform, _SMALL_WINDOW, window=window)
    if found is None or not found.valid.any():
        return np.inf
    x, y = found.a.astype(np.float32), found.b.astype(np.float32)
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
