"""Writes the figures of benchmarks/results into the README, between its `<!-- NAME -->` and `<!-- end -->` marks.

python benchmarks/tables.py
"""

from __future__ import annotations

import json
import re

from _harness import RESULTS, ROOT, describe

README = ROOT / "README.md"


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
    lines += ["", f"Measured on: {describe(document['machine'])}."]
    return "\n".join(lines)


def latency(document: dict) -> str:
    """Warm steps and cold processes."""
    steps = ("decode", "preprocess", "forward", "cosine")
    lines = ["| warm, ms | " + " | ".join(steps) + " | total | times plain |", "| --- " * 7 + "|"]
    for name, row in document["warm"].items():
        cells = [f"{row['steps_ms'][step]:.2f}" for step in steps]
        lines.append(f"| {name} | {' | '.join(cells)} | {row['total_ms']:.1f} | {row['speedup']:.2f} |")
    lines += ["", "| cold, whole process | seconds | times plain |", "| --- " * 3 + "|"]
    for name, row in document["cold"].items():
        lines.append(f"| {name} | {row['median_s']:.2f} | {row['speedup']:.2f} |")
    lines += [
        "",
        f"{document['backbone']}, weights {document['weights']}. Measured on: {describe(document['machine'])}.",
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


def main() -> None:
    """Fills in the tables."""
    text = README.read_text()
    for name, table in (("operators", operators), ("latency", latency), ("threads", threads)):
        filled = table(json.loads((RESULTS / f"{name}.json").read_text()))
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = pattern.subn(lambda match, filled=filled: f"{match[1]}{filled}\n{match[2]}", text)
        if count != 1:
            raise SystemExit(f"tables: README.md must have one pair of marks for {name} (got {count})")
    README.write_text(text)


if __name__ == "__main__":
    main()
