"""The same pixels, vectors and similarity as the Python package, for every kind of picture."""

import numpy as np
import pytest
from PIL import Image

from imgsim_ops import kernels
from imgsim_ops.images.preprocess import load_pixels
from tests.support.app_binary import png, run, run_json

# LibTorch here and ONNX Runtime there add the same pixels' products in another order, which is rounding in float32
# (about 1e-7); the promise is 1e-4.
PROMISED_DISTANCE = 1e-4


def test_vectors_agree_with_python_for_every_kind_of_picture(pictures, model, embedder):
    paths = sorted(pictures.iterdir())
    report = run_json("--model", model, "--embed", *paths)
    assert report["fingerprint"] == str(embedder.fingerprint)
    assert report["dimension"] == 512
    assert report["skipped"] == []
    assert [picture["path"] for picture in report["pictures"]] == [str(path) for path in paths]
    ours = np.array([picture["embedding"] for picture in report["pictures"]], np.float64)
    theirs = embedder.embed(paths).astype(np.float64)
    distances = 1 - kernels.cosine_similarity(ours, theirs)
    assert {path.name: d for path, d in zip(paths, distances, strict=True) if d > PROMISED_DISTANCE} == {}
    # The cosine does not see lengths, and vectors of random weights all point roughly one way: the values
    # must agree too, to the rounding of float32 through some twenty layers.
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.fixture(scope="module")
def pngs(tmp_path_factory):
    """A folder of PNGs of every colour type, depth and interlacing, with and without a transparent colour."""
    folder = tmp_path_factory.mktemp("pngs")
    random = np.random.default_rng(0)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    for colour, depth in [(key, value) for key, values in depths.items() for value in values]:
        for height, width in [(1, 1), (13, 19)]:
            samples = random.integers(0, 1 << depth, (height, width, channels[colour]))
            palette = (b"PLTE", random.integers(0, 256, 3 << depth, np.uint8).tobytes())
            before = [palette] if colour == 3 else []
            for interlaced in (False, True):
                name = f"{colour}_{depth}_{height}_{'adam7' if interlaced else 'rows'}"
                content = png(samples, colour, depth, *before, interlaced=interlaced)
                (folder / f"{name}.png").write_bytes(content)
            key = samples[0, 0].astype(">u2").tobytes()
            transparent = {0: key, 2: key, 3: bytes([0, 128, 255][: 1 << depth])}
            # Of these Pillow compares the key with samples that it has already brought to 8 bits.
            pillow_errs = (colour == 0 and depth in (2, 4)) or (colour == 2 and depth == 16)
            if colour in transparent and not pillow_errs:
                content = png(samples, colour, depth, *before, (b"tRNS", transparent[colour]))
                (folder / f"{name}_key.png").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def whites(tmp_path_factory):
    """A folder of white shapes on nothing, which would be lost on white, and of greys that use few of 16 bits."""
    folder = tmp_path_factory.mktemp("whites")
    alpha = np.zeros((13, 19), np.uint8)
    alpha[3:8, 4:15] = 255
    image = Image.fromarray(np.dstack([np.full((13, 19, 3), 255, np.uint8), alpha]))
    for name, how in (("rgba.png", {}), ("lossless.webp", {"lossless": True})):
        image.save(folder / name, **how)
    image.convert("LA").save(folder / "grey.png")
    shapes = Image.fromarray(alpha // 255)
    shapes.putpalette([0, 0, 0, 255, 255, 255, 255, 255, 255])
    for name in ("palette.png", "palette.gif"):
        shapes.save(folder / name, transparency=0)
    Image.new("RGBA", (13, 19), (255, 255, 255, 0)).save(folder / "nothing.png")
    Image.new("RGBA", (13, 19), (255, 255, 255, 255)).save(folder / "page.png")
    Image.new("P", (13, 19)).save(folder / "nothing.gif", transparency=0)
    for bits in (8, 10, 12, 14, 16):
        values = np.random.default_rng(bits).integers(0, 1 << bits, (13, 19)).astype(np.uint16)
        Image.fromarray(values).save(folder / f"{bits}.png")
    return folder


@pytest.mark.parametrize("folder", ["pictures", "pngs", "whites"])
def test_pixels_are_bit_for_bit_those_of_python(folder, pixel_model, request):
    paths = sorted(request.getfixturevalue(folder).iterdir())
    report = run_json("--model", pixel_model, "--embed", *paths)
    for path, picture in zip(paths, report["pictures"], strict=True):
        blocks = load_pixels(path).astype(int).reshape(28, 8, 28, 8, 3).sum((1, 3)).reshape(-1)
        assert np.array_equal(picture["embedding"], blocks), path.name


@pytest.mark.parametrize(("colour", "depth"), [(0, 2), (0, 4), (2, 16)])
def test_a_transparent_colour_is_compared_as_it_is_stored(tmp_path, colour, depth):
    samples = np.random.default_rng(depth).integers(0, 1 << depth, (5, 7, 3 if colour else 1))
    key = samples[2, 3]
    (tmp_path / "key.png").write_bytes(png(samples, colour, depth, (b"tRNS", key.astype(">u2").tobytes())))
    seen = samples >> 8 if depth == 16 else samples * 255 // ((1 << depth) - 1)
    expected = np.where((samples == key).all(-1, keepdims=True), 255, seen).mean((0, 1))
    channels = run_json("--stats", tmp_path, "--repeat", "0")["channels"]
    assert [channels[name]["mean_255"] for name in ("red", "green", "blue")] == pytest.approx(
        np.broadcast_to(expected, 3).tolist(), rel=1e-13
    )


def test_similarity_agrees_with_python(pictures, model, embedder):
    for a, b in [("astronaut.jpg", "chelsea.jpg"), ("turned6.jpg", "coffee.png"), ("rgba.png", "cmyk.jpg")]:
        report = run_json("--model", model, pictures / a, pictures / b)
        # Both are float32 near 1; the promise for vectors carries over to their cosine.
        assert abs(report["score"] - embedder.compare(pictures / a, pictures / b).score) < 1e-4
    assert report["a"] == str(pictures / "rgba.png")
    assert report["fingerprint"] == str(embedder.fingerprint)


def test_a_picture_is_equal_to_itself(pictures, model):
    report = run_json("--model", model, pictures / "coffee.png", pictures / "coffee.png")
    assert report["score"] == pytest.approx(1, abs=1e-6)  # float32


def test_compare_says_where_the_time_went(pictures, model):
    arguments = ("--model", model, pictures / "astronaut.jpg", pictures / "coffee.png", "--threads", "1")
    report = run_json(*arguments, "--repeat", "3")
    steps = ["decode", "preprocess", "forward", "cosine", "total"]
    assert list(report["first_ms"]) == ["load", *steps]
    assert list(report["median_ms"]) == steps
    for times in (report["first_ms"], report["median_ms"]):
        assert all(value > 0 for value in times.values())
        assert times["total"] == pytest.approx(sum(times.values()) - times["total"])
    text, _ = run(*arguments)
    assert text.startswith("similarity ")
    assert [line.split()[0] for line in text.splitlines()[3:9]] == ["load", *steps]
