"""A stand-in for DynamoDB's bulk operation, which moto does not have.

It answers below a real botocore client, so that requests are validated and answers parsed by
botocore's own service model. It reads the very objects from S3, in any order, checks each by the
published input format, puts the items into the table, and reports what it refuses. Checked here:
one JSON record a line, gzip, no more and no larger objects than allowed, keys and index keys of
the right type and size, the item's size, and (what DynamoDB would not notice) that no key comes
twice. How the objects of its report look is up to a test (`layout`): the kit is to understand any.
"""

import gzip
import json
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.parsers import create_parser

MOST_OBJECTS = 50_000
MOST_OBJECT_BYTES = 5 * 1024**3
MOST_ITEM_BYTES = 400 * 1024
KEYS = {"Performer": 2048, "Performance": 1024}
INDEX_KEYS = {
    "Date": "S",
    "StartSort": "S",
    "Stage": "S",
    "DateStart": "S",
    "PopularityBucket": "S",
    "Popularity": "N",
}

Item = dict[str, dict[str, str]]


def never(item: Item) -> str:
    """Refuse nothing."""
    return ""


@dataclass
class Operation:
    arn: str
    request: dict[str, Any]
    status: str = "IN_PROGRESS"
    looks: int = 0
    processed: int = 0
    failed: int = 0


def as_lines(refusals: list[dict[str, Any]]) -> dict[str, bytes]:
    """A manifest, and one gzip object of JSON Lines beside it."""
    lines = "".join(json.dumps(refusal) + "\n" for refusal in refusals)
    manifest = {"outputFormat": "DYNAMODB_JSON", "failedItemCount": len(refusals)}
    return {
        "AWSDynamoDB/0123-abcd/manifest.json": json.dumps(manifest, indent=2).encode(),
        "AWSDynamoDB/0123-abcd/errors/0.json.gz": gzip.compress(lines.encode()),
    }


