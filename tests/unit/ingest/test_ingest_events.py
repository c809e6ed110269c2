"""What a message of the ingest queue asks for, and which messages nobody can understand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from festival.errors import FestivalError
from festival.ingest.events import FileEvent, continuation, files_of_message


def s3_event(key, **entity):
    return {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "upload"}, "object": {"key": key, **entity}},
    }


def body(*records, **more):
    return json.dumps({"Records": list(records), **more})


def test_a_key_is_url_decoded_and_the_version_is_read():
    message = body(s3_event("summer+2025/Sigur+R%C3%B3s%2B.csv", versionId="v7", sequencer="0A"))
    assert files_of_message(message) == [
        FileEvent("upload", "summer 2025/Sigur Rós+.csv", "v7", "0A")
    ]


def test_every_record_of_a_message_is_a_file():
    message = body(s3_event("a.csv"), s3_event("b.json"))
    assert [event.key for event in files_of_message(message)] == ["a.csv", "b.json"]


@pytest.mark.parametrize("kind", ["ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated"])
def test_a_removal_asks_to_look_at_the_file_and_not_at_the_version_that_went(kind):
    (event,) = files_of_message(body(s3_event("a.csv", versionId="v2") | {"eventName": kind}))
    assert event == FileEvent("upload", "a.csv", removed=True)


def test_a_bucket_whose_versioning_was_suspended_names_no_version():
    (event,) = files_of_message(body(s3_event("a.csv", versionId="null")))
    assert event.version == ""


def test_the_test_event_and_folder_markers_ask_for_nothing():
    assert files_of_message('{"Service": "Amazon S3", "Event": "s3:TestEvent"}') == []
    assert files_of_message(body(s3_event("summer/"))) == []


def test_a_continuation_comes_back_as_the_file_it_was_sent_for():
    event = FileEvent("upload", "big.csv", "v1", "0A", "nightly")
    (carried_on,) = files_of_message(continuation(event, 12))
    assert carried_on == event._replace(continues=12)


def test_a_continuation_that_an_earlier_version_of_the_kit_sent_is_understood():
    (carried_on,) = files_of_message(
        '{"festival": "continue", "bucket": "b", "key": "k", "version": "v", "attempt": 3,'
        ' "mapping": "day-first"}'
    )
    assert carried_on == FileEvent("b", "k", "v", continues=3)


def test_a_message_of_a_run_names_the_run():
    (event,) = files_of_message(body(s3_event("a.csv"), festivalRun="run-1"))
    assert event.run == "run-1"


@pytest.mark.parametrize(
    "message",
    [
        "hello",
        "[]",
        "{}",
        '{"Records": 3}',
        '{"Records": [{}]}',
        body(s3_event("")),
        body(s3_event("a.csv") | {"eventName": "ObjectRestore:Post"}),
        body(s3_event("a.csv") | {"eventSource": "aws:sns"}),
        '{"festival": "continue", "bucket": "upload"}',
        '{"festival": "continue", "bucket": "u", "key": "k", "version": "v", "attempt": "x"}',
        "[" * 100_000,
    ],
)
def test_a_message_nobody_understands_is_said_in_one_line(message):
    with pytest.raises(FestivalError, match="neither an S3 event nor a continuation") as told:
        files_of_message(message)
    assert "\n" not in str(told.value)


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_whatever_the_message_is_it_is_understood_or_refused(message):
    try:
        assert isinstance(files_of_message(message), list)
    except FestivalError as error:
        assert "\n" not in str(error)


def test_an_event_without_a_version_has_the_same_stand_in_in_every_delivery():
    first, again, next_upload = (
        files_of_message(body(s3_event("a.csv", sequencer=number)))[0]
        for number in ("0A", "0A", "0B")
    )
    assert first.version_or_stand_in == again.version_or_stand_in == "unknown 0A"
    assert next_upload.version_or_stand_in != first.version_or_stand_in
    assert FileEvent("upload", "a.csv", "v7", "0A").version_or_stand_in == "v7"
