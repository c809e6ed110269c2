"""One version of one file into the table, by way of the ledger. Every way in uses it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from festival.errors import FestivalError, RetryableError
from festival.ingest.attempt import Attempt
from festival.ingest.events import FileEvent
from festival.ingest.resources import Budget, Resources, TryResult, WrittenLateError
from festival.ingest.s3_object import unanswered
from festival.ingest.sidecar import applied_mapping, file_of_sidecar


@dataclass(frozen=True)
class Ingestor:
    """Ingests files from S3, one lease at a time."""

    resources: Resources

    def ingest(
        self, event: FileEvent, owner: str, budget: Budget, *, again: bool = False
    ) -> TryResult:
        """One try at a file version; safe to repeat at any time, in any order.

        Raises LeaseHeldError if another owner works on the file, RetryableError if this try failed
        and a later one may succeed, and WrittenLateError if the next one has to be with `again`: a
        process may be stopped between its look at the lease and the sending of rows.
        """
        with self._leased(event, owner, budget, again=again) as attempt:
            try:
                return attempt.run()
            except (FestivalError, ClientError, BotoCoreError) as error:
                if not attempt.may_have_written_late:
                    raise
                raise WrittenLateError(
                    f"s3://{event.file}: this process was stopped amid writing until its lease was "
                    "over; rows may have come too late, so that it has to be ingested --again"
                ) from error

    def give_up(self, event: FileEvent, owner: str, budget: Budget, error: RetryableError) -> bool:
        """The last permitted try failed: record the version as failed, and notify.

        False if there is nothing to give up: it is done, or another message goes on with it.
        Raises as `ingest` does if not even that is possible now.
        """
        with self._leased(event, owner, budget) as attempt:
            return attempt.give_up(error)

    def note_failed_try(self, event: FileEvent, message: str, reason: str) -> None:
        """Keep in the ledger why a try failed, under the version that was tried."""
        event = file_of_sidecar(event)
        version = event.version_or_stand_in
        with suppress(RetryableError):
            resources = self.resources
            applied = applied_mapping(resources.s3, event.bucket, event.key, resources.mapping)
            version = applied.version(version)
        with _answered():
            self.resources.ledger.note_failed_try(event.file, version, message, reason)

    @contextmanager
    def _leased(
        self, event: FileEvent, owner: str, budget: Budget, *, again: bool = False
    ) -> Iterator[Attempt]:
        """An attempt that holds the file's lease while the block runs.

        Its time counts from before the first call, as the budget's does.
        """
        event = file_of_sidecar(event)
        leases, began = self.resources.ledger.leases, self.resources.clock()
        with _answered():
            lease = leases.acquire(event.file, owner, budget.lease, since=began)
            try:
                yield Attempt(self.resources, event, lease, budget, again)
            finally:
                with suppress(ClientError, BotoCoreError):
                    leases.release(lease)


@contextmanager
def _answered() -> Iterator[None]:
    """Within the block an AWS call that fails raises RetryableError."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise unanswered("a call to AWS failed", error) from error
