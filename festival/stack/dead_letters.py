"""The dead-letter queue: its messages, why they failed, and putting them back."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from festival.errors import FestivalError
from festival.ingest.events import FileEvent, files_of_message
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.records import VersionRecord
from festival.ingest.messages import receive_of
from festival.ingest.sidecar import file_of_sidecar, is_ingest_of

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many messages a queue holds: visible, hidden (perhaps in progress) and delayed."""

    visible: int
    hidden: int
    delayed: int

    @property
    def total(self) -> int:
        return self.visible + self.hidden + self.delayed


def queue_depth(sqs: "SQSClient", url: str) -> QueueDepth:
    """What a queue holds now, as far as SQS knows. `sqs` is a boto3 client."""
    names: list[Any] = [
        f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")
    ]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    visible, hidden, delayed = (int(answer.get(name, 0)) for name in names)
    return QueueDepth(visible, hidden, delayed)


HIDDEN_SECONDS = 600
MESSAGES_A_CALL = 10
RECEIVES_WITHOUT_NEWS = 3
NO_REASON = (
    "no reason was kept: the function ended before it could record one, or the ledger did not "
    "answer; the function's log has the message's id"
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that could not be processed: its files, and why each try failed."""

    id: str
    body: str
    receipt_handle: str
    receives: int
    files: tuple[FileEvent, ...]
    reasons: tuple[str, ...]


def dead_letters(sqs: "SQSClient", queue_url: str, ledger: Ledger) -> list[DeadLetter]:
    """Every message in the queue, with the ledger's reasons. Reading hides them for ten minutes.

    Call `put_back_unread` afterwards, so that the next reader finds them at once.
    """
    return [_dead_letter(message, ledger) for message in _every_message(sqs, queue_url)]


def _every_message(sqs: "SQSClient", queue_url: str) -> list[dict[str, Any]]:
    """The whole queue, however long, each message once.

    It stops when a receive brings nothing, or when three in a row bring nothing new: SQS may
    deliver a message again while others are still unread (docs: "Amazon SQS standard queues",
    at-least-once).
    """
    received: dict[str, dict[str, Any]] = {}
    without_news = 0
    while without_news < RECEIVES_WITHOUT_NEWS:
        answer = sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=MESSAGES_A_CALL,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=1,
            AttributeNames=["ApproximateReceiveCount"],
        )
        messages = answer.get("Messages", [])
        if not messages:
            break
        known = len(received)
        received |= {message["MessageId"]: dict(message) for message in messages}
        without_news = without_news + 1 if len(received) == known else 0
    return list(received.values())


def put_back_unread(sqs: "SQSClient", queue_url: str, letters: Iterable[DeadLetter]) -> None:
    """Make messages visible again after reading them."""
    for letter in letters:
        sqs.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=letter.receipt_handle, VisibilityTimeout=0
        )


def redrive(
    sqs: "SQSClient",
    queue_url: str,
    ingest_queue_url: str,
    ledger: Ledger,
    letters: Sequence[DeadLetter],
) -> Iterator[DeadLetter]:
    """Send messages to the ingest queue again, unaltered; each is yielded once it has been sent.

    Their ledger entries are reopened first. A message is sent before it is deleted here: a crash in
    between makes a duplicate, which the ledger recognises. If something fails, the remaining
    messages are visible again at once.
    """
    left = list(letters)
    try:
        while left:
            letter = left[0]
            for event in letter.files:
                for record in _records(ledger, event):
                    ledger.reopen(record.file, record.version)
            sqs.send_message(QueueUrl=ingest_queue_url, MessageBody=letter.body)
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=letter.receipt_handle)
            del left[0]
            yield letter
    finally:
        put_back_unread(sqs, queue_url, left)


def _dead_letter(message: dict[str, Any], ledger: Ledger) -> DeadLetter:
    try:
        files = tuple(files_of_message(message["Body"]))
        reasons = [reason for event in files for reason in _reasons(ledger, event, message)]
    except FestivalError as error:
        files, reasons = (), [str(error)]
    return DeadLetter(
        message["MessageId"],
        message["Body"],
        message["ReceiptHandle"],
        int(message["Attributes"]["ApproximateReceiveCount"]),
        files,
        tuple(reasons or [NO_REASON]),
    )


def _reasons(ledger: Ledger, event: FileEvent, message: dict[str, Any]) -> list[str]:
    """Why the message's tries failed, in order; each reason once."""
    tries = [
        (receive, reason)
        for record in _records(ledger, event)
        for name, reason in record.reasons.items()
        if (receive := receive_of(name, message["MessageId"])) is not None
    ]
    return list(dict.fromkeys(reason for _, reason in sorted(tries)))


def _records(ledger: Ledger, event: FileEvent) -> list[VersionRecord]:
    """The ledger's records of a message's version, one for each mapping it was tried with.

    If the message names no version, the records of all the file's versions.
    """
    event = file_of_sidecar(event)
    return [
        record
        for record in ledger.history(event.file)
        if not event.version or is_ingest_of(record.version, event.version)
    ]
