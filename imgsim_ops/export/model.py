"""Whole ONNX models: a network up to its taps, completed by nodes of the domain ``imgsim``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnx.inliner
from onnx import TensorProto, helper, numpy_helper

from imgsim_ops.export.functions import DOMAIN, DOMAIN_VERSION, IR_VERSION, OPSET, function
from imgsim_ops.export.graph import PIXELS, TAPS
from imgsim_ops.models.facts import ModelFacts
from imgsim_ops.recipes.whitening import Whitening

EMBEDDING = "embedding"
LAYERS = ("layer1", "layer2", "layer3", "layer4")
GEM = "gem"


def embedding_model(
    network: onnx.ModelProto,
    facts: ModelFacts,
    layers: bool = False,
    gem: bool = False,
    whitening: Whitening | None = None,
) -> onnx.ModelProto:
    """The extractor as a model from ``pixels`` to ``embedding``.

    Args:
        network: From ``pixels`` to the four taps; stays as it is.
        facts: What the model is; becomes the file's metadata.
        layers: Whether the outputs ``layer1`` to ``layer4`` follow, the average-pooled vector of each tap.
        gem: Whether ``gem`` follows these, the generalised mean of the last tap; only with `layers`, and by the recipe
            ``mean``.
        whitening: Of the recipe ``whitened``.
    """
    model = _copy(network)
    graph = model.graph
    del graph.output[:]
    graph.output.append(_floats(EMBEDDING, ["N", facts.dimension]))
    if not layers:
        return finished(model, _embed(graph, TAPS, facts, whitening), facts)
    quantised = any(node.op_type == "DequantizeLinear" for node in graph.node)
    graph.initializer.append(helper.make_tensor("positions", TensorProto.INT64, [2], [2, 3]))
    pooled = [f"{tap}_pooled" for tap in TAPS]
    for tap, map_of_one, layer, channels in zip(TAPS, pooled, LAYERS, facts.channels, strict=True):
        channels_last = f"{tap}_channels_last"
        if quantised:  # ONNX Runtime computes integers with channels last: this undoes its transposition
            graph.node.append(helper.make_node("Transpose", [tap], [channels_last], perm=[0, 2, 3, 1]))
            graph.node.append(_node("ReduceMean", [channels_last], [layer], axes=[1, 2], keepdims=0))
        else:
            graph.node.append(_node("ReduceMean", [tap], [layer], axes=[2, 3], keepdims=0))
        graph.node.append(helper.make_node("Unsqueeze", [layer, "positions"], [map_of_one], name=map_of_one))
        graph.output.append(_floats(layer, ["N", channels]))
    if gem:
        _add_gem(graph, channels_last if quantised else TAPS[-1], [1, 2] if quantised else [2, 3])
        graph.output.append(_floats(GEM, ["N", channels]))
    # For mean the taps themselves are read once.
    return finished(model, ["ReduceMean", *_embed(graph, pooled, facts, whitening)], facts)


def pair_model(network: onnx.ModelProto, facts: ModelFacts, whitening: Whitening | None = None) -> onnx.ModelProto:
    """The extractor as a model of two batches of pictures, ``pixels_a`` and ``pixels_b``, to their ``similarity``.

    Both batches have N pictures; a runtime refuses others.

    Args:
        network: As in ``embedding_model``.
        facts: As there.
        whitening: As there.
    """
    model = _copy(network)
    graph = model.graph
    del graph.input[:], graph.output[:], graph.value_info[:]  # the shapes there say N, here it is 2 N
    # One forward pass over both batches.
    both = helper.make_node("Concat", ["pixels_a", "pixels_b"], [PIXELS], name="both", axis=0)
    graph.node.insert(0, both)
    graph.input.extend(
        helper.make_tensor_value_info(name, TensorProto.UINT8, ["N", 224, 224, 3]) for name in ("pixels_a", "pixels_b")
    )
    used = _embed(graph, TAPS, facts, whitening)
    for name, value in {"first": 0, "end": 2**63 - 1}.items():
        graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [1], [value]))
    graph.node.extend(
        [
            helper.make_node("Shape", ["pixels_a"], ["count_a"], name="count_a", start=0, end=1),
            helper.make_node("Slice", [EMBEDDING, "first", "count_a", "first"], ["a"], name="a"),
            helper.make_node("Slice", [EMBEDDING, "count_a", "end", "first"], ["b"], name="b"),
            # Not axis -1: ONNX Runtime's ReduceSum gives an empty batch another shape then.
            _node("CosineSimilarity", ["a", "b"], ["similarity"], axis=1, eps=1e-8),
        ]
    )
    graph.output.append(_floats("similarity", ["N"]))
    return finished(model, [*used, "CosineSimilarity"], facts)


def plain_twin(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model in standard operators only, for importers that know no model-local functions."""
    import onnxscript.optimizer  # here: half a second that a model for the cache has no use for

    plain = onnx.inliner.inline_local_functions(model)
    standard = [opset for opset in plain.opset_import if opset.domain != DOMAIN]
    del plain.opset_import[:]
    plain.opset_import.extend(standard)
    plain = onnxscript.optimizer.optimize(plain)
    plain.ir_version = IR_VERSION
    onnx.checker.check_model(plain, full_check=True)
    return plain


