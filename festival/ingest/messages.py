"""One SQS message of the ingest queue: try its files, and decide what becomes of the message."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from festival.errors import FestivalError, NotYetError, RetryableError
from festival.ingest.attempt import Budget, Ingestor, TryResult
from festival.ingest.events import FileEvent, files_of_message
from festival.ingest.ledger.records import MESSAGE_FILE, Status
from festival.ingest.log import Log

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LEAST_SECONDS = 4.0
# 20 receives, each pause twice the one before: 2 days on average and 2.6 at most, of the 4 that the
# queue keeps a message. The rest allows for waits in a long queue and for functions that die.
FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 6 * 3600.0
LONGEST_VISIBILITY_SECONDS = 43_200  # SQS: 12 hours
LONGEST_DELAY_SECONDS = 900  # SQS: 15 minutes
RECEIVE = " receive "


class Message(NamedTuple):
    """An SQS message as the event source mapping hands it over (docs: "Using Lambda with SQS")."""

    id: str
    body: str
    receipt_handle: str
    receives: int

    @property
    def name(self) -> str:
        """This delivery of the message, as the ledger names it."""
        return f"{self.id}{RECEIVE}{self.receives}"

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Message":
        return cls(
            id=record["messageId"],
            body=record["body"],
            receipt_handle=record.get("receiptHandle", ""),
            receives=int(record.get("attributes", {}).get("ApproximateReceiveCount", 1)),
        )


def receive_of(name: str, message_id: str) -> int | None:
    """The receive that a delivery's name (`Message.name`) has; None if it is another message's."""
    head, _, receive = name.partition(RECEIVE)
    return int(receive) if head == message_id and receive.isdigit() else None


def pause_after(receives: int, chance: float) -> float:
    """Seconds until a message comes back after its nth failed try; `chance` is 0 to 1.

    >>> [pause_after(receives, 1.0) for receives in (1, 2, 8, 19)]
    [30.0, 60.0, 3840.0, 21600.0]
    """
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (receives - 1))
    return longest * (1 + chance) / 2


class Fate(StrEnum):
    """What a try at one file means for its message."""

    DONE = "done"
    WAITS = "waits"  # no try has failed: the message is sent again
    FAILED = "failed"  # it comes back, or goes to the dead-letter queue


class Verdict(NamedTuple):
    """A file's fate, and in how many seconds its message should come back."""

    fate: Fate = Fate.DONE
    seconds: float = 0.0


