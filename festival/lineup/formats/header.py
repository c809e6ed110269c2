"""Finds a CSV's header row, and the delimiter that makes it fit."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from operator import itemgetter
from typing import Any, NamedTuple

from festival.errors import LineupError, Remedy
from festival.lineup.columns import REQUIRED, Columns, match
from festival.lineup.decode import AS_CP1252, EXPECTED, LineReader, Lines, LongLine
from festival.lineup.fields.text import clean, preview
from festival.lineup.formats.csv_quotes import Cells, Flaw, Record, divide
from festival.lineup.formats.rows_above import RowsAbove
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import Position, RowWarning, WarningKind

ADDED_COLUMNS = ("rejected_from", "line", "reason")
RAW_COLUMN = "unreadable_row"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "'")


def guard(cell: str) -> str:
    """The cell with an apostrophe in front if a spreadsheet would run it as a formula."""
    return "'" + cell if cell.startswith(FORMULA_STARTS) else cell


def unguard(cell: str) -> str:
    """The cell as it was before `guard`."""
    return cell[1:] if cell.startswith("'") else cell


def is_rejected_rows_header(header: Sequence[str]) -> bool:
    """Whether a CSV with this header is a rejected-rows file of the kit."""
    return tuple(header[-len(ADDED_COLUMNS) :]) == ADDED_COLUMNS


DELIMITERS = (",", ";", "\t", "|")
CELLS = "\x1f"
"""The delimiter between a workbook row's cells when the row is handled as a line of text."""
_TITLES = 20
_SEPARATOR = re.compile(r'"?sep=(.)"?[,;\t|]*', re.IGNORECASE)
_COMMENT = re.compile(r"^(?://|#) ?(?=\w)")
_PADDING = "".join(DELIMITERS) + CELLS + '" \ufeff\u00a0'


class Header(NamedTuple):
    """The header's cells, their delimiter, and which column is which field."""

    names: tuple[str, ...]
    delimiter: str
    columns: Columns
    above: RowsAbove | None = None

    def picker(self) -> Callable[[Cells], tuple[Any, ...]]:
        """A function from a row as wide as the header to its six cells."""
        columns, blank = self.columns, len(self.names)
        six = itemgetter(*(blank if place is None else place for place in columns.picked))
        if columns.is_plain:
            return six if None not in columns.places else lambda cells: six([*cells, ""])
        return lambda cells: columns.completed(six([*cells, ""]))

    def original(self, cells: Cells) -> Mapping[str, str] | None:
        """A rejected row by column name; None for a row of nothing but blanks.

        Spreadsheets pad their exports with such rows; like blank lines, they do not count.
        """
        return dict(zip(self.own_names, cells, strict=False)) if clean("".join(cells)) else None

    @property
    def is_corrections(self) -> bool:
        """Whether this is a file of rejected rows that the kit wrote and a person corrected."""
        return is_rejected_rows_header(self.names)

    @property
    def own_names(self) -> tuple[str, ...]:
        """The names, without the columns that the kit added to rejected rows."""
        return self.names[: -len(ADDED_COLUMNS)] if self.is_corrections else self.names


class FoundHeader(NamedTuple):
    """A file's likeliest header, and what was assumed about it.

    `misfit` says why it cannot be used, if so; `lines` is how many lines it takes.
    """

    header: Header
    warnings: list[RowWarning]
    misfit: LineupError | None
    lines: int = 1


def read_header(reader: LineReader, mapping: LineupMapping) -> tuple[Header, list[RowWarning]]:
    """Take the header off the lines: the first line that is not blank, or one after titles.

    Raises LineupError if there is none, if needed columns are missing, or if two columns could be
    one field; the message shows the names that the file has.
    """
    result = find_header(reader, mapping)
    if result.misfit:
        raise reader.failure or result.misfit
    return result.header, result.warnings


def find_header(reader: LineReader, mapping: LineupMapping) -> FoundHeader:
    """Take the header off the lines, even one that lacks columns.

    Raises LineupError for a file without a line of text.
    """
    lines, index = _first_text(reader)
    if index in lines.refused:
        raise lines.refused[index].error("the first line", f"; {EXPECTED}")
    result, height = header_in(lines.text, lines.first, index, mapping)
    assumed = [
        RowWarning(lines.first + at, "", preview(lines.text[at]), AS_CP1252, WarningKind.ENCODING)
        for at in sorted(lines.assumed)
        if height - result.lines <= at < height
    ]
    reader.take(lines, height)
    error = result.misfit
    if error and len(result.header.columns.missing) >= len(REQUIRED) - 1:
        error = _another_kind(lines.text[index:]) or error
    return result._replace(warnings=[*assumed, *result.warnings], misfit=error)


