"""Names the forms of cells: what a time, a date or a popularity looks like."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from festival.inspection.result import FormCount
from festival.lineup.fields.text import Number, RuleError, fold, preview, text_of
from festival.lineup.fields.times import Moment, parts
from festival.lineup.mapped.dates import WrittenDate, date_readings
from festival.lineup.mapped.moments import SPREADSHEET, date_beside_time, epoch
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import MINUTES_PER_DAY, TIME
from festival.lineup.rules import RowRules

BLANK = "blank"
PLACEHOLDER = "placeholder"
OTHER = "other"
OTHER_DATE = "another date"
EPOCH = "epoch"
_RANGE = "range"
_OPEN = ", open"
LATE = "25:30"
LENGTH = "length"
LARGE = "0 or above 100"
DATED = ("date-time", "date-time with offset", f"{SPREADSHEET} of a day", EPOCH)
_PLACEHOLDERS = frozenset(
    ("tba", "tbc", "tbd", "tobeannounced", "tobeconfirmed", "na", "n/a", "none", "?", "??", "???")
)
_OPEN_ENDS = _PLACEHOLDERS | {
    *("late", "close", "closing", "open", "openend", "end", "ende", "unknown", "schluss", "fin")
}
_LATEST = 2 * MINUTES_PER_DAY
_LENIENT = tuple(
    RowRules(
        LineupMapping.from_dict(
            {"date_order": order, "year": 2024, "time_zone": "UTC", "integer_is": "hhmm"}
        )
    )
    for order in ("day_first", "month_first")
)
_MOST = 0.6
_LENGTHS = re.compile(
    r"P(?:[0-9]+D)?T?(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+S)?|[0-9]{1,3}|[0-9]{1,2}:[0-9]{2}(?::00)?|"
    r"[0-9]{1,3} ?(?:m|min|mins|minutes|minuten|h|hr|hrs|hours?)\.?(?: ?[0-9]{1,2} ?(?:m|min)\.?)?",
    re.IGNORECASE,
)


def is_placeholder(cell: Any) -> bool:
    """Whether a cell only says that something is not known yet."""
    return isinstance(cell, str) and fold(cell) in _PLACEHOLDERS


def is_open_end(cell: Any) -> bool:
    """Whether a cell says that an end is not known, or depends on the night."""
    return isinstance(cell, str) and fold(cell) in _OPEN_ENDS


def is_length(cell: Any) -> bool:
    """Whether a cell may be a length: `90`, `1:30`, `PT1H30M`, `90 min`."""
    text = preview(cell).strip()
    return bool(text) and _LENGTHS.fullmatch(text) is not None


def time_form(cell: Any) -> str:
    """The form of a time: `20:00`, `8:00pm`, `HHMM`, a date-time, a range of two, epoch, …"""
    common = _common_form(cell)
    if common:
        return common
    if any(each.year or each.month or each.weekday for each in date_readings(text_of(cell))):
        return OTHER
    if time := as_moment(cell):
        form = f"{time.form} of a day" if time.date and time.form == SPREADSHEET else time.form
        return LATE if time.minutes > MINUTES_PER_DAY else form
    try:
        first, second = parts(cell, time_in)
        return f"{_RANGE} {time_in(first).form}" + ("" if second else _OPEN)
    except RuleError:
        return OTHER


def is_range(form: str) -> bool:
    """Whether a form is that of a cell with both times."""
    return form.startswith(_RANGE)


def is_open_range(form: str) -> bool:
    """Whether a form is that of a cell for both times that lacks the second."""
    return is_range(form) and form.endswith(_OPEN)


def as_moment(cell: Any) -> Moment | None:
    """The time in a cell, even past 24:00, under whichever option it needs; None if there is none.

    >>> as_moment("6/13/2025 8:00 PM").minutes
    1200
    """
    for rules in _LENIENT:
        try:
            return rules.moment(cell, _LATEST)
        except RuleError:
            continue
    return None


def time_in(text: str) -> Moment:
    """The time in a text, as `as_moment` reads it. Raises RuleError."""
    if time := as_moment(text):
        return time
    raise RuleError("is not a time")


def dates_in(text: str) -> tuple[WrittenDate, ...]:
    """Every reading of a text's date, even if the text also has a time."""
    if readings := date_readings(text):
        return readings
    beside = date_beside_time(text)
    return date_readings(beside[0]) if beside else ()


def date_form(cell: Any) -> str:
    """The form of a date: `YYYY-MM-DD`, `01/02/2025`, `1 February 2025`, a weekday, …"""
    common = _common_form(cell)
    if common:
        return common
    try:
        if readings := date_readings(text_of(cell)):
            return readings[0].form
    except RuleError:
        return OTHER
    time = as_moment(cell)
    if time and time.date:
        return time.form
    try:
        _LENIENT[0].day(cell)
    except RuleError:
        return OTHER
    return OTHER_DATE


def popularity_form(cell: Any) -> str:
    """Whether a popularity is a whole number from 1 to 100, a larger one, or neither."""
    text = cell.text if isinstance(cell, Number) else preview(cell)
    if not text.strip():
        return BLANK
    whole = text.strip().removesuffix(".0")
    if not (whole.isascii() and whole.isdigit()):
        return OTHER
    return "1 to 100" if len(whole) < 4 and 1 <= int(whole) <= 100 else LARGE


def _name_form(cell: Any) -> str:
    if is_placeholder(cell):
        return PLACEHOLDER
    return BLANK if not preview(cell).strip() else "text"


def _common_form(cell: Any) -> str:
    if is_placeholder(cell):
        return PLACEHOLDER
    if isinstance(cell, bool | list | dict):
        return OTHER
    if not text_of(cell):
        return BLANK
    return EPOCH if epoch(cell) else ""


_FORMS = {
    "Date": date_form,
    "Start": time_form,
    "End": time_form,
    TIME: time_form,
    "Popularity": popularity_form,
}


def counted_forms(name: str, cells: Sequence[Any]) -> Iterator[FormCount]:
    """How many of a field's cells have each form, the commonest first."""
    form_of = _FORMS.get(name, _name_form)
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for cell in cells:
        form = form_of(cell)
        counts[form] += 1
        examples.setdefault(form, preview(cell))
    for form, count in counts.most_common():
        yield FormCount(name, form, count, examples[form])


def main_form(cells: Sequence[Any], form_of: Callable[[Any], str]) -> str:
    """The form that at least six in ten non-blank cells have; `other` if there is none."""
    counts = Counter(form for cell in cells if (form := form_of(cell)) != BLANK)
    if not counts:
        return BLANK
    form, count = counts.most_common(1)[0]
    return form if count >= _MOST * counts.total() else OTHER
