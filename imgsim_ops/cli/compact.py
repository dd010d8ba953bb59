"""``imgsim compact``: room of pictures that are gone is given back."""

from __future__ import annotations

from imgsim_ops.cli.console import CollectionArgument, JsonOption, WaitOption, output, print_json, say, waiting


def compact(
    collection: CollectionArgument = "photos.imgsim", wait: WaitOption = False, as_json: JsonOption = False
) -> None:
    """Give back the room of contents whose files are all gone.

    [cyan]imgsim index[/cyan] keeps what it knows of files that it drops, in case they come back under another name.
    This forgets it. For a moment both the old and the new vectors are on the disk.

    [bold]Examples[/bold]

    [cyan]imgsim info photos.imgsim[/cyan]      how many are gone?

    [cyan]imgsim compact photos.imgsim[/cyan]
    """
    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.collection.summary import sizes_on_disk

    with Collection.open(collection, write=True, wait=wait, announce=say) as opened:
        before = sum(sizes_on_disk(opened.store).values())
        with waiting("Compacting"):
            gone = opened.compact()
        after = sum(sizes_on_disk(opened.store).values())
        kept = opened.store.rows
    if as_json:
        print_json({"given_back": gone, "contents": kept, "bytes_before": before, "bytes_after": after})
        return
    contents = "1 content" if gone == 1 else f"{gone:,} contents"
    sizes = f"{before / 1e6:,.1f} MB before, {after / 1e6:,.1f} MB now"
    output().print(f"{contents} given back, {kept:,} kept: {sizes}", soft_wrap=True)
