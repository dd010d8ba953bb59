"""``imgsim approximate``: an index for searches that need not look at everything."""

from __future__ import annotations

from imgsim_ops.cli.console import CollectionArgument, JsonOption, output, print_json, waiting


def approximate(collection: CollectionArgument = "photos.imgsim", as_json: JsonOption = False) -> None:
    """Build an index of a collection for imgsim search --approximate.

    Worth it from millions of pictures on: below, looking at everything takes less than a tenth of a second. Prints what
    share of the exact search's ten best it finds. What is indexed later is searched exactly until this is given again;
    after another --recipe or imgsim compact the index is out of date, and searches say so and look at everything.

    Needs FAISS: [cyan]pip install faiss-cpu[/cyan]

    [bold]Examples[/bold]

    [cyan]imgsim approximate photos.imgsim[/cyan]

    [cyan]imgsim search query.jpg --approximate[/cyan]
    """
    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.files.names import printable

    with Collection.open(collection) as opened, waiting("Building the index"):
        built = opened.build_approximate()
    if as_json:
        facts = vars(built) | {"file": str(built.file), "recall_at": 10}
        print_json({name: facts[name] for name in sorted(facts)})
        return
    console = output()
    console.print(
        f"Recall@10 {built.recall:.4f} against the exact search, on {built.sample:,} of the collection's own vectors; "
        f"{built.probes:,} of {built.lists:,} lists looked into",
        soft_wrap=True,
    )
    console.print(
        f"{built.rows:,} vectors in {built.seconds:.1f} s: {printable(built.file)}, {built.size / 1e6:,.1f} MB",
        soft_wrap=True,
        markup=False,
    )
