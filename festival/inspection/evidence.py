"""What the cells of a file say about how they are meant: options that are plain, and questions.

Pure: a sample of rows in, a proposal and its open questions out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from festival.inspection.result import ColumnUse, FormCount, Question
from festival.lineup.columns import match
from festival.lineup.fields.text import Number, RuleError, fold, preview, text_of
from festival.lineup.fields.times import moment, parts
from festival.lineup.mapped.dates import ISO, WEEKDAY, WEEKDAY_AND_DAY, written
from festival.lineup.mapped.instants import epoch
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import FIELDS, MINUTES_PER_DAY, TIME

BLANK = "blank"
PLACEHOLDER = "placeholder"
OTHER = "other"
EPOCH = "epoch"
RANGE = "range"
LATE = "25:30"
_PLACEHOLDERS = frozenset(
    ("tba", "tbc", "tbd", "tobeannounced", "tobeconfirmed", "na", "n/a", "none", "?", "??", "???")
)
_LATEST = 2 * MINUTES_PER_DAY


def is_placeholder(cell: Any) -> bool:
    """Whether a cell only says that something is not known yet."""
    return isinstance(cell, str) and fold(cell) in _PLACEHOLDERS


def time_form(cell: Any) -> str:
    """The form of a time: `20:00`, `8:00pm`, `HHMM`, a date-time, a range of two, epoch, …"""
    common = _common_form(cell)
    if common:
        return common
    try:
        found = moment(cell, last=_LATEST)
        return LATE if found.minutes > MINUTES_PER_DAY else found.form
    except RuleError:
        pass
    try:
        first, second = parts(cell)
        return f"{RANGE} {moment(first).form}" + ("" if second else ", open")
    except RuleError:
        return OTHER


def date_form(cell: Any) -> str:
    """The form of a date: `YYYY-MM-DD`, `01/02/2025`, `1 February 2025`, a weekday, …"""
    common = _common_form(cell)
    if common:
        return common
    try:
        readings = written(text_of(cell))
        return readings[0].form if readings else moment(cell).form
    except RuleError:
        return OTHER


def popularity_form(cell: Any) -> str:
    """Whether a popularity is a whole number from 1 to 100, a larger one, or none."""
    text = cell.text if isinstance(cell, Number) else preview(cell)
    if not text.strip():
        return BLANK
    whole = text.strip().removesuffix(".0")
    if not (whole.isascii() and whole.isdigit()):
        return OTHER
    return "1 to 100" if len(whole) < 4 and 1 <= int(whole) <= 100 else "0 or above 100"


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
_DATED = ("date-time", "date-time with offset", EPOCH)
_LARGE = "0 or above 100"
_ZONES = "such as Europe/Paris"
_NIGHTS = "such as 06:00, with date_is festival_day or calendar_day"
_EXAMPLES = 3
_LABELS = 12
_MOST = 0.6
_OFTEN = 3


@dataclass(frozen=True)
class Sample:
    """The first rows of a file by column name, and the names in the file's order."""

    names: Sequence[str]
    rows: Sequence[dict[str, Any]]

    def cells(self, name: str | None) -> list[Any]:
        """The cells of a column; none where there is no such column."""
        return [] if name is None else [row.get(name) for row in self.rows]


@dataclass
class Evidence:
    """What a sample tells beyond a given mapping; the fields' columns are by field."""

    sample: Sample
    given: LineupMapping
    options: dict[str, Any]
    by_field: dict[str, str] = field(default_factory=dict)
    columns: list[ColumnUse] = field(default_factory=list)
    forms: list[FormCount] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def count(self, name: str, *forms: str) -> int:
        """How many cells of a field are in one of some forms."""
        return sum(each.count for each in self.forms if each.field == name and each.form in forms)

    def ask(self, seen: str, option: str, choices: str, *, must: bool = False) -> None:
        """Ask for an option, unless the mapping has decided it."""
        if option not in self.given.to_dict():
            self.questions.append(Question(seen, option, choices, must))

    def column(self, name: str, column: str) -> None:
        """Propose a column for a field."""
        self.options["columns"] = {**self.options.get("columns", {}), name: column}


