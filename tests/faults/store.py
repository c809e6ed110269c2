"""A stand-in for S3, DynamoDB and SNS, as far as an ingest uses them: many times faster than moto.

`test_store.py` holds it against moto. Not safe for threads: one request at a time.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import md5
from itertools import count
from typing import Any
from xml.sax.saxutils import escape
from zlib import crc32

from festival.ingest.s3_object import stand_in_version

from .expressions import Expression, Item, RefusedExpressionError, check_all_used
from .wire import Answer, Request

MAX_BATCH_ITEMS = 25


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object, the nth of all; `body` None is a delete marker."""

    number: int
    body: bytes | None

    @property
    def id(self) -> str:
        return f"v{self.number:04d}"

    @property
    def modified(self) -> datetime:
        return datetime.fromtimestamp(1_750_000_000 + self.number, UTC)

    @property
    def etag(self) -> str:
        return f'"{md5(self.body or b"").hexdigest()}"'


class MissingError(Exception):
    """There is no such object; `marker` where a delete marker says so."""

    def __init__(self, marker: str = "") -> None:
        super().__init__(marker)
        self.marker = marker


@dataclass
class Store:
    """Two tables, two buckets and a topic; all there is."""

    table: str
    ledger: str
    items: dict[tuple[str, ...], Item] = field(default_factory=dict)
    entries: dict[tuple[str, ...], Item] = field(default_factory=dict)
    objects: dict[tuple[str, str], list[Version]] = field(default_factory=dict)
    published: int = 0
    versioned: bool = True
    may_be_unversioned: float = 0.1
    _numbers: Any = field(default_factory=lambda: count(1))

    def answer(self, request: Request) -> Answer:
        service, operation = request.call
        if service == "s3":
            return self._s3(request)
        if service == "sns":
            self.published += 1
            return _published(self.published)
        try:
            answer = self._dynamodb(operation, request.json)
        except RefusedExpressionError as error:
            return json_error("ValidationException", str(error))
        return answer

    # S3

    def put(self, bucket: str, key: str, body: bytes) -> str:
        """A new version of an object; the ledger's name of it."""
        version = self._put(bucket, key, body)
        return version.id if self.versioned else stand_in_version(version.etag, version.modified)

    def delete(self, bucket: str, key: str) -> None:
        """A delete marker on top of the object's versions."""
        self._put(bucket, key, None)

    def delete_version(self, bucket: str, key: str, version: str) -> None:
        """Delete one version by its id: S3's undo. What was before it is the newest again."""
        left = [each for each in self.objects[bucket, key] if each.id != version]
        self.objects[bucket, key] = left
        if not left:
            del self.objects[bucket, key]

    def _put(self, bucket: str, key: str, body: bytes | None) -> Version:
        version = Version(next(self._numbers), body)
        before = self.objects.get((bucket, key), []) if self.versioned else []
        self.objects[bucket, key] = [*before, version]
        return version

    def newest(self, bucket: str) -> Mapping[str, bytes]:
        """Every object of a bucket."""
        return {
            key: versions[-1].body
            for (its, key), versions in self.objects.items()
            if its == bucket and versions[-1].body is not None
        }

    def all_items(self) -> list[Item]:
        """The table of performances."""
        return list(self.items.values())

    def all_entries(self) -> list[Item]:
        """The ledger."""
        return list(self.entries.values())

    def _s3(self, request: Request) -> Answer:
        bucket, key = request.bucket_and_key
        if request.method == "PUT":
            return Answer(200, b"", self._headers(self._put(bucket, key, request.body)))
        try:
            version = self._version(bucket, key, request.query.get("versionId"))
        except MissingError as missing:
            headers = {"x-amz-delete-marker": "true"} if missing.marker else {}
            return s3_error(404, "NoSuchKey", headers)
        if request.headers.get("if-match", version.etag) != version.etag:
            return s3_error(412, "PreconditionFailed")
        return _object(version, self._headers(version), request.headers.get("range"))

    def _headers(self, version: Version) -> dict[str, str]:
        headers = {
            "ETag": version.etag,
            "Last-Modified": format_datetime(version.modified, usegmt=True),
        }
        return headers | ({"x-amz-version-id": version.id} if self.versioned else {})

    def _version(self, bucket: str, key: str, wanted: str | None) -> Version:
        versions = self.objects.get((bucket, key), [])
        found = [each for each in versions if wanted in (None, each.id)]
        if not found:
            raise MissingError
        if found[-1].body is None:
            raise MissingError(found[-1].id)
        return found[-1]

    # DynamoDB

    def _dynamodb(self, operation: str, request: dict[str, Any]) -> Answer:
        operations: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "GetItem": self._get_item,
            "UpdateItem": self._update_item,
            "BatchWriteItem": self._batch_write_item,
            "Query": self._query,
        }
        return operations[operation](request)

    def _get_item(self, request: dict[str, Any]) -> Answer:
        found = self.entries.get(_key(request["Key"]))
        return json_answer({"Item": found} if found else {})

    def _update_item(self, request: dict[str, Any]) -> Answer:
        key = _key(request["Key"])
        old = self.entries.get(key, {})
        update = Expression(request["UpdateExpression"], {**old, **request["Key"]}, request)
        new = update.changed()
        used = update.used
        holds = True
        if "ConditionExpression" in request:
            condition = Expression(request["ConditionExpression"], old, request)
            holds = condition.holds()
            used = used | condition.used
        check_all_used(request, used)
        if not holds:
            return json_error("ConditionalCheckFailedException", "The conditional request failed")
        self.entries[key] = new
        return json_answer({"Attributes": new})

    def _batch_write_item(self, request: dict[str, Any]) -> Answer:
        ((table, requests),) = request["RequestItems"].items()
        assert table == self.table
        items = {
            (item["Performer"]["S"], item["Performance"]["S"]): item
            for item in (each["PutRequest"]["Item"] for each in requests)
        }
        if not 1 <= len(requests) <= MAX_BATCH_ITEMS or len(items) < len(requests):
            return json_error("ValidationException", "too many items, or a key twice")
        self.items |= items
        return json_answer({"UnprocessedItems": {}})

    def _query(self, request: dict[str, Any]) -> Answer:
        found = []
        for item in self.entries.values():
            condition = Expression(request["KeyConditionExpression"], item, request)
            if condition.holds():
                found.append(item)
            check_all_used(request, condition.used)
        return json_answer({"Items": found, "Count": len(found)})


