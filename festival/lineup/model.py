"""The data types of reading: Performance, Rejection, RowWarning, and the Block that holds them."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as calendar_date
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from festival.errors import FestivalError

MINUTES_PER_DAY = 1440
FIELDS = ("Performer", "Stage", "Date", "Start", "End", "Popularity")
TIME = "Time"
END_DATE = "End date"
DURATION = "Duration"
COLUMN_FIELDS = (*FIELDS, TIME, END_DATE, DURATION)
"""What a column may hold: a field, or a part of one."""


class Performance(NamedTuple):
    """One performer on one stage, from a start to an end, on a date.

    A tuple, not a dataclass: a million of them are made on a seventh of a CPU. `start` and `end`
    are minutes since midnight of `date` (`YYYY-MM-DD`); an end after midnight is 1440 or more.
    `popularity` is 1 to 100 or None. `line` is the line of the file on which the row begins.
    """

    performer: str
    stage: str
    date: str
    start: int
    end: int
    popularity: int | None
    line: int

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """Performer, stage, date and start: the parts of the table's key."""
        return identity_of(self)

    @property
    def begins(self) -> int:
        """The start in absolute minutes, which continue from one day to the next."""
        return _day_number(self.date) * MINUTES_PER_DAY + self.start

    @property
    def ends(self) -> int:
        """The end in absolute minutes.

        >>> Performance("Abba", "Main", "2025-06-13", 1380, 1470, None, 2).ends - Performance(
        ...     "Cher", "Main", "2025-06-14", 0, 60, None, 3
        ... ).begins
        30
        """
        return self.begins + self.end - self.start

    @property
    def clock(self) -> str:
        """The start as `HH:MM`; under a mapping with a festival day it may be past `24:00`."""
        return clock(self.start)

    @property
    def sort_key(self) -> str:
        """The table's sort key: `YYYY-MM-DD#HH:MM#Stage`."""
        return f"{self.date}#{clock(self.start)}#{self.stage}"

    @property
    def key(self) -> tuple[str, str]:
        """The table's key: partition key (performer) and sort key."""
        return (self.performer, self.sort_key)


# `Performance.identity` at the speed of C, for loops over a million rows.
identity_of: Callable[[Performance], tuple[str, str, str, int]] = itemgetter(slice(4))


@lru_cache(maxsize=1_024)
def _day_number(day: str) -> int:
    try:
        return calendar_date.fromisoformat(day).toordinal()
    except ValueError:
        raise FestivalError(f"date '{day}': expected a day of the calendar") from None


def clock(minutes: int) -> str:
    """Minutes since midnight as `HH:MM`; 1530 is `25:30`."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def wall_clock(minutes: int) -> str:
    """Minutes since midnight as a wall clock shows them; 1530 is `01:30`."""
    return clock(minutes % MINUTES_PER_DAY)


class WarningKind(StrEnum):
    """What a warning is about."""

    ENCODING = "encoding"
    QUOTE = "quote"
    COLUMNS = "columns"
    HEADER = "header"
    REPEATED_KEY = "repeated key"
    PASSED_OVER = "passed over"
    DATE = "date"
    OTHER_DATE = "other date"
    CLOCK = "clock"
    NIGHT = "night"
    UTC = "utc"
    CLOCK_CHANGE = "clock change"
    LONG = "long"
    LENGTH = "length"
    NO_END = "no end"
    POPULARITY = "popularity"


class RejectionKind(StrEnum):
    """Why a row was rejected: as a whole, for one value, or because a decision is missing."""

    ROW = "row"
    VALUE = "value"
    UNSETTLED = "unsettled"


class Doubt(NamedTuple):
    """Why a value that was kept is doubtful."""

    kind: WarningKind
    reason: str


class RowWarning(NamedTuple):
    """Something changed or assumed in a row that was kept. Line 0 stands for the whole file."""

    line: int
    field: str
    value: str
    reason: str
    kind: WarningKind


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejected row: its line, the field at fault, that field's value, and why.

    `original` is the unchanged row: its cells by column name, or the line's text if it could not be
    split into cells. `option` is the mapping option that would settle the matter, if there is one.
    """

    line: int
    field: str
    value: str
    reason: str
    original: Mapping[str, Any] | str | None = dataclasses.field(
        default=None, compare=False, repr=False
    )
    kind: RejectionKind = dataclasses.field(default=RejectionKind.ROW, compare=False)
    option: str = dataclasses.field(default="", compare=False)


class Position(NamedTuple):
    """A point between two rows from which reading can resume, small enough for the ledger.

    `offset` is the byte of the stored object from which to read again (0 if the object is
    compressed or not UTF-8); `skip` is how many bytes of decoded text to skip after that. `line` is
    the number of the next physical line (CSV, JSON Lines) or of the next element (JSON array), from
    1. `above` has the titles and cells of earlier rows that also apply to later ones. The rest is
    what the reader learned from the beginning of the file.
    """

    offset: int
    skip: int
    line: int
    shape: str
    delimiter: str = ","
    encoding: str = "utf-8"
    compression: str = ""
    header: tuple[str, ...] = ()
    seen_multibyte: bool = False
    above: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return self._asdict()

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Position":
        above = tuple(fields.get("above", ()))
        return cls(**{**fields, "header": tuple(fields["header"]), "above": above})


class Block(NamedTuple):
    """Some consecutive rows of a file, and the position after them.

    `read` counts every row, including rejected ones. `end` is None if reading cannot resume
    here (a document that can only be read whole).
    """

    performances: list[Performance]
    rejections: list[Rejection]
    warnings: list[RowWarning]
    read: int
    end: Position | None


@dataclass(slots=True)
class Rows:
    """Consecutive rows before any rule is applied, as three parallel sequences.

    `lines` are their line numbers, `rows` the rows as read (a list of cells, or an object), `cells`
    the six cells of each in the order of FIELDS. `rejections` are rows that could not be split into
    cells, `warnings` what was assumed while reading. `end` is the position after the last row.
    """

    lines: Sequence[int]
    rows: Sequence[Any]
    cells: Iterable[tuple[Any, ...]]
    end: Position | None
    rejections: list[Rejection] = field(default_factory=list)
    warnings: list[RowWarning] = field(default_factory=list)


class Day(NamedTuple):
    """A date as `YYYY-MM-DD`, and what is doubtful about it."""

    text: str
    doubt: Doubt | None = None


class Lookup(NamedTuple):
    """A column whose values are the keys of objects elsewhere in the document.

    `rows` is the path to the objects, `key` the name of their key, `value` that of the value to
    take from them; empty for the whole object.
    """

    column: str
    rows: tuple[str, ...]
    key: str
    value: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The column's entry in a mapping's `lookups`."""
        entry: dict[str, Any] = {"rows": list(self.rows), "key": self.key}
        return {**entry, "value": self.value} if self.value else entry