@dataclass
class BulkStandIn:
    """The operation, as a test wants it to go.

    `status` is how it ends (None: by what it found), after `looks` calls of DescribeBulkOperation.
    `refuse` gives the reason to refuse an item, '' for none; of the object whose name ends in
    `stop_at` it reads half; `layout` makes the report's objects.
    """

    s3: Any
    dynamodb: Any
    status: str | None = None
    looks: int = 2
    refuse: Callable[[Item], str] = never
    stop_at: str = ""
    layout: Callable[[list[dict[str, Any]]], dict[str, bytes]] = as_lines
    operations: dict[str, Operation] = field(default_factory=dict)
    starts: int = 0
    faults: list[str] = field(default_factory=list)
    refuse_to_start: str = ""
    on_look: Callable[[], object] = lambda: None
    on_start: Callable[[], object] = lambda: None

    def attach(self, client: Any) -> Any:
        """Let a client's bulk calls come here; the client."""
        for name in ("StartBulkPutItems", "DescribeBulkOperation"):
            client.meta.events.register(f"before-call.dynamodb.{name}", self._answer)
        return client

    def _answer(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        asked = json.loads(params["body"])
        act = self._start if model.name == "StartBulkPutItems" else self._describe
        status, body = act(asked)
        answer = {"status_code": status, "headers": {}, "body": json.dumps(body).encode()}
        parsed = create_parser("json").parse(answer, model.output_shape)
        return SimpleNamespace(status_code=status), parsed

    def _start(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.refuse_to_start:
            return refusal(self.refuse_to_start)
        self.starts += 1
        token = asked["ClientToken"]
        operation = self.operations.get(token)
        if operation is None:
            name = f"table/{asked['TableName']}/bulk-operation/{uuid.uuid4()}"
            operation = Operation(f"arn:aws:dynamodb:us-east-2:123456789012:{name}", asked)
            self.operations[token] = operation
        elif operation.request != asked:
            return refusal("IdempotentParameterMismatchException")
        self.on_start()
        return 200, described(operation)

    def _describe(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        found = [o for o in self.operations.values() if o.arn == asked["BulkOperationArn"]]
        if not found:
            return refusal("ResourceNotFoundException")
        (operation,) = found
        operation.looks += 1
        self.on_look()
        if operation.status == "IN_PROGRESS" and operation.looks >= self.looks:
            self._carry_out(operation)
        return 200, described(operation)

    def _carry_out(self, operation: Operation) -> None:
        refusals: list[dict[str, Any]] = []
        stored: list[dict[str, Any]] = []
        seen: set[tuple[str, str]] = set()
        names = self._objects(operation.request["InputS3Configuration"])
        random.shuffle(names)
        for name in names:
            for number, item in self._items(operation, name):
                self._check(item, name, number, seen)
                operation.processed += 1
                if reason := self.refuse(item):
                    refusals.append(
                        {
                            "errorCode": "ItemValidationError",
                            "errorMessage": reason,
                            "record": {"Item": item},
                        }
                    )
                else:
                    stored.append({"PutRequest": {"Item": item}})
            if name.endswith(self.stop_at or "\n"):
                refusals.append({"errorMessage": "malformed record", "s3Key": name})
        if self.status in ("FAILED", "CANCELLED"):
            stored = stored[: len(stored) // 3]
        table = operation.request["TableName"]
        for first in range(0, len(stored), 25):
            batch = {table: stored[first : first + 25]}
            self.dynamodb.batch_write_item(RequestItems=batch)
        operation.failed = len(refusals)
        found = "COMPLETED_WITH_ERRORS" if refusals else "COMPLETED"
        operation.status = self.status or found
        if refusals:
            self._report(operation, refusals)

    def _objects(self, place: dict[str, Any]) -> list[str]:
        assert (place["InputFormat"], place["InputCompressionType"]) == ("DYNAMODB_JSON", "GZIP")
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=place["S3Bucket"], Prefix=place["S3KeyPrefix"]
        )
        entries = [entry for page in pages for entry in page.get("Contents", [])]
        if not 1 <= len(entries) <= MOST_OBJECTS:
            self.faults.append(f"{len(entries)} objects")
        self.faults += [e["Key"] for e in entries if e["Size"] > MOST_OBJECT_BYTES]
        return [entry["Key"] for entry in entries]

    def _items(self, operation: Operation, name: str) -> Iterator[tuple[int, Item]]:
        bucket = operation.request["InputS3Configuration"]["S3Bucket"]
        body = gzip.decompress(self.s3.get_object(Bucket=bucket, Key=name)["Body"].read())
        if not body.endswith(b"\n") or b"\r" in body:
            self.faults.append(f"{name} does not end in a newline")
        lines = body.decode("utf-8").removesuffix("\n").split("\n")
        if self.stop_at and name.endswith(self.stop_at):
            lines = lines[: len(lines) // 2]
        for number, line in enumerate(lines):
            record = json.loads(line)
            if list(record) != ["Item"]:
                self.faults.append(f"{name} line {number}: {list(record)} where Item was expected")
            yield number, record["Item"]

    def _check(self, item: Item, name: str, number: int, seen: set[tuple[str, str]]) -> None:
        where = f"{name} line {number}"
        size = 0
        for attribute, value in item.items():
            ((kind, text),) = value.items()
            if kind not in ("S", "N") or not isinstance(text, str) or not text:
                self.faults.append(f"{where}: {attribute} is {value}")
            if kind == "N":
                int(text)
            if INDEX_KEYS.get(attribute, kind) != kind:
                self.faults.append(f"{where}: index key {attribute} is {value}")
            size += len(attribute.encode()) + len(text.encode())
        for attribute, most in KEYS.items():
            if not 1 <= len(item.get(attribute, {}).get("S", "").encode()) <= most:
                self.faults.append(f"{where}: key {attribute} is {item.get(attribute)}")
        if size > MOST_ITEM_BYTES:
            self.faults.append(f"{where}: {size} bytes")
        key = item["Performer"]["S"], item["Performance"]["S"]
        if key in seen:
            self.faults.append(f"{where}: {key} comes twice, and either may stay")
        seen.add(key)

    def _report(self, operation: Operation, refusals: list[dict[str, Any]]) -> None:
        place = operation.request["OutputS3Configuration"]
        for name, body in self.layout(refusals).items():
            key = f"{place['S3KeyPrefix']}{name}"
            self.s3.put_object(Bucket=place["S3Bucket"], Key=key, Body=body)


def refusal(code: str) -> tuple[int, dict[str, Any]]:
    """An error in DynamoDB's JSON protocol."""
    return 400, {
        "__type": f"com.amazonaws.dynamodb.v20120810#{code}",
        "message": "as a test has it",
    }


def described(operation: Operation) -> dict[str, Any]:
    """The operation as DescribeBulkOperation and StartBulkPutItems answer."""
    answer: dict[str, Any] = {
        "BulkOperationArn": operation.arn,
        "BulkOperationStatus": operation.status,
        "ClientToken": operation.request["ClientToken"],
        "ProcessedItemCount": operation.processed,
        "FailedItemCount": operation.failed,
    }
    if operation.status in ("FAILED", "CANCELLED"):
        answer |= {
            "FailureCode": "InternalFailure",
            "FailureMessage": "the weather at the festival",
        }
    return {"BulkOperationDescription": answer}
