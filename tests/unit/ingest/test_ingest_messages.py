"""What becomes of an SQS message: done with, hidden for a while, sent anew, or given up."""

import io
import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from festival.errors import RetryableError
from festival.ingest.attempt import Action, Budget, TryFailedError, TryResult
from festival.ingest.ledger.leases import LeaseHeldError
from festival.ingest.log import Log
from festival.ingest.messages import Message, MessageHandler, pause_after
from festival.ingest.report import Counts, IngestReport


def remaining():
    return 300.0


@dataclass
class Ledger:
    noted: list = field(default_factory=list)

    def now(self):
        return 1000.0

    def note_failed_try(self, file, version, message, reason, status=None):
        self.noted.append((file, version, message, reason))


class Ingestor:
    """Does what it is told for each key: an exception is raised, anything else is a success."""

    def __init__(self, **outcomes):
        self.outcomes = outcomes
        self.given_up = []
        self.tried = []
        self.budgets = []
        self.causes = []
        self.lease = None
        self.goes_on = False
        self.resources = SimpleNamespace(ledger=Ledger())

    def ingest(self, event, owner, budget):
        self.tried.append(event.key)
        self.budgets.append(budget)
        outcome = self.outcomes.get(event.key)
        if isinstance(outcome, Exception):
            raise outcome
        report = IngestReport(event.file, Counts(read=3, rejected=1), [], [], [])
        return TryResult(
            Action.INGESTED, event.file, "v1", report, retries=2, throttles=1, milliseconds=9
        )

    def note_failed_try(self, event, message, reason):
        self.resources.ledger.note_failed_try(event.file, event.version, message, reason)

    def give_up(self, event, owner, budget, error):
        self.budgets.append(budget)
        self.causes.append(error)
        if self.lease:
            raise self.lease
        self.given_up.append((event.key, str(error)))
        return not self.goes_on


def refuse(**_):
    raise EndpointConnectionError(endpoint_url="http://sqs")


@dataclass
class Sqs:
    hidden: list = field(default_factory=list)
    sent: list = field(default_factory=list)

    def change_message_visibility(self, QueueUrl, ReceiptHandle, VisibilityTimeout):  # noqa: N803
        self.hidden.append(VisibilityTimeout)

    def send_message(self, QueueUrl, MessageBody, DelaySeconds):  # noqa: N803
        self.sent.append((MessageBody, DelaySeconds))


def s3_message(*keys, receives=1):
    records = [
        {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "upload"}, "object": {"key": key, "versionId": "v1"}},
        }
        for key in keys
    ]
    return Message("m-1", json.dumps({"Records": records}), "handle", receives)


@pytest.fixture
def out():
    return io.StringIO()


def message_handler(ingestor, out):
    return MessageHandler(ingestor, Sqs(), "queue", 5, "processFestivalData", Log(out=out))


def test_a_message_is_done_with_when_every_file_of_it_is(out):
    ingestor = Ingestor()
    assert message_handler(ingestor, out).work_on(s3_message("a.csv", "b.csv"), "me", remaining)
    assert ingestor.tried == ["a.csv", "b.csv"]


def test_one_file_that_fails_brings_the_message_back_after_the_others_were_tried(out):
    ingestor = Ingestor(**{"a.csv": RetryableError("throttled")})
    here = message_handler(ingestor, out)
    assert not here.work_on(s3_message("a.csv", "b.csv"), "me", remaining)
    assert ingestor.tried == ["a.csv", "b.csv"]
    assert ingestor.resources.ledger.noted == [("upload/a.csv", "v1", "m-1 receive 1", "throttled")]
    assert ingestor.given_up == []
    assert 15 <= here.sqs.hidden[0] <= 30


def test_a_message_that_fails_comes_back_over_days_and_before_the_queue_forgets_it():
    longest = [pause_after(receives, 1.0) for receives in range(1, 20)]
    assert longest[:3] == [30, 60, 120]
    assert max(longest) <= 12 * 3600  # no visibility timeout is longer
    days = sum(longest) / 86_400
    assert 2 < days < 3, "of the 4 that the queue keeps it"
    assert sum(longest[:8]) > 2 * 3600, "an outage of an hour leaves more than half of the tries"