def header_in(
    text: list[str],
    line: int,
    first: int,
    mapping: LineupMapping,
    delimiters: Sequence[str] = DELIMITERS,
) -> tuple[FoundHeader, int]:
    """The header in a table's first lines, and how many of the lines are above the rows.

    `line` is the first line's number, `first` the index of the first line with any text.
    """
    place = _header_place(text, line, first, mapping, delimiters)
    header, height = place.header, place.height
    warnings = []
    if place.titles and not mapping.sections:
        above = ", and the lines before it for titles" if place.at > first else ""
        reason = f"taken for the header{above}"
        value = preview(_with_commas(" / ".join(text[place.at : place.at + height])))
        warnings.append(RowWarning(line + place.at, "", value, reason, WarningKind.HEADER))
    if mapping.sections or mapping.fill_down:
        above_rows = RowsAbove(mapping, header.names, ())
        for title in text[first : place.at]:
            above_rows.takes(title.split(header.delimiter))
        header = header._replace(above=above_rows)
    unknown = [name for name in header.columns.ignored if name in header.own_names]
    if unknown:
        warnings.append(ignored(unknown))
    reason = place.misfit or misfit(_with_commas(text[place.at]), header)
    error = LineupError(reason, Remedy.MAPPING) if reason else None
    return FoundHeader(header, warnings, error, height), place.at + height


def _with_commas(text: str) -> str:
    return text.replace(CELLS, ", ")


def _another_kind(lines: Sequence[str]) -> LineupError | None:
    """The error about a file that is plainly something else, such as JavaScript."""
    from festival.lineup.formats.foreign import other_kind

    kind = other_kind("\n".join(lines[:_TITLES]))
    return LineupError(f"the file is {kind}") if kind else None


class _HeaderPlace(NamedTuple):
    """Where a header is: the index of its first line, and how many lines it takes.

    `titles` says that the file has lines of titles above it.
    """

    at: int
    header: Header
    height: int
    titles: bool = False
    misfit: str = ""


def _header_place(
    text: list[str], line: int, first: int, mapping: LineupMapping, separators: Sequence[str]
) -> _HeaderPlace:
    """The header: the mapping's, else the first line, or a later line that fits fully."""
    if mapping.header_row:
        index = mapping.header_row - line
        if not 0 <= index < len(text):
            raise LineupError(
                f"the mapping's header_row is {mapping.header_row}; expected a line of the file's "
                f"first {len(text)}",
                Remedy.MAPPING,
            )
        if mapping.header:
            return _HeaderPlace(index, _given_header(text[index + 1 :], mapping, separators), 1)
        return _HeaderPlace(index, *best_header(text, index, mapping, separators))
    if mapping.header:
        return _HeaderPlace(first, _given_header(text[first:], mapping, separators), 0)
    if (declared := _SEPARATOR.fullmatch(text[first])) and first + 1 < len(text):
        separators, first = (declared[1],), first + 1
    top = _HeaderPlace(first, *best_header(text, first, mapping, separators))
    if _fits(top.header):
        return top
    if joined := _joined_header(text, first, mapping, separators):
        return joined
    likely = top
    for index in range(first + 1, min(first + _TITLES, len(text))):
        if not text[index].strip(_PADDING):
            continue
        later = _HeaderPlace(index, *best_header(text, index, mapping, separators))
        if _fits(later.header):
            return later._replace(titles=True)
        if joined := _joined_header(text, index, mapping, separators):
            return joined
        if len(later.header.columns.missing) < len(likely.header.columns.missing) - 1:
            likely = later
    if likely is top:
        return top
    why = misfit(_with_commas(text[likely.at]), likely.header)
    return top._replace(
        misfit=f"the header seems to be in line {line + likely.at}: set the mapping's header_row; "
        f"and {why}"
    )


def _given_header(text: Sequence[str], mapping: LineupMapping, separators: Sequence[str]) -> Header:
    """The mapping's header, with the delimiter that splits most rows to fit it."""
    names = mapping.header

    def fitting(delimiter: str) -> int:
        return sum(line.count(delimiter) == len(names) - 1 for line in text[:_TITLES])

    return Header(names, max(separators, key=fitting), match(names, mapping))


