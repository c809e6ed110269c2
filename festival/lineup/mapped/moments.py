"""Reads the rarer forms of times, dates and lengths: words, instants, spreadsheet numbers."""

import re
from collections.abc import Container
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from festival.lineup.fields.text import Number, RuleError, fold, text_of
from festival.lineup.fields.times import Moment, moment
from festival.lineup.mapped.dates import date_readings, day_of
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import MINUTES_PER_DAY, Day, Doubt, WarningKind, clock

EPOCH = "epoch"
_EPOCH = re.compile(r"([0-9]{9,10}|[0-9]{12,13})(?:\.[0-9]+)?")
_SECONDS_DIGITS = 10
WORD = "word"
SPREADSHEET = "spreadsheet number"
_NOONS = frozenset(map(fold, ("noon", "12 noon", "midday", "mittag", "midi", "mezzogiorno")))
_MIDNIGHTS = frozenset(
    map(fold, ("midnight", "12 midnight", "mitternacht", "minuit", "medianoche", "mezzanotte"))
)
_SPELLED_TIME = re.compile(
    r"(?P<before>(?:kl|klo|um|at|à)\.? ?)?(?P<time>[0-9][0-9:.]*(?:h[0-9]{2})?)"
    r"(?P<after> ?(?:uhr|uur|hrs?|hours|heures?|h)\.?)?",
    re.IGNORECASE,
)
_PART_OF_A_DAY = re.compile(r"0?[.,][0-9]+")
_DAYS = re.compile(r"([2-7][0-9]{4})(?:[.,]([0-9]+))?")
_DAY_0 = date(1899, 12, 30)
_DIVIDER = re.compile(r",? (?:(?:at|um|om|kl\.?|@|-|–|·|\|) )?", re.IGNORECASE)
_LONGEST_CHARACTERS = 60
_CLOCK_LENGTH = re.compile(r"([0-9]{1,2}):([0-5][0-9])(?::[0-5][0-9])?")
_NUMBER = re.compile(r"[0-9]{1,9}(?:[.,][0-9]+)?")
_LEAST_MINUTES = 10
_UNITS = {"minutes": 1.0, "hours": 60.0, "seconds": 1 / 60, "days": float(MINUTES_PER_DAY)}
_ISO_LENGTH = re.compile(
    r"P(?:([0-9]{1,2})D)?(?:T(?:([0-9]{1,4})H)?(?:([0-9]{1,4})M)?(?:[0-9]+S)?)?", re.IGNORECASE
)
_SPELLED_LENGTH = re.compile(
    r"(?:([0-9]{1,2}(?:[.,][0-9]+)?) ?(?:h|hrs?|hours?|std|stunden?|heures?|uur|timer?)\.?)?"
    r"[ ,]*(?:([0-9]{1,4}) ?(?:m|min|mins|minutes?|minuten?|minuter?|')?\.?)?",
    re.IGNORECASE,
)


_COMPACT = re.compile(r"([0-9]{8})T([0-9]{4})(?:[0-9]{2})?(Z?)", re.IGNORECASE)


def rare_moment(cell: Any, mapping: LineupMapping, last: int) -> Moment | None:
    """The time in a cell of a rarer form, or None. Raises RuleError if it needs an option."""
    if instant := epoch(cell):
        if not mapping.time_zone:
            raise RuleError(
                "is an instant; expected the mapping's time_zone for its time", "time_zone"
            )
        return local(instant, mapping.time_zone, EPOCH)
    text = text_of(cell)
    if compact := _COMPACT.fullmatch(text):
        day, time, zone = compact.groups()
        return moment(f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:]}{zone}", last=last)
    if (time_of_day := _from_spreadsheet(text, isinstance(cell, Number), last)) is not None:
        return time_of_day
    if len(text) > _LONGEST_CHARACTERS:
        return None
    return _in_words(text, last) or _date_and_time(text, mapping)


def date_time(cell: Any, mapping: LineupMapping) -> Moment | None:
    """The date and time in a cell that is an instant or a date-time; None if it is neither."""
    try:
        time = moment(cell, last=MINUTES_PER_DAY)
    except RuleError:
        if isinstance(cell, list | dict | bool):
            return None
        return rare_moment(cell, mapping, MINUTES_PER_DAY)
    return time if time.date else None


def day_in(text: str, mapping: LineupMapping) -> Day:
    """The date of a text that is not YYYY-MM-DD. Raises RuleError if it is ambiguous."""
    try:
        return day_of(text, mapping)
    except RuleError as broken:
        if broken.option and broken.option != "dates":
            raise
        known = date_time(text, mapping)
        if known and known.date and known.offset is None:
            return Day(known.date, known.doubt)
        if known and known.date:
            raise RuleError(
                "is an instant; expected the mapping's time_zone for its date", "time_zone"
            ) from None
        if days := _DAYS.fullmatch(text):
            return _spreadsheet_day(int(days[1]))
        raise


