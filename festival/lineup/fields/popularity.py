"""Dates as the kit writes them, and popularities: each rule a pure function of one cell."""

import re
from typing import Any

from festival.lineup.fields.text import RuleError, text_of
from festival.lineup.fields.times import calendar_day

ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BEST = 100
_WHOLE = re.compile(r"([0-9]{1,9})(?:\.0+)?")


def iso_date(value: Any) -> str:
    """A `YYYY-MM-DD` that is a day of the calendar. Raises RuleError."""
    text = text_of(value)
    if not text:
        raise RuleError("is blank; expected YYYY-MM-DD")
    if not ISO_DATE.fullmatch(text):
        raise RuleError("is not a date; expected YYYY-MM-DD")
    return calendar_day(text)


def popularity(value: Any) -> int | None:
    """A whole number from 1 to 100, or None for a blank. Raises RuleError for anything else.

    `80.0` is whole: spreadsheets and pandas write it so once a cell of the column is blank.
    """
    score = _whole(text_of(value))
    if score is not None and not 1 <= score <= _BEST:
        raise RuleError(
            "is not a whole number from 1 to 100; kept without it, unless popularity_is: rank",
            "popularity_is",
        )
    return score


def rank(value: Any) -> int | None:
    """The popularity of a rank, 1 being the biggest: 101 minus the rank, and at least 1.

    None for a blank. Raises RuleError for anything but a whole number from 1 on.
    """
    place = _whole(text_of(value))
    if place is None:
        return None
    if place < 1:
        raise RuleError("is not a rank, a whole number from 1 on; kept without it")
    return max(1, _BEST + 1 - place)


def _whole(text: str) -> int | None:
    if not text:
        return None
    found = _WHOLE.fullmatch(text)
    if not found:
        raise RuleError("is not a whole number; kept without it")
    return int(found[1])
