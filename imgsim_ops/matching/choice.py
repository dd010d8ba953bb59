"""Which of two pictures that show the same is the original, as far as it can be told, and what the other one lacks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from imgsim_ops.matching.coverage import Beyond
from imgsim_ops.matching.detail import NOISIER, Detail
from imgsim_ops.matching.differences import Comparison
from imgsim_ops.matching.looks import Look

#: A picture shows more than another one where so much of it lies beyond and is not flat. (Half `tune`: 0 in all copies
#: that have all of the original; of a tenth cut off 0.012 in the median, 0 where the margin was flat.)
SHOWN = 0.002
# A border: flat, and so much of the picture.
_BORDER = 0.03
# log2 of how many times finer: surely finer; and what a sharpened copy gains over its original.
_FINER = 0.3
# Enlarged and stretched pictures gain nothing (half `tune`: 0.18 at most, squashed ones lose 0.2 and more but for a
# tenth, reduced ones 0.5).
_FINER_RESIZED = 0.18
_SHARPENED = (0.45, 1.15)
# log2 of how many times more pixels must be looked at to say that there is nothing in them.
_SEEN = 0.3
# Turning by a few degrees takes so much.
_RESAMPLED = 0.12
# A picture has no finer detail than another below this.
_NO_FINER = 0.45
# So many times more colourful is in colour, where the other is grey; and a picture that is grey at all.
_COLOURFUL = 4.0
GREY = 2.5
# Pixels at the end of the scale in one picture only, as a share, from which highlights or shadows were lost.
_CLIPPED = 0.003
_CLIPPED_TIMES = 3.0
_TONES_LOST = 0.02
#: Scales along two axes that differ by more: one picture was squashed, or stretched.
STRETCHED = 1.03
# Of sides, the longer by the shorter. Without 5:4 and 2:1, which squashed squares and screens have, too.
_USUAL = (1, 4 / 3, 3 / 2, 16 / 10, 16 / 9)
_BLOCKS = 1.2
_RESIZED = 1.1
_CONTRAST = 1.12
_MORE_GAPS = 0.1
_BANDS = 3.0
# Of formats whose quantisation is not read: that of a JPEG of quality 94.
_UNKNOWN_COST = 60


@dataclass(frozen=True)
class Sight:
    """What the choice between two pictures goes by; pairs of numbers are of the one and of the other.

    Attributes:
        here: What the one shows beyond the other.
        there: What the other shows beyond the one.
        comparison: Of the pixels in common.
        detail: Likewise, on the finer grid.
        clipped: Share of the pixels in common that are at the end of the scale in this picture only.
        contrast: Deviation of the pixels in common, in levels.
        scales: Pixels of the other for one of the one, along two axes at right angles; the larger first.
        resampled: One was laid onto the other's pixels by interpolation: turned by a few degrees, for example.
        apart: Mean difference of the greys, in levels.
        saved: 1 where the one was saved first by what compression did, -1 where the other was, 0 where it does not say.
        made: 1 where the other was surely made by compressing the one, -1 the other way round.
        usual: 1 where only the one has a usual shape, -1 where only the other has.
    """

    here: Beyond
    there: Beyond
    comparison: Comparison
    detail: Detail
    clipped: tuple[float, float]
    contrast: tuple[float, float]
    scales: tuple[float, float]
    resampled: bool = False
    saved: int = 0
    apart: float = 0.0
    made: int = 0
    usual: int = 0

    @property
    def larger(self) -> float:
        """log2 of how many times more pixels along a side the one shows the common part in."""
        return float(-np.log2(np.sqrt(self.scales[0] * self.scales[1])))

    def reversed(self) -> Sight:
        """The same seen from the other picture."""
        large, small = self.scales
        return replace(
            self,
            here=self.there,
            there=self.here,
            comparison=self.comparison.reversed(),
            detail=self.detail.reversed(),
            clipped=self.clipped[::-1],
            contrast=self.contrast[::-1],
            scales=(1 / max(small, 1e-9), 1 / max(large, 1e-9)),
            saved=-self.saved,
            made=-self.made,
            usual=-self.usual,
        )


def shows_more(sight: Sight) -> tuple[bool, bool]:
    """Whether the one, and the other, shows something beyond what the other one covers."""
    return sight.here.shown > SHOWN, sight.there.shown > SHOWN


def lacks(a: Look, b: Look, sight: Sight) -> tuple[str, ...]:
    """What the first picture shows inside the common part, or has, and the second lacks."""
    found = []
    if a.facts.further or (b.facts.further and not (_has_many(b) and _is_no_original(a, b, sight))):
        found.append("frames")
    if a.facts.deep or (b.facts.deep and not (b.facts.lossless and _is_no_original(a, b, sight))):
        found.append("depth")
    if a.alpha is not None and b.alpha is None:
        found.append("transparency")
    if sight.detail.finer > _NO_FINER or (_more_pixels(sight) > 0 and _are_unseen(a, b, sight)):
        found.append("detail")
    if _is_coloured(sight.comparison.chroma):
        found.append("colour")
    if _is_banded(b, a, sight.reversed()):
        found.append("levels")
    if sight.clipped[1] - sight.clipped[0] > _TONES_LOST:
        found.append("tones")
    # What compressing leaves may pass for detail: what only the camera's own file says never goes for that.
    if a.facts.camera and not b.facts.camera:
        found.append("camera")
    return tuple(found)


def _has_many(look: Look) -> bool:
    """Whether a file surely has frames or pages, of which the first was looked at.

    A camera's raw file is a TIFF whose first page is a preview: what was saved beside it is there to be kept.
    """
    may_be_raw = look.facts.lossless and look.facts.camera > 0
    return look.facts.further and (look.facts.frames or 1) > 1 and not may_be_raw


def _is_no_original(a: Look, b: Look, sight: Sight) -> bool:
    """Whether, apart from frames and depth, nothing says that the second was made from the first."""
    return preferred(_plain(a), _plain(b), sight)[0] <= 0


def _plain(look: Look) -> Look:
    return replace(look, facts=replace(look.facts, further=False, deep=False))


def _is_banded(a: Look, b: Look, sight: Sight) -> bool:
    """Whether the first has the second's shades in few colours: a drawing of few colours has lost none."""
    return a.facts.palette and not b.facts.palette and (sight.apart > _BANDS or sight.saved < 0)


