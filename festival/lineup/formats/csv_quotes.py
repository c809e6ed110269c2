"""Splits the rows that are hard to split: quotes over several lines, unclosed or misplaced."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from festival.lineup.decode import Limits

Cells = list[str]


class Flaw(Enum):
    """What is wrong with a record's quotes."""

    NONE = ""
    TEXT_AFTER_QUOTE = "has text after a closing quote"
    UNCLOSED = "has an unclosed quote; expected a closing quote and one cell for each column"
    UNDECIDED = "continues in lines that have not arrived yet"


class Record(NamedTuple):
    """The cells of a record and how many physical lines it takes."""

    cells: Cells
    lines: int
    flaw: Flaw = Flaw.NONE


_UNCLOSED = Record([], 1, Flaw.UNCLOSED)
_UNDECIDED = Record([], 1, Flaw.UNDECIDED)


class QuoteResolver(NamedTuple):
    """Decides how far a record with odd quotes extends.

    `width` is the header's number of cells; `is_row` says whether cells are a performance.
    """

    delimiter: str
    width: int
    is_row: Callable[[Cells], bool]
    limits: Limits

    def resolve(self, lines: Sequence[str], begin: int, stop: int, *, final: bool) -> Record:
        """The record that begins at `lines[begin]` and ends before `lines[stop]`.

        A record over several lines is accepted only if it is strict, has exactly `width` cells, and
        contains no line that is a row by itself; otherwise its first line has an unclosed quote.
        Without `final`, a record that may continue after `stop` is undecided.
        """
        alone = divide(lines, begin, begin + 1, self.delimiter)
        if alone.flaw is not Flaw.UNDECIDED:
            return alone
        nearest = min(stop, begin + self.limits.record_lines)
        record = divide(lines, begin, nearest, self.delimiter, strict_width=self.width)
        if record.flaw is Flaw.UNDECIDED and not final and nearest == stop:
            return record if self._fits(lines[begin:stop]) else _UNCLOSED
        spanned = lines[begin : begin + record.lines]
        is_sound = (
            record.flaw is Flaw.NONE
            and len(record.cells) == self.width
            and self._fits(spanned)
            and not self._swallows(spanned)
        )
        return record if is_sound else _UNCLOSED

    def _fits(self, lines: Sequence[str]) -> bool:
        return sum(len(line.encode()) + 1 for line in lines) <= self.limits.record_bytes

    def _swallows(self, lines: Sequence[str]) -> bool:
        """Whether lines inside a quoted record are rows by themselves.

        The first and the last line divide the record's cells between them: one of them may look
        like a row (`Band",Main,20:00,…` after a line break in a name), but not both.
        """
        inner = any(map(self._is_row_alone, lines[1:-1]))
        return inner or (self._is_row_alone(lines[0]) and self._is_row_alone(lines[-1]))

    def _is_row_alone(self, line: str) -> bool:
        cells = line.replace('"', "").split(self.delimiter)
        return len(cells) == self.width and self.is_row(cells)


def divide(
    lines: Sequence[str], begin: int, stop: int, delimiter: str, strict_width: int | None = None
) -> Record:
    """The cells of the record that begins at `lines[begin]`; undecided if it reaches `stop`.

    Text after a closing quote is kept, as `csv.reader` does, and is the record's flaw. With a
    `strict_width`, such text, or more cells than that, ends the search: the quote is unclosed. So
    no line of a hostile file is scanned more times than the header has cells.
    """
    cells: Cells = []
    flaw, index, at = Flaw.NONE, begin, 0
    while strict_width is None or len(cells) <= strict_width:
        quoted = ""
        if was_quoted := lines[index].startswith('"', at):
            closed = _quoted(lines, index, at + 1, stop)
            if closed is None:
                return _UNDECIDED if flaw is Flaw.NONE else _UNCLOSED
            quoted, index, at = closed
        line = lines[index]
        end = line.find(delimiter, at)
        text = line[at:] if end < 0 else line[at:end]
        if was_quoted and text:
            flaw = Flaw.TEXT_AFTER_QUOTE
            if strict_width is not None:
                break
        cells.append(quoted + text)
        if end < 0:
            return Record(cells, index - begin + 1, flaw)
        at = end + len(delimiter)
    return _UNCLOSED


def _quoted(lines: Sequence[str], index: int, at: int, stop: int) -> tuple[str, int, int] | None:
    """A quoted cell's text, and line and column after its closing quote; None if it has none."""
    parts: list[str] = []
    while index < stop:
        line = lines[index]
        quote = line.find('"', at)
        if quote < 0:
            parts.append(line[at:] + "\n")
            index, at = index + 1, 0
        elif line.startswith('"', quote + 1):
            parts.append(line[at : quote + 1])
            at = quote + 2
        else:
            parts.append(line[at:quote])
            return "".join(parts), index, quote + 1
    return None
