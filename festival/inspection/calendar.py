"""Reads iCalendar files (RFC 5545, `.ics`): each event is a row, read like a workbook's rows.

An event's summary is the performer, its location the stage. If a calendar names its time zone, that
is the `time_zone`, unless the mapping has one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar

from festival.errors import LineupError
from festival.inspection.inspect import SampledFile
from festival.inspection.result import Inspection
from festival.inspection.workbook import SheetRow, inspect_numbered, read_numbered
from festival.lineup.decode import AS_CP1252, last_resort
from festival.lineup.fields.text import clean, preview
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import Block, Rejection, RowWarning, WarningKind

SHAPE = "calendar"
_HEADER = ("SUMMARY", "LOCATION", "DTSTART", "DTEND")
_COLUMNS = {
    "Performer": "SUMMARY",
    "Stage": "LOCATION",
    "Date": "DTSTART",
    "Start": "DTSTART",
    "End": "DTEND",
}
_RECURRENCE = ("RRULE", "RDATE")


def read_calendar(data: bytes, *, mapping: LineupMapping = DEFAULT_MAPPING) -> Iterator[Block]:
    """Read a calendar's events as `read_lineup` reads a file. An event's line is its first.

    A cancelled event is a rejection; a recurring event is read once, at its first time, with a
    warning. Raises LineupError if it is not a calendar or has no event.
    """
    events = _events(data, mapping)
    first = Block([], [*events.rejections], [*events.warnings], len(events.rejections), None)
    if events.rejections or events.warnings:
        yield first
    if events.rows or not events.rejections:
        yield from read_numbered(events.numbered(), mapping=_with_own(mapping, events))


def inspect_calendar(data: bytes, *, mapping: LineupMapping = DEFAULT_MAPPING) -> Inspection:
    """Inspect a calendar's events, as `inspect_lineup` does a file."""
    sampled = SampledFile(shape=SHAPE, encoding="UTF-8")
    try:
        events = _events(data, mapping)
    except LineupError as error:
        problem = replace(sampled, problem=str(error))
        return inspect_numbered(iter(()), problem, mapping, lambda proposal: ())
    return inspect_numbered(
        events.numbered(),
        sampled,
        _with_own(mapping, events),
        lambda proposal: read_calendar(data, mapping=proposal),
    )


@dataclass
class _Events:
    """A calendar's events as rows with line numbers, and the reports about single events."""

    rows: list[tuple[int, SheetRow]] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    warnings: list[RowWarning] = field(default_factory=list)
    zones: set[str] = field(default_factory=set)

    def numbered(self) -> Iterator[tuple[int, SheetRow]]:
        yield 1, _HEADER
        yield from self.rows


def _decoded(data: bytes, mapping: LineupMapping) -> tuple[str, bool]:
    """The calendar's text, and whether its encoding was assumed. Raises LineupError."""
    try:
        return data.decode(mapping.encoding or "utf-8-sig"), False
    except UnicodeDecodeError as error:
        if mapping.encoding:
            raise LineupError(f"the calendar is not {mapping.encoding}: {error.reason}") from None
    text, refusal = last_resort(data, "utf-8", multibyte=False)
    if refusal:
        raise refusal.error("the calendar")
    return text, True


def _events(data: bytes, mapping: LineupMapping) -> _Events:
    text, assumed = _decoded(data, mapping)
    lines = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip().upper() == "BEGIN:VEVENT"
    ]
    events = _Events()
    if assumed:
        events.warnings.append(RowWarning(0, "", "", AS_CP1252, WarningKind.ENCODING))
    zone = ""
    try:
        calendars = Calendar.from_ical(text, multiple=True)
    except (ValueError, KeyError, IndexError) as error:
        raise LineupError(f"the iCalendar file cannot be read: {error}") from None
    vevents = []
    for calendar in calendars:
        zone = zone or str(calendar.get("X-WR-TIMEZONE") or "")
        vevents += calendar.walk("VEVENT")
    for line, event in zip(lines, vevents, strict=False):
        _add(events, line, event)
    if zone:
        events.zones = {zone}
    if not vevents:
        raise LineupError("the calendar has no event; expected VEVENTs with DTSTART and SUMMARY")
    return events


def _add(events: _Events, line: int, event: Any) -> None:
    summary = clean(str(event.get("SUMMARY") or ""))
    if str(event.get("STATUS") or "").upper() == "CANCELLED":
        original = {"SUMMARY": summary, "STATUS": "CANCELLED"}
        events.rejections.append(
            Rejection(line, "", preview(summary), "is cancelled; expected an event", original)
        )
        return
    for name in _RECURRENCE:
        if event.get(name) is not None:
            reason = f"recurs ({name}); only its first time is read"
            events.warnings.append(
                RowWarning(line, "Start", preview(summary), reason, WarningKind.PASSED_OVER)
            )
    start, end = _value(event, "DTSTART"), _value(event, "DTEND")
    length = _value(event, "DURATION")
    if end is None and isinstance(start, datetime) and isinstance(length, timedelta):
        end = start + length
    if isinstance(start, datetime) and isinstance(start.tzinfo, ZoneInfo):
        events.zones.add(start.tzinfo.key)
    row = (summary, clean(str(event.get("LOCATION") or "")), _text(start), _text(end))
    events.rows.append((line, row))


def _value(event: Any, name: str) -> Any:
    """A property's value; if it is broken, its text, so that a rule rejects it by name."""
    prop = event.get(name)
    try:
        return None if prop is None else prop.dt
    except (AttributeError, ValueError):
        return str(prop)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value or "")


def _with_own(mapping: LineupMapping, events: _Events) -> LineupMapping:
    """The mapping, completed by the calendar's own columns and time zone."""
    given = mapping.to_dict()
    decided: Mapping[str, Any] = {**given.get("columns", {}), **given.get("constants", {})}
    own = {name: column for name, column in _COLUMNS.items() if name not in decided}
    options: dict[str, Any] = {**given, "columns": {**own, **given.get("columns", {})}}
    zones = events.zones - {"UTC", "Etc/UTC", "GMT", "Zulu"}
    if len(zones) == 1 and not mapping.time_zone:
        try:
            return LineupMapping.from_dict({**options, "time_zone": next(iter(zones))})
        except LineupError:
            pass  # a zone known only to the program that wrote the file
    return LineupMapping.from_dict(options)
