"""Lineup files of any length: the same rows in every run, in the three shapes."""

from collections.abc import Iterator
from datetime import date, timedelta
from json import dumps
from pathlib import Path

from festival.lineup.model import Performance, clock, wall_clock

STAGES = ("Pyramid Stage", "Other Stage", "West Holts", "Woodsies", "The Park", "Große Bühne")
DAYS = [(date(2024, 6, 1) + timedelta(day)).isoformat() for day in range(365)]
HEADER = "Performer,Stage,Date,Start,End,Popularity"


def performance(number: int) -> Performance:
    """The nth row: no two of fifty million have one key."""
    start = number * 5 % 1440
    return Performance(
        performer=f"The Artists No. {number // 4}" if number % 7 else f"Björk & {number // 4}",
        stage=STAGES[number % len(STAGES)],
        date=DAYS[number // 288 % len(DAYS)],
        start=start,
        end=start + 45,
        popularity=number % 100 + 1 if number % 10 else None,
        line=number + 2,
    )


def cells(number: int) -> tuple[str, str, str, str, str, str]:
    """The nth row as a file says it."""
    row = performance(number)
    popularity = "" if row.popularity is None else str(row.popularity)
    begin, end = clock(row.start), wall_clock(row.end)
    return (row.performer, row.stage, row.date, begin, end, popularity)


def csv_lines(rows: int) -> Iterator[str]:
    yield HEADER + "\n"
    for number in range(rows):
        yield ",".join(cells(number)) + "\n"


def json_array(rows: int) -> Iterator[str]:
    for number in range(rows):
        yield ("[\n " if number == 0 else ",\n ") + _object(number)
    yield "\n]\n"


def json_lines(rows: int) -> Iterator[str]:
    for number in range(rows):
        yield _object(number) + "\n"


def _object(number: int) -> str:
    pairs = zip(HEADER.split(","), cells(number), strict=True)
    return dumps({name: value for name, value in pairs if value}, ensure_ascii=False)


SHAPES = {"csv": csv_lines, "json": json_array, "jsonl": json_lines}


def lineup_file(folder: Path, shape: str, rows: int) -> Path:
    """A file of so many rows in a folder, made where it is not there yet."""
    path = folder / f"lineup-{rows}.{shape}"
    if not path.exists():
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(SHAPES[shape](rows))
    return path
