"""PyTorch modules as ONNX models; among them what lies between raw pixels and a backbone's four taps, in float32."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import onnx
import torch
from torch import nn

from imgsim_ops.export.functions import IR_VERSION, OPSET
from imgsim_ops.models.extractor import MultiScaleExtractor

PIXELS = "pixels"
TAPS = ("tap1", "tap2", "tap3", "tap4")


def float_network(extractor: MultiScaleExtractor) -> onnx.ModelProto:
    """The extractor up to its taps.

    Returns:
        A model from ``pixels``, uint8 (N, 224, 224, 3), to ``tap1`` to ``tap4``, float32 (N, C_i, H_i, W_i).
    """
    return export_network(_Taps(extractor), torch.zeros(2, 224, 224, 3, dtype=torch.uint8), PIXELS)


def export_network(
    module: nn.Module, example: torch.Tensor, name: str, outputs: Sequence[str] = TAPS
) -> onnx.ModelProto:
    """A module from one tensor to one or several as an ONNX model, any N in place of the example's.

    Args:
        module: Returns a tensor, or a list of them.
        example: An input; N must not be 1, which the exporter would take for a constant.
        name: The input's name in the model.
        outputs: The outputs' names in the model.
    """
    with warnings.catch_warnings():
        # PyTorch's exporter warns of its own dependencies' changes; nothing in them is a user's to mend.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=({0: torch.export.Dim("N")},),
            input_names=[name],
            output_names=list(outputs),
            external_data=False,
            verbose=False,
        )
    model = program.model_proto
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "imgsim", ""
    del model.metadata_props[:]
    graph = model.graph
    graph.name, graph.doc_string = "imgsim", ""
    # Annotations that this IR version does not know; they hold stack traces with paths of this machine.
    for item in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    graph.ClearField("metadata_props")
    return model


class _Taps(nn.Module):
    def __init__(self, extractor: MultiScaleExtractor) -> None:
        super().__init__()
        self.extractor = extractor

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        return self.extractor.taps(pixels)