def minutes_long(cell: Any, length_is: str = "") -> int:
    """The minutes of a length: `1:30`, `90`, `90 min`, `1h30`, `PT1H30M`. Raises RuleError.

    A bare number is in the unit of the mapping's `length_is`. Without that, 10 to 1440 are minutes,
    and a person has to decide about any other number.
    """
    text = text_of(cell)
    if _NUMBER.fullmatch(text):
        number = float(text.replace(",", "."))
        is_plain = number.is_integer() and _LEAST_MINUTES <= number <= MINUTES_PER_DAY
        if number and not (length_is or is_plain):
            raise RuleError(
                f"has the Duration '{text}', of an unknown unit; expected the mapping's length_is: "
                "minutes, hours, seconds or days",
                "length_is",
            )
        minutes = round(number * _UNITS[length_is or "minutes"])
    elif match := _CLOCK_LENGTH.fullmatch(text):
        minutes = int(match[1]) * 60 + int(match[2])
    elif (match := _ISO_LENGTH.fullmatch(text)) and any(match.groups()):
        days, hours, rest = (int(each or 0) for each in match.groups())
        minutes = (days * 24 + hours) * 60 + rest
    elif (match := _SPELLED_LENGTH.fullmatch(text)) and any(match.groups()):
        minutes = round(float((match[1] or "0").replace(",", ".")) * 60) + int(match[2] or 0)
    else:
        raise RuleError(
            f"has the Duration '{text}', which is not a length; expected one such as 1:30 or 90, "
            "in minutes"
        )
    if minutes > MINUTES_PER_DAY:
        raise RuleError(
            f"has the Duration '{text}', more than 24 hours; expected hours and minutes, such as "
            "1:30, or minutes"
        )
    return minutes


def _from_spreadsheet(text: str, is_number: bool, last: int) -> Moment | None:
    if _PART_OF_A_DAY.fullmatch(text):
        digits = text.partition(".")[2]
        # 0.30 may be half past midnight; 0.75 may not.
        if not is_number and len(digits) == 2 and int(digits) < 60:
            return None
        return Moment(min(_minutes_of(text), last), SPREADSHEET)
    days = _DAYS.fullmatch(text)
    if not days or not days[2]:
        return None
    day = _spreadsheet_day(int(days[1]))
    minutes = min(_minutes_of(f"0.{days[2]}"), MINUTES_PER_DAY - 1)
    return Moment(minutes, SPREADSHEET, day.text, doubt=day.doubt)


def _minutes_of(part: str) -> int:
    return round(float(part.replace(",", ".")) * MINUTES_PER_DAY)


def _spreadsheet_day(days: int) -> Day:
    day = (_DAY_0 + timedelta(days=days)).isoformat()
    reason = f"is a spreadsheet's day number, taken as {day}"
    return Day(day, Doubt(WarningKind.DATE, reason))


def _in_words(text: str, last: int) -> Moment | None:
    word = fold(text)
    if word in _NOONS or word in _MIDNIGHTS:
        return Moment(MINUTES_PER_DAY // 2 * (word in _NOONS), WORD)
    spelled = _SPELLED_TIME.fullmatch(text)
    if not spelled or not (spelled["before"] or spelled["after"]):
        return None
    time = spelled["time"].rstrip(".:")
    try:
        hours = moment(time, last=last, integer_is="hour" if len(time) <= 2 else "")
    except RuleError:
        return None
    return hours._replace(form="20:00")


def _date_and_time(text: str, mapping: LineupMapping) -> Moment | None:
    if parts := date_beside_time(text, dict(mapping.dates)):
        text, time = parts
        day = day_of(text, mapping)
        return Moment(time.minutes, "date-time", day.text, doubt=day.doubt)
    return None


def date_beside_time(text: str, labels: Container[str] = ()) -> tuple[str, Moment] | None:
    """The date in a text, and the time beside it; folded `labels` count as dates."""
    for divider in _DIVIDER.finditer(text):
        halves = text[: divider.start()], text[divider.end() :]
        for day, time in (halves, halves[::-1]):
            if time.isdigit() or not (date_readings(day) or fold(day) in labels):
                continue
            if moment_of_day := _time(time):
                return day, moment_of_day
    return None


def _time(text: str) -> Moment | None:
    try:
        time: Moment | None = moment(text)
    except RuleError:
        time = _in_words(text, MINUTES_PER_DAY - 1)
    return time if time and not time.date else None


def epoch(value: Any) -> datetime | None:
    """The instant in 9 or 10 digits (seconds since 1970) or 12 or 13 (milliseconds), or None."""
    text = value.text if isinstance(value, Number) else text_of(value)
    digits = _EPOCH.fullmatch(text)
    if not digits:
        return None
    count = int(digits[1])
    seconds = count if len(digits[1]) <= _SECONDS_DIGITS else count / 1000
    return datetime.fromtimestamp(seconds, UTC)


def local(instant: datetime, zone: str, form: str) -> Moment:
    """An instant as a time zone's clocks show it; doubtful if they show that time twice."""
    shown = instant.astimezone(ZoneInfo(zone))
    minutes = shown.hour * 60 + shown.minute
    offset = shown.utcoffset() or timedelta()
    result = Moment(minutes, form, shown.date().isoformat(), offset // timedelta(minutes=1))
    if not shown.fold:
        return result
    reason = f"is the second {clock(minutes)} of a night in which the clocks go back"
    return result._replace(doubt=Doubt(WarningKind.CLOCK_CHANGE, reason))


def in_zone(moment: Moment, zone: str) -> Moment:
    """A moment as a time zone's clocks show it. One without an offset is local already."""
    if moment.offset is None or moment.date is None:
        return moment
    try:
        midnight = datetime.fromisoformat(moment.date).replace(tzinfo=UTC)
        return local(
            midnight + timedelta(minutes=moment.minutes - moment.offset), zone, moment.form
        )
    except OverflowError:
        raise RuleError("is outside the calendar; expected a date-time") from None
