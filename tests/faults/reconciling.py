"""What reconciling asks of AWS beside an ingest: a bucket's list, conditional puts and deletes."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from festival.ingest.clients import Clients
from festival.ingest.ledger.records import Status
from festival.ingest.reconcile import reconciler
from festival.ingest.reconcile.reconciler import Reconciler
from festival.table.item import to_item

from . import world as worlds
from .checker import Checker
from .expressions import Expression, check_all_used
from .invocation import Invocation
from .store import Store, json_answer
from .wire import Answer, Request


class ReconcilingStore(Store):
    """The stand-in for AWS, with what reconciling needs."""

    def answer(self, request: Request) -> Answer:
        if request.call[0] == "s3" and "list-type" in request.query:
            return self._list(request)
        return super().answer(request)

    def _list(self, request: Request) -> Answer:
        """One page, in the order of the keys. An object's time is its version's number."""
        bucket, prefix = request.bucket_and_key[0], unquote(request.query.get("prefix", ""))
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key>"
            f"<LastModified>2025-01-01T00:{int(versions[-1].id[1:]) // 60 % 60:02d}:"
            f"{int(versions[-1].id[1:]) % 60:02d}.000Z</LastModified></Contents>"
            for (its, key), versions in sorted(self.objects.items())
            if its == bucket and key.startswith(prefix)
        )
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        return Answer(200, text.encode(), {"Content-Type": "application/xml"})

    def _dynamodb(self, operation: str, request: dict[str, Any]) -> Answer:
        if operation not in ("DeleteItem", "PutItem"):
            return super()._dynamodb(operation, request)
        assert request["TableName"] == self.table
        what = request["Key"] if operation == "DeleteItem" else request["Item"]
        key = (what["Performer"]["S"], what["Performance"]["S"])
        old = self.items.get(key, {})
        condition = Expression(request["ConditionExpression"], old, request)
        holds = condition.holds()
        check_all_used(request, condition.used)
        if not holds:
            failed: dict[str, Any] = {
                "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
                "message": "The conditional request failed",
            }
            return json_answer(failed | ({"Item": old} if old else {}), 400)
        if operation == "DeleteItem":
            del self.items[key]
        else:
            self.items[key] = what
        return json_answer({})


def reconciling_store() -> ReconcilingStore:
    """An empty store."""
    return ReconcilingStore("performances", "ledger")


class Line:
    """The function's clients, straight into a store: no socket, no thread.

    `tick` is called before and after each call, and may raise. Clients take half a second to make:
    one line serves many stores.
    """

    def __init__(self) -> None:
        self.store = reconciling_store()
        self.tick: Callable[[], None] = lambda: None
        session = botocore.session.get_session()
        session.set_credentials("testing", "testing")
        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        self.clients = Clients(session)
        for name in ("s3", "dynamodb"):
            made = session.create_client(
                name, region_name="us-east-1", endpoint_url="http://aws.example", config=config
            )
            made.meta.events.register("before-send", self._send)
            made.meta.events.register("after-call", lambda **_: self.tick())
            self.clients.__dict__[name] = made

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        self.tick()
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        body = request.body or b""
        body = body.read() if hasattr(body, "read") else body
        target = "/" + request.url.split("/", 3)[3]
        answer = self.store.answer(
            Request(request.method, target, headers, _unchunked(body, headers))
        )
        raw = _Raw(b"" if request.method == "HEAD" else answer.body)
        said = {"Content-Length": str(len(answer.body)), **answer.headers}
        return AWSResponse(request.url, answer.status, said, raw)


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _unchunked(body: bytes, headers: dict[str, str]) -> bytes:
    """The body without the aws-chunked encoding that carries a checksum behind it."""
    if "aws-chunked" not in headers.get("content-encoding", ""):
        return body
    size, _, rest = body.partition(b"\r\n")
    return rest[: int(size, 16)]


def let_the_function_reconcile(patch: pytest.MonkeyPatch) -> None:
    """From now on the function of every schedule reconciles on upload, and no guard refuses."""
    conditions, resources = worlds._conditions, Invocation.resources

    def reconciling(random: Any, backend: Any) -> Any:
        made = conditions(random, backend)
        settings = replace(made.settings, reconcile_on_upload=True, reconcile_guard_percent=100_000)
        return replace(made, settings=settings)

    def in_the_time_of_the_schedule(self: Invocation) -> Any:
        made = resources(self)
        reconciler: Reconciler = replace(made.on_upload.reconciler, ledger=made.ledger)
        return replace(made, on_upload=replace(made.on_upload, reconciler=reconciler))

    patch.setattr(worlds, "_conditions", reconciling)
    patch.setattr(Invocation, "resources", in_the_time_of_the_schedule)
    patch.setattr(reconciler, "LOOKS_AT_ONCE", 1)  # a seed has to give the same run again


def stale_items(world: worlds.World) -> list[str]:
    """Items of reconciled files whose newest version does not have them; and wrong values."""
    checker, found = Checker(world), []
    for file, upload in checker._current():
        record = checker.records.get((file, upload.version))
        if record is None or record.status != Status.NOTIFIED or not record.reconciled_at:
            continue
        assert upload.lineup is not None
        wanted = [to_item(row, source=file) for row in upload.lineup.accepted]
        mine = [item for item in checker.items.values() if item["Source"]["S"] == file]
        found += [f"STALE: {item} of {file}" for item in mine if item not in wanted]
    return found
