"""One try at one version of one file, under its lease: read, write, record, tell.

The order is what makes it exact. The newest version is what S3 says under the lease; rows are
stored before the place behind them is saved; `written` is recorded before stale items are removed;
these are removed before the e-mail is sent, and it is sent before it is recorded as sent.
"""

import json
from dataclasses import replace
from typing import Any

from festival.errors import RetryableError
from festival.ingest.events import FileEvent
from festival.ingest.ledger.leases import Lease
from festival.ingest.ledger.records import Progress, Status, VersionRecord
from festival.ingest.pipeline import ListedWriter, Writer, ingest_blocks, settle
from festival.ingest.report import IngestReport
from festival.ingest.resources import Action, Budget, Resources, TryFailedError, TryResult
from festival.ingest.s3_object import (
    StoredObject,
    SupersededError,
    current_object,
    gone,
    object_chunks,
)
from festival.ingest.sidecar import AppliedMapping
from festival.ingest.tally import Tally
from festival.lineup.model import Block, Position
from festival.lineup.read import read_lineup

CHECKPOINT_SECONDS = 30.0
CHECKPOINT_BYTES = 64 * 1024 * 1024
NO_ADVANCE = (
    "not one block of rows could be stored within one invocation; give the function more memory "
    "(with it comes CPU) or a longer timeout"
)


