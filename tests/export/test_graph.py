"""Backbones' graphs made without PyTorch: the same as its exporter makes, and made where there is none."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from PIL import Image

from imgsim_ops.export.graph import TAPS
from imgsim_ops.export.model import embedding_model
from imgsim_ops.export.network import export_network
from imgsim_ops.models.plans import PLANS
from imgsim_ops.quality.photographs import EVALUATION, find_photographs
from tests.support.exported_models import exported, extractor, pictures, session


class _Taps(torch.nn.Module):
    def __init__(self, extractor):
        super().__init__()
        self.extractor = extractor

    def forward(self, pixels):
        return self.extractor.taps(pixels)


@pytest.mark.parametrize("backbone", PLANS)
def test_as_the_exporter_makes_it(backbone):
    made, module = exported(backbone), extractor(backbone)
    theirs = export_network(_Taps(module), torch.zeros(2, 224, 224, 3, dtype=torch.uint8), "pixels")
    assert made.facts == module.facts()
    for ours, other in zip(made.network.graph.output, theirs.graph.output, strict=True):
        assert ours == other
    assert [output.name for output in made.network.graph.output] == list(TAPS)
    vectors = [
        session(embedding_model(network, made.facts, layers=True)).run(["embedding"], {"pixels": pictures(7)})[0]
        for network in (made.network, theirs)
    ]
    # The same float32 weights in the same operators: measured 0.
    assert np.abs(vectors[0] - vectors[1]).max() <= 1e-6


# What `imgsim` is where PyTorch, torchvision and onnxscript are not installed.
_WITHOUT = textwrap.dedent("""
    import sys

    class Nowhere:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in ("torch", "torchvision", "onnxscript"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Nowhere())
    from imgsim_ops.cli import main
    main()
    """)


@pytest.fixture
def without(tmp_path):
    """Runs a command where there is no PyTorch, from an empty cache."""

    def run(*arguments):
        environment = {**os.environ, "IMGSIM_CACHE": str(tmp_path / "cache")}
        command = [sys.executable, "-c", _WITHOUT, *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_first_use_needs_no_pytorch(without, tmp_path, precision):
    first, second, third = find_photographs(EVALUATION)[:3]
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, path in {"one.png": first, "copy.jpg": first, "two.jpg": second, "three.jpg": third}.items():
        Image.open(path).convert("RGB").save(folder / name)
    options = "--backbone", "efficientnet_lite0", "--precision", precision
    compared = without("compare", folder / "one.png", folder / "copy.jpg", *options)
    assert (compared.returncode, "a copy" in compared.stdout) == (0, True), compared.stderr
    indexed = without("index", folder, "--collection", tmp_path / "c.imgsim", *options)
    assert indexed.returncode == 0, indexed.stderr
    found = without("dups", folder, *options)
    assert found.returncode == 0, found.stderr
    assert "1 group: 1 of 4 pictures may go" in found.stdout


def test_what_needs_pytorch_says_how_to_get_it(without, tmp_path):
    path = find_photographs(EVALUATION)[0]
    for arguments in (
        ("compare", path, path, "--weights", "random:1"),
        ("export", "--out", tmp_path / "model.pt", "--backbone", "efficientnet_lite0"),
        ("compare", path, path, "--engine", "torch", "--backbone", "efficientnet_lite0"),
    ):
        ended = without(*arguments)
        assert ended.returncode == 2, ended.stderr
        assert "pip install" in ended.stderr.splitlines()[-1]
        assert "Traceback" not in ended.stderr
