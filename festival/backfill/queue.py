"""The engine that is the stack's own fleet: files go to the ingest queue, the function takes them.

Each file is one message in the form S3 itself uses, with the run's name at the top, which tells the
function not to send its own e-mail. The ledger says which files are finished, by a consistent read
of each version's own item, whoever finished it: this run, another run or an upload.
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
from festival.ingest.events import FileEvent
from festival.ingest.ledger.leases import LeaseHeldError
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.report import Counts
from festival.ingest.resources import Action, Resources
from festival.ingest.s3_object import unanswered
from festival.ingest.sidecar import applied_mapping
from festival.kit import new_owner
from festival.stack.dead_letters import dead_letters, put_back_unread, queue_depth
from festival.threads import at_once

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

Given = TypeVar("Given")
Answer = TypeVar("Answer")
Asked = tuple[str, str, str]  # file, version, run

MESSAGES_A_CALL = 10  # SQS: SendMessageBatch
SENDINGS = 6
# Enough to keep every worker busy, few enough that a file uploaded meanwhile does not wait long.
MESSAGES_A_WORKER = 10
LOOK_UPS_AT_ONCE = 8
POLL_SECONDS = 2.0
# SQS: a queue's approximate numbers are right "within a minute" of the last change.
QUIET_SECONDS = 60.0
# A message's tries are spread over two days, but it is odd if no file at all ends for this long.
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
    """The body that asks the function for a file ("Event message structure" in the S3 guide)."""
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
        """Send a message for each file; returns those that SQS refuses, with the reason.

        Messages that SQS failed to take are sent again, with growing pauses.
        """
        refused: dict[FileEvent, str] = {}
        for first in range(0, len(events), MESSAGES_A_CALL):
            left = dict(enumerate(events[first : first + MESSAGES_A_CALL]))
            for sending in range(SENDINGS):
                failures = self._send_batch(left)
                refused |= {left[n]: why for n, (why, final) in failures.items() if final}
                left = {n: left[n] for n, (_, final) in failures.items() if not final}
                if not left:
                    break
                self.sleep(random.uniform(0.1, 0.2) * 2**sending)
            refused |= {event: failures[n][0] for n, event in left.items()}
        return refused

    def _send_batch(self, events: Mapping[int, FileEvent]) -> dict[int, tuple[str, bool]]:
        """The messages that SQS did not take, by number: why, and whether that is final."""
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

    def dead(self, ledger: Ledger) -> dict[Asked, str]:
        """The files that the dead-letter queue's messages ask for, with the ledger's reasons."""
        if not queue_depth(self.sqs, self.dead_letter_url).visible:
            return {}
        letters = dead_letters(self.sqs, self.dead_letter_url, ledger)
        put_back_unread(self.sqs, self.dead_letter_url, letters)
        return {
            _asked(event): "; ".join(letter.reasons) for letter in letters for event in letter.files
        }


@dataclass(frozen=True, slots=True)
class SentFiles:
    """A file that was asked for, and the ledger's name of its version."""

    event: FileEvent
    ingest: str


