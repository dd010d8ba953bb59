import copy

import pytest
import torch
from torch import nn

from imgsim_ops.engines.torchscript import script
from imgsim_ops.models.backbones import BACKBONES
from imgsim_ops.models.extractor import MultiScaleExtractor, build_extractor
from imgsim_ops.models.reference import multiscale_embedding
from imgsim_ops.models.weights import load_backbone
from imgsim_ops.torch_ops import reference

# The largest difference from the plain-PyTorch reference, relative to the largest value of the vector.
# Folding reorders float32 arithmetic in some 20 (resnet18) or 50 (efficientnet_lite0) layers: measured 3e-7
# and 1.4e-6. The project promises 1e-5.
TOLERANCE = 1e-5


def relative_error(ours: torch.Tensor, expected: torch.Tensor) -> float:
    return ((ours - expected).abs().max() / expected.abs().max()).item()


def some_pixels(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 224, 224, 3), dtype=torch.uint8, generator=generator)


ARCHITECTURES = list(BACKBONES)
TRAINED = "efficientnet_lite0 trained"


@pytest.fixture(scope="module", params=[*ARCHITECTURES, TRAINED])
def backbone(request):
    """Random weights with batch norms as uneven as trained ones, or real weights from a package."""
    if request.param == TRAINED:
        return load_backbone("efficientnet_lite0")
    backbone = load_backbone(request.param, "random:1")
    generator = torch.Generator().manual_seed(2)
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            channels = (module.num_features,)
            module.weight.data = torch.empty(channels).uniform_(0.5, 1.5, generator=generator)
            module.bias.data = torch.empty(channels).normal_(0, 0.3, generator=generator)
            module.running_mean = torch.empty(channels).normal_(0, 0.3, generator=generator)
            module.running_var = torch.empty(channels).uniform_(0.3, 3, generator=generator)
    return backbone


each_architecture = pytest.mark.parametrize("backbone", ARCHITECTURES, indirect=True, scope="module")


@pytest.fixture(scope="module")
def extractor(backbone):
    return MultiScaleExtractor(backbone)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_equals_the_reference(backbone, extractor, count):
    pixels = some_pixels(count)
    embedding = extractor(pixels)
    assert embedding.dtype == torch.float32
    assert embedding.shape == (count, backbone.dimension)
    assert relative_error(embedding, multiscale_embedding(backbone, pixels)) < TOLERANCE


@pytest.mark.parametrize("level", [0, 255])
def test_equals_the_reference_on_flat_pictures(backbone, extractor, level):
    # Here the border of zeros, which the mean must not leak into, is all that has a shape.
    pixels = torch.full((1, 224, 224, 3), level, dtype=torch.uint8)
    assert relative_error(extractor(pixels), multiscale_embedding(backbone, pixels)) < TOLERANCE


def test_no_pictures(backbone, extractor):
    assert extractor(some_pixels(0)).shape == (0, backbone.dimension)
    assert [tuple(layer.shape) for layer in extractor.with_layers(some_pixels(0))[1]] == [
        (0, c) for c in backbone.channels
    ]


def test_a_vector_does_not_depend_on_its_batch(extractor):
    pixels = some_pixels(3)
    # The convolution may pick another algorithm for another batch size.
    assert relative_error(extractor(pixels)[1:2], extractor(pixels[1:2])) < TOLERANCE


def test_strided_pixels(extractor):
    pixels = some_pixels(2).flip(0).transpose(1, 2)
    assert torch.equal(extractor(pixels), extractor(pixels.contiguous()))


def test_layers(backbone, extractor):
    pixels = some_pixels(2)
    vectors, layers = extractor.with_layers(pixels)
    assert torch.equal(vectors, extractor(pixels))
    assert tuple(layer.shape[1] for layer in layers) == backbone.channels
    stacked = [layer[:, :, None, None] for layer in layers]
    # The pooled values were rounded to float32 in between.
    torch.testing.assert_close(
        reference.multiscale_pool(stacked, backbone.dimension), extractor(pixels), rtol=1e-6, atol=1e-6
    )


def test_the_backbone_stays_as_it_is(backbone):
    before = copy.deepcopy(backbone.state_dict())
    extractor = MultiScaleExtractor(backbone)
    after = backbone.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in extractor.modules())
    assert not any(parameter.requires_grad for parameter in extractor.parameters())


@pytest.mark.parametrize(
    ("pixels", "rule"),
    [
        (torch.zeros(1, 224, 224, 3), r"uint8 \(got torch.float32\)"),
        (torch.zeros(224, 224, 3, dtype=torch.uint8), r"\(N, 224, 224, 3\) \(got \[224, 224, 3\]\)"),
        (torch.zeros(1, 3, 224, 224, dtype=torch.uint8), r"\(N, 224, 224, 3\) \(got \[1, 3, 224, 224\]\)"),
        (torch.zeros(1, 256, 224, 3, dtype=torch.uint8), r"\(N, 224, 224, 3\) \(got \[1, 256, 224, 3\]\)"),
    ],
)
def test_wrong_pixels(extractor, pixels, rule):
    with pytest.raises(ValueError, match="extractor: pixels must be " + rule):
        extractor(pixels)
    with pytest.raises(ValueError, match="extractor: pixels must be " + rule):
        extractor.with_layers(pixels)


@each_architecture
def test_torchscript(extractor):
    pixels = some_pixels(2)
    scripted = script(extractor)
    # The same operations: the same bits.
    assert torch.equal(scripted(pixels), extractor(pixels))
    for layer, expected in zip(scripted.with_layers(pixels)[1], extractor.with_layers(pixels)[1], strict=True):
        assert torch.equal(layer, expected)
    with pytest.raises(torch.jit.Error, match="pixels must be"):
        scripted(pixels.float())


@each_architecture
def test_compile_captures_one_graph(extractor):
    # aot_eager proves that the whole module is one graph, in seconds and without a C++ compiler, and runs the
    # eager kernels: the same bits.
    torch.compiler.reset()
    compiled = torch.compile(extractor, fullgraph=True, backend="aot_eager")
    pixels = some_pixels(2)
    assert torch.equal(compiled(pixels), extractor(pixels))


@each_architecture
def test_export(extractor):
    batch = torch.export.Dim("batch")
    program = torch.export.export(extractor, (some_pixels(2),), dynamic_shapes=({0: batch},))
    assert any("imgsim.multiscale_pool" in str(node.target) for node in program.graph.nodes)
    for count in (1, 2, 7):
        pixels = some_pixels(count)
        assert torch.equal(program.module()(pixels), extractor(pixels))


@pytest.mark.parametrize("name", BACKBONES)
def test_fingerprints(name):
    first, again, other = (build_extractor(name, f"random:{seed}").fingerprint for seed in (0, 0, 1))
    assert first == again != other
    assert str(first).startswith(f"{name}-")
    assert str(first).endswith("-fp32-p1")


def test_installed_weights_have_one_fingerprint():
    # A change here makes every stored vector of this backbone incomparable with new ones.
    assert str(build_extractor("efficientnet_lite0").fingerprint) == "efficientnet_lite0-f8f1d3134915-fp32-p1"
