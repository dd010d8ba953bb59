"""torchvision's classification models without their classifiers."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import fx, nn
from torch.overrides import TorchFunctionMode
from torchvision import models
from torchvision.models import WeightsEnum

from imgsim_ops.errors import WeightsError
from imgsim_ops.evaluation.zoo.candidates import Facts, Loaded, Runtime
from imgsim_ops.evaluation.zoo.files import WeightFiles
from imgsim_ops.evaluation.zoo.runtimes import run_network
from imgsim_ops.models.weights import read_state_dict

# torchvision's DenseNet files have names like denselayer1.norm.1.weight, its DenseNets denselayer1.norm1.weight.
_OLD_DENSENET_KEY = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)")

# Second classifiers that are there for training only; files have them, models for inference do not.
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")


def classification_names() -> list[str]:
    """The names of all classification models that torchvision has."""
    return models.list_models(module=models)


def weights_versions(name: str) -> list[WeightsEnum]:
    """The versions of a model's weights that torchvision has."""
    return list(models.get_model_weights(name))


class TorchvisionModel:
    """A classification model with one version of its weights; see ``candidates.Candidate``."""

    def __init__(self, name: str, version: WeightsEnum | None = None) -> None:
        """Names the model.

        Args:
            name: One of `classification_names`.
            version: One of its `weights_versions`. Default: the one that torchvision calls DEFAULT, the best.
        """
        self.name = name
        self._version = models.get_model_weights(name).DEFAULT if version is None else version
        self.weights = self._version.name
        self.gflops = self._version.meta["_ops"]
        short = self.weights.removeprefix("IMAGENET1K_")
        self.label = f"{name}:{short}" if len(weights_versions(name)) > 1 else name
        self._transforms = self._version.transforms()

    def facts(self) -> Facts:
        """See ``Candidate.facts``: from the weights' metadata, and the dimension from shapes alone."""
        meta, transforms = self._version.meta, self._transforms
        accuracy = meta["_metrics"]["ImageNet-1K"]
        (resize,), (crop,) = transforms.resize_size, transforms.crop_size
        with without_values():
            network = embedding_network(self.build()).to("meta")
        (vector,) = network(torch.empty(1, 3, crop, crop, device="meta"))
        return Facts(
            dimension=len(vector),
            gflops=self.gflops,
            parameters=meta["num_params"],
            acc1=_number(accuracy["acc@1"]),
            acc5=_number(accuracy["acc@5"]),
            picture=f"{resize} → {crop}, {transforms.interpolation.value}",
        )

    def prepare(self, pixels: np.ndarray) -> np.ndarray:
        """See ``Candidate.prepare``: the transforms that belong to the weights; float32 (1, 3, H, W)."""
        return self._transforms(Image.fromarray(pixels)).unsqueeze(0).numpy()

    def build(self, path: Path | None = None) -> nn.Module:
        """The whole model, in eval mode, on the CPU.

        Args:
            path: A file of weights. Default: random values, the same every time.

        Raises:
            WeightsError: The file is none, or of another model.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = models.get_model(self.name, weights=None, **self._options()).eval().requires_grad_(False)
        if path is not None:
            self._fill(model, path)
        return model

    def _options(self) -> dict[str, Any]:
        """What torchvision's builders set themselves where they are given weights."""
        if self.name in ("googlenet", "inception_v3"):
            # The weights come from TensorFlow and take pixels from -1 to 1: the model turns what the transforms make
            # into that.
            return {"transform_input": True, "aux_logits": False, "init_weights": False}
        if self.name.startswith("vit_"):
            return {"image_size": self._version.meta["min_size"][0]}
        return {}

    def _fill(self, model: nn.Module, path: Path) -> None:
        state = read_state_dict(path)
        for key in list(state):
            old = _OLD_DENSENET_KEY.fullmatch(key)
            if old:
                state[old[1] + old[2]] = state.pop(key)
        try:
            missing, unknown = model.load_state_dict(state, strict=False)
        except RuntimeError as error:  # the shapes differ
            raise WeightsError(f"{path.name} is not of {self.name}") from error
        needed = embedding_network(model).state_dict()  # some files have no classifier
        if needed.keys() & missing or [key for key in unknown if not key.startswith(_AUXILIARY)]:
            raise WeightsError(f"{path.name} is not of {self.name}")

    def load(self, files: WeightFiles, runtime: Runtime) -> Loaded:
        """See ``Candidate.load``."""
        path = files.find(self._version.url)
        network = embedding_network(self.build(path))
        (crop,) = self._transforms.crop_size
        return Loaded(run_network(network, (3, crop, crop), runtime), trained=path is not None)


def _number(accuracy: float) -> float | None:
    """An accuracy; weights without a classifier have none, which their metadata calls NaN."""
    return None if math.isnan(accuracy) else accuracy


def embedding_network(model: nn.Module) -> fx.GraphModule:
    """A classification model as far as its classifier, and the result flattened.

    The classifier is the last of the model's modules that its forward calls. The embedding is what the module before it
    returns, (N, D, 1, 1) or (N, C, H, W), flattened: poolings that are modules count, what forward does between the two
    modules belongs to the classifier. So ResNets give their average-pooled features, and DenseNets, MNASNets,
    MobileNetV2, ShuffleNets and SqueezeNets their whole last map. Where forward picks one of several vectors for the
    classifier, as vision transformers pick the class token, the embedding is the one picked.

    Args:
        model: One of torchvision's, in eval mode.

    Returns:
        A module from normalised pictures, float (N, 3, H, W), to embeddings (N, D).
    """
    graph = _Outline().trace(model)
    classifier = [node for node in graph.nodes if node.op == "call_module"][-1]
    last = classifier.args[0]
    while last.op != "call_module" and last.target is not operator.getitem:
        last = last.args[0]
    output = next(node for node in graph.nodes if node.op == "output")
    with graph.inserting_before(output):
        output.args = (graph.call_function(torch.flatten, (last, 1)),)
    network = fx.GraphModule(model, graph)
    network.graph.eliminate_dead_code()
    network.delete_all_unused_submodules()
    network.recompile()
    return network.eval()


class _Outline(fx.Tracer):
    """Traces a model's own forward and looks into no module that it calls."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return True


@contextmanager
def without_values() -> Iterator[None]:
    """A context in which modules are built without memory for their values: for shapes, moved to ``meta`` afterwards.

    Not ``torch.device("meta")``, under which RegNets cannot compute how wide they are.
    """
    with _ValuesElsewhere():
        yield


class _ValuesElsewhere(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.empty:
            kwargs["device"] = "meta"
        return function(*args, **kwargs)
