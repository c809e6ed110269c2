"""The dead-letter queue: read to its end, with the true reasons, and put back without a loss."""

import json

import pytest

from festival.ingest.ledger.records import Status, VersionRecord
from festival.stack.dead_letters import (
    NO_REASON,
    dead_letters,
    put_back_unread,
    queue_depth,
    redrive,
)

DEAD, INGEST = "http://sqs/dead", "http://sqs/ingest"


class TwoQueues:
    """SQS with a dead-letter queue of many letters; it fails at the call that a test names."""

    def __init__(self, *bodies):
        self.letters = {f"m-{number}": body for number, body in enumerate(bodies, 1)}
        self.hidden = set()
        self.sent = []
        self.calls = []
        self.fails_at = ""
        self.again = []  # delivered once more, although hidden
        self.hidden_for = set()
        self.visible_again = []

    def _note(self, call):
        self.calls.append(call)
        if call == self.fails_at:
            raise ConnectionError("the connection broke")

    def receive_message(self, *, MaxNumberOfMessages, VisibilityTimeout=30, **_):  # noqa: N803
        self.hidden_for.add(VisibilityTimeout)
        visible = [each for each in self.letters if each not in self.hidden]
        taken = [*self.again, *visible][:MaxNumberOfMessages]
        self.again = []
        self.hidden.update(taken)
        return {
            "Messages": [
                {
                    "MessageId": name,
                    "Body": self.letters[name],
                    "ReceiptHandle": name,
                    "Attributes": {"ApproximateReceiveCount": "5"},
                }
                for name in taken
            ]
        }

    def change_message_visibility(self, *, ReceiptHandle, **_):  # noqa: N803
        self.hidden.discard(ReceiptHandle)
        self.visible_again.append(ReceiptHandle)

    def send_message(self, *, QueueUrl, MessageBody):  # noqa: N803
        assert QueueUrl == INGEST
        self._note("send")
        self.sent.append(MessageBody)

    def delete_message(self, *, ReceiptHandle, **_):  # noqa: N803
        self._note("delete")
        del self.letters[ReceiptHandle]


class History:
    """The ledger's records of one file, and which of them were reopened."""

    def __init__(self, *records):
        self.records = records
        self.reopened = []

    def history(self, file):
        return [record for record in self.records if record.file == file]

    def reopen(self, file, version):
        self.reopened.append(version)
        return True


def event(key="day.csv", version="v1"):
    return json.dumps(
        {
            "Records": [
                {
                    "eventSource": "aws:s3",
                    "eventName": "ObjectCreated:Put",
                    "s3": {
                        "bucket": {"name": "uploads"},
                        "object": {"key": key, "versionId": version},
                    },
                }
            ]
        }
    )


def failed(version="v1", **reasons):
    return VersionRecord(
        "uploads/day.csv",
        version,
        Status.FAILED,
        reasons={name.replace("_", "-", 1).replace("_", " "): why for name, why in reasons.items()},
    )


class TestReading:
    def test_the_whole_queue_is_read_and_not_its_first_ten_messages(self):
        sqs = TwoQueues(*[event(version=f"v{number}") for number in range(37)])
        assert len(dead_letters(sqs, DEAD, History())) == 37

    def test_a_message_that_comes_again_while_others_are_unread_does_not_end_the_reading(self):
        sqs = TwoQueues(*[event(version=f"v{number}") for number in range(20)])
        receive = sqs.receive_message

        def with_an_old_one_between(**request):
            if len(sqs.hidden) == 10 and not sqs.calls:
                sqs.calls.append("again")
                sqs.again = ["m-1", "m-2"]
                return receive(**{**request, "MaxNumberOfMessages": 2})
            return receive(**request)

        sqs.receive_message = with_an_old_one_between
        found = dead_letters(sqs, DEAD, History())
        assert len({letter.id for letter in found}) == len(found) == 20

    def test_a_message_stays_hidden_for_as_long_as_all_may_take_to_read(self):
        """Or the first would come again before the last was seen."""
        sqs = TwoQueues(event())
        dead_letters(sqs, DEAD, History())
        assert sqs.hidden_for == {600}

    def test_messages_that_come_again_three_times_in_a_row_do_not_end_the_reading(self):
        sqs = TwoQueues(*[event(version=f"v{number}") for number in range(20)])
        receive, looks = sqs.receive_message, iter(["all", "old", "old"])

        def with_old_ones_between(**request):
            if next(looks, "all") == "old":
                sqs.again = ["m-1"]
                return receive(**{**request, "MaxNumberOfMessages": 1})
            return receive(**request)

        sqs.receive_message = with_old_ones_between
        assert len(dead_letters(sqs, DEAD, History())) == 20

    def test_what_is_delayed_or_being_worked_on_is_in_the_queue_too(self):
        numbers = {"": 3, "NotVisible": 5, "Delayed": 7}
        said = {f"ApproximateNumberOfMessages{name}": str(n) for name, n in numbers.items()}

        class Sqs:
            def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: N803
                return {"Attributes": {name: said[name] for name in AttributeNames}}

        depth = queue_depth(Sqs(), DEAD)
        assert (depth.visible, depth.hidden, depth.delayed, depth.total) == (3, 5, 7, 15)

    def test_after_looking_every_message_can_be_taken_again(self):
        sqs = TwoQueues(event(), event())
        put_back_unread(sqs, DEAD, dead_letters(sqs, DEAD, History()))
        assert sqs.hidden == set()


