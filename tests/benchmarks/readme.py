"""The table of figures in the README, made from a saved run.

    python -m tests.benchmarks.readme            prints the table of tests/benchmarks/figures.json
    python -m tests.benchmarks.readme --write    puts it into the README

`make bench ARGS=--publish` measures, saves the run as `figures.json`, and does the latter.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.run import ROOT

FIGURES = Path(__file__).parent / "figures.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- figures: make bench -->\n", "<!-- end of figures -->\n"
UNITS = {"/CPU s": " per CPU second", "/s": " per second"}

Line = Mapping[str, Any]


def section(saved: Mapping[str, Any]) -> str:
    """The README's sentence and table for a saved run."""
    lines = [
        one for one in saved["results"] if not one["what"].startswith(("notebook", "backfill"))
    ]
    head = ["| what | the plain way | this kit | ratio |", "| --- | --- | --- | --- |"]
    return "\n".join([_sentence(saved), "", *head, *_compared(lines), *_memory(lines), ""])


def _sentence(saved: Mapping[str, Any]) -> str:
    runs = f"medians of {saved['times']} runs" if saved["times"] > 1 else "one run each"
    return (
        f"Measured on {saved['date']}, {saved['machine']}, load {saved['load']:.1f} when it "
        f"began; {saved['python']}, {saved['versions']}; {runs}. Of two figures the first is on "
        "free cores, the second with the process kept to one core."
    )


def _compared(lines: Iterable[Line]) -> Iterator[str]:
    """One row for each call of ours: every plain way's figures, ours, and the ratios."""
    plain: dict[tuple[str, str], list[float]] = {}
    ours: dict[tuple[str, str], dict[str, list[Line]]] = {}
    for one in lines:
        if one["against"]:
            rivals = ours.setdefault((one["what"], one["call"]), {})
            rivals.setdefault(one["against"], []).append(one)
        else:
            plain.setdefault((one["what"], one["call"]), []).append(one["value"])
    for (what, call), rivals in ours.items():
        first = next(iter(rivals.values()))
        theirs = [f"`{each}` {_figures(plain[what, each][: len(first)])}" for each in rivals]
        ratios = [_figures((one["ratio"] for one in each), " ×") for each in rivals.values()]
        mine = _figures(one["value"] for one in first)
        unit = first[0]["unit"]
        for short, long in UNITS.items():
            unit = unit.replace(short, long)
        yield f"| {what}, {unit} | {'; '.join(theirs)} | `{call}` {mine} | {'; '.join(ratios)} |"


def _memory(lines: Iterable[Line]) -> Iterator[str]:
    """The handler's peak, and what each further row adds, over all shapes of file."""
    values: dict[tuple[str, str], list[float]] = {}
    for one in lines:
        if one["what"].startswith("memory of the handler"):
            values.setdefault((one["call"], one["unit"]), []).append(one["value"])
    for (call, unit), found in values.items():
        yield f"| memory, {call}, {unit} | | `the handler` {min(found):.0f} to {max(found):.0f} | |"


def _figures(values: Iterable[float], sign: str = "") -> str:
    return " · ".join(f"{_number(value)}{sign}" for value in values)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"


def write(saved: Mapping[str, Any], readme: Path = README) -> None:
    """Put a saved run's figures into the README, between its two marks."""
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}{section(saved)}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    document = json.loads(FIGURES.read_text(encoding="utf-8"))
    if "--write" in sys.argv:
        write(document)
    else:
        print(section(document))
