import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim_ops.matching import frames
from imgsim_ops.matching.looks import Look
from tests.support.tries import tries

WIDTH, HEIGHT = 400, 300
TO_CENTRES = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])


def shift(x, y):
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def turn(degrees):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return shift(WIDTH / 2, HEIGHT / 2) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ shift(-WIDTH / 2, -HEIGHT / 2)


BENT = np.array([[1.02, 0.05, -6], [0.01, 0.97, 4], [2e-4, -1e-4, 1]])
TRANSFORMS = {
    "nothing": np.eye(3),
    "shift": shift(30, -20),
    "part of a pixel": shift(0.4, 10.7),
    "half the size": np.diag([0.5, 0.5, 1]),
    "a third of the size": np.diag([1 / 3, 1 / 3, 1]),
    "twice the size": np.diag([2, 2, 1.0]),
    "squashed": np.diag([1, 0.7, 1]),
    "turn": turn(10),
    "half a turn": turn(180),
    "homography": BENT,
}


@pytest.fixture(scope="module")
def one(picture):
    """A picture without detail that interpolation would lose."""
    return Look.of(cv2.GaussianBlur(np.asarray(picture), (0, 0), 2.5))


def warped(look, transform, size=(WIDTH, HEIGHT)):
    """A picture by its definition: what lies at x in the first lies at its image in this one."""
    scale = frames.density(transform, np.array([WIDTH / 2, HEIGHT / 2]))
    size = [round(side * (scale if abs(scale - 1) > 0.2 else 1)) for side in size]
    centred = np.linalg.inv(TO_CENTRES) @ transform @ TO_CENTRES
    return Look.of(cv2.warpPerspective(look.pixels, centred, size, flags=cv2.INTER_CUBIC))


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("finer", [False, True])
@pytest.mark.parametrize("side", [128, 512])
def test_both_show_the_same_where_a_known_transform_lays_them(one, name, finer, side):
    transform = TRANSFORMS[name]
    other = warped(one, transform)
    found = frames.frame(one, other, transform, side, finer=finer)
    assert found.a.shape == found.b.shape == found.valid.shape
    assert max(found.valid.shape) <= max(side, frames.LEAST_SIDE)
    np.testing.assert_allclose(found.transform, frames.normalised(transform), atol=1e-9)
    inside = found.valid > 0
    assert inside.mean() > 0.6
    x, y = (grey.astype(int) for grey in (found.a, found.b))
    # The picture is smooth: interpolating it twice costs a level or two, thirty pixels beside cost more than ten.
    assert np.abs(x - y)[inside].mean() < 2.5


def test_a_wrong_transform_shows_something_else(one):
    other = warped(one, TRANSFORMS["shift"])
    found = frames.frame(one, other, np.eye(3), 512)
    x, y = (grey.astype(int) for grey in (found.a, found.b))
    assert np.abs(x - y)[found.valid > 0].mean() > 10


def test_pixels_that_lie_on_pixels_are_not_interpolated(picture):
    """Crops, and the half of a size, of pixels that no interpolation would leave as they are."""
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    whole, part = Look.of(pixels), Look.of(pixels[40:260, 30:330])
    for a, b, transform in ((whole, part, shift(-30, -40)), (part, whole, shift(30, 40))):
        for finer in (False, True):
            found = frames.frame(a, b, transform, 512, finer=finer)
            assert found.a.shape == (220, 300)
            np.testing.assert_array_equal(found.a, found.b)
    half = Look.of(cv2.resize(pixels, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA))
    found = frames.frame(whole, half, np.diag([0.5, 0.5, 1]), 512)
    assert found.a.shape == half.pixels.shape[:2]
    assert np.abs(found.a.astype(int) - found.b).max() <= 1  # a mean of four, rounded by another routine


