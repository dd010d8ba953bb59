"""``imgsim info``: what is in a collection."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from imgsim_ops.cli.console import CollectionArgument, JsonOption, output, print_json, waiting

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.collection.summary import Summary


_NAMES = 12


def info(collection: CollectionArgument = "photos.imgsim", as_json: JsonOption = False) -> None:
    """What is in a collection: pictures, formats, what made the vectors, sizes on the disk.

    [bold]Examples[/bold]

    [cyan]imgsim info photos.imgsim[/cyan]

    [cyan]imgsim info photos.imgsim --json[/cyan]
    """
    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.collection.summary import summary_of

    with Collection.open(collection) as opened:
        with waiting("Counting"):
            summary = summary_of(opened.store)
        if as_json:
            print_json(_document(opened, summary))
        else:
            _print(output(), opened, summary)


def _document(collection: Collection, summary: Summary) -> dict:
    store = collection.store
    return {
        "collection": str(store.path),
        "pictures": summary.pictures,
        "contents": summary.contents,
        "orphans": summary.orphans,
        "unreadable": summary.unreadable,
        **({"pages": summary.pages} if store.pages else {}),
        "formats": dict(summary.formats),
        "bytes": summary.size,
        "fingerprint": str(store.fingerprint),
        "weights": store.weights,
        "recipe": store.recipe.name,
        "crops": store.crops,
        "dimension": store.width,
        "whitening": None if store.whitening is None else store.whitening.digest,
        "whitening_fitted_on": store.fitted_on,
        "changed": summary.changed,
        "bytes_on_disk": sum(summary.on_disk.values()),
        "files": dict(summary.on_disk),
    }


def _print(console: Console, collection: Collection, summary: Summary) -> None:
    from rich.text import Text

    from imgsim_ops.files.names import printable

    store = collection.store
    formats = ", ".join(f"{number:,} {kind}" for kind, number in summary.formats.items())
    contents = f"{summary.contents - summary.orphans:,} different"
    if summary.orphans:
        contents += f", and {summary.orphans:,} whose files are gone (imgsim compact gives their room back)"
    recipe = store.recipe.name
    if store.recipe.whitens:
        fitted = f"fitted on {store.fitted_on:,} contents" if store.whitening is not None else "not fitted yet"
        recipe += f", whitening {fitted}"
    crops = "1 vector" if store.crops == 1 else f"{store.crops} vectors"
    rows = [
        ("pictures", f"{summary.pictures:,}, {summary.size / 1e6:,.1f} MB"),
        *([("pages", f"{summary.pages:,} of these")] if store.pages else []),
        ("contents", contents),
        ("formats", formats or "none"),
        ("unreadable", f"{summary.unreadable:,} files"),
        ("made by", str(store.fingerprint)),
        ("recipe", recipe),
        ("vectors", f"{crops} of {store.width:,} numbers for each content"),
        ("changed", f"{datetime.fromtimestamp(summary.changed):%Y-%m-%d %H:%M:%S}"),
        ("on disk", f"{sum(summary.on_disk.values()) / 1e6:,.1f} MB"),
    ]
    rows += [("", f"{name}, {size / 1e6:,.1f} MB") for name, size in summary.on_disk.items() if size]
    console.print(printable(store.path), soft_wrap=True, markup=False)
    for name, value in rows:
        console.print(Text(f"{name:<{_NAMES}}", style="dim").append(value, style="not dim"), soft_wrap=True)
