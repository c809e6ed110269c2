"""The Lambda function: what its environment says reaches every part, and AWS's clock rules all."""

import json
from types import SimpleNamespace

import pytest

from festival.errors import NotYetError, RetryableError
from festival.ingest import handler
from festival.ingest.attempt import Action, TryResult
from festival.ingest.events import FileEvent, files_of_message
from festival.ingest.handler import FunctionSettings, lambda_handler, resources_of
from festival.ingest.report import Counts, IngestReport
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import Performance

AWS_TIME = 9_000_000_000.0  # 2255: no machine that runs this has it
BEFORE = AWS_TIME - 1.0  # what is over by AWS's clock, and far away by the machine's
BJORK = Performance("Björk", "Park", "2025-06-28", 1200, 1260, None, 2)
ENVIRONMENT = {
    "TABLE_NAME": "lineup",
    "LEDGER_TABLE_NAME": "ledger",
    "TOPIC_ARN": "arn:aws:sns:eu-west-1:1:festival",
    "REPORTS_BUCKET_NAME": "reports",
    "QUEUE_URL": "https://queue",
    "MAXIMUM_CONCURRENCY": "80",
    "MAX_RECEIVE_COUNT": "3",
    "RECONCILE_GUARD_PERCENT": "12",
    "DEFAULT_MAPPING": '{"date_order": "day_first"}',
    "LOG_LEVEL": "WARNING",
}
SETTINGS = FunctionSettings.from_environment(ENVIRONMENT)


class Aws:
    """What the function's clients are asked for."""

    def __init__(self):
        self.s3 = None
        self.dynamodb = self.sqs = self.sns = self
        self.now, self.a_try_takes = AWS_TIME, 0.0
        self.clock = SimpleNamespace(now=lambda: self.now)
        # Without the private parts that the quick way needs: the writer uses the methods below.
        self.before_send = []
        events = SimpleNamespace(register=lambda name, call: self.before_send.append(call))
        self.meta = SimpleNamespace(endpoint_url="http://dynamodb", events=events)
        self.sent, self.batches, self.e_mails = [], [], []

    def send_message(self, **message):
        self.sent.append(message)

    def change_message_visibility(self, **_):
        pass

    def publish(self, **message):
        self.e_mails.append(message["TopicArn"])
        return {"MessageId": "m-1"}

    def batch_write_item(self, RequestItems):  # noqa: N803
        self.now += self.a_try_takes
        for look in self.before_send:
            look("before-send.dynamodb.BatchWriteItem")
        ((table, requests),) = RequestItems.items()
        self.batches.append((table, requests[0]["PutRequest"]["Item"]["Source"]["S"]))
        return {"UnprocessedItems": {}}


@pytest.fixture
def aws():
    return Aws()


def written(opened):
    with opened as writer:
        writer.put([BJORK])
        return writer.flush()


