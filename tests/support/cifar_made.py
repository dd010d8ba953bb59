"""A small data set in the format of CIFAR-100, and torchvision's loader made to take it for the real one."""

import hashlib
import pickle

import numpy as np


def write_cifar100(root, monkeypatch, classes=4, pictures=6):
    """Writes `pictures` of each class for training and half as many for testing; returns all pixels and labels."""
    from torchvision.datasets import CIFAR100

    folder = root / CIFAR100.base_folder
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    names = [f"class_{label}" for label in range(classes)]
    parts = {}
    for part, count in (("train", pictures), ("test", pictures // 2)):
        pixels = random.integers(0, 256, (classes * count, 3, 32, 32), dtype=np.uint8)
        labels = list(range(classes)) * count
        parts[part] = pixels, labels
        content = {"data": pixels.reshape(len(labels), -1), "fine_labels": labels, "coarse_labels": [0] * len(labels)}
        (folder / part).write_bytes(pickle.dumps(content))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": names, "coarse_label_names": ["all"]}))
    sums = {file: hashlib.md5((folder / file).read_bytes()).hexdigest() for file in ("train", "test", "meta")}
    monkeypatch.setattr(CIFAR100, "train_list", [["train", sums["train"]]])
    monkeypatch.setattr(CIFAR100, "test_list", [["test", sums["test"]]])
    monkeypatch.setattr(CIFAR100, "meta", {**CIFAR100.meta, "md5": sums["meta"]})
    pixels = np.concatenate([pixels for pixels, _ in parts.values()]).transpose(0, 2, 3, 1)
    return pixels, [label for _, labels in parts.values() for label in labels]
