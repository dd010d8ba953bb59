"""PyTorch modules as ONNX models: trained encoders, the zoo's, users' own. Backbones need none: ``export.graph``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import onnx
import torch
from torch import nn

from imgsim_ops.export.functions import IR_VERSION, OPSET
from imgsim_ops.export.graph import TAPS


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
