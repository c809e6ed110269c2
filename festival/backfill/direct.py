"""The engine that is this process: several files at once, each through the ledger."""

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from time import perf_counter

from festival.backfill.outcome import FileOutcome, outcome_of_report, unfinished
from festival.ingest.events import FileEvent
from festival.ingest.mail import one_line
from festival.ingest.report import Counts
from festival.ingest.resources import DONE, SUPERSEDED, TryFailedError
from festival.ingest.service import Ingestor
from festival.kit import ingest_object

FILES_AT_ONCE = 4


@dataclass(frozen=True)
class DirectEngine:
    """Ingests by threads, the first files first."""

    ingestor: Ingestor
    files_at_once: int = FILES_AT_ONCE

    def run(
        self, files: Sequence[FileEvent], *, again: bool = False, stop_at_failure: bool = False
    ) -> Generator[FileOutcome, None, None]:
        """The outcome of each file that began (see Engine). Closing waits for files in work."""
        stop = Event()

        def work(event: FileEvent) -> FileOutcome | None:
            if stop.is_set():
                return None
            outcome = ingest_one(self.ingestor, event, again=again)
            if outcome.failed and stop_at_failure:
                stop.set()
            return outcome

        threads = ThreadPoolExecutor(self.files_at_once, thread_name_prefix="backfill")
        try:
            for done in as_completed([threads.submit(work, event) for event in files]):
                if outcome := done.result():
                    yield outcome
        finally:
            stop.set()
            threads.shutdown(cancel_futures=True)


def ingest_one(ingestor: Ingestor, event: FileEvent, *, again: bool = False) -> FileOutcome:
    """One file by this process. Its trouble, of whatever kind, is told and not raised."""
    began = perf_counter()
    try:
        result = ingest_object(ingestor, event, again=again)
    except TryFailedError as failed:
        return outcome_of_report(event.file, failed.report, str(failed), perf_counter() - began)
    except Exception as error:
        # One file's trouble, of whatever kind, is not the other files'.
        text = f"{type(error).__name__}: {one_line(error, 300)}"
        with suppress(Exception):
            ledger = ingestor.resources.ledger
            ledger.note_failed_try(event.file, event.version, event.run, text)
        return unfinished(event.file, text, perf_counter() - began)
    seconds = perf_counter() - began
    if result.report is None or result.action in (DONE, SUPERSEDED):
        return FileOutcome(event.file, result.action, Counts(), "", seconds)
    return outcome_of_report(event.file, result.report, seconds=seconds)
