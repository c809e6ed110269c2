"""Splits CSV lines into rows: plain lines a block at a time, those with odd quotes singly."""

import csv
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from festival.lineup.decode import AS_CP1252, Limits, LineReader, Lines, LongLine
from festival.lineup.fields.text import clean, preview
from festival.lineup.formats.csv_quotes import Cells, Flaw, QuoteResolver, Record
from festival.lineup.formats.header import Header, unguard
from festival.lineup.formats.rows_above import RowsAbove
from festival.lineup.model import (
    Position,
    Rejection,
    RejectionKind,
    Rows,
    RowWarning,
    WarningKind,
)

SHAPE = "csv"


class CsvRows:
    """The rows after a header, block by block."""

    def __init__(
        self,
        reader: LineReader,
        header: Header,
        is_row: Callable[[tuple[Any, ...]], bool],
        limits: Limits,
    ) -> None:
        self._reader = reader
        self._header = header
        self._above = header.above
        self._width = len(header.names)
        self._pick = header.picker()
        self._quotes = QuoteResolver(
            header.delimiter, self._width, lambda cells: is_row(self._pick(cells)), limits
        )

    def __iter__(self) -> Iterator[Rows]:
        beyond = 0
        while (lines := self._reader.next(beyond)) is not None:
            if isinstance(lines, LongLine):
                refused = Rejection(lines.number, "", preview(lines.head), lines.reason, lines.head)
                yield Rows((), (), (), self._position(), [refused])
                continue
            block = self._plain(lines) or self._singly(lines)
            if not block.height:
                # These lines are only the beginning of a quoted record.
                beyond = len(lines.raw)
                continue
            beyond = 0
            self._reader.take(lines, block.height)
            if self._header.is_corrections:
                block.unguard()
            cells = block.cells(self._pick, self._above)
            yield block.rows(cells, self._position())
        if self._reader.failure:
            raise self._reader.failure

    def _position(self) -> Position:
        above = self._above.state if self._above else ()
        return self._reader.position(SHAPE)._replace(
            delimiter=self._header.delimiter, header=self._header.names, above=above
        )

    def _plain(self, lines: Lines) -> "_PendingRows | None":
        """All the lines at once, if every line is one row."""
        if lines.refused or lines.assumed:
            return None
        rows = self._divided(lines)
        if rows is None:
            return None
        block = _PendingRows(range(lines.first, lines.first + len(rows)), rows, len(rows))
        width = self._width
        if set(map(len, rows)) != {width}:
            for index in [at for at, cells in enumerate(rows) if len(cells) != width]:
                text = lines.text[index]
                rows[index] = self._fitted(block, rows[index], block.lines[index], text)
        return block

    def _divided(self, lines: Lines) -> list[Cells] | None:
        delimiter = self._header.delimiter
        if not lines.has_quotes:
            return [line.split(delimiter) for line in lines.text]
        try:
            rows = list(csv.reader(lines.text, delimiter=delimiter, strict=True))
        except csv.Error:
            return None
        # Fewer rows than lines: a row spans several lines, perhaps because of a stray quote.
        return rows if len(rows) == len(lines.text) else None

    def _singly(self, lines: Lines) -> "_PendingRows":
        numbers: list[int] = []
        rows: list[Cells] = []
        block = _PendingRows(numbers, rows, 0)
        refused = sorted(lines.refused)
        index = 0
        while index < len(lines.text):
            number, text = lines.first + index, lines.text[index]
            if index in lines.refused:
                block.refuse(number, text, *lines.refused[index])
                index += 1
                continue
            place = bisect_right(refused, index)
            stop = refused[place] if place < len(refused) else len(lines.text)
            record = self._record(lines, index, stop)
            if record.flaw is Flaw.UNDECIDED:
                break
            for at in lines.assumed.intersection(range(index, index + record.lines)):
                block.warn(lines.first + at, lines.text[at], AS_CP1252, WarningKind.ENCODING)
            if record.flaw is Flaw.UNCLOSED:
                block.refuse(number, text, Flaw.UNCLOSED.value)
            else:
                if record.flaw is Flaw.TEXT_AFTER_QUOTE:
                    reason = f"{record.flaw.value}; read without the quotes"
                    block.warn(number, text, reason, WarningKind.QUOTE)
                whole = "\n".join(lines.text[index : index + record.lines])
                numbers.append(number)
                rows.append(self._fitted(block, record.cells, number, whole))
            index += record.lines
        block.height = index
        return block

    def _record(self, lines: Lines, index: int, stop: int) -> Record:
        text, delimiter = lines.text[index], self._header.delimiter
        if '"' not in text:
            return Record(text.split(delimiter), 1)
        try:
            return Record(next(csv.reader((text,), delimiter=delimiter, strict=True)), 1)
        except csv.Error:
            final = lines.final or stop < len(lines.text)
            return self._quotes.resolve(lines.text, index, stop, final=final)

    def _fitted(self, block: "_PendingRows", cells: Cells, line: int, text: str) -> Cells:
        """As many cells as the header has: missing ones are blank; extra ones get it rejected.

        Extra blank cells do not count: many tools end every row with a comma.
        """
        missing = self._width - len(cells)
        if missing < 0 and not clean("".join(cells[self._width :])):
            return cells[: self._width]
        if missing < 0:
            block.refuse(
                line,
                text,
                f"has {len(cells)} cells; expected the header's {self._width} at most",
            )
        # A blank row, which does not count, takes the place of a rejected one.
        return cells + [""] * missing if missing >= 0 else [""] * self._width


class _PendingRows:
    """Rows being gathered; `height` is how many physical lines they take."""

    def __init__(self, lines: Sequence[int], rows: list[Cells], height: int) -> None:
        self.lines = lines
        self.height = height
        self._rows = rows
        self._rejections: list[Rejection] = []
        self._warnings: list[RowWarning] = []

    def refuse(self, line: int, text: str, reason: str, option: str = "") -> None:
        kind = RejectionKind.UNSETTLED if option else RejectionKind.ROW
        self._rejections.append(Rejection(line, "", preview(text), reason, text, kind, option))

    def warn(self, line: int, text: str, reason: str, kind: WarningKind) -> None:
        self._warnings.append(RowWarning(line, "", preview(text), reason, kind))

    def unguard(self) -> None:
        """Remove the apostrophes that keep spreadsheets from running cells as formulas."""
        self._rows[:] = [[unguard(cell) for cell in cells] for cells in self._rows]

    def cells(
        self, pick: Callable[[Cells], tuple[Any, ...]], above: RowsAbove | None
    ) -> Iterable[tuple[Any, ...]]:
        """The six cells of each row; a title becomes a blank row, which does not count."""
        if above is None:
            return map(pick, self._rows)
        cells = []
        for at, row in enumerate(self._rows):
            if above.takes(row):
                self._rows[at] = [""] * len(row)
            blank = not any(self._rows[at])
            cells.append(pick(self._rows[at]) if blank else above.filled(pick(row)))
        return cells

    def rows(self, cells: Iterable[tuple[Any, ...]], end: Position) -> Rows:
        return Rows(self.lines, self._rows, cells, end, self._rejections, self._warnings)
