import subprocess
import sys
from dataclasses import replace

import pytest

from imgsim_ops.errors import ImgsimError
from imgsim_ops.recipes.fingerprint import Fingerprint


def test_text_and_back():
    fingerprint = Fingerprint("efficientnet_lite0", "1a2b3c4d5e6f", "fp32", 1)
    assert str(fingerprint) == "efficientnet_lite0-1a2b3c4d5e6f-fp32-p1"
    assert Fingerprint.parse(str(fingerprint)) == fingerprint


@pytest.mark.parametrize("recipe", ["gem", "whitened1a2b3c4d5e6f"])
def test_a_recipe(recipe):
    """Vectors of different recipes are never compared."""
    without = Fingerprint("efficientnet_lite0", "f8f1d3134915", "fp32", 1)
    fingerprint = replace(without, recipe=recipe)
    assert str(fingerprint) == f"efficientnet_lite0-f8f1d3134915-fp32-p1-{recipe}"
    assert Fingerprint.parse(str(fingerprint)) == fingerprint != without
    assert Fingerprint.parse(str(without)).recipe is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "resnet18", "resnet18-1a2b3c4d5e6f-fp32-1", "resnet18-XYZ-fp32-p1", "a-1a2b3c4d5e6f-fp32-p1\n"),
        *(
            f"a-1a2b3c4d5e6f-fp32-p1-{recipe}"
            for recipe in ("", "mean", "views", "whitened", "gem1a2b3c4d5e6f", "gem-")
        ),
    ],
)
def test_what_is_no_fingerprint(text):
    with pytest.raises(ImgsimError, match="fingerprint: must be"):
        Fingerprint.parse(text)


def test_parts_that_could_not_be_read_back():
    with pytest.raises(ImgsimError, match="fingerprint: must be"):
        Fingerprint("res-net", "1a2b3c4d5e6f", "fp32", 1)
    with pytest.raises(ImgsimError, match="fingerprint: must be"):
        Fingerprint("resnet18", "1a2b3c4d5e6f", "fp32", 1, "mean")


def test_needs_no_torch():
    code = "import sys, imgsim_ops.recipes.fingerprint; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
