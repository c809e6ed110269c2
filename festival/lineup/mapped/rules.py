"""The rules for a row under a mapping."""

from collections.abc import Iterator
from typing import Any

from festival.lineup.fields.popularity import popularity, rank
from festival.lineup.fields.text import RuleError, fold, name, preview, text_of
from festival.lineup.fields.times import BARE_FORMS, HALF_DAY, LAST_MINUTE, Moment, moment
from festival.lineup.mapped.moments import date_time, in_zone
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import MINUTES_PER_DAY, Day, Doubt, RowWarning, WarningKind, clock
from festival.lineup.rules import RowRules, Times, half_day_end, later

# Of twelve hours of starts, the first one and the last two could be in the other half of the day.
_DOUBTFUL_FIRST, _DOUBTFUL_LAST = 60, HALF_DAY - 2 * 60


class MappedRules(RowRules):
    """The rules under a mapping's dates, festival day, time zone, missing ends and popularities."""

    def __init__(self, mapping: LineupMapping) -> None:
        super().__init__(mapping)
        self._placeholders = frozenset(map(fold, mapping.placeholders))
        self._none = frozenset(map(fold, mapping.popularity_none))
        # If Date is the festival day, times such as 25:30 are read.
        late = mapping.day_starts_at if mapping.date_is == "festival_day" else 0
        self._last_start = LAST_MINUTE + late
        self._last_end = MINUTES_PER_DAY * (2 if late else 1)
        self._months: dict[str, str] = {}
        # The earliest start, if the mapping says that the clock has twelve hours.
        self._earliest: int | None = None
        if mapping.clock.startswith("12h"):
            *_, first = mapping.clock.rpartition("from ")
            self._earliest = HALF_DAY if first == "12h" else moment(first).minutes

    def name(self, cell: Any) -> str:
        """A performer or a stage that is not a placeholder."""
        text = name(cell)
        if self._placeholders and fold(text) in self._placeholders:
            raise RuleError("stands for a name that is not known yet; expected a name")
        return text

    def day(self, cell: Any) -> Day:
        """The Date, in any form that is unambiguous under the mapping."""
        known = date_time(cell, self.mapping)
        if known is None or known.date is None:
            day = super().day(cell)
            self._note_month(text_of(cell), day.text)
            return day
        return Day(self._local(known).date or known.date, known.doubt)

    def _note_month(self, text: str, day: str) -> None:
        """Remember January and December dates whose year comes from the mapping."""
        year = self.mapping.year
        if year and str(year % 100) not in text and fold(text) not in dict(self.mapping.dates):
            self._months.setdefault(day[5:7], preview(text))

    def open_questions(self) -> Iterator[RowWarning]:
        """What the file as a whole leaves open, including the year of dates around New Year."""
        yield from super().open_questions()
        if {"01", "12"} <= self._months.keys():
            year = self.mapping.year
            reason = (
                f"dates of January and of December, all taken as in {year}; set the mapping's "
                "first_date, and no year, if they are around New Year"
            )
            yield RowWarning(0, "Date", self._months["01"], reason, WarningKind.DATE)

    def in_its_half(self, start: Moment) -> Moment:
        """The start in the right half of the day, if the mapping's clock has twelve hours."""
        if self._earliest is None or not _may_be_either_half(start):
            return start
        after = (start.minutes - self._earliest) % HALF_DAY
        minutes = (self._earliest + after) % MINUTES_PER_DAY
        if _DOUBTFUL_FIRST <= after < _DOUBTFUL_LAST:
            return start._replace(minutes=minutes)
        other = clock((minutes + HALF_DAY) % MINUTES_PER_DAY)
        doubt = Doubt(
            WarningKind.CLOCK,
            f"is taken as {clock(minutes)} and not {other}, by the mapping's clock",
        )
        return start._replace(minutes=minutes, doubt=doubt)

    def score(self, cell: Any) -> int | None:
        """The Popularity, which may be a rank or a value that means none."""
        if self._none and not isinstance(cell, list | dict) and fold(preview(cell)) in self._none:
            return None
        return rank(cell) if self.mapping.popularity_is == "rank" else popularity(cell)

    def is_plain_start(self, start: Moment) -> bool:
        """Whether a start is nothing but minutes, and not in the night."""
        return super().is_plain_start(start) and not self._is_in_night(start)

    def is_plain_end(self, end: Moment | None) -> bool:
        """Whether an end is nothing but minutes, whatever the start is."""
        halved = self._earliest is not None and end is not None and _may_be_either_half(end)
        return super().is_plain_end(end) and not halved

    def is_no_end(self, cell: Any) -> bool:
        """Whether a cell says that there is no end, and the mapping has a default length."""
        if not self.mapping.default_length:
            return False
        text = text_of(cell)
        return not text or fold(text) in self._placeholders

    def moment(self, cell: Any, last: int = LAST_MINUTE) -> Moment:
        """The time in a cell, as clocks in the mapping's time zone show it."""
        last = self._last_start if last == LAST_MINUTE else self._last_end
        return self._local(super().moment(cell, last))

    def times(self, day: str, start: Moment, end: Moment | None) -> Times:
        """The date, start and end on the festival day, in whose night times run past 24:00."""
        is_late = self._is_in_night(start)
        if is_late and self.mapping.date_is == "calendar_day":
            calendar, day = day, later(day, -MINUTES_PER_DAY)
        else:
            calendar = later(day, MINUTES_PER_DAY * is_late)
        finish = self.finish(calendar, start, end)
        night = MINUTES_PER_DAY * is_late
        return Times(day, start.minutes + night, finish + night)

    def finish(self, day: str, start: Moment, end: Moment | None) -> int:
        """The end in minutes since midnight of the start's day. Raises RuleError."""
        if end is None:
            return start.minutes + self.mapping.default_length
        if self._earliest is not None and _may_be_either_half(end):
            return half_day_end(start.minutes, end)
        return super().finish(day, start, end)

    def assumed(
        self, times: Times, day: Day, start: Moment, end: Moment | None
    ) -> Iterator[tuple[str, Doubt]]:
        """Each assumption and each doubt about the times, including an assumed end."""
        yield from super().assumed(times, day, start, end)
        if end is None:
            reason = f"is missing; taken as {self.mapping.default_length} minutes long"
            yield "End", Doubt(WarningKind.NO_END, reason)

    def _is_in_night(self, start: Moment) -> bool:
        return start.minutes < self.mapping.day_starts_at

    def _local(self, time: Moment) -> Moment:
        return in_zone(time, self.mapping.time_zone) if self.mapping.time_zone else time


def _may_be_either_half(time: Moment) -> bool:
    return time.form in BARE_FORMS and not time.date and 60 <= time.minutes < 13 * 60
