"""All methods on one data set: trained where they must be, judged, and what each of them came to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from imgsim_ops.errors import ImgsimError, WeightsError, nearest
from imgsim_ops.evaluation.judging import Judgement, Method, check_classes, judge
from imgsim_ops.evaluation.labelled import LabelledPictures
from imgsim_ops.evaluation.machine import Place
from imgsim_ops.files.names import printable

#: What is compared, by the names that ``--methods`` takes.
METHODS = {
    "triplet": "Siamese network, triplet loss",
    "contrastive": "Siamese network, contrastive loss",
    "autoencoder": "autoencoder",
    "classical": "local features, histograms and SSIM",
    "clip": "CLIP image embedding",
    "clip-text": "CLIP image and text embedding",
    "imgsim:resnet18": "multi-scale embedding, resnet18",
    "imgsim:efficientnet_lite0": "multi-scale embedding, efficientnet_lite0",
    "pixels": "small pictures as they are, to hold the others against",
}
#: Those that are trained on the seen classes.
TRAINED = ("triplet", "contrastive", "autoencoder")

#: Called with what is going on, how much of it is done, and of how much.
Stages = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ComparisonOptions:
    """How methods are compared.

    Attributes:
        k: How many of the nearest pictures must all show the query's class.
        seed: What draws and trainings depend on.
        queries: How many pictures a method that looks at pairs searches at the most.
        runs: The folder where the runs of trained methods are looked for, and made.
        epochs: How long is trained at the most; None: as long as training says.
        place: Where networks are trained and CLIP runs. What runs in ONNX Runtime takes the threads only.
        clip_model: As in ``clip.load_clip``; None: its default.
        clip_weights: Likewise.
    """

    k: int = 5
    seed: int = 0
    queries: int = 500
    runs: Path = Path("runs")
    epochs: int | None = None
    place: Place = field(default_factory=Place)
    clip_model: str | None = None
    clip_weights: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a method came to.

    Attributes:
        method: A key of `METHODS`.
        judgement: How it did; None where it could not run.
        made_by: See ``judging.Method``, likewise the next two.
        distance: See there.
        dimension: See there.
        missing: In two words why there is no judgement.
        note: What a reader must know; where there is no judgement, why.
        advice: What can be done about it.
    """

    method: str
    judgement: Judgement | None = None
    made_by: str = ""
    distance: str = ""
    dimension: int | None = None
    missing: str = ""
    note: str = ""
    advice: str = ""


def check_methods(names: Sequence[str]) -> list[str]:
    """The methods meant, each once, in the order of `METHODS`; no names mean all.

    Raises:
        ImgsimError: There is no such method.
    """
    for name in names:
        if name not in METHODS:
            rule = f"must be one of {', '.join(METHODS)}"
            raise ImgsimError(f"methods: {rule} (got {name!r}){nearest(name, METHODS)}")
    return [name for name in METHODS if name in names or not names]


def compare(
    names: Sequence[str],
    seen: LabelledPictures,
    unseen: LabelledPictures,
    options: ComparisonOptions,
    *,
    stages: Stages = lambda *_: None,
    announce: Callable[[str], None] = lambda line: None,
) -> Iterator[Outcome]:
    """Judges methods by the same pictures, one after the other.

    A method that cannot run has an outcome that says why, and the next one goes on.

    Args:
        names: Keys of `METHODS`.
        seen: The pictures that may be trained on.
        unseen: The pictures that they are judged by; no class has pictures in both.
        options: How.
        stages: Called as the work goes on.
        announce: Called with one line when something takes long.

    Yields:
        An outcome for each name, in this order.

    Raises:
        ImgsimError: A class is in both parts or has too few pictures, before anything is yielded.
    """
    shared = set(seen.present) & set(unseen.present)
    if shared:
        raise ImgsimError(f"methods: no unseen class may be among the seen ones (got {', '.join(sorted(shared))})")
    check_classes(unseen, options.k)
    makers = _Makers(seen, unseen, options, stages, announce)
    for name in names:
        yield _outcome(name, makers, unseen, options, stages)