def test_the_last_permitted_try_gives_up_and_leaves_the_message_to_sqs(out):
    ingestor = Ingestor(**{"a.csv": RetryableError("throttled")})
    here = message_handler(ingestor, out)
    assert not here.work_on(s3_message("a.csv", receives=5), "me", remaining)
    assert ingestor.given_up == [("a.csv", "throttled")]
    assert here.sqs.hidden == [0]  # SQS moves it on at once


def test_a_file_is_given_up_within_what_its_last_try_has_left_of_the_invocation(out):
    """Its e-mail must not wait for its turn, nor its lease last, until long after that."""
    left = iter([300.0, 12.0])
    ingestor = Ingestor(**{"a.csv": RetryableError("throttled")})
    message_handler(ingestor, out).work_on(
        s3_message("a.csv", receives=5), "me", lambda: next(left)
    )
    assert ingestor.budgets == [Budget(280.0, 290.0, 315.0), Budget(9.0, 10.5, 27.0)]


def test_a_file_that_cannot_be_given_up_for_want_of_time_is_sent_anew_and_not_lost_silently(out):
    left = iter([300.0, 3.9])
    ingestor = Ingestor(**{"a.csv": RetryableError("throttled")})
    here = message_handler(ingestor, out)
    message = s3_message("a.csv", receives=5)
    assert here.work_on(message, "me", lambda: next(left))
    assert (ingestor.given_up, here.sqs.sent) == ([], [(message.body, 0)])


def test_what_the_last_try_wrote_is_known_to_who_gives_it_up(out):
    report = IngestReport("upload/a.csv", Counts(read=12, unwritten=5), [], [], [])
    failed = TryFailedError("throttled", report)
    ingestor = Ingestor(**{"a.csv": failed})
    message_handler(ingestor, out).work_on(s3_message("a.csv", receives=5), "me", remaining)
    assert ingestor.causes == [failed]


@pytest.mark.parametrize("seconds", [4.0, 40.0, 300.0, 900.0])
def test_a_lease_outlives_its_invocation_and_everything_else_ends_before(seconds):
    budget = Budget.of_invocation(seconds)
    assert budget.work < budget.write < seconds < budget.lease
    assert min(budget.write - budget.work, seconds - budget.write) >= min(10.0, seconds / 8)


def test_waiting_for_a_lease_is_no_try_the_message_is_sent_anew_for_when_it_lapses(out):
    ingestor = Ingestor(**{"a.csv": LeaseHeldError("upload/a.csv", "another", 1120.0)})
    here = message_handler(ingestor, out)
    message = s3_message("a.csv")
    assert here.work_on(message, "me", remaining)
    ((body, delay),) = here.sqs.sent
    assert body == message.body
    assert 121 <= delay <= 125
    assert ingestor.resources.ledger.noted == []


def test_a_message_of_which_one_file_failed_comes_back_once_for_the_one_that_waits_too(out):
    waits = LeaseHeldError("upload/a.csv", "another", 1120.0)
    ingestor = Ingestor(**{"a.csv": waits, "b.csv": RetryableError("throttled")})
    here = message_handler(ingestor, out)
    assert not here.work_on(s3_message("a.csv", "b.csv"), "me", remaining)
    assert (len(here.sqs.hidden), here.sqs.sent) == (1, [])


def test_a_message_that_cannot_be_sent_anew_is_hidden_for_as_long(out):
    ingestor = Ingestor(**{"a.csv": LeaseHeldError("upload/a.csv", "another", 1120.0)})
    here = message_handler(ingestor, out)
    here.sqs.send_message = refuse
    assert not here.work_on(s3_message("a.csv"), "me", remaining)
    assert 121 <= here.sqs.hidden[0] <= 125


def test_no_wait_is_longer_than_sqs_can_delay_or_hide_a_message(out):
    """15 minutes and 12 hours: SQS refuses more, and the message would be tried at once."""
    ingestor = Ingestor(**{"a.csv": LeaseHeldError("upload/a.csv", "another", 1_000_000.0)})
    here = message_handler(ingestor, out)
    assert here.work_on(s3_message("a.csv"), "me", remaining)
    assert [delay for _, delay in here.sqs.sent] == [900]
    here.sqs.send_message = refuse
    assert not here.work_on(s3_message("a.csv"), "me", remaining)
    assert here.sqs.hidden == [43_200]


