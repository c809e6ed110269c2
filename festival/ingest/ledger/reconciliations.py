"""The ledger's record of reconciling: the last reconciled version, and a removal's progress."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from festival.ingest.ledger.leases import HEAD, Lease, lease_lost, utc
from festival.ingest.ledger.records import VERSION_PREFIX
from festival.ingest.ledger.table import IN_ORDER, ConditionFailed, Item, LedgerTable, serial


class Head(NamedTuple):
    """The version of a file that was ingested last, and the last one that was reconciled, or ''.

    `since` is when that one was begun: later, the same version may be begun again.
    """

    current: str
    reconciled: str
    since: str = ""


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of a file's stale items.

    `removed` were deleted, `gone` were no longer in the table, `kept` belong to another file.
    `done_to` is the last processed item's key.
    """

    removed: int = 0
    gone: int = 0
    kept: int = 0
    done_to: tuple[str, str] = ("", "")


class RecordedRemoval(NamedTuple):
    """The record of a version's removal: how far it is, when it ended ('' if not), its note."""

    removal: Removal
    at: str = ""
    note: str = ""


class Reconciliations:
    """The ledger's entries about reconciling. `now` gives epoch seconds."""

    def __init__(self, table: LedgerTable, now: Callable[[], float]) -> None:
        self._table = table
        self._now = now

    def head(self, file: str) -> Head:
        """Read consistently. Both versions are '' for a file that the ledger does not know."""
        item = self._table.get(file, HEAD)
        return Head(
            item.get("CurrentVersion", ""),
            item.get("ReconciledVersion", ""),
            item.get("ReconciledSince", ""),
        )

    def find(self, file: str, version: str) -> RecordedRemoval:
        """How far a version's removal is; an empty one if it was never begun."""
        item = self._table.get(file, VERSION_PREFIX + version)
        saved = item.get("Removal")
        if not saved:
            return RecordedRemoval(Removal())
        removal = Removal(**{**saved, "done_to": tuple(saved["done_to"])})
        return RecordedRemoval(removal, item.get("ReconciledAt", ""), item.get("ReconcileNote", ""))

    def save(self, lease: Lease, version: str, removal: Removal) -> None:
        """Record how far the removal is. Raises LeaseLostError."""
        self._update(lease, version, "SET Removal = :removal", {":removal": _fields(removal)})

    def finish(self, lease: Lease, version: str, removal: Removal, note: str = "") -> None:
        """Record that the table has nothing older than this version. Raises LeaseLostError."""
        record = self._update(
            lease,
            version,
            "SET Removal = :removal, ReconciledAt = :at, ReconcileNote = :note",
            {":removal": _fields(removal), ":at": utc(self._now()), ":note": note},
        )
        try:
            self._table.update(
                lease.file,
                HEAD,
                "SET ReconciledVersion = :version, ReconciledSince = :since",
                "#o = :owner AND Attempt = :attempt",
                {
                    ":version": version,
                    ":since": record.get("StartedAt", ""),
                    ":owner": lease.owner,
                    ":attempt": lease.attempt,
                },
                {"#o": "Owner"},
            )
        except ConditionFailed:
            raise lease_lost(lease) from None

    def _update(self, lease: Lease, version: str, changes: str, values: dict[str, Any]) -> Item:
        try:
            return self._table.update(
                lease.file,
                VERSION_PREFIX + version,
                f"{changes}, Serial = :serial",
                f"Attempt = :attempt AND {IN_ORDER}",
                values | {":attempt": lease.attempt} | serial(),
                {},
            )
        except ConditionFailed:
            raise lease_lost(lease) from None


def _fields(removal: Removal) -> dict[str, Any]:
    return {**asdict(removal), "done_to": list(removal.done_to)}
