import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim_ops.images.facts import FileFacts
from imgsim_ops.matching.choice import BREAKS, Sight, is_usual, lacks, more_compressed, preferred, shows_more
from imgsim_ops.matching.coverage import Beyond
from imgsim_ops.matching.detail import Detail
from imgsim_ops.matching.differences import Comparison
from imgsim_ops.matching.looks import Look
from tests.support.tries import tries

NOTHING = Beyond(1.0, 0.0, 0.0)
MORE = Beyond(0.6, 0.3, 0.02)
PAGE = Beyond(0.5, 0.2, 0.7)
BORDER = Beyond(0.8, 0.0, 0.9)
MARGIN = Beyond(0.8, 0.0, 0.0)


def seen(
    here=NOTHING,
    there=NOTHING,
    *,
    finer=0.0,
    noise=(1.0, 1.0),
    chroma=(20.0, 20.0),
    clipped=(0.0, 0.0),
    contrast=(50.0, 50.0),
    scales=(1.0, 1.0),
    **more,
):
    comparison = Comparison(100, 90, 1.0, (), (), (0.0, 0.0), chroma)
    return Sight(here, there, comparison, Detail(finer, (finer,), noise), clipped, contrast, scales, **more)


def turned(sight):
    comparison = dataclasses.replace(sight.comparison, chroma=sight.comparison.chroma[::-1])
    return Sight(
        sight.there, sight.here, comparison, Detail(-sight.detail.finer, (), sight.detail.noise[::-1]),
        sight.clipped[::-1], sight.contrast[::-1], (1 / sight.scales[1], 1 / sight.scales[0]), sight.resampled,
        -sight.saved, sight.apart, -sight.made, -sight.usual,
    )  # fmt: skip


def look(alpha=False, **facts):
    pixels = np.zeros((4, 6, 3), np.uint8)
    return Look(6, 4, pixels, pixels[..., 0] if alpha else None, FileFacts(**{"lossless": True, **facts}))


def jpeg(quantisation, **facts):
    return look(lossless=False, quantisation=quantisation, **facts)


def large(longer, **facts):
    """A picture of which a look has 1280 pixels along its longer side at most."""
    side = min(longer, 1280)
    return Look(longer, longer, np.zeros((side, side, 3), np.uint8), None, FileFacts(**{"lossless": True, **facts}))


PLAIN = look()
LEVELS = np.repeat(np.arange(40, 140, dtype=np.uint8), 6).reshape(20, 30)
SHADES, SPREAD = (
    Look(30, 20, np.repeat(levels[..., np.newaxis], 3, 2), None, FileFacts(lossless=True))
    for levels in (LEVELS, (LEVELS * 1.5).astype(np.uint8))
)

