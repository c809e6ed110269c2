"""One version of an S3 object as a stream of bytes that reopens itself where it breaks."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from festival.errors import FestivalError, LineupError, RetryableError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 256 * 1024
REOPENINGS = 5
QUOTE = '"'
UNVERSIONED = "etag-"
GONE = ("404", "NoSuchKey", "NoSuchVersion", "NotFound", "MethodNotAllowed", "405")


class NoBucketError(RetryableError):
    """The bucket does not exist. Retryable, because an event's bucket may be created again."""


class SupersededError(FestivalError):
    """The object changed while it was read: the requested version is no longer current."""


class StoredObject(NamedTuple):
    """One version of an object; its bucket may have no versioning.

    `ingest` is the ledger's name for it: the version, and the mapping it is read with.
    """

    bucket: str
    key: str
    version: str
    etag: str
    size: int
    versioned: bool
    ingest: str = ""

    @property
    def file(self) -> str:
        return f"{self.bucket}/{self.key}"


def current_object(
    s3: "S3Client", bucket: str, key: str, *, versioned: bool = False
) -> StoredObject | None:
    """The key's current version; None if the object is gone (docs: HeadObject).

    `versioned` says that the bucket is known to be versioned, so that S3 always names a version.
    Raises RetryableError if S3 does not answer, or its answer is neither complete nor a 404.
    """
    try:
        head = s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return None
        raise failed_call(f"s3://{bucket}/{key}", error) from None
    except BotoCoreError as error:
        raise failed_call(f"s3://{bucket}/{key}", error) from None
    if versioned and "VersionId" not in head:
        raise _incomplete_answer(f"s3://{bucket}/{key}", "its version id")
    version = head.get("VersionId", "")
    versioned = version not in ("", "null")
    try:
        etag, size = head["ETag"], head["ContentLength"]
        name = version if versioned else stand_in_version(etag, head["LastModified"])
    except KeyError as missing:
        raise _incomplete_answer(f"s3://{bucket}/{key}", str(missing)) from None
    return StoredObject(bucket, key, name, etag, size, versioned)


def _incomplete_answer(call: str, missing: str) -> RetryableError:
    """The error for an answer that a broken connection cut off: it lacks what AWS always sends."""
    return RetryableError(f"{call}: incomplete answer, without {missing}")


def stand_in_version(etag: str, modified: datetime) -> str:
    """What stands in for the version in a bucket without versioning.

    The time is part of it: content that comes back after other content must be ingested again.
    """
    return f"{UNVERSIONED}{etag.strip(QUOTE)}-{modified.astimezone(UTC):%Y%m%dT%H%M%S}"


def is_unversioned(version: str) -> bool:
    """Whether this version comes from `stand_in_version`."""
    return version.startswith(UNVERSIONED)


def object_chunks(s3: "S3Client", stored: StoredObject, offset: int = 0) -> Iterator[bytes]:
    """The object's bytes from `offset` on, in chunks.

    A broken connection is reopened where it broke, up to five times in a row without a byte. Raises
    LineupError if the version is gone, SupersededError if an object in a bucket without versioning
    changed, RetryableError if S3 does not answer.
    """
    tries = 0
    while offset < stored.size:
        try:
            for chunk in _open(s3, stored, offset):
                tries = 0 if chunk else tries
                offset += len(chunk)
                yield chunk
        except (BotoCoreError, OSError) as error:
            tries += 1
            if tries >= REOPENINGS:
                raise failed_call(f"s3://{stored.file}", error) from None
        else:
            tries += 1
            if offset < stored.size and tries >= REOPENINGS:
                raise RetryableError(
                    f"s3://{stored.file} ended at byte {offset:,} of {stored.size:,}"
                )


def _open(s3: "S3Client", stored: StoredObject, offset: int) -> Iterator[bytes]:
    request: Any = {"VersionId": stored.version} if stored.versioned else {"IfMatch": stored.etag}
    if offset:
        request["Range"] = f"bytes={offset}-"
    try:
        answer = s3.get_object(Bucket=stored.bucket, Key=stored.key, **request)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("PreconditionFailed", "412"):
            raise SupersededError(f"s3://{stored.file} changed while it was read") from None
        if code in GONE:
            raise LineupError(gone_message(stored.file, stored.version)) from None
        raise failed_call(f"s3://{stored.file}", error) from None
    with closing(answer["Body"]) as body:
        yield from body.iter_chunks(CHUNK_BYTES)


def gone_message(file: str, version: str) -> str:
    """The message for a file version that no longer exists."""
    return (
        f"s3://{file} version {version or '(unknown)'} is gone: it was deleted before it could be "
        "read; upload it again"
    )


def failed_call(call: str, error: Exception) -> RetryableError:
    """The error for a failed AWS call: which call, and why, in one line."""
    if isinstance(error, ClientError) and error.response["Error"]["Code"] == "NoSuchBucket":
        return NoBucketError(f"{call}: there is no bucket of that name")
    text = " ".join(str(error).split())
    return RetryableError(f"{call}: {type(error).__name__}: {text}")
