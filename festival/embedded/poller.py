"""Polls a queue and invokes the function, by the rules of Lambda's event source mapping.

Source: the Lambda guide, "Using Lambda with Amazon SQS" and "Handling errors for an SQS event
source in Lambda".
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Protocol

from festival.embedded.runtime import FunctionError
from festival.stack.dead_letters import queue_depth

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

IDLE_SECONDS = 0.05


class Invokes(Protocol):
    """What invokes the function: a DeployedFunction, or a fake in a test."""

    def invoke(self, event: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class EventSource:
    """The event source mapping as deployed."""

    queue_url: str
    queue_arn: str
    batch_size: int = 1
    reports_item_failures: bool = True


@dataclass(frozen=True, slots=True)
class Invocation:
    """One batch passed to the function. If all of it failed, `error` says why; otherwise None."""

    message_ids: tuple[str, ...]
    failed: frozenset[str]
    error: str | None
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Drained:
    """The invocations of a `drain`, and how many messages it left in the queue."""

    invocations: tuple[Invocation, ...] = field(default=())
    left: int = 0


class Poller:
    """Passes the messages of one queue to the function, one batch at a time."""

    def __init__(
        self,
        sqs: "SQSClient",
        source: EventSource,
        runtime: Invokes,
        *,
        on_invocation: Callable[[Invocation], None] | None = None,
    ) -> None:
        """`sqs` is a boto3 client; `on_invocation` gets each batch when it is done."""
        self._sqs = sqs
        self._source = source
        self._runtime = runtime
        self._on_invocation = on_invocation
        self._stop = Event()
        self._thread: Thread | None = None

    def poll(self) -> Invocation | None:
        """Pass one batch of visible messages to the function; None if there are none.

        A failed message stays hidden until the queue's visibility timeout is over. A message that
        was received as often as the redrive policy allows goes to the dead-letter queue. Raises
        BrokenFunctionError if the function cannot start.
        """
        messages = self._receive()
        if not messages:
            return None
        started = time.perf_counter()
        ids = tuple(message["MessageId"] for message in messages)
        reason = None
        try:
            response = self._runtime.invoke(self._event(messages))
            failed = failed_messages(response, ids, self._source.reports_item_failures)
        except FunctionError as error:
            failed, reason = frozenset(ids), str(error)
        self._delete([message for message in messages if message["MessageId"] not in failed])
        milliseconds = (time.perf_counter() - started) * 1000
        invocation = Invocation(ids, failed, reason, milliseconds)
        if self._on_invocation is not None:
            self._on_invocation(invocation)
        return invocation

    def drain(self, timeout: float = 30.0) -> Drained:
        """Poll until the queue holds no messages, not even hidden or delayed ones.

        If none is visible, waits up to `timeout` seconds for hidden and delayed ones. Messages that
        are not processed by then are counted in `left`.
        """
        until = time.monotonic() + timeout
        done: list[Invocation] = []
        while True:
            if invocation := self.poll():
                done.append(invocation)
                continue
            left = self.depth()
            if left == 0 or time.monotonic() >= until:
                return Drained(tuple(done), left)
            time.sleep(IDLE_SECONDS)

    def depth(self) -> int:
        """How many messages the queue holds: visible, hidden and delayed."""
        return queue_depth(self._sqs, self._source.queue_url).total

    def start(self, on_failure: Callable[[Exception], None]) -> None:
        """Poll in the background until `stop`; `on_failure` gets any error that ends it sooner."""
        self._stop.clear()
        self._thread = Thread(target=self._run, args=(on_failure,), name="poller", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the current batch end, then stop polling in the background."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, on_failure: Callable[[Exception], None]) -> None:
        try:
            while not self._stop.is_set():
                if self.poll() is None:
                    self._stop.wait(IDLE_SECONDS)
        except Exception as error:
            on_failure(error)

    def _receive(self) -> Sequence[Mapping[str, Any]]:
        answer = self._sqs.receive_message(
            QueueUrl=self._source.queue_url,
            MaxNumberOfMessages=self._source.batch_size,
            WaitTimeSeconds=0,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def _event(self, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {"Records": [_record(message, self._source.queue_arn) for message in messages]}

    def _delete(self, messages: Sequence[Mapping[str, Any]]) -> None:
        if messages:
            self._sqs.delete_message_batch(
                QueueUrl=self._source.queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages)
                ],
            )


def failed_messages(
    response: Any, message_ids: Sequence[str], reports_item_failures: bool
) -> frozenset[str]:
    """The messages of a batch that failed, according to the function's response.

    An empty response, null or an empty list means that none failed. A response that cannot be
    understood, or an identifier that is missing, empty or not from this batch, means that all did.
    """
    if not reports_item_failures or response is None or response == {}:
        return frozenset()
    everything = frozenset(message_ids)
    if not isinstance(response, Mapping):
        return everything
    failures = response.get("batchItemFailures")
    if failures is None:
        return frozenset()
    if not isinstance(failures, list):
        return everything
    named = {
        str(entry.get("itemIdentifier")) if isinstance(entry, Mapping) else "" for entry in failures
    }
    return frozenset(named) if named <= everything else everything


def _record(message: Mapping[str, Any], queue_arn: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": message.get("MessageAttributes", {}),
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }
