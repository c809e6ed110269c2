"""The rules of a row as a mapping changes them."""

from collections.abc import Iterator
from typing import Any

from festival.lineup.fields.popularity import popularity, rank
from festival.lineup.fields.text import (
    RangeEnd,
    RangeStart,
    RuleError,
    fold,
    name,
    preview,
    text_of,
)
from festival.lineup.fields.times import LAST_MINUTE, Moment, moment, parts
from festival.lineup.mapped.dates import day_of
from festival.lineup.mapped.instants import EPOCH, epoch, in_zone, local
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import MINUTES_PER_DAY
from festival.lineup.rules import RowRules, Times, end_minutes, later


class MappedRules(RowRules):
    """The rules with a mapping's dates, festival day, time zone, missing ends and popularities."""

    def __init__(self, mapping: LineupMapping) -> None:
        super().__init__()
        self._mapping = mapping
        self._placeholders = frozenset(map(fold, mapping.placeholders))
        self._none = frozenset(map(fold, mapping.popularity_none))
        # Clocks that go on past 24, as in 25:30, are read where Date is the festival day.
        late = mapping.day_starts_at if mapping.date_is == "festival_day" else 0
        self._last_start = LAST_MINUTE + late
        self._last_end = MINUTES_PER_DAY * (2 if late else 1)

    def name(self, cell: Any) -> str:
        """A performer or a stage that is no placeholder."""
        text = name(cell)
        if self._placeholders and fold(text) in self._placeholders:
            raise RuleError("stands for a name that is not known yet; expected a name")
        return text

    def day(self, cell: Any) -> str:
        """The Date, in any form that the mapping makes clear."""
        dated = self._moment(cell, MINUTES_PER_DAY) if _is_dated(cell) else None
        if dated and dated.date:
            return dated.date
        text = text_of(cell)
        if not text:
            raise RuleError("is blank; expected a date")
        return day_of(text, self._mapping)

    def start(self, cell: Any) -> Moment:
        """The Start, on the clocks of the mapping's time zone."""
        if isinstance(cell, RangeStart):
            cell = parts(cell.cell)[0]
        return self._moment(cell, self._last_start)

    def end(self, cell: Any) -> Moment | None:
        """The End; None where there is none and the mapping has a default length."""
        if isinstance(cell, RangeEnd):
            cell = parts(cell.cell)[1]
        if self._mapping.default_length and self._is_no_end(cell):
            return None
        return self._moment(cell, self._last_end)

    def score(self, cell: Any) -> int | None:
        """The Popularity, from a rank where it is one."""
        if self._none and not isinstance(cell, list | dict) and fold(preview(cell)) in self._none:
            return None
        return rank(cell) if self._mapping.popularity_is == "rank" else popularity(cell)

    def is_before_day(self, start: Moment) -> bool:
        """Whether a start belongs to the night of the festival day before."""
        return start.minutes < self._mapping.day_starts_at

    def times(self, day: str, start: Moment, end: Moment | None) -> Times:
        """The three together, on the festival day: a clock in its night goes on past 24."""
        length = self._mapping.default_length
        finish = end_minutes(start, end) if end else start.minutes + length
        if not self.is_before_day(start):
            return Times(day, start.minutes, finish)
        if self._mapping.date_is == "calendar_day":
            day = later(day, -MINUTES_PER_DAY)
        return Times(day, start.minutes + MINUTES_PER_DAY, finish + MINUTES_PER_DAY)

    def assumed(self, times: Times, start: Moment, end: Moment | None) -> Iterator[tuple[str, str]]:
        """What was assumed to have the times, a missing end among it."""
        yield from super().assumed(times, start, end)
        if end is None:
            yield "End", f"is missing; taken as {self._mapping.default_length} minutes long"

    def _is_no_end(self, cell: Any) -> bool:
        text = text_of(cell)
        return not text or fold(text) in self._placeholders

    def _moment(self, cell: Any, last: int) -> Moment:
        zone = self._mapping.time_zone
        if instant := epoch(cell):
            if not zone:
                raise RuleError("is an instant; expected the mapping's time_zone to tell its time")
            return local(instant, zone, EPOCH)
        found = moment(cell, last=last)
        return in_zone(found, zone) if zone else found


def _is_dated(cell: Any) -> bool:
    """Whether a cell is an instant or a date-time, of which a date can be taken."""
    if epoch(cell):
        return True
    try:
        return moment(cell, last=MINUTES_PER_DAY).date is not None
    except RuleError:
        return False
