"""Writes figures into the README and into pages of docs, between `<!-- NAME -->` and `<!-- end -->` marks.

python benchmarks/tables.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from _harness import RESULTS, ROOT
from decisions import by_kind, measures

from imgsim_ops.evaluation.machine import machine_line
from imgsim_ops.evaluation.results import Results, Table, table_markdown

README = ROOT / "README.md"
DOCS = ROOT / "docs"


def _milliseconds(row: dict) -> str:
    value = row["median_ms"]
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def operators(document: dict) -> str:
    """One row for each contender that is not the baseline."""
    lines = ["| what | PyTorch | imgsim and peers | times faster |", "| --- | --- | --- | --- |"]
    for title, rows in document["results"].items():
        (baseline, base), *others = rows.items()
        for name, row in others:
            ours = f"{name} {_milliseconds(row)} | {row['speedup']:.2f}"
            lines.append(f"| {title} | {baseline} {_milliseconds(base)} | {ours} |")
    memory = document["extra_memory_mib"]
    peaks = f"`cosine_topk` {memory['cosine_topk']} MiB, `cosine_pairs` {memory['cosine_pairs']} MiB"
    lines += ["", f"Peak memory beyond a gallery of 50,000 x 512 (98 MiB): {peaks}."]
    for kind, pairs in document.get("large_pairs", {}).items():  # older results have none
        lines += [
            "",
            f"`cosine_pairs` of 100,000 x 512 {kind} vectors at 0.95: {pairs['seconds']:.1f} s and "
            f"{pairs['extra_memory_mib']:.0f} MiB; of the {pairs['sample_pairs']} pairs that brute force finds among "
            f"the first 20,000 it finds {pairs['sample_found']}.",
        ]
    lines += ["", f"Measured on: {machine_line(document['machine'])}."]
    return "\n".join(lines)


def latency(document: dict) -> str:
    """Warm steps and cold processes."""
    steps = ("decode", "preprocess", "forward", "cosine")
    heads = ("warm, ms", *steps, "total", "times plain", "forward, 1 picture", "times plain", "MiB")
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    plain = document["warm"]["plain PyTorch"]["forward_one_ms"]
    for name, row in document["warm"].items():
        one = row["forward_one_ms"]
        cells = [f"{row['steps_ms'][step]:.2f}" for step in steps]
        cells += [f"{row['total_ms']:.1f}", f"{row['speedup']:.2f}"]
        cells += [f"{one:.2f}", f"{plain / one:.2f}"] if one else ["", ""]
        lines.append(f"| {name} | {' | '.join(cells)} | {row['memory_mib']} |")
    lines += ["", "| cold, whole process | seconds | times plain | MiB |", "| --- " * 4 + "|"]
    for name, row in document["cold"].items():
        lines.append(f"| {name} | {row['median_s']:.2f} | {row['speedup']:.2f} | {row['memory_mib']} |")
    lines += [
        "",
        f"{document['backbone']}, weights {document['weights']}. Measured on: {machine_line(document['machine'])}.",
    ]
    return "\n".join(lines)


def lite0(document: dict) -> str:
    """The forward pass of one picture."""
    lines = ["| efficientnet_lite0, one picture | ms | times plain |", "| --- " * 3 + "|"]
    plain = document["warm"]["plain PyTorch"]["forward_one_ms"]
    for name, row in document["warm"].items():
        if row["forward_one_ms"]:
            lines.append(f"| {name} | {row['forward_one_ms']:.2f} | {plain / row['forward_one_ms']:.2f} |")
    return "\n".join(lines)


def cold(document: dict) -> str:
    """How long the command takes, as part of a sentence."""
    rows = document["cold"]
    times = [rows[f"imgsim compare --precision {precision}"] for precision in ("int8", "fp32")]
    seconds = " to ".join(f"{row['median_s']:.1f}" for row in sorted(times, key=lambda row: row["median_s"]))
    plain = rows["plain PyTorch"]["median_s"]
    return f"a comparison takes {seconds} s from a cold start, a script in plain PyTorch {plain:.1f} s"


def gate(document: dict) -> str:
    """What the int8 model's file records, as part of a sentence."""
    found = document["gate"]
    precisions = f"{found['int8_micro_ap']:.4f} against {found['fp32_micro_ap']:.4f}"
    return (
        f"a mean cosine of {found['mean_cosine']:.4f}, at least {found['least_cosine']:.4f}, and a micro average "
        f"precision of {precisions}, on {found['pictures']} pictures"
    )


