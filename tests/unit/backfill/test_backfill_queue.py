"""The fleet's engine: what it sends, at what pace, and how it knows that a file is done."""

import json
from io import BytesIO
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from festival.backfill import queue
from festival.backfill.queue import QueueEngine, Queues, message_of
from festival.errors import RetryableError
from festival.ingest.events import FileEvent, files_of_message
from festival.ingest.ledger.leases import Lease, LeaseHeldError
from festival.ingest.ledger.records import Status, VersionRecord
from festival.ingest.report import Counts
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping


def event(key="sziget.csv"):
    return FileEvent("uploads", key, "v1", run="summer")


def events(count):
    return [event(f"{number:03d}.csv") for number in range(count)]


class FakeLedger:
    """Versions by file; a test says what becomes of a file once its message was taken."""

    def __init__(self):
        self.records = {}
        self.begun = []
        self.given_back = []
        self.held = set()
        self.leases = self

    def find(self, file, version):
        record = self.records.get(file)
        return record if record and record.version == version else None

    def history(self, file):
        return [record for name, record in self.records.items() if name == file]

    def set(self, file, status=Status.NOTIFIED, version="v1", **more):
        self.records[file] = VersionRecord(file, version, status, **more)

    def acquire(self, file, owner, seconds):
        if file in self.held:
            raise LeaseHeldError(file, "the function", 0)
        return Lease(file, owner, 0, 1)

    def begin(self, lease, version, *, again):
        assert again
        self.begun.append(lease.file)
        self.set(lease.file, Status.RUNNING)

    def release(self, lease):
        self.given_back.append(lease.file)


class FakeSqs:
    """A queue whose messages a test takes, and a dead-letter queue."""

    def __init__(self):
        self.bodies = []
        self.calls = []
        self.failing = {}
        self.dead = []
        self.visible_again = []
        self.in_flight = 0

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803 - boto3's names
        assert 1 <= len(Entries) <= 10
        assert len({entry["Id"] for entry in Entries}) == len(Entries)
        self.calls.append(len(Entries))
        failed = []
        for entry in Entries:
            key = files_of_message(entry["MessageBody"])[0].key
            times, sender = self.failing.get(key, (0, False))
            if times:
                self.failing[key] = (times - 1, sender)
                failed.append({"Id": entry["Id"], "SenderFault": sender, "Code": "InternalError"})
            else:
                self.bodies.append(entry["MessageBody"])
        return {"Failed": failed} if failed else {}

    def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: N803
        if QueueUrl == "dead":
            return {"Attributes": {"ApproximateNumberOfMessages": str(len(self.dead))}}
        return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": str(self.in_flight)}}

    def receive_message(self, **_):
        messages = [
            {
                "MessageId": str(number),
                "Body": body,
                "ReceiptHandle": f"r-{number}",
                "Attributes": {"ApproximateReceiveCount": "5"},
            }
            for number, body in enumerate(self.dead)
        ]
        return {"Messages": messages}

    def change_message_visibility(self, *, ReceiptHandle, VisibilityTimeout, **_):  # noqa: N803
        assert VisibilityTimeout == 0
        self.visible_again.append(ReceiptHandle)

    @property
    def sent(self):
        return [file for body in self.bodies for file in files_of_message(body)]


class FakeS3:
    """The mappings beside the files, by key."""

    def __init__(self):
        self.mappings = {}

    def get_object(self, *, Bucket, Key):  # noqa: N803
        if Key not in self.mappings:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": BytesIO(self.mappings[Key])}


class Festival:
    """An engine on fakes, in a time of its own; `work` is done each time the engine waits."""

    def __init__(self, workers=2, work=None, mapping=DEFAULT_MAPPING):
        self.now = 0.0
        self.sqs, self.ledger, self.s3 = FakeSqs(), FakeLedger(), FakeS3()
        self.work = work or self.finish_everything
        self.engine = QueueEngine(
            Queues(self.sqs, "queue", "dead", sleep=lambda seconds: None),
            SimpleNamespace(ledger=self.ledger, s3=self.s3, mapping=mapping),
            workers,
            sleep=self.sleep,
            monotonic=lambda: self.now,
        )
        self.most_waiting = 0

    def sleep(self, seconds):
        self.now += seconds
        waiting = [file for file in self.sqs.sent if not self.is_done(file)]
        self.most_waiting = max(self.most_waiting, len(waiting))
        self.work(waiting)

    def is_done(self, file):
        record = self.ledger.records.get(file.file)
        return record is not None and record.is_done

    def finish_everything(self, waiting):
        for file in waiting:
            self.ledger.set(file.file, counts=Counts(read=3))

    def run(self, files, **more):
        return {one.file.removeprefix("uploads/"): one for one in self.engine.run(files, **more)}


