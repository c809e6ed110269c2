"""One SQS message of the ingest queue: try its files, and decide what becomes of the message."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from festival.errors import FestivalError, RetryableError
from festival.ingest.events import FileEvent, files_of_message
from festival.ingest.ledger.leases import LeaseHeldError
from festival.ingest.log import Log
from festival.ingest.resources import Budget, TryResult
from festival.ingest.service import Ingestor

LEAST_SECONDS = 4.0
FIRST_PAUSE_SECONDS = 20.0
LONGEST_PAUSE_SECONDS = 900.0
LONGEST_VISIBILITY_SECONDS = 43_200  # SQS: 12 hours
MESSAGE_FILE = "message/"


@dataclass(frozen=True, slots=True)
class Message:
    """An SQS message as the event source mapping hands it over (docs: "Using Lambda with SQS")."""

    id: str
    body: str
    receipt_handle: str
    receives: int

    @property
    def name(self) -> str:
        """This delivery of the message, as the ledger names it."""
        return f"{self.id} receive {self.receives}"

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Message":
        return cls(
            id=record["messageId"],
            body=record["body"],
            receipt_handle=record.get("receiptHandle", ""),
            receives=int(record.get("attributes", {}).get("ApproximateReceiveCount", 1)),
        )


@dataclass(frozen=True)
class MessageHandler:
    """Works on messages. `max_receives` is the queue's maxReceiveCount."""

    ingestor: Ingestor
    sqs: Any
    queue_url: str
    max_receives: int
    function: str
    log: Log

    def work_on(self, message: Message, owner: str, remaining: Callable[[], float]) -> bool:
        """Try every file of the message. True: it is done with; False: it has to come back.

        `remaining` says in how many seconds the invocation is ended.
        """
        log = self.log.with_context(messageId=message.id, receives=message.receives)
        try:
            events = files_of_message(message.body)
        except FestivalError as error:
            log.error("message not understood", reason=str(error))
            self._note_unread(message, str(error), log)
            self._hide(message, 0, log)
            return False
        if not events:
            log.info("message passed over", reason="a test event or a folder marker")
        done = [self._work_on_file(event, message, owner, remaining, log) for event in events]
        return all(done)

    def _work_on_file(
        self,
        event: FileEvent,
        message: Message,
        owner: str,
        remaining: Callable[[], float],
        log: Log,
    ) -> bool:
        log = log.with_context(file=event.file, version=event.version)
        seconds = remaining()
        if seconds < LEAST_SECONDS:
            log.info("waits for another invocation", reason=f"{seconds:.1f} s are left of this one")
            return self._come_back(message, 0, log)
        budget = Budget.of_invocation(seconds)
        try:
            result = self.ingestor.ingest(event, owner, budget)
        except LeaseHeldError as held:
            log.info("waits for another attempt", reason=str(held), owner=held.owner)
            return self._come_back(message, self._lapse(held), log)
        except RetryableError as error:
            return self._failed(event, message, owner, budget, error, log)
        except FestivalError as error:
            return self._failed(event, message, owner, budget, RetryableError(str(error)), log)
        except Exception as error:  # a fault of the code: told, tried again, then dead-lettered
            text = " ".join(f"{type(error).__name__}: {error}".split())
            log.error("unexpected error", reason=text, traceback=_traceback(error))
            return self._failed(event, message, owner, budget, RetryableError(text), log)
        self._log_result(result, log)
        return True

    def _lapse(self, held: LeaseHeldError) -> float:
        """In how many seconds the lease is over, and a little more."""
        return held.until - self.ingestor.resources.ledger.now() + random.uniform(1, 5)

    def _come_back(self, message: Message, seconds: float, log: Log) -> bool:
        """Hide a message that was not tried; at its last receive, send it anew instead."""
        if message.receives < self.max_receives:
            self._hide(message, seconds, log)
            return False
        try:
            self.sqs.send_message(
                QueueUrl=self.queue_url,
                MessageBody=message.body,
                DelaySeconds=int(max(0, min(900, seconds))),
            )
        except (ClientError, BotoCoreError) as error:
            log.warning("could not be sent anew", reason=str(error))
            return False
        return True

    def _failed(
        self,
        event: FileEvent,
        message: Message,
        owner: str,
        budget: Budget,
        error: RetryableError,
        log: Log,
    ) -> bool:
        last = message.receives >= self.max_receives
        log.warning("try failed", reason=str(error), last=last)
        self._note(event, message, str(error), log)
        log.metrics(self.function, {"TriesFailed": 1})
        if last:
            try:
                if not self.ingestor.give_up(event, owner, budget, error):
                    log.info("nothing to give up", reason="the file is done, or goes on elsewhere")
                    return True
            except LeaseHeldError as held:  # even a try's own, where giving it back failed
                return self._come_back(message, self._lapse(held), log)
            except FestivalError as again:
                log.error("could not record or tell that it failed", reason=str(again))
        else:
            pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (message.receives - 1))
            self._hide(message, random.uniform(pause / 2, pause), log)
        return False

    def _note(self, event: FileEvent, message: Message, reason: str, log: Log) -> None:
        try:
            self.ingestor.note_failed_try(event, message.name, reason)
        except FestivalError as error:
            log.warning("the reason could not be kept", reason=str(error))

    def _note_unread(self, message: Message, reason: str, log: Log) -> None:
        ledger = self.ingestor.resources.ledger
        try:
            ledger.note_failed_try(MESSAGE_FILE + message.id, "-", message.name, reason)
        except (ClientError, BotoCoreError) as error:
            log.warning("the reason could not be kept", reason=str(error))

    def _hide(self, message: Message, seconds: float, log: Log) -> None:
        """Let the message come back after so many seconds, and not after the queue's time-out."""
        try:
            self.sqs.change_message_visibility(
                QueueUrl=self.queue_url,
                ReceiptHandle=message.receipt_handle,
                VisibilityTimeout=int(max(0, min(LONGEST_VISIBILITY_SECONDS, seconds))),
            )
        except (ClientError, BotoCoreError) as error:
            log.warning("visibility could not be changed", reason=str(error))

    def _log_result(self, result: TryResult, log: Log) -> None:
        log.info("file " + result.action, **(result.report.summary() if result.report else {}))
        values: dict[str, float] = {
            "Milliseconds": result.milliseconds,
            "Retries": result.retries,
            "Throttles": result.throttles,
        }
        if result.report:
            counts = result.report.counts
            values |= {"RowsWritten": counts.written, "RowsRejected": counts.rejected}
        log.metrics(self.function, values)


def _traceback(error: Exception) -> str:
    import traceback

    return "".join(traceback.format_exception(error))
