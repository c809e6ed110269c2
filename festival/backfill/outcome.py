"""What became of one file of a backfill, whichever engine took it."""

from dataclasses import dataclass

from festival.ingest.ledger.records import SUPERSEDED, VersionRecord
from festival.ingest.report import FAILURE, Counts, IngestReport


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file: its report's status, `done`, `superseded` or `not started`."""

    file: str
    status: str
    counts: Counts
    error: str = ""
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        return self.status == FAILURE


def outcome_of_report(
    file: str, report: IngestReport, error: str = "", seconds: float = 0.0
) -> FileOutcome:
    """A finished ingest, or with `error` one that is not finished and how far it came."""
    status = FAILURE if error else report.status
    return FileOutcome(file, status, report.counts, error or report.error, seconds)


def outcome_of_record(record: VersionRecord) -> FileOutcome:
    """A file that the ledger shows as done."""
    seconds = record.milliseconds / 1000
    if record.status == SUPERSEDED:
        return FileOutcome(record.file, SUPERSEDED, Counts(), "", seconds)
    return outcome_of_report(record.file, record.report, seconds=seconds)


def unfinished(file: str, why: str, seconds: float = 0.0) -> FileOutcome:
    """A file that is not in the table yet, and why; a later run goes on with it."""
    return FileOutcome(file, FAILURE, Counts(), why, seconds)