def scaled_jpeg(document: dict) -> str:
    """The worst of all kinds of pictures, as part of a sentence."""
    runs = document["runs"].values()
    scaled = sum(sum(row["scaled"].values()) for row in runs)
    lost = max(row["exact_micro_ap"] - row["default_micro_ap"] for row in runs)
    return (
        f"mean cosine {min(row['mean_cosine'] for row in runs):.4f}, at least "
        f"{min(row['least_cosine'] for row in runs):.3f}, and at most {max(lost, 0):.4f} of micro average precision "
        f"lost in finding copies, on {scaled:,} JPEGs that are scaled"
    )


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"


def throughput(document: dict) -> str:
    """Pictures per second of every way, what bounds them, and statistics."""
    sizes = list(document["pictures"])
    bounds = ("decode only", "inference only", "decode only, whole", "imgsim stats")
    heads = ("JPEGs to vectors, per second (times the first row)", "network", *sizes, "MiB")

    def table(heads: tuple[str, ...], names: list[str], ratios: bool) -> list[str]:
        lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
        for name in names:
            way = document["ways"][name]
            rows = [way["sizes"][size] for size in sizes]
            cells = [_rate(row["per_second"]) + f" ({row['speedup']:.1f})" * ratios for row in rows]
            peak = max(row["memory_mib"] or 0 for row in rows)
            lines.append(f"| {name} | {way['network']} | {' | '.join(cells)} | {peak:,} |")
        return lines

    lines = table(heads, [name for name in document["ways"] if name not in bounds], ratios=True)
    lines += ["", *table(("bounds, per second", *heads[1:]), list(bounds), ratios=False), ""]

    def shares(key: str) -> str:
        return ", ".join(f"{document['bounds'][size][key]:.0%}" for size in sizes)

    files = ", ".join(f"{row['files']} of {row['mean_bytes'] / 1e3:,.0f} kB" for row in document["pictures"].values())
    lines += [
        f"Decoding and inference one after the other on all processors would be the bound: `imgsim, int8` reaches "
        f"{shares('share')} of it. `imgsim stats` reaches {shares('stats_share')} of the rate of decoding whole.",
        "",
        f"Files: {files}. MiB: {document['memory']} of all processes of a way. {document['backbone']}, weights "
        f"{document['weights']}. Measured on: {machine_line(document['machine'])}.",
    ]
    return "\n".join(lines)


def threads(document: dict) -> str:
    """One row for each program and number of threads."""
    lines = ["| program | threads | microseconds | speed-up |", "| --- " * 4 + "|"]
    lines += [f"| {program} | {count} | {us:,} | {speedup:.2f} |" for program, count, us, speedup in document["rows"]]
    lines += [
        "",
        f"{document['pictures']} JPEGs, {document['pixels'] / 1e6:.1f} megapixels, reading and decoding counted.",
    ]
    return "\n".join(lines)


