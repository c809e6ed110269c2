"""Small lineup files made at random, of which the truth is known without reading them."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from festival.lineup.model import Performance, clock

# As it is written, and as the table has it. A name over two lines is what a cut may fall into.
PERFORMERS = (
    ("Nick Cave", "Nick Cave"),
    ("Florence\n& the Machine", "Florence & the Machine"),
    ('"Weird Al" Yankovic', '"Weird Al" Yankovic'),
    ("Earth, Wind & Fire", "Earth, Wind & Fire"),
    ("Sigur Rós", "Sigur Rós"),
    ("Godspeed\nYou!\nBlack Emperor", "Godspeed You! Black Emperor"),
    ("BTS 방탄소년단", "BTS 방탄소년단"),
    ("Belle and\nSebastian", "Belle and Sebastian"),
)
STAGES = ("Pyramid", "Park", "West Holts")
DATES = ("2025-06-27", "2025-06-28")
HEADER = ("Performer", "Stage", "Date", "Start", "End", "Popularity")
BAD_CELLS = (
    ("Date", "2025-02-30"),
    ("Performer", ""),
    ("Start", "13pm"),
    ("Stage", "   "),
    ("End", "half past"),
)

Key = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: its cells as they are written, and what it is; None: it is refused."""

    cells: tuple[str, ...]
    performance: Performance | None
    line: int = 0


@dataclass(frozen=True)
class Lineup:
    """A file's bytes and its truth. A `broken` file ends in the middle."""

    body: bytes
    rows: tuple[Row, ...]
    shape: str
    broken: bool = False

    @property
    def accepted(self) -> list[Performance]:
        """The rows that the table can hold, in the file's order."""
        return [row.performance for row in self.rows if row.performance]

    @property
    def kept(self) -> dict[Key, Performance]:
        """Of each key the last row."""
        return {each.identity: each for each in self.accepted}


def make_lineup(random: Random, owner: str, former: Lineup | None = None) -> Lineup:
    """A file of 3 to 40 rows. Most performers are `owner`'s own, a few are shared between files.

    A new version has about half of the former one's performances, with other values.
    """
    rows: list[Row] = []
    known = [row for row in former.rows if row.performance] if former else []
    for _ in range(random.randint(3, 40)):
        earlier = [row for row in rows if row.performance]
        if known and random.random() < 0.5:
            rows.append(_same_key(random, random.choice(known)))
        elif earlier and random.random() < 0.2:
            rows.append(_same_key(random, random.choice(earlier)))
        else:
            rows.append(_row(random, owner))
        if random.random() < 0.1:
            rows[-1] = _spoilt(random, rows[-1])
    shape = random.choice(("csv", "csv", "csv", "json lines", "json array"))
    broken = random.random() < 0.04
    body, rows = SHAPES[shape](rows)
    if broken and shape == "json array":
        body = body.rstrip().removesuffix(b"]") + b', {"Performer": "Nick'
    else:
        broken = False
    if random.random() < 0.1:
        body = gzip.compress(body, mtime=0)
    return Lineup(body, tuple(rows), shape, broken)


def _row(random: Random, owner: str) -> Row:
    start = random.choice((18, 20, 23)) * 60 + random.choice((0, 30))
    if random.random() < 0.2:  # few, so that files often have the same ones
        written, meant = random.choice(PERFORMERS[:3])
        performance = Performance(meant, STAGES[0], DATES[0], start, start, None, 0)
    else:
        written, meant = (f"{name} {owner}" for name in random.choice(PERFORMERS))
        stage, date = random.choice(STAGES), random.choice(DATES)
        performance = Performance(meant, stage, date, start, start, None, 0)
    return _with_values(random, written, performance)


def _same_key(random: Random, row: Row) -> Row:
    assert row.performance is not None
    return _with_values(random, row.cells[0], row.performance)


def _with_values(random: Random, written: str, performance: Performance) -> Row:
    end = performance.start + random.randint(1, 180)
    popularity = random.choice((None, random.randint(1, 100)))
    performance = performance._replace(end=end, popularity=popularity)
    cells = (
        written,
        performance.stage,
        performance.date,
        clock(performance.start),
        clock(end % 1440),
        "" if popularity is None else str(popularity),
    )
    return Row(cells, performance)


def _spoilt(random: Random, row: Row) -> Row:
    field, value = random.choice(BAD_CELLS)
    cells = [value if name == field else cell for name, cell in zip(HEADER, row.cells, strict=True)]
    return Row(tuple(cells), None)


def _csv(rows: list[Row]) -> tuple[bytes, list[Row]]:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    placed = []
    for row in rows:
        placed.append(replace(row, line=out.getvalue().count("\n") + 1))
        writer.writerow(row.cells)
    return out.getvalue().encode(), placed


def _json_lines(rows: list[Row]) -> tuple[bytes, list[Row]]:
    lines = [json.dumps(dict(zip(HEADER, row.cells, strict=True))) for row in rows]
    placed = [replace(row, line=number) for number, row in enumerate(rows, 1)]
    return ("\n".join(lines) + "\n").encode(), placed


def _json_array(rows: list[Row]) -> tuple[bytes, list[Row]]:
    body, placed = _json_lines(rows)
    return b"[" + b",\n".join(body.splitlines()) + b"]", placed


SHAPES: dict[str, Callable[[list[Row]], tuple[bytes, list[Row]]]] = {
    "csv": _csv,
    "json lines": _json_lines,
    "json array": _json_array,
}
