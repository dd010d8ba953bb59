"""What training does to pictures."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imgsim_ops.evaluation.training.changes import Changes, changed, joined

NOTHING = Changes(turn=0, shift=0, zoom=0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(count=6, side=9):
    return torch.rand(count, 3, side, side, generator=generator(1))


def test_no_change():
    images = pictures()
    # The grid's places are computed in float32, of a side of 9: a pixel takes so much of its neighbours at the most.
    assert torch.allclose(changed(images, NOTHING, generator()), images, atol=1e-5)


def test_mirrored_or_not():
    images = pictures(40)
    found = changed(images, Changes(turn=0, shift=0, zoom=0, mirror=True), generator())
    same = (found - images).abs().amax((1, 2, 3)) < 1e-5  # as above
    mirrored = (found - images.flip(3)).abs().amax((1, 2, 3)) < 1e-5
    assert (same ^ mirrored).all()
    assert 5 < same.sum() < 35  # a thousandth of a millionth of all draws would not be


def test_shift_goes_to_all_sides_and_no_farther():
    images = torch.zeros(200, 1, 21, 21)
    images[:, :, 10, 10] = 1
    found = changed(images, Changes(turn=0, shift=0.1, zoom=0), generator())
    places = found.flatten(1).argmax(1)
    rows, columns = places // 21 - 10, places % 21 - 10
    for moved in (rows, columns):
        assert (int(moved.min()), int(moved.max())) == (-2, 2)  # 2.1 pixels


def test_turns_and_zooms_keep_the_middle_and_the_border_goes_on():
    images = torch.full((8, 1, 15, 15), 5.0)
    found = changed(images, Changes(turn=45, shift=0.3, zoom=0.3), generator())
    # Weights of four neighbours that sum to one, to float32's rounding.
    assert torch.allclose(found, images, atol=1e-5)
    images = torch.zeros(8, 1, 15, 15)
    images[:, :, 7, 7] = 1
    found = changed(images, Changes(turn=45, shift=0, zoom=0.3), generator())
    assert (found.flatten(1).argmax(1) == 7 * 15 + 7).all()


def test_the_same_numbers_the_same_pictures():
    images = pictures()
    first, again, other = (changed(images, Changes(mirror=True), generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@given(classes=st.integers(2, 5), per_class=st.integers(2, 6), side=st.sampled_from([7, 14]), seed=st.integers(0, 500))
def test_joined(classes, per_class, side, seed):
    labels = torch.arange(classes).flip(0).repeat_interleave(per_class)
    # Each pixel says whose it is.
    images = torch.arange(len(labels)).float().view(-1, 1, 1, 1).expand(-1, 3, side, side)
    found, names = joined(images, labels, per_class, generator(seed))
    partners = {}
    for number, (picture, name) in enumerate(zip(found, names, strict=True)):
        own, (first, *others) = number, sorted(set(picture.unique().tolist()) - {number})[:1] or [None]
        if number % per_class >= per_class // 2:
            assert first is None
            assert name == labels[own]
            continue
        assert not others
        other = int(first)
        assert labels[other] != labels[own]
        share = float((picture == other).float().mean())
        assert 0.25 < share < 0.75  # 0.35 to 0.65, of a line between two pixels
        # One label for each two classes, and no real one.
        assert name < 0
        assert partners.setdefault(int(name), (int(labels[own]), int(labels[other]))) == (
            int(labels[own]),
            int(labels[other]),
        )
    assert len(partners) == classes * (per_class > 1)
    # All are cut at the same line.
    cut = [(picture != number)[0] for number, picture in enumerate(found) if names[number] < 0]
    assert all(torch.equal(line, cut[0]) for line in cut)


def test_one_class_cannot_be_joined():
    images, labels = pictures(), torch.zeros(6, dtype=torch.int64)
    found, names = joined(images, labels, 6, generator())
    assert found is images
    assert names is labels


@pytest.mark.parametrize("seed", range(4))
def test_joined_draws_other_lines(seed):
    images = torch.arange(8.0).view(-1, 1, 1, 1).expand(-1, 3, 14, 14)
    labels = torch.arange(2).repeat_interleave(4)
    lines = {joined(images, labels, 4, generator(seed + 10 * n))[0][0].numpy().tobytes() for n in range(10)}
    assert len(lines) > 3
