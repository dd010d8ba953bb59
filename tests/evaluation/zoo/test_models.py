"""All the models that are compared by default, by their shapes alone; and what a few make of pictures."""

import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torchvision import models
from torchvision.models.vision_transformer import VisionTransformer

from imgsim_ops.engines.onnx import session_options
from imgsim_ops.errors import ImgsimError, WeightsError
from imgsim_ops.evaluation.zoo.candidates import Runtime
from imgsim_ops.evaluation.zoo.files import WeightFiles
from imgsim_ops.evaluation.zoo.names import DEFAULT, find_candidates
from imgsim_ops.evaluation.zoo.own_models import OwnModel
from imgsim_ops.evaluation.zoo.runtimes import run_network
from imgsim_ops.evaluation.zoo.torchvision_models import (
    TorchvisionModel,
    classification_names,
    embedding_network,
    weights_versions,
    without_values,
)
from imgsim_ops.images.decode import decode
from imgsim_ops.kernels import cosine_similarity
from imgsim_ops.quality.photographs import find_photographs

# Of the tables that the comparison comes from.
KNOWN_DIMENSIONS = {
    "alexnet": 9216,
    **dict.fromkeys(["mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"], 62720),
    "shufflenet_v2_x2_0": 100352,
    **dict.fromkeys(["squeezenet1_0", "squeezenet1_1"], 86528),
    "densenet161": 108192,
    **dict.fromkeys(["vgg11_bn", "vgg16"], 25088),
    "efficientnet_b5": 2048,
    "mobilenet_v3_large": 960,
    "regnet_y_8gf": 2016,
    **dict.fromkeys(["swin_t", "swin_s", "swin_v2_t", "swin_v2_s"], 768),
    "googlenet": 1024,
    "resnet18": 512,
    "vit_b_32": 768,
    "maxvit_t": 512 * 7 * 7,
}


