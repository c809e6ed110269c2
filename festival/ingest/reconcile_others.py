"""Which other files have a performance that one file does not have any more."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from festival.ingest.key_lists import KeyLists, Part, listing
from festival.ingest.ledger import Ledger
from festival.ingest.reconcile import Key
from festival.ingest.reconcile_record import versions_since
from festival.ingest.rejected import name_hash
from festival.lineup.model import Performance

LOOKS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Holder:
    """A file that has a performance in its newest version, and when that was ingested."""

    file: str
    version: str
    row: Performance
    at: str


@dataclass(frozen=True)
class OtherFiles:
    """Looks through the newest lists of all files but one."""

    lists: KeyLists
    ledger: Ledger

    def holders(
        self, stale: Sequence[Performance], file: str, step: Callable[[], None]
    ) -> dict[Key, Holder]:
        """Of each stale performance the other file that has it; of several, the one ingested last.

        A file whose newest version is not settled counts with all versions since it was reconciled:
        nobody knows yet which of them will hold. Only lists with the dates in question are read.
        `step` is called between files, and may raise.
        """
        keys, dates = {row.key for row in stale}, sorted({row.date for row in stale})
        own, found = name_hash(file), dict[Key, Holder]()
        others = [
            versions
            for folder, versions in self.lists.files().items()
            if folder != own
            and any(part.may_have(dates) for parts in versions.values() for part in parts)
        ]
        with ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="reconcile") as threads:
            for holders in threads.map(lambda each: self._of(each, keys, dates), others):
                step()
                for holder in holders:
                    known = found.get(holder.row.key)
                    if known is None or known.at < holder.at:
                        found[holder.row.key] = holder
        return found

    def _of(
        self, versions: Mapping[str, Sequence[Part]], keys: set[Key], dates: Sequence[str]
    ) -> list[Holder]:
        file = self.lists.file_of(next(part for parts in versions.values() for part in parts))
        head = self.ledger.reconciliations.head(file)
        record = self.ledger.find(file, head.current) if head.current else None
        if head.current in versions and (record is None or record.is_kept):
            counted = [head.current]
        else:
            counted = versions_since(head.reconciled, versions, self.ledger.history(file))
        at = record.finished_at if record and record.finished_at else ""
        rows: dict[Key, Performance] = {}
        for version in counted:
            at = at or max(part.kept_at for part in versions[version])
            parts = [part for part in versions[version] if part.may_have(dates)]
            rows |= listing(row for row in self.lists.rows(parts) if row.key in keys)
        return [Holder(file, head.current, row, at) for row in rows.values()]
