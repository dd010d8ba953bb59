"""Exported models as files, for runtimes that imgsim does not depend on."""

import onnx
import pytest

from tests.support import exported_models as cases

#: Each runtime rounds and fuses integers in its own way. Measured: 0.99990 (OpenVINO; tract 0.99995, onnxruntime-node
#: 1), where the cosine to fp32's vectors is 0.996. A wrong zero point costs more.
SAME_DIRECTION = 0.999


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """Writes a model, or its plain twin, once; returns where."""
    folder = tmp_path_factory.mktemp("peers")

    def save(backbone, kind="embedding", precision="fp32", plain=True):
        path = folder / f"{backbone}-{kind}-{precision}{'.plain' if plain else ''}.onnx"
        if not path.exists():
            onnx.save((cases.twin if plain else cases.model)(backbone, kind, precision), path)
        return path

    return save


@pytest.fixture(scope="session")
def int8_cosines():
    """The least cosine of the int8 vectors of seven pictures to ONNX Runtime's, for each output of a model."""
    if cases.SATURATION:
        pytest.skip(cases.SATURATION)

    def measure(outputs, kind="embedding"):
        expected = cases.session(cases.twin("efficientnet_lite0", kind, "int8")).run(None, cases.inputs(kind, 7))
        assert [ours.shape for ours in outputs] == [theirs.shape for theirs in expected]
        return [cases.cosines(ours, theirs).min() for ours, theirs in zip(outputs, expected, strict=True)]

    return measure


@pytest.fixture(scope="session")
def same_direction(int8_cosines):
    def check(vectors):
        (least,) = int8_cosines([vectors])
        assert least > SAME_DIRECTION

    return check
