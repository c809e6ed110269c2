"""Mappings: what a person says about a file whose columns or values differ from the kit's own.

A mapping is a JSON object. It is explicit: only what it says is applied, and nothing is guessed.
`festival inspect` proposes one. Every option may be left out:

    columns          {"Performer": "act", "Time": "set times", "Popularity": null}: each field's
                     column, if names and aliases do not show it; null means that no column is
                     the field. "Time" is one column with start and end, "End date" the day of the
                     End, "Duration" the length. Date and Start may be the same column, of
                     date-times. A dot leads into a JSON object, a number in brackets into a list:
                     "artists[0].name". A value from above the row is "above.title" if the row has
                     a column for the same field
    constants        {"Stage": "Main"}: values that are the same in every row and not in the file
    rows             ["<Date>", "<Stage>"] or ["data", "acts"]: the path to the rows of a JSON
                     document. A step is a key to follow; a field in angle brackets, if the keys
                     are its values; or "*", if the keys mean nothing
    lookups          {"stage_id": {"rows": ["stages"], "key": "id", "value": "name"}}: each
                     row's stage_id is the key of an object elsewhere in the JSON document, and
                     becomes that object's name; without "value" it becomes the whole object, so
                     that columns can name "stage_id.name". With "key": "*" the ids are the keys of
                     the object at "rows"
    encoding         "cp1250": the encoding of the text, by the name of a Python text codec
    header_row       4: the line of the header; the first line of the file is 1
    header           ["Artist", "Stage", "Date", "Start", "End"]: the names of a CSV's columns, if
                     it has no header, or if its header (in line header_row) does not name them
    fill_down        ["Date", "Stage"]: a blank cell of these fields takes the value of the row
                     above
    sections         "Stage", or ["Date", "Stage"]: rows with one cell are titles, and name the
                     stage or the date of the rows below them
    clock            "24h": times without am or pm are as written; "12h": they are on a 12-hour
                     clock, and starts are from noon to midnight; "12h from 10:00": starts are in
                     the twelve hours from 10:00. An end is the first such time after its start
    integer_is       "hour" or "hhmm": 20 is 20:00, or 00:20; "minute": 1290 is 21:30
    length_is        "minutes", "hours", "seconds" or "days": the unit of a bare-number Duration
    date_order       "day_first", "month_first" or "year_first": 01/02/2025, 01-02-03, 13-Jun-25
    year             2025, for dates without a year
    first_date       "2025-06-12": a weekday alone is the first such day from this date on
    dates            {"Day 1": "2025-06-12"}: words that stand for dates
    time_zone        "Europe/Paris", for instants: date-times with an offset, epoch (milli)seconds
    day_starts_at    "06:00": a start before 06:00 belongs to the night of the festival day before
    date_is          needed with day_starts_at: "festival_day" if Date is that festival day, else
                     "calendar_day"; without day_starts_at, "calendar_day" means dates as written
    default_length   60: the length in minutes of a performance without an end
    placeholders     ["TBA"]: text that means "not announced yet"; such an end is missing
    popularity_is    "rank": 1 is the biggest and becomes 100; rank 100 and all after it become 1.
                     "score": 100 is the biggest
    popularity_none  [1000]: values that mean "no popularity"

With a year or first_date, dates may be without a year: `4. juli`.
"""

import hashlib
import json
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, fields
from typing import Any

from festival.errors import LineupError
from festival.lineup.model import Lookup, clock

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class LineupMapping:
    """The options above, checked.

    `day_starts_at` is in minutes since midnight. Make one with `from_dict` or `from_json`;
    `LineupMapping()` is for files in the kit's own form.
    """

    columns: tuple[tuple[str, str | None], ...] = ()
    constants: Pairs = ()
    rows: tuple[str, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    encoding: str = ""
    header_row: int = 0
    header: tuple[str, ...] = ()
    fill_down: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    clock: str = ""
    integer_is: str = ""
    length_is: str = ""
    date_order: str = ""
    year: int = 0
    first_date: str = ""
    dates: Pairs = ()
    time_zone: str = ""
    day_starts_at: int = 0
    date_is: str = ""
    default_length: int = 0
    placeholders: tuple[str, ...] = ()
    popularity_is: str = ""
    popularity_none: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, options: AnyMapping[str, Any]) -> "LineupMapping":
        """A mapping with these options. Raises LineupError if one is wrong or two contradict."""
        # Only a mapping needs these checks: the function starts faster without them.
        from festival.lineup.mapped.options import checked

        return cls(**checked(options))

    @classmethod
    def from_json(cls, text: bytes | str) -> "LineupMapping":
        """The mapping in the text of a JSON file. Raises LineupError."""
        try:
            options = json.loads(text)
        except ValueError as error:
            raise LineupError(f"the mapping is not JSON ({error}); expected an object") from None
        if not isinstance(options, dict):
            raise LineupError("the mapping is not a JSON object; expected options such as columns")
        return cls.from_dict(options)

    def to_dict(self) -> dict[str, Any]:
        """The options that differ from the defaults, as `from_dict` takes them."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        options = {name: _plain(name, value) for name, value in values.items() if value}
        if self.day_starts_at:
            options["day_starts_at"] = clock(self.day_starts_at)
        return options

    def fingerprint(self) -> str:
        """A short hash of the options, for the ledger; empty for the default mapping."""
        if self == DEFAULT_MAPPING:
            return ""
        text = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(name: str, value: Any) -> Any:
    if name in ("columns", "constants", "dates"):
        return dict(value)
    if name == "lookups":
        return {each.column: each.to_dict() for each in value}
    return list(value) if isinstance(value, tuple) else value


DEFAULT_MAPPING = LineupMapping()
