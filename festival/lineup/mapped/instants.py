"""Instants in a time zone: date-times with an offset and epoch numbers as wall-clock times."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from festival.lineup.fields.text import Number, RuleError, text_of
from festival.lineup.fields.times import Moment
from festival.lineup.model import Doubt, WarningKind, clock

EPOCH = "epoch"
_EPOCH = re.compile(r"([0-9]{9,10}|[0-9]{12,13})(?:\.[0-9]+)?")
_SECONDS_DIGITS = 10


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
    """An instant as the clocks of a time zone show it; one that they show twice is doubtful."""
    there = instant.astimezone(ZoneInfo(zone))
    minutes = there.hour * 60 + there.minute
    offset = there.utcoffset() or timedelta()
    found = Moment(minutes, form, there.date().isoformat(), offset // timedelta(minutes=1))
    if not there.fold:
        return found
    said = f"is the second {clock(minutes)} of a night in which the clocks go back"
    return found._replace(doubt=Doubt(WarningKind.CLOCK_CHANGE, said))


def in_zone(moment: Moment, zone: str) -> Moment:
    """A moment as the clocks of a time zone show it; one without an offset is there already."""
    if moment.offset is None or moment.date is None:
        return moment
    try:
        midnight = datetime.fromisoformat(moment.date).replace(tzinfo=UTC)
        return local(
            midnight + timedelta(minutes=moment.minutes - moment.offset), zone, moment.form
        )
    except OverflowError:
        raise RuleError("is outside the calendar; expected a date-time") from None
