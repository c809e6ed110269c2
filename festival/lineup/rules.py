"""The rules of a row: its six cells to a Performance, or the first rule they break."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from festival.lineup.clocks import LAST_MINUTE, Moment, moment, parts
from festival.lineup.dates import day_of
from festival.lineup.fields import iso_date, popularity, rank
from festival.lineup.instants import EPOCH, epoch, in_zone, local
from festival.lineup.mapping import DEFAULT_MAPPING, Mapping
from festival.lineup.model import FIELDS, MINUTES_PER_DAY, Performance, Rejection, RowWarning
from festival.lineup.values import RangeEnd, RangeStart, RuleError, fold, name, shown, text_of

LONG_MINUTES = 12 * 60
_REMEMBERED = 8_192


class Settled(NamedTuple):
    """A performance, and what was changed or assumed to have it."""

    performance: Performance
    warnings: list[RowWarning]


class Times(NamedTuple):
    """Where a performance lies: its date, and minutes since that date's midnight."""

    day: str
    start: int
    end: int


class RowRules:
    """The rules of each field and of the whole row, as a mapping has them.

    The methods named after a field take one cell and raise RuleError.
    """

    def __init__(self, mapping: Mapping = DEFAULT_MAPPING) -> None:
        self._mapping = mapping
        self._is_default = mapping == DEFAULT_MAPPING
        self._placeholders = frozenset(map(fold, mapping.placeholders))
        self._none = frozenset(map(fold, mapping.popularity_none))
        # Clocks that go on past 24, as in 25:30, are read where Date is the festival day.
        late = mapping.day_starts_at if mapping.date_is == "festival_day" else 0
        self._last_start = LAST_MINUTE + late
        self._last_end = MINUTES_PER_DAY * (2 if late else 1)
        self._in_order: tuple[Callable[[Any], Any], ...] = (
            self.name,
            self.name,
            _remembering(self.day),
            _remembering(self.start),
            _remembering(self.end),
        )

    def settle(self, line: int, cells: Sequence[Any], original: Any = None) -> Settled | Rejection:
        """A row's six cells, in the order of FIELDS, as a performance; or the first broken rule."""
        kept: list[Any] = []
        try:
            for rule, cell in zip(self._in_order, cells, strict=False):
                kept.append(rule(cell))
            performer, stage, day, start, end = kept
            times = self._times(day, start, end)
        except RuleError as broken:
            at = min(len(kept), len(self._in_order) - 1)
            return Rejection(line, FIELDS[at], shown(cells[at]), str(broken), original)
        notes = list(self._assumed(times, start, end))
        score = None
        try:
            score = self.score(cells[5])
        except RuleError as broken:
            notes.append((FIELDS[5], str(broken)))
        return Settled(
            Performance(performer, stage, times.day, times.start, times.end, score, line),
            [RowWarning(line, f, shown(cells[FIELDS.index(f)]), reason) for f, reason in notes],
        )

    def name(self, cell: Any) -> str:
        """A performer or a stage."""
        text = name(cell)
        if self._placeholders and fold(text) in self._placeholders:
            raise RuleError("stands for a name that is not known yet; expected a name")
        return text

    def day(self, cell: Any) -> str:
        """The Date as `YYYY-MM-DD`; with a mapping, in any form that it makes clear."""
        if self._is_default:
            return iso_date(cell)
        dated = self._moment(cell, MINUTES_PER_DAY) if _is_dated(cell) else None
        if dated and dated.date:
            return dated.date
        text = text_of(cell)
        if not text:
            raise RuleError("is blank; expected a date")
        return day_of(text, self._mapping)

    def start(self, cell: Any) -> Moment:
        """The Start, also that of a cell with both."""
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
        """The Popularity, 1 to 100 or None."""
        if self._none and not isinstance(cell, list | dict) and fold(shown(cell)) in self._none:
            return None
        return rank(cell) if self._mapping.popularity_is == "rank" else popularity(cell)

    def is_before_day(self, start: Moment) -> bool:
        """Whether a start belongs to the night of the festival day before."""
        return start.minutes < self._mapping.day_starts_at

    def _is_no_end(self, cell: Any) -> bool:
        text = text_of(cell)
        return not text or fold(text) in self._placeholders

    def _moment(self, cell: Any, last: int) -> Moment:
        zone = self._mapping.time_zone
        if not self._is_default and (instant := epoch(cell)):
            if not zone:
                raise RuleError("is an instant; expected the mapping's time_zone to tell its time")
            return local(instant, zone, EPOCH)
        found = moment(cell, last=last)
        return in_zone(found, zone) if zone else found

    def _times(self, day: str, start: Moment, end: Moment | None) -> Times:
        length = self._mapping.default_length
        finish = start.minutes + length if end is None else end_minutes(start, end)
        if not self.is_before_day(start):
            return Times(day, start.minutes, finish)
        if self._mapping.date_is == "calendar_day":
            day = _later(day, -MINUTES_PER_DAY)
        return Times(day, start.minutes + MINUTES_PER_DAY, finish + MINUTES_PER_DAY)

    def _assumed(
        self, times: Times, start: Moment, end: Moment | None
    ) -> Iterator[tuple[str, str]]:
        if start.date and start.date != _later(times.day, times.start):
            yield "Start", f"has a date that does not fit {times.day}, the row's Date; Date is kept"
        if end is None:
            yield "End", f"is missing; taken as {self._mapping.default_length} minutes long"
            return
        if end.date and not start.date and _end_date(end) != _later(times.day, times.end):
            yield "End", f"has a date that does not fit {times.day}, the row's Date; Date is kept"
        length = times.end - times.start
        if length > LONG_MINUTES and not (start.date and end.date):
            hours, minutes = divmod(length, 60)
            yield "End", f"is taken as after midnight, which makes {hours} h {minutes:02d} min"


def end_minutes(start: Moment, end: Moment) -> int:
    """The end in minutes since midnight of the start's day.

    Where both carry a date the days between them count; else an end before the start is after
    midnight. Raises RuleError for an end before a dated start, or more than 24 hours behind it.
    """
    if not (start.date and end.date):
        return end.minutes + MINUTES_PER_DAY * (end.minutes < start.minutes)
    days = date.fromisoformat(end.date) - date.fromisoformat(start.date)
    finish = end.minutes + MINUTES_PER_DAY * days.days
    if finish < start.minutes:
        raise RuleError("is before the start; expected an end on or behind it")
    if finish - start.minutes > MINUTES_PER_DAY:
        raise RuleError("is more than 24 hours after the start; expected 24 hours at most")
    return finish


def _remembering(rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The rule with a bounded memory for what it accepts; JSON lists and objects go by it.

    Broken rules are not remembered: what is long or odd takes no memory.
    """
    remembered = lru_cache(_REMEMBERED)(rule)

    def apply(cell: Any) -> Any:
        try:
            return remembered(cell)
        except TypeError:
            return rule(cell)

    return apply


def _is_dated(cell: Any) -> bool:
    """Whether a cell is an instant or a date-time, of which a date can be taken."""
    if epoch(cell):
        return True
    try:
        return moment(cell, last=MINUTES_PER_DAY).date is not None
    except RuleError:
        return False


def _end_date(end: Moment) -> str:
    return _later(str(end.date), end.minutes)


def _later(day: str, minutes: int) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(minutes=minutes)).isoformat()
    except OverflowError:
        return day
