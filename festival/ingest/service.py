"""One version of one file into the table, by way of the ledger. Every way in uses it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from festival.errors import RetryableError
from festival.ingest.attempt import Attempt
from festival.ingest.events import FileEvent
from festival.ingest.resources import DONE, Budget, Resources, TryResult
from festival.ingest.s3_object import unanswered
from festival.ingest.sidecar import AppliedMapping, applied_mapping, file_of_sidecar

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Ingestor:
    """Ingests files from S3, one lease at a time."""

    resources: Resources

    def ingest(
        self,
        event: FileEvent,
        owner: str,
        budget: Budget,
        *,
        again: bool = False,
    ) -> TryResult:
        """One try at a file version; safe to repeat at any time, in any order.

        Raises LeaseHeldError where another owner works on the file, and RetryableError where this
        try failed and a later one may succeed.
        """
        ledger = self.resources.ledger
        event = file_of_sidecar(event)
        applied = self._applied(event)
        version = applied.version(event.version)
        if version and not again:
            record = _answered(lambda: ledger.find(event.file, version))
            if record and record.is_done:
                return TryResult(DONE, event.file, version, record.report)
        lease = _answered(lambda: ledger.leases.acquire(event.file, owner, budget.lease))
        try:
            attempt = Attempt(self.resources, event, applied, lease, budget, again)
            return _answered(attempt.run)
        finally:
            with suppress(RetryableError):
                _answered(lambda: ledger.leases.release(lease))

    def give_up(self, event: FileEvent, owner: str, budget: Budget, error: RetryableError) -> bool:
        """The last permitted try failed: record the version as failed, and tell.

        False where there is nothing to give up: it is done, or another message goes on with it.
        Raises as `ingest` does, where even that is not possible now.
        """
        ledger = self.resources.ledger
        event = file_of_sidecar(event)
        applied = self._applied(event)
        lease = _answered(lambda: ledger.leases.acquire(event.file, owner, budget.lease))
        try:
            attempt = Attempt(self.resources, event, applied, lease, budget, again=False)
            return _answered(lambda: attempt.give_up(error))
        finally:
            with suppress(RetryableError):
                _answered(lambda: ledger.leases.release(lease))

    def note_failed_try(self, event: FileEvent, message: str, reason: str) -> None:
        """Keep in the ledger why a try failed, under the version that was tried."""
        event = file_of_sidecar(event)
        version = event.version_or_stand_in
        with suppress(RetryableError):
            version = self._applied(event).version(version)
        _answered(
            lambda: self.resources.ledger.note_failed_try(event.file, version, message, reason)
        )

    def _applied(self, event: FileEvent) -> AppliedMapping:
        return applied_mapping(self.resources.s3, event.bucket, event.key, self.resources.mapping)


def _answered(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except (ClientError, BotoCoreError) as error:
        raise unanswered("a call to AWS failed", error) from error