# What speaks for the first of two, and what it is called.
REASONS = [
    ("frames", look(further=True), PLAIN, seen()),
    ("frames", look(further=True), PLAIN, seen(there=MORE)),
    ("depth", look(deep=True), PLAIN, seen(finer=-1)),
    ("shown", PLAIN, PLAIN, seen(here=MORE)),
    ("shown", PLAIN, look(alpha=True), seen(here=MORE)),
    ("shown", PLAIN, PLAIN, seen(there=PAGE)),
    ("shown", PLAIN, PLAIN, seen(there=BORDER)),
    ("shown", PLAIN, PLAIN, seen(here=Beyond(0.6, 0.3, BREAKS))),
    ("shown", PLAIN, PLAIN, seen(there=Beyond(0.6, 0.3, BREAKS + 0.01))),
    ("shown", PLAIN, PLAIN, seen(there=Beyond(0.8, 0.0, BREAKS + 0.01))),
    ("made", PLAIN, look(alpha=True), seen(made=1, finer=-0.9, clipped=(0.05, 0.0))),  # the other is that one
    ("transparency", look(alpha=True), PLAIN, seen(chroma=(0, 20))),
    ("colour", PLAIN, PLAIN, seen(chroma=(12, 0.3))),
    ("levels", PLAIN, look(palette=True), seen(finer=-0.9, apart=3.1)),
    ("levels", PLAIN, look(palette=True), seen(finer=-0.9, saved=1)),
    ("compression", look(palette=True), PLAIN, seen(saved=1)),
    ("detail", PLAIN, PLAIN, seen(finer=2)),
    ("detail", PLAIN, PLAIN, seen(finer=0.35)),
    ("detail", PLAIN, PLAIN, seen(finer=1.0, scales=(0.5, 0.5))),
    ("detail", PLAIN, PLAIN, seen(finer=0.25, scales=(0.5, 0.5))),
    ("detail", PLAIN, PLAIN, seen(finer=0.0, scales=(2.0, 2.0))),  # the other was enlarged
    ("detail", large(900), large(1350), seen(finer=0.0, scales=(1.5, 1.5))),  # and much of that is looked at
    ("detail", large(4000), large(2000), seen(finer=0.0, scales=(0.5, 0.5))),  # nobody looked at the pixels between
    ("detail", large(4000), large(1250), seen(finer=0.2, scales=(0.3125, 0.3125))),
    ("detail", large(4000), large(2000), seen(finer=0.5, scales=(0.5, 0.5))),
    ("detail", large(2000), large(4000), seen(finer=0.5, scales=(2.0, 2.0))),  # enlarged, and blurred
    ("detail", PLAIN, PLAIN, seen(finer=-0.8)),  # and sharpened here
    ("detail", PLAIN, PLAIN, seen(finer=0.8, resampled=True)),
    ("detail", PLAIN, PLAIN, seen(finer=0.2, resampled=True)),
    ("detail", PLAIN, PLAIN, seen(finer=0.0, scales=(1.2, 1.0))),  # the other was stretched
    ("detail", PLAIN, PLAIN, seen(finer=0.5, scales=(1.0, 0.8))),  # or squashed
    ("detail", PLAIN, PLAIN, seen(finer=0.0, scales=(1.0, 0.8), usual=1)),  # a soft one, and squashed
    ("detail", look(camera=4), PLAIN, seen(finer=0.0, scales=(1.0, 0.8), usual=-1)),
    ("detail", look(camera=4), PLAIN, seen(finer=0.0, scales=(0.5, 0.5))),
    ("detail", PLAIN, look(camera=4), seen(finer=0.5, scales=(0.5, 0.5))),  # detail is surer
    ("detail", PLAIN, jpeg(400), seen(finer=0.4)),  # the less compressed one is finer: no blocks
    ("detail", jpeg(400), PLAIN, seen(finer=1.3)),  # finer than blocks are
    ("detail", jpeg(100), jpeg(60), seen(finer=0.4)),  # not compressed so much more
    ("tones", PLAIN, PLAIN, seen(clipped=(0.0, 0.05))),
    ("camera", look(camera=4), PLAIN, seen()),
    ("camera", look(camera=4), look(camera=3), seen(saved=-1)),
    ("compression", PLAIN, PLAIN, seen(saved=1, noise=(4, 1))),
    ("compression", PLAIN, jpeg(400), seen(saved=1)),
    ("compression", PLAIN, jpeg(400), seen(saved=1, finer=-0.4, noise=(1, 3))),  # whose noise is as fine as detail
    ("compression", jpeg(400), PLAIN, seen(saved=1)),  # whose marks the other has
    ("noise", PLAIN, PLAIN, seen(noise=(1, 3))),
    ("noise", jpeg(60), jpeg(100), seen(noise=(1, 3))),
    ("noise", jpeg(100), jpeg(95), seen(noise=(1, 3))),  # compressed about as much
    ("contrast", PLAIN, PLAIN, seen(contrast=(60, 50))),  # the other's levels were pressed together
    ("contrast", SHADES, SPREAD, seen(contrast=(50, 60))),  # whose levels were drawn apart
    ("contrast", jpeg(100), jpeg(100), seen(contrast=(50, 60))),  # compression fills the gaps
]


@pytest.mark.parametrize(("why", "a", "b", "sight"), REASONS)
def test_what_speaks_for_the_first(why, a, b, sight):
    assert preferred(a, b, sight) == (1, why)
    assert preferred(b, a, turned(sight)) == (-1, why)


