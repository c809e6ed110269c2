"""Backfill engines: their interface, the outcomes, and the engine that uses this process."""

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from threading import Event
from time import perf_counter
from typing import Any, Protocol

from festival.backfill.plan import FILES_AT_ONCE
from festival.errors import Remedy
from festival.ingest.attempt import Action, Ingestor, TryFailedError
from festival.ingest.events import FileEvent
from festival.ingest.ledger.records import Status, VersionRecord
from festival.ingest.report import Counts, IngestReport, Outcome
from festival.kit import ingest_object
from festival.text import one_line
from festival.threads import at_once

REASONS_KEPT = 3
ROWS_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file. `status` is its report's, or `done`, `superseded`, `not started`.

    `first_rejection` is the first rejected row in one line. `reasons` counts the commonest reasons
    among the first rejected rows, and `rejected_rows_at` says where all rejected rows are.
    `needs_mapping` says that a mapping, or another one, would make the file or more rows readable.
    """

    file: str
    status: str
    counts: Counts
    error: str = ""
    seconds: float = 0.0
    first_rejection: str = ""
    reasons: tuple[tuple[str, int], ...] = ()
    rejected_rows_at: str = ""
    needs_mapping: bool = False

    @property
    def failed(self) -> bool:
        return self.status == Outcome.FAILURE


def outcome_of_report(
    file: str, report: IngestReport, error: str = "", seconds: float = 0.0
) -> FileOutcome:
    """The outcome of an ingest; with `error`, of one that failed midway, with what it counted."""
    status = Outcome.FAILURE if error else report.status
    rows = list(islice(report.rejections, ROWS_LOOKED_AT))
    frequent = Counter(f"{row['field']} {row['reason']}".strip() for row in rows)
    return FileOutcome(
        file,
        status,
        report.counts,
        error or report.error,
        seconds,
        _rejection_line(rows[0]) if rows else "",
        tuple((one_line(reason, 120), n) for reason, n in frequent.most_common(REASONS_KEPT)),
        report.rejected_rows_at,
        report.remedy is not Remedy.FILE or any(row.get("option") for row in rows),
    )


def _rejection_line(row: Mapping[str, Any]) -> str:
    value = f' = "{one_line(row["value"], 60)}"' if row["field"] else ""
    position = f"line {row['line']}" if row["line"] else "the file"
    return one_line(f"{position}, {row['field']}{value}: {row['reason']}".replace(", :", ":"), 240)


def outcome_of_record(record: VersionRecord) -> FileOutcome:
    """The outcome of a file that the ledger shows as done."""
    seconds = record.milliseconds / 1000
    if record.status == Status.SUPERSEDED:
        return FileOutcome(record.file, Status.SUPERSEDED, Counts(), "", seconds)
    return outcome_of_report(record.file, record.report, seconds=seconds)


def unfinished(file: str, reason: str, seconds: float = 0.0) -> FileOutcome:
    """The outcome of a file that is not in the table yet; a later run continues with it."""
    return FileOutcome(file, Outcome.FAILURE, Counts(), reason, seconds)


class Engine(Protocol):
    """Ingests files into the table. The ledger records each."""

    def run(
        self, files: Sequence[FileEvent], *, again: bool = False, stop_at_failure: bool = False
    ) -> Generator[FileOutcome, None, None]:
        """The outcome of each file as soon as it is known; files that were not started have none.

        With `again`, files that the ledger shows as done are ingested again. With
        `stop_at_failure`, no further file is started after one has failed. Closing the generator
        stops the work.
        """
        ...


@dataclass(frozen=True)
class DirectEngine:
    """Ingests files in threads of this process, in order."""

    ingestor: Ingestor
    files_at_once: int = FILES_AT_ONCE

    def run(
        self, files: Sequence[FileEvent], *, again: bool = False, stop_at_failure: bool = False
    ) -> Generator[FileOutcome, None, None]:
        """The outcome of each file that was started. Closing waits for files in progress."""
        stop = Event()

        def work(event: FileEvent) -> FileOutcome | None:
            if stop.is_set():
                return None
            outcome = ingest_one(self.ingestor, event, again=again)
            if outcome.failed and stop_at_failure:
                stop.set()
            return outcome

        outcomes = at_once(work, files, self.files_at_once, in_order=False)
        with closing(outcomes):  # what has not begun then never does
            yield from filter(None, outcomes)


def ingest_one(ingestor: Ingestor, event: FileEvent, *, again: bool = False) -> FileOutcome:
    """Ingest one file in this process. Any error becomes its outcome and is not raised."""
    started = perf_counter()
    try:
        result = ingest_object(ingestor, event, again=again)
    except TryFailedError as failed:
        return outcome_of_report(event.file, failed.report, str(failed), perf_counter() - started)
    except Exception as error:
        # No error in one file may stop the others.
        text = f"{type(error).__name__}: {one_line(error, 300)}"
        with suppress(Exception):
            ingestor.note_failed_try(event, event.run, text)
        return unfinished(event.file, text, perf_counter() - started)
    seconds = perf_counter() - started
    if result.report is None or result.action in (Action.DONE, Action.SUPERSEDED):
        return FileOutcome(event.file, result.action, Counts(), "", seconds)
    return outcome_of_report(event.file, result.report, seconds=seconds)