class Multiplications(TorchDispatchMode):
    """Counts them, as ``torch.utils.flop_counter.FlopCounterMode`` does for each module too, in half the time."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        flops = flop_registry.get(function._overloadpacket)
        if flops is not None:
            self.count += flops(*args, **(kwargs or {}), out_val=output) // 2  # the other half are additions
        return output


class Whole:
    """A whole model as torchvision runs it, without values: what its modules return, and what is counted."""

    def __init__(self, model, side):
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        returned = []
        hooks = [
            module.register_forward_hook(lambda _, inputs, output: returned.append((inputs[0], output)))
            for child in model.children()
            for module in (child if isinstance(child, torch.nn.ModuleList) else [child])
        ]
        with torch.no_grad(), Multiplications() as multiplications:
            model(torch.empty(1, 3, side, side, device="meta"))
        for hook in hooks:
            hook.remove()
        self.gflops = multiplications.count / 1e9
        # Of what the last module but one returns; of a sequence of vectors, of the one that the last module takes.
        (_, before), (taken, _) = returned[-2:]
        self.dimension = (taken if before.dim() == 3 else before).numel()


@pytest.mark.parametrize("name", [*DEFAULT, "vit_b_32", "maxvit_t"])
def test_facts_are_what_torchvision_says(name, monkeypatch):
    (candidate,) = find_candidates([name])
    version = candidate._version
    transforms = version.transforms()
    (side,) = transforms.crop_size
    with without_values():
        model = candidate.build().to("meta")
    whole = Whole(model, side)
    monkeypatch.setattr(candidate, "build", lambda: model)  # so as not to wait for it twice
    facts = candidate.facts()
    assert facts.dimension == whole.dimension == KNOWN_DIMENSIONS.get(candidate.name, whole.dimension)
    assert facts.gflops == pytest.approx(whole.gflops, abs=0.0006)  # the metadata has three decimals
    assert facts.parameters == whole.parameters == version.meta["num_params"]
    accuracy = version.meta["_metrics"]["ImageNet-1K"]
    assert (facts.acc1, facts.acc5) == (accuracy["acc@1"], accuracy["acc@5"])
    assert 50 < facts.acc1 < facts.acc5 < 100
    (resize,) = transforms.resize_size
    assert facts.picture == f"{resize} → {side}, {transforms.interpolation.value}"
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    prepared = candidate.prepare(picture)
    assert prepared.dtype == np.float32
    np.testing.assert_array_equal(prepared[0], transforms(Image.fromarray(picture)))
    assert prepared.shape == (1, 3, side, side)


def test_the_default_are_the_models_of_the_tables():
    assert len(DEFAULT) == len(set(DEFAULT)) == 50
    assert {name.partition(":")[0] for name in DEFAULT} <= set(classification_names())
    assert [candidate.label for candidate in find_candidates(["resnet50:IMAGENET1K_V1", "resnet50"])] == [
        "resnet50:V1",
        "resnet50:V2",
    ]


def test_versions_differ_in_their_transforms_and_accuracies():
    first, second = (candidate.facts() for candidate in find_candidates(["resnet50:V1", "resnet50:V2"]))
    assert (first.picture, second.picture) == ("256 → 224, bilinear", "232 → 224, bilinear")
    assert first.acc1 < second.acc1


def test_every_file_has_its_own_name_and_digits_to_check():
    urls = {version.url for name in classification_names() for version in weights_versions(name)}
    names = [url.rsplit("/", 1)[1] for url in urls]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.search(r"-[0-9a-f]{8,}\.pth$", name)


@pytest.mark.parametrize(
    "name", ["squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5", "googlenet", "mnasnet0_5"]
)
def test_the_embedding_is_what_the_module_before_the_classifier_returns(name):
    model = TorchvisionModel(name).build()
    returned = []
    for module in model.children():
        module.register_forward_hook(lambda _, inputs, output: returned.append(output))
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model(pictures)
        expected = returned[-2].flatten(1)
        vectors = embedding_network(TorchvisionModel(name).build())(pictures)
    torch.testing.assert_close(vectors, expected, rtol=0, atol=0)  # the same operations


def test_googlenet_gets_pixels_as_its_weights_want_them():
    assert TorchvisionModel("googlenet").build().transform_input


def test_of_a_vision_transformer_the_class_token():
    model = VisionTransformer(32, 16, 1, 2, 8, 16).eval()
    taken = []
    model.heads.register_forward_hook(lambda _, inputs, output: taken.append(inputs[0]))
    pictures = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        model(pictures)
        vectors = embedding_network(model)(pictures)
    assert vectors.shape == (3, 8)
    torch.testing.assert_close(vectors, taken[0], rtol=0, atol=0)


def test_a_truncated_network_holds_no_classifier():
    network = embedding_network(TorchvisionModel("alexnet").build())
    assert {key.partition(".")[0] for key in network.state_dict()} == {"features"}


def test_random_values_are_the_same_every_time_and_nobody_elses_change():
    state = torch.random.get_rng_state()
    first, second = (TorchvisionModel("squeezenet1_1").build().state_dict() for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.fixture
def folder(tmp_path):
    """Writes the values of a model of torchvision's as the file that torchvision would download."""

    def write(name, model, rename=lambda key: key):
        state = model.state_dict()
        for key in list(state):
            state[rename(key)] = state.pop(key)
        url = TorchvisionModel(name)._version.url
        torch.save(state, tmp_path / url.rsplit("/", 1)[1])
        return WeightFiles(str(tmp_path))

    return write


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "mnasnet0_5", "googlenet", "densenet121"])
def test_values_of_files_are_used(folder, name):
    torch.manual_seed(5)
    with_auxiliary = {"aux_logits": True, "init_weights": False} if name == "googlenet" else {}
    model = models.get_model(name, weights=None, **with_auxiliary).eval()
    # As in torchvision's own DenseNet files.
    files = folder(name, model, lambda key: re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key))
    candidate = TorchvisionModel(name)
    state = embedding_network(candidate.build(files.find(candidate._version.url))).state_dict()
    wanted = model.state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in state.items())
    assert {key for key in wanted if not key.startswith(("aux", "fc.", "classifier."))} == set(state)


