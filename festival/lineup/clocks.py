"""Times of day: one cell to minutes since midnight, and the date where the cell carries one."""

import re
from datetime import date
from typing import Any, NamedTuple

from festival.lineup.model import MINUTES_PER_DAY
from festival.lineup.values import Number, RuleError, text_of

EXPECTED = "expected a time such as 20:00, 8:30pm, 19h30 or 2230"

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


class Moment(NamedTuple):
    """A time of day: minutes since midnight and the form it was written in.

    `date` and `offset` (minutes east of UTC) are there where the cell carried them.
    """

    minutes: int
    form: str
    date: str | None = None
    offset: int | None = None


def moment(value: Any, *, last: int = MINUTES_PER_DAY - 1) -> Moment:
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


def calendar_day(text: str) -> str:
    """`YYYY-MM-DD` as it is, once it is a day of the calendar. Raises RuleError."""
    try:
        date.fromisoformat(text)
    except ValueError:
        raise RuleError("is no day of the calendar; expected YYYY-MM-DD") from None
    return text


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
    return Moment(_minutes(hour, minute, last), "date-time", calendar_day(day), _offset(zone))


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
        latest = "24:00" if last == MINUTES_PER_DAY else f"{last // 60:02d}:{last % 60:02d}"
        raise RuleError(f"is no time of day; expected 00:00 to {latest}")
    return total
