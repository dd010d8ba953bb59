"""Candidates without any network, for what goes on around them."""

import numpy as np

from imgsim_ops.evaluation.zoo.candidates import Facts, Loaded, Runtime
from imgsim_ops.evaluation.zoo.files import WeightFiles
from imgsim_ops.evaluation.zoo.measure import MeasuringOptions, Row

FACTS = Facts(dimension=3, gflops=1.5, parameters=10, acc1=70.0, acc5=90.0, picture="as it is")


def settings(weights="none", **options):
    return MeasuringOptions(WeightFiles(weights), Runtime(), **{"repeats": 3, "warmup": 1, **options})


def row(name, gflops=1.5, milliseconds=2.0, cosines=None, **more):
    """A row that was measured, unless `more` says otherwise."""
    facts = Facts(3, gflops, 10_000_000, 70.0, 90.0, "as it is")
    return Row(
        name,
        "IMAGENET1K_V1",
        facts,
        milliseconds / 1e3,
        1e-5,
        None if cosines is None else np.array(cosines, np.float64),
        **{"no_weights": cosines is None, **more},
    )


class MeanColour:
    """A candidate whose embedding is the mean colour."""

    label, weights, gflops = "mean", "V1", FACTS.gflops

    def __init__(self, trained=True, error=None):
        self.trained, self.error, self.calls = trained, error, 0

    def facts(self):
        return FACTS

    def prepare(self, pixels):
        return pixels[np.newaxis]

    def load(self, files, place):
        if self.error is not None:
            raise self.error
        return Loaded(self.embed, self.trained, "a note")

    def embed(self, picture):
        self.calls += 1
        return picture.mean(axis=(1, 2))[0].astype(np.float32)
