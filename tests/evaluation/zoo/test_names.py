import pytest

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.zoo.names import DEFAULT, find_candidates
from imgsim_ops.evaluation.zoo.torchvision_models import classification_names


def labels(*names):
    return [candidate.label for candidate in find_candidates(names)]


def test_names_and_versions():
    assert labels("resnet18") == ["resnet18"]
    assert labels("ResNet18", " alexnet , vgg11 ", "") == ["resnet18", "alexnet", "vgg11"]
    assert labels("resnet50", "resnet50:v1", "vit_b_16:SWAG_LINEAR_V1") == [
        "resnet50:V2",
        "resnet50:V1",
        "vit_b_16:SWAG_LINEAR_V1",
    ]
    assert labels("imgsim:resnet18,imgsim:efficientnet_lite0") == ["imgsim:resnet18", "imgsim:efficientnet_lite0"]


def test_each_once():
    assert labels("resnet50,resnet50:V2", "resnet50:IMAGENET1K_V2", "resnet18,resnet18") == ["resnet50:V2", "resnet18"]


def test_many():
    default = labels()
    assert len(default) == len(DEFAULT)
    assert labels("default,imgsim:resnet18") == [*default, "imgsim:resnet18"]
    assert [label.partition(":")[0] for label in labels("all")] == classification_names()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("resnet19", "did you mean resnet18"),
        ("efficient_b0", "efficientnet_b0"),
        ("imgsim:resnet50", "imgsim:resnet18"),
        ("fasterrcnn_resnet50_fpn", "(got 'fasterrcnn_resnet50_fpn')"),
        ("a\nb", r"(got 'a\nb')"),
    ],
)
def test_models_that_are_not_there(name, nearest):
    with pytest.raises(ImgsimError, match="zoo: --models must be") as error:
        find_candidates([name])
    assert nearest in str(error.value)


def test_versions_that_are_not_there():
    with pytest.raises(ImgsimError, match=r"weights of resnet50 must be IMAGENET1K_V1 or IMAGENET1K_V2 \(got 'v3'\)"):
        find_candidates(["resnet50:V3"])