def test_a_look_smaller_than_its_picture_is_laid_by_its_pictures_pixels(one):
    small = cv2.resize(one.pixels, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    found = frames.frame(one, Look(WIDTH, HEIGHT, small), np.eye(3), 512)
    assert found.a.shape == small.shape[:2]
    np.testing.assert_allclose(found.to_a, np.diag([2, 2, 1]), atol=1e-9)
    np.testing.assert_allclose(found.to_b, np.diag([2, 2, 1]), atol=1e-9)


def test_the_grid_is_that_of_the_coarser_or_of_the_finer(one):
    half = warped(one, TRANSFORMS["half the size"])
    for a, b, transform in ((one, half, np.diag([0.5, 0.5, 1])), (half, one, np.diag([2, 2, 1.0]))):
        assert frames.frame(a, b, transform, 512).a.shape == (HEIGHT // 2, WIDTH // 2)
        assert frames.frame(a, b, transform, 512, finer=True).a.shape == (HEIGHT, WIDTH)


def test_small_overlaps_are_enlarged(one):
    part = Look.of(one.pixels[100:140, 100:164])
    found = frames.frame(part, one, shift(100, 100), 512)
    assert max(found.valid.shape) == frames.LEAST_SIDE


def test_a_window_is_a_piece_around_a_point(one):
    other = warped(one, TRANSFORMS["shift"])
    for finer in (False, True):
        found = frames.frame(one, other, TRANSFORMS["shift"], 96, window=np.array([200.0, 150.0]), finer=finer)
        middle = frames.mapped(found.to_a, np.array([found.valid.shape[::-1]]) / 2)[0]
        np.testing.assert_allclose(middle, (200, 150), atol=1)
        assert frames.density(found.to_a, np.zeros(2)) <= 1
    assert frames.frame(one, other, TRANSFORMS["shift"], 96, window=np.array([5000.0, 150.0])) is None


def test_places_are_left_out_of_another_frame_of_the_same_pictures(one):
    whole = frames.frame(one, one, np.eye(3), 256)
    fine = frames.frame(one, one, np.eye(3), 128, window=np.array([100.0, 80.0]))
    assert frames.without(fine, [], whole) is fine
    x, y, width, height = 40, 30, 50, 20
    left = frames.without(fine, [(x, y, width, height)], whole)
    rows, columns = np.nonzero(left.valid != fine.valid)
    ends = np.array([(columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)])
    expected = frames.mapped(whole.to_a, np.array([(x, y), (x + width, y + height)]))
    np.testing.assert_allclose(frames.mapped(fine.to_a, ends), expected, atol=1.5)
    np.testing.assert_array_equal(left.a, fine.a)


def test_what_is_transparent_can_be_laid_on_black():
    alpha = np.zeros((40, 60), np.uint8)
    clear = Look(60, 40, np.full((40, 60, 3), 255, np.uint8), alpha)
    assert frames.frame(clear, clear, np.eye(3), 512).a.min() == 255
    on_black = frames.frame(clear, clear, np.eye(3), 512, on_black=True)
    assert max(on_black.a.max(), on_black.b.max()) == 0


@pytest.mark.parametrize("turned", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_pieces_that_lie_pixel_on_pixel_begin_with_a_block(turned, mirrored):
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    other = np.rot90(pixels[:, ::-1] if mirrored else pixels, turned)[5:, 3:]
    unit = np.array([[-1, 0, WIDTH], [0, 1, 0], [0, 0, 1.0]]) if mirrored else np.eye(3)
    size = WIDTH, HEIGHT
    for _ in range(turned):  # against the clock: (x, y) goes to (y, width - x)
        unit = np.array([[0, 1, 0], [-1, 0, size[0]], [0, 0, 1.0]]) @ unit
        size = size[::-1]
    a, b = Look.of(pixels), Look.of(np.ascontiguousarray(other))
    here, there = frames.on_pixels(a, b, shift(-3, -5) @ unit, np.array([WIDTH / 2, HEIGHT / 2]), 96, 8)
    assert here.shape == there.shape == (96, 96, 3)
    np.testing.assert_array_equal(here, there)
    rows, columns = np.lib.stride_tricks.sliding_window_view(b.halved(0), (96, 96)).shape[:2]
    places = [
        (x, y) for y in range(0, rows, 8) for x in range(0, columns, 8)
        if np.array_equal(b.pixels[y : y + 96, x : x + 96], there)
    ]  # fmt: skip
    assert len(places) == 1


@pytest.mark.parametrize(("x", "y"), [(WIDTH - 40, 0), (0, HEIGHT - 40), (WIDTH + 9, 0)])
def test_pieces_of_too_little_in_common_are_none(one, x, y):
    assert frames.on_pixels(one, one, shift(x, y), np.array([WIDTH / 2, HEIGHT / 2]), 96, 8) is None


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("side", [17, 400, 5000])
def test_what_is_all_but_all_over_all(orientation, side):
    size = (side, 2 * side)
    turned = size[::-1] if orientation > 4 else size
    a, b = (Look(width, height, np.zeros((2, 2, 3), np.uint8)) for width, height in (size, turned))
    whole = frames.whole_to_whole(a, b, orientation)
    beside = 0.004 * 2 * side
    np.testing.assert_array_equal(frames.near_whole(a, b, shift(beside, -beside) @ whole), whole)
    assert frames.near_whole(a, b, shift(2 * beside, 0) @ whole) is None
    assert frames.near_whole(a, b, np.diag([1, 1.3, 1]) @ whole) is None


# --- overlaps --------------------------------------------------------------------------------------------------------


def area(polygon):
    return cv2.contourArea(polygon.astype(np.float32))


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (np.eye(3), WIDTH * HEIGHT),
        (shift(100, 0), (WIDTH - 100) * HEIGHT),
        (shift(-100, 50), (WIDTH - 100) * (HEIGHT - 50)),
        (np.diag([0.5, 0.5, 1]), WIDTH * HEIGHT),
        (np.diag([2, 2, 1.0]), WIDTH * HEIGHT / 4),
        (shift(WIDTH, 0) @ np.diag([-1, 1, 1.0]), WIDTH * HEIGHT),
    ],
)
def test_what_both_show(transform, expected):
    assert area(frames.overlap(transform, (WIDTH, HEIGHT), (WIDTH, HEIGHT))) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "transform",
    [shift(WIDTH + 1, 0), shift(0, -HEIGHT - 5), np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1.0]])],
    ids=["beside", "above", "horizon"],
)
def test_nothing_in_common(one, transform):
    assert frames.overlap(transform, (WIDTH, HEIGHT), (WIDTH, HEIGHT)) is None
    assert frames.frame(one, one, transform, 512) is None


