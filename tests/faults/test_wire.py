"""What the function's clients make of answers that do not come whole, through the proxy."""

from contextlib import closing

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    IncompleteReadError,
)

from festival.errors import RetryableError
from festival.ingest.mail import Mailer
from festival.ingest.report import Counts, IngestReport
from festival.ingest.sidecar import applied_mapping
from festival.lineup.mapping import DEFAULT_MAPPING

from .invocation import Port
from .people import UPLOADS
from .schedules import stand_in
from .wire import CUT_OFF, Reply

FILE = {"File": {"S": "upload/summer.csv"}, "Entry": {"S": "HEAD"}}


class Road:
    """To a store and back; `damage` is done to each answer."""

    def __init__(self):
        self.store = stand_in()
        self.port = Port(tries=1)
        self.port.proxy.decide = self.decide
        self.damage = Reply
        self.asked = []

    def decide(self, request):
        self.asked.append(request.call)
        return self.damage(self.store.answer(request))


@pytest.fixture
def road():
    there = Road()
    yield there
    there.port.close()


def half(answer):
    return Reply(answer, len(answer.body) // 2)


def remember(road):
    road.port.clients.dynamodb.update_item(
        TableName="ledger",
        Key=FILE,
        UpdateExpression="SET Attempt = :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )


def test_half_an_item_is_not_taken_for_no_item(road):
    remember(road)
    road.damage = half
    with pytest.raises(IncompleteReadError):
        road.port.clients.dynamodb.get_item(TableName="ledger", Key=FILE)


def test_half_of_sns_answer_is_a_try_that_may_be_repeated(road):
    road.damage = half
    mailer = Mailer(road.port.clients.sns, "arn:aws:sns:us-east-1:123456789012:ingest")
    with pytest.raises(RetryableError, match="could not be handed to SNS"):
        mailer.send(IngestReport("upload/summer.csv", Counts(read=1), [], [], []))


def test_an_answer_without_a_body_is_whole(road):
    road.store.put(UPLOADS, "summer.csv", b"Performer,Stage")
    head = road.port.clients.s3.head_object(Bucket=UPLOADS, Key="summer.csv")
    assert head["ContentLength"] == 15


def test_an_error_stays_the_error_that_it_is(road):
    with pytest.raises(ClientError, match="404"):
        road.port.clients.s3.head_object(Bucket=UPLOADS, Key="winter.csv")


def test_half_an_object_breaks_while_it_is_read(road):
    road.store.put(UPLOADS, "summer.csv", b"Performer,Stage")
    road.damage = half
    answer = road.port.clients.s3.get_object(Bucket=UPLOADS, Key="summer.csv")
    with closing(answer["Body"]) as body, pytest.raises(BotoCoreError):
        body.read()


def test_half_a_mapping_is_no_mapping_that_is_wrong(road):
    road.store.put(UPLOADS, "summer.csv.mapping.json", b'{"date_order": "day_first"}')
    road.damage = half
    with pytest.raises(RetryableError, match="IncompleteRead"):
        applied_mapping(road.port.clients.s3, UPLOADS, "summer.csv", DEFAULT_MAPPING)


def test_a_dropped_connection_is_one_and_the_call_was_made(road):
    road.damage = lambda answer: CUT_OFF
    with pytest.raises(ConnectionClosedError):
        remember(road)
    assert road.asked == [("dynamodb", "UpdateItem")]
    assert road.store.all_entries() == [{**FILE, "Attempt": {"N": "1"}}]
