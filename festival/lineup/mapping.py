"""What a person says about a file whose columns or values differ from the kit's own.

A mapping is small and explicit: it decides what changes a value, and nothing is guessed. It is a
JSON object; `festival inspect` proposes one. Each of its options may be left out:

    columns          {"Performer": "act", "Time": "set times", "Popularity": null}: which column is
                     which field, if names and aliases do not tell; null: no column is. "Time"
                     is one column with start and end, "End date" the day of the End, "Duration"
                     the length. Date and Start may be one column, of date-times. A dot goes into a
                     JSON object, a number in brackets into a list: "artists[0].name". What
                     stands above a row and is called as the row's own is, is "above.title"
    constants        {"Stage": "Main"}: what is the same in every row and not in the file
    rows             ["<Date>", "<Stage>"] or ["data", "acts"]: where the rows of a JSON document
                     are: keys to go into, in angle brackets the field that the keys are, "*" any
    lookups          {"stage_id": {"rows": ["stages"], "key": "id", "value": "name"}}: the value of
                     each row's stage_id is the key of an object elsewhere in the JSON document, and
                     becomes that object's name; without "value" it becomes the whole object, so
                     that columns can name "stage_id.name". With "key": "*" the ids are the keys of
                     the object at "rows"
    encoding         "cp1250": how the text is encoded, by the name of one of Python's text codecs
    header_row       4: the line of the header, the first line of the file being 1
    header           ["Artist", "Stage", "Date", "Start", "End"]: the names of a CSV's columns, if
                     it has no header, or one (in the line header_row) that does not tell them
    fill_down        ["Date", "Stage"]: a blank cell of these fields has the value of the row above
    sections         "Stage", or ["Date", "Stage"]: rows with one cell are titles, and name the
                     stage or the date of the rows below them
    clock            "24h": times without am or pm are as written; "12h": they are on a 12-hour
                     clock, and starts are from noon to midnight; "12h from 10:00": starts are in
                     the twelve hours from then. An end is the next such time after its start
    integer_is       "hour" or "hhmm": 20 is 20:00, or 00:20; "minute": 1290 is 21:30
    length_is        "minutes", "hours", "seconds" or "days": the unit of a Duration of one number
    date_order       "day_first", "month_first" or "year_first": 01/02/2025, 01-02-03, 13-Jun-25
    year             2025, for dates that have none
    first_date       "2025-06-12": a weekday alone is the first such day from this one on
    dates            {"Day 1": "2025-06-12"}: words that stand for dates
    time_zone        "Europe/Paris", for instants: date-times with an offset, epoch (milli)seconds
    day_starts_at    "06:00": a start before it belongs to the night of the festival day before
    date_is          then also: "festival_day", if Date says that day, or "calendar_day"; the latter
                     by itself says that dates are as written
    default_length   60: the minutes of a performance that has no end
    placeholders     ["TBA"]: text that means "not announced yet"; as an end, that there is none
    popularity_is    "rank": 1 is the biggest and becomes 100; 100 and all after it become 1.
                     "score": 100 is the biggest
    popularity_none  [1000]: values that mean "no popularity"

With a year or first_date, dates may leave their year out: `4. juli`.
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
    """How a file's columns and values are meant: the options above, checked.

    `day_starts_at` is in minutes since midnight. Make one with `from_dict` or `from_json`;
    `LineupMapping()` is the kit's own contract.
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
        """The mapping of some options. Raises LineupError for a wrong or contradictory one."""
        # Only a mapping needs these checks: the function starts faster without them.
        from festival.lineup.mapped.options import checked

        return cls(**checked(options))

    @classmethod
    def from_json(cls, text: bytes | str) -> "LineupMapping":
        """The mapping of a JSON file. Raises LineupError."""
        try:
            options = json.loads(text)
        except ValueError as error:
            raise LineupError(f"the mapping is not JSON ({error}); expected an object") from None
        if not isinstance(options, dict):
            raise LineupError("the mapping is not a JSON object; expected options such as columns")
        return cls.from_dict(options)

    def to_dict(self) -> dict[str, Any]:
        """The options that differ from the defaults, as `from_dict` takes them."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        options = {name: _plain(name, value) for name, value in said.items() if value}
        if self.day_starts_at:
            options["day_starts_at"] = clock(self.day_starts_at)
        return options

    def fingerprint(self) -> str:
        """A short hash of what the mapping says, for the ledger; empty for the default."""
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
