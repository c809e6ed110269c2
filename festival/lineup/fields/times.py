"""Times of day: one cell to minutes since midnight, and the date where the cell carries one."""

import re
from datetime import date
from typing import Any, NamedTuple

from festival.lineup.fields.text import Number, RangeEnd, RangeStart, RuleError, text_of
from festival.lineup.model import FIELDS, MINUTES_PER_DAY, clock

EXPECTED = "expected a time such as 20:00, 8:30pm, 19h30 or 2230"
LAST_MINUTE = MINUTES_PER_DAY - 1

_CLOCK = re.compile(
    r"([0-9]{1,2})"
    r"(?:([:.h])([0-9]{2})(?:[:.]([0-9]{2})(?:\.[0-9]+)?)?|(h))?"
    r"(?: ?([ap])\.? ?m\.?)?",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"([0-9]{1,2})([0-9]{2})")
_NUMBER = re.compile(r"[0-9]{1,4}")
_DATE_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]+)?)?"
    r" ?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r" ?[-‐‑‒–—―−~/] ?| (?:to|until|till|bis|tot|til|à|al?) ", re.IGNORECASE)
_START, _END = FIELDS.index("Start"), FIELDS.index("End")


class Moment(NamedTuple):
    """A time of day: minutes since midnight and the form it was written in.

    `date` and `offset` (minutes east of UTC) are there where the cell carried them.
    """

    minutes: int
    form: str
    date: str | None = None
    offset: int | None = None


def as_range(cells: tuple[Any, ...]) -> tuple[Any, ...]:
    """Six cells whose Start and End are one cell, as its start and its end."""
    parts = RangeStart(cells[_START]), RangeEnd(cells[_END])
    return (*cells[:_START], *parts, *cells[_END + 1 :])


def moment(value: Any, *, last: int = LAST_MINUTE) -> Moment:
    """The time of day in a cell. `last` is the latest minute allowed: 1439 or, for an end, 1440.

    Without am or pm an hour is a 24-hour hour; text of digits alone is HMM or HHMM; a JSON integer
    is hours × 100 + minutes; an ISO 8601 date-time gives its wall-clock time. Seconds are dropped.
    Raises RuleError.
    """
    if isinstance(value, Number):
        return _from_number(value.text, last)
    text = text_of(value)
    if not text:
        raise RuleError(f"is blank; {EXPECTED}")
    if found := _CLOCK.fullmatch(text):
        return _from_clock(found, last)
    if found := _DIGITS.fullmatch(text):
        return Moment(_minutes(found[1], found[2], last), "HHMM")
    if found := _DATE_TIME.fullmatch(text):
        return _from_date_time(found, last)
    raise RuleError(f"is no time; {EXPECTED}")


def parts(value: Any) -> tuple[str, str]:
    """The two times of a cell such as `8:30 PM – 12:15 AM`; the second may be missing.

    Raises RuleError where it is not clear which they are, or where only one of the two has am or
    pm: the other could then be meant either way.
    """
    text = text_of(value)
    splits = [(text[: at.start()], text[at.end() :]) for at in _BETWEEN.finditer(text)]
    timed = [(first, second) for first, second in splits if _is_time(first) and _is_time(second)]
    if len(timed) == 1:
        halves = {moment(each, last=MINUTES_PER_DAY).form == "8:00pm" for each in timed[0]}
        if len(halves) > 1:
            raise RuleError("has am or pm at one of its times; expected it at both or at neither")
        return timed[0]
    if _is_time(text):
        return text, ""
    if len(timed) > 1 or not (open_ended := [each for each in splits if _is_time(each[0])]):
        raise RuleError("is no range of times; expected one such as 20:00 - 21:30")
    return open_ended[0]


def calendar_day(text: str) -> str:
    """`YYYY-MM-DD` as it is, once it is a day of the calendar. Raises RuleError."""
    try:
        date.fromisoformat(text)
    except ValueError:
        raise RuleError("is no day of the calendar; expected YYYY-MM-DD") from None
    return text


def _is_time(text: str) -> bool:
    try:
        moment(text, last=MINUTES_PER_DAY)
    except RuleError:
        return False
    return True


def _from_clock(found: re.Match[str], last: int) -> Moment:
    hour, separator, minute, second, bare_h, half = found.groups()
    if not (minute or bare_h or half):
        raise RuleError(f"is no time on its own; {EXPECTED}")
    if second and int(second) > 59:
        raise RuleError("has more than 59 seconds; expected a time of day")
    if not half:
        form = "19h30" if bare_h or separator in ("h", "H") else "20:00"
        return Moment(_minutes(hour, minute or "0", last), form)
    if not 1 <= int(hour) <= 12:
        raise RuleError("is no 12-hour time; expected an hour from 1 to 12 before am or pm")
    noon = 12 if half in "pP" else 0
    return Moment(_minutes(str(int(hour) % 12 + noon), minute or "0", last), "8:00pm")


def _from_number(text: str, last: int) -> Moment:
    if not _NUMBER.fullmatch(text):
        raise RuleError("is no time; expected an integer such as 2230 for 22:30")
    hour, minute = divmod(int(text), 100)
    return Moment(_minutes(str(hour), str(minute), last), "integer")


def _from_date_time(found: re.Match[str], last: int) -> Moment:
    day, hour, minute, second, zone = found.groups()
    if second and int(second) > 59:
        raise RuleError("has more than 59 seconds; expected a time of day")
    minutes = _minutes(hour, minute, min(last, MINUTES_PER_DAY))
    form = "date-time with offset" if zone else "date-time"
    return Moment(minutes, form, calendar_day(day), _offset(zone))


def _offset(zone: str | None) -> int | None:
    if not zone:
        return None
    if zone in "zZ":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return -minutes if zone[0] == "-" else minutes


def _minutes(hour: str, minute: str, last: int) -> int:
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > last:
        latest = "23:59" if last == LAST_MINUTE else clock(last)
        raise RuleError(f"is no time of day; expected 00:00 to {latest}")
    return total
