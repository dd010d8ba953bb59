import hashlib

import numpy as np
import pytest

from imgsim_ops.errors import ImgsimError
from imgsim_ops.recipes.recipes import CENTRE, MEAN, PARTS, RECIPES, SQUASHED, recipe_named
from imgsim_ops.recipes.whitening import Whitening

WIDTH = 24


def raw_vectors(count, width=WIDTH, seed=0):
    """Parts of unit length that have much in common, as real ones do."""
    parts = 1 + np.random.default_rng(seed).standard_normal((count, PARTS, width)) * np.linspace(0.1, 1, width)
    parts /= np.linalg.norm(parts, axis=2, keepdims=True)
    return parts.reshape(count, PARTS * width).astype(np.float16)


def test_the_recipes():
    assert {name: recipe.parts for name, recipe in RECIPES.items()} == {
        "mean": (MEAN,),
        "gem": (CENTRE,),
        "whitened": (CENTRE,),
        "crops": (CENTRE, SQUASHED),
    }
    assert all(recipe_named(name).name == name for name in RECIPES)
    with pytest.raises(ImgsimError, match=r"recipe: must be one of mean, gem, whitened, crops \(got 'best'\)"):
        recipe_named("best")


@pytest.mark.parametrize("count", [0, 1, 7, 17, 33])
@pytest.mark.parametrize("name", RECIPES)
def test_vectors_are_the_parts(name, count):
    raw = raw_vectors(count)
    recipe = RECIPES[name]
    vectors = recipe.vectors(raw)
    assert vectors.shape == (count * recipe.crops, WIDTH)
    assert vectors.dtype == np.float16
    for crop, part in enumerate(recipe.parts):
        np.testing.assert_array_equal(vectors[crop :: recipe.crops], raw[:, part * WIDTH : (part + 1) * WIDTH])


@pytest.mark.parametrize("name", RECIPES)
def test_whitened_vectors_have_unit_length_and_zeros_stay_zeros(name):
    raw = raw_vectors(100)
    recipe = RECIPES[name]
    whitening = Whitening.fit(recipe.unwhitened(raw))
    raw[3] = 0
    vectors = recipe.vectors(raw, whitening)
    gone = np.arange(3 * recipe.crops, 4 * recipe.crops)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    assert not vectors[gone].any()
    # float16 rounds each value by a 2048th of it at most.
    np.testing.assert_allclose(np.delete(lengths, gone), 1, atol=1e-3)
    if not recipe.whitens:
        np.testing.assert_array_equal(vectors, recipe.vectors(raw))


def covariance_after(whitening, vectors):
    mapped = (vectors.astype(np.float64) - whitening.mean) @ whitening.matrix
    return np.cov(mapped.T, bias=True), mapped.mean(0)


def test_after_whitening_all_directions_vary_alike():
    vectors = np.random.default_rng(0).standard_normal((500, WIDTH)) @ np.diag(np.linspace(0.01, 3, WIDTH)) + 5
    whitening = Whitening.fit(vectors, shrinkage=1e-9)
    covariance, mean = covariance_after(whitening, vectors)
    # The matrix is float32; its smallest direction is divided by 0.01.
    np.testing.assert_allclose(covariance, np.eye(WIDTH), atol=1e-4)
    np.testing.assert_allclose(mean, 0, atol=1e-3)


def test_shrinkage_keeps_what_hardly_varies_from_being_blown_up():
    vectors = np.random.default_rng(0).standard_normal((500, WIDTH)) @ np.diag([*[1.0] * (WIDTH - 1), 1e-6])
    covariance, _ = covariance_after(Whitening.fit(vectors), vectors)
    variances = np.linalg.eigvalsh(covariance)
    assert variances[0] < 1e-6
    assert (variances[1:] > 0.7).all()


@pytest.mark.parametrize("count", [2, 7, WIDTH, WIDTH + 1])
def test_fewer_vectors_than_dimensions(count):
    vectors = RECIPES["gem"].unwhitened(raw_vectors(count))
    whitening = Whitening.fit(vectors)
    assert whitening.mean.shape == (WIDTH,)
    assert whitening.matrix.shape == (WIDTH, count - 1)
    applied = whitening.apply(vectors)
    assert np.isfinite(applied).all()
    np.testing.assert_allclose(np.linalg.norm(applied, axis=1), 1, rtol=1e-5)


def test_no_more_than_512_components():
    whitening = Whitening.fit(np.random.default_rng(0).standard_normal((700, 600)).astype(np.float32))
    assert whitening.matrix.shape == (600, 512)


def test_equal_vectors_have_nothing_to_fit():
    vectors = np.ones((10, WIDTH), np.float16)
    assert np.isfinite(Whitening.fit(vectors).apply(vectors)).all()


def test_the_same_bits_each_time():
    vectors = raw_vectors(300)
    first, second = Whitening.fit(vectors), Whitening.fit(vectors.copy())
    assert first.to_bytes() == second.to_bytes()
    assert first.digest == second.digest != Whitening.fit(vectors[1:]).digest


def test_fitting_does_not_depend_on_blocks(monkeypatch):
    vectors = raw_vectors(300)
    whole = Whitening.fit(vectors)
    monkeypatch.setattr("imgsim_ops.recipes.whitening._BLOCK", 7)
    # Other orders of addition; float64 sums, whose directions may come with another sign.
    np.testing.assert_allclose(np.abs(Whitening.fit(vectors).matrix), np.abs(whole.matrix), atol=1e-4)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few(count):
    with pytest.raises(ImgsimError, match=rf"whitening: must be fitted to at least 2 vectors \(got {count}\)"):
        Whitening.fit(np.ones((count, WIDTH), np.float16))


def test_to_bytes_and_back():
    whitening = Whitening.fit(raw_vectors(50))
    content = whitening.to_bytes()
    again = Whitening.from_bytes(content)
    np.testing.assert_array_equal(again.mean, whitening.mean)
    np.testing.assert_array_equal(again.matrix, whitening.matrix)
    assert again.to_bytes() == content
    assert whitening.digest == hashlib.sha256(content).hexdigest()[:12]


@pytest.mark.parametrize("change", ["empty", "cut", "other", "pickle", "shape", "dtype"])
def test_other_bytes_are_refused(change, tmp_path):
    whitening = Whitening.fit(raw_vectors(50))
    content = whitening.to_bytes()
    if change == "empty":
        content = b""
    elif change == "cut":
        content = content[:-1]
    elif change == "other":
        content = b"something else altogether"
    elif change == "pickle":
        np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
        content = (tmp_path / "objects.npy").read_bytes()
    elif change == "shape":
        content = Whitening(whitening.mean[1:], whitening.matrix).to_bytes()
    else:
        content = Whitening(whitening.mean.astype(np.float64), whitening.matrix).to_bytes()
    with pytest.raises(ImgsimError, match="whitening: must be what imgsim wrote"):
        Whitening.from_bytes(content)
