"""One try at one version of one file, under its lease: read, write, record, notify.

The order of the steps makes it exact. S3 is asked for the newest version while the lease is held;
rows are stored before the position after them is saved; `written` is recorded before stale items
are removed; stale items are removed before the e-mail is sent, and the e-mail is sent before it is
recorded as sent.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from festival.errors import FestivalError, Remedy, RetryableError
from festival.ingest.events import FileEvent
from festival.ingest.ledger.leases import Lease
from festival.ingest.ledger.records import Progress, Status, VersionRecord
from festival.ingest.pipeline import ListedWriter, Writer, ingest_blocks, settle
from festival.ingest.report import IngestReport
from festival.ingest.resources import Resources
from festival.ingest.s3_object import (
    StoredObject,
    SupersededError,
    current_object,
    failed_call,
    gone_message,
    is_unversioned,
    object_chunks,
)
from festival.ingest.sidecar import (
    AppliedMapping,
    applied_mapping,
    file_of_sidecar,
    is_ingest_of,
)
from festival.ingest.tally import Tally
from festival.lineup.model import Block, Position
from festival.lineup.read import read_lineup

CHECKPOINT_SECONDS = 30.0
CHECKPOINT_BYTES = 64 * 1024 * 1024
NO_ROW = (
    "not one block of rows was in all the text that one invocation could read; remove empty lines "
    "from the file, or give the function a longer timeout"
)
NO_ADVANCE = (
    "not one block of rows could be stored within one invocation; give the function more memory "
    "(and with it CPU) or a longer timeout"
)


class Budget(NamedTuple):
    """How long one try may work, in seconds from its lease's start.

    Reading stops at `work`, writing and e-mails at `write`, and the lease lapses at `lease`. With
    `renew`, for a process without a time limit, all three move forward while it works.
    """

    work: float
    write: float
    lease: float
    renew: bool = False

    @classmethod
    def of_invocation(cls, remaining: float) -> "Budget":
        """For an invocation that has `remaining` seconds left; the lease outlives it."""
        reserve = min(20.0, remaining / 4)
        return cls(remaining - reserve, remaining - reserve / 2, remaining + 15.0)

    @classmethod
    def of_command(cls) -> "Budget":
        """For a process that works until it is done: a short lease, renewed along the way."""
        return cls(math.inf, 25.0, 30.0, renew=True)


class Action(StrEnum):
    """What one try did."""

    INGESTED = "ingested"
    NOTIFIED = "notified"  # the rows were already settled: only the e-mail was missing
    DONE = "done"  # nothing was left to do
    PAUSED = "paused"  # a continuation message carries on
    STALE = "stale"  # another continuation message has taken over
    SUPERSEDED = "superseded"  # S3 has a newer version
    AWAITED = "awaited"  # the mapping of a file that does not exist
    REMOVED = "removed"  # the file was deleted; its items stay in the table


class TryResult(NamedTuple):
    """The result of one try. `report` is set if the try settled the file or sent its e-mail."""

    action: Action
    file: str
    version: str = ""
    report: IngestReport | None = None
    retries: int = 0
    throttles: int = 0
    milliseconds: int = 0


class TryFailedError(RetryableError):
    """Some rows could not be written; `report` says how far the try got."""

    def __init__(self, reason: str, report: IngestReport) -> None:
        super().__init__(reason)
        self.report = report


class WrittenLateError(RetryableError):
    """Rows may have been sent after the lease expired: the file has to be written again."""


class Attempt:
    """One try at one file. All it decides is based on what it reads while it holds the lease."""

    def __init__(
        self, resources: Resources, event: FileEvent, lease: Lease, budget: Budget, again: bool
    ) -> None:
        self._resources = resources
        self._ledger = resources.ledger
        self._event = event
        self._lease = lease
        self._budget = budget
        self._again = again
        self._clock = resources.clock
        self._started = self._clock()
        self._checkpoint_at = self._started + CHECKPOINT_SECONDS
        self._applied = AppliedMapping(resources.mapping, resources.mapping.fingerprint())
        self._s3_answers = True  # if not, the file's version and mapping are unknown
        self._has_sent = False
        self._saves = 0
        self._saved: Progress | None = None
        self._given_up: RetryableError | None = None

    def run(self) -> TryResult:
        """Do what the file needs now. Raises RetryableError; LeaseLostError if overtaken."""
        event = self._event
        self._check_time()
        self._read_mapping()
        stored = self._newest()
        if stored is None and (event.removed or event.by_sidecar):
            return self._removed()
        version = self._version(stored)
        record = self._ledger.find(event.file, version)
        if stored is None or event.version not in ("", stored.version):
            return self._not_read(stored, version, record)
        is_current = self._is_current(version)
        if record and is_current and record.is_settled:
            if record.removed_at:
                self._ledger.note_removed(self._lease, version, removed=False)
            # A version that failed because it was deleted is read once it is back.
            is_current = not (record.removed_at and record.status == Status.FAILED)
            if is_current:
                return TryResult(Action.DONE, event.file, version, record.report)
        if record and is_current and record.awaits_notice:
            return self._notify_again(record)
        progress = self._progress_of(record) if is_current else None
        if event.continues and self._is_continued_by_another(progress):
            # The save of this continuation's own number may still be on its way. From here on it
            # is refused, so that whoever sent it continues: one of the two always does.
            self._ledger.adopt(self._lease, version)
            progress = self._progress_of(self._ledger.find(event.file, version))
            if self._is_continued_by_another(progress):
                return TryResult(Action.STALE, event.file, version)
        self._ledger.begin(self._lease, version, sequencer=event.sequencer, again=not is_current)
        self._ledger.make_current(self._lease, version)
        if self._applied.problem:
            return self._settle_unread(version, self._applied.problem, Remedy.SIDECAR)
        try:
            return self._read(stored._replace(ingest=version), progress)
        except SupersededError:
            return self._superseded(version)

    def give_up(self, error: RetryableError) -> bool:
        """Record the version as failed, and notify. False if there is nothing to give up.

        That is the case if the version is done, if S3 has a newer one, or if another message
        continues the file. If S3 does not answer, the event's version counts as the newest.
        """
        event = self._event
        self._given_up = error
        self._check_time()
        stored = None
        try:
            self._read_mapping()
            stored = self._newest()
        except RetryableError:
            self._s3_answers = False
        version = self._version(stored)
        record = self._ledger.find(event.file, version)
        is_current = self._is_current(version)
        if self._s3_answers and stored is None and (event.removed or event.by_sidecar):
            return False
        if self._s3_answers and (stored is None or event.version not in ("", stored.version)):
            self._not_read(stored, version, record)
            return False
        is_settled = record and is_current and record.is_settled
        if record and (is_settled or (record.is_done and not self._s3_answers)):
            return record.status == Status.FAILED
        if record and is_current and record.awaits_notice:
            self._notify_again(record)
            return record.status == Status.FAILED
        progress = self._progress_of(record) if is_current else None
        if self._is_continued_by_another(progress):
            return False
        self._ledger.begin(self._lease, version, sequencer=event.sequencer, again=not is_current)
        if stored is not None:
            self._ledger.make_current(self._lease, version)
        if isinstance(error, TryFailedError):
            report = replace(error.report, error=str(error), version=version)
        else:
            tally = Tally(progress.counts, progress.preview) if progress else Tally()
            report = tally.report(event.file, error=str(error), version=version)
        self._settle(Status.FAILED, replace(report, given_up=True), {})
        return True

    @property
    def may_have_written_late(self) -> bool:
        """Whether rows may have been sent after the lease expired: a process may be suspended."""
        return self._has_sent and self._clock() >= self._lease.until

    # What S3 says

    def _read_mapping(self) -> None:
        event = self._event
        self._applied = applied_mapping(
            self._resources.s3, event.bucket, event.key, self._resources.mapping
        )

    def _newest(self) -> StoredObject | None:
        """The key's current version. If it is not the event's, S3 is asked a second time."""
        newest, version = self._head(), self._event.version
        if version and (newest is None or newest.version != version) and self._head() != newest:
            raise RetryableError(
                f"s3://{self._event.file} is changing right now; the next try looks again"
            )
        return newest

    def _head(self) -> StoredObject | None:
        event = self._event
        known = event.version or self._lease.current_version
        return current_object(
            self._resources.s3,
            event.bucket,
            event.key,
            versioned=bool(known) and not is_unversioned(known),
        )

    def _version(self, stored: StoredObject | None) -> str:
        """The ledger's name for the version that the event asks for.

        For an object that is gone, the name it was ingested under: its mapping may be gone, too.
        """
        version = self._event.version or (stored.version if stored else "")
        if not version:
            return self._event.version_or_stand_in
        if stored is None and is_ingest_of(self._lease.current_version, version):
            return self._lease.current_version
        return self._applied.version(version)

    def _is_current(self, version: str) -> bool:
        """Whether the table has or is getting this version; False if it is to be ingested again."""
        return version == self._lease.current_version and not self._again

    def _is_continued_by_another(self, progress: Progress | None) -> bool:
        """Whether another continuation message continues this reading of the file.

        No message does if the mapping has changed or an ingest --again has started over. Then this
        one starts from the beginning, because no other may ever come.
        """
        return progress is not None and progress.continues not in (0, self._event.continues)

    # Versions that are not read

    def _removed(self) -> TryResult:
        """Record that the file is gone; its items stay in the table until someone removes them."""
        event, version = self._event, self._lease.current_version
        if not event.removed:
            return TryResult(Action.AWAITED, event.file)
        if version:
            self._ledger.note_removed(self._lease, version, removed=True)
        return TryResult(Action.REMOVED, event.file, version)

    def _not_read(
        self, stored: StoredObject | None, version: str, record: VersionRecord | None
    ) -> TryResult:
        """Finish a version that is gone or, if `stored` is newer, superseded."""
        if record and record.awaits_notice:
            return self._notify_again(record)
        if record and record.is_done:
            return TryResult(Action.DONE, record.file, version, record.report)
        return self._superseded(version) if stored else self._fail(version)

    def _superseded(self, version: str) -> TryResult:
        self._ledger.supersede(self._event.file, version, self._event.sequencer)
        return TryResult(Action.SUPERSEDED, self._event.file, version)

    # Time

    def _until(self, seconds: float) -> float:
        """The moment this many seconds after the lease's start."""
        return self._lease.until - self._budget.lease + seconds

    def _renew_if_due(self) -> None:
        if self._budget.renew and self._ledger.now() >= self._until(self._budget.lease / 3):
            self._lease = self._ledger.leases.renew(self._lease, self._budget.lease)

    def _check_time(self) -> None:
        """Renew the lease if that is due. Raises RetryableError if this try's time is over."""
        self._renew_if_due()
        if self._clock() >= self._until(self._budget.write):
            raise RetryableError("the time of this try is over; the next one continues")

    # Rows

    def _progress_of(self, record: VersionRecord | None) -> Progress | None:
        if record is None or self._again or not record.progress:
            return None
        return self._resources.reports.load_progress(record.progress)

    def _read(self, stored: StoredObject, progress: Progress | None) -> TryResult:
        start = _position(progress)
        tally = Tally(
            progress.counts if progress else None,
            progress.preview if progress else None,
            source=stored.file,
            keep_rows=True,
        )
        self._saved = progress
        chunks = object_chunks(self._resources.s3, stored, start.offset if start else 0)
        lists = self._resources.reports.key_lists
        until = self._until(self._budget.write)
        self._has_sent = True
        with self._resources.open_writer(stored.file, until) as table_writer:
            writer = ListedWriter(table_writer, lists, stored.file, stored.ingest)
            try:
                ended = ingest_blocks(
                    read_lineup(
                        chunks,
                        mapping=self._applied.mapping,
                        start=start,
                        limits=self._resources.limits,
                        watch=lambda: self._watch(stored, tally),
                    ),
                    tally,
                    writer,
                    lambda block: self._pause(stored, tally, writer, block),
                )
                if ended.unwritten_because:
                    raise self._failed(stored, tally, ended.unwritten_because)
            except TryFailedError:
                if _position(self._saved) == start:
                    raise
                return self._continue_later(stored, tally)  # it advanced; the rest can follow
            if ended.paused_at:
                if ended.paused_at == start:
                    raise self._failed(stored, tally, NO_ADVANCE)
                self._save(stored, tally, ended.paused_at)
                return self._continue_later(stored, tally)
        if ended.error and self._is_overtaken(stored):
            raise SupersededError(f"s3://{stored.file} has a newer version")
        report = tally.report(
            stored.file,
            error=ended.error,
            remedy=ended.remedy,
            version=stored.ingest,
            rejected_rows_at=self._store_rejected_rows(stored, tally),
        )
        self._settle(Status.FAILED if ended.error else Status.WRITTEN, report, tally.preview)
        return self._result(Action.INGESTED, stored, tally, report)

    def _watch(self, stored: StoredObject, tally: Tally) -> None:
        """Called before each piece of text. Raises TryFailedError if time runs out without rows.

        If there were rows, `_pause`, called after each block, would have ended this try sooner.
        """
        self._renew_if_due()
        last = (self._budget.work + self._budget.write) / 2
        if self._ledger.now() >= self._until(last):
            raise self._failed(stored, tally, NO_ROW)

    def _pause(self, stored: StoredObject, tally: Tally, writer: Writer, block: Block) -> bool:
        """Called after each block: renews the lease and saves the position. True ends the try."""
        now = self._clock()
        if now >= self._until(self._budget.work):
            return True
        self._renew_if_due()
        writer.deadline = self._until(self._budget.write)
        if now >= self._checkpoint_at or tally.rejected_rows.bytes > CHECKPOINT_BYTES:
            reason = settle(tally, writer)
            if reason:
                raise self._failed(stored, tally, reason)
            if block.end is not None:
                self._save(stored, tally, block.end)
            self._checkpoint_at = self._clock() + CHECKPOINT_SECONDS
        return False

    def _save(self, stored: StoredObject, tally: Tally, end: Position) -> None:
        """Record that everything before `end` is settled."""
        self._store_rejected_rows(stored, tally)
        continues = self._saved.continues if self._saved else 0
        self._record(stored, Progress(end.to_dict(), tally.counts, tally.preview, continues))

    def _record(self, stored: StoredObject, progress: Progress) -> None:
        self._saves += 1  # each name is new, so that a put carried out late overwrites nothing
        name = f"{stored.ingest}/{self._lease.attempt}-{self._saves}"
        text = self._resources.reports.save_progress(stored.file, name, progress)
        self._ledger.save_progress(self._lease, stored.ingest, text)
        self._saved = progress

    def _continue_later(self, stored: StoredObject, tally: Tally) -> TryResult:
        """Send the message that continues the file from the saved position.

        It is sent before its number is saved. If the process dies in between, that continuation is
        stale, and SQS delivers the process's own message again.
        """
        if self._resources.send_continuation is None or self._saved is None:
            raise RetryableError(f"s3://{stored.file} is not finished; ingest it again to continue")
        event = self._event._replace(version=stored.version)
        self._resources.send_continuation(event, self._lease.attempt)
        self._record(stored, self._saved._replace(continues=self._lease.attempt))
        return self._result(Action.PAUSED, stored, tally, None)

    def _failed(self, stored: StoredObject, tally: Tally, reason: str) -> TryFailedError:
        return TryFailedError(reason, tally.report(stored.file, version=stored.ingest))

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

    def _store_rejected_rows(self, stored: StoredObject, tally: Tally) -> str:
        """Store newly rejected rows; return the folder of all the file's rejected rows, or ''."""
        reports = self._resources.reports
        saved = _position(self._saved)
        first = saved.line if saved else 1
        rows = tally.take_rejected_rows()
        if len(rows):
            reports.keep_rejected_rows(stored.file, stored.ingest, first, rows)
        folder = reports.rejected_rows_at(stored.file, stored.ingest)
        return folder if tally.counts.rejected else ""

    def _is_overtaken(self, stored: StoredObject) -> bool:
        """Whether S3 now has another version; False if the file is gone."""
        newest = self._head()
        return newest is not None and newest.version != stored.version

    def _fail(self, version: str) -> TryResult:
        """Record and report that the object was deleted before it could be read."""
        event = self._event
        self._ledger.begin(self._lease, version, sequencer=event.sequencer, again=self._again)
        self._ledger.note_removed(self._lease, version, removed=True)
        return self._settle_unread(version, gone_message(event.file, event.version))

    def _settle_unread(self, version: str, error: str, remedy: Remedy = Remedy.FILE) -> TryResult:
        """Record and report a failure without having read any row."""
        report = Tally().report(self._event.file, error=error, remedy=remedy, version=version)
        self._settle(Status.FAILED, report, {})
        return TryResult(Action.INGESTED, self._event.file, version, report)

    def _settle(self, status: Status, report: IngestReport, preview: dict[str, Any]) -> None:
        """Record how the version ended, then notify."""
        self._ledger.finish(
            self._lease,
            report.version,
            status,
            report,
            json.dumps(preview, default=str),
            self._milliseconds(),
        )
        if preview:  # the report's rows are those of this pass; the e-mail is about the whole file
            report = replace(report, rejections=preview["rejections"], warnings=preview["warnings"])
        self._notify(status, report)

    def _notify_again(self, record: VersionRecord) -> TryResult:
        """Send the e-mail about a version that an earlier try settled without notifying."""
        report = record.report
        # This attempt must own the record before it may notify.
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
            self._check_time()
            until = self._until(self._budget.write)
            mapping = self._applied.mapping
            message_id = self._resources.mailer.send(report, note, mapping=mapping, until=until)
            by = f"e-mail {message_id}"
        self._ledger.mark_notified(self._lease, report.version, status, by)

    def _reconcile(self, report: IngestReport) -> str:
        """Remove stale items of older versions; return the e-mail's paragraph about it, or ''."""
        on_upload = self._resources.on_upload
        if on_upload is None:
            return ""
        if self._given_up is not None:
            return on_upload.note_of_giving_up(report, str(self._given_up))
        return on_upload.note(self._lease, report, self._check_time)

    def _milliseconds(self) -> int:
        return int((self._clock() - self._started) * 1000)


