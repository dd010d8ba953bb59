"""Results as a command might find them out: numbers, words in their place, and gaps."""

from imgsim_ops.evaluation.results import Column, Plot, Results, Table

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="9" height="9"/></svg>'
COLUMNS = [
    Column("model", "model"),
    Column("dimension", "dimension"),
    Column("embed_ms", "embed, ms", 2),
    Column("positive", "positive, %", 1),
    Column("note", "note"),
]
ROWS = [
    {"model": "resnet18", "dimension": 512, "embed_ms": 9.4375, "positive": 98.26},
    {"model": "vgg16", "dimension": 25088, "embed_ms": 101.5, "positive": "no weights"},
    {"model": "alexnet", "dimension": 9216, "embed_ms": 3.0625, "positive": 91.04, "note": "Old"},
    {"model": "swin_t", "dimension": 768, "embed_ms": None, "positive": None, "note": "no memory"},
]


def made_results(kind="zoo", title="Models", tables=1, rows=ROWS, facts=None):
    return Results(
        kind,
        title,
        {"threads": "2"} if facts is None else facts,
        [Table(f"Table {number}", COLUMNS, rows) for number in range(1, tables + 1)],
        [Plot("time", "Separation against time", SVG)],
    )