class TestReasons:
    def test_they_are_its_own_tries_in_their_order_and_each_once(self):
        ledger = History(
            failed(
                m_1_receive_10="SNS throttles",
                m_1_receive_2="S3 does not answer",
                m_1_receive_1="S3 does not answer",
                m_11_receive_1="another message's",
            )
        )
        (letter,) = dead_letters(TwoQueues(event()), DEAD, ledger)
        assert letter.reasons == ("S3 does not answer", "SNS throttles")

    def test_they_are_found_whichever_mapping_the_version_was_read_with(self):
        ledger = History(
            failed("v1+abc", m_1_receive_1="mapped"), failed("v11", m_1_receive_2="another version")
        )
        (letter,) = dead_letters(TwoQueues(event()), DEAD, ledger)
        assert letter.reasons == ("mapped",)

    def test_those_of_every_mapping_that_was_tried_are_told_in_the_order_of_the_tries(self):
        ledger = History(
            failed("v1", m_1_receive_1="unmapped", m_1_receive_3="throttled"),
            failed("v1+abc", m_1_receive_2="mapped"),
        )
        (letter,) = dead_letters(TwoQueues(event()), DEAD, ledger)
        assert letter.reasons == ("unmapped", "mapped", "throttled")

    @pytest.mark.parametrize(
        "body",
        [
            event("day.csv.mapping.json"),
            event().replace("ObjectCreated:Put", "ObjectRemoved:Delete"),
        ],
        ids=["a mapping", "a removal"],
    )
    def test_those_of_a_message_that_names_no_version_are_its_files(self, body):
        ledger = History(failed("v1", m_1_receive_1="S3 does not answer"), failed("v2"))
        (letter,) = dead_letters(TwoQueues(body), DEAD, ledger)
        assert letter.reasons == ("S3 does not answer",)

    def test_without_one_it_says_that_none_was_kept_and_claims_no_more(self):
        (letter,) = dead_letters(TwoQueues(event()), DEAD, History(failed()))
        assert letter.reasons == (NO_REASON,)
        assert "no reason was kept" in NO_REASON

    def test_of_a_message_that_is_no_event_it_says_what_it_is(self):
        (letter,) = dead_letters(TwoQueues("tickets@festival.example"), DEAD, History())
        assert letter.files == ()
        assert "tickets" in letter.reasons[0]


class TestRedrive:
    def test_a_message_is_sent_before_it_is_deleted(self):
        sqs = TwoQueues(event(), event())
        list(redrive(sqs, DEAD, INGEST, History(), dead_letters(sqs, DEAD, History())))
        assert sqs.calls == ["send", "delete", "send", "delete"]
        assert (sqs.letters, sqs.sent) == ({}, [event(), event()])

    def test_its_ledger_entries_are_reopened_before_it_is_sent(self):
        sqs, ledger = TwoQueues(event()), History(failed("v1"), failed("v1+abc"), failed("v2"))
        sqs.fails_at = "send"
        with pytest.raises(ConnectionError):
            list(redrive(sqs, DEAD, INGEST, ledger, dead_letters(sqs, DEAD, ledger)))
        assert ledger.reopened == ["v1", "v1+abc"]

    def test_who_looks_no_further_than_the_first_message_leaves_the_others_in_the_queue(self):
        """As a pipe that is closed, `festival dlq --redrive | head -1`."""
        sqs = TwoQueues(event(version="v1"), event(version="v2"))
        driven = redrive(sqs, DEAD, INGEST, History(), dead_letters(sqs, DEAD, History()))
        assert next(driven).id == "m-1"
        sqs.visible_again.clear()
        driven.close()
        assert (list(sqs.letters), sqs.visible_again) == (["m-2"], ["m-2"])

    @pytest.mark.parametrize(("fails_at", "sent"), [("send", 0), ("delete", 1)])
    def test_whatever_fails_no_message_is_lost_and_all_can_be_taken_again(self, fails_at, sent):
        sqs = TwoQueues(event(version="v1"), event(version="v2"))
        sqs.fails_at = fails_at
        with pytest.raises(ConnectionError):
            list(redrive(sqs, DEAD, INGEST, History(), dead_letters(sqs, DEAD, History())))
        assert (len(sqs.letters), len(sqs.sent), sqs.hidden) == (2, sent, set())