def test_a_message_comes_back_when_the_last_of_its_files_may_be_tried(out):
    waits = [LeaseHeldError(f"upload/{n}.csv", "another", 1000.0 + n) for n in (100, 400, 200)]
    ingestor = Ingestor(**{f"{n}.csv": wait for n, wait in enumerate(waits)})
    here = message_handler(ingestor, out)
    assert here.work_on(s3_message("0.csv", "1.csv", "2.csv"), "me", remaining)
    assert [401 <= delay <= 405 for _, delay in here.sqs.sent] == [True]


def test_a_failed_try_is_counted_and_its_reason_kept_under_its_receive(out):
    ingestor = Ingestor(**{"a.csv": RetryableError("throttled")})
    message_handler(ingestor, out).work_on(s3_message("a.csv", receives=4), "me", remaining)
    assert ingestor.resources.ledger.noted == [("upload/a.csv", "v1", "m-1 receive 4", "throttled")]
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["TriesFailed"] for line in lines if "TriesFailed" in line] == [1]


def test_each_file_of_a_message_gets_the_time_that_those_before_it_have_left(out):
    left = iter([300.0, 100.0])
    ingestor = Ingestor()
    assert message_handler(ingestor, out).work_on(
        s3_message("a.csv", "b.csv"), "me", lambda: next(left)
    )
    assert [budget.work for budget in ingestor.budgets] == [280.0, 80.0]


def test_a_message_for_which_no_time_is_left_goes_to_another_invocation(out):
    ingestor = Ingestor()
    here = message_handler(ingestor, out)
    message = s3_message("a.csv")
    assert here.work_on(message, "me", lambda: 3.9)
    assert (ingestor.tried, ingestor.resources.ledger.noted) == ([], [])
    assert here.sqs.sent == [(message.body, 0)]


def test_a_message_that_has_nothing_to_give_up_is_done_with(out):
    ingestor = Ingestor(**{"a.csv": RetryableError("throttled")})
    ingestor.goes_on = True
    assert message_handler(ingestor, out).work_on(s3_message("a.csv", receives=5), "me", remaining)


def test_what_cannot_be_given_up_for_a_live_lease_is_sent_anew_and_not_lost_silently(out):
    ingestor = Ingestor(**{"a.csv": RetryableError("throttled")})
    ingestor.lease = LeaseHeldError("upload/a.csv", "an own earlier try", 1120.0)
    here = message_handler(ingestor, out)
    message = s3_message("a.csv", receives=5)
    assert here.work_on(message, "me", remaining)
    assert [body for body, _ in here.sqs.sent] == [message.body]


def test_a_message_nobody_understands_goes_its_way_to_the_dead_letter_queue(out):
    ingestor = Ingestor()
    here = message_handler(ingestor, out)
    assert not here.work_on(Message("m-9", "hello", "handle", 1), "me", remaining)
    ((file, _, name, reason),) = ingestor.resources.ledger.noted
    assert (file, name) == ("message/m-9", "m-9 receive 1")
    assert "neither an S3 event nor a continuation" in reason
    assert here.sqs.hidden == [0]


def test_a_fault_of_the_code_is_told_with_its_traceback_and_tried_again(out):
    ingestor = Ingestor(**{"a.csv": KeyError("surprise")})
    assert not message_handler(ingestor, out).work_on(s3_message("a.csv"), "me", remaining)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert any("surprise" in line.get("traceback", "") for line in lines)


def test_every_log_line_names_the_file_and_the_message_and_metrics_cost_no_call(out):
    assert message_handler(Ingestor(), out).work_on(s3_message("a\ncsv"), "me", remaining)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {line["file"] for line in lines} == {"upload/a\ncsv"}
    assert {line["messageId"] for line in lines} == {"m-1"}
    metrics = lines[-1]
    (definition,) = metrics["_aws"]["CloudWatchMetrics"]
    assert definition["Dimensions"] == [["FunctionName"]]
    assert metrics["RowsWritten"] == 2
    assert metrics["RowsRejected"] == 1
    assert (metrics["Retries"], metrics["Throttles"], metrics["Milliseconds"]) == (2, 1, 9)
