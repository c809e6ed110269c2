"""The stand-in says what moto says: every test runs on both, through the proxy."""

import pytest
from botocore.exceptions import ClientError

from .invocation import Port
from .moto_store import MotoServer
from .people import UPLOADS
from .schedules import run_schedule, stand_in
from .wire import Reply
from .world import REPORTS

MOTO_SCHEDULES = 5
FILE = {"File": {"S": "upload/summer.csv"}, "Entry": {"S": "HEAD"}}


@pytest.fixture(scope="module")
def moto():
    server = MotoServer()
    yield server
    server.close()


@pytest.fixture(params=["stand-in", "moto"])
def store(request):
    if request.param == "stand-in":
        return stand_in()
    return request.getfixturevalue("moto").fresh(UPLOADS, REPORTS)


@pytest.fixture
def aws(store):
    """The function's clients, in front of the store."""
    port = Port(tries=1)
    port.proxy.decide = lambda asked: Reply(store.answer(asked))
    yield port.clients
    port.close()


def code(raised):
    return raised.value.response["Error"]["Code"]


def update(aws, changes, condition=None, names=None, **values):
    request = {
        "TableName": "ledger",
        "Key": FILE,
        "UpdateExpression": changes,
        "ReturnValues": "ALL_NEW",
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }
    if condition:
        request["ConditionExpression"] = condition
    if names:
        request["ExpressionAttributeNames"] = names
    return aws.dynamodb.update_item(**request)["Attributes"]


def test_a_counter_begins_where_there_is_none_and_goes_up(aws):
    for attempt in ("1", "2"):
        item = update(
            aws,
            "SET Attempt = if_not_exists(Attempt, :none) + :one",
            none={"N": "0"},
            one={"N": "1"},
        )
        assert item == {**FILE, "Attempt": {"N": attempt}}


def test_a_write_whose_condition_does_not_hold_changes_nothing(aws):
    update(aws, "SET LeaseUntil = :until", until={"N": "100.5"})
    with pytest.raises(ClientError) as raised:
        update(
            aws,
            "SET LeaseUntil = :until",
            "attribute_not_exists(LeaseUntil) OR LeaseUntil <= :now OR #o = :me",
            {"#o": "Owner"},
            until={"N": "200"},
            now={"N": "99"},
            me={"S": "me"},
        )
    assert code(raised) == "ConditionalCheckFailedException"
    item = aws.dynamodb.get_item(TableName="ledger", Key=FILE, ConsistentRead=True)["Item"]
    assert item["LeaseUntil"] == {"N": "100.5"}


def test_numbers_are_compared_as_numbers(aws):
    update(aws, "SET LeaseUntil = :until", until={"N": "9"})
    item = update(
        aws,
        "SET LeaseUntil = :until",
        "LeaseUntil <= :now AND attribute_exists(LeaseUntil)",
        until={"N": "200"},
        now={"N": "10"},
    )
    assert item["LeaseUntil"] == {"N": "200"}


def test_a_map_takes_an_entry_and_an_attribute_is_removed(aws):
    update(
        aws,
        "SET Reasons = if_not_exists(Reasons, :none), Progress = :p",
        none={"M": {}},
        p={"S": "x"},
    )
    item = update(
        aws,
        "SET Reasons.#m = :why REMOVE Progress",
        names={"#m": "m-1 receive 1"},
        why={"S": "throttled"},
    )
    assert item == {**FILE, "Reasons": {"M": {"m-1 receive 1": {"S": "throttled"}}}}


def test_an_item_that_is_not_there_is_answered_with_nothing(aws):
    assert "Item" not in aws.dynamodb.get_item(TableName="ledger", Key=FILE)


def test_a_reserved_word_is_refused(aws):
    with pytest.raises(ClientError) as raised:
        update(aws, "SET Status = :s", s={"S": "running"})
    assert code(raised) == "ValidationException"


def test_a_batch_stores_items_and_refuses_a_key_twice(aws, store):
    item = {"Performer": {"S": "Björk"}, "Performance": {"S": "2025-06-28#22:00#Park"}}
    put = {"PutRequest": {"Item": item}}
    answer = aws.dynamodb.batch_write_item(RequestItems={"performances": [put]})
    assert answer["UnprocessedItems"] == {}
    assert store.all_items() == [item]
    with pytest.raises(ClientError) as raised:
        aws.dynamodb.batch_write_item(RequestItems={"performances": [put, put]})
    assert code(raised) == "ValidationException"


def test_a_range_of_an_older_version_is_read(aws, store):
    old = store.put(UPLOADS, "é day.csv", b"0123456789")
    new = store.put(UPLOADS, "é day.csv", b"newer")
    assert aws.s3.head_object(Bucket=UPLOADS, Key="é day.csv")["VersionId"] == new
    answer = aws.s3.get_object(Bucket=UPLOADS, Key="é day.csv", VersionId=old, Range="bytes=4-")
    assert (answer["Body"].read(), answer["ContentRange"]) == (b"456789", "bytes 4-9/10")


def test_a_deleted_object_is_not_found_and_its_version_still_is(aws, store):
    version = store.put(UPLOADS, "day.csv", b"rows")
    store.delete(UPLOADS, "day.csv")
    with pytest.raises(ClientError) as raised:
        aws.s3.head_object(Bucket=UPLOADS, Key="day.csv")
    assert code(raised) == "404"
    answer = aws.s3.get_object(Bucket=UPLOADS, Key="day.csv", VersionId=version)
    assert answer["Body"].read() == b"rows"


def test_what_is_put_is_there(aws, store):
    aws.s3.put_object(Bucket=REPORTS, Key="rejected/a.csv", Body=b"line,reason\n")
    assert store.newest(REPORTS) == {"rejected/a.csv": b"line,reason\n"}


def test_an_email_gets_a_message_id(aws):
    topic = "arn:aws:sns:us-east-1:123456789012:ingest"
    assert aws.sns.publish(TopicArn=topic, Subject="s", Message="m")["MessageId"]


@pytest.mark.parametrize("seed", range(MOTO_SCHEDULES))
def test_a_schedule_ends_well_on_moto_too(seed, ports, moto):
    result = run_schedule(f"moto {seed}", ports, lambda: moto.fresh(UPLOADS, REPORTS))
    assert not result.findings, "\n".join(result.findings)
