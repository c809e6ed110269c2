"""The leases of all files of a bulk load, held together for as long as it takes."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from festival.ingest.direct import is_dead
from festival.ingest.leases import Lease, LeaseHeldError, LeaseLostError
from festival.ingest.ledger import Ledger

Given = TypeVar("Given")
Answer = TypeVar("Answer")

# Long, since DynamoDB goes on writing where this process has died: whoever takes a file over before
# the operation has ended is overwritten, until the load is finished by another run.
LEASE_SECONDS = 900.0
CALLS_AT_ONCE = 8


def at_once(act: Callable[[Given], Answer], each: Iterable[Given]) -> list[Answer]:
    """The answers in the order of what was given, several calls under way at a time."""
    threads = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="bulk")
    try:
        return list(threads.map(act, each))
    finally:
        threads.shutdown(cancel_futures=True)


class HeldLeases:
    """Leases by file, renewed when a third of their time is over; `lost` are those that went."""

    def __init__(self, ledger: Ledger, owner: str) -> None:
        self._ledger = ledger
        self._owner = owner
        self._held: dict[str, Lease] = {}
        self._renew_at = ledger.now() + LEASE_SECONDS / 3
        self.lost: set[str] = set()

    def take(self, file: str) -> Lease:
        """Take a file's lease, at once where its owner is known to be dead.

        Raises LeaseHeldError where somebody else works on the file.
        """
        leases = self._ledger.leases
        try:
            lease = leases.acquire(file, self._owner, LEASE_SECONDS)
        except LeaseHeldError as held:
            if not is_dead(held.owner):
                raise
            leases.break_lease(file, held.owner)
            lease = leases.acquire(file, self._owner, LEASE_SECONDS)
        self._held[file] = lease
        return lease

    def of(self, file: str) -> Lease:
        return self._held[file]

    def renew_in_time(self) -> None:
        """Renew all leases where it is time to; call it every now and then."""
        if self._ledger.now() < self._renew_at:
            return
        self._renew_at = self._ledger.now() + LEASE_SECONDS / 3
        at_once(self._renew, list(self._held.values()))

    def give_back(self, file: str) -> None:
        if lease := self._held.pop(file, None):
            self._ledger.leases.release(lease)

    def give_all_back(self) -> None:
        at_once(self.give_back, list(self._held))

    def _renew(self, lease: Lease) -> None:
        try:
            self._held[lease.file] = self._ledger.leases.renew(lease, LEASE_SECONDS)
        except LeaseLostError:
            self.lost.add(lease.file)
