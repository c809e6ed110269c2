"""The rows of a spreadsheet, as openpyxl gives them, to blocks of performances."""

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
from festival.inspection.inspect import SAMPLE_ROWS, SampledFile, inspected
from festival.inspection.result import Inspection
from festival.lineup.columns import match
from festival.lineup.decode import DEFAULT_LIMITS, Limits
from festival.lineup.fields.text import Number, clean, plain, preview
from festival.lineup.formats.header import Header, ignored, misfit
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import FIELDS, Block, Rejection, RowWarning, clock
from festival.lineup.normalise import Normaliser

Row = tuple[object, ...]


def rows_of_workbook(book: Path | IO[bytes], sheet: str | None = None) -> Iterator[Row]:
    """The rows of a sheet as plain values, its header among them; formulas as their last result.

    Without `sheet` there has to be only one that has rows. Raises LineupError for what is no
    workbook, is larger than a decompressed file may be, or leaves open which sheet is meant.
    """
    try:
        with zipfile.ZipFile(book) as archive:
            _refuse_large(sum(entry.file_size for entry in archive.infolist()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of extensions that openpyxl leaves out
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
    sheet.reset_dimensions()  # some programs write that the sheet is one cell large
    return any(cell is not None for row in sheet.iter_rows(values_only=True) for cell in row)


SHAPE = "workbook"
_TITLES = 100
_DATE = FIELDS.index("Date")
# A workbook stores a bare time of day as a moment of the day on which its calendar begins.
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
    """Read rows that come with their lines, as `read_rows` does."""
    header = _header(numbered, mapping)
    if reason := misfit(", ".join(header.names), header):
        raise LineupError(reason)
    sheet = _Sheet(header, mapping)
    block: list[tuple[int, SheetRow]] = []
    read, warnings = 0, [ignored(header.columns.ignored)] if header.columns.ignored else []
    for number, row in chain(numbered, [(0, ())]):
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
    return inspect_numbered(
        enumerate(sheet, 1),
        SampledFile(shape=SHAPE, encoding="cells"),
        mapping,
        lambda proposal: read_rows(sheet, mapping=proposal),
    )


def inspect_numbered(
    numbered: Iterator[tuple[int, SheetRow]],
    look: SampledFile,
    mapping: LineupMapping,
    read: Callable[[LineupMapping], Iterable[Block]],
) -> Inspection:
    """Look at rows that come with their lines; `read` reads them with a mapping."""
    try:
        if not look.problem:
            _sample(look, numbered, mapping)
    except LineupError as error:
        look.problem = str(error)
    return inspected(look, mapping, read)


def _sample(
    look: SampledFile, numbered: Iterator[tuple[int, SheetRow]], mapping: LineupMapping
) -> None:
    header = _header(numbered, mapping)
    look.names = list(header.names)
    look.problem = misfit(", ".join(header.names), header)
    date_place = header.columns.places[_DATE]
    for _, row in numbered:
        cells = _cells(row, date_place)
        if _is_blank(cells):
            continue
        if len(look.rows) == SAMPLE_ROWS:
            look.more = True
            break
        look.rows.append(dict(zip(header.names, cells, strict=False)))


class _Sheet:
    """Judges a sheet's rows under its header."""

    def __init__(self, header: Header, mapping: LineupMapping) -> None:
        self._names = header.names
        self._pick = header.picker()
        self._date = header.columns.places[_DATE]
        if self._date == header.columns.places[FIELDS.index("Start")]:
            self._date = None
        self._normaliser = Normaliser(mapping)

    def block(self, numbered: Sequence[tuple[int, SheetRow]], warnings: list[RowWarning]) -> Block:
        """What becomes of some rows."""
        width = len(self._names)
        lines, rows, refused = [], [], []
        for line, row in numbered:
            cells = _cells(row, self._date)
            if not _is_blank(cells[width:]):
                reason = f"has cells beyond the header's {width}; expected none"
                value = " ".join(preview(cell) for cell in cells if not _is_blank([cell]))
                refused.append(Rejection(line, "", preview(value), reason, self._original(cells)))
                continue
            lines.append(line)
            rows.append([*cells[:width], *[""] * (width - len(cells))])
        outcome = self._normaliser.normalise(lines, rows, map(self._pick, rows), self._original)
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


def _header(numbered: Iterator[tuple[int, SheetRow]], mapping: LineupMapping) -> Header:
    for _, row in numbered:
        names = tuple(clean(preview(cell)) for cell in _cells(row, None))
        if any(names):
            return Header(names, "", match(names, mapping))
    raise LineupError(f"the sheet is empty; {_EXPECTED}")


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
