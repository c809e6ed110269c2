"""The backfill engine that sends files to the ingest queue, for the stack's function to ingest.

Each file is one message in the form that S3 uses, plus the run's name, which tells the function not
to send its own e-mail. Which files are finished is read from the ledger, consistently, no matter
who finished them: this run, another run or an upload.
"""

import json
import random
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote_plus

from botocore.exceptions import BotoCoreError, ClientError

from festival.backfill.engines import FileOutcome, outcome_of_record, unfinished
from festival.ingest.attempt import Action
from festival.ingest.events import FileEvent
from festival.ingest.ledger.leases import LeaseHeldError
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.records import VersionRecord
from festival.ingest.report import Counts
from festival.ingest.resources import Resources
from festival.ingest.s3_object import failed_call
from festival.ingest.sidecar import applied_mapping
from festival.kit import new_owner
from festival.stack.dead_letters import dead_letters, put_back_unread, queue_depth
from festival.threads import at_once

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Request = tuple[str, str, str]  # file, version, run

MESSAGES_A_CALL = 10  # SQS: SendMessageBatch
MOST_SENDS = 6
# Enough to keep every worker busy, few enough that a file uploaded meanwhile does not wait long.
MESSAGES_A_WORKER = 10
LOOK_UPS_AT_ONCE = 8
POLL_SECONDS = 2.0
# SQS: a queue's approximate counts are right "within a minute" of the last change.
QUIET_SECONDS = 60.0
# A message is tried for two days, but something is wrong if not one file is finished for this long.
PATIENCE_SECONDS = 3 * 3600.0
REOPEN_SECONDS = 30.0

DEAD = "its message is in the dead-letter queue (`festival dlq --redrive` puts it back): "
VANISHED = (
    "its message is no longer in the queue, and the ledger does not show the file as done; "
    "run the backfill again"
)
STANDSTILL = (
    "not one file of the run was finished for three hours; look at the function's log and whether "
    "its event source mapping is enabled, then run the backfill again"
)


def message_of(event: FileEvent) -> str:
    """A message that has the function ingest a file (S3 guide: "Event message structure")."""
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "backfill",
            "bucket": {"name": event.bucket, "arn": f"arn:aws:s3:::{event.bucket}"},
            "object": {"key": quote_plus(event.key, safe="/"), "versionId": event.version},
        },
    }
    return json.dumps({"festivalRun": event.run, "Records": [record]})


@dataclass(frozen=True)
class Queues:
    """The ingest queue and its dead-letter queue. `sqs` is a low-level client."""

    sqs: "SQSClient"
    url: str
    dead_letter_url: str
    sleep: Callable[[float], object] = time.sleep

    def send(self, events: Sequence[FileEvent]) -> dict[FileEvent, str]:
        """Send a message for each file; returns the files that SQS refuses, with the reasons.

        Messages that fail for a temporary reason are sent again, with growing pauses.
        """
        refused: dict[FileEvent, str] = {}
        for first in range(0, len(events), MESSAGES_A_CALL):
            left = dict(enumerate(events[first : first + MESSAGES_A_CALL]))
            for send in range(MOST_SENDS):
                failures = self._send_batch(left)
                refused |= {left[n]: reason for n, (reason, final) in failures.items() if final}
                left = {n: left[n] for n, (_, final) in failures.items() if not final}
                if not left:
                    break
                self.sleep(random.uniform(0.1, 0.2) * 2**send)
            refused |= {event: failures[n][0] for n, event in left.items()}
        return refused

    def _send_batch(self, events: Mapping[int, FileEvent]) -> dict[int, tuple[str, bool]]:
        """The messages that SQS did not take, by number: the reason, and whether it is final."""
        answer = self.sqs.send_message_batch(
            QueueUrl=self.url,
            Entries=[
                {"Id": str(number), "MessageBody": message_of(event)}
                for number, event in events.items()
            ],
        )
        return {
            int(failure["Id"]): (
                f"SQS did not take its message: {failure['Code']} {failure.get('Message', '')}",
                failure["SenderFault"],
            )
            for failure in answer.get("Failed", [])
        }

    @property
    def is_empty(self) -> bool:
        """Whether the ingest queue holds no messages, not even hidden or delayed ones."""
        return not queue_depth(self.sqs, self.url).total

    def dead(self, ledger: Ledger) -> dict[Request, str]:
        """The files of the messages in the dead-letter queue, with the ledger's reasons."""
        if not queue_depth(self.sqs, self.dead_letter_url).visible:
            return {}
        letters = dead_letters(self.sqs, self.dead_letter_url, ledger)
        put_back_unread(self.sqs, self.dead_letter_url, letters)
        return {
            _request(event): "; ".join(letter.reasons)
            for letter in letters
            for event in letter.files
        }


@dataclass(frozen=True, slots=True)
class QueuedFile:
    """A file to send or sent, and the ledger's name for its version and mapping."""

    event: FileEvent
    ingest: str


