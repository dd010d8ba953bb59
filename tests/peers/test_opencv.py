"""OpenCV's dnn module runs the plain twins."""

import pytest

from tests.support.exported_models import KINDS, WEIGHTS, assert_as_promised, inputs

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed: pip install opencv-python-headless")
pytestmark = pytest.mark.peers


def run(net, kind, count, names=None):
    for name, pixels in inputs(kind, count).items():
        net.setInput(pixels, name)
    return net.forward(names or net.getUnconnectedOutLayersNames())


@pytest.mark.parametrize("backbone", WEIGHTS)
@pytest.mark.parametrize("kind", KINDS)
def test_fp32(saved, backbone, kind):
    net = cv2.dnn.readNetFromONNX(str(saved(backbone, kind)))
    for count in (1, 2, 7):
        assert_as_promised(run(net, kind, count), backbone, kind, count)


# Seen: cosines of 0.99995 on one processor (see `same_direction`), of 0.983 on an Intel Xeon with AMX. There OpenCV
# without its AVX2 and AVX-512 code has the same, OpenCV 4.14 has 0.65, and OpenVINO, tract and onnxruntime-node pass.
# The cause is not known.
@pytest.mark.xfail(strict=False, reason="OpenCV's integers are not exact on every processor")
def test_int8(saved, same_direction):
    net = cv2.dnn.readNetFromONNX(str(saved("efficientnet_lite0", precision="int8")))
    same_direction(run(net, "embedding", 7)[0])