def json_answer(content: Any, status: int = 200) -> Answer:
    body = json.dumps(content).encode()
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amz-crc32": str(crc32(body))}
    return Answer(status, body, headers)


def json_error(code: str, message: str, status: int = 400) -> Answer:
    name = f"com.amazonaws.dynamodb.v20120810#{code}"
    return json_answer({"__type": name, "message": message}, status)


def s3_error(status: int, code: str, headers: Mapping[str, str] | None = None) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
    return Answer(status, body, {"Content-Type": "application/xml", **(headers or {})})


def sns_error(status: int, code: str) -> Answer:
    fault = "Sender" if status < 500 else "Receiver"
    body = (
        f'<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>{fault}'
        f"</Type><Code>{code}</Code><Message>{code}</Message></Error></ErrorResponse>"
    )
    return Answer(status, body.encode(), {"Content-Type": "text/xml"})


def _published(number: int) -> Answer:
    body = (
        '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
        f"<MessageId>{escape(f'mail-{number}')}</MessageId></PublishResult></PublishResponse>"
    )
    return Answer(200, body.encode(), {"Content-Type": "text/xml"})


def _object(version: Version, headers: dict[str, str], wanted: str | None) -> Answer:
    body = version.body or b""
    if wanted is None:
        return Answer(200, body, headers)
    begin = int(wanted.removeprefix("bytes=").rstrip("-"))
    if begin >= len(body):
        return s3_error(416, "InvalidRange")
    headers["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
    return Answer(206, body[begin:], headers)


def _key(key: Item) -> tuple[str, ...]:
    return tuple(value["S"] for _, value in sorted(key.items()))
