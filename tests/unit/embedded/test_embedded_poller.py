"""The event source mapping's rules, against a queue that stands in for SQS."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from festival.embedded.poller import EventSource, Poller, failed_messages
from festival.embedded.runtime import BrokenFunctionError, FunctionError

QUEUE = "https://sqs.us-east-2.amazonaws.com/123456789012/ingest"
ARN = "arn:aws:sqs:us-east-2:123456789012:ingest"


@dataclass
class FakeQueue:
    """Hands out each message once, as a queue with a long visibility timeout does."""

    visible: list[str]
    hidden: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def receive_message(self, **request: Any) -> dict[str, Any]:
        self.batches.append(request["MaxNumberOfMessages"])
        taken = self.visible[: request["MaxNumberOfMessages"]]
        self.visible = self.visible[len(taken) :]
        self.hidden += taken
        return {"Messages": [self._message(name) for name in taken]} if taken else {}

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> None:  # noqa: N803
        for entry in Entries:
            self.hidden.remove(entry["ReceiptHandle"].removeprefix("receipt of "))

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": str(len(self.visible)),
                "ApproximateNumberOfMessagesNotVisible": str(len(self.hidden)),
            }
        }

    @staticmethod
    def _message(name: str) -> dict[str, Any]:
        return {
            "MessageId": name,
            "ReceiptHandle": f"receipt of {name}",
            "Body": f"body of {name}",
            "Attributes": {"ApproximateReceiveCount": "1"},
        }


@dataclass
class FakeFunction:
    """Answers every event with what `answer` makes of it."""

    answer: Callable[[Any], Any]
    events: list[Any] = field(default_factory=list)

    def invoke(self, event: Any) -> Any:
        self.events.append(event)
        return self.answer(event)


def fails_on(*names: str) -> Callable[[Any], Any]:
    def answer(event: Any) -> Any:
        failed = [r["messageId"] for r in event["Records"] if r["messageId"] in names]
        return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}

    return answer


def raises(error: Exception) -> Callable[[Any], Any]:
    def answer(event: Any) -> Any:
        raise error

    return answer


def poller(queue: FakeQueue, function: FakeFunction, **source: Any) -> Poller:
    return Poller(queue, EventSource(QUEUE, ARN, **source), function)


def test_a_batch_is_as_large_as_the_mapping_says():
    queue, function = FakeQueue(["glastonbury", "roskilde", "sziget"]), FakeFunction(fails_on())
    poller(queue, function, batch_size=2).drain(0)
    assert [len(event["Records"]) for event in function.events] == [2, 1]
    assert set(queue.batches) == {2}


def test_a_message_reaches_the_function_as_lambda_hands_it_over():
    function = FakeFunction(fails_on())
    poller(FakeQueue(["roskilde"]), function).poll()
    assert function.events[0]["Records"] == [
        {
            "messageId": "roskilde",
            "receiptHandle": "receipt of roskilde",
            "body": "body of roskilde",
            "attributes": {"ApproximateReceiveCount": "1"},
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": ARN,
            "awsRegion": "us-east-2",
        }
    ]


def test_only_what_succeeded_is_deleted():
    queue = FakeQueue(["glastonbury", "roskilde", "sziget"])
    drained = poller(queue, FakeFunction(fails_on("roskilde")), batch_size=10).drain(0)
    assert queue.hidden == ["roskilde"]
    assert drained.left == 1
    assert [invocation.failed for invocation in drained.invocations] == [frozenset({"roskilde"})]


def test_a_function_that_raises_fails_its_whole_batch():
    queue = FakeQueue(["glastonbury", "roskilde"])
    function = FakeFunction(raises(FunctionError("it died")))
    drained = poller(queue, function, batch_size=10).drain(0)
    assert queue.hidden == ["glastonbury", "roskilde"]
    assert [invocation.error for invocation in drained.invocations] == ["it died"]


def test_a_function_that_cannot_start_ends_the_polling_and_keeps_the_message():
    queue = FakeQueue(["glastonbury"])
    with pytest.raises(BrokenFunctionError, match="no such handler"):
        poller(queue, FakeFunction(raises(BrokenFunctionError("no such handler")))).drain(0)
    assert queue.hidden == ["glastonbury"]


def test_without_report_batch_item_failures_the_answer_says_nothing():
    queue = FakeQueue(["glastonbury"])
    poller(queue, FakeFunction(fails_on("glastonbury")), reports_item_failures=False).drain(0)
    assert queue.hidden == []


def test_each_invocation_is_told_of():
    told: list[Any] = []
    Poller(
        FakeQueue(["roskilde"]),
        EventSource(QUEUE, ARN),
        FakeFunction(fails_on()),
        on_invocation=told.append,
    ).drain(0)
    assert [invocation.message_ids for invocation in told] == [("roskilde",)]


BATCH = ("glastonbury", "roskilde")


@pytest.mark.parametrize(
    "response", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}]
)
def test_nothing_null_and_an_empty_list_mean_that_all_is_done(response: Any):
    assert failed_messages(response, BATCH, reports_item_failures=True) == frozenset()


@pytest.mark.parametrize(
    "response",
    [
        "ok",
        [],
        {"batchItemFailures": "roskilde"},
        {"batchItemFailures": ["roskilde"]},
        {"batchItemFailures": [{}]},
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"itemIdentifier": {}}]},
        {"batchItemFailures": [{"messageId": "roskilde"}]},
        {"batchItemFailures": [{"itemIdentifier": "woodstock"}]},
        {"batchItemFailures": [{"itemIdentifier": "roskilde"}, {"itemIdentifier": "woodstock"}]},
    ],
)
def test_what_cannot_be_understood_means_that_nothing_is_done(response: Any):
    assert failed_messages(response, BATCH, reports_item_failures=True) == frozenset(BATCH)


def test_the_named_messages_failed():
    response = {"batchItemFailures": [{"itemIdentifier": "roskilde"}]}
    assert failed_messages(response, BATCH, reports_item_failures=True) == {"roskilde"}
