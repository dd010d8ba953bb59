"""The ONNX reference, where tests/export leaves it out because it takes seconds."""

import pytest
from onnx.reference import ReferenceEvaluator

from tests.support.exported_models import WEIGHTS, assert_as_promised, inputs, model, twin

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("backbone", WEIGHTS)
@pytest.mark.parametrize(("kind", "count"), [("embedding", 7), ("pair", 2)])
@pytest.mark.parametrize("plain", [False, True])
def test_fp32(backbone, kind, count, plain):
    runs = ReferenceEvaluator((twin if plain else model)(backbone, kind))
    assert_as_promised(runs.run(None, inputs(kind, count)), backbone, kind, count)
