"""Runs an exported model with ONNX Runtime, Pillow and NumPy alone: copy it into a program that has no imgsim.

python docs/run_anywhere.py resnet18_multiscale.onnx a.jpg
"""

import os
import sys

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else it writes into the user's cache, and asks for a host
import onnxruntime
from PIL import Image


def read(path: str) -> np.ndarray:
    """Pixels as the model takes them: shorter side 256, the centre 224 x 224 of it, uint8 RGB."""
    image = Image.open(path).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([max(256, int(side * scale)) for side in image.size], Image.Resampling.BILINEAR)
    left, top = (round((side - 224) / 2) for side in image.size)
    return np.asarray(image.crop((left, top, left + 224, top + 224)))


model, *pictures = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
(embeddings,) = session.run(None, {"pixels": np.stack([read(path) for path in pictures])})
print(*embeddings.shape, "values, the first:", *embeddings[0, :4].round(4))
