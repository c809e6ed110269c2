"""Checks a mapping's options: first each by itself, then all together."""

import codecs
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

from festival.errors import LineupError
from festival.lineup.fields.text import RuleError, clean, fold, preview
from festival.lineup.fields.times import iso_date, moment
from festival.lineup.model import COLUMN_FIELDS, DURATION, END_DATE, FIELDS, TIME, Lookup

_CONSTANT_FIELDS = FIELDS[:3]
_NOON = 12 * 60
_LAST_HEADER = 1_000
_NOT_FOR_FILES = frozenset(
    ("idna", "punycode", "raw_unicode_escape", "unicode_escape", "unicode-escape", "undefined")
) | {"raw-unicode-escape", "mbcs", "oem", "utf-7"}


class _WrongError(Exception):
    """An option's value is wrong; the message is what was expected."""


def checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as a LineupMapping holds them. Raises LineupError for the first wrong one."""
    plain: dict[str, Any] = {}
    for name, value in options.items():
        check = _CHECKS.get(name)
        if check is None:
            raise LineupError(_unknown(name))
        if value is None:
            continue
        try:
            plain[name] = check(value)
        except _WrongError as expected:
            message = f"the mapping's {name} is {preview(value)}; expected {expected}"
            raise LineupError(message) from None
    for contradiction in _CONTRADICTIONS:
        if problem := contradiction(plain):
            raise LineupError(f"the mapping contradicts itself: {problem}")
    return plain


def _unknown(name: str) -> str:
    near = get_close_matches(name, _CHECKS, 1)
    hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(_CHECKS)}"
    return f"the mapping has an unknown option '{preview(name)}'; {hint}"


def _columns(value: Any) -> tuple[tuple[str, str | None], ...]:
    expected = f"fields ({', '.join(COLUMN_FIELDS)}) with their column's name, or null"
    if not isinstance(value, dict) or not set(value) <= set(COLUMN_FIELDS):
        raise _WrongError(expected)
    if not all(name is None or (isinstance(name, str) and fold(name)) for name in value.values()):
        raise _WrongError(expected)
    return tuple((field, value[field]) for field in COLUMN_FIELDS if field in value)


def _constants(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not set(value) <= set(_CONSTANT_FIELDS):
        raise _WrongError(f"values for {', '.join(_CONSTANT_FIELDS)}")
    texts = _texts(value.values())
    if "Date" in value:
        _day(value["Date"])
    return tuple(zip(value, texts, strict=True))


def _rows(value: Any) -> tuple[str, ...]:
    expected = 'a list of keys to go into, such as ["data", "acts"] or ["<Date>", "<Stage>"]'
    if not isinstance(value, list) or not value:
        raise _WrongError(expected)
    if not all(isinstance(step, str) and step for step in value):
        raise _WrongError(expected)
    for step in value:
        if step[0] == "<" and step not in {f"<{field}>" for field in _CONSTANT_FIELDS}:
            raise _WrongError(f"in angle brackets one of {', '.join(_CONSTANT_FIELDS)}")
    return tuple(value)


def _lookups(value: Any) -> tuple[Lookup, ...]:
    expected = (
        "columns with where to look their values up, such as "
        '{"stage_id": {"rows": ["stages"], "key": "id", "value": "name"}}'
    )
    if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
        raise _WrongError(expected)
    lookups = []
    for column, entry in value.items():
        if not {"rows", "key"} <= set(entry) <= {"rows", "key", "value"}:
            raise _WrongError(expected)
        texts = [entry["key"], entry.get("value", "name")]
        if not all(isinstance(each, str) and each for each in (column, *texts)):
            raise _WrongError(expected)
        lookups.append(Lookup(column, _rows(entry["rows"]), entry["key"], entry.get("value", "")))
    return tuple(lookups)


def _encoding(value: Any) -> str:
    try:
        codec = codecs.lookup(value)
        # Codecs such as hex and rot13 are not for text; these are, but no file is written in them.
        if not "é".encode(codec.name, "replace").decode(codec.name) or codec.name in _NOT_FOR_FILES:
            raise LookupError
    except (LookupError, TypeError, ValueError, UnicodeError):
        raise _WrongError("one of Python's text codecs, such as cp1250 or mac_roman") from None
    return codec.name


def _header_row(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LAST_HEADER:
        raise _WrongError(f"the header's line, from 1 to {_LAST_HEADER}")
    return value


def _header(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _WrongError('the columns\' names in order, such as ["Artist", "Stage", "Date"]')
    return tuple(value)


def _fields_of(*choices: str) -> Callable[[Any], tuple[str, ...]]:
    def check(value: Any) -> tuple[str, ...]:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(each in choices for each in values):
            raise _WrongError(f"a list of fields, of {', '.join(choices)}")
        return tuple(field for field in choices if field in values)

    return check


def _clock(value: Any) -> str:
    text = clean(value) if isinstance(value, str) else ""
    if text == "24h":
        return text
    twelve = re.fullmatch(r"12h(?: from (\d\d:\d\d))?", text)
    if not twelve or (twelve[1] and _minutes_of(twelve[1]) is None):
        raise _WrongError("12h, 24h, or 12h with the earliest start, such as 12h from 10:00")
    return text


def _minutes_of(text: str) -> int | None:
    try:
        return moment(text).minutes
    except RuleError:
        return None


def _year(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1900 <= value <= 2199:
        raise _WrongError("a year of four digits, such as 2025")
    return value


def _day(value: Any) -> str:
    try:
        return iso_date(value)
    except RuleError:
        raise _WrongError("a day of the calendar as YYYY-MM-DD") from None


def _dates(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise _WrongError('words with their dates, such as {"Day 1": "2025-06-12"}')
    pairs = tuple((fold(name), _day(day)) for name, day in value.items())
    if len(dict(pairs)) < len(pairs):
        raise _WrongError("each word once; capitals and spaces make no difference")
    return pairs


def _time_zone(value: Any) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, TypeError, OSError, KeyError):
        raise _WrongError("a name of the IANA time zone database, such as Europe/Paris") from None
    return str(value)


def _day_starts_at(value: Any) -> int:
    try:
        minutes = moment(value).minutes
    except RuleError:
        minutes = 0
    if not 0 < minutes <= _NOON:
        raise _WrongError("a time from 00:01 to 12:00, such as 06:00")
    return minutes


def _default_length(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1440:
        raise _WrongError("minutes, from 1 to 1440")
    return value


def _placeholders(value: Any) -> tuple[str, ...]:
    return _texts(value if isinstance(value, list) else [value])


def _popularity_none(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str | int) and not isinstance(each, bool) for each in values):
        raise _WrongError("a number or text, or a list of them, such as [1000]")
    return tuple(str(each) for each in values)


def _texts(values: Any) -> tuple[str, ...]:
    if not all(isinstance(each, str) and clean(each) for each in values):
        raise _WrongError("text that is not blank")
    return tuple(clean(each) for each in values)


def _one_of(*choices: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise _WrongError(" or ".join(choices))
        return str(value)

    return check


def _range_and_ends(plain: Mapping[str, Any]) -> str:
    columns = dict(plain.get("columns", ()))
    others = [field for field in ("Start", "End") if columns.get(field)]
    if columns.get(TIME) and others:
        return f"columns has {TIME}, which is both start and end, and {' and '.join(others)}"
    return ""


def _one_column_twice(plain: Mapping[str, Any]) -> str:
    by_name: dict[str, str] = {}
    for field, name in plain.get("columns", ()):
        other = by_name.setdefault(fold(name), field) if name else field
        if other != field and {other, field} != {"Date", "Start"}:
            return f"the column '{preview(name)}' is {other} and {field}"
    return ""


def _field_twice(plain: Mapping[str, Any]) -> str:
    columns = {field for field, name in plain.get("columns", ()) if name}
    constants = {field for field, _ in plain.get("constants", ())}
    steps = [step[1:-1] for step in plain.get("rows", ()) if step[0] == "<"]
    steps += plain.get("sections", ())
    named = [*columns, *constants, *steps]
    twice = next((field for field in FIELDS if named.count(field) > 1), "")
    return twice and f"{twice} is given twice, by two of columns, constants, rows and sections"


def _field_without_source(plain: Mapping[str, Any]) -> str:
    columns = dict(plain.get("columns", ()))
    elsewhere = {field for field, _ in plain.get("constants", ())}
    elsewhere |= {step[1:-1] for step in plain.get("rows", ()) if step[0] == "<"}
    elsewhere |= {"Popularity", TIME, END_DATE, DURATION, *plain.get("sections", ())}
    if columns.get(TIME):
        elsewhere |= {"Start", "End"}
    if plain.get("default_length") or columns.get(DURATION):
        elsewhere.add("End")
    for field, name in columns.items():
        if name is None and field not in elsewhere:
            lack = "a default_length is missing" if field == "End" else "it is not given otherwise"
            return f"columns says that no column is the {field}, and {lack}"
    return ""


def _half_a_festival_day(plain: Mapping[str, Any]) -> str:
    starts, kind = plain.get("day_starts_at"), plain.get("date_is")
    if starts and not kind:
        return "day_starts_at needs date_is: festival_day or calendar_day"
    return "date_is: festival_day needs day_starts_at, such as 06:00" * (
        kind == "festival_day" and not starts
    )


def _lookups_without_rows(plain: Mapping[str, Any]) -> str:
    if plain.get("lookups") and not plain.get("rows"):
        return "lookups need rows, which say where the document's performances are"
    return ""


def _two_years(plain: Mapping[str, Any]) -> str:
    year, first = plain.get("year"), plain.get("first_date")
    if year and first and not first.startswith(str(year)):
        return f"year is {year} and first_date {first}"
    return ""


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "columns": _columns,
    "constants": _constants,
    "rows": _rows,
    "lookups": _lookups,
    "encoding": _encoding,
    "header_row": _header_row,
    "header": _header,
    "fill_down": _fields_of("Performer", "Stage", "Date", "Start", "End"),
    "sections": _fields_of("Date", "Stage"),
    "clock": _clock,
    "integer_is": _one_of("hour", "hhmm", "minute"),
    "length_is": _one_of("minutes", "hours", "seconds", "days"),
    "date_order": _one_of("day_first", "month_first", "year_first"),
    "year": _year,
    "first_date": _day,
    "dates": _dates,
    "time_zone": _time_zone,
    "day_starts_at": _day_starts_at,
    "date_is": _one_of("festival_day", "calendar_day"),
    "default_length": _default_length,
    "placeholders": _placeholders,
    "popularity_is": _one_of("rank", "score"),
    "popularity_none": _popularity_none,
}
_CONTRADICTIONS = (
    _range_and_ends,
    _one_column_twice,
    _field_twice,
    _field_without_source,
    _half_a_festival_day,
    _lookups_without_rows,
    _two_years,
)