def _is_coloured(chroma: tuple[float, float]) -> bool:
    return chroma[0] > GREY and chroma[0] > _COLOURFUL * chroma[1]


def preferred(a: Look, b: Look, sight: Sight) -> tuple[int, str]:
    """Which one is the original.

    Returns:
        1 for the first, -1 for the second, 0 where nothing tells; and what told.
    """
    for what, tells in (
        ("frames", more_frames(a, b)),
        ("depth", a.facts.deep - b.facts.deep),
        ("shown", _by_coverage(sight)),
        ("made", sight.made),
        ("transparency", (a.alpha is not None) - (b.alpha is not None)),
        ("colour", _is_coloured(sight.comparison.chroma) - _is_coloured(sight.comparison.chroma[::-1])),
        ("levels", _is_banded(b, a, sight.reversed()) - _is_banded(a, b, sight)),
        ("detail", _by_detail(a, b, sight)),
        ("tones", _by_tones(a, b, sight)),
        ("camera", _by_camera(a, b)),
        ("compression", sight.saved),
        ("noise", _by_noise(a, b, sight)),
        ("contrast", _by_contrast(a, b, sight)),
    ):
        if tells:
            return int(tells), what
    return 0, ""


def more_frames(a: Look, b: Look) -> int:
    """1 where the first has frames or pages that the second lacks, -1 the other way round, 0 where nothing tells."""
    counts = a.facts.frames, b.facts.frames
    if a.facts.further and b.facts.further and counts[0] is not None and counts[1] is not None:
        return _sign(counts[0] - counts[1], 1)
    return a.facts.further - b.facts.further


def _by_camera(a: Look, b: Look) -> int:
    return _sign(a.facts.camera - b.facts.camera, 1)


def _sign(value: float, least: float) -> int:
    return int(value >= least) - int(value <= -least)


def _by_coverage(sight: Sight) -> int:
    here, there = shows_more(sight)
    if here != there:
        # A frame around a picture, or an app: what was there before is inside.
        framed = (sight.here if here else sight.there).breaks > BREAKS
        return (1 if here else -1) * (-1 if framed else 1)
    if not here:
        # Flat borders, and corners that a turn left, were put there where the picture ends at them. Where it does not,
        # nobody can say whether a margin was added or cut off.
        borders = [1 - side.covered > _BORDER and side.breaks > BREAKS for side in (sight.here, sight.there)]
        return borders[1] - borders[0]
    return 0


#: Of the rim of the common part; from here on what lies beyond is a frame.
BREAKS = 0.25


