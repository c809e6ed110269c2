"""Reading an object: where a connection breaks it goes on, and what is gone is said."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError, IncompleteReadError

from festival.errors import LineupError, RetryableError
from festival.ingest.s3_object import StoredObject, SupersededError, current_object, object_chunks

STORED = StoredObject("upload", "summer.csv", "v1", '"e1"', 10, versioned=True)


class Body(io.BytesIO):
    """A body that breaks behind `whole` bytes."""

    def __init__(self, content, whole):
        super().__init__(content)
        self.whole = whole

    def iter_chunks(self, size):
        yield self.read(self.whole)
        rest = self.read()
        if rest:
            raise IncompleteReadError(actual_bytes=self.whole, expected_bytes=10)


class S3:
    """Answers with the object's bytes from the asked place, each time only so many."""

    def __init__(self, *wholes, error=""):
        self.wholes = list(wholes)
        self.asked = []
        self.error = error
        self.modified = datetime(2025, 7, 11, 18, 0, 30, tzinfo=UTC)

    def get_object(self, Bucket, Key, Range="bytes=0-", **which):  # noqa: N803
        self.asked.append((Range, which))
        self._fail()
        start = int(Range.removeprefix("bytes=").rstrip("-"))
        return {"Body": Body(b"0123456789"[start:], self.wholes.pop(0))}

    def head_object(self, **which):
        self._fail()
        return {
            "VersionId": "null",
            "ETag": '"e1"',
            "ContentLength": 10,
            "LastModified": self.modified,
        }

    def _fail(self):
        if self.error:
            raise ClientError({"Error": {"Code": self.error}}, "GetObject")


def test_a_connection_that_breaks_is_opened_again_where_it_broke():
    s3 = S3(4, 3, 10)
    assert b"".join(object_chunks(s3, STORED)) == b"0123456789"
    assert [place for place, _ in s3.asked] == ["bytes=0-", "bytes=4-", "bytes=7-"]
    assert s3.asked[0][1] == {"VersionId": "v1"}


def test_reading_may_begin_in_the_middle():
    assert b"".join(object_chunks(S3(10), STORED, 6)) == b"6789"
    assert b"".join(object_chunks(S3(), STORED, 10)) == b""


def test_breaks_with_a_byte_between_them_are_never_too_many():
    s3 = S3(*[1] * 10)
    assert b"".join(object_chunks(s3, STORED)) == b"0123456789"
    assert len(s3.asked) == 10


class Short(S3):
    """Its answers end early, and look whole."""

    def get_object(self, **which):
        answer = super().get_object(**which)
        return {"Body": Body(answer["Body"].read(answer["Body"].whole), 10)}


def test_an_answer_that_ends_early_is_not_the_end_of_the_object():
    assert b"".join(object_chunks(Short(4, 3, 3), STORED)) == b"0123456789"
    with pytest.raises(RetryableError, match="ended at byte 4 of 10"):
        list(object_chunks(Short(4, 0, 0, 0, 0, 0), STORED))


def test_who_stops_reading_gives_the_connection_back():
    s3, bodies = S3(4), []
    get = s3.get_object
    s3.get_object = lambda **which: bodies.append(get(**which)) or bodies[-1]
    chunks = object_chunks(s3, STORED)
    next(chunks)
    chunks.close()
    assert bodies[0]["Body"].closed


@pytest.mark.parametrize("code", ["404", "NoSuchKey", "MethodNotAllowed", "405"])
def test_a_delete_marker_is_no_object(code):
    """S3 answers 404 for it, and 405 where it is asked for by its own version."""
    assert current_object(S3(error=code), "upload", "summer.csv") is None
    with pytest.raises(LineupError, match="is gone"):
        list(object_chunks(S3(error=code), STORED))


def test_five_breaks_without_a_byte_end_the_try():
    with pytest.raises(RetryableError, match="s3://upload/summer"):
        list(object_chunks(S3(0, 0, 0, 0, 0, 0), STORED))


def test_a_version_that_was_deleted_is_gone_for_good():
    with pytest.raises(LineupError, match=r"summer\.csv version v1 is gone.*upload it again"):
        list(object_chunks(S3(error="NoSuchVersion"), STORED))


def test_in_a_bucket_without_versioning_a_changed_object_is_superseded():
    s3 = S3(10)
    stored = current_object(s3, "upload", "summer.csv")
    assert (stored.version, stored.versioned) == ("etag-e1-20250711T180030", False)
    list(object_chunks(s3, stored))
    assert s3.asked[0][1] == {"IfMatch": '"e1"'}
    with pytest.raises(SupersededError):
        list(object_chunks(S3(error="PreconditionFailed"), stored))


def test_without_versioning_a_content_that_comes_back_is_another_version():
    s3 = S3(10)
    first = current_object(s3, "upload", "summer.csv")
    s3.modified += timedelta(hours=1)
    assert current_object(s3, "upload", "summer.csv").version != first.version


def test_no_permission_is_said_and_may_be_mended():
    with pytest.raises(RetryableError, match="403"):
        current_object(S3(error="403"), "upload", "summer.csv")
    assert current_object(S3(error="404"), "upload", "summer.csv") is None