@dataclass(frozen=True)
class MessageHandler:
    """Works on messages. `max_receives` is the queue's maxReceiveCount."""

    ingestor: Ingestor
    sqs: "SQSClient"
    queue_url: str
    max_receives: int
    function: str
    log: Log

    def work_on(self, message: Message, owner: str, remaining: Callable[[], float]) -> bool:
        """Try every file of the message. True if the message is done; False if it must come back.

        `remaining` gives the seconds until the invocation ends.
        """
        log = self.log.with_context(messageId=message.id, receives=message.receives)
        try:
            events = files_of_message(message.body)
        except FestivalError as error:
            log.error("message not understood", reason=str(error))
            self._note_not_understood(message, str(error), log)
            return self._hide(message, 0, log)
        if not events:
            log.info("message ignored", reason="a test event or a folder marker")
        verdicts = [self._work_on_file(event, message, owner, remaining, log) for event in events]
        return self._settle(message, verdicts, log)

    def _settle(self, message: Message, verdicts: Sequence[Verdict], log: Log) -> bool:
        """If a file failed, the message comes back; else, if one waits, it is sent again."""
        for fate, act in ((Fate.FAILED, self._hide), (Fate.WAITS, self._send_again)):
            if seconds := [each.seconds for each in verdicts if each.fate == fate]:
                return act(message, max(seconds), log)
        return True

    def _work_on_file(
        self,
        event: FileEvent,
        message: Message,
        owner: str,
        remaining: Callable[[], float],
        log: Log,
    ) -> Verdict:
        log = log.with_context(file=event.file, version=event.version)
        seconds = remaining()
        if seconds < LEAST_SECONDS:
            return self._waits_for_another(seconds, log)
        try:
            result = self.ingestor.ingest(event, owner, Budget.of_invocation(seconds))
        except NotYetError as error:
            return self._waits(error, log)
        except FestivalError as error:
            return self._failed(event, message, owner, remaining, error, log)
        except Exception as error:  # a bug: logged, tried again, then dead-lettered
            text = " ".join(f"{type(error).__name__}: {error}".split())
            log.error("unexpected error", reason=text, traceback=_traceback(error))
            return self._failed(event, message, owner, remaining, RetryableError(text), log)
        self._log_result(result, log)
        return Verdict()

    def _waits_for_another(self, seconds: float, log: Log) -> Verdict:
        log.info("waits for another invocation", reason=f"{seconds:.1f} s are left of this one")
        return Verdict(Fate.WAITS)

    def _waits(self, error: NotYetError, log: Log) -> Verdict:
        """Have the message come back shortly after the file's turn has come."""
        log.info("waits for its turn", reason=str(error))
        left = error.until - self.ingestor.resources.ledger.now()
        return Verdict(Fate.WAITS, left + random.uniform(1, 5))

    def _send_again(self, message: Message, seconds: float, log: Log) -> bool:
        """Replace a waiting message with a copy: a receive that was not a try does not count."""
        try:
            self.sqs.send_message(
                QueueUrl=self.queue_url,
                MessageBody=message.body,
                DelaySeconds=int(max(0, min(LONGEST_DELAY_SECONDS, seconds))),
            )
        except (ClientError, BotoCoreError) as error:
            log.warning("could not be sent again", reason=str(error))
            return self._hide(message, seconds, log)
        return True

    def _failed(
        self,
        event: FileEvent,
        message: Message,
        owner: str,
        remaining: Callable[[], float],
        error: FestivalError,
        log: Log,
    ) -> Verdict:
        last = message.receives >= self.max_receives
        log.warning("try failed", reason=str(error), last=last)
        self._note(event, message, str(error), log)
        log.metrics(self.function, {"TriesFailed": 1})
        if not last:
            return Verdict(Fate.FAILED, pause_after(message.receives, random.uniform(0, 1)))
        seconds = remaining()  # the try has taken its part of the invocation
        if seconds < LEAST_SECONDS:
            return self._waits_for_another(seconds, log)
        cause = error if isinstance(error, RetryableError) else RetryableError(str(error))
        try:
            if not self.ingestor.give_up(event, owner, Budget.of_invocation(seconds), cause):
                log.info("nothing to give up", reason="the file is done, or is continued elsewhere")
                return Verdict()
        except NotYetError as not_yet:  # perhaps this try's own lease, if its release failed
            return self._waits(not_yet, log)
        except FestivalError as second:
            log.error("the failure could not be recorded or reported", reason=str(second))
        return Verdict(Fate.FAILED)

    def _note(self, event: FileEvent, message: Message, reason: str, log: Log) -> None:
        try:
            self.ingestor.note_failed_try(event, message.name, reason)
        except FestivalError as error:
            log.warning("the reason could not be kept", reason=str(error))

    def _note_not_understood(self, message: Message, reason: str, log: Log) -> None:
        ledger = self.ingestor.resources.ledger
        try:
            ledger.note_failed_try(
                MESSAGE_FILE + message.id, "-", message.name, reason, Status.FAILED
            )
        except (ClientError, BotoCoreError) as error:
            log.warning("the reason could not be kept", reason=str(error))

    def _hide(self, message: Message, seconds: float, log: Log) -> bool:
        """Let the message come back after this many seconds, not the queue's visibility timeout."""
        try:
            self.sqs.change_message_visibility(
                QueueUrl=self.queue_url,
                ReceiptHandle=message.receipt_handle,
                VisibilityTimeout=int(max(0, min(LONGEST_VISIBILITY_SECONDS, seconds))),
            )
        except (ClientError, BotoCoreError) as error:
            log.warning("visibility could not be changed", reason=str(error))
        return False

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
