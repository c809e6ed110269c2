"""Reads the common forms of dates and times: `YYYY-MM-DD`, and times as minutes since midnight.

The rarer forms are in `mapped.dates` and `mapped.moments`, which are loaded only for them.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from festival.lineup.fields.text import EndParts, Number, RangeEnd, RangeStart, RuleError, text_of
from festival.lineup.model import FIELDS, MINUTES_PER_DAY, Doubt, clock

EXPECTED = "expected a time such as 20:00, 8:30pm, 19h30 or 2230"
LAST_MINUTE = MINUTES_PER_DAY - 1
HALF_DAY = 12 * 60
AM_PM = "8:00pm"
LENGTH = "length"
BARE_FORMS = frozenset(("20:00", "19h30", "HHMM", "integer"))
"""Forms without am, pm or a date: such a time may be on a 12-hour clock."""
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_CLOCK = re.compile(
    r"([0-9]{1,2})"
    r"(?:([:.hu])([0-9]{2})(?:[:.]([0-9]{2})(?:\.[0-9]+)?)?|([hu]))?"
    r"(?: ?([ap])(?:\.? ?m)?\.?)?",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"([0-9]{1,2})([0-9]{2})")
_INTEGER = re.compile(r"([0-9]{1,4})(?:\.0+)?")
_DECIMAL = re.compile(r"[0-9]{1,4}(?:\.[0-9]+)?")
_COUNT = re.compile(r"[0-9]{1,4}(?:\.[0-9])?")
_DATE_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]+)?)?"
    r" ?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r" ?[-‐‑‒–—―−~/] ?| (?:to|until|till|bis|tot|til|à|al?) ", re.IGNORECASE)
_BARE = re.compile(r"([0-9]{1,2})(?:[:.]([0-9]{2}))?")
_START, _END = FIELDS.index("Start"), FIELDS.index("End")


class Moment(NamedTuple):
    """A time of day: minutes since midnight and the form it was written in.

    `date` and `offset` (minutes east of UTC) are set if the cell has them. An end may have a
    `length` in minutes, with the time or in its place (its form is then LENGTH).
    """

    minutes: int
    form: str
    date: str | None = None
    offset: int | None = None
    length: int | None = None
    doubt: Doubt | None = None


def as_range(cells: tuple[Any, ...]) -> tuple[Any, ...]:
    """Six cells whose Start and End are one cell, each marked for the time to take from it."""
    parts = RangeStart(cells[_START]), RangeEnd(cells[_END])
    return (*cells[:_START], *parts, *cells[_END + 1 :])


def with_end_parts(cells: tuple[Any, ...], end_date: Any, duration: Any) -> tuple[Any, ...]:
    """Six cells whose End also has the cells with its date and with the length."""
    return (*cells[:_END], EndParts(cells[_END], end_date, duration), *cells[_END + 1 :])


def moment(value: Any, *, last: int = LAST_MINUTE, integer_is: str = "") -> Moment:
    """The time of day in a cell. `last` is the latest minute allowed: 1439 or, for an end, 1440.

    Without am or pm, an hour is on a 24-hour clock. Text of digits alone is HMM or HHMM. A JSON
    integer is hours × 100 + minutes, unless `integer_is` says that it counts hours or minutes; one
    from 1 to 24 is ambiguous, and a person has to decide. An ISO 8601 date-time gives its
    wall-clock time. Seconds are dropped. Raises RuleError.

    >>> moment("8:30 PM").minutes == moment("20:30").minutes == moment("2030").minutes == 1230
    True
    """
    if isinstance(value, Number):
        return _from_number(value.text, last, integer_is)
    text = text_of(value)
    if not text:
        raise RuleError(f"is blank; {EXPECTED}")
    if integer_is and _COUNT.fullmatch(text) and (len(text) < 3 or integer_is != "hhmm"):
        return _from_number(text, last, integer_is)
    if match := _CLOCK.fullmatch(text):
        return _from_clock(match, last)
    if match := _DIGITS.fullmatch(text):
        return Moment(_minutes(match[1], match[2], last), "HHMM")
    if match := _DATE_TIME.fullmatch(text):
        return _from_date_time(match, last)
    raise RuleError(f"is not a time; {EXPECTED}")


def _read(text: str) -> Moment:
    return moment(text, last=MINUTES_PER_DAY)


def parts(value: Any, read: Callable[[str], Moment] = _read) -> tuple[str, str]:
    """The two times of a cell such as `8:30 PM – 12:15 AM`; the second may be missing.

    If only one of them has am or pm, the other gets the half of the day that makes less than 12
    hours: `7-8pm` is 7pm to 8pm, `11-1am` is 11pm to 1am. `read` reads one time. Raises RuleError
    if it is not clear which times they are.
    """
    text = text_of(value)
    splits = [(text[: at.start()], text[at.end() :]) for at in _BETWEEN.finditer(text)]
    timed = [both for first, second in splits if (both := _both(first, second, read))]
    if len(timed) == 1:
        return timed[0]
    if _form_of(text, read):
        return text, ""
    if len(timed) > 1 or not (open_ended := [each for each in splits if _form_of(each[0], read)]):
        raise RuleError("is not a range of times; expected one such as 20:00 - 21:30")
    return open_ended[0]


def iso_date(value: Any) -> str:
    """A `YYYY-MM-DD` that exists in the calendar. Raises RuleError."""
    text = text_of(value)
    if not text:
        raise RuleError("is blank; expected YYYY-MM-DD")
    if not ISO_DATE.fullmatch(text):
        raise RuleError("is not a date; expected YYYY-MM-DD")
    return _calendar_day(text)


def _calendar_day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise RuleError("is not a day of the calendar; expected YYYY-MM-DD") from None
    return text


def _both(first: str, second: str, read: Callable[[str], Moment]) -> tuple[str, str] | None:
    """Two texts as two complete times, or None if they are not two times."""
    forms = [_form_of(each, read) for each in (first, second)]
    if forms[0] == forms[1] == AM_PM:
        return first, second
    if AM_PM in forms:
        at = forms.index(AM_PM)
        other = (second, first)[at]
        if not (bare := _BARE.fullmatch(other.strip())) or not 1 <= int(bare[1]) <= 12:
            return None
        known = read((first, second)[at]).minutes
        for half in ("am", "pm"):
            minutes = moment(f"{int(bare[1])}:{bare[2] or '00'}{half}").minutes
            length = (known - minutes if at else minutes - known) % MINUTES_PER_DAY
            if not length % HALF_DAY:
                raise RuleError("may be 0 or 12 hours long; expected am or pm with both times")
            if length < HALF_DAY:
                completed = f"{other.strip()}{half}"
                return (completed, second) if at else (first, completed)
    # A bare hour is on a 24-hour clock if the other time is, or if it is past 12.
    clear = any(forms) or any(e.strip().isdigit() and int(e) > 12 for e in (first, second))
    texts = [
        each if form else _full_hour(each)
        for each, form in zip((first, second), forms, strict=True)
    ]
    return (texts[0], texts[1]) if clear and all(texts) else None


def _form_of(text: str, read: Callable[[str], Moment]) -> str:
    """The form of a text's time; empty if it is not a time."""
    try:
        return read(text).form
    except RuleError:
        return ""