def test_a_sliver_in_common_is_no_frame(one):
    assert frames.frame(one, one, shift(WIDTH - 3, 0), 512) is None


NUMBERS = st.floats(-0.3, 0.3)


@settings(deadline=None, max_examples=tries(200))
@given(NUMBERS, NUMBERS, st.floats(-50, 50), st.floats(-50, 50), st.floats(-5e-4, 5e-4), st.floats(-5e-4, 5e-4))
def test_points_go_there_and_back(a, b, x, y, u, v):
    matrix = np.array([[1 + a, b, x], [-b, 1 - a / 2, y], [u, v, 1]])
    points = frames.corners(WIDTH, HEIGHT)
    there = frames.mapped(matrix, points)
    np.testing.assert_allclose(frames.mapped(np.linalg.inv(matrix), there), points, atol=1e-6)
    np.testing.assert_allclose(frames.mapped(frames.normalised(7 * matrix), points), there, atol=1e-6)
    # The density by its definition: the area that a small square becomes.
    square = points[2] / 2 + 1e-3 * frames.corners(1, 1)
    edges = frames.mapped(matrix, square)
    (ax, ay), (bx, by) = edges[1] - edges[0], edges[3] - edges[0]
    assert frames.density(matrix, points[2] / 2) == pytest.approx(abs(ax * by - ay * bx) ** 0.5 / 1e-3, rel=1e-3)


# --- drift -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [(0.0, 0.0), (0.4, -0.3), (-1.7, 2.2), (4.5, 0)])
def test_drift_finds_a_shift_of_parts_of_a_pixel(picture, by):
    a = Look.of(cv2.GaussianBlur(np.asarray(picture), (0, 0), 1))
    b = warped(a, shift(*by))
    found = frames.frame(a, b, np.eye(3), 512)
    drift = frames.drift(found)
    middle = np.array([[WIDTH / 2, HEIGHT / 2]])
    np.testing.assert_allclose(frames.mapped(drift, middle)[0] - middle[0], by, atol=0.1)
    better = frames.moved(found, a, b, drift, 512)
    np.testing.assert_allclose(frames.mapped(better.transform, middle)[0] - middle[0], by, atol=0.1)


def test_drift_finds_a_turn_and_a_bend(picture):
    a = Look.of(cv2.GaussianBlur(np.asarray(picture), (0, 0), 1))
    for transform in (turn(1.0), np.array([[1, 0, 0], [0, 1, 0], [2e-5, -1e-5, 1]])):
        b = warped(a, transform)
        found = frames.frame(a, b, np.eye(3), 512)
        better = frames.moved(found, a, b, frames.drift(found), 512)
        points = frames.corners(WIDTH, HEIGHT) * 0.8 + 30
        apart = frames.mapped(better.transform, points) - frames.mapped(transform, points)
        assert np.abs(apart).max() < 0.5  # beside the middle, a fit of points within a pixel each


def test_drift_is_none_where_nothing_can_be_followed():
    flat = Look.of(np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    assert frames.drift(frames.frame(flat, flat, np.eye(3), 512)) is None


def test_drift_does_not_mind_another_brightness(picture):
    a = Look.of(np.asarray(picture))
    b = warped(Look.of((a.pixels * 0.5 + 20).astype(np.uint8)), shift(1.5, 0.5))
    drift = frames.drift(frames.frame(a, b, np.eye(3), 512))
    np.testing.assert_allclose(drift[:2, 2], (1.5, 0.5), atol=0.6)