UNDECIDED = [
    (PLAIN, PLAIN, seen()),
    (look(camera=6), look(camera=6), seen()),
    (PLAIN, PLAIN, seen(here=MORE, there=MORE)),
    (PLAIN, PLAIN, seen(here=MARGIN)),  # added there or cut off here
    (PLAIN, PLAIN, seen(here=BORDER, there=BORDER)),
    (PLAIN, PLAIN, seen(finer=0.2)),
    (PLAIN, PLAIN, seen(finer=0.1, resampled=True)),
    (PLAIN, PLAIN, seen(clipped=(0.002, 0.004))),
    (PLAIN, PLAIN, seen(clipped=(0.05, 0.06))),
    (PLAIN, PLAIN, seen(contrast=(52, 50))),
    (PLAIN, PLAIN, seen(noise=(1.2, 1))),
    (PLAIN, PLAIN, seen(scales=(1.05, 1.05))),
    (PLAIN, PLAIN, seen(chroma=(2.0, 0.0))),
    (jpeg(400), PLAIN, seen(finer=0.5)),  # blocks are fine too
    (jpeg(400), PLAIN, seen(clipped=(0.0, 0.05))),
    (jpeg(100), jpeg(60), seen(noise=(1, 3))),  # compression takes noise away too
    (PLAIN, look(palette=True), seen(apart=2.9)),  # a drawing of few colours
    (PLAIN, PLAIN, seen(here=Beyond(0.8, 0.0, BREAKS))),
]


@pytest.mark.parametrize(("a", "b", "sight"), UNDECIDED)
def test_where_nothing_tells_nothing_is_said(a, b, sight):
    assert preferred(a, b, sight) == (0, "")
    assert preferred(b, a, turned(sight)) == (0, "")


SHARES = st.floats(0, 1)
BEYOND = st.builds(Beyond, SHARES, SHARES, SHARES)
LOOKS = st.builds(
    look,
    st.booleans(),
    further=st.booleans(),
    deep=st.booleans(),
    camera=st.integers(0, 6),
    quantisation=st.sampled_from([0, 16, 60, 200, 900]),
    palette=st.booleans(),
    lossless=st.booleans(),
)
POSITIVE = st.floats(0.2, 60)
SIGHTS = st.builds(
    seen,
    BEYOND,
    BEYOND,
    finer=st.floats(-3, 3),
    noise=st.tuples(POSITIVE, POSITIVE),
    chroma=st.tuples(POSITIVE, POSITIVE),
    clipped=st.tuples(SHARES, SHARES),
    contrast=st.tuples(POSITIVE, POSITIVE),
    scales=st.tuples(st.floats(1, 3), st.floats(0.3, 1)),
    resampled=st.booleans(),
    saved=st.integers(-1, 1),
    apart=st.floats(0, 10),
)


@settings(max_examples=tries(1000), deadline=None)
@given(LOOKS, LOOKS, SIGHTS)
def test_the_choice_does_not_depend_on_which_comes_first(a, b, sight):
    value, why = preferred(a, b, sight)
    assert value in (-1, 0, 1)
    assert bool(why) == bool(value)
    assert preferred(b, a, turned(sight)) == (-value, why)


# --- what the second one lacks ---------------------------------------------------------------------------------------

