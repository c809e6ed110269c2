"""One try at one version of one file, under its lease: read, write, record, notify.

The order is what makes it exact. The newest version is the one S3 names while the lease is held;
rows are stored before their end is saved as the place to resume from; `written` is recorded before
stale items are removed; stale items are removed before the e-mail is sent, and the e-mail is sent
before it is recorded as sent.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from festival.errors import FestivalError, Remedy, RetryableError
from festival.ingest.events import FileEvent
from festival.ingest.ledger.leases import Lease
from festival.ingest.ledger.records import Progress, Status, VersionRecord
from festival.ingest.pipeline import ListedWriter, Writer, ingest_blocks, settle
from festival.ingest.report import IngestReport
from festival.ingest.resources import (
    Action,
    Budget,
    Resources,
    TryFailedError,
    TryResult,
    WrittenLateError,
)
from festival.ingest.s3_object import (
    StoredObject,
    SupersededError,
    current_object,
    gone,
    is_unversioned,
    object_chunks,
    unanswered,
)
from festival.ingest.sidecar import MARK, AppliedMapping, applied_mapping, file_of_sidecar
from festival.ingest.tally import Tally
from festival.lineup.model import Block, Position
from festival.lineup.read import read_lineup

CHECKPOINT_SECONDS = 30.0
CHECKPOINT_BYTES = 64 * 1024 * 1024
NO_ROW = (
    "not one block of rows came of all the text that could be read within one invocation; take "
    "empty lines out of the file, or give the function a longer timeout"
)
NO_ADVANCE = (
    "not one block of rows could be stored within one invocation; give the function more memory "
    "(with it comes CPU) or a longer timeout"
)


class Attempt:
    """One try at one file, under its lease: every decision uses what was read after taking it."""

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
        self._is_known = True  # what S3 says of the file and its mapping
        self._has_sent = False
        self._saves = 0
        self._saved: Progress | None = None
        self._given_up: RetryableError | None = None

    def run(self) -> TryResult:
        """Do what the file needs now. Raises RetryableError, and LeaseLostError if overtaken."""
        event = self._event
        self._look()
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

        That is so if the version is done, if S3 has a newer one, or if another message continues
        the file. If S3 does not answer now, the event is believed.
        """
        event = self._event
        self._given_up = error
        self._look()
        stored = None
        try:
            self._read_mapping()
            stored = self._newest()
        except RetryableError:
            self._is_known = False
        version = self._version(stored)
        record = self._ledger.find(event.file, version)
        is_current = self._is_current(version)
        if self._is_known and stored is None and (event.removed or event.by_sidecar):
            return False
        if self._is_known and (stored is None or event.version not in ("", stored.version)):
            self._not_read(stored, version, record)
            return False
        is_settled = record and is_current and record.is_settled
        if record and (is_settled or (record.is_done and not self._is_known)):
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
            tally = Tally(progress.counts, progress.shown) if progress else Tally()
            report = tally.report(event.file, error=str(error), version=version)
        self._settle(Status.FAILED, replace(report, given_up=True), {})
        return True

    @property
    def may_have_written_late(self) -> bool:
        """Whether rows were sent and the lease has expired: a process may be stopped in between."""
        return self._has_sent and self._clock() >= self._lease.until

    # What S3 says

    def _read_mapping(self) -> None:
        event = self._event
        self._applied = applied_mapping(
            self._resources.s3, event.bucket, event.key, self._resources.mapping
        )

    def _newest(self) -> StoredObject | None:
        """The key's current version; S3 is asked twice before it supersedes the event's."""
        found, asked = self._head(), self._event.version
        if asked and (found is None or found.version != asked) and self._head() != found:
            raise RetryableError(f"s3://{self._event.file} changes just now; the next try looks")
        return found

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
        """The ledger's name for what the event asks for.

        For an object that is gone, the name it was ingested under: its mapping may be gone, too.
        """
        asked, current = self._event.version or (stored.version if stored else ""), ""
        if stored is None and asked:
            current = self._lease.current_version
        if current == asked or current.startswith(asked + MARK):
            return current or self._event.version_or_stand_in
        return self._applied.version(asked or self._event.version_or_stand_in)

    def _is_current(self, version: str) -> bool:
        """Whether the table has this version, or is getting it; never if it is requested again."""
        return version == self._lease.current_version and not self._again

    def _is_continued_by_another(self, progress: Progress | None) -> bool:
        """Whether another continuation message carries on this reading of the file.

        None does if the mapping has changed or an ingest --again has started over: then the next
        message starts from the beginning, because no other may ever come.
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
        """Finish a version that is gone, or overtaken (`stored` is newer)."""
        if record and record.awaits_notice:
            return self._notify_again(record)
        if record and record.is_done:
            return TryResult(Action.DONE, record.file, version, record.report)
        return self._superseded(version) if stored else self._fail(version)

    def _superseded(self, version: str) -> TryResult:
        self._ledger.supersede(self._event.file, version, self._event.sequencer)
        return TryResult(Action.SUPERSEDED, self._event.file, version)

    # The time

    def _until(self, seconds: float) -> float:
        """The moment this many seconds after the lease's start."""
        return self._lease.until - self._budget.lease + seconds

    def _renew_if_due(self) -> None:
        if self._budget.renew and self._ledger.now() >= self._until(self._budget.lease / 3):
            self._lease = self._ledger.leases.renew(self._lease, self._budget.lease)

    def _look(self) -> None:
        """Check the lease: renew it if due; stop if the lease or this try's time has run out."""
        self._renew_if_due()
        if self._clock() >= self._until(self._budget.write):
            raise RetryableError("the time of this try is over; the next one goes on")

    # The rows

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
        until = self._until(self._budget.write)
        self._has_sent = True
        with self._resources.open_writer(stored.file, until) as opened:
            writer = ListedWriter(opened, lists, stored.file, stored.ingest)
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
                if _place(self._saved) == start:
                    raise
                return self._continue_later(stored, tally)  # it did advance; the rest follows
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
            rejected_rows_at=self._keep_rows(stored, tally),
        )
        self._settle(Status.FAILED if ended.error else Status.WRITTEN, report, tally.shown)
        return self._result(Action.INGESTED, stored, tally, report)

    def _watch(self, stored: StoredObject, tally: Tally) -> None:
        """Called before each piece of text: stop if time runs out while none gives a row."""
        self._renew_if_due()
        last = (self._budget.work + self._budget.write) / 2
        if self._ledger.now() >= self._until(last):
            raise self._failed(stored, tally, NO_ROW)

    def _pause(self, stored: StoredObject, tally: Tally, writer: Writer, block: Block) -> bool:
        """Called after each block: renew the lease, save the place, or end this try."""
        now = self._clock()
        if now >= self._until(self._budget.work):
            return True
        self._renew_if_due()
        writer.deadline = self._until(self._budget.write)
        if now >= self._checkpoint_at or tally.rejected_rows.bytes > CHECKPOINT_BYTES:
            why = settle(tally, writer)
            if why:
                raise self._failed(stored, tally, why)
            if block.end is not None:
                self._save(stored, tally, block.end)
            self._checkpoint_at = self._clock() + CHECKPOINT_SECONDS
        return False

    def _save(self, stored: StoredObject, tally: Tally, end: Position) -> None:
        """Record that everything before `end` is settled."""
        self._keep_rows(stored, tally)
        continues = self._saved.continues if self._saved else 0
        self._record(stored, Progress(end.to_dict(), tally.counts, tally.shown, continues))

    def _record(self, stored: StoredObject, progress: Progress) -> None:
        self._saves += 1  # a new name each time: an earlier put may be carried out late
        name = f"{stored.ingest}/{self._lease.attempt}-{self._saves}"
        text = self._resources.reports.save_progress(stored.file, name, progress)
        self._ledger.save_progress(self._lease, stored.ingest, text)
        self._saved = progress

    def _continue_later(self, stored: StoredObject, tally: Tally) -> TryResult:
        """Send the message that carries on from the saved place.

        It goes out before its number is saved: if the process dies in between, the continuation is
        stale, and the process's own message comes back.
        """
        if self._resources.send_continuation is None or self._saved is None:
            raise RetryableError(f"s3://{stored.file} is not finished; ingest it again to go on")
        event = self._event._replace(version=stored.version)
        self._resources.send_continuation(event, self._lease.attempt)
        self._record(stored, self._saved._replace(continues=self._lease.attempt))
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
        """Keep the rows since the saved place; return where the file's rejected rows are, or ''."""
        reports = self._resources.reports
        saved = _place(self._saved)
        first = saved.line if saved else 1
        refused = tally.take_rejected_rows()
        if len(refused):
            reports.keep_rejected_rows(stored.file, stored.ingest, first, refused)
        at = reports.rejected_rows_at(stored.file, stored.ingest)
        return at if tally.counts.rejected else ""

    def _is_overtaken(self, stored: StoredObject) -> bool:
        """Whether S3 now has a different newest version; a file that is gone has none."""
        newest = self._head()
        return newest is not None and newest.version != stored.version

    def _fail(self, version: str) -> TryResult:
        """The object was deleted before it could be read."""
        event = self._event
        self._ledger.begin(self._lease, version, sequencer=event.sequencer, again=self._again)
        self._ledger.note_removed(self._lease, version, removed=True)
        return self._settle_unread(version, gone(event.file, event.version))

    def _settle_unread(self, version: str, error: str, remedy: Remedy = Remedy.FILE) -> TryResult:
        report = Tally().report(self._event.file, error=error, remedy=remedy, version=version)
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
            self._look()
            until = self._until(self._budget.write)
            mapping = self._applied.mapping
            sent = self._resources.mailer.send(report, note, mapping=mapping, until=until)
            by = f"e-mail {sent}"
        self._ledger.mark_notified(self._lease, report.version, status, by)

    def _reconcile(self, report: IngestReport) -> str:
        """Remove older versions' stale items; return what the e-mail says about it, or ''."""
        on_upload = self._resources.on_upload
        if on_upload is None:
            return ""
        if self._given_up is not None:
            return on_upload.note_of_giving_up(report, str(self._given_up))
        return on_upload.note(self._lease, report, self._look)

    def _milliseconds(self) -> int:
        return int((self._clock() - self._started) * 1000)


