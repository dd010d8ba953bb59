"""Pictures, a model, and its Python twin; everything here is skipped where imgsim_app is not built."""

import json
import os
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.engines.torchscript import METADATA, save
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.preprocess import CROP, PREPROCESSING_VERSION, RESIZE
from imgsim_ops.models.extractor import build_extractor
from imgsim_ops.models.spec import ModelSpec
from tests.support.app_binary import APP, WEIGHTS, png


@pytest.fixture(scope="session", autouse=True)
def built():
    if not APP.is_file():
        pytest.skip(f"{APP} is not built: cmake --workflow --preset app, or name it in IMGSIM_APP")


def orientation(value):
    tags = Image.Exif()
    tags[0x0112] = value
    return tags


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder of photographs in every kind of file that imgsim_app reads."""
    data = pytest.importorskip("skimage.data")
    folder = tmp_path_factory.mktemp("pictures")
    photograph = data.astronaut()[:, :384]  # not square, so that turning it matters
    cat = data.chelsea()
    coffee = data.coffee()
    image = Image.fromarray(photograph)
    height, width = photograph.shape[:2]
    ramp = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8), (height, width))
    greys = image.convert("L")
    sixteen = (np.asarray(greys).astype(np.uint16) << 8) + np.arange(width, dtype=np.uint16) % 256
    noise = np.random.default_rng(0).integers(0, 1 << 16, (90, 70, 4))
    palette = Image.fromarray(cat).quantize(64)

    image.save(folder / "astronaut.jpg", quality=92)
    Image.fromarray(cat).save(folder / "chelsea.jpg", quality=60, progressive=True)
    Image.fromarray(coffee).save(folder / "coffee.png")
    Image.fromarray(data.rocket()).save(folder / "name_lies.gif", "JPEG")
    for value in range(2, 9):
        image.save(folder / f"turned{value}.jpg", exif=orientation(value))
    image.save(folder / "turned6.png", exif=orientation(6))
    image.save(folder / "turned5.webp", exif=orientation(5), lossless=True)
    image.save(folder / "lossy.webp")
    image.convert("CMYK").save(folder / "cmyk.jpg")
    greys.save(folder / "grey.jpg")
    greys.save(folder / "grey.png")
    greys.save(folder / "grey_key.png", transparency=200)
    image.convert("1").save(folder / "one_bit.png")
    Image.fromarray(sixteen).save(folder / "grey16.png")
    Image.fromarray(np.dstack([photograph, ramp])).save(folder / "rgba.png")
    Image.fromarray(np.dstack([photograph, ramp])).save(folder / "rgba.webp")
    Image.fromarray(np.dstack([np.asarray(greys), ramp])).save(folder / "grey_alpha.png")
    image.save(folder / "rgb_key.png", transparency=tuple(int(v) for v in photograph[0, 0]))
    palette.save(folder / "palette.png")
    palette.save(folder / "palette_key.png", transparency=5)
    palette.save(folder / "palette.gif")
    palette.save(folder / "palette_key.gif", transparency=5)
    frames = [palette, palette.transpose(Image.Transpose.ROTATE_180)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:], transparency=3)
    frames = [image, image.transpose(Image.Transpose.ROTATE_180)]
    frames[0].save(folder / "animated.webp", save_all=True, append_images=frames[1:])
    (folder / "rgb16.png").write_bytes(png(noise[..., :3], 2, 16))
    (folder / "rgba16.png").write_bytes(png(noise, 6, 16))
    (folder / "grey_alpha16.png").write_bytes(png(noise[..., :2], 4, 16))
    Image.fromarray(photograph[:1]).save(folder / "one_row.png")
    Image.fromarray(photograph[:1, :1]).save(folder / "one_pixel.png")
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "resnet18_multiscale.pt"
    save(build_extractor("resnet18", WEIGHTS), path)
    return path


class BlockSums(torch.nn.Module):
    """A model whose vector shows the pixels: the sums over blocks of 8 x 8, exact in float32."""

    def forward(self, pixels):
        return pixels.float().reshape(-1, 28, 8, 28, 8, 3).sum((2, 4)).reshape(-1, 28 * 28 * 3)


@pytest.fixture(scope="session")
def pixel_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "block_sums.pt"
    facts = {
        "fingerprint": "blocksums-000000000000-fp32-p1",
        "dimension": 28 * 28 * 3,
        "resize": RESIZE,
        "crop": CROP,
        "preprocessing_version": PREPROCESSING_VERSION,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript's deprecation
        torch.jit.save(torch.jit.script(BlockSums()), path, _extra_files={METADATA: json.dumps(facts)})
    return path


@pytest.fixture(scope="session")
def embedder():
    return Embedder(ModelSpec("resnet18", WEIGHTS), read=ReadOptions(exact=True))


@pytest.fixture
def bad_files(tmp_path, pictures):
    """A folder with one good picture, all sorts of bad ones, and files that are none of our business."""
    folder = tmp_path / "bad"
    (folder / "inner").mkdir(parents=True)
    good = (pictures / "astronaut.jpg").read_bytes()
    (folder / "inner" / "good.bin").write_bytes(good)  # told by content
    (folder / ".hidden.jpg").write_bytes(good)
    (folder / "notes.txt").write_text("no picture")
    (folder / "link_back").symlink_to(folder)
    os.mkfifo(folder / "pipe_without_a_name")
    expected = {}
    for name, share in [("astronaut.jpg", 0.9), ("coffee.png", 0.5), ("lossy.webp", 0.9), ("palette.gif", 0.9)]:
        content = (pictures / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])
        expected[name] = "truncated"
    (folder / "text.jpg").write_text("no picture")
    (folder / "empty.png").touch()
    (folder / "gone.jpeg").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.jpg")
    Image.new("RGB", (4, 4)).save(folder / "old.bmp")
    (folder / "bomb.png").write_bytes(png(np.zeros((1, 1, 1), int), 0, 8, promised=(99999, 99999)))
    # Sound by its check sums, but there is no such filter.
    (folder / "filter.png").write_bytes(png(np.zeros((1, 1, 3), int), 2, 8, row_filter=7))
    broken = bytearray((pictures / "coffee.png").read_bytes())
    broken[len(broken) // 2] ^= 255
    (folder / "broken.png").write_bytes(broken)
    expected |= {
        "text.jpg": "not_a_picture",
        "empty.png": "empty",
        "gone.jpeg": "broken_link",
        "pipe.jpg": "special",
        "old.bmp": "unsupported",
        "bomb.png": "too_large",
        "broken.png": "damaged",
        "filter.png": "damaged",
    }
    return folder, expected
