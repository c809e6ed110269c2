"""One batch: its body, and what each kind of answer means."""

import json

import pytest

from festival.errors import FestivalError, RetryableError
from festival.lineup.model import Performance
from festival.table import batch
from festival.table.faults import Response
from festival.table.item import put_request_encoder, to_item, too_large

ELBOW = Performance("Elbow", "Park", "2024-06-28", 1200, 1290, 71, 2)
ROWS = [ELBOW, ELBOW._replace(performer="Sigur Rós"), ELBOW._replace(performer="雅楽")]


def refused(code, message="", status=400):
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    return batch.verdict(Response(status, json.dumps(body).encode()), "lineup", ROWS)


def stored(unprocessed):
    return batch.verdict(Response(200, json.dumps(unprocessed).encode()), "lineup", ROWS)


def test_the_body_names_the_table_and_puts_every_row():
    body = json.loads(batch.body("lineup", ROWS, put_request_encoder()))
    puts = body["RequestItems"]["lineup"]
    assert [put["PutRequest"]["Item"] for put in puts] == [to_item(row) for row in ROWS]


def test_of_rows_with_one_key_the_last_goes():
    encore = ELBOW._replace(popularity=99, line=9)
    assert batch.last_of_each_key([ELBOW, ROWS[1], encore]) == [encore, ROWS[1]]


def test_the_largest_batch_is_far_below_16_mb():
    widest = ELBOW._replace(performer="\x01" * 2048, stage="\x01" * 1007)
    assert too_large(widest, source="s" * 4096) is None
    rows = [widest] * 25
    assert len(batch.body("t" * 255, rows, put_request_encoder(source="\x01" * 4096))) < 2**21


@pytest.mark.parametrize("spelling", ['{"UnprocessedItems":{}}', '{ "UnprocessedItems" : {} }'])
def test_nothing_unprocessed_is_all_stored(spelling):
    assert batch.verdict(Response(200, spelling.encode()), "lineup", ROWS) == batch.Stored([])


def test_unprocessed_items_are_the_rows_to_send_again():
    left = {"UnprocessedItems": {"lineup": [{"PutRequest": {"Item": to_item(ROWS[2])}}]}}
    verdict = stored(left)
    assert verdict == batch.Stored([ROWS[2]])
    assert verdict.throttled


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>welcome to the hotel</html>",
        b"{}",
        b"[]",
        b'{"UnprocessedItems":{"lineup":[{"DeleteRequest":{}}]}}',
        b"\xff",
        json.dumps(
            {
                "UnprocessedItems": {
                    "lineup": [{"PutRequest": {"Item": to_item(ELBOW._replace(stage="Other"))}}]
                }
            }
        ).encode(),
    ],
)
def test_a_good_status_with_a_foreign_body_is_not_believed(answer):
    assert isinstance(batch.verdict(Response(200, answer), "lineup", ROWS), batch.Unprocessed)


@pytest.mark.parametrize(
    "code",
    ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"],
)
def test_a_throttle_is_tried_again_and_slows_down(code):
    verdict = refused(code, "slow down")
    assert isinstance(verdict, batch.Unprocessed)
    assert verdict.throttled
    assert verdict.reason == f"table lineup: {code}: slow down"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_tried_again_whatever_its_body(status):
    verdict = batch.verdict(Response(status, b"<html>"), "lineup", ROWS)
    assert verdict == batch.Unprocessed(f"table lineup: HTTP {status}: <html>", throttled=False)


def test_a_lost_connection_is_tried_again():
    verdict = batch.verdict(RetryableError("timed out"), "lineup", ROWS)
    assert verdict == batch.Unprocessed("timed out", throttled=False)


@pytest.mark.parametrize("code", ["ValidationException", "SerializationException"])
def test_a_refusal_is_about_a_row_with_dynamodbs_own_words(code):
    assert refused(code, "Item size has exceeded") == batch.Refused("Item size has exceeded")


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "ExpiredTokenException",
        "ResourceNotFoundException",
        "UnrecognizedClientException",
    ],
)
def test_what_no_retry_can_change_stops_the_writer(code):
    assert refused(code, "no") == batch.Failed(f"table lineup: {code}: no")


def test_a_connection_that_can_never_work_stops_the_writer():
    assert batch.verdict(FestivalError("no credentials"), "lineup", ROWS) == batch.Failed(
        "no credentials"
    )
