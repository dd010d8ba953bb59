"""OpenVINO runs the plain twins; it knows no model-local functions."""

import pytest

from tests.support.exported_models import KINDS, WEIGHTS, assert_as_promised, inputs

openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install openvino")
pytestmark = pytest.mark.peers


def compiled(path):
    # Where a processor has bfloat16 the default is that, which is not what is promised.
    return openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


@pytest.mark.parametrize("backbone", WEIGHTS)
@pytest.mark.parametrize("kind", KINDS)
def test_fp32(saved, backbone, kind):
    runs = compiled(saved(backbone, kind))
    assert all(port.partial_shape[0].is_dynamic for port in runs.inputs)
    for count in (1, 2, 7):
        answer = runs(inputs(kind, count))
        assert_as_promised([answer[port] for port in runs.outputs], backbone, kind, count)


def test_int8(saved, same_direction):
    same_direction(compiled(saved("efficientnet_lite0", precision="int8"))(inputs("embedding", 7))[0])
