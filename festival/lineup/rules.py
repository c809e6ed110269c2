"""The rules for a row: they turn its six cells into a Performance, or say why they cannot."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from festival.lineup.fields.popularity import popularity
from festival.lineup.fields.text import (
    EndParts,
    RangeEnd,
    RangeStart,
    RuleError,
    name,
    preview,
    text_of,
)
from festival.lineup.fields.times import (
    AM_PM,
    BARE_FORMS,
    HALF_DAY,
    ISO_DATE,
    LENGTH,
    Moment,
    iso_date,
    moment,
    parts,
)
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import (
    FIELDS,
    MINUTES_PER_DAY,
    Day,
    Doubt,
    Performance,
    Rejection,
    RejectionKind,
    RowWarning,
    WarningKind,
    clock,
)

LONG_MINUTES = 12 * 60
NIGHT_ENDS = 6 * 60
_FROM_ABOVE = "or the mapping's fill_down, if the row above has the value"
_NOTHING_KNOWN = (None,) * 5


class AcceptedRow(NamedTuple):
    """A performance, and what was changed or assumed to get it."""

    performance: Performance
    warnings: list[RowWarning]


class Times(NamedTuple):
    """A performance's date, and its start and end in minutes since that date's midnight."""

    day: str
    start: int
    end: int


@dataclass(slots=True)
class SeenTimes:
    """The kinds of times that a file has shown so far.

    Three fields hold an example: `half_day` of a time that could be on a 12-hour clock, `night` of
    a start before 06:00, `utc` of a time that ends in Z. `full_day` says that the file has a time
    on a 24-hour clock, `am_pm` that it has one with am or pm.
    """

    half_day: str = ""
    full_day: bool = False
    am_pm: bool = False
    night: str = ""
    utc: str = ""

    def note(self, cell: Any, time: Moment, *, is_start: bool) -> None:
        """Remember what a cell's time reveals about its file."""
        if time.offset == 0 and not self.utc:
            self.utc = preview(cell)
        if time.form == AM_PM:
            self.am_pm = True
        elif time.date:
            self.full_day = True
        elif time.form in BARE_FORMS:
            if time.minutes // 60 in range(1, 13):
                self.half_day = self.half_day or preview(cell)
            else:
                self.full_day = True
        if is_start and not time.date and time.minutes < NIGHT_ENDS and not self.night:
            self.night = preview(cell)


