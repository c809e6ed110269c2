"""Days and times as people ask for them, and as minutes to count with."""

import re
from contextlib import suppress
from datetime import date as calendar_date

from festival.errors import FestivalError
from festival.lineup.model import MINUTES_PER_DAY

# How far past midnight a festival day may go on: `35:59` is 11:59 of the next calendar day.
FESTIVAL_DAY_ENDS = MINUTES_PER_DAY + 12 * 60

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"(\d{1,2}):([0-5]\d)", re.ASCII)


def asked_moment(date: str, time: str) -> tuple[int, int]:
    """The calendar day's number and the minute in it; `25:30` is half past one on the next day.

    Raises FestivalError for what is no date or time.
    """
    days, minute = divmod(asked_minutes(time, "time"), MINUTES_PER_DAY)
    return asked_day(date) + days, minute


def asked_day(date: str) -> int:
    """The number of a day that is asked about; the days around it have to exist, too."""
    day = day_number(date)
    if 3 <= day < calendar_date.max.toordinal():
        return day
    raise FestivalError(f"date '{date}': expected a day with neighbours in the calendar")


def asked_minutes(time: str, what: str) -> int:
    """`HH:MM` as minutes since midnight; `what` is the time's name in the error."""
    match = _TIME.fullmatch(time)
    if match and (minutes := int(match[1]) * 60 + int(match[2])) < FESTIVAL_DAY_ENDS:
        return minutes
    raise FestivalError(f"{what} '{time}': expected HH:MM, 00:00 to 23:59, such as 21:30")


def day_number(date: str) -> int:
    """A date as the number of its day, which grows by one a day."""
    if _DATE.fullmatch(date):
        with suppress(ValueError):
            return calendar_date.fromisoformat(date).toordinal()
    raise FestivalError(f"date '{date}': expected a day of the calendar as YYYY-MM-DD")


def day_text(day: int) -> str:
    """The date of a day's number."""
    return calendar_date.fromordinal(day).isoformat()
