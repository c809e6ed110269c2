"""Spreadsheet rows, as openpyxl gives them, to blocks of performances."""

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
    found_header,
)
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import FIELDS, Block, Rejection, RowWarning, clock
from festival.lineup.normalise import Normaliser

Row = tuple[object, ...]


def rows_of_workbook(book: Path | IO[bytes], sheet: str | None = None) -> Iterator[Row]:
    """The rows of a sheet as plain values, its header among them; formulas as their last result.

    Without `sheet`, only one sheet may have rows. Raises LineupError if it is not a workbook, is
    larger than a decompressed file may be, or leaves open which sheet is meant.
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
    sheet.reset_dimensions()  # some programs declare the sheet to be one cell large
    return any(cell is not None for row in sheet.iter_rows(values_only=True) for cell in row)


SHAPE = "workbook"
_TITLES = 100
_DATE = FIELDS.index("Date")
# A workbook stores a bare time of day as a moment on its calendar's first day.
_CALENDAR_BEGINS = (date(1899, 12, 30), date(1899, 12, 31), date(1900, 1, 1), date(1904, 1, 1))
_EXPECTED = "expected a sheet with a header row"

SheetRow = Sequence[object]


def read_rows(
    rows: Iterable[SheetRow],
    *,
    mapping: LineupMapping = DEFAULT_MAPPING,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Block]:
    """Read a sheet's rows, the header among them, as `read_lineup` reads a file.

    Cells are text, numbers, dates, times or None. Lines are the sheet's row numbers; reading
    cannot go on from a block. Raises LineupError for a sheet without a header, needed columns or
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
    found, rows = _opened(numbered, mapping)
    if found.misfit:
        raise found.misfit
    sheet = _Sheet(found.header, mapping)
    block: list[tuple[int, SheetRow]] = []
    read, warnings = 0, found.warnings
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
    """A sheet's rows, the header among them, as `inspect_lineup` looks at a file."""
    sheet = list(islice(rows, SAMPLE_ROWS + _TITLES))

    def looked_at(told: LineupMapping) -> SampledFile:
        return _sampled(SampledFile(shape=SHAPE, encoding="cells"), enumerate(sheet, 1), told)

    lines = [text_of_row(row) for row in sheet[:HEADER_LINES]]
    look = with_header(looked_at(mapping), lines, (CELLS,), mapping, looked_at)
    return inspected(look, mapping, lambda proposal: read_rows(sheet, mapping=proposal))


def inspect_numbered(
    numbered: Iterator[tuple[int, SheetRow]],
    look: SampledFile,
    mapping: LineupMapping,
    read: Callable[[LineupMapping], Iterable[Block]],
) -> Inspection:
    """Look at rows with line numbers; `read` reads them with a mapping."""
    return inspected(_sampled(look, numbered, mapping), mapping, read)


def _sampled(
    look: SampledFile, numbered: Iterator[tuple[int, SheetRow]], mapping: LineupMapping
) -> SampledFile:
    try:
        if not look.problem:
            _sample(look, numbered, mapping)
    except LineupError as error:
        look.problem = str(error)
    return look


def _sample(
    look: SampledFile, numbered: Iterator[tuple[int, SheetRow]], mapping: LineupMapping
) -> None:
    found, rows = _opened(numbered, mapping)
    look.names = list(found.header.names)
    look.problem = str(found.misfit or "")
    date_place = found.header.columns.places[_DATE]
    for _, row in rows:
        cells = _cells(row, date_place)
        if _is_blank(cells):
            continue
        if len(look.rows) == SAMPLE_ROWS:
            look.more = True
            break
        look.rows.append(dict(zip(found.header.names, cells, strict=False)))


class _Sheet:
    """Judges a sheet's rows under its header."""

    def __init__(self, header: Header, mapping: LineupMapping) -> None:
        self._names = header.names
        self._pick = header.picker()
        self._date = header.columns.places[_DATE]
        if self._date == header.columns.places[FIELDS.index("Start")]:
            self._date = None
        self._above = header.above
        self._normaliser = Normaliser(mapping)

    def block(self, numbered: Sequence[tuple[int, SheetRow]], warnings: list[RowWarning]) -> Block:
        """Results for some rows."""
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
    """A sheet's header, found like a CSV's, and the rows below it."""
    head = list(islice(numbered, _TITLES))
    text = [text_of_row(row) for _, row in head]
    first = first_with_text(text)
    if first is None:
        raise LineupError(f"the sheet is empty; {_EXPECTED}")
    found, height = found_header(text, head[0][0], first, mapping, (CELLS,))
    return found, chain(head[height:], numbered)


def text_of_row(row: SheetRow) -> str:
    """A row as a line of text in which CELLS divides the cells."""
    return CELLS.join(clean(preview(cell)) for cell in _cells(row, None))


def _cells(row: SheetRow, date_place: int | None) -> list[Any]:
    return [_cell(value, is_date=place == date_place) for place, value in enumerate(row)]


def _cell(value: object, *, is_date: bool) -> Any:
    """A cell as the rules know it: text, or a Number as JSON has it."""
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
