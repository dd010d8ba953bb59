"""``imgsim doctor``: what is here, and what to do about what is not."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from imgsim_ops.cli.console import JsonOption, output, print_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from imgsim_ops.doctor import Fact

_LONG_LIST = 60  # letters, from which on each item has a line of its own


def doctor(as_json: JsonOption = False) -> None:
    """What is installed and built here, and what to do about each missing thing.

    [bold]Examples[/bold]

    [cyan]imgsim doctor[/cyan]

    [cyan]imgsim doctor --json[/cyan]   for a bug report
    """
    from imgsim_ops.doctor import diagnose

    facts = diagnose()
    if as_json:
        print_json(_document(facts))
    else:
        _print(output(), facts)


def _document(facts: list[Fact]) -> dict:
    sections = {
        _key(section): {_key(fact.name): fact.value for fact in group}
        for section, group in groupby(facts, lambda f: f.section)
    }
    advice = [
        {"section": _key(fact.section), "name": fact.name, "advice": fact.advice, "needed": fact.needed}
        for fact in facts
        if fact.advice is not None
    ]
    return {**sections, "advice": advice}


def _key(name: str) -> str:
    return name.replace(" ", "_")


def _print(console: Console, facts: list[Fact]) -> None:
    from rich.text import Text

    width = max(len(fact.name) for fact in facts)
    for section, group in groupby(facts, lambda f: f.section):
        console.print(Text(f"\n{section}", style="bold"))
        for fact in group:
            mark = ("✓", "green") if fact.advice is None else ("✗", "red") if fact.needed else ("·", "yellow")
            line = Text.assemble(mark, f" {fact.name:<{width}}  ", _value(fact, indent=width + 4))
            console.print(line, soft_wrap=True)  # a path cut in two cannot be copied
    advised = [fact for fact in facts if fact.advice is not None]
    if not advised:
        return
    console.print(Text("\nwhat to do", style="bold"))
    for fact in advised:
        console.print(Text.assemble((fact.name, "yellow"), f": {fact.advice}"), soft_wrap=True)


def _value(fact: Fact, indent: int) -> Text:
    from rich.text import Text

    if fact.value is None:
        return Text("none", style="dim")
    if isinstance(fact.value, bool):
        return Text("yes" if fact.value else "no")
    if isinstance(fact.value, list):
        long = sum(map(len, fact.value)) > _LONG_LIST
        return Text((",\n" + " " * indent if long else ", ").join(fact.value) or "none")
    return Text(str(fact.value))