@pytest.mark.parametrize("key", ["dag 1/sú.csv", "a+b%2B.csv", "day=1/'x'\n🎪.json"])
def test_the_function_understands_a_message_as_the_file_it_is_about(key):
    asked = FileEvent("uploads", key, "v1", run="summer")
    assert files_of_message(message_of(asked)) == [asked]


def test_a_message_has_the_form_of_s3s_own():
    message = json.loads(message_of(event("dag 1/sú.csv")))
    (record,) = message["Records"]
    assert message["festivalRun"] == "summer"
    assert (record["eventSource"], record["eventName"]) == ("aws:s3", "ObjectCreated:Put")
    assert record["s3"]["object"] == {"key": "dag+1/s%C3%BA.csv", "versionId": "v1"}


def test_every_file_is_sent_ten_a_call_and_told_when_the_ledger_has_it():
    festival = Festival(workers=10)
    outcomes = festival.run(events(25))
    assert festival.sqs.calls == [10, 10, 5]
    assert len(outcomes) == 25
    assert outcomes["000.csv"].status == "success"
    assert outcomes["000.csv"].counts.written == 3


def test_messages_go_out_at_the_pace_of_the_fleet():
    festival = Festival(workers=2)
    assert len(festival.run(events(90))) == 90
    assert festival.most_waiting == 20


def test_what_the_ledger_shows_as_done_is_not_sent():
    festival = Festival()
    festival.ledger.set("uploads/000.csv")
    outcomes = festival.run(events(3))
    assert [file.key for file in festival.sqs.sent] == ["001.csv", "002.csv"]
    assert outcomes["000.csv"].status == "done"


def test_what_is_written_and_not_yet_told_is_waited_for():
    statuses = iter([Status.RUNNING, Status.WRITTEN, Status.NOTIFIED])
    festival = Festival(work=lambda waiting: festival.ledger.set(waiting[0].file, next(statuses)))
    festival.run([event()])
    assert list(statuses) == []


def test_a_file_with_a_mapping_is_looked_for_under_its_mark():
    text = b'{"columns": {"Performer": "Act"}}'
    mark = LineupMapping.from_json(text).fingerprint()
    festival = Festival(work=lambda _: festival.ledger.set("uploads/a.csv", version=f"v1+{mark}"))
    festival.s3.mappings = {"a.csv.mapping.json": text}
    festival.ledger.set("uploads/a.csv")  # read without the mapping, before it came
    assert festival.run([event("a.csv")])["a.csv"].status != "done"
    assert len(festival.sqs.sent) == 1


def test_a_file_that_could_not_be_kept_and_one_that_was_replaced_are_told_as_such():
    def work(waiting):
        festival.ledger.set(
            "uploads/000.csv", Status.FAILED, error="the file is empty", notified_at="now"
        )
        festival.ledger.set("uploads/001.csv", Status.SUPERSEDED)

    festival = Festival(work=work)
    outcomes = festival.run(events(2))
    assert (outcomes["000.csv"].status, outcomes["000.csv"].error) == (
        "failure",
        "the file is empty",
    )
    assert outcomes["001.csv"].status == "superseded"


def test_with_again_finished_versions_are_reopened_before_they_are_sent():
    festival = Festival()
    for number in range(3):
        festival.ledger.set(f"uploads/{number:03d}.csv")
    outcomes = festival.run(events(3), again=True)
    assert sorted(festival.ledger.begun) == [
        "uploads/000.csv",
        "uploads/001.csv",
        "uploads/002.csv",
    ]
    assert festival.ledger.given_back == festival.ledger.begun
    assert len(festival.sqs.sent) == 3
    assert {one.status for one in outcomes.values()} == {"success"}


def test_what_a_newer_version_had_replaced_before_an_undo_is_reopened_and_sent():
    """Its record says that it is done; the table has it no longer."""
    festival = Festival()
    festival.ledger.set("uploads/sziget.csv", overtaken_by="v2")
    outcomes = festival.run([event(), event("other.csv")])
    assert festival.ledger.begun == ["uploads/sziget.csv"]
    assert len(festival.sqs.sent) == 2
    assert outcomes["sziget.csv"].status == "success"