def _outcome(
    name: str, makers: _Makers, unseen: LabelledPictures, options: ComparisonOptions, stages: Stages
) -> Outcome:
    try:
        stages(f"{name}: loading", 0, 0)
        method = makers.make(name)
        judgement = judge(
            method,
            unseen,
            options.k,
            most_queries=options.queries if method.by_pairs else None,
            seed=options.seed,
            progress=lambda what, done, total: stages(f"{name}: {what}", done, total),
        )
    except ImgsimError as error:
        # Errors that know a way out have it after the rule and what was got.
        note, end, advice = str(error).partition("); ")
        missing = "no weights" if isinstance(error, WeightsError) else "not run"
        return Outcome(name, missing=missing, note=note + end[:1], advice=advice)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "out of memory" not in str(error):
            raise
        return Outcome(name, missing="no memory", note=f"methods: there must be memory for {name} (got too little)")
    return Outcome(name, judgement, method.made_by, method.distance, method.dimension, note=method.meaningless)


@dataclass
class _Makers:
    """Makes methods by name; CLIP, which two of them use, once."""

    seen: LabelledPictures
    unseen: LabelledPictures
    options: ComparisonOptions
    stages: Stages
    announce: Callable[[str], None]
    _clip: Any = field(default=None, init=False)

    def make(self, name: str) -> Method:
        if name in TRAINED:
            return self._trained(name)
        if name == "classical":
            from imgsim_ops.evaluation.methods.classical import Classical

            return Classical()
        if name.startswith("clip"):
            return self._by_clip(name)
        from imgsim_ops.evaluation.methods.embedding import MultiScale, Pixels

        if name == "pixels":
            return Pixels()
        return MultiScale(name.partition(":")[2], self.options.place.threads, self.announce)

    def _by_clip(self, name: str) -> Method:
        from imgsim_ops.evaluation.methods import clip

        if self._clip is None:
            model, weights = self.options.clip_model or clip.MODEL, self.options.clip_weights or clip.WEIGHTS
            try:
                self._clip = clip.load_clip(model, weights, self.options.place.device)
            except ImgsimError as error:
                self._clip = error  # for the other one: it need not wait for a network once more
        if isinstance(self._clip, ImgsimError):
            raise self._clip
        return clip.ClipImage(self._clip) if name == "clip" else clip.ClipImageText(self._clip, self.seen.present)

    def _trained(self, kind: str) -> Method:
        from imgsim_ops.evaluation.methods.embedding import TrainedEncoder
        from imgsim_ops.evaluation.training import training
        from imgsim_ops.evaluation.training.options import TrainingOptions
        from imgsim_ops.evaluation.training.run_folder import MODEL

        folder = self.options.runs / kind
        model = folder / MODEL
        if not model.is_file():
            self.announce(f"Training {kind}, once: {printable(folder)}")
            asked = TrainingOptions(seed=self.options.seed)
            if self.options.epochs is not None:
                asked = replace(asked, epochs=self.options.epochs)
            found = training.train(
                kind,
                self.seen,
                folder,
                asked,
                resume=True,  # it may have been stopped
                place=self.options.place,
                progress=lambda what, done, total: self.stages(f"{kind}: {what[0].lower()}{what[1:]}", done, total),
            )
            if found.interrupted:
                raise KeyboardInterrupt
        self._check_run(folder)
        return TrainedEncoder(model, self.options.place.threads)

    def _check_run(self, folder: Path) -> None:
        """Nothing may be judged by pictures of a class that it was trained on.

        Raises:
            ImgsimError: The run in the folder was trained on an unseen class or other data, or does not say on what.
        """
        from imgsim_ops.evaluation.training.run_folder import read_settings

        where = printable(folder)
        found = read_settings(folder) or {}
        data, classes = found.get("data"), found.get("classes")
        if not isinstance(data, str) or not isinstance(classes, dict):
            raise ImgsimError(f"methods: a run must say what it was trained on (got {where}, which does not)")
        if data != self.unseen.name:
            rule = f"a run must be trained on {self.unseen.name}"
            raise ImgsimError(f"methods: {rule} (got {where}, trained on {data}); name another folder with --runs")
        known = sorted(set(classes) & set(self.unseen.present))
        if known:
            got = f"{where}, trained on {', '.join(known)}"
            raise ImgsimError(f"methods: a run must know no unseen class (got {got}); name another folder with --runs")
