"""The rules of a row: its six cells to a Performance, or the first rule they break."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from festival.lineup.fields.popularity import iso_date, popularity
from festival.lineup.fields.text import RangeEnd, RangeStart, RuleError, name, preview
from festival.lineup.fields.times import Moment, moment, parts
from festival.lineup.model import FIELDS, MINUTES_PER_DAY, Performance, Rejection, RowWarning

LONG_MINUTES = 12 * 60
_REMEMBERED = 8_192


class AcceptedRow(NamedTuple):
    """A performance, and what was changed or assumed to have it."""

    performance: Performance
    warnings: list[RowWarning]


class Times(NamedTuple):
    """Where a performance lies: its date, and minutes since that date's midnight."""

    day: str
    start: int
    end: int


class RowRules:
    """The kit's own rules. The methods named after a field take one cell and raise RuleError."""

    def __init__(self) -> None:
        self._in_order: tuple[Callable[[Any], Any], ...] = (
            self.name,
            self.name,
            _remembering(self.day),
            _remembering(self.start),
            _remembering(self.end),
        )

    def settle(
        self, line: int, cells: Sequence[Any], original: Any = None
    ) -> AcceptedRow | Rejection:
        """A row's six cells, in the order of FIELDS, as a performance; or the first broken rule."""
        kept: list[Any] = []
        try:
            for rule, cell in zip(self._in_order, cells, strict=False):
                kept.append(rule(cell))
            performer, stage, day, start, end = kept
            times = self.times(day, start, end)
        except RuleError as broken:
            at = min(len(kept), len(self._in_order) - 1)
            return Rejection(line, FIELDS[at], preview(cells[at]), str(broken), original)
        notes = list(self.assumed(times, start, end))
        score = None
        try:
            score = self.score(cells[-1])
        except RuleError as broken:
            notes.append((FIELDS[-1], str(broken)))
        return AcceptedRow(
            Performance(performer, stage, times.day, times.start, times.end, score, line),
            [RowWarning(line, f, preview(cells[FIELDS.index(f)]), reason) for f, reason in notes],
        )

    def name(self, cell: Any) -> str:
        """A performer or a stage."""
        return name(cell)

    def day(self, cell: Any) -> str:
        """The Date as `YYYY-MM-DD`."""
        return iso_date(cell)

    def start(self, cell: Any) -> Moment:
        """The Start, also that of a cell with both."""
        return moment(parts(cell.cell)[0] if isinstance(cell, RangeStart) else cell)

    def end(self, cell: Any) -> Moment | None:
        """The End, also that of a cell with both; None where there may be none."""
        end = parts(cell.cell)[1] if isinstance(cell, RangeEnd) else cell
        return moment(end, last=MINUTES_PER_DAY)

    def score(self, cell: Any) -> int | None:
        """The Popularity, 1 to 100 or None."""
        return popularity(cell)

    def is_before_day(self, start: Moment) -> bool:
        """Whether a start belongs to the festival day before."""
        return False

    def times(self, day: str, start: Moment, end: Moment | None) -> Times:
        """The three together. Raises RuleError where the end cannot be the start's."""
        return Times(day, start.minutes, end_minutes(start, end) if end else start.minutes)

    def assumed(self, times: Times, start: Moment, end: Moment | None) -> Iterator[tuple[str, str]]:
        """What was assumed to have the times, as field and reason."""
        misfit = f"has a date that does not fit {times.day}, the row's Date; Date is kept"
        if start.date and start.date != later(times.day, times.start):
            yield "Start", misfit
        if end is None:
            return
        ends_on = later(end.date, end.minutes) if end.date and not start.date else ""
        if ends_on and ends_on != later(times.day, times.end):
            yield "End", misfit
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


def later(day: str, minutes: int) -> str:
    """The date some minutes after a day's midnight."""
    if 0 <= minutes < MINUTES_PER_DAY:
        return day
    try:
        return (date.fromisoformat(day) + timedelta(minutes=minutes)).isoformat()
    except OverflowError:
        return day


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
