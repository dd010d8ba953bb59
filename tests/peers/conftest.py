"""Exported models as files, for runtimes that imgsim does not depend on."""

import onnx
import pytest

from tests.support import exported_models as cases


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
def same_direction():
    """Whether int8 vectors of the seven pictures are ONNX Runtime's.

    Each runtime rounds and fuses integers in its own way. Measured: a cosine of 0.99990 at least (OpenVINO; OpenCV and
    tract 0.99995, onnxruntime-node 1), where one to fp32's vectors is 0.996. A wrong zero point costs far more.
    """

    if cases.SATURATION:
        pytest.skip(cases.SATURATION)

    def check(vectors):
        (theirs,) = cases.session(cases.twin("efficientnet_lite0", "embedding", "int8")).run(
            None, cases.inputs("embedding", 7)
        )
        assert vectors.shape == theirs.shape
        assert cases.cosines(vectors, theirs).min() > 0.999, cases.cosines(vectors, theirs)

    return check