def _position(progress: Progress | None) -> Position | None:
    return Position.from_dict(progress.position) if progress else None


@dataclass(frozen=True)
class Ingestor:
    """Ingests files from S3, each under its own lease. Every entry point uses it."""

    resources: Resources

    def ingest(
        self, event: FileEvent, owner: str, budget: Budget, *, again: bool = False
    ) -> TryResult:
        """One try at a file version; safe to repeat at any time, in any order.

        Raises LeaseHeldError if another owner works on the file, RetryableError if this try failed
        and a later one may succeed, and WrittenLateError if the next one must use `again`, because
        this process was suspended between checking the lease and sending rows.
        """
        with self._leased(event, owner, budget, again=again) as attempt:
            try:
                return attempt.run()
            except (FestivalError, ClientError, BotoCoreError) as error:
                if not attempt.may_have_written_late:
                    raise
                raise WrittenLateError(
                    f"s3://{event.file}: this process was suspended while writing, until its lease "
                    "was over; rows may have been stored too late: ingest it with --again"
                ) from error

    def give_up(self, event: FileEvent, owner: str, budget: Budget, error: RetryableError) -> bool:
        """The last permitted try failed: record the version as failed, and notify.

        False if there is nothing to give up: the version is done, or another message continues it.
        Raises as `ingest` does if even this is not possible now.
        """
        with self._leased(event, owner, budget) as attempt:
            return attempt.give_up(error)

    def note_failed_try(self, event: FileEvent, message: str, reason: str) -> None:
        """Record in the ledger why a try failed, under the version that was tried.

        If the event names none (a removal or a mapping), that is the file's current version.
        """
        event, resources = file_of_sidecar(event), self.resources
        with _failed_calls_retryable():
            ledger = resources.ledger
            version = "" if event.version else ledger.reconciliations.head(event.file).current
            if not version:
                version = event.version_or_stand_in
                with suppress(RetryableError):
                    applied = applied_mapping(
                        resources.s3, event.bucket, event.key, resources.mapping
                    )
                    version = applied.version(version)
            ledger.note_failed_try(event.file, version, message, reason)

    @contextmanager
    def _leased(
        self, event: FileEvent, owner: str, budget: Budget, *, again: bool = False
    ) -> Iterator[Attempt]:
        """An attempt that holds the file's lease while the block runs.

        The lease's time, like the budget's, is counted from before the first call.
        """
        event = file_of_sidecar(event)
        leases, started = self.resources.ledger.leases, self.resources.clock()
        with _failed_calls_retryable():
            lease = leases.acquire(event.file, owner, budget.lease, since=started)
            try:
                yield Attempt(self.resources, event, lease, budget, again)
            finally:
                with suppress(ClientError, BotoCoreError):
                    leases.release(lease)


@contextmanager
def _failed_calls_retryable() -> Iterator[None]:
    """Within the block, a failed AWS call raises RetryableError."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise failed_call("a call to AWS failed", error) from error
