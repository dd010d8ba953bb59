import pytest
import torch
import torchvision
from efficientnet_lite_pytorch import EfficientNet

from imgsim_ops.errors import ImgsimError
from imgsim_ops.models.backbones import BACKBONES, create_backbone
from imgsim_ops.models.locations import default_weights
from imgsim_ops.models.weights import load_backbone


def test_unknown_name():
    with pytest.raises(ImgsimError, match="backbone: must be one of resnet18, efficientnet_lite0"):
        create_backbone("resnet19")


@pytest.mark.parametrize("name", BACKBONES)
def test_taps(name):
    backbone = create_backbone(name)
    with torch.no_grad():
        taps = backbone(torch.zeros(1, 3, 224, 224))
    assert tuple(tap.shape[1] for tap in taps) == backbone.channels
    assert all(backbone.dimension % channels == 0 for channels in backbone.channels)


@torch.no_grad()
def test_resnet18_has_torchvisions_features():
    theirs = torchvision.models.resnet18(weights=None).eval()
    ours = create_backbone("resnet18")
    ours.load_state_dict({key: value for key, value in theirs.state_dict().items() if not key.startswith("fc.")})
    maps = []
    for layer in (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4):
        layer.register_forward_hook(lambda module, inputs, output: maps.append(output.clone()))
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    theirs(images)
    for tap, expected in zip(ours(images), maps, strict=True):
        # The same operations in the same order.
        assert torch.equal(tap, expected)


def test_resnet18_normalises_as_torchvision():
    preset = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    assert tuple(preset.mean) == BACKBONES["resnet18"].mean
    assert tuple(preset.std) == BACKBONES["resnet18"].std


@torch.no_grad()
def test_efficientnet_lite0_has_its_authors_features():
    path = default_weights("efficientnet_lite0")
    theirs = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(path)).eval()
    blocks = {}
    for index in (4, 7, 15):
        theirs._blocks[index].register_forward_hook(
            lambda module, inputs, output, index=index: blocks.update({index: output.clone()})
        )
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    head = theirs.extract_features(images)
    ours = load_backbone("efficientnet_lite0")(images)
    for tap, expected in zip(ours, [blocks[4], blocks[7], blocks[15], head], strict=True):
        # The operations are theirs; a convolution may sum in another order after another kind of padding.
        torch.testing.assert_close(tap, expected, rtol=1e-4, atol=1e-4)
