"""Leases: the right to work on a file. One holder at a time, numbered, with an expiry."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple

from festival.errors import NotYetError, RetryableError
from festival.ingest.ledger.records import VERSION_PREFIX
from festival.ingest.ledger.table import ConditionFailed, Item, LedgerTable, pack

HEAD = "HEAD"
HOLDS_IT = "#o = :owner AND Attempt = :attempt"
"""A condition on the HEAD item: no later attempt has taken over the file."""
IS_ITS_NEXT = "(Attempt = :attempt AND (attribute_not_exists(Serial) OR Serial <= :serial))"
"""A condition on a VERSION item: it is this attempt's, which has not written anything later.

A call whose answer is lost is made again, and DynamoDB may carry out the first copy late, after the
next write of the same attempt: an older place in the file would replace a newer one.
"""
_numbers = count(1)


class LeaseHeldError(NotYetError):
    """Another owner is working on this file; `until` is when the lease lapses (epoch seconds)."""

    def __init__(self, file: str, owner: str, until: float) -> None:
        super().__init__(f"{file} is being ingested by {owner} until {utc(until)}", until)
        self.file = file
        self.owner = owner


class LeaseLostError(RetryableError):
    """A later attempt took over the file, or the lease has expired; this attempt must stop."""


class Lease(NamedTuple):
    """The right to work on a file until `until` (epoch seconds), as attempt number `attempt`."""

    file: str
    owner: str
    until: float
    attempt: int
    current_version: str = ""


def utc(seconds: float) -> str:
    """Epoch seconds as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


class Leases:
    """Takes and releases leases, in the ledger's HEAD items. `now` gives epoch seconds."""

    def __init__(self, table: LedgerTable, now: Callable[[], float]) -> None:
        self._table = table
        self._now = now

    def acquire(
        self, file: str, owner: str, seconds: float, *, since: float | None = None
    ) -> Lease:
        """Take the file's lease for this many seconds, as its next attempt.

        They count from `since` (epoch seconds), or from before the first call: however long an
        answer takes, the holder never assumes more time than the ledger gives it. Raises
        LeaseHeldError if another owner's lease has not expired.
        """
        since = self._now() if since is None else since
        # This answer corrects the clock: by a wrong one, a live lease could seem to have expired.
        head = self._table.get(file, HEAD)
        now = self._now()
        if head.get("LeaseUntil", 0) > now and head.get("Owner") != owner:
            raise LeaseHeldError(file, head["Owner"], float(head["LeaseUntil"]))
        until = since + seconds
        try:
            head = self._table.update(
                file,
                HEAD,
                "SET #o = :owner, LeaseUntil = :until, "
                "Attempt = if_not_exists(Attempt, :none) + :one",
                "attribute_not_exists(LeaseUntil) OR LeaseUntil <= :now OR #o = :owner",
                {":owner": owner, ":until": until, ":now": now, ":none": 0, ":one": 1},
                {"#o": "Owner"},
            )
        except ConditionFailed:
            head = self._table.get(file, HEAD)
            raise LeaseHeldError(
                file, head.get("Owner", "somebody"), float(head.get("LeaseUntil", now))
            ) from None
        return Lease(file, owner, until, int(head["Attempt"]), str(head.get("CurrentVersion", "")))

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """The same lease, extended to this many seconds from now. Raises LeaseLostError."""
        until = self._now() + seconds
        # An earlier renewal that is carried out late must not shorten the lease, or revive it.
        in_order = f"{HOLDS_IT} AND LeaseUntil > :over AND LeaseUntil <= :until"
        write_head(
            self._table, lease, "SET LeaseUntil = :until", {":until": until, ":over": 0}, in_order
        )
        return lease._replace(until=until)

    def release(self, lease: Lease) -> None:
        """Give the lease back; does nothing if it has already been taken over."""
        try:
            write_head(self._table, lease, "SET LeaseUntil = :never", {":never": 0})
        except LeaseLostError:
            return

    def break_lease(self, file: str, owner: str) -> None:
        """End the lease of an owner that is known to be dead."""
        try:
            self._table.update(
                file,
                HEAD,
                "SET LeaseUntil = :n",
                "#o = :o",
                {":n": 0, ":o": owner},
                {"#o": "Owner"},
            )
        except ConditionFailed:
            return

    def name_current(self, lease: Lease, version: str) -> None:
        """Record which version the holder is working on. Raises LeaseLostError."""
        write_head(self._table, lease, "SET CurrentVersion = :version", {":version": version})

    def check(self, lease: Lease) -> dict[str, Any]:
        """A transaction's check that no later attempt has taken over the file."""
        return {
            "ConditionCheck": {
                "TableName": self._table.name,
                "Key": pack({"File": lease.file, "Entry": HEAD}),
                "ConditionExpression": HOLDS_IT,
                "ExpressionAttributeNames": {"#o": "Owner"},
                "ExpressionAttributeValues": pack(
                    {":owner": lease.owner, ":attempt": lease.attempt}
                ),
            }
        }


def lease_lost(lease: Lease) -> LeaseLostError:
    """The error to raise if a later attempt holds the file."""
    return LeaseLostError(
        f"attempt {lease.attempt} at {lease.file} was overtaken by a later one and stops here"
    )


def write_head(
    table: LedgerTable,
    lease: Lease,
    changes: str,
    values: dict[str, Any],
    condition: str = HOLDS_IT,
) -> None:
    """Change the file's HEAD item as the lease's holder. Raises LeaseLostError."""
    own = {":owner": lease.owner, ":attempt": lease.attempt}
    try:
        table.update(lease.file, HEAD, changes, condition, values | own, {"#o": "Owner"})
    except ConditionFailed:
        raise lease_lost(lease) from None


def write_version(
    table: LedgerTable,
    lease: Lease,
    version: str,
    changes: str,
    condition: str,
    values: dict[str, Any],
    names: dict[str, str] | None = None,
) -> Item:
    """Change a version's item as the lease's attempt; return it. Raises LeaseLostError.

    `changes` are assignments, and what may follow them. Each write has a serial number for
    IS_ITS_NEXT: numbers grow within a process, and an attempt belongs to one process.
    """
    own = {":attempt": lease.attempt, ":serial": next(_numbers)}
    try:
        return table.update(
            lease.file,
            VERSION_PREFIX + version,
            f"SET Serial = :serial, {changes}",
            condition,
            values | own,
            names or {},
        )
    except ConditionFailed:
        raise lease_lost(lease) from None
