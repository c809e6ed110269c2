"""The dead-letter queue: what is in it and why, and how it is put back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from festival.errors import FestivalError
from festival.ingest.events import FileEvent, files_of_message
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.sidecar import file_of_sidecar


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many messages a queue holds: visible, hidden (received, or postponed), and delayed."""

    visible: int
    hidden: int
    delayed: int

    @property
    def total(self) -> int:
        return self.visible + self.hidden + self.delayed


def queue_depth(sqs: Any, url: str) -> QueueDepth:
    """How many messages a queue holds, as far as SQS knows. `sqs` is a boto3 client."""
    names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    visible, hidden, delayed = (int(answer.get(name, 0)) for name in names)
    return QueueDepth(visible, hidden, delayed)


HIDDEN_SECONDS = 60
MESSAGES_A_CALL = 10


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that could not be processed: its files, and why each try failed."""

    id: str
    body: str
    receipt_handle: str
    receives: int
    files: tuple[FileEvent, ...]
    reasons: tuple[str, ...]


def dead_letters(sqs: Any, queue_url: str, ledger: Ledger) -> list[DeadLetter]:
    """Every message of the queue with the ledger's reasons; hidden for a minute, not removed.

    Call `put_back_unread` afterwards, so that the next call finds them at once.
    """
    found: dict[str, DeadLetter] = {}
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=MESSAGES_A_CALL,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=1,
            AttributeNames=["ApproximateReceiveCount"],
        )
        fresh = [each for each in answer.get("Messages", []) if each["MessageId"] not in found]
        if not fresh:
            return list(found.values())
        for message in fresh:
            found[message["MessageId"]] = _dead_letter(message, ledger)


def put_back_unread(sqs: Any, queue_url: str, letters: list[DeadLetter]) -> None:
    """Make messages that were received visible again."""
    for letter in letters:
        sqs.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=letter.receipt_handle, VisibilityTimeout=0
        )


def redrive(
    sqs: Any, queue_url: str, ingest_queue_url: str, ledger: Ledger, letters: list[DeadLetter]
) -> Iterator[DeadLetter]:
    """Send messages to the ingest queue again, unaltered; each is yielded once it has been sent.

    Their ledger entries are reopened first. A message is sent before it is deleted here: a crash in
    between makes a duplicate, which the ledger recognises.
    """
    for letter in letters:
        for event in letter.files:
            for version in _versions(ledger, event):
                ledger.reopen(file_of_sidecar(event).file, version)
        sqs.send_message(QueueUrl=ingest_queue_url, MessageBody=letter.body)
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=letter.receipt_handle)
        yield letter


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
        tuple(
            reasons
            or [
                "no reason in the ledger: the function crashed or was stopped before it could "
                "record one; look at its log"
            ]
        ),
    )


def _reasons(ledger: Ledger, event: FileEvent, message: dict[str, Any]) -> list[str]:
    reasons = []
    for version in _versions(ledger, event):
        record = ledger.find(file_of_sidecar(event).file, version)
        if record:
            mine = {n: r for n, r in record.reasons.items() if n.startswith(message["MessageId"])}
            reasons += [reason for _, reason in sorted(mine.items())]
    return list(dict.fromkeys(reasons))


def _versions(ledger: Ledger, event: FileEvent) -> list[str]:
    """The ledger's versions that a message asks for: one for each mapping it was tried with."""
    event = file_of_sidecar(event)
    versions = [record.version for record in ledger.history(event.file)]
    return [version for version in versions if version.startswith(event.version)]