LACKS = [
    ((), PLAIN, PLAIN, seen()),
    (("frames",), look(further=True), PLAIN, seen()),
    (("frames",), PLAIN, look(further=True), seen()),  # what is in them was not looked at
    ((), PLAIN, look(further=True, frames=3), seen()),  # it shows all that there is of the one
    (("frames",), look(further=True, frames=3), look(further=True, frames=3), seen()),
    (("frames",), PLAIN, look(further=True, frames=None), seen()),
    (("frames",), PLAIN, look(further=True, frames=3), seen(saved=1)),  # made from the one
    (("frames", "camera"), look(camera=3), look(further=True, frames=3), seen()),
    ((), look(quantisation=80), look(further=True, frames=3), seen(saved=-1)),
    (("frames",), look(camera=4), look(further=True, frames=3, camera=4), seen()),  # raw, perhaps
    ((), look(camera=4), look(further=True, frames=3, camera=4, lossless=False), seen()),
    (("depth",), look(deep=True), look(deep=True), seen()),
    (("depth",), PLAIN, look(deep=True, lossless=False), seen()),  # perhaps: not every format says
    ((), PLAIN, look(deep=True, lossless=True), seen()),
    (("depth", "camera"), look(camera=3), look(deep=True, lossless=True), seen()),
    (("camera",), look(camera=2), PLAIN, seen(finer=-0.5, saved=1)),  # a WebP of it, whose marks pass for detail
    ((), look(camera=2), look(camera=1), seen()),
    ((), PLAIN, look(camera=2), seen()),
    (("transparency",), look(alpha=True), PLAIN, seen()),
    ((), PLAIN, look(alpha=True), seen()),
    (("detail",), PLAIN, PLAIN, seen(finer=0.5)),
    ((), PLAIN, PLAIN, seen(finer=-0.5)),
    (("detail",), large(4000), large(2000), seen(scales=(0.5, 0.5))),  # what nobody looked at may be there
    ((), large(2000), large(4000), seen(scales=(2.0, 2.0))),
    ((), large(4000), large(4000), seen()),
    ((), large(900), large(450), seen(scales=(0.5, 0.5))),
    (("colour",), PLAIN, PLAIN, seen(chroma=(10, 0.5))),
    ((), PLAIN, PLAIN, seen(chroma=(0.5, 10))),
    (("levels",), PLAIN, look(palette=True), seen(apart=3.1)),
    ((), PLAIN, look(palette=True), seen(apart=2.9)),  # a drawing of few colours has lost none
    ((), look(palette=True), PLAIN, seen(apart=3.1)),
    ((), look(palette=True), look(palette=True), seen(apart=3.1)),
    (("tones",), PLAIN, PLAIN, seen(clipped=(0.0, 0.03))),
    ((), PLAIN, PLAIN, seen(clipped=(0.0, 0.01))),
    (("frames", "detail", "tones"), PLAIN, look(further=True), seen(finer=2, clipped=(0, 1))),
]


@pytest.mark.parametrize(("expected", "a", "b", "sight"), LACKS)
def test_what_the_second_lacks(expected, a, b, sight):
    assert lacks(a, b, sight) == expected


def test_who_shows_more():
    assert shows_more(seen()) == (False, False)
    assert shows_more(seen(here=MORE, there=BORDER)) == (True, False)
    assert shows_more(seen(here=PAGE, there=MORE)) == (True, True)


@pytest.mark.parametrize(
    ("a", "b", "times", "expected"),
    [
        (PLAIN, PLAIN, 1.15, 0),
        (jpeg(100), PLAIN, 1.15, 1),
        (PLAIN, jpeg(100), 1.15, -1),
        (jpeg(100), jpeg(95), 1.15, 0),
        (jpeg(100), jpeg(80), 1.15, 1),
        (jpeg(100), jpeg(80), 2.0, 0),
        (jpeg(100), jpeg(40), 2.0, 1),
        (jpeg(16), jpeg(20), 1.15, 0),  # of small sums a few say nothing
        (jpeg(0), PLAIN, 1.15, 1),  # lossy, of a format that does not tell
        (jpeg(0), jpeg(200), 1.15, -1),
    ],
)
def test_which_was_compressed_more_strongly(a, b, times, expected):
    assert more_compressed(a, b, times) == expected
    assert more_compressed(b, a, times) == -expected


@pytest.mark.parametrize(
    "size", [(1, 1), (640, 480), (480, 640), (1920, 1080), (1366, 768), (6000, 4000), (2560, 1600), (1025, 769)]
)
def test_shapes_of_cameras_and_screens_are_usual(size):
    assert is_usual(*size)


@pytest.mark.parametrize("size", [(0, 7), (1920, 864), (4096, 3277), (640, 384), (1000, 500), (33, 17)])
def test_squashed_ones_are_not(size):
    assert not is_usual(*size)


def test_what_webp_adds_to_a_soft_picture_is_no_detail():
    soft, webp = jpeg(60), look(lossless=False, webp_quality=80)
    assert preferred(soft, webp, seen(finer=-0.4)) == (-1, "detail")
    assert preferred(soft, webp, seen(finer=-0.4, saved=1)) == (1, "compression")
    assert preferred(webp, soft, seen(finer=0.4, saved=-1)) == (-1, "compression")
    # Nothing is known of what others add.
    assert preferred(soft, jpeg(80), seen(finer=-0.4, saved=1)) == (-1, "detail")
