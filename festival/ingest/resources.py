"""What an ingest needs: clients, ledger, writer, mailer, settings."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from festival.ingest.events import FileEvent
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.mail import Mailer
from festival.ingest.pipeline import Writer
from festival.ingest.reports_bucket import Reports
from festival.lineup.decode import DEFAULT_LIMITS, Limits
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.table.connection import Connection
from festival.table.writer import BulkWriter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from festival.ingest.reconcile.on_upload import OnUpload


def writer_opener(
    client: "DynamoDBClient",
    table: str,
    clock: Callable[[], float] = time.time,
    warn: Callable[[str], object] | None = None,
) -> Callable[[str, float], BulkWriter]:
    """Return a function that opens a file's writer, given the file's name and a deadline.

    The deadline is a moment on `clock`, which the writer checks before each request. All writers
    share one connection, made by the first; `warn` is as in `Connection`.
    """
    connections: list[Connection] = []

    def open_writer(source: str, deadline: float) -> BulkWriter:
        if not connections:
            connections.append(Connection.from_client(client, warn=warn, clock=clock))
        return BulkWriter(connections[0], table, source=source, deadline=deadline, clock=clock)

    return open_writer


class ClosingWriter(Writer, AbstractContextManager["ClosingWriter"], Protocol):
    """A writer that its `with` block closes."""


@dataclass(frozen=True)
class Resources:
    """The clients, stores and functions that an ingest needs.

    `open_writer` takes the file's name and the moment after which nothing may be stored.
    `send_continuation` sends the message that continues a paused file; None if no file is ever
    paused. Without a `mailer` nobody is notified; without `on_upload` items of older versions stay
    in the table. `clock`, like the ledger's, gives epoch seconds as AWS counts them. `mapping` is
    for files without a sidecar of their own.
    """

    s3: "S3Client"
    ledger: Ledger
    open_writer: Callable[[str, float], ClosingWriter]
    reports: Reports
    mailer: Mailer | None = None
    on_upload: "OnUpload | None" = None
    send_continuation: Callable[[FileEvent, int], None] | None = None
    clock: Callable[[], float] = time.time
    mapping: LineupMapping = DEFAULT_MAPPING
    limits: Limits = DEFAULT_LIMITS