def million(document: dict) -> str:
    """What a million vectors take, as part of a sentence."""
    found = document["results"]
    search, near = found["search"], found["approximate"]
    text = (
        f"{document['rows']:,} vectors of {document['width']} numbers open in {found['open']['first_ms']:.0f} ms; one "
        f"query takes {search['warm_ms']:.0f} ms (at best {search['least_ms']:.0f}; only reading the vectors "
        f"{search['reading_ms']:.0f}, at best {search['reading_least_ms']:.0f}), {search['queries']} together "
        f"{search['together_ms'] / 1e3:.1f} s, and the process holds {search['anonymous_mib']:.0f} MiB besides the "
        f"mapped file"
    )
    if "build_s" in near:
        text += (
            f"; the approximate index is built in {near['build_s']:.0f} s and finds {near['recall_at_10']:.1%} of the "
            f"ten nearest, in {near['warm_ms']:.0f} ms for one query"
        )
    if "duplicates" in found:
        pairs = found["duplicates"]
        text += (
            f"; all groups of copies, without looking at pixels, take {pairs['seconds'] / 60:.0f} minutes and "
            f"{pairs['anonymous_mib']:.0f} MiB ({pairs['found']:,} of {pairs['planted']:,} planted pairs, "
            f"{pairs['others']} others)"
        )
    cores = document["machine"]["cores"]
    return f"{text} (`benchmarks/million.py`, {cores} cores under a load of {search['load']:.0f})"


def rescan(document: dict) -> str:
    """How long a rescan takes, as part of a sentence."""
    seconds = document["rescan_s"]
    return (
        f"a rescan of {document['files']:,} unchanged files takes {seconds['median']:.1f} s ({seconds['least']:.1f} to "
        f"{seconds['most']:.1f}), opens {document['opened']} and decodes {document['decoded']} of them "
        f"(`benchmarks/collection.py rescan`, {document['machine']['cores']} cores)"
    )


def leak(document: dict) -> str:
    """How long a search for leaks takes, as part of a sentence."""
    found, facts = document["results"], document["machine"]
    precision = found["fingerprint"].split("-")[2]
    return (
        f"{document['train'] + document['test']:,} pictures of 32 x 32 pixels take {found['seconds'] / 60:.1f} minutes "
        f"with all embedding in {precision} ({found['pictures_per_second']} per second), {found['again_s']:.0f} s the "
        f"second time; {found['found']} of {found['planted']} planted copies are found, and {found['others']} others "
        f"(`benchmarks/leak.py`, {facts['cores']} cores, {facts['instruction_set']})"
    )


def quality(document: dict) -> str:
    """Every way, and the kinds that the last one finds least of."""
    heads = ("way", "micro-AP", "recall at 0.90", "at 0.99", "micro-AP with flags", "recall at 0.99")
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for name, rows in document["ways"].items():
        lying, turned = rows["all"], rows["all, with flags"]
        cells = (lying["micro_ap"], lying["recall_at_0.9"], lying["recall_at_0.99"])
        cells += (turned["micro_ap"], turned["recall_at_0.99"])
        lines.append(f"| {name} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")
    *_, (name, rows) = document["ways"].items()
    kinds = rows["all, with flags"]["by_kind"]
    rest = [f"{kind} {recall:.3f}" for kind, recall in kinds.items() if recall < 1]
    lines += [
        "",
        f"{document['originals']} originals, {document['copied']} of them copied in {len(kinds)} ways, each copy "
        f"against every original. With `--flips` and `--rotations`, recall at precision 0.99 by {name} is 1 for all "
        f"kinds {'but ' + ', '.join(rest) if rest else ''}.",
        "",
        f"Measured on: {machine_line(document['machine'])}. Without 8-bit instructions, as there, int8 is less exact "
        "than where `--precision auto` chooses it.",
    ]
    return "\n".join(lines)


def decided(document: dict) -> str:
    """What the decisions come to, as part of a sentence."""
    ways, made = document["ways"], document["made"]
    ours = ways["imgsim"]
    copies, alike = ours["copies"], ours["look-alikes together"]
    text = (
        f"among {made['originals']} real pictures, {made['copied']} of them with {made['copies']} copies each, "
        f"{copies['recall']:.1%} of the copies are in a group with their original, {copies['original_kept']:.0%} of "
        f"the originals stay, {copies['wrong_joins']} groups have several originals; of {alike['pictures']} pictures "
        f"that only look alike {alike['gone']} would go"
    )
    if "PHash" in ways:
        other, theirs = ways["PHash"]["copies"], ways["PHash"]["look-alikes together"]
        text += (
            f" (by the pHash of imagededup: {other['recall']:.1%}, {other['original_kept']:.0%}, "
            f"{other['wrong_joins']}; {theirs['gone']})"
        )
    return text