def _full_hour(text: str) -> str:
    hour = text.strip()
    return f"{hour}:00" if hour.isdigit() and len(hour) <= 2 and int(hour) <= 24 else ""


def _from_clock(match: re.Match[str], last: int) -> Moment:
    hour, separator, minute, second, bare_h, half = match.groups()
    if not (minute or bare_h or half):
        raise RuleError(
            "is not a time by itself; expected 20:00 or 8pm, or the mapping's integer_is: hour",
            "integer_is",
        )
    if second and int(second) > 59:
        raise RuleError("has more than 59 seconds; expected a time of day")
    if not half:
        if hour == "0" and separator == "." and not second:
            raise RuleError(
                f"may be 00:{minute} or a spreadsheet's part of a day; expected a time with a "
                "colon, such as 0:30"
            )
        form = "19h30" if bare_h or separator in (*"hHuU",) else "20:00"
        return Moment(_minutes(hour, minute or "0", last), form)
    if not 1 <= int(hour) <= 12:
        raise RuleError("is not a 12-hour time; expected an hour from 1 to 12 before am or pm")
    noon = 12 if half in "pP" else 0
    return Moment(_minutes(str(int(hour) % 12 + noon), minute or "0", last), AM_PM)


def _from_number(text: str, last: int, integer_is: str) -> Moment:
    match = _INTEGER.fullmatch(text)
    if integer_is in ("hour", "minute") and (decimal := _DECIMAL.fullmatch(text)):
        minutes = round(float(decimal[0]) * (60 if integer_is == "hour" else 1))
        return Moment(_within(minutes, last), "integer")
    if not match:
        raise RuleError(
            "is not a time; expected an integer such as 2230 for 22:30, or the mapping's "
            "integer_is: hour",
            "integer_is",
        )
    number = int(match[1])
    if 1 <= number <= 24 and not integer_is:
        raise RuleError(
            f"may be {number:02d}:00 or 00:{number:02d}; expected the mapping's integer_is, hour "
            "or hhmm, to say which",
            "integer_is",
        )
    hour, minute = divmod(number, 100)
    if minute > 59 and not integer_is:
        raise RuleError(
            "is not hours and minutes; expected an integer such as 2230 for 22:30, or the "
            "mapping's integer_is: minute",
            "integer_is",
        )
    return Moment(_minutes(str(hour), str(minute), last), "integer")


def _from_date_time(match: re.Match[str], last: int) -> Moment:
    day, hour, minute, second, zone = match.groups()
    if second and int(second) > 59:
        raise RuleError("has more than 59 seconds; expected a time of day")
    minutes = _minutes(hour, minute, min(last, MINUTES_PER_DAY))
    form = "date-time with offset" if zone else "date-time"
    return Moment(minutes, form, _calendar_day(day), _offset(zone))


def _offset(zone: str | None) -> int | None:
    if not zone:
        return None
    if zone in "zZ":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return -minutes if zone[0] == "-" else minutes


def _minutes(hour: str, minute: str, last: int) -> int:
    if int(minute) > 59:
        raise RuleError(f"is not a time of day; expected 00:00 to {_latest(last)}")
    return _within(int(hour) * 60 + int(minute), last)


def _within(minutes: int, last: int) -> int:
    if minutes <= last:
        return minutes
    expected = f"is not a time of day; expected 00:00 to {_latest(last)}"
    if minutes < MINUTES_PER_DAY + HALF_DAY:
        option = "or the mapping's day_starts_at, if the clock goes on past midnight"
        raise RuleError(f"{expected}, {option}", "day_starts_at")
    raise RuleError(expected)


def _latest(last: int) -> str:
    return "23:59" if last == LAST_MINUTE else clock(last)
