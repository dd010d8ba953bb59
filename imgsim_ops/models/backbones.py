"""The networks whose feature maps become an embedding, as plain modules with four taps.

A backbone is the network as it was trained: batch norms in place, normalised float input. The extractor turns
it into something faster; ``imgsim_ops.torch_ops.reference`` uses it as it is.
"""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import nn

from imgsim_ops.errors import ImgsimError
from imgsim_ops.models.plans import LITE0_STAGES, PLANS

_RESNET18, _LITE0 = PLANS["resnet18"], PLANS["efficientnet_lite0"]


class Backbone(nn.Module, ABC):
    """A network from normalised images, float (N, 3, 224, 224), to four feature maps (N, C_i, H_i, W_i).

    Attributes:
        name: The backbone's name in commands and fingerprints.
        mean: What to subtract from each of R, G and B, on the scale of 0 to 1.
        std: What to divide each by afterwards.
        channels: C_i of the four taps. Each divides the last, which is the width of the embedding.
    """

    name: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: tuple[int, int, int, int]

    # torch.jit.script compiles properties, but knows no class attributes.
    __jit_unused_properties__ = ("dimension",)

    @property
    def dimension(self) -> int:
        """Values in the embedding."""
        return self.channels[-1]

    @abstractmethod
    def first_convolution(self) -> nn.Conv2d:
        """The one convolution that reads the image: the division by ``std`` can move into its weights."""

    @abstractmethod
    def replace_first_convolution(self, module: nn.Module) -> None:
        """Puts another module in its place."""


class ResNet18(Backbone):
    """torchvision's ResNet-18 with a tap after each of its four layers (He et al. 2015, arXiv:1512.03385)."""

    name = "resnet18"
    mean, std, channels = _RESNET18.mean, _RESNET18.std, _RESNET18.channels

    def __init__(self) -> None:
        super().__init__()
        # Here, since a machine that only uses the other backbone needs no 1.4 s import of torchvision.
        from torchvision.models import resnet18

        network = resnet18(weights=None)
        self.conv1 = network.conv1
        self.bn1 = network.bn1
        self.relu = network.relu
        self.maxpool = network.maxpool
        self.layer1 = network.layer1
        self.layer2 = network.layer2
        self.layer3 = network.layer3
        self.layer4 = network.layer4

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Maps of 64 x 56 x 56, 128 x 28 x 28, 256 x 14 x 14 and 512 x 7 x 7."""
        stem = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        tap1 = self.layer1(stem)
        tap2 = self.layer2(tap1)
        tap3 = self.layer3(tap2)
        tap4 = self.layer4(tap3)
        return [tap1, tap2, tap3, tap4]

    def first_convolution(self) -> nn.Conv2d:
        """See ``Backbone``."""
        return self.conv1

    def replace_first_convolution(self, module: nn.Module) -> None:
        """See ``Backbone``."""
        self.conv1 = module


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0: EfficientNet-B0 with ReLU6 for swish and without squeeze-and-excitation.

    Tan and Le 2019, arXiv:1905.11946. Taps: after the stages with 40, 80 and 320 channels, and after the
    head. The other stages' channels do not divide the width.
    """

    name = "efficientnet_lite0"
    mean, std, channels = _LITE0.mean, _LITE0.std, _LITE0.channels

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = _Conv2dSame(3, 32, kernel=3, stride=2)
        self.bn0 = _batch_norm(32)
        self.blocks = nn.ModuleList()
        inputs = 32
        for count, kernel, stride, expansion, outputs in LITE0_STAGES:
            for position in range(count):
                block_stride = stride if position == 0 else 1
                self.blocks.append(_InvertedResidual(inputs, outputs, kernel, block_stride, expansion))
                inputs = outputs
        self.conv_head = nn.Conv2d(inputs, self.dimension, 1, bias=False)
        self.bn1 = _batch_norm(self.dimension)
        self.relu = nn.ReLU6(inplace=True)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # PyTorch's own initialisation would let the signal of random weights fade to nothing in 16
                # blocks.
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Maps of 40 x 28 x 28, 80 x 14 x 14, 320 x 7 x 7 and 1280 x 7 x 7."""
        taps: list[torch.Tensor] = []
        x = self.relu(self.bn0(self.conv_stem(images)))
        for index, block in enumerate(self.blocks):
            x = block(x)
            # The last blocks of the stages with 40, 80 and 320 channels.
            if index == 4 or index == 7 or index == 15:
                taps.append(x)
        taps.append(self.relu(self.bn1(self.conv_head(x))))
        return taps

    def first_convolution(self) -> nn.Conv2d:
        """See ``Backbone``."""
        return self.conv_stem

    def replace_first_convolution(self, module: nn.Module) -> None:
        """See ``Backbone``."""
        self.conv_stem = module


class _Conv2dSame(nn.Conv2d):
    """A convolution of an even-sized image with stride 2 and TensorFlow's padding.

    Which puts the odd one of the k - 2 zeros that are needed at the bottom and right.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)
        before, after = (kernel - 2) // 2, (kernel - 1) // 2
        self.zeros = [before, after, before, after]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(F.pad(x, self.zeros), self.weight, self.bias, self.stride, groups=self.groups)


class _InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, projection; added to its input where the shapes agree.

    Sandler et al. 2018, arXiv:1801.04381. Module names follow the checkpoint's, less the underscores.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expands = expansion != 1
        self.adds_input = stride == 1 and inputs == outputs
        self.expand_conv = nn.Conv2d(inputs, hidden, 1, bias=False) if self.expands else nn.Identity()
        self.bn0 = _batch_norm(hidden) if self.expands else nn.Identity()
        if stride == 1:
            self.depthwise_conv = nn.Conv2d(hidden, hidden, kernel, padding=kernel // 2, groups=hidden, bias=False)
        else:
            self.depthwise_conv = _Conv2dSame(hidden, hidden, kernel, stride, groups=hidden)
        self.bn1 = _batch_norm(hidden)
        self.project_conv = nn.Conv2d(hidden, outputs, 1, bias=False)
        self.bn2 = _batch_norm(outputs)
        self.relu = nn.ReLU6(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.relu(self.bn0(self.expand_conv(x))) if self.expands else x
        hidden = self.relu(self.bn1(self.depthwise_conv(hidden)))
        projected = self.bn2(self.project_conv(hidden))
        return x + projected if self.adds_input else projected


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_LITE0.epsilon)


BACKBONES: dict[str, type[Backbone]] = {cls.name: cls for cls in (ResNet18, EfficientNetLite0)}


def create_backbone(name: str) -> Backbone:
    """The backbone called ``name``, randomly initialised, in eval mode.

    Raises:
        ImgsimError: No backbone has that name.
    """
    if name not in BACKBONES:
        raise ImgsimError(f"backbone: must be one of {', '.join(BACKBONES)} (got {name!r})")
    return BACKBONES[name]().eval()