def weigh(evidence: Evidence) -> None:
    """Gather all that the sample says beyond the given mapping."""
    _weigh_columns(evidence)
    for name, column in evidence.by_field.items():
        evidence.forms += _counted(name, evidence.sample.cells(column))
    _weigh_dates(evidence)
    _weigh_times(evidence)
    _weigh_names(evidence)
    _weigh_popularity(evidence)


def _weigh_columns(evidence: Evidence) -> None:
    sample, names = evidence.sample, evidence.sample.names
    columns = match(names, evidence.given)
    by_field = {
        name: names[place]
        for name, place in zip(FIELDS, columns.places, strict=True)
        if place is not None
    }
    for unclear in columns.unclear:
        evidence.questions.append(Question(unclear, "columns", "which column it is", True))
    if columns.is_range:
        by_field[TIME] = by_field.pop("Start")
        del by_field["End"]
    free = [name for name in names if name not in by_field.values() and fold(name)]
    forms = {name: _main_form(sample.cells(name), time_form) for name in free}
    missing = set(columns.missing)
    ranges = [name for name, form in forms.items() if form.startswith(RANGE)]
    if {"Start", "End"} <= missing and len(ranges) == 1:
        by_field[TIME] = ranges[0]
        evidence.column(TIME, ranges[0])
        missing -= {"Start", "End"}
    started = by_field.get("Start")
    if "Date" in missing and _main_form(sample.cells(started), time_form) in _DATED:
        by_field["Date"] = str(started)
        evidence.column("Date", str(started))
        missing.remove("Date")
    evidence.by_field = by_field
    for name in [each for each in FIELDS if each in missing]:
        _ask_for_column(evidence, name, free, forms)
    evidence.columns = [_use(evidence, name) for name in names if fold(name)]


def _ask_for_column(
    evidence: Evidence, name: str, free: Sequence[str], forms: dict[str, str]
) -> None:
    """Ask which column a field is, naming those whose cells look like it."""
    if name in ("Start", "End"):
        likely = [each for each in free if forms[each] not in (BLANK, OTHER, PLACEHOLDER)]
    elif name == "Date":
        cells = evidence.sample.cells
        likely = [each for each in free if _main_form(cells(each), date_form) not in (BLANK, OTHER)]
    else:
        likely = list(free)
    choices = f"one of {', '.join(likely)}" if likely else "its column"
    if name == "End":
        evidence.ask("no column is the End", "default_length", "minutes, such as 60", must=True)
    else:
        constant = " or, in constants, its value" if name in ("Stage", "Date") else ""
        seen = f"no column is the {name}"
        evidence.questions.append(Question(seen, "columns", choices + constant, True))


def _use(evidence: Evidence, column: str) -> ColumnUse:
    fields = [name for name, used in evidence.by_field.items() if used == column]
    how = ""
    if fields:
        own, said = fields[0], dict(evidence.given.columns)
        how = "alias"
        if said.get(own) or column == f"<{own}>":
            how = "mapping"
        elif own in evidence.options.get("columns", {}):
            how = "cells"
        elif fold(column) == fold(own):
            how = "name"
    texts = dict.fromkeys(preview(cell) for cell in evidence.sample.cells(column))
    examples = [text for text in texts if text.strip()][:_EXAMPLES]
    return ColumnUse(preview(column), " and ".join(fields), how, tuple(examples))


def _counted(name: str, cells: Sequence[Any]) -> Iterator[FormCount]:
    form_of = _FORMS.get(name, _name_form)
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for cell in cells:
        form = form_of(cell)
        counts[form] += 1
        examples.setdefault(form, preview(cell))
    for form, count in counts.most_common():
        yield FormCount(name, form, count, examples[form])


