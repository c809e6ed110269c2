"""Which mapping a file is read with, and how the ledger tells two mappings apart."""

import io
import json

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, IncompleteReadError

from festival.errors import RetryableError
from festival.ingest.events import FileEvent
from festival.ingest.sidecar import applied_mapping, file_of_sidecar, mapping_of
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping

DAY_FIRST = {"date_order": "day_first"}


class S3:
    """A bucket with one sidecar, or one error."""

    def __init__(self, content=None, error=None):
        self.content = content
        self.error = error

    def get_object(self, Bucket, Key):  # noqa: N803
        assert (Bucket, Key) == ("upload", "summer.csv.mapping.json")
        if self.error:
            raise self.error
        if self.content is None:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(self.content)}


def applied(content=None, default=DEFAULT_MAPPING, error=None):
    return applied_mapping(S3(content, error), "upload", "summer.csv", default)


def test_without_a_sidecar_the_stack_s_mapping_holds():
    assert applied() == applied(default=DEFAULT_MAPPING)
    assert applied().version("v1") == "v1"
    german = LineupMapping.from_dict(DAY_FIRST)
    assert applied(default=german).mapping == german
    assert applied(default=german).version("v1") == f"v1+{german.fingerprint()}"


def test_a_sidecar_is_part_of_the_version_by_what_it_says_and_not_by_how_it_is_written():
    one = applied(json.dumps(DAY_FIRST).encode())
    other = applied(json.dumps(DAY_FIRST, indent=4).encode())
    assert one.mapping == LineupMapping.from_dict(DAY_FIRST)
    assert one.version("v1") == other.version("v1") != "v1"


def test_a_sidecar_that_says_nothing_is_the_kit_s_own_contract():
    assert applied(b"{}").version("v1") == "v1"


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"date_odrer": 1}', b"[" * 300_000])
def test_a_wrong_sidecar_is_a_problem_to_be_told_and_never_a_guess(content):
    found = applied(content)
    assert found.problem.startswith("s3://upload/summer.csv.mapping.json: ")
    assert " mapping " in found.problem
    assert "\n" not in found.problem
    assert found.version("v1").startswith("v1+")


def test_a_mapping_whose_answer_was_cut_is_asked_for_again_and_not_believed():
    """`{}` could be the beginning of anything; botocore tells of the cut at the very end."""

    class Cut(io.BytesIO):
        def read(self, most=-1):
            if text := super().read(most):
                return text
            raise IncompleteReadError(actual_bytes=2, expected_bytes=40)

    class CutS3(S3):
        def get_object(self, **_):
            return {"Body": Cut(b"{}")}

    with pytest.raises(RetryableError, match="IncompleteRead"):
        applied_mapping(CutS3(), "upload", "summer.csv", DEFAULT_MAPPING)


def test_no_answer_and_no_permission_may_be_mended_later():
    with pytest.raises(RetryableError):
        applied(error=EndpointConnectionError(endpoint_url="http://s3"))
    with pytest.raises(RetryableError, match="AccessDenied"):
        applied(error=ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject"))


def test_the_event_of_a_sidecar_asks_for_its_file_in_its_current_version():
    event = FileEvent("upload", "summer.csv.mapping.json", "m3", "0A", run="nightly")
    assert file_of_sidecar(event) == FileEvent(
        "upload", "summer.csv", run="nightly", by_sidecar=True
    )
    plain = FileEvent("upload", "summer.csv", "v1")
    assert file_of_sidecar(plain) is plain


@pytest.mark.parametrize("key", [".mapping.json", "2025/.mapping.json"])
def test_a_mapping_without_a_name_before_it_belongs_to_no_file(key):
    event = FileEvent("upload", key, "m3", "0A")
    assert file_of_sidecar(event) is event


def test_nothing_can_be_beside_a_file_whose_name_leaves_no_room_for_it():
    class Nobody:
        def get_object(self, **_):
            raise AssertionError("S3 answers KeyTooLongError to this")

    key = "é" * 506  # 1,012 bytes, and 13 more would be 1,025
    assert applied_mapping(Nobody(), "upload", key, DEFAULT_MAPPING).mark == ""


def test_the_stack_s_mapping_is_json_or_nothing():
    assert mapping_of("") == DEFAULT_MAPPING
    assert mapping_of('{"date_order": "day_first"}') == LineupMapping.from_dict(DAY_FIRST)
