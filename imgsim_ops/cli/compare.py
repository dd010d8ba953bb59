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
    from imgsim_ops.embedding.similarity import Similarity

# Places that differ that are printed; --json has them all.
_MOST_PLACES = 5


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A picture.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another picture.")],
    layers: Annotated[
        bool, typer.Option("--layers", "-l", help="Also show the similarity at each of the four scales.")
    ] = False,
    score_only: Annotated[
        bool, typer.Option("--score-only", help="Only the score, not what the pictures are to each other: quicker.")
    ] = False,
    backbone: BackboneOption = "resnet18",
    weights: WeightsOption = None,
    engine: Annotated[str, typer.Option("--engine", metavar="NAME", help="onnx, torch or torchscript.")] = "onnx",
    precision: PrecisionOption = "auto",
    exact: ExactOption = False,
    threads: ThreadsOption = 0,
    as_json: JsonOption = False,
) -> None:
    """How alike two pictures are, and what they are to each other: copy, part, edited, or only alike.

    The score goes up to 1, the same picture. What they are is seen in their pixels, laid over each other.

    [bold]Examples[/bold]

    [cyan]imgsim compare a.jpg b.jpg[/cyan]

    [cyan]imgsim compare a.jpg b.jpg --score-only[/cyan]

    [cyan]imgsim compare a.jpg b.jpg --layers[/cyan]   is it the texture that matches, or the subject?

    [cyan]imgsim compare a.jpg b.jpg --backbone efficientnet_lite0 --json[/cyan]
    """
    with waiting(f"Loading {backbone}"):
        from imgsim_ops.embedding.embedder import compare as compared
        from imgsim_ops.images.options import ReadOptions
        from imgsim_ops.models.spec import ModelSpec

        spec = ModelSpec(backbone, weights, precision)
        similarity = compared(a, b, spec, engine, read=ReadOptions(exact=exact), threads=threads, score_only=score_only)
    if layers and not similarity.layers:
        raise ImgsimError(f"compare: --layers needs a model with its layers (got {backbone}, which has one scale)")
    if as_json:
        print_json(_document(a, b, similarity))
    else:
        _print(similarity, layers)


def _document(a: str, b: str, similarity: Similarity) -> dict:
    from imgsim_ops.embedding.similarity import SCALES

    return {
        "a": a,
        "b": b,
        "fingerprint": similarity.fingerprint,
        "score": similarity.score,
        "word": similarity.word,
        **_relation(similarity),
        "layers": {name: value for (name, _), value in zip(SCALES, similarity.layers, strict=False)},
    }


def _relation(similarity: Similarity) -> dict:
    if similarity.relation is None:
        return {}
    return {
        "relation": similarity.relation,
        "differences": [{"here": list(here), "there": list(there)} for here, there in similarity.differences],
        "transform": None if similarity.transform is None else list(similarity.transform),
        "empty": list(similarity.empty),
    }


def _print(similarity: Similarity, layers: bool) -> None:
    words = similarity.sentence or similarity.word or "(1 is the same picture)"
    typer.echo(f"{typer.style(f'{similarity.score:.4f}', bold=True)}  {words}")
    for here, there in similarity.differences[:_MOST_PLACES]:
        typer.echo(f"        differs at {_box(here)} of the first, {_box(there)} of the second")
    if layers:
        _print_layers(similarity)


def _box(box: tuple[int, int, int, int]) -> str:
    x, y, width, height = box
    return f"{width} x {height} + {x} + {y}"


def _print_layers(similarity: Similarity) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from imgsim_ops.embedding.similarity import SCALES

    table = Table("scale", "similarity", "", "what it sees", box=SIMPLE_HEAD, pad_edge=False)
    table.columns[1].justify = "right"
    for (name, sight), value in zip(SCALES, similarity.layers, strict=True):
        table.add_row(name, f"{value:.4f}", f"[blue]{_bar(value)}[/blue]", f"[dim]{sight}[/dim]")
    output().print(table)


def _bar(value: float, width: int = 24) -> str:
    eighths = round(min(max(value, 0.0), 1.0) * width * 8)
    return "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]
