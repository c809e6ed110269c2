"""What an ingest works with, and its result."""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from festival.errors import RetryableError
from festival.ingest.events import FileEvent
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.mail import Mailer
from festival.ingest.pipeline import Writer
from festival.ingest.report import IngestReport
from festival.ingest.reports_bucket import Reports
from festival.lineup.decode import DEFAULT_LIMITS, Limits
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.table.connection import Connection
from festival.table.writer import BulkWriter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from festival.ingest.reconcile.on_upload import OnUpload


class Budget(NamedTuple):
    """How long one try may work, in seconds from its lease's start.

    Reading stops at `work`, writing and e-mails at `write`, and the lease lapses at `lease`. With
    `renew` all three move forward while work continues, for a process that no service ends.
    """

    work: float
    write: float
    lease: float
    renew: bool = False

    @classmethod
    def of_invocation(cls, remaining: float) -> "Budget":
        """For a function that has `remaining` seconds left; the lease outlives it."""
        reserve = min(20.0, remaining / 4)
        return cls(remaining - reserve, remaining - reserve / 2, remaining + 15.0)

    @classmethod
    def of_command(cls) -> "Budget":
        """For a process that works until it is done: a short lease, renewed along the way."""
        return cls(math.inf, 25.0, 30.0, renew=True)


def writer_opener(
    client: "DynamoDBClient",
    table: str,
    clock: Callable[[], float] = time.time,
    warn: Callable[[str], object] | None = None,
) -> Callable[[str, float], BulkWriter]:
    """A function of a file's name and a deadline (a moment on `clock`) that opens its writer.

    The writer asks `clock` before each request. The connection is made on the first call and kept
    for the next; `warn` is as in `Connection`.
    """
    connections: list[Connection] = []

    def open_writer(source: str, deadline: float) -> BulkWriter:
        if not connections:
            connections.append(Connection.from_client(client, warn=warn, clock=clock))
        return BulkWriter(connections[0], table, source=source, deadline=deadline, clock=clock)

    return open_writer


class Action(StrEnum):
    """What one try did."""

    INGESTED = "ingested"
    NOTIFIED = "notified"  # the rows were settled before: only the e-mail was missing
    DONE = "done"  # nothing was left to do
    PAUSED = "paused"  # a continuation message goes on
    STALE = "stale"  # a continuation overtaken by another one
    SUPERSEDED = "superseded"  # S3 has a newer version
    AWAITED = "awaited"  # a mapping whose file does not exist
    REMOVED = "removed"  # the file was deleted; what it put into the table stays


class LeasedWriter(Writer, AbstractContextManager["LeasedWriter"], Protocol):
    """A writer that is closed when its file is done."""


class TryFailedError(RetryableError):
    """Rows are left unwritten; `report` says how far the try got."""

    def __init__(self, reason: str, report: IngestReport) -> None:
        super().__init__(reason)
        self.report = report


class WrittenLateError(RetryableError):
    """Rows may have been sent after the lease expired: the file has to be written again."""


class TryResult(NamedTuple):
    """What one try did. `report` is set if the try settled the file or sent its e-mail."""

    action: Action
    file: str
    version: str = ""
    report: IngestReport | None = None
    retries: int = 0
    throttles: int = 0
    milliseconds: int = 0


@dataclass(frozen=True)
class Resources:
    """What an ingest works with.

    `open_writer` takes the file's name and the moment after which nothing may be stored.
    `send_continuation` sends the message that continues a paused file; None if work is never
    paused. Without a `mailer` nobody is notified; without `on_upload` older versions' items stay in
    the table. `clock`, like the ledger's, gives epoch seconds as AWS counts them. `mapping` is for
    files without a sidecar of their own.
    """

    s3: "S3Client"
    ledger: Ledger
    open_writer: Callable[[str, float], LeasedWriter]
    reports: Reports
    mailer: Mailer | None = None
    on_upload: "OnUpload | None" = None
    send_continuation: Callable[[FileEvent, int], None] | None = None
    clock: Callable[[], float] = time.time
    mapping: LineupMapping = DEFAULT_MAPPING
    limits: Limits = DEFAULT_LIMITS
