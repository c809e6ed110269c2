"""Counting one pass over a file, and keeping what has to be told about it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from festival.ingest.duplicates import DuplicateRows
from festival.ingest.report import Counts, IngestReport
from festival.ingest.spool import Spool
from festival.lineup.model import Block, Performance, Rejection
from festival.table.item import too_large

SHOWN_REJECTIONS = 20
SHOWN_WARNINGS = 10


class Tally:
    """The running counts of a file, and its rejections, warnings and duplicates.

    `earlier` are the counts of the passes before this one, where a large file is read in several,
    and `shown` the first rejections and warnings of those. With `keep_rows` the refused rows as
    they stood are kept, too, until `take_rejected_rows` hands them over.
    """

    def __init__(
        self,
        earlier: Counts | None = None,
        shown: Mapping[str, Any] | None = None,
        *,
        source: str | None = None,
        keep_rows: bool = False,
    ) -> None:
        self._earlier = earlier or Counts()
        self._shown = {"rejections": [], "warnings": [], **(shown or {})}
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
        """Count a block's rows; the performances that the table can hold come back, in order."""
        self._read += block.read
        self.reject(block.rejections)
        for warning in block.warnings:
            row = asdict(warning)
            self.warnings.append(row)
            _show(self._shown["warnings"], row, SHOWN_WARNINGS)
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
            row = {
                "line": rejection.line,
                "field": rejection.field,
                "value": rejection.value,
                "reason": rejection.reason,
            }
            self.rejections.append(row)
            _show(self._shown["rejections"], row, SHOWN_REJECTIONS)
            if self._keep_rows:
                self.rejected_rows.append(row | {"original": rejection.original})

    def take_rejected_rows(self) -> Spool:
        """The refused rows as they stood, since this was asked last."""
        taken, self.rejected_rows = self.rejected_rows, Spool()
        return taken

    def leave_unwritten(self, rows: int) -> None:
        self._unwritten += rows

    def count_effort(self, retries: int, throttles: int) -> None:
        self.retries += retries
        self.throttles += throttles

    @property
    def shown(self) -> dict[str, Any]:
        """The first rejections and warnings of the whole file, for its e-mail."""
        return self._shown

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


def _show(rows: list[Any], row: Any, most: int) -> None:
    if len(rows) < most:
        rows.append(row)
