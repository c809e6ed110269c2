"""What a backfill engine is, what it says about a file, and the engine that is this process."""

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from threading import Event
from time import perf_counter
from typing import Any, Protocol

from festival.backfill.plan import FILES_AT_ONCE
from festival.ingest.attempt import Ingestor
from festival.ingest.events import FileEvent
from festival.ingest.ledger.records import Status, VersionRecord
from festival.ingest.report import Counts, IngestReport, Outcome
from festival.ingest.resources import Action, TryFailedError
from festival.kit import ingest_object
from festival.text import one_line
from festival.threads import at_once

REASONS_KEPT = 3
ROWS_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file: its report's status, `done`, `superseded` or `not started`.

    `first_rejection` is the first refused row in one line, `reasons` says how often the commonest
    reasons occur among the first refused rows, and `rejected_rows_at` where all of them are kept.
    """

    file: str
    status: str
    counts: Counts
    error: str = ""
    seconds: float = 0.0
    first_rejection: str = ""
    reasons: tuple[tuple[str, int], ...] = ()
    rejected_rows_at: str = ""

    @property
    def failed(self) -> bool:
        return self.status == Outcome.FAILURE


def outcome_of_report(
    file: str, report: IngestReport, error: str = "", seconds: float = 0.0
) -> FileOutcome:
    """A finished ingest or, with `error`, an unfinished one and how far it got."""
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
    )


def _rejection_line(row: Mapping[str, Any]) -> str:
    value = f' = "{one_line(row["value"], 60)}"' if row["field"] else ""
    place = f"line {row['line']}" if row["line"] else "the file"
    return one_line(f"{place}, {row['field']}{value}: {row['reason']}".replace(", :", ":"), 240)


def outcome_of_record(record: VersionRecord) -> FileOutcome:
    """A file that the ledger shows as done."""
    seconds = record.milliseconds / 1000
    if record.status == Status.SUPERSEDED:
        return FileOutcome(record.file, Status.SUPERSEDED, Counts(), "", seconds)
    return outcome_of_report(record.file, record.report, seconds=seconds)


def unfinished(file: str, why: str, seconds: float = 0.0) -> FileOutcome:
    """A file that is not in the table yet, and why; a later run continues with it."""
    return FileOutcome(file, Outcome.FAILURE, Counts(), why, seconds)


class Engine(Protocol):
    """Ingests files into the table, each through the ledger."""

    def run(
        self, files: Sequence[FileEvent], *, again: bool = False, stop_at_failure: bool = False
    ) -> Generator[FileOutcome, None, None]:
        """The outcome of each file as soon as it is known; files that never began have none.

        `again` repeats files that the ledger shows as done. With `stop_at_failure` no further file
        begins after one has failed. Closing the generator stops the work.
        """
        ...


@dataclass(frozen=True)
class DirectEngine:
    """Ingests in threads, the first files first."""

    ingestor: Ingestor
    files_at_once: int = FILES_AT_ONCE

    def run(
        self, files: Sequence[FileEvent], *, again: bool = False, stop_at_failure: bool = False
    ) -> Generator[FileOutcome, None, None]:
        """The outcome of each file that began (see Engine). Closing waits for files in progress."""
        stop = Event()

        def work(event: FileEvent) -> FileOutcome | None:
            if stop.is_set():
                return None
            outcome = ingest_one(self.ingestor, event, again=again)
            if outcome.failed and stop_at_failure:
                stop.set()
            return outcome

        working = at_once(work, files, self.files_at_once, in_order=False)
        with closing(working):  # what has not begun then never does
            yield from filter(None, working)


def ingest_one(ingestor: Ingestor, event: FileEvent, *, again: bool = False) -> FileOutcome:
    """Ingests one file in this process. Any error becomes its outcome and is not raised."""
    began = perf_counter()
    try:
        result = ingest_object(ingestor, event, again=again)
    except TryFailedError as failed:
        return outcome_of_report(event.file, failed.report, str(failed), perf_counter() - began)
    except Exception as error:
        # No error in one file, of any kind, may stop the other files.
        text = f"{type(error).__name__}: {one_line(error, 300)}"
        with suppress(Exception):
            ingestor.note_failed_try(event, event.run, text)
        return unfinished(event.file, text, perf_counter() - began)
    seconds = perf_counter() - began
    if result.report is None or result.action in (Action.DONE, Action.SUPERSEDED):
        return FileOutcome(event.file, result.action, Counts(), "", seconds)
    return outcome_of_report(event.file, result.report, seconds=seconds)