def _weigh_dates(evidence: Evidence) -> None:
    column = evidence.by_field.get("Date")
    cells = evidence.sample.cells(column)
    readings = [
        reading for cell in cells if isinstance(cell, str) for reading in written(text_of(cell))[:1]
    ]
    numbers = [each.numbers for each in readings if each.numbers]
    if numbers:
        _weigh_order(evidence, numbers)
    if any(each.year is None for each in readings if each.form not in (WEEKDAY, WEEKDAY_AND_DAY)):
        evidence.ask("dates without a year", "year", "such as 2025", must=True)
    if days := evidence.count("Date", WEEKDAY, WEEKDAY_AND_DAY):
        evidence.ask(
            f"dates that are weekdays: {days:,}",
            "first_date",
            "the festival's first day, as YYYY-MM-DD; or in dates each weekday's date",
            must=True,
        )
    labels = dict.fromkeys(preview(cell) for cell in cells if date_form(cell) == OTHER)
    if labels:
        some = ", ".join(list(labels)[:_LABELS]) + (", …" if len(labels) > _LABELS else "")
        evidence.ask(f"words for dates: {some}", "dates", "what dates they stand for", must=True)
    plain = {ISO, BLANK, PLACEHOLDER, OTHER}
    foreign = [each for each in evidence.forms if each.field == "Date" and each.form not in plain]
    if foreign and not evidence.options and column and column != "<Date>":
        # Any option makes the reader take more than YYYY-MM-DD.
        evidence.column("Date", column)


def _weigh_order(evidence: Evidence, numbers: Sequence[tuple[int, int]]) -> None:
    if "date_order" in evidence.options:
        return
    first, second = (max(each[place] for each in numbers) for place in (0, 1))
    if first > 12 >= second or second > 12 >= first:
        order = "day_first" if first > 12 else "month_first"
        evidence.options["date_order"] = order
        evidence.ask(
            f"dates taken as {order}, since {max(first, second)} is no month",
            "date_order",
            "day_first or month_first",
        )
    else:
        example = "{:02d}/{:02d}".format(*numbers[0])
        evidence.ask(
            f"dates that may be meant both ways, such as {example}: {len(numbers):,}",
            "date_order",
            "day_first or month_first",
            must=True,
        )


def _weigh_times(evidence: Evidence) -> None:
    times = ("Start", "End", TIME)
    epochs = sum(evidence.count(name, EPOCH) for name in ("Date", *times))
    if epochs:
        evidence.ask(f"instants: {epochs:,}", "time_zone", _ZONES, must=True)
    elif any(evidence.count(name, "date-time with offset") for name in times):
        evidence.ask(
            "date-times with an offset, taken as the clock shows there",
            "time_zone",
            f"{_ZONES}, if they are not local",
        )
    if late := sum(evidence.count(name, LATE) for name in times):
        evidence.ask(f"times past 24:00: {late:,}", "day_starts_at", _NIGHTS, must=True)
    open_ended = [each for each in evidence.forms if each.field == TIME and ", open" in each.form]
    blank = evidence.count("End", BLANK) + sum(each.count for each in open_ended)
    if blank:
        evidence.ask(f"missing ends: {blank:,}", "default_length", "minutes", must=True)


def _weigh_names(evidence: Evidence) -> None:
    for name in ("Performer", "Stage", "Start", "End", TIME):
        found = [each for each in evidence.forms if each.field == name and each.form == PLACEHOLDER]
        for each in found:
            evidence.ask(
                f"the {name} is '{each.example}': {each.count:,}",
                "placeholders",
                f'["{each.example}"], if that is no {name}',
            )


def _weigh_popularity(evidence: Evidence) -> None:
    odd = evidence.count("Popularity", _LARGE)
    if not odd:
        return
    evidence.ask(
        f"popularities that are not from 1 to 100: {odd:,}",
        "popularity_is",
        "rank, if 1 is the biggest",
    )
    cells = evidence.sample.cells(evidence.by_field["Popularity"])
    whole = Counter(int(text) for text in map(preview, cells) if text.isdecimal())
    largest, count = max(whole.items(), default=(0, 0))
    if count >= _OFTEN:
        evidence.ask(
            f"the largest popularity is {largest}: {count:,}",
            "popularity_none",
            f"[{largest}], if that means none",
        )


def _main_form(cells: Sequence[Any], form_of: Any) -> str:
    """The form of most cells that are not blank; `other` where no form is that of most."""
    counts = Counter(form for cell in cells if (form := form_of(cell)) != BLANK)
    if not counts:
        return BLANK
    form, count = counts.most_common(1)[0]
    return form if count >= _MOST * counts.total() else OTHER


def _name_form(cell: Any) -> str:
    if is_placeholder(cell):
        return PLACEHOLDER
    return BLANK if not preview(cell).strip() else "text"
