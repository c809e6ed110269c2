"""What an ingest works with, and what it comes to."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from festival.errors import RetryableError
from festival.ingest.events import FileEvent
from festival.ingest.kept import Reports
from festival.ingest.ledger import Ledger
from festival.ingest.mail import Mailer
from festival.ingest.pipeline import Writer
from festival.ingest.report import IngestReport
from festival.lineup.limits import DEFAULT_LIMITS, Limits
from festival.lineup.mapping import DEFAULT_MAPPING, Mapping

if TYPE_CHECKING:
    from festival.ingest.reconcile_upload import OnUpload

INGESTED, TOLD, DONE = "ingested", "told", "done"
SUPERSEDED, PAUSED, STALE = "superseded", "paused", "stale"
AWAITED = "awaited"


class LeasedWriter(Writer, AbstractContextManager["LeasedWriter"], Protocol):
    """A writer that is closed when its file is done."""


class TryFailedError(RetryableError):
    """Rows are left unwritten; `report` is how far the try came."""

    def __init__(self, reason: str, report: IngestReport) -> None:
        super().__init__(reason)
        self.report = report


@dataclass(frozen=True, slots=True)
class Result:
    """What one try did. `report` is there where it settled the file, or told of it."""

    action: str
    file: str
    version: str = ""
    report: IngestReport | None = None
    retries: int = 0
    throttles: int = 0
    milliseconds: int = 0


@dataclass(frozen=True)
class Means:
    """What an ingest works with.

    `open_writer` takes the file's name and the moment after which nothing may be stored (monotonic
    seconds). `send_continuation` sends the continuation of a paused file; None where work is never paused.
    `mailer` None tells nobody, `on_upload` None leaves what older versions had in the table.
    `mapping` is for files without a sidecar of their own.
    """

    s3: Any
    ledger: Ledger
    open_writer: Callable[[str, float], LeasedWriter]
    reports: Reports
    mailer: Mailer | None = None
    on_upload: "OnUpload | None" = None
    send_continuation: Callable[[FileEvent, int], None] | None = None
    monotonic: Callable[[], float] = time.monotonic
    mapping: Mapping = DEFAULT_MAPPING
    limits: Limits = DEFAULT_LIMITS
