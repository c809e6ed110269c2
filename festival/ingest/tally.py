"""Counting one pass over a file, and keeping what has to be told about it."""

from collections.abc import Iterable

from festival.ingest.duplicates import DuplicateRows
from festival.ingest.report import Counts, IngestReport
from festival.ingest.spool import Spool
from festival.lineup.model import Block, Performance, Rejection
from festival.table.item import too_large


class Tally:
    """The running counts of a file, and its rejections, warnings and duplicates.

    `earlier` are the counts of the passes before this one, where a large file is read in several.
    """

    def __init__(self, earlier: Counts = Counts(), *, source: str | None = None) -> None:  # noqa: B008
        self._earlier = earlier
        self._source = source
        self._read = 0
        self._unwritten = 0
        self.rejections = Spool()
        self.warnings = Spool()
        self.duplicate_rows = DuplicateRows()

    def take(self, block: Block) -> list[Performance]:
        """Count a block's rows; the performances that the table can hold come back, in order."""
        self._read += block.read
        self.reject(block.rejections)
        for warning in block.warnings:
            self.warnings.append(
                {
                    "line": warning.line,
                    "field": warning.field,
                    "value": warning.value,
                    "reason": warning.reason,
                }
            )
        kept = []
        for performance in block.performances:
            refusal = too_large(performance, source=self._source)
            if refusal is None:
                kept.append(performance)
            else:
                self.reject([refusal])
        self.duplicate_rows.note(kept)
        return kept

    def reject(self, rejections: Iterable[Rejection]) -> None:
        for rejection in rejections:
            self.rejections.append(
                {
                    "line": rejection.line,
                    "field": rejection.field,
                    "value": rejection.value,
                    "reason": rejection.reason,
                    "original": rejection.original,
                }
            )

    def leave_unwritten(self, rows: int) -> None:
        self._unwritten += rows

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
        self, file: str, *, error: str = "", version: str = "", rejected_rows_at: str = ""
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
        )