def _by_detail(a: Look, b: Look, sight: Sight) -> int:
    finer, (most, least) = sight.detail.finer, sight.scales
    # Many a photograph is soft: where its camera says what it took, more pixels without more detail are no doubt.
    taken = _by_camera(a, b)
    coarser = more_compressed(a, b, 2.0)
    if coarser and abs(finer) < _BLOCKS and _sign(finer, _FINER) == coarser:
        finer = 0.0  # the blocks of strong compression are fine too
    if most / least > STRETCHED:
        larger = _sign(sight.larger, 0.02)
        # More pixels without more detail: stretched.
        return larger if _sign(finer, _FINER_RESIZED) == larger else taken or sight.usual or -larger
    resized = _more_pixels(sight)
    if resized and _sign(finer, _FINER_RESIZED) == resized:
        return resized
    if abs(finer) > _SHARPENED[1]:
        return _sign(finer, _FINER)
    if resized:
        if abs(finer) >= _FINER:
            return _sign(finer, _FINER)
        unseen = _are_unseen(a, b, sight) if resized > 0 else _are_unseen(b, a, sight.reversed())
        return resized if unseen else taken or -resized  # more pixels without more detail: enlarged
    if _SHARPENED[0] < abs(finer) and not sight.resampled:
        return -_sign(finer, _FINER)
    side = _sign(finer, _RESAMPLED if sight.resampled else _FINER)
    if side and side == -sight.saved and (a if side > 0 else b).facts.webp_quality:
        return 0  # what compressing as WebP adds to a soft picture is fine, too
    return 0 if side == sight.detail.noisier else side  # noise is as fine as detail


def is_usual(width: int, height: int) -> bool:
    """Whether a picture has the shape of what cameras take and screens show."""
    shorter, longer = sorted((width, height))
    return any(abs(longer - shorter * ratio) < ratio for ratio in _USUAL)


def _more_pixels(sight: Sight) -> int:
    """1 where the first shows the common part in more pixels, -1 where the second does, 0 for about as many."""
    return _sign(sight.larger, np.log2(_RESIZED))


def _are_unseen(larger: Look, smaller: Look, sight: Sight) -> bool:
    """Whether the first picture has more pixels, and too many of them are not looked at to say that they are empty."""
    if larger.shrunk <= 1:
        return False
    seen = sight.larger - np.log2(larger.shrunk / smaller.shrunk)
    return bool(seen < _SEEN)


def _by_tones(a: Look, b: Look, sight: Sight) -> int:
    here, there = sight.clipped
    lost = 0
    if abs(there - here) > _CLIPPED and max(here, there) > _CLIPPED_TIMES * min(here, there):
        lost = 1 if there > here else -1
    if lost == more_compressed(a, b, 2.0):  # beside edges strong compression fills what was white
        lost = 0
    return lost


def _by_contrast(a: Look, b: Look, sight: Sight) -> int:
    wider = _sign(np.log2(sight.contrast[0] / max(sight.contrast[1], 1e-3)), np.log2(_CONTRAST))
    if not wider:
        return 0
    wide, narrow = (a, b) if wider > 0 else (b, a)
    # More contrast is given to pictures oftener than less; levels that were spread leave gaps, which only lossy
    # compression fills.
    spread = not wide.facts.lossless or _gaps(wide) > _gaps(narrow) + _MORE_GAPS
    return -wider if spread else wider


def _gaps(look: Look) -> float:
    """Share of the levels of green, between the first and the last hundredth, that no pixel has."""
    counts = np.bincount(look.pixels[..., 1].ravel(), minlength=256)
    low, high = np.searchsorted(np.cumsum(counts), np.array([0.01, 0.99]) * counts.sum())
    return float((counts[low : high + 1] == 0).mean())


def more_compressed(a: Look, b: Look, times: float = 1.15) -> int:
    """1 where the first was compressed more strongly the last time, -1 where the second was, 0 for about the same."""

    def cost(look: Look) -> float:
        return 0 if look.facts.lossless else look.facts.quantisation or _UNKNOWN_COST

    one, other = cost(a), cost(b)
    return _sign(one - other, max(8, (1 - 1 / times) * max(one, other)))


def _by_noise(a: Look, b: Look, sight: Sight) -> int:
    one, other = sight.detail.noise
    less = _sign(np.log2((other + 0.05) / (one + 0.05)), np.log2(NOISIER))
    return 0 if less == more_compressed(a, b) else less  # compression takes noise away too
