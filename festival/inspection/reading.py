"""Reads any lineup that a person's machine can: text, workbook or calendar, told by content."""

import codecs
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from itertools import chain
from typing import NamedTuple

from festival.errors import LineupError
from festival.inspection.inspect import inspect_lineup
from festival.inspection.result import Inspection
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import Block
from festival.lineup.read import read_lineup

# The first bytes of a zip archive, and so of a workbook.
ZIP = b"PK\x03\x04"
_CALENDAR = b"BEGIN:VCALENDAR"


class _FileKind(NamedTuple):
    read: Callable[[LineupMapping], Iterator[Block]]
    inspect: Callable[[LineupMapping], Inspection]


def read_any(
    chunks: Iterable[bytes],
    *,
    mapping: LineupMapping = DEFAULT_MAPPING,
    sheet: str | None = None,
) -> Iterator[Block]:
    """The rows of a lineup, a workbook or a calendar.

    `sheet` is for a workbook. Raises LineupError while reading, as `read_lineup` does.
    """
    yield from _kind_of(chunks, sheet).read(mapping)


def inspect_any(
    chunks: Iterable[bytes],
    *,
    mapping: LineupMapping = DEFAULT_MAPPING,
    sheet: str | None = None,
) -> Inspection:
    """The inspection of a lineup, a workbook or a calendar.

    A bad file raises nothing: `problem` says why it cannot be read. A source that cannot be opened,
    or a missing sheet, raises LineupError.
    """
    return _kind_of(chunks, sheet).inspect(mapping)


def _kind_of(chunks: Iterable[bytes], sheet: str | None) -> _FileKind:
    rest = iter(chunks)
    first = next(rest, b"")
    if first.startswith(ZIP):
        return _workbook(first + b"".join(rest), sheet)
    if sheet is not None:
        raise LineupError(f"the file is not a workbook and has no sheet '{sheet}'")
    if first.removeprefix(codecs.BOM_UTF8).lstrip()[: len(_CALENDAR)].upper() == _CALENDAR:
        return _calendar(first + b"".join(rest))
    whole = chain([first], rest)
    return _FileKind(
        lambda mapping: read_lineup(whole, mapping=mapping),
        lambda mapping: inspect_lineup(whole, mapping=mapping),
    )


def _workbook(data: bytes, sheet: str | None) -> _FileKind:
    try:
        from festival.inspection.workbook import inspect_rows, read_rows, rows_of_workbook
    except ModuleNotFoundError as missing:
        raise _no_library("an Excel workbook", missing) from None
    rows = rows_of_workbook(BytesIO(data), sheet)
    return _FileKind(
        lambda mapping: read_rows(rows, mapping=mapping),
        lambda mapping: inspect_rows(rows, mapping=mapping),
    )


def _calendar(data: bytes) -> _FileKind:
    try:
        from festival.inspection.calendar import inspect_calendar, read_calendar
    except ModuleNotFoundError as missing:
        raise _no_library("an iCalendar file", missing) from None
    return _FileKind(
        lambda mapping: read_calendar(data, mapping=mapping),
        lambda mapping: inspect_calendar(data, mapping=mapping),
    )


def _no_library(what: str, missing: ModuleNotFoundError) -> LineupError:
    return LineupError(
        f"the file is {what}, which needs the library {missing.name}: "
        "pip install 'festival[analysis]'"
    )