def test_files_without_a_classifier_will_do(folder):
    model = models.squeezenet1_1(weights=None)
    del model.classifier
    files = folder("squeezenet1_1", model)
    assert TorchvisionModel("squeezenet1_1").load(files, Runtime()).trained


def test_files_of_other_models(folder):
    for other in (models.resnet18(weights=None), torch.nn.Linear(2, 2), models.squeezenet1_0(weights=None)):
        files = folder("squeezenet1_1", other)
        with pytest.raises(WeightsError, match=r"squeezenet1_1-\w+.pth is not of squeezenet1_1"):
            TorchvisionModel("squeezenet1_1").load(files, Runtime())


def test_files_that_would_run_code(tmp_path):
    name = TorchvisionModel("squeezenet1_1")._version.url.rsplit("/", 1)[1]
    torch.save(torch.nn.Linear(2, 2), tmp_path / name)
    with pytest.raises(WeightsError, match="weights_only=True"):
        TorchvisionModel("squeezenet1_1").load(WeightFiles(str(tmp_path)), Runtime())


@pytest.mark.parametrize("label", ["squeezenet1_1", "imgsim:resnet18"])
def test_engines_say_the_same(label):
    (candidate,) = find_candidates([label])
    prepared = candidate.prepare(decode(find_photographs(["coffee.png"])[0]))
    files = WeightFiles("none")
    vectors = [candidate.load(files, Runtime(engine=engine, threads=1)).embed(prepared) for engine in ("torch", "onnx")]
    assert vectors[0].shape == vectors[1].shape == (candidate.facts().dimension,)
    # Vectors may differ by 1e-5 of their length, as in tests/models/test_extractor.py: 1e-10 in the cosine, less than
    # the rounding of float32.
    assert cosine_similarity(*vectors) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_threads_are_as_many_as_asked_for(engine):
    before = torch.get_num_threads()
    try:
        run_network(torch.nn.Flatten(), (2, 2), Runtime(engine=engine, threads=before + 1))
        assert torch.get_num_threads() == (before + 1 if engine == "torch" else before)
    finally:
        torch.set_num_threads(before)
    if engine == "onnx":
        assert session_options(1).intra_op_num_threads == 1


def test_imgsims_own_models():
    resnet18, lite0 = OwnModel("imgsim:resnet18"), OwnModel("imgsim:efficientnet_lite0")
    assert (resnet18.facts().dimension, resnet18.gflops) == (512, 1.814)
    assert resnet18.facts().acc1 == TorchvisionModel("resnet18").facts().acc1
    facts = lite0.facts()
    assert facts.dimension == 1280
    # Tan and Le give 407 million and 4.7 million parameters, of which 1.28 million are the classifier's.
    assert facts.gflops == pytest.approx(0.407 - 0.00128, abs=0.03)
    assert facts.parameters == pytest.approx(4.7e6 - 1.28e6, abs=0.1e6)
    assert (facts.acc1, facts.acc5) == (None, None)


def test_imgsims_own_weights_are_there_without_a_network():
    files = WeightFiles("none")
    assert OwnModel("imgsim:efficientnet_lite0").load(files, Runtime()).trained
    assert not OwnModel("imgsim:resnet18").load(files, Runtime()).trained


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (Runtime(engine="tensorflow"), "--engine must be one of torch, onnx (got 'tensorflow')"),
        (Runtime(device="gpu"), "--device must be cpu, cuda or cuda:N (got 'gpu')"),
        (Runtime(device="cpu:1"), "--device must be cpu, cuda or cuda:N (got 'cpu:1')"),
        (Runtime(device="cuda:x"), "--device must be cpu, cuda or cuda:N (got 'cuda:x')"),
        (Runtime(device="cuda:99"), "--device cuda:99 must be a GPU that PyTorch sees"),
    ],
)
def test_places_that_are_none(place, message):
    with pytest.raises(ImgsimError, match=re.escape(message)):
        place.check()
