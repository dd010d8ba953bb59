"""``imgsim compare``: how alike two pictures are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from imgsim_ops.cli.console import (
    BackboneOption,
    ExactOption,
    JsonOption,
    PrecisionOption,
    ThreadsOption,
    WeightsOption,
    output,
    print_json,
    waiting,
)
from imgsim_ops.errors import ImgsimError

if TYPE_CHECKING:
    from imgsim_ops.embedding.embedder import Similarity

# What the four taps of a backbone see, from the finest to the coarsest.
_SCALES = (
    ("texture", "edges, colours, grain"),
    ("pattern", "repeats and surfaces"),
    ("parts", "pieces of things"),
    ("subject", "what is shown"),
)

# The least score for each word, where it was measured with real weights. efficientnet_lite0, on 19
# photographs of scikit-image and scikit-learn: 95 % of the pairs of unrelated ones score below 0.53, the
# nearest 0.755 (grass and gravel); of copies cropped to 80 %, mirrored, turned by 5 degrees or
# recompressed at quality 50 half score above 0.97.
_WORDS = {
    "efficientnet_lite0": (
        (0.9995, "the same picture"),
        (0.93, "a copy, or nearly"),
        (0.78, "much alike"),
        (0.55, "somewhat alike"),
        (-1.0, "different"),
    ),
}


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A picture.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another picture.")],
    layers: Annotated[
        bool, typer.Option("--layers", "-l", help="Also show the similarity at each of the four scales.")
    ] = False,
    backbone: BackboneOption = "resnet18",
    weights: WeightsOption = None,
    engine: Annotated[str, typer.Option("--engine", metavar="NAME", help="onnx, torch or torchscript.")] = "onnx",
    precision: PrecisionOption = "auto",
    exact: ExactOption = False,
    threads: ThreadsOption = 0,
    as_json: JsonOption = False,
) -> None:
    """How alike two pictures are: a score up to 1, the same picture.

    [bold]Examples[/bold]

    [cyan]imgsim compare a.jpg b.jpg[/cyan]

    [cyan]imgsim compare a.jpg b.jpg --layers[/cyan]   is it the texture that matches, or the subject?

    [cyan]imgsim compare a.jpg b.jpg --backbone efficientnet_lite0 --json[/cyan]
    """
    import numpy as np

    from imgsim_ops.images.preprocess import load_pixels

    # Before the model, which takes seconds: a wrong name is told at once.
    pixels = np.stack([load_pixels(path, exact=exact) for path in (a, b)])
    with waiting(f"Loading {backbone}"):
        from imgsim_ops.embedding.embedder import Embedder

        embedder = Embedder(backbone, engine, precision, weights, threads, exact=exact)
        similarity = embedder.compare_pixels(pixels)
    if layers and not similarity.layers:
        raise ImgsimError(f"compare: --layers needs a model with its layers (got {backbone}, which has one scale)")
    word = None if weights is not None else word_for(backbone, similarity.score)
    if as_json:
        print_json(_document(a, b, str(embedder.fingerprint), similarity, word))
    else:
        _print(similarity, word, layers)


def word_for(backbone: str, score: float) -> str | None:
    """A word for a score; None for a backbone whose scores have not been measured on real weights."""
    return next((word for least, word in _WORDS.get(backbone, ()) if score >= least), None)


def _document(a: str, b: str, fingerprint: str, similarity: Similarity, word: str | None) -> dict:
    return {
        "a": a,
        "b": b,
        "fingerprint": fingerprint,
        "score": similarity.score,
        "word": word,
        "layers": {name: value for (name, _), value in zip(_SCALES, similarity.layers, strict=False)},
    }


def _print(similarity: Similarity, word: str | None, layers: bool) -> None:
    typer.echo(f"{typer.style(f'{similarity.score:.4f}', bold=True)}  {word or '(1 is the same picture)'}")
    if layers:
        _print_layers(similarity)


def _print_layers(similarity: Similarity) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table("scale", "similarity", "", "what it sees", box=SIMPLE_HEAD, pad_edge=False)
    table.columns[1].justify = "right"
    for (name, sight), value in zip(_SCALES, similarity.layers, strict=True):
        table.add_row(name, f"{value:.4f}", f"[blue]{_bar(value)}[/blue]", f"[dim]{sight}[/dim]")
    output().print(table)


def _bar(value: float, width: int = 24) -> str:
    eighths = round(min(max(value, 0.0), 1.0) * width * 8)
    return "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]
