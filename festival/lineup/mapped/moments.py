"""The rarer forms of times, dates and lengths: words, instants, spreadsheet numbers."""

import re
from collections.abc import Container
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from festival.lineup.fields.text import Number, RuleError, fold, text_of
from festival.lineup.fields.times import Moment, moment
from festival.lineup.mapped.dates import day_of, written
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
_SAID = re.compile(
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
_SAID_LENGTH = re.compile(
    r"(?:([0-9]{1,2}(?:[.,][0-9]+)?) ?(?:h|hrs?|hours?|std|stunden?|heures?|uur|timer?)\.?)?"
    r"[ ,]*(?:([0-9]{1,4}) ?(?:m|min|mins|minutes?|minuten?|minuter?|')?\.?)?",
    re.IGNORECASE,
)


_COMPACT = re.compile(r"([0-9]{8})T([0-9]{4})(?:[0-9]{2})?(Z?)", re.IGNORECASE)


def rare_moment(cell: Any, mapping: LineupMapping, last: int) -> Moment | None:
    """The time in a cell of a rarer form, or None. Raises RuleError if an option is missing."""
    if instant := epoch(cell):
        if not mapping.time_zone:
            raise RuleError(
                "is an instant; expected the mapping's time_zone to tell its time", "time_zone"
            )
        return local(instant, mapping.time_zone, EPOCH)
    text = text_of(cell)
    if compact := _COMPACT.fullmatch(text):
        day, time, zone = compact.groups()
        return moment(f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:]}{zone}", last=last)
    if (found := _from_spreadsheet(text, isinstance(cell, Number), last)) is not None:
        return found
    if len(text) > _LONGEST_CHARACTERS:
        return None
    return _in_words(text, last) or _date_and_time(text, mapping)


def dated(cell: Any, mapping: LineupMapping) -> Moment | None:
    """What a cell says that is an instant or a date-time; None if it is neither."""
    try:
        found = moment(cell, last=MINUTES_PER_DAY)
    except RuleError:
        if isinstance(cell, list | dict | bool):
            return None
        return rare_moment(cell, mapping, MINUTES_PER_DAY)
    return found if found.date else None


def day_in(text: str, mapping: LineupMapping) -> Day:
    """The date of a text that is not YYYY-MM-DD. Raises RuleError if it is ambiguous."""
    try:
        return day_of(text, mapping)
    except RuleError as broken:
        if broken.option and broken.option != "dates":
            raise
        found = dated(text, mapping)
        if found and found.date and found.offset is None:
            return Day(found.date, found.doubt)
        if found and found.date:
            raise RuleError(
                "is an instant; expected the mapping's time_zone to tell its date", "time_zone"
            ) from None
        if days := _DAYS.fullmatch(text):
            return _spreadsheet_day(int(days[1]))
        raise


def minutes_long(cell: Any, length_is: str = "") -> int:
    """The minutes of a length: `1:30`, `90`, `90 min`, `1h30`, `PT1H30M`. Raises RuleError.

    A bare number is in the unit of the mapping's `length_is`; without one, 10 to 1440 are minutes,
    and any other number has to be settled.
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
    elif found := _CLOCK_LENGTH.fullmatch(text):
        minutes = int(found[1]) * 60 + int(found[2])
    elif (found := _ISO_LENGTH.fullmatch(text)) and any(found.groups()):
        days, hours, rest = (int(each or 0) for each in found.groups())
        minutes = (days * 24 + hours) * 60 + rest
    elif (found := _SAID_LENGTH.fullmatch(text)) and any(found.groups()):
        hours_said = float((found[1] or "0").replace(",", "."))
        minutes = round(hours_said * 60) + int(found[2] or 0)
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
    found = _DAYS.fullmatch(text)
    if not found or not found[2]:
        return None
    day = _spreadsheet_day(int(found[1]))
    minutes = min(_minutes_of(f"0.{found[2]}"), MINUTES_PER_DAY - 1)
    return Moment(minutes, SPREADSHEET, day.text, doubt=day.doubt)


def _minutes_of(part: str) -> int:
    return round(float(part.replace(",", ".")) * MINUTES_PER_DAY)


def _spreadsheet_day(days: int) -> Day:
    day = (_DAY_0 + timedelta(days=days)).isoformat()
    said = f"is a spreadsheet's day number, taken as {day}"
    return Day(day, Doubt(WarningKind.DATE, said))


def _in_words(text: str, last: int) -> Moment | None:
    word = fold(text)
    if word in _NOONS or word in _MIDNIGHTS:
        return Moment(MINUTES_PER_DAY // 2 * (word in _NOONS), WORD)
    found = _SAID.fullmatch(text)
    if not found or not (found["before"] or found["after"]):
        return None
    time = found["time"].rstrip(".:")
    try:
        hours = moment(time, last=last, integer_is="hour" if len(time) <= 2 else "")
    except RuleError:
        return None
    return hours._replace(form="20:00")


def _date_and_time(text: str, mapping: LineupMapping) -> Moment | None:
    if found := date_beside_time(text, dict(mapping.dates)):
        day, time = found
        told = day_of(day, mapping)
        return Moment(time.minutes, "date-time", told.text, doubt=told.doubt)
    return None


def date_beside_time(text: str, labels: Container[str] = ()) -> tuple[str, Moment] | None:
    """A text's date and the time beside it; folded `labels` are dates, too."""
    for divider in _DIVIDER.finditer(text):
        halves = text[: divider.start()], text[divider.end() :]
        for day, time in (halves, halves[::-1]):
            if time.isdigit() or not (written(day) or fold(day) in labels):
                continue
            if found := _time(time):
                return day, found
    return None


def _time(text: str) -> Moment | None:
    try:
        found: Moment | None = moment(text)
    except RuleError:
        found = _in_words(text, MINUTES_PER_DAY - 1)
    return found if found and not found.date else None


def epoch(value: Any) -> datetime | None:
    """The instant of 9 or 10 digits (seconds since 1970) or 12 or 13 (milliseconds), or None."""
    text = value.text if isinstance(value, Number) else text_of(value)
    found = _EPOCH.fullmatch(text)
    if not found:
        return None
    count = int(found[1])
    seconds = count if len(found[1]) <= _SECONDS_DIGITS else count / 1000
    return datetime.fromtimestamp(seconds, UTC)


def local(instant: datetime, zone: str, form: str) -> Moment:
    """An instant as a time zone's clocks show it; one that they show twice is doubtful."""
    there = instant.astimezone(ZoneInfo(zone))
    minutes = there.hour * 60 + there.minute
    offset = there.utcoffset() or timedelta()
    found = Moment(minutes, form, there.date().isoformat(), offset // timedelta(minutes=1))
    if not there.fold:
        return found
    said = f"is the second {clock(minutes)} of a night in which the clocks go back"
    return found._replace(doubt=Doubt(WarningKind.CLOCK_CHANGE, said))


def in_zone(moment: Moment, zone: str) -> Moment:
    """A moment as a time zone's clocks show it; one without an offset is already local."""
    if moment.offset is None or moment.date is None:
        return moment
    try:
        midnight = datetime.fromisoformat(moment.date).replace(tzinfo=UTC)
        return local(
            midnight + timedelta(minutes=moment.minutes - moment.offset), zone, moment.form
        )
    except OverflowError:
        raise RuleError("is outside the calendar; expected a date-time") from None
