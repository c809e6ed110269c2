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
from .store import Store, _key, json_answer
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
        if operation == "TransactWriteItems":
            return self._transact(request["TransactItems"])
        return super()._dynamodb(operation, request)

    def _transact(self, actions: list[dict[str, Any]]) -> Answer:
        """All actions, or none and why (docs: TransactWriteItems, CancellationReasons)."""
        assert 1 <= len(actions) <= 100
        reasons = [self._refusal(*next(iter(action.items()))) for action in actions]
        if any(reason["Code"] != "None" for reason in reasons):
            return json_answer(
                {
                    "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                    "Message": f"Transaction cancelled: {[each['Code'] for each in reasons]}",
                    "CancellationReasons": reasons,
                },
                400,
            )
        for action in actions:
            ((kind, what),) = action.items()
            if kind == "Delete":
                del self.items[_performance_key(what["Key"])]
            elif kind == "Put":
                self.items[_performance_key(what["Item"])] = what["Item"]
        return json_answer({})

    def _refusal(self, kind: str, what: dict[str, Any]) -> dict[str, Any]:
        if kind == "ConditionCheck":
            assert what["TableName"] == self.ledger
            old = self.entries.get(_key(what["Key"]), {})
        else:
            assert (kind in ("Delete", "Put"), what["TableName"]) == (True, self.table)
            old = self.items.get(_performance_key(what["Key" if kind == "Delete" else "Item"]), {})
        condition = Expression(what["ConditionExpression"], old, what)
        holds = condition.holds()
        check_all_used(what, condition.used)
        if holds:
            return {"Code": "None"}
        wanted = "ReturnValuesOnConditionCheckFailure" in what and old
        return {"Code": "ConditionalCheckFailed"} | ({"Item": old} if wanted else {})


def _performance_key(item: dict[str, Any]) -> tuple[str, str]:
    return item["Performer"]["S"], item["Performance"]["S"]


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
        settings = made.settings._replace(reconcile_on_upload=True, reconcile_guard_percent=100_000)
        return replace(made, settings=settings)

    def in_the_time_of_the_schedule(self: Invocation) -> Any:
        made = resources(self)
        reconciler: Reconciler = replace(made.on_upload.reconciler, ledger=made.ledger)
        return replace(made, on_upload=replace(made.on_upload, reconciler=reconciler))

    patch.setattr(worlds, "_conditions", reconciling)
    patch.setattr(Invocation, "resources", in_the_time_of_the_schedule)
    patch.setattr(reconciler, "FILES_AT_ONCE", 1)  # a seed has to give the same run again


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
