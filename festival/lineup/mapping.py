"""What a person says about a file whose columns or values are not the kit's own.

A mapping is small and explicit: what changes a value is decided in it and never guessed. It is a
JSON object; `festival inspect` proposes one. Its options, each of which may be left out:

    columns          {"Performer": "act", "Time": "set times", "Popularity": null}: which column is
                     which field, where names and aliases do not tell it; null: no column is. "Time"
                     is one column with start and end. Date and Start may be one column, of
                     date-times. A dot goes into a JSON object: "stage.name"
    constants        {"Stage": "Main"}: what is the same in every row and not in the file
    rows             ["<Date>", "<Stage>"] or ["data", "acts"]: where the rows of a JSON document
                     are: keys to go into, in angle brackets the field that the keys are, "*" any
    date_order       "day_first" or "month_first", for 01/02/2025
    year             2025, for dates that have none
    first_date       "2025-06-12": a weekday alone is the first such day from this one on
    dates            {"Day 1": "2025-06-12"}: words that stand for dates
    time_zone        "Europe/Paris", for instants: date-times with an offset, epoch (milli)seconds
    day_starts_at    "06:00": a start before it belongs to the night of the festival day before
    date_is          then also: "festival_day", if Date says that day, or "calendar_day"
    default_length   60: the minutes of a performance that has no end
    placeholders     ["TBA"]: a performer or stage that is none yet; as an end, no end
    popularity_is    "rank": 1 is the biggest and becomes 100, 100 and all behind it become 1
    popularity_none  [1000]: what says that there is no popularity

Given any option, dates may also be written `Thursday June 13 2024`, `4. juli` or `2024/06/13`.
"""

import hashlib
import json
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, fields
from typing import Any

from festival.errors import LineupError
from festival.lineup.model import clock

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class LineupMapping:
    """How a file's columns and values are meant: the options above, checked and made plain.

    `day_starts_at` is in minutes since midnight. Make one with `from_dict` or `from_json`;
    `LineupMapping()` is the kit's own contract.
    """

    columns: tuple[tuple[str, str | None], ...] = ()
    constants: Pairs = ()
    rows: tuple[str, ...] = ()
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
        # Only a mapping needs its checks: the function starts faster without them.
        from festival.lineup.mapped.options import checked

        return cls(**checked(options))

    @classmethod
    def from_json(cls, text: bytes | str) -> "LineupMapping":
        """The mapping of a JSON file. Raises LineupError."""
        try:
            options = json.loads(text)
        except ValueError as error:
            raise LineupError(f"the mapping is no JSON ({error}); expected an object") from None
        if not isinstance(options, dict):
            raise LineupError("the mapping is no JSON object; expected options such as columns")
        return cls.from_dict(options)

    def to_dict(self) -> dict[str, Any]:
        """The options that differ from the default, as `from_dict` takes them."""
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
    return list(value) if isinstance(value, tuple) else value


DEFAULT_MAPPING = LineupMapping()