def _embed(graph: onnx.GraphProto, maps: Sequence[str], facts: ModelFacts, whitening: Whitening | None) -> list[str]:
    """Adds what makes the embedding, by the recipe of `facts`; returns the node types of the domain ``imgsim`` in it.

    Args:
        graph: Where; has the taps.
        maps: What ``mean`` pools, the taps or these averaged already.
        facts: As in `embedding_model`, likewise the next.
        whitening: As there.
    """
    if facts.fingerprint.recipe is None:
        graph.node.append(_node("MultiscalePool", maps, [EMBEDDING], width=facts.dimension))
        return ["MultiscalePool"]
    _add_gem(graph, TAPS[-1], [2, 3])
    graph.initializer.extend(
        [
            helper.make_tensor("unit_axes", TensorProto.INT64, [1], [1]),
            helper.make_tensor("unit_least", TensorProto.FLOAT, [], [float(np.finfo(np.float32).tiny)]),
        ]
    )
    if whitening is None:
        _add_unit(graph, GEM, EMBEDDING)
        return []
    # As `Whitening.apply`. Its rule for rows of zeros is not needed: no generalised mean is below 1e-6.
    _add_unit(graph, GEM, "gem_unit")
    graph.initializer.extend(
        [
            numpy_helper.from_array(whitening.mean, "whitening_mean"),
            numpy_helper.from_array(whitening.matrix, "whitening_matrix"),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("Sub", ["gem_unit", "whitening_mean"], ["centred"], name="centred"),
            helper.make_node("MatMul", ["centred", "whitening_matrix"], ["whitened"], name="whitened"),
        ]
    )
    _add_unit(graph, "whitened", EMBEDDING)
    return []


def _add_unit(graph: onnx.GraphProto, given: str, result: str) -> None:
    """Scales rows to unit length; zeros stay zeros. Wants the initialisers ``unit_axes`` and ``unit_least``."""
    squares, total, length, divisor = (f"{given}_{part}" for part in ("own_squares", "total", "length", "divisor"))
    graph.node.extend(
        [
            helper.make_node("Mul", [given, given], [squares], name=squares),
            helper.make_node("ReduceSum", [squares, "unit_axes"], [total], name=total, keepdims=1),
            helper.make_node("Sqrt", [total], [length], name=length),
            helper.make_node("Max", [length, "unit_least"], [divisor], name=divisor),
            helper.make_node("Div", [given, divisor], [result], name=result),
        ]
    )


def _add_gem(graph: onnx.GraphProto, tap: str, axes: Sequence[int]) -> None:
    """The generalised mean with p = 3 of a tap, which ends in a ReLU: the cube root of the mean of its cubes.

    Source: Radenović, Tolias and Chum, "Fine-tuning CNN Image Retrieval with No Human Annotation" (arXiv:1711.02512).
    """
    graph.initializer.extend(
        [
            helper.make_tensor("gem_least", TensorProto.FLOAT, [], [1e-6]),
            helper.make_tensor("gem_root", TensorProto.FLOAT, [], [1 / 3]),
            helper.make_tensor("gem_axes", TensorProto.INT64, [2], axes),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("Max", [tap, "gem_least"], ["gem_positive"], name="gem_positive"),
            helper.make_node("Mul", ["gem_positive", "gem_positive"], ["gem_squares"], name="gem_squares"),
            helper.make_node("Mul", ["gem_squares", "gem_positive"], ["gem_cubes"], name="gem_cubes"),
            helper.make_node("ReduceMean", ["gem_cubes", "gem_axes"], ["gem_mean"], name="gem_mean", keepdims=0),
            helper.make_node("Pow", ["gem_mean", "gem_root"], [GEM], name=GEM),
        ]
    )


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: object) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, outputs, name=outputs[0], domain=DOMAIN, **attributes)


def _floats(name: str, shape: Sequence[object]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def finished(model: onnx.ModelProto, used: Sequence[str], facts: ModelFacts) -> onnx.ModelProto:
    """A model as every exported one ends: what it uses and what it is stand in it, and it is checked.

    Args:
        model: Changed in place, and returned.
        used: Node types of the domain ``imgsim`` in it.
        facts: Its metadata.
    """
    model.functions.extend(function(name) for name in used)
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", OPSET))
    if used:
        model.opset_import.append(helper.make_opsetid(DOMAIN, DOMAIN_VERSION))
    model.ir_version = IR_VERSION
    model.producer_name = DOMAIN
    helper.set_model_props(model, facts.as_texts())
    onnx.checker.check_model(model, full_check=True)
    return model