def _place(progress: Progress | None) -> Position | None:
    return Position.from_dict(progress.position) if progress else None


@dataclass(frozen=True)
class Ingestor:
    """Ingests files from S3, one lease at a time. Every entry point uses it."""

    resources: Resources

    def ingest(
        self, event: FileEvent, owner: str, budget: Budget, *, again: bool = False
    ) -> TryResult:
        """One try at a file version; safe to repeat at any time, in any order.

        Raises LeaseHeldError if another owner works on the file, RetryableError if this try failed
        and a later one may succeed, and WrittenLateError if the next one must use `again`: a
        process may be stopped between checking the lease and sending rows.
        """
        with self._leased(event, owner, budget, again=again) as attempt:
            try:
                return attempt.run()
            except (FestivalError, ClientError, BotoCoreError) as error:
                if not attempt.may_have_written_late:
                    raise
                raise WrittenLateError(
                    f"s3://{event.file}: this process was stopped amid writing until its lease was "
                    "over; rows may have come too late, so that it has to be ingested --again"
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
        with _answered():
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

        Its time, like the budget's, starts before the first call.
        """
        event = file_of_sidecar(event)
        leases, began = self.resources.ledger.leases, self.resources.clock()
        with _answered():
            lease = leases.acquire(event.file, owner, budget.lease, since=began)
            try:
                yield Attempt(self.resources, event, lease, budget, again)
            finally:
                with suppress(ClientError, BotoCoreError):
                    leases.release(lease)


@contextmanager
def _answered() -> Iterator[None]:
    """Within the block, a failed AWS call raises RetryableError."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise unanswered("a call to AWS failed", error) from error