class TestResources:
    def test_attempts_leases_and_the_ledger_go_by_awss_clock(self, aws):
        resources = resources_of(SETTINGS, aws)
        assert (resources.clock(), resources.ledger.now()) == (AWS_TIME, AWS_TIME)

    def test_nothing_is_written_past_a_deadline_by_awss_clock(self, aws):
        open_writer = resources_of(SETTINGS, aws).open_writer
        assert "the time for writing ran out" in written(open_writer("a.csv", BEFORE)).reason
        assert aws.batches == []
        assert written(open_writer("a.csv", AWS_TIME + 60)).unwritten == ()
        assert aws.batches == [("lineup", "a.csv")]

    def test_nor_is_a_request_tried_again_past_it(self, aws):
        """botocore repeats a request by itself."""
        aws.a_try_takes = 61.0
        open_writer = resources_of(SETTINGS, aws).open_writer
        assert written(open_writer("a.csv", AWS_TIME + 60)).unwritten == (BJORK,)
        assert aws.batches == []

    def test_no_e_mail_is_sent_past_a_deadline_by_awss_clock(self, aws):
        mailer = resources_of(SETTINGS, aws).mailer
        with pytest.raises(NotYetError):
            mailer.publish("late", "", until=BEFORE)
        mailer.publish("in time", "", until=AWS_TIME + 60)
        assert aws.e_mails == [SETTINGS.topic_arn]

    def test_eighty_functions_share_the_pace_of_e_mails(self, aws):
        mailer = resources_of(SETTINGS, aws).mailer
        mailer.publish("first", "")
        with pytest.raises(NotYetError) as turn:  # and not slept for: its try ends before
            mailer.publish("second", "", until=AWS_TIME + 9)
        assert turn.value.until == AWS_TIME + 10

    def test_slow_writes_are_told_in_the_log_and_counted(self, aws, capsys):
        written(resources_of(SETTINGS, aws).open_writer("a.csv", AWS_TIME + 60))
        said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert "slower" in said[0]["message"]
        assert said[1]["SlowConnections"] == 1

    def test_a_continuation_goes_into_the_functions_own_queue_after_a_moment(self, aws):
        event = FileEvent("uploads", "large.csv", "v1", "0A")
        resources_of(SETTINGS, aws).send_continuation(event, 7)
        (message,) = aws.sent
        assert message["QueueUrl"] == "https://queue"
        assert message["DelaySeconds"] == 2
        assert files_of_message(message["MessageBody"]) == [event._replace(continues=7)]

    def test_files_without_a_mapping_are_read_as_the_stack_says(self, aws):
        mapping = resources_of(SETTINGS, aws).mapping
        assert mapping == LineupMapping.from_dict({"date_order": "day_first"})

    def test_it_reconciles_only_if_the_stack_says_so_and_within_its_guard(self, aws):
        assert resources_of(SETTINGS, aws).on_upload is None
        told = FunctionSettings.from_environment({**ENVIRONMENT, "RECONCILE_ON_UPLOAD": "yes"})
        assert resources_of(told, aws).on_upload.percent == 12


class Ingestor:
    """Succeeds, except with a file named bad.csv."""

    def __init__(self):
        self.tried, self.given_up = [], []
        self.resources = SimpleNamespace(ledger=SimpleNamespace(now=lambda: AWS_TIME))

    def ingest(self, event, owner, budget):
        self.tried.append((owner, budget))
        if event.key == "bad.csv":
            raise RetryableError("throttled")
        report = IngestReport(event.file, Counts(read=3), [], [], [])
        return TryResult(Action.INGESTED, event.file, "v1", report)

    def note_failed_try(self, event, message, reason):
        pass

    def give_up(self, event, owner, budget, error):
        self.given_up.append(event.key)
        return True


@pytest.fixture
def ingestor(aws, monkeypatch):
    made = Ingestor()
    monkeypatch.setattr(handler, "_function", lambda: (SETTINGS, made, aws))
    return made


def invoke(*keys, receives=1):
    records = [
        {
            "messageId": key,
            "receiptHandle": "handle",
            "attributes": {"ApproximateReceiveCount": str(receives)},
            "body": json.dumps(
                {
                    "Records": [
                        {
                            "eventSource": "aws:s3",
                            "eventName": "ObjectCreated:Put",
                            "s3": {
                                "bucket": {"name": "uploads"},
                                "object": {"key": key, "versionId": "v1"},
                            },
                        }
                    ]
                }
            ),
        }
        for key in keys
    ]
    context = SimpleNamespace(
        aws_request_id="request-1", get_remaining_time_in_millis=lambda: 300_000
    )
    return lambda_handler({"Records": records}, context)


class TestHandler:
    def test_only_messages_that_failed_come_back(self, ingestor):
        assert invoke("a.csv", "bad.csv", "b.csv") == {
            "batchItemFailures": [{"itemIdentifier": "bad.csv"}]
        }

    def test_each_message_is_worked_on_under_a_name_of_its_own_within_the_invocation(
        self, ingestor
    ):
        invoke("a.csv", "a.csv")
        (one, budget), (other, _) = ingestor.tried
        assert one != other
        assert budget.work == 280.0

    def test_the_queues_last_receive_gives_up(self, ingestor):
        invoke("bad.csv", receives=2)
        assert ingestor.given_up == []
        invoke("bad.csv", receives=3)
        assert ingestor.given_up == ["bad.csv"]

    def test_lines_below_the_stacks_log_level_are_not_written(self, ingestor, capsys):
        invoke("a.csv", "bad.csv")
        said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["level"] for line in said if "level" in line] == ["WARNING"]


def test_clients_are_made_once_and_kept_for_warm_invocations(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(handler.Clients, "of_environment", Aws)
    try:
        (_, _, first), (_, _, second) = handler._function(), handler._function()
        assert first is second
    finally:
        handler._function.cache_clear()
