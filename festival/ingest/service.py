"""One version of one file into the table, by way of the ledger. Every way in uses it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from festival.errors import RetryableError
from festival.ingest.attempt import DONE, Attempt, Means, Result
from festival.ingest.budget import Budget
from festival.ingest.events import FileEvent
from festival.ingest.source import unanswered

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Ingestor:
    """Ingests files from S3, one lease at a time."""

    means: Means

    def ingest(
        self,
        event: FileEvent,
        owner: str,
        budget: Budget,
        *,
        again: bool = False,
    ) -> Result:
        """One try at a file version; safe to repeat at any time, in any order.

        Raises LeaseHeldError where another owner works on the file, and RetryableError where this
        try failed and a later one may succeed.
        """
        ledger = self.means.ledger
        if event.version and not again:
            record = _answered(lambda: ledger.find(event.file, event.version))
            if record and record.is_done:
                return Result(DONE, event.file, event.version, record.report)
        lease = _answered(lambda: ledger.leases.acquire(event.file, owner, budget.lease))
        try:
            return _answered(lambda: Attempt(self.means, event, lease, budget, again).run())
        finally:
            with suppress(RetryableError):
                _answered(lambda: ledger.leases.release(lease))

    def give_up(self, event: FileEvent, owner: str, budget: Budget, error: RetryableError) -> None:
        """The last permitted try failed: record the version as failed, and tell.

        Raises as `ingest` does, where even that is not possible now.
        """
        ledger = self.means.ledger
        lease = _answered(lambda: ledger.leases.acquire(event.file, owner, budget.lease))
        try:
            _answered(lambda: Attempt(self.means, event, lease, budget, again=False).give_up(error))
        finally:
            with suppress(RetryableError):
                _answered(lambda: ledger.leases.release(lease))


def _answered(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except (ClientError, BotoCoreError) as error:
        raise unanswered("a call to AWS failed", error) from error