class Attempt:
    """One try at one file, under its lease."""

    def __init__(
        self,
        resources: Resources,
        event: FileEvent,
        applied: AppliedMapping,
        lease: Lease,
        budget: Budget,
        again: bool,
    ) -> None:
        self._resources = resources
        self._ledger = resources.ledger
        self._event = event
        self._applied = applied
        self._lease = lease
        self._budget = budget
        self._again = again
        self._started = resources.monotonic()
        self._checkpoint_at = self._started + CHECKPOINT_SECONDS
        self._renew_at = self._started + budget.lease / 3
        self._saved: Progress | None = None
        self._given_up: RetryableError | None = None

    def run(self) -> TryResult:
        event = self._event
        stored = current_object(self._resources.s3, event.bucket, event.key)
        asked = event.version or (stored.version if stored else event.version_or_stand_in)
        version = self._applied.version(asked)
        record = self._ledger.find(event.file, version)
        if record and not self._again:
            if record.is_done:
                return TryResult(Action.DONE, event.file, version, record.report)
            if record.awaits_notice:
                return self._notify_again(record)
        if stored is None and event.by_sidecar:
            return TryResult(Action.AWAITED, event.file)
        if stored is None:
            return self._fail(version, gone(event.file, event.version))
        if stored.version != asked:
            self._ledger.supersede(event.file, version, event.sequencer)
            return TryResult(Action.SUPERSEDED, event.file, version)
        progress = self._progress_of(record)
        if event.continues and (progress is None or progress.continues != event.continues):
            return TryResult(Action.STALE, event.file, version)
        self._ledger.begin(self._lease, version, sequencer=event.sequencer, again=self._again)
        self._ledger.make_current(self._lease, version)
        if self._applied.problem:
            return self._settle_unread(version, self._applied.problem)
        try:
            return self._read(replace(stored, ingest=version), progress)
        except SupersededError:
            self._ledger.supersede(event.file, version, event.sequencer)
            return TryResult(Action.SUPERSEDED, event.file, version)

    def give_up(self, error: RetryableError) -> bool:
        """Record the version as failed, and tell. False: there is nothing to give up.

        That is so where it is done, or where it is another message that goes on with the file.
        """
        event = self._event
        self._given_up = error
        version = event.version
        if not version:
            stored = current_object(self._resources.s3, event.bucket, event.key)
            version = stored.version if stored else event.version_or_stand_in
        version = self._applied.version(version)
        record = self._ledger.find(event.file, version)
        if record and record.is_done:
            return record.status == Status.FAILED
        if record and record.awaits_notice:
            self._notify_again(record)
            return record.status == Status.FAILED
        progress = self._progress_of(record)
        if event.continues != (progress.continues if progress else 0):
            return False
        self._ledger.begin(self._lease, version, sequencer=event.sequencer)
        if isinstance(error, TryFailedError):
            report = replace(error.report, error=str(error))
        else:
            tally = Tally(progress.counts, progress.shown) if progress else Tally()
            report = tally.report(event.file, error=str(error), version=version)
        self._settle(Status.FAILED, replace(report, given_up=True), {})
        return True

    def _progress_of(self, record: VersionRecord | None) -> Progress | None:
        if record is None or self._again or not record.progress:
            return None
        return self._resources.reports.load_progress(record.progress)

    def _read(self, stored: StoredObject, progress: Progress | None) -> TryResult:
        start = _place(progress)
        tally = Tally(
            progress.counts if progress else None,
            progress.shown if progress else None,
            source=stored.file,
            keep_rows=True,
        )
        self._saved = progress
        chunks = object_chunks(self._resources.s3, stored, start.offset if start else 0)
        lists = self._resources.reports.key_lists
        with self._resources.open_writer(stored.file, self._started + self._budget.write) as opened:
            writer = ListedWriter(opened, lists, stored.file, stored.ingest)
            try:
                ended = ingest_blocks(
                    read_lineup(
                        chunks,
                        mapping=self._applied.mapping,
                        start=start,
                        limits=self._resources.limits,
                    ),
                    tally,
                    writer,
                    lambda block: self._pause(stored, tally, writer, block),
                )
                if ended.unwritten_because:
                    raise self._failed(stored, tally, ended.unwritten_because)
            except TryFailedError:
                if _place(self._saved) == start:
                    raise
                return self._continue_later(stored, tally)  # it did advance; the rest follows
            if ended.paused_at:
                if ended.paused_at == start:
                    raise self._failed(stored, tally, NO_ADVANCE)
                self._save(stored, tally, ended.paused_at)
                return self._continue_later(stored, tally)
        report = tally.report(
            stored.file,
            error=ended.error,
            version=stored.ingest,
            rejected_rows_at=self._keep_rows(stored, tally),
        )
        self._settle(Status.FAILED if ended.error else Status.WRITTEN, report, tally.shown)
        return self._result(Action.INGESTED, stored, tally, report)

    def _pause(self, stored: StoredObject, tally: Tally, writer: Writer, block: Block) -> bool:
        """Asked behind each block: renew the lease, save the place, or stop for this try."""
        now = self._resources.monotonic()
        if now >= self._started + self._budget.work:
            return True
        if self._budget.renew and now >= self._renew_at:
            self._lease = self._ledger.leases.renew(self._lease, self._budget.lease)
            writer.deadline = now + self._budget.write
            self._renew_at = now + self._budget.lease / 3
        if now >= self._checkpoint_at or tally.rejected_rows.bytes > CHECKPOINT_BYTES:
            why = settle(tally, writer)
            if why:
                raise self._failed(stored, tally, why)
            if block.end is not None:
                self._save(stored, tally, block.end)
            self._checkpoint_at = self._resources.monotonic() + CHECKPOINT_SECONDS
        return False

    def _save(self, stored: StoredObject, tally: Tally, end: Position) -> None:
        """Record that everything before `end` is settled."""
        self._keep_rows(stored, tally)
        continues = self._saved.continues if self._saved else 0
        self._record(stored, Progress(end.to_dict(), tally.counts, tally.shown, continues))

    def _record(self, stored: StoredObject, progress: Progress) -> None:
        name = f"{stored.ingest}/{self._lease.attempt}"
        text = self._resources.reports.save_progress(stored.file, name, progress)
        self._ledger.save_progress(self._lease, stored.ingest, text)
        self._saved = progress

    def _continue_later(self, stored: StoredObject, tally: Tally) -> TryResult:
        """Send the message that carries on from the saved place.

        It goes out before its number is saved: a process that dies in between leaves a stale
        continuation and its own message, which comes back.
        """
        if self._resources.send_continuation is None or self._saved is None:
            raise RetryableError(f"s3://{stored.file} is not finished; ingest it again to go on")
        self._resources.send_continuation(
            replace(self._event, version=stored.version), self._lease.attempt
        )
        self._record(stored, replace(self._saved, continues=self._lease.attempt))
        return self._result(Action.PAUSED, stored, tally, None)

    def _failed(self, stored: StoredObject, tally: Tally, why: str) -> TryFailedError:
        return TryFailedError(why, tally.report(stored.file, version=stored.ingest))

    def _result(
        self, action: Action, stored: StoredObject, tally: Tally, report: IngestReport | None
    ) -> TryResult:
        return TryResult(
            action,
            stored.file,
            stored.ingest,
            report,
            tally.retries,
            tally.throttles,
            self._milliseconds(),
        )

    def _keep_rows(self, stored: StoredObject, tally: Tally) -> str:
        """Keep the rows since the saved place; where the refused ones of the file are, or ''."""
        reports = self._resources.reports
        saved = _place(self._saved)
        first = saved.line if saved else 1
        refused = tally.take_rejected_rows()
        if len(refused):
            reports.keep_rejected_rows(stored.file, stored.ingest, first, refused)
        at = reports.rejected_rows_at(stored.file, stored.ingest)
        return at if tally.counts.rejected else ""

    def _fail(self, version: str, error: str) -> TryResult:
        self._ledger.begin(self._lease, version, sequencer=self._event.sequencer, again=self._again)
        return self._settle_unread(version, error)

    def _settle_unread(self, version: str, error: str) -> TryResult:
        report = Tally().report(self._event.file, error=error, version=version)
        self._settle(Status.FAILED, report, {})
        return TryResult(Action.INGESTED, self._event.file, version, report)

    def _settle(self, status: Status, report: IngestReport, shown: dict[str, Any]) -> None:
        self._ledger.finish(
            self._lease,
            report.version,
            status,
            report,
            json.dumps(shown, default=str),
            self._milliseconds(),
        )
        if shown:  # the e-mail is of the whole file, the report's rows of this pass over it
            report = replace(report, rejections=shown["rejections"], warnings=shown["warnings"])
        self._notify(status, report)

    def _notify_again(self, record: VersionRecord) -> TryResult:
        report = record.report
        # This attempt has to own the record before it may say that it told.
        self._ledger.adopt(self._lease, record.version)
        self._notify(record.status, report)
        return TryResult(Action.NOTIFIED, record.file, record.version, report)

    def _notify(self, status: Status, report: IngestReport) -> None:
        note = self._reconcile(report)
        if self._event.run:
            by = f"run {self._event.run}"
        elif self._resources.mailer is None:
            by = "nobody: asked not to"
        else:
            by = "e-mail " + self._resources.mailer.send(report, note)
        self._ledger.mark_notified(self._lease, report.version, status, by)

    def _reconcile(self, report: IngestReport) -> str:
        """Remove what older versions left behind; what the e-mail says about it, or ''."""
        on_upload = self._resources.on_upload
        if on_upload is None:
            return ""
        if self._given_up is not None:
            return on_upload.note_of_giving_up(report, str(self._given_up))
        return on_upload.note(self._lease, report, self._step)

    def _step(self) -> None:
        if self._resources.monotonic() >= self._started + self._budget.write:
            raise RetryableError("the time of this try is over; the next one goes on reconciling")

    def _milliseconds(self) -> int:
        return int((self._resources.monotonic() - self._started) * 1000)


def _place(progress: Progress | None) -> Position | None:
    return Position.from_dict(progress.position) if progress else None
