"""What the backbones are made of, as values: what a program without PyTorch builds them from."""

from __future__ import annotations

from dataclasses import dataclass

# (blocks, kernel, stride of the first block, expansion, channels out), from TensorFlow's
# efficientnet_lite_builder.py.
LITE0_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class Convolution:
    """A convolution without a bias and the batch norm behind it.

    Attributes:
        name: Of its weights in a state dict, less ``.weight``.
        norm: Of the batch norm's values there.
        shape: Of the weights: outputs, inputs of a group, height, width.
        stride: In both directions.
        groups: Of channels.
        zeros: How many are put before and after each row and column.
    """

    name: str
    norm: str
    shape: tuple[int, int, int, int]
    stride: int
    groups: int
    zeros: tuple[int, int]


@dataclass(frozen=True)
class Step:
    """One value that is computed from others.

    Attributes:
        kind: ``Conv``, ``Add``, ``Relu``, ``Clip`` (to 0 to 6) or ``MaxPool`` (3 x 3, stride 2, one zero around).
        inputs: Names of values; the images' is ``images``.
        output: The name of the result.
        convolution: Of a ``Conv``.
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    convolution: Convolution | None = None


@dataclass(frozen=True)
class Plan:
    """A backbone.

    Attributes:
        mean: What is subtracted from each of R, G and B, on the scale of 0 to 1.
        std: What each is divided by afterwards.
        channels: Of the four taps.
        epsilon: Of the batch norms.
        steps: In order.
        taps: The names of the four values that are tapped.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: tuple[int, int, int, int]
    epsilon: float
    steps: tuple[Step, ...]
    taps: tuple[str, ...]

    def convolutions(self) -> list[Convolution]:
        """All, in order; the first one reads the images."""
        return [step.convolution for step in self.steps if step.convolution is not None]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The values of a state dict that the answer depends on, by name."""
        shapes: dict[str, tuple[int, ...]] = {}
        for convolution in self.convolutions():
            shapes[f"{convolution.name}.weight"] = convolution.shape
            for part in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{convolution.norm}.{part}"] = convolution.shape[:1]
        return shapes


class _Steps(list[Step]):
    def convolution(self, x: str, names: tuple[str, str], size: tuple[int, int, int, int, int], same: bool) -> str:
        """Adds one; `size` is inputs, outputs, kernel, stride, groups; `same` as of ``backbones._Conv2dSame``."""
        inputs, outputs, kernel, stride, groups = size
        zeros = ((kernel - 2) // 2, (kernel - 1) // 2) if same else (kernel // 2, kernel // 2)
        shape = outputs, inputs // groups, kernel, kernel
        return self.add("Conv", names[0], x, convolution=Convolution(*names, shape, stride, groups, zeros))

    def add(self, kind: str, output: str, *inputs: str, convolution: Convolution | None = None) -> str:
        self.append(Step(kind, inputs, output, convolution))
        return output


def _resnet18() -> Plan:
    steps = _Steps()
    x = steps.convolution("images", ("conv1", "bn1"), (3, 64, 7, 2, 1), False)
    x = steps.add("MaxPool", "maxpool", steps.add("Relu", "relu", x))
    taps = []
    channels = (64, 128, 256, 512)
    inputs = 64
    for layer, outputs in enumerate(channels, 1):
        for block in (0, 1):
            name = f"layer{layer}.{block}"
            stride = 2 if layer > 1 and block == 0 else 1
            y = steps.convolution(x, (f"{name}.conv1", f"{name}.bn1"), (inputs, outputs, 3, stride, 1), False)
            y = steps.add("Relu", f"{name}.relu1", y)
            y = steps.convolution(y, (f"{name}.conv2", f"{name}.bn2"), (outputs, outputs, 3, 1, 1), False)
            if stride == 2:
                names = f"{name}.downsample.0", f"{name}.downsample.1"
                x = steps.convolution(x, names, (inputs, outputs, 1, 2, 1), False)
            x = steps.add("Relu", f"{name}.relu2", steps.add("Add", f"{name}.sum", y, x))
            inputs = outputs
        taps.append(x)
    # ImageNet's mean and deviation, as in torchvision's ResNet18_Weights.IMAGENET1K_V1.transforms().
    return Plan((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), channels, 1e-5, tuple(steps), tuple(taps))


def _efficientnet_lite0() -> Plan:
    steps = _Steps()
    channels = (40, 80, 320, 1280)
    x = steps.add("Clip", "stem", steps.convolution("images", ("conv_stem", "bn0"), (3, 32, 3, 2, 1), True))
    taps = []
    inputs, index = 32, 0
    for count, kernel, first_stride, expansion, outputs in LITE0_STAGES:
        for position in range(count):
            name, stride, hidden, y = f"blocks.{index}", 1 if position else first_stride, inputs * expansion, x
            if expansion != 1:
                y = steps.convolution(y, (f"{name}.expand_conv", f"{name}.bn0"), (inputs, hidden, 1, 1, 1), False)
                y = steps.add("Clip", f"{name}.relu0", y)
            names = f"{name}.depthwise_conv", f"{name}.bn1"
            y = steps.convolution(y, names, (hidden, hidden, kernel, stride, hidden), stride == 2)
            y = steps.add("Clip", f"{name}.relu1", y)
            y = steps.convolution(y, (f"{name}.project_conv", f"{name}.bn2"), (hidden, outputs, 1, 1, 1), False)
            x = steps.add("Add", f"{name}.sum", x, y) if stride == 1 and inputs == outputs else y
            inputs, index = outputs, index + 1
        if outputs in channels:
            taps.append(x)
    x = steps.convolution(x, ("conv_head", "bn1"), (inputs, channels[-1], 1, 1, 1), False)
    taps.append(steps.add("Clip", "head", x))
    # (pixel - 127) / 128: MEAN_RGB and STDDEV_RGB of the same file, which trained the checkpoint. With ImageNet's mean
    # and deviation the same checkpoint is less sure of what it sees. The epsilon is TensorFlow's.
    return Plan((127 / 255,) * 3, (128 / 255,) * 3, channels, 1e-3, tuple(steps), tuple(taps))


PLANS = {"resnet18": _resnet18(), "efficientnet_lite0": _efficientnet_lite0()}
