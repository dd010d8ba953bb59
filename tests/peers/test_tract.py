"""tract runs the plain twins, with N unknown while it reads them."""

import pytest

from tests.support.exported_models import WEIGHTS, assert_as_promised, inputs

tract = pytest.importorskip("tract", reason="tract is not installed: pip install tract")
pytestmark = pytest.mark.peers


def run(path, kind, *counts):
    runs = tract.onnx().load(str(path)).into_model().into_runnable()
    return [[output.to_numpy() for output in runs.run([*inputs(kind, count).values()])] for count in counts]


@pytest.mark.parametrize("backbone", WEIGHTS)
@pytest.mark.parametrize(
    "kind",
    [
        "embedding",
        "layers",
        "pair",
    ],
)
def test_fp32(saved, backbone, kind):
    for count, outputs in zip((1, 2, 7), run(saved(backbone, kind), kind, 1, 2, 7), strict=True):
        assert_as_promised(outputs, backbone, kind, count)


def test_int8(saved, same_direction):
    same_direction(run(saved("efficientnet_lite0", precision="int8"), "embedding", 7)[0][0])