@dataclass(frozen=True)
class QueueEngine:
    """Has the function ingest the files, in `workers` invocations at once (MaximumConcurrency)."""

    queues: Queues
    resources: Resources
    workers: int
    sleep: Callable[[float], object] = time.sleep
    monotonic: Callable[[], float] = time.monotonic

    def run(
        self, files: Sequence[FileEvent], *, again: bool = False, stop_at_failure: bool = False
    ) -> Generator[FileOutcome, None, None]:
        """The outcome of each file that was sent (see Engine).

        At most about ten messages per worker are in the queue at once. If the generator is closed
        early, the function still ingests the files already sent, and a later run sends only those
        not done by then. Raises RetryableError if AWS does not answer.
        """
        try:
            yield from self._run(deque(files), again, stop_at_failure)
        except (ClientError, BotoCoreError) as error:
            raise failed_call(
                "the backfill by the queue stopped; run it again to continue", error
            ) from error

    def _run(
        self, waiting: deque[FileEvent], again: bool, stop_at_failure: bool
    ) -> Generator[FileOutcome, None, None]:
        watch, failed = QueueWatch(self), False
        sent: dict[str, QueuedFile] = {}
        while waiting or sent:
            outcomes = self._finished(sent.values()) or watch.given_up(sent)
            for outcome in outcomes:
                del sent[outcome.file]
            failed = failed or any(outcome.failed for outcome in outcomes)
            if failed and stop_at_failure:
                waiting.clear()
            room = MESSAGES_A_WORKER * self.workers - len(sent)
            batch = [waiting.popleft() for _ in range(min(room, len(waiting)))]
            unsent = self._send(batch, sent, again)
            failed = failed or any(outcome.failed for outcome in unsent)
            yield from outcomes + unsent
            if outcomes or batch:
                watch.note_progress()
            else:
                self.sleep(POLL_SECONDS)

    def _send(
        self, batch: Sequence[FileEvent], sent: dict[str, QueuedFile], again: bool
    ) -> list[FileOutcome]:
        """Send the files not done yet; return the outcomes of those done, and of those refused."""
        if not batch:
            return []
        files = self._each(self._with_mapping, batch)
        self._each(self._reopen, files if again else self._undone(files))
        done = set() if again else {outcome.file for outcome in self._finished(files)}
        left = {file.event: file for file in files if file.event.file not in done}
        refused = self.queues.send(list(left))
        sent.update({event.file: left[event] for event in left if event not in refused})
        return [FileOutcome(file, Action.DONE, Counts()) for file in sorted(done)] + [
            unfinished(event.file, reason) for event, reason in refused.items()
        ]

    def _record(self, file: QueuedFile) -> VersionRecord | None:
        return self.resources.ledger.find(file.event.file, file.ingest)

    def _finished(self, files: Iterable[QueuedFile]) -> list[FileOutcome]:
        records = self._each(self._record, files)
        return [outcome_of_record(record) for record in records if record and record.is_done]

    def _undone(self, files: Sequence[QueuedFile]) -> list[QueuedFile]:
        """Files that are done but not in the table, because a newer version came and was undone."""
        records = zip(files, self._each(self._record, files), strict=True)
        return [
            file for file, record in records if record and record.is_done and not record.is_settled
        ]

    def _with_mapping(self, event: FileEvent) -> QueuedFile:
        applied = applied_mapping(
            self.resources.s3, event.bucket, event.key, self.resources.mapping
        )
        return QueuedFile(event, applied.version(event.version))

    def _reopen(self, file: QueuedFile) -> None:
        """Clear the results of an earlier ingest, unless somebody is working on the file now."""
        ledger, event = self.resources.ledger, file.event
        try:
            lease = ledger.leases.acquire(event.file, new_owner(), REOPEN_SECONDS)
        except LeaseHeldError:
            return
        ledger.begin(lease, file.ingest, again=True)
        ledger.leases.release(lease)

    def _each(self, call: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
        return list(at_once(call, items, LOOK_UPS_AT_ONCE))


class QueueWatch:
    """Finds out which files the ledger will never show as done."""

    def __init__(self, engine: QueueEngine) -> None:
        self._engine = engine
        self._checked_at = self._progress_at = engine.monotonic()
        self._was_empty = False

    def note_progress(self) -> None:
        self._checked_at = self._progress_at = self._engine.monotonic()
        self._was_empty = False

    def given_up(self, sent: Mapping[str, QueuedFile]) -> list[FileOutcome]:
        """After a minute without news, files whose message is dead or gone; after hours, all."""
        queues, now = self._engine.queues, self._engine.monotonic()
        if not sent or now - self._checked_at < QUIET_SECONDS:
            return []
        self._checked_at = now
        dead = queues.dead(self._engine.resources.ledger)
        if failed := [file.event for file in sent.values() if _request(file.event) in dead]:
            return [unfinished(event.file, DEAD + dead[_request(event)]) for event in failed]
        was_empty, self._was_empty = self._was_empty, queues.is_empty
        if was_empty and self._was_empty:
            return [unfinished(file, VANISHED) for file in sent]
        if now - self._progress_at >= PATIENCE_SECONDS:
            return [unfinished(file, STANDSTILL) for file in sent]
        return []


def _request(event: FileEvent) -> Request:
    return event.file, event.version, event.run
