"""Counts the rows of one pass over a file, and keeps its rejections, warnings and duplicates."""

import json
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from festival.errors import Remedy
from festival.ingest.report import Counts, IngestReport
from festival.lineup.model import Block, Performance, Rejection, identity_of
from festival.table.item import too_large

MEMORY_BYTES = 1024 * 1024


class Spool:
    """A list of JSON rows outside of memory: appended once, and read as often as needed.

    The first megabyte is held in memory, the rest in a temporary file that the operating system
    removes with the process.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES, mode="w+b")  # noqa: SIM115
        self._count = 0
        self.bytes = 0

    def append(self, row: Any) -> None:
        line = json.dumps(row, ensure_ascii=True, separators=(",", ":"), default=str).encode()
        self._file.write(line + b"\n")
        self._count += 1
        self.bytes += len(line) + 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        position = 0
        for _ in range(self._count):
            self._file.seek(position)
            line = self._file.readline()
            position = self._file.tell()
            self._file.seek(0, 2)
            yield json.loads(line)

    def __del__(self) -> None:
        self._file.close()


FIRST_SLOTS = 1024


class KeyLog:
    """A file's keys, each as a 64-bit hash, with the last line that had it.

    Open addressing over two arrays, 12 bytes a slot and never more than two thirds full: at most
    54 bytes a row while it doubles; a dict takes 110. In one of thirty million files with a million
    rows, two keys share a hash; such a row is reported as a duplicate, and still written.
    """

    def __init__(self) -> None:
        self._grow(FIRST_SLOTS)
        self._used = 0

    def _grow(self, slots: int) -> None:
        self._mask = slots - 1
        self._hashes = array("q", bytes(8 * slots))
        self._lines = array("L" if array("L").itemsize == 4 else "I", bytes(4 * slots))

    def note(self, performances: Iterable[Performance]) -> list[tuple[Performance, int]]:
        """Remember the rows; return those that replace an earlier row, with that row's line."""
        replacing = []
        hashes, lines, mask = self._hashes, self._lines, self._mask
        for performance in performances:
            mark = hash(identity_of(performance)) or 1
            slot = mark & mask
            while (occupant := hashes[slot]) != mark and occupant:
                slot = (slot + 1) & mask
            if occupant:
                replacing.append((performance, lines[slot]))
            else:
                hashes[slot] = mark
                self._used += 1
            lines[slot] = performance.line
            if self._used * 3 > mask * 2:
                self._double()
                hashes, lines, mask = self._hashes, self._lines, self._mask
        return replacing

    def _double(self) -> None:
        old_hashes, old_lines = self._hashes, self._lines
        self._grow(2 * (self._mask + 1))
        hashes, lines, mask = self._hashes, self._lines, self._mask
        for mark, line in zip(old_hashes, old_lines, strict=True):
            if mark:
                slot = mark & mask
                while hashes[slot]:
                    slot = (slot + 1) & mask
                hashes[slot] = mark
                lines[slot] = line

    def line_of(self, key: tuple[Any, ...]) -> int:
        """The last line that had this (performer, stage, date, start); 0 if none had."""
        mark = hash(key) or 1
        slot = mark & self._mask
        while (occupant := self._hashes[slot]) != mark and occupant:
            slot = (slot + 1) & self._mask
        return self._lines[slot]


class DuplicateRows:
    """The rows that a later row with the same key replaced, each as `{line, kept_line, key}`."""

    def __init__(self) -> None:
        self._keys = KeyLog()
        self._rows = Spool()

    def note(self, performances: Iterable[Performance]) -> int:
        """Remember these rows; return how many earlier rows they replace."""
        replacing = self._keys.note(performances)
        for performance, line in replacing:
            self._rows.append([line, *performance.identity])
        return len(replacing)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line, performer, stage, date, start in self._rows:
            performance = Performance(performer, stage, date, start, start, None, 0)
            yield {
                "line": line,
                "kept_line": self._keys.line_of((performer, stage, date, start)),
                "key": f"{performer} | {performance.sort_key}",
            }


PREVIEW_REJECTIONS = 20
PREVIEW_WARNINGS = 10


class Tally:
    """The running counts of a file, and its rejections, warnings and duplicates.

    If a large file is read in several passes, `earlier` are the counts of those before this one,
    and `preview` their first rejections and warnings. With `keep_rows` the original rejected rows
    are kept, too, until `take_rejected_rows` hands them over.
    """

    def __init__(
        self,
        earlier: Counts | None = None,
        preview: Mapping[str, Any] | None = None,
        *,
        source: str | None = None,
        keep_rows: bool = False,
    ) -> None:
        self._earlier = earlier or Counts()
        self._preview = {"rejections": [], "warnings": [], **(preview or {})}
        self._source = source
        self._keep_rows = keep_rows
        self._read = 0
        self._unwritten = 0
        self.rejections = Spool()
        self.warnings = Spool()
        self.duplicate_rows = DuplicateRows()
        self.rejected_rows = Spool()
        self.retries = 0
        self.throttles = 0

    def take(self, block: Block) -> list[Performance]:
        """Count a block's rows; return the performances that the table can hold, in order."""
        self._read += block.read
        self.reject(block.rejections)
        for warning in block.warnings:
            row = {
                "line": warning.line,
                "field": warning.field,
                "value": warning.value,
                "reason": warning.reason,
            }
            self.warnings.append(row)
            _add_to_preview(self._preview["warnings"], row, PREVIEW_WARNINGS)
        performances = []
        for performance in block.performances:
            rejection = too_large(performance, source=self._source)
            if rejection is None:
                performances.append(performance)
            else:
                self.reject([rejection])
        self.duplicate_rows.note(performances)
        return performances

    def reject(self, rejections: Iterable[Rejection]) -> None:
        for rejection in rejections:
            row = {
                "line": rejection.line,
                "field": rejection.field,
                "value": rejection.value,
                "reason": rejection.reason,
            }
            if rejection.option:
                row["option"] = rejection.option
            self.rejections.append(row)
            _add_to_preview(self._preview["rejections"], row, PREVIEW_REJECTIONS)
            if self._keep_rows:
                self.rejected_rows.append(row | {"original": rejection.original})

    def take_rejected_rows(self) -> Spool:
        """The original rejected rows since the last call."""
        rows, self.rejected_rows = self.rejected_rows, Spool()
        return rows

    def leave_unwritten(self, rows: int) -> None:
        self._unwritten += rows

    def count_effort(self, retries: int, throttles: int) -> None:
        self.retries += retries
        self.throttles += throttles

    @property
    def preview(self) -> dict[str, Any]:
        """The first rejections and warnings of the whole file, for its e-mail."""
        return self._preview

    @property
    def counts(self) -> Counts:
        return self._earlier + Counts(
            self._read,
            len(self.rejections),
            len(self.duplicate_rows),
            self._unwritten,
            len(self.warnings),
        )

    def report(
        self,
        file: str,
        *,
        error: str = "",
        remedy: Remedy = Remedy.FILE,
        version: str = "",
        rejected_rows_at: str = "",
    ) -> IngestReport:
        return IngestReport(
            file,
            self.counts,
            self.rejections,
            self.warnings,
            self.duplicate_rows,
            error,
            version,
            rejected_rows_at,
            remedy=remedy,
        )


def _add_to_preview(rows: list[Any], row: Any, most: int) -> None:
    """Add a row unless there are enough; rows about the whole file (line 0) come first."""
    if not row["line"]:
        rows.insert(sum(not each["line"] for each in rows), row)
        del rows[most:]
    elif len(rows) < most:
        rows.append(row)
