"""The ledger's record of reconciling: the last reconciled version, and a removal's progress."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from festival.ingest.ledger.leases import HEAD, IS_ITS_NEXT, Lease, utc, write_head, write_version
from festival.ingest.ledger.records import VERSION_PREFIX
from festival.ingest.ledger.table import LedgerTable


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
        values = {":removal": _fields(removal)}
        write_version(self._table, lease, version, "Removal = :removal", IS_ITS_NEXT, values)

    def finish(self, lease: Lease, version: str, removal: Removal, note: str = "") -> None:
        """Record that the table has nothing older than this version. Raises LeaseLostError."""
        record = write_version(
            self._table,
            lease,
            version,
            "Removal = :removal, ReconciledAt = :at, ReconcileNote = :note",
            IS_ITS_NEXT,
            {":removal": _fields(removal), ":at": utc(self._now()), ":note": note},
        )
        since = {":version": version, ":since": record.get("StartedAt", "")}
        changes = "SET ReconciledVersion = :version, ReconciledSince = :since"
        write_head(self._table, lease, changes, since)


def _fields(removal: Removal) -> dict[str, Any]:
    return {**asdict(removal), "done_to": list(removal.done_to)}