def decisions(document: dict) -> str:
    """All measures of all ways, then those of imgsim by kind of copy."""
    ways, made = document["ways"], document["made"]
    lines = [f"| of | measure | {' | '.join(ways)} |", f"| --- | --- {'| --- ' * len(ways)}|"]
    lines += [f"| {named} | {label} | {' | '.join(cells)} |" for named, label, cells in measures(ways) if any(cells)]
    lines += ["", "| kind of copy | with its original | goes | found as a leak | relations |", "| --- " * 5 + "|"]
    for kind, recall, gone, _, leak, _, said in by_kind(ways["imgsim"]):
        lines.append(f"| {kind} | {recall} | {gone} | {leak} | {said} |")
    return "\n".join(
        [
            *lines,
            "",
            f"{made['copied']} originals of the half `{made['half']}` with {made['copies']} copies each, "
            f"among {made['originals']}. Measured on: {machine_line(document['machine'])}.",
        ]
    )


def methods(document: dict) -> str:
    """The table of methods without its technical columns, and how it was made."""
    results = Results.from_json(document)
    (table,) = results.tables
    shown = ("method", "what", "accuracy_percent", "precision_percent", "pictures_per_second", "dimension")
    columns = [column for column in table.columns if column.key in shown]
    facts = results.facts
    return "\n".join(
        [
            table_markdown(Table("", columns, table.rows)),
            "",
            f"{facts['Data']}; unseen: {facts['Unseen classes']}. By chance: {facts['By chance']}. A row without "
            "numbers has no weights here.",
            "",
            f"Measured on: {facts['Machine']}.",
        ]
    )


def zoo_models(document: dict) -> str:
    """How many models were measured, as part of a sentence."""
    tables = Results.from_json(document).tables
    return f"{sum(len(table.rows) for table in tables)} models"


# A table's mark in the README, the file with its figures, and what writes it.
TABLES = (
    ("operators", "operators", operators),
    ("latency", "latency", latency),
    ("lite0", "latency-efficientnet_lite0", lite0),
    ("cold", "latency", cold),
    ("gate", "latency-efficientnet_lite0", gate),
    ("threads", "threads", threads),
    ("scaled_jpeg", "scaled_jpeg", scaled_jpeg),
    ("throughput", "throughput", throughput),
    ("million", "million", million),
    ("rescan", "collection-rescan", rescan),
    ("leak", "leak", leak),
    ("quality", "quality", quality),
    ("methods", DOCS / "methods" / "methods.json", methods),
    ("zoo_models", DOCS / "zoo" / "zoo.json", zoo_models),
    ("decided", "decisions", decided),
)
#: Likewise, of a page that has nothing else.
DECISIONS = (("decisions", "decisions", decisions),)


def main() -> None:
    """Fills in the tables."""
    fill(README, TABLES)
    fill(DOCS / "decisions.md", DECISIONS)


def fill(page: Path, tables: tuple[tuple[str, str | Path, Callable[[dict], str]], ...]) -> None:
    """Fills in the tables of one page."""
    text = page.read_text()
    for mark, file, write in tables:
        path = RESULTS / f"{file}.json" if isinstance(file, str) else file
        filled = write(json.loads(path.read_text()))
        # A mark with a line of its own has its table on the lines below, any other is in a sentence.
        pattern = re.compile(rf"(<!-- {mark} -->)(\n?).*?(<!-- end -->)", re.DOTALL)
        text, count = pattern.subn(lambda m, filled=filled: f"{m[1]}{m[2]}{filled}{m[2]}{m[3]}", text)
        if count != 1:
            raise SystemExit(f"tables: {page.name} must have one pair of marks for {mark} (got {count})")
    page.write_text(text)


if __name__ == "__main__":
    main()