@dataclass(frozen=True)
class QueueEngine:
    """Lets the function's fleet of `workers` (the stack's MaximumConcurrency) ingest the files."""

    queues: Queues
    resources: Resources
    workers: int
    sleep: Callable[[float], object] = time.sleep
    monotonic: Callable[[], float] = time.monotonic

    def run(
        self, files: Sequence[FileEvent], *, again: bool = False, stop_at_failure: bool = False
    ) -> Generator[FileOutcome, None, None]:
        """The outcome of each file that was sent (see Engine).

        At most about ten messages per worker are in flight at once. If this is closed early, the
        function still processes the messages already sent; a later run sends only what is not done
        by then. Raises RetryableError if AWS does not answer.
        """
        try:
            yield from self._run(deque(files), again, stop_at_failure)
        except (ClientError, BotoCoreError) as error:
            raise unanswered(
                "the backfill by the queue stopped; run it again to go on", error
            ) from error

    def _run(
        self, waiting: deque[FileEvent], again: bool, stop_at_failure: bool
    ) -> Generator[FileOutcome, None, None]:
        watch, failed = QueueWatch(self), False
        sent: dict[str, SentFiles] = {}
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
        self, batch: Sequence[FileEvent], sent: dict[str, SentFiles], again: bool
    ) -> list[FileOutcome]:
        """Send the files not done yet; returns outcomes of those already done or refused by SQS."""
        if not batch:
            return []
        asked = self._each(self._named, batch)
        self._each(self._reopen, asked if again else self._undone(asked))
        done = set() if again else {outcome.file for outcome in self._finished(asked)}
        left = {each.event: each for each in asked if each.event.file not in done}
        refused = self.queues.send(list(left))
        sent.update({event.file: left[event] for event in left if event not in refused})
        return [FileOutcome(file, Action.DONE, Counts()) for file in sorted(done)] + [
            unfinished(event.file, why) for event, why in refused.items()
        ]

    def _finished(self, sent: Iterable[SentFiles]) -> list[FileOutcome]:
        records = self._each(
            lambda each: self.resources.ledger.find(each.event.file, each.ingest), sent
        )
        return [outcome_of_record(record) for record in records if record and record.is_done]

    def _undone(self, asked: Iterable[SentFiles]) -> list[SentFiles]:
        """Files done once but not what the table has now: a newer version was undone."""

        def is_undone(each: SentFiles) -> bool:
            record = self.resources.ledger.find(each.event.file, each.ingest)
            return record is not None and record.is_done and not record.is_settled

        asked = list(asked)
        return [
            each for each, undone in zip(asked, self._each(is_undone, asked), strict=True) if undone
        ]

    def _named(self, event: FileEvent) -> SentFiles:
        applied = applied_mapping(
            self.resources.s3, event.bucket, event.key, self.resources.mapping
        )
        return SentFiles(event, applied.version(event.version))

    def _reopen(self, asked: SentFiles) -> None:
        """Forget that the version was ingested, unless somebody is working on it right now."""
        ledger, event = self.resources.ledger, asked.event
        try:
            lease = ledger.leases.acquire(event.file, new_owner(), REOPEN_SECONDS)
        except LeaseHeldError:
            return
        ledger.begin(lease, asked.ingest, again=True)
        ledger.leases.release(lease)

    def _each(self, act: Callable[[Given], Answer], given: Iterable[Given]) -> list[Answer]:
        return list(at_once(act, given, LOOK_UPS_AT_ONCE))


class QueueWatch:
    """Notices files that the ledger will never show as done."""

    def __init__(self, engine: QueueEngine) -> None:
        self._engine = engine
        self._looked = self._progress = engine.monotonic()
        self._was_empty = False

    def note_progress(self) -> None:
        self._looked = self._progress = self._engine.monotonic()
        self._was_empty = False

    def given_up(self, sent: Mapping[str, SentFiles]) -> list[FileOutcome]:
        """After a quiet minute, the files whose message is dead or gone; after hours, all."""
        queues, now = self._engine.queues, self._engine.monotonic()
        if not sent or now - self._looked < QUIET_SECONDS:
            return []
        self._looked = now
        dead = queues.dead(self._engine.resources.ledger)
        if found := [each.event for each in sent.values() if _asked(each.event) in dead]:
            return [unfinished(event.file, DEAD + dead[_asked(event)]) for event in found]
        was_empty, self._was_empty = self._was_empty, queues.is_empty
        if was_empty and self._was_empty:
            return [unfinished(file, VANISHED) for file in sent]
        if now - self._progress >= PATIENCE_SECONDS:
            return [unfinished(file, STANDSTILL) for file in sent]
        return []


def _asked(event: FileEvent) -> Asked:
    return event.file, event.version, event.run
