"""DynamoDB's report on a bulk load: found again by key, however it is written down."""

import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from festival.ops.bulk_load import Load
from festival.ops.bulk_report import NO_REASON, parts_in, records, refusals_in

ITEM = {
    "Performer": {"S": "Björk"},
    "Performance": {"S": "2025-07-04#21:30#Orange"},
    "Popularity": {"N": "97"},
}
KEY = ("Björk", "2025-07-04#21:30#Orange")
WHY = "Item size has exceeded the maximum allowed size"
SHAPES = {
    "item and message": {"Item": ITEM, "errorMessage": WHY},
    "key only": {"key": {name: ITEM[name] for name in ("Performer", "Performance")}, "Reason": WHY},
    "nested": {"failure": {"message": WHY, "input": {"record": {"Item": ITEM}}}},
    "the line as it was read": {"line": json.dumps({"Item": ITEM}), "error": WHY},
    "a list": {"errors": [{"ErrorMessage": WHY, "Item": ITEM}]},
}


def load():
    return Load(
        run="summer",
        token="t-1",
        table="table",
        bucket="reports",
        write_units=4000,
        parts=40,
        lines={3: 5, 12: 7},
        files=(),
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_refused_key_is_found_with_its_reason(shape):
    assert dict(refusals_in(SHAPES[shape])) == {KEY: WHY}


def test_code_and_message_are_told_together():
    record = {"errorCode": "ValidationException", "errorMessage": WHY, "item": ITEM}
    assert dict(refusals_in(record)) == {KEY: f"ValidationException: {WHY}"}


def test_a_refusal_without_a_word_says_that():
    assert dict(refusals_in({"Item": ITEM})) == {KEY: NO_REASON}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(json_values)
def test_other_json_names_no_key(value):
    assert dict(refusals_in(value)) == {}


@given(st.binary(max_size=60))
def test_an_object_of_anything_is_no_reason_to_fail(body):
    for packed in (body, gzip.compress(body), gzip.compress(body)[:-3]):
        list(records(io.BytesIO(packed)))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    "text",
    [b'{"a": 1}\n{"a": 2}\n', b'{"a": 1}\n{"a": 2}', b'[\n {"a": 1},\n {"a": 2}\n]\n'],
    ids=["lines", "no newline at the end", "a document"],
)
def test_lines_and_documents_are_read(pack, text):
    found = list(records(io.BytesIO(pack(text))))
    assert found in ([{"a": 1}, {"a": 2}], [[{"a": 1}, {"a": 2}]])


def test_an_object_of_the_load_is_recognised_by_its_name():
    record = {"object": f"s3://reports/{load().items_key(12)}", "message": "malformed"}
    assert parts_in(record, load()) == {12}


def test_other_objects_are_not_taken_for_the_loads_own():
    assert parts_in({"object": "bulk/winter/t-1/input/part-00012.json.gz"}, load()) == set()
    assert parts_in({"object": load().items_key(13)}, load()) == set()