def _joined_header(
    text: list[str], index: int, mapping: LineupMapping, separators: Sequence[str]
) -> _HeaderPlace | None:
    """A header of two lines: the lower line's names and, above its blank cells, the upper's."""
    for delimiter in separators:
        upper = _header_record(text, index, delimiter)
        below = index + upper.lines
        if below >= len(text):
            continue
        lower = _header_record(text, below, delimiter)
        pairs = [*zip_longest(upper.cells, lower.cells, fillvalue="")]
        if len(pairs) < len(REQUIRED) or all(clean(low) for _, low in pairs):
            continue
        names = tuple(low if clean(low) else up for up, low in pairs)
        header = Header(names, delimiter, match(names, mapping))
        if _fits(header):
            return _HeaderPlace(index, header, upper.lines + lower.lines, titles=True)
    return None


def _fits(header: Header) -> bool:
    return not header.columns.missing and not header.columns.unclear


def above_of(mapping: LineupMapping, position: Position) -> RowsAbove | None:
    """The RowsAbove for the rows after a Position; None if the mapping needs none."""
    if not (mapping.sections or mapping.fill_down):
        return None
    return RowsAbove(mapping, position.header, position.above)


def ignored(names: Sequence[str]) -> RowWarning:
    """The warning, once per file, that some of its columns are ignored."""
    value = preview(", ".join(map(clean, names)))
    return RowWarning(0, "", value, "columns that are not a field; ignored", WarningKind.COLUMNS)


def _first_text(reader: LineReader) -> tuple[Lines, int]:
    while (lines := reader.next()) is not None:
        if isinstance(lines, LongLine):
            raise LineupError(f"the first line {lines.reason}; {EXPECTED}")
        index = first_with_text(lines.text)
        if index is not None:
            return lines, index
        reader.take(lines, len(lines.text))
    raise reader.failure or LineupError(f"the file is empty; {EXPECTED}")


def first_with_text(lines: Sequence[str]) -> int | None:
    """The index of the first line that is not only padding, or None."""
    return next((at for at, line in enumerate(lines) if line.strip(_PADDING)), None)


def best_header(
    text: list[str], index: int, mapping: LineupMapping, delimiters: Sequence[str] = DELIMITERS
) -> tuple[Header, int]:
    """The header at a line, split by the delimiter that fits best, and how many lines it takes.

    The best delimiter is the first that leaves no needed column missing; else the one that leaves
    the fewest missing and, among those, gives the most columns.
    """
    headers: list[tuple[Header, int]] = []
    for delimiter in delimiters:
        record = _header_record(text, index, delimiter)
        columns = match(record.cells, mapping)
        headers.append((Header(tuple(record.cells), delimiter, columns), record.lines))
    return min(headers, key=lambda each: _fit(each[0]))


def _fit(header: Header) -> tuple[int, int]:
    missing = len(header.columns.missing)
    return missing, -len(header.names) if missing else 0


def _header_record(text: list[str], index: int, delimiter: str) -> Record:
    record = divide(text, index, len(text), delimiter)
    if record.flaw is Flaw.UNDECIDED or record.flaw is Flaw.UNCLOSED:
        record = Record(text[index].split(delimiter), 1)
    # Clashfinder writes its header as a comment.
    return record._replace(cells=[_COMMENT.sub("", record.cells[0]), *record.cells[1:]])


def misfit(line: str, header: Header) -> str:
    """Why a header cannot be used; empty if it can. `line` is the header's text."""
    missing, unclear = header.columns.missing, header.columns.unclear
    if len(missing) == len(REQUIRED):
        if "\0" in line:
            return (
                f"the file is binary data (its first line has a NUL byte); {EXPECTED}, or the "
                "mapping's encoding, such as utf-16-le"
            )
        return (
            f"the first line is not a header: '{preview(line)}'; {EXPECTED}, or the mapping's "
            "header, a list of names"
        )
    if unclear:
        return unclear[0].reason
    if not missing:
        return ""
    names = preview(", ".join(map(clean, header.names)))
    return (
        f"the header has no column for {', '.join(missing)}: it has '{names}'; expected "
        f"{', '.join(REQUIRED)}, or a mapping whose {_remedies(missing)}"
    )


def _remedies(missing: Sequence[str]) -> str:
    """What a mapping can say about missing columns."""
    remedy = "columns say which they are"
    if {"Stage", "Date"}.issuperset(missing):
        return f"{remedy}, or whose constants or sections give the {' and '.join(missing)}"
    return f"{remedy}, or a default_length" if [*missing] == ["End"] else remedy