class RowRules:
    """The kit's own rules. The methods named after a field take one cell and raise RuleError."""

    def __init__(self, mapping: LineupMapping = DEFAULT_MAPPING) -> None:
        self.mapping = mapping
        self.seen = SeenTimes()
        self._in_order: tuple[Callable[[Any], Any], ...] = (
            *(self.name, self.stage),
            *(self.day, self.start, self.end),
        )

    def settle(
        self, line: int, cells: Sequence[Any], known: Sequence[Any] = _NOTHING_KNOWN
    ) -> AcceptedRow | Rejection:
        """Turn a row's six cells, in FIELDS order, into a performance, or reject it.

        A rejection names the first rule that is broken. `known` has the results of the rules for
        the first five cells, or None for those not yet known.
        """
        values: list[Any] = []
        try:
            for rule, cell, value in zip(self._in_order, cells, known, strict=False):
                values.append(rule(cell) if value is None else value)
            performer, stage, day, start, end = values
            times = self.times(day.text, start, end)
        except RuleError as broken:
            at = min(len(values), len(self._in_order) - 1)
            reason, option = str(broken), broken.option
            if cells[at] is None and not option:
                reason, option = f"{reason}, or the mapping's columns to say where it is", "columns"
            kind = RejectionKind.UNSETTLED if option else RejectionKind.VALUE
            return Rejection(line, FIELDS[at], preview(cells[at]), reason, None, kind, option)
        notes = list(self.assumed(times, day, start, end))
        score = None
        try:
            score = self.score(cells[-1])
        except RuleError as broken:
            notes.append((FIELDS[-1], Doubt(WarningKind.POPULARITY, str(broken))))
        return AcceptedRow(
            Performance(performer, stage, times.day, times.start, times.end, score, line),
            [_warning(line, field, cells[FIELDS.index(field)], doubt) for field, doubt in notes],
        )

    def name(self, cell: Any) -> str:
        """A performer or a stage."""
        return name(cell)

    def stage(self, cell: Any) -> str:
        """A stage; if it is blank, the reason says that it may be in the row above."""
        if _is_blank_text(cell):
            raise RuleError(f"is blank; expected text, {_FROM_ABOVE}", "fill_down")
        return self.name(cell)

    def day(self, cell: Any) -> Day:
        """The Date, in any unambiguous form."""
        text = text_of(cell)
        if _is_blank_text(cell):
            raise RuleError(f"is blank; expected YYYY-MM-DD, {_FROM_ABOVE}", "fill_down")
        if not text or ISO_DATE.fullmatch(text):
            return Day(iso_date(text))
        # Few files have dates in words: the function starts faster without the code for them.
        from festival.lineup.mapped.moments import day_in

        return day_in(text, self.mapping)

    def start(self, cell: Any) -> Moment:
        """The Start, from its own cell or from one with both times."""
        if isinstance(cell, RangeStart):
            cell = parts(cell.cell, self._part)[0]
        start = self.in_its_half(self.moment(cell))
        self.seen.note(cell, start, is_start=True)
        return start

    def in_its_half(self, start: Moment) -> Moment:
        """The start in the right half of the day; only a mapping's 12-hour clock changes it."""
        return start

    def end(self, cell: Any) -> Moment | None:
        """The End, from its own cell or from one with both times; None if it may be missing."""
        if isinstance(cell, EndParts):
            return self._end_of(cell)
        if isinstance(cell, RangeEnd):
            cell = parts(cell.cell, self._part)[1]
        if self.is_no_end(cell):
            return None
        try:
            end = self.moment(cell, MINUTES_PER_DAY)
        except RuleError as broken:
            raise _not_an_end(cell, broken) from None
        self.seen.note(cell, end, is_start=False)
        return end

    def score(self, cell: Any) -> int | None:
        """The Popularity, 1 to 100 or None."""
        return popularity(cell)

    def is_plain_start(self, start: Moment) -> bool:
        """Whether a start is nothing but minutes, without a date or a doubt."""
        return not (start.date or start.doubt)

    def is_plain_end(self, end: Moment | None) -> bool:
        """Whether an end is nothing but minutes, without a date, a doubt or a length."""
        return end is not None and not (end.date or end.doubt) and end.length is None

    def is_no_end(self, cell: Any) -> bool:
        """Whether a cell says that there is no end, and the mapping allows that."""
        return False

    def moment(self, cell: Any, last: int = MINUTES_PER_DAY - 1) -> Moment:
        """The time in a cell; `last` is the latest minute allowed."""
        try:
            return moment(cell, last=last, integer_is=self.mapping.integer_is)
        except RuleError:
            if isinstance(cell, list | dict | bool) or not text_of(cell):
                raise
            from festival.lineup.mapped.moments import rare_moment

            if time := rare_moment(cell, self.mapping, last):
                return time
            raise

    def times(self, day: str, start: Moment, end: Moment | None) -> Times:
        """The date, start and end together. Raises RuleError if the end does not fit the start."""
        return Times(day, start.minutes, self.finish(day, start, end))

    def finish(self, day: str, start: Moment, end: Moment | None) -> int:
        """The end in minutes since midnight of the start's day. Raises RuleError."""
        if end is None:
            return start.minutes
        if end.date and not start.date:
            start = start._replace(date=day)
        return end_minutes(start, end)

    def assumed(
        self, times: Times, day: Day, start: Moment, end: Moment | None
    ) -> Iterator[tuple[str, Doubt]]:
        """Each assumption and each doubt about the times, with its field."""
        misfit = Doubt(
            WarningKind.OTHER_DATE, f"has a date other than {times.day}, the row's Date; kept Date"
        )
        doubts = (("Date", day.doubt), ("Start", start.doubt), ("End", end and end.doubt))
        yield from ((field, doubt) for field, doubt in doubts if doubt)
        if start.date and start.date != later(times.day, times.start):
            yield "Start", misfit
        if end is None:
            return
        length = times.end - times.start
        if end.date and not start.date and end.date != later(times.day, times.end):
            yield "End", misfit
        if end.length not in (None, length):
            reason = f"makes {_length(length)}, and the Duration is {_length(end.length or 0)}"
            yield "End", Doubt(WarningKind.LENGTH, f"{reason}; kept End")
        if start.offset is not None and end.offset not in (None, start.offset):
            reason = f"the clocks change during it; it is {_length(length)} long"
            yield "End", Doubt(WarningKind.CLOCK_CHANGE, reason)
        if length > LONG_MINUTES and not (start.date and end.date):
            reason = f"is taken as after midnight, which makes {_length(length)}"
            yield "End", Doubt(WarningKind.LONG, reason)

    def open_questions(self) -> Iterator[RowWarning]:
        """What the file as a whole leaves open, with the mapping option that would settle it."""
        seen, mapping = self.seen, self.mapping
        if seen.half_day and not seen.full_day and not mapping.clock:
            others = "others have it" if seen.am_pm else "none is after 12:59"
            reason = (
                f"has no am or pm, and {others}; read as on a 24-hour clock: set the mapping's "
                "clock to 24h or 12h"
            )
            yield RowWarning(0, "Start", seen.half_day, reason, WarningKind.CLOCK)
        if seen.night and not mapping.date_is and (seen.full_day or seen.am_pm or mapping.clock):
            reason = (
                "starts before 06:00, read as the morning of Date; set the mapping's date_is to "
                "calendar_day if so, or to festival_day with day_starts_at: 06:00 if Date is the "
                "day of the evening before"
            )
            yield RowWarning(0, "Start", seen.night, reason, WarningKind.NIGHT)
        if seen.utc and not mapping.time_zone:
            reason = (
                "times in UTC, read as they are; set the mapping's time_zone, such as "
                "Europe/Paris, for the time at the festival"
            )
            yield RowWarning(0, "Start", seen.utc, reason, WarningKind.UTC)

    def _with_length(
        self, end: Moment, cell: Any, minutes_long: Callable[[Any, str], int]
    ) -> Moment:
        """The end together with the row's length; doubtful if that cannot be read."""
        try:
            return end._replace(length=minutes_long(cell, self.mapping.length_is))
        except RuleError as broken:
            doubt = Doubt(WarningKind.LENGTH, f"{broken}; kept End")
            return end._replace(doubt=end.doubt or doubt)

    def _part(self, text: str) -> Moment:
        return self.moment(text, MINUTES_PER_DAY)

    def _end_of(self, cell: EndParts) -> Moment | None:
        from festival.lineup.mapped.moments import minutes_long

        end = parts(cell.end.cell, self._part)[1] if isinstance(cell.end, RangeEnd) else cell.end
        if not _is_blank(cell.length) and (_is_blank(end) or self.is_no_end(end)):
            length = minutes_long(cell.length, self.mapping.length_is)
            return Moment(0, LENGTH, length=length)
        known = self.end(cell.end)
        if known is None:
            return None
        if not _is_blank(cell.length):
            known = self._with_length(known, cell.length, minutes_long)
        if _is_blank(cell.date):
            return known
        day = self.day(cell.date)
        if known.date and known.date != day.text:
            raise RuleError(f"has a date other than {day.text}, its End date; expected the same")
        return known._replace(date=day.text, doubt=known.doubt or day.doubt)


