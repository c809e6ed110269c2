"""Reads Excel workbooks: the rows that openpyxl gives become blocks of performances."""

import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from openpyxl import load_workbook

from festival.errors import LineupError
from festival.inspection.inspect import (
    HEADER_LINES,
    SAMPLE_ROWS,
    SampledFile,
    inspected,
    with_header,
)
from festival.inspection.result import Inspection
from festival.lineup.decode import DEFAULT_LIMITS, Limits
from festival.lineup.fields.text import Number, clean, plain, preview
from festival.lineup.formats.header import (
    CELLS,
    FoundHeader,
    Header,
    first_with_text,
    header_in,
)
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import FIELDS, Block, Rejection, RowWarning, clock
from festival.lineup.normalise import Normaliser

SheetRow = Sequence[object]


def rows_of_workbook(book: Path | IO[bytes], sheet: str | None = None) -> Iterator[SheetRow]:
    """A sheet's rows as plain values, with the header; a formula is its last result.

    Without `sheet`, only one sheet may have rows. Raises LineupError if the file is not a workbook,
    is larger than a decompressed file may be, or does not show which sheet is meant.
    """
    try:
        with zipfile.ZipFile(book) as archive:
            _refuse_large(sum(entry.file_size for entry in archive.infolist()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about extensions that openpyxl leaves out
            with closing(load_workbook(book, read_only=True, data_only=True)) as workbook:
                yield from _chosen(workbook.worksheets, sheet).iter_rows(values_only=True)
    except LineupError:
        raise
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, SyntaxError) as error:
        raise LineupError(
            f"the file is a zip archive and not an Excel workbook that can be read ({error}); "
            "expected .xlsx; save an OpenDocument sheet (.ods) or Numbers file as that, or as CSV"
        ) from None


def _refuse_large(size: int) -> None:
    limit = DEFAULT_LIMITS.decompressed_bytes
    if size > limit:
        raise LineupError(
            f"the workbook has {size:,} bytes when decompressed; expected {limit:,} at most"
        )


def _chosen(sheets: list[Any], name: str | None) -> Any:
    names = ", ".join(f"'{each.title}'" for each in sheets)
    if name is not None:
        for each in sheets:
            if each.title == name:
                return each
        raise LineupError(f"the workbook has no sheet '{name}'; expected one of {names}")
    full = [each for each in sheets if _has_a_row(each)]
    if len(full) > 1:
        raise LineupError(f"the workbook has several sheets with rows; expected one of {names}")
    if not full:
        raise LineupError("the workbook is empty; expected a sheet with a header row")
    return full[0]


def _has_a_row(sheet: Any) -> bool:
    sheet.reset_dimensions()  # some programs declare that a sheet has only one cell
    return any(cell is not None for row in sheet.iter_rows(values_only=True) for cell in row)


SHAPE = "workbook"
_TITLES = 100
_DATE = FIELDS.index("Date")
# A workbook stores a bare time of day as a moment on its calendar's first day.
_CALENDAR_BEGINS = (date(1899, 12, 30), date(1899, 12, 31), date(1900, 1, 1), date(1904, 1, 1))
_EXPECTED = "expected a sheet with a header row"


def read_rows(
    rows: Iterable[SheetRow],
    *,
    mapping: LineupMapping = DEFAULT_MAPPING,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Block]:
    """Read a sheet's rows, with the header, as `read_lineup` reads a file.

    Cells are text, numbers, dates, times or None. Lines are the sheet's row numbers; reading
    cannot resume from a block. Raises LineupError for a sheet without a header, needed columns or
    any row.
    """
    return read_numbered(enumerate(rows, 1), mapping=mapping, limits=limits)


def read_numbered(
    numbered: Iterator[tuple[int, SheetRow]],
    *,
    mapping: LineupMapping,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Block]:
    """Read rows with line numbers, as `read_rows` does."""
    (header, warnings, misfit, _), rows = _opened(numbered, mapping)
    if misfit:
        raise misfit
    sheet = _Sheet(header, mapping)
    block: list[tuple[int, SheetRow]] = []
    read = 0
    for number, row in chain(rows, [(0, ())]):
        if number:
            block.append((number, row))
        if block and (not number or len(block) >= limits.block_rows):
            result = sheet.block(block, warnings)
            read += result.read
            block, warnings = [], []
            yield result
    if questions := sheet.open_questions():
        yield Block([], [], questions, 0, None)
    if not read:
        raise LineupError(f"the sheet has no row; {_EXPECTED}, and at least one performance")


def inspect_rows(
    rows: Iterable[SheetRow], *, mapping: LineupMapping = DEFAULT_MAPPING
) -> Inspection:
    """Inspect a sheet's rows, with the header, as `inspect_lineup` does a file."""
    sheet = list(islice(rows, SAMPLE_ROWS + _TITLES))

    def sample_with(mapping: LineupMapping) -> SampledFile:
        return _sampled(SampledFile(shape=SHAPE, encoding="cells"), enumerate(sheet, 1), mapping)

    lines = [text_of_row(row) for row in sheet[:HEADER_LINES]]
    sampled = with_header(sample_with(mapping), lines, (CELLS,), mapping, sample_with)
    return inspected(sampled, mapping, lambda proposal: read_rows(sheet, mapping=proposal))


def inspect_numbered(
    numbered: Iterator[tuple[int, SheetRow]],
    sampled: SampledFile,
    mapping: LineupMapping,
    read: Callable[[LineupMapping], Iterable[Block]],
) -> Inspection:
    """Inspect rows with line numbers; `read` reads them with a mapping."""
    return inspected(_sampled(sampled, numbered, mapping), mapping, read)


def _sampled(
    sampled: SampledFile, numbered: Iterator[tuple[int, SheetRow]], mapping: LineupMapping
) -> SampledFile:
    try:
        if not sampled.problem:
            _sample(sampled, numbered, mapping)
    except LineupError as error:
        sampled.problem = str(error)
    return sampled


def _sample(
    sampled: SampledFile, numbered: Iterator[tuple[int, SheetRow]], mapping: LineupMapping
) -> None:
    (header, _, misfit, _), rows = _opened(numbered, mapping)
    sampled.names = list(header.names)
    sampled.problem = str(misfit or "")
    date_place = header.columns.places[_DATE]
    for _, row in rows:
        cells = _cells(row, date_place)
        if _is_blank(cells):
            continue
        if len(sampled.rows) == SAMPLE_ROWS:
            sampled.more = True
            break
        sampled.rows.append(dict(zip(header.names, cells, strict=False)))


class _Sheet:
    """Applies the rules to a sheet's rows."""

    def __init__(self, header: Header, mapping: LineupMapping) -> None:
        self._names = header.names
        self._pick = header.picker()
        self._date = header.columns.places[_DATE]
        if self._date == header.columns.places[FIELDS.index("Start")]:
            self._date = None
        self._above = header.above
        self._normaliser = Normaliser(mapping)

    def block(self, numbered: Sequence[tuple[int, SheetRow]], warnings: list[RowWarning]) -> Block:
        """The block of some rows with their line numbers."""
        width = len(self._names)
        lines, rows, six, refused = [], [], [], []
        for line, row in numbered:
            cells = _cells(row, self._date)
            if not _is_blank(cells[width:]):
                reason = f"has cells beyond the header's {width}; expected none"
                value = " ".join(preview(cell) for cell in cells if not _is_blank([cell]))
                refused.append(Rejection(line, "", preview(value), reason, self._original(cells)))
                continue
            whole = [*cells[:width], *[""] * (width - len(cells))]
            if self._above and (_is_blank(whole) or self._above.takes(whole)):
                continue
            lines.append(line)
            rows.append(whole)
            six.append(self._above.filled(self._pick(whole)) if self._above else self._pick(whole))
        outcome = self._normaliser.normalise(lines, rows, six, self._original)
        rejections = sorted([*refused, *outcome.rejections], key=lambda each: each.line)
        read = len(outcome.performances) + len(rejections)
        warnings = [*warnings, *outcome.warnings]
        return Block(outcome.performances, rejections, warnings, read, None)

    def open_questions(self) -> list[RowWarning]:
        """What the sheet as a whole leaves open."""
        return self._normaliser.open_questions()

    def _original(self, cells: list[Any]) -> dict[str, Any] | None:
        if _is_blank(cells):
            return None
        return {name: plain(cell) for name, cell in zip(self._names, cells, strict=False)}


def _opened(
    numbered: Iterator[tuple[int, SheetRow]], mapping: LineupMapping
) -> tuple[FoundHeader, Iterator[tuple[int, SheetRow]]]:
    """A sheet's header, found as in a CSV, and the rows below it."""
    head = list(islice(numbered, _TITLES))
    text = [text_of_row(row) for _, row in head]
    first = first_with_text(text)
    if first is None:
        raise LineupError(f"the sheet is empty; {_EXPECTED}")
    header, height = header_in(text, head[0][0], first, mapping, (CELLS,))
    return header, chain(head[height:], numbered)


def text_of_row(row: SheetRow) -> str:
    """A row as a line of text, with its cells divided by CELLS."""
    return CELLS.join(clean(preview(cell)) for cell in _cells(row, None))


def _cells(row: SheetRow, date_place: int | None) -> list[Any]:
    return [_cell(value, is_date=place == date_place) for place, value in enumerate(row)]


def _cell(value: object, *, is_date: bool) -> Any:
    """A cell in a form that the rules know: text, or a Number as in JSON."""
    if isinstance(value, datetime):
        if value.date() in _CALENDAR_BEGINS:
            return value.time().isoformat()
        return value.date().isoformat() if is_date else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return clock(int(value.total_seconds()) // 60)
    if value is None or isinstance(value, str | bool):
        return "" if value is None else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return Number(str(value))


def _is_blank(cells: Sequence[Any]) -> bool:
    return all(isinstance(cell, str) and not clean(cell) for cell in cells)