def test_a_file_without_a_mapping_is_looked_for_under_the_stacks_own():
    mapping = LineupMapping.from_dict({"date_order": "day_first"})
    ingest = f"v1+{mapping.fingerprint()}"
    festival = Festival(mapping=mapping)
    festival.ledger.set("uploads/sziget.csv", version=ingest)
    assert festival.run([event()])["sziget.csv"].status == "done"
    assert festival.sqs.sent == []


def test_an_outcome_says_how_many_seconds_the_function_took():
    festival = Festival(work=lambda _: festival.ledger.set(event().file, milliseconds=1500))
    assert festival.run([event()])["sziget.csv"].seconds == 1.5


def test_with_again_a_file_that_is_being_ingested_this_moment_is_left_to_that():
    festival = Festival()
    festival.ledger.held = {"uploads/sziget.csv"}
    festival.run([event()], again=True)
    assert festival.ledger.begun == []


def test_a_message_that_sqs_could_not_take_is_sent_again():
    festival = Festival()
    festival.sqs.failing = {"001.csv": (2, False)}
    assert len(festival.run(events(3))) == 3
    assert festival.sqs.calls == [3, 1, 1]


def test_a_message_that_sqs_will_never_take_is_a_failure_and_the_others_go_on():
    festival = Festival()
    festival.sqs.failing = {"001.csv": (1, True)}
    outcomes = festival.run(events(3))
    assert outcomes["001.csv"].failed
    assert "SQS did not take its message: InternalError" in outcomes["001.csv"].error
    assert outcomes["002.csv"].status == "success"


def test_a_message_that_sqs_fails_to_take_time_and_again_is_a_failure():
    festival = Festival()
    festival.sqs.failing = {"sziget.csv": (99, False)}
    assert festival.run([event()])["sziget.csv"].failed
    assert len(festival.sqs.calls) == queue.MOST_SENDS


def test_after_a_failure_nothing_more_is_sent_if_so_asked():
    def work(waiting):
        for file in waiting:
            festival.ledger.set(file.file, Status.FAILED, error="empty", notified_at="now")

    festival = Festival(workers=1, work=work)
    outcomes = festival.run(events(30), stop_at_failure=True)
    assert len(festival.sqs.sent) == len(outcomes) == 10


def test_a_message_that_died_without_a_word_is_found_in_the_dead_letter_queue():
    def work(waiting):
        festival.sqs.dead = [body for body in festival.sqs.bodies if "000.csv" in body]
        festival.finish_everything(waiting[1:])

    festival = Festival(work=work)
    outcomes = festival.run(events(3))
    assert "is in the dead-letter queue" in outcomes["000.csv"].error
    assert (
        "no reason was kept: the function ended before it could record one"
        in outcomes["000.csv"].error
    )
    assert outcomes["001.csv"].status == "success"
    assert festival.now >= queue.QUIET_SECONDS
    assert festival.sqs.visible_again == ["r-0"]


def test_dead_letters_of_another_run_are_not_this_ones():
    def work(waiting):
        if festival.now > 300:
            festival.finish_everything(waiting)

    festival = Festival(work=work)
    festival.sqs.in_flight = 1
    festival.sqs.dead = [message_of(event()._replace(run="winter"))]
    assert festival.run([event()])["sziget.csv"].status == "success"


def test_a_message_that_is_gone_from_the_queue_ends_the_wait():
    festival = Festival(work=lambda waiting: None)
    outcome = festival.run([event()])["sziget.csv"]
    assert "no longer in the queue" in outcome.error
    assert 2 * queue.QUIET_SECONDS <= festival.now < 3 * queue.QUIET_SECONDS


def test_a_fleet_that_stands_still_for_hours_ends_the_wait():
    festival = Festival(work=lambda waiting: None)
    festival.sqs.in_flight = 1
    outcome = festival.run([event()])["sziget.csv"]
    assert "event source mapping" in outcome.error
    assert festival.now == pytest.approx(queue.PATIENCE_SECONDS, abs=120)


def test_a_fleet_that_ends_a_file_every_two_hours_is_waited_for():
    def work(waiting):
        festival.now += 2 * 3600
        festival.finish_everything(waiting[:1])

    festival = Festival(work=work)
    festival.sqs.in_flight = 1
    outcomes = festival.run(events(4))
    assert {one.status for one in outcomes.values()} == {"success"}
    assert festival.now > queue.PATIENCE_SECONDS


def test_an_aws_that_does_not_answer_is_told_in_one_line():
    festival = Festival()

    def refuse(**_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SendMessageBatch")

    festival.sqs.send_message_batch = refuse
    with pytest.raises(RetryableError, match="run it again to continue") as told:
        festival.run([event()])
    assert "\n" not in str(told.value)