def _is_blank_text(cell: Any) -> bool:
    """Whether a CSV cell is blank; a key missing from a JSON object does not count."""
    return isinstance(cell, str) and not text_of(cell)


def _not_an_end(cell: Any, broken: RuleError) -> RuleError:
    """Why a cell is not an end, with the option that would settle it, if there is one."""
    if broken.option or isinstance(cell, list | dict | bool):
        return broken
    text = text_of(cell)
    if not text:
        return RuleError(
            "is not given; expected a time, or the mapping's default_length", "default_length"
        )
    if any(letter.isdigit() for letter in text):
        return broken
    reason = "is not a time; expected one, or the mapping's placeholders and default_length if"
    return RuleError(f"{reason} '{preview(text)}' says that there is no end", "placeholders")


def _warning(line: int, field: str, cell: Any, doubt: Doubt) -> RowWarning:
    return RowWarning(line, field, preview(cell), doubt.reason, doubt.kind)


def _is_blank(cell: Any) -> bool:
    return cell is None or _is_blank_text(cell)


def _length(minutes: int) -> str:
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def end_minutes(start: Moment, end: Moment) -> int:
    """The end in minutes since midnight of the start's day.

    If both carry a date, the days between them count; if both are instants, the time that really
    passed counts; otherwise an end before the start is after midnight. Raises RuleError for an end
    before a dated start, or more than 24 hours after it.
    """
    if end.form == LENGTH:
        return start.minutes + (end.length or 0)
    if not (start.date and end.date):
        return end.minutes + MINUTES_PER_DAY * (end.minutes < start.minutes)
    days = date.fromisoformat(end.date) - date.fromisoformat(start.date)
    finish = end.minutes + MINUTES_PER_DAY * days.days
    if start.offset is not None and end.offset is not None:
        finish += start.offset - end.offset
    if finish < start.minutes:
        raise RuleError(f"is before the start, {_at(start)}; expected an end at or after it")
    if finish - start.minutes > MINUTES_PER_DAY:
        raise RuleError(
            f"is more than 24 hours after the start, {_at(start)}; expected 24 hours at most"
        )
    return finish


def half_day_end(start: int, end: Moment) -> int:
    """An end on a 12-hour clock: the first such time after the start."""
    return start + (end.minutes - start) % HALF_DAY


def _at(moment: Moment) -> str:
    return f"{moment.date} {clock(moment.minutes)}"


def later(day: str, minutes: int) -> str:
    """The date that it is `minutes` after a day's midnight."""
    if 0 <= minutes < MINUTES_PER_DAY:
        return day
    try:
        return (date.fromisoformat(day) + timedelta(minutes=minutes)).isoformat()
    except OverflowError:
        return day
