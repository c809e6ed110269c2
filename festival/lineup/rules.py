"""The rules of a row: its six cells to a Performance, or the first rule they break."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache, partial
from typing import Any, NamedTuple

from festival.lineup.clocks import Moment, moment
from festival.lineup.columns import FIELDS
from festival.lineup.fields import iso_date, popularity
from festival.lineup.model import MINUTES_PER_DAY, Performance, Rejection, RowWarning
from festival.lineup.values import RuleError, name, shown

LONG_MINUTES = 12 * 60

_REMEMBERED = 8_192


def _remembering(rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The rule with a bounded memory for what it accepts; JSON lists and objects go by it."""
    remembered = lru_cache(_REMEMBERED)(rule)

    def apply(cell: Any) -> Any:
        try:
            return remembered(cell)
        except TypeError:
            return rule(cell)

    return apply


_RULES: tuple[Callable[[Any], Any], ...] = (
    name,
    name,
    _remembering(iso_date),
    _remembering(moment),
    _remembering(partial(moment, last=MINUTES_PER_DAY)),
)


class Settled(NamedTuple):
    """A performance, and what was changed or assumed to have it."""

    performance: Performance
    warnings: list[RowWarning]


def settle(line: int, cells: Sequence[Any], original: Any = None) -> Settled | Rejection:
    """A row's six cells, in the order of FIELDS, as a performance; or the first rule they break."""
    kept: list[Any] = []
    try:
        for rule, cell in zip(_RULES, cells, strict=False):
            kept.append(rule(cell))
        performer, stage, day, start, end = kept
        finish = end_minutes(start, end)
    except RuleError as broken:
        at = min(len(kept), len(_RULES) - 1)
        return Rejection(line, FIELDS[at], shown(cells[at]), str(broken), original)
    notes = list(_assumed(day, start, end, finish))
    score, note = _score(cells[5])
    if note:
        notes.append(note)
    return Settled(
        Performance(performer, stage, day, start.minutes, finish, score, line),
        [RowWarning(line, f, shown(cells[FIELDS.index(f)]), reason) for f, reason in notes],
    )


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


def _assumed(day: str, start: Moment, end: Moment, finish: int) -> Iterator[tuple[str, str]]:
    if start.date and start.date != day:
        yield "Start", f"has another date than {day}, the row's Date; Date is kept"
    if end.date and not start.date and _date_of_end(end) != _later(day, finish):
        yield "End", f"has a date that does not fit {day}, the row's Date; Date is kept"
    length = finish - start.minutes
    if length > LONG_MINUTES and not (start.date and end.date):
        hours, minutes = divmod(length, 60)
        yield "End", f"is taken as after midnight, which makes {hours} h {minutes:02d} min"


def _score(value: Any) -> tuple[int | None, tuple[str, str] | None]:
    try:
        return popularity(value), None
    except RuleError as broken:
        return None, ("Popularity", str(broken))


def _date_of_end(end: Moment) -> str:
    return _later(str(end.date), end.minutes)


def _later(day: str, minutes: int) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(minutes=minutes)).isoformat()
    except OverflowError:
        return day
