"""``imgsim embed``: pictures to a file of vectors."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsim_ops.cli.console import (
    INTERRUPTED,
    SOME_SKIPPED,
    BackboneOption,
    ExactOption,
    ExcludeOption,
    JsonOption,
    LateProgress,
    MaxMegapixelsOption,
    PathsArgument,
    PrecisionOption,
    ThreadsOption,
    TimeLimitOption,
    WeightsOption,
    found_files,
    output,
    print_json,
    print_skipped,
    read_options,
    skipped_as_json,
    waiting,
)
from imgsim_ops.images.memory import MAX_PIXELS

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.embedding.embedder import Embedder
    from imgsim_ops.embedding.vectors import EmbedReport


def embed(
    paths: PathsArgument,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The file to write, .npz or .parquet.")
    ] = Path("vectors.npz"),
    exclude: ExcludeOption = None,
    backbone: BackboneOption = "resnet18",
    weights: WeightsOption = None,
    precision: PrecisionOption = "auto",
    exact: ExactOption = False,
    threads: ThreadsOption = 0,
    max_megapixels: MaxMegapixelsOption = MAX_PIXELS / 1e6,
    time_limit: TimeLimitOption = 60,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what there is, and write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Turn pictures into vectors, and write them into one file.

    Hidden files are passed over. A file that cannot be read is skipped and listed with its
    reason; whatever is in it, the others get the same vectors. Ctrl-C keeps what is done.

    [bold]Examples[/bold]

    [cyan]imgsim embed photos/ -o vectors.npz[/cyan]

    [cyan]imgsim embed photos/ --exclude thumbs --exclude '*.gif' -o vectors.parquet[/cyan]

    [cyan]imgsim embed photos/ --dry-run[/cyan]   how many pictures are there?
    """
    read = read_options("embed", threads, max_megapixels, time_limit, exact)
    files = found_files("embed", paths, exclude)
    if dry_run:
        _count(files, as_json)
        return
    from imgsim_ops.embedding.vectors import check_out, embed_files

    check_out(out)  # before the model, which takes seconds
    with waiting(f"Loading {backbone}"):
        from imgsim_ops.embedding.embedder import Embedder
        from imgsim_ops.models.spec import ModelSpec

        # One thread for each of the batches that are under way.
        embedder = Embedder(ModelSpec(backbone, weights, precision), read=read, threads=1)
    with LateProgress("Embedding", len(files)) as progress:
        report = embed_files(embedder, files, out, progress=progress)
    if as_json:
        print_json(_document(report, embedder, len(files)))
    else:
        _print(output(), report, embedder, len(files))
    if report.interrupted:
        raise typer.Exit(INTERRUPTED)
    if report.skipped:
        raise typer.Exit(SOME_SKIPPED)


def _document(report: EmbedReport, embedder: Embedder, files: int) -> dict:
    return {
        "out": str(report.out),
        "files": files,
        "pictures": report.pictures,
        "dimension": embedder.dimension,
        "fingerprint": str(embedder.fingerprint),
        "seconds": report.seconds,
        "pictures_per_second": report.pictures_per_second,
        "interrupted": report.interrupted,
        "skipped": skipped_as_json(report.skipped),
    }


def _print(console: Console, report: EmbedReport, embedder: Embedder, files: int) -> None:
    from imgsim_ops.files.names import printable

    pictures = "1 picture" if report.pictures == 1 else f"{report.pictures:,} pictures"
    console.print(
        f"{pictures} in {report.seconds:.2f} s ({report.pictures_per_second:,.1f} pictures/s), "
        f"{embedder.dimension} values each: {printable(report.out)}, {report.out.stat().st_size / 1e6:,.1f} MB",
        soft_wrap=True,
        markup=False,
    )
    console.print(f"[dim]{embedder.fingerprint}[/dim]", soft_wrap=True)
    if report.interrupted:
        console.print(f"[yellow]Stopped[/yellow] after {report.files:,} of {files:,} files")
    print_skipped(console, report.skipped)


def _count(files: list[str], as_json: bool) -> None:
    from imgsim_ops.files.reasons import Reason
    from imgsim_ops.images.scan import survey

    kinds, size = survey(files)
    reasons = Reason.sentences()
    pictures = Counter({kind: count for kind, count in kinds.items() if kind not in reasons})
    others = {code: count for code, count in sorted(kinds.items()) if code in reasons}
    if as_json:
        counts = {"files": len(files), "pictures": pictures.total(), "bytes": size}
        print_json({**counts, "formats": dict(pictures.most_common()), "others": others})
        return
    formats = ", ".join(f"{count:,} {kind}" for kind, count in pictures.most_common()) or "none"
    console = output()
    console.print(f"{len(files):,} files, {size / 1e6:,.1f} MB. Pictures: {formats}", soft_wrap=True)
    if others:
        listed = ", ".join(f"{count:,} {code}" for code, count in others.items())
        console.print(f"[yellow]Cannot be read[/yellow]: {listed}", soft_wrap=True)
