"""Reconciling one file: what its newest version changed, and removing older ones' stale items.

The order makes it exact. While the lease is held, nobody else writes this file's items; a list is
complete before its rows are in the table; an item is deleted only if it is still this file's; and
an item that another file also has is given that file's values under that file's lease. Repeating it
from any point gives the same result.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from festival.errors import FestivalError, RetryableError
from festival.ingest.clients import Clients
from festival.ingest.ledger.leases import Lease
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.reconciliations import Head, Removal
from festival.ingest.ledger.records import VersionRecord
from festival.ingest.reconcile.compare import Comparison, Key, Listing, compare
from festival.ingest.reconcile.items import ItemOutcome, Items
from festival.ingest.reports_bucket import KeyLists, Part, is_corrections, listing, name_hash
from festival.ingest.s3_object import current_object
from festival.ingest.sidecar import MARK
from festival.lineup.model import Performance
from festival.threads import at_once

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

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
    """Searches the newest lists of all files but one."""

    lists: KeyLists
    ledger: Ledger

    def holders(
        self, stale: Sequence[Performance], file: str, step: Callable[[], None]
    ) -> dict[Key, Holder]:
        """The other file that has each stale performance; of several, the one ingested last.

        If a file's newest version is not settled, all its versions since its last reconciling
        count: it is not yet known which one will stand. Only lists with the dates in question are
        read. `step` is called between files, and may raise.
        """
        keys, dates = {row.key for row in stale}, sorted({row.date for row in stale})
        own, found = name_hash(file), dict[Key, Holder]()
        others = [
            part
            for folder, versions in self.lists.files().items()
            if folder != own
            for part in _some_part_of(versions, dates)
        ]
        looking = at_once(lambda each: self._of(each, keys, dates), others, LOOKS_AT_ONCE)
        with closing(looking):
            for holders in looking:
                step()
                for holder in holders:
                    known = found.get(holder.row.key)
                    if known is None or known.at < holder.at:
                        found[holder.row.key] = holder
        return found

    def _of(self, part: Part, keys: set[Key], dates: Sequence[str]) -> list[Holder]:
        """Which of these keys one file has.

        Its lists are looked up again after reading its head: by then the version that the head
        names as ingested has a complete list.
        """
        file = self.lists.file_of(part)
        head = self.ledger.reconciliations.head(file)
        record = self.ledger.find(file, head.current) if head.current else None
        versions = self.lists.versions(file)
        if head.current in versions and (record is None or record.is_kept):
            counted = [head.current]
        else:
            counted = versions_since(head, versions, self.ledger.history(file))
        at = record.finished_at if record and record.finished_at else ""
        rows: dict[Key, Performance] = {}
        for version in counted:
            at = at or max(part.kept_at for part in versions[version])
            parts = [part for part in versions[version] if part.may_have(dates)]
            rows |= listing(row for row in self.lists.rows(parts) if row.key in keys)
        return [Holder(file, head.current, row, at) for row in rows.values()]


def _some_part_of(versions: Mapping[str, Sequence[Part]], dates: Sequence[str]) -> list[Part]:
    """One part that may have one of the dates, or none."""
    parts = (part for parts in versions.values() for part in parts if part.may_have(dates))
    return list(islice(parts, 1))


LEASE_SECONDS = 120.0
OTHERS_LEASE_SECONDS = 30.0  # how long its ingest has to wait if it comes in between
ITEMS_A_STEP = 100


def _nothing() -> None:
    pass


class NotReconcilableError(FestivalError):
    """The file's newest version is not what the table has, or cannot be known."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that count: the newest, and those since the last reconciling, oldest first.

    `parts` are the lists of all versions of the file, by version.
    """

    newest: VersionRecord
    older: tuple[str, ...]
    settled: frozenset[str]
    parts: Mapping[str, Sequence[Part]]

    @property
    def is_reconciled(self) -> bool:
        return bool(self.newest.reconciled_at)


@dataclass(frozen=True, slots=True)
class Review:
    """A file's newest version, and those before it."""

    versions: Versions
    comparison: Comparison

    @property
    def file(self) -> str:
        return self.versions.newest.file

    @property
    def version(self) -> str:
        return self.versions.newest.version

    @property
    def stale(self) -> tuple[Performance, ...]:
        """What to remove, if it is still this file's; nothing once that is done."""
        return () if self.versions.is_reconciled else self.comparison.stale


@dataclass(frozen=True)
class Reconciler:
    """What reconciling works with. `s3` reads the upload bucket."""

    s3: "S3Client"
    ledger: Ledger
    lists: KeyLists
    items: Items

    @classmethod
    def of(
        cls, clients: Clients, *, table: str, ledger_table: str, reports_bucket: str
    ) -> "Reconciler":
        """For a stack's tables and its reports bucket, by name."""
        ledger = Ledger(clients.dynamodb, ledger_table, now=clients.clock.now)
        return cls(
            clients.s3,
            ledger,
            KeyLists(clients.s3, reports_bucket),
            Items(clients.dynamodb, table, ledger.leases),
        )

    def versions(self, file: str) -> Versions:
        """The file's versions to compare.

        Raises NotReconcilableError if the newest version is not wholly in the table.
        """
        bucket, _, key = file.partition("/")
        head = self.ledger.reconciliations.head(file)
        newest = self.ledger.find(file, head.current) if head.current else None
        stored = current_object(self.s3, bucket, key)
        why = _why_not(newest, stored.version if stored else "")
        if why or newest is None:
            raise NotReconcilableError(f"s3://{file} cannot be reconciled: {why}")
        parts = self.lists.versions(file)
        records = {record.version: record for record in self.ledger.history(file)}
        since = versions_since(head, parts, records.values())
        older = [version for version in since if version != newest.version]
        if not older:  # reconciled already: the one before it is for people to look at
            older = versions_since(NEVER, parts, records.values())[-2:-1]
        settled = {v for v in older if v not in records or records[v].is_kept}
        return Versions(newest, tuple(older), frozenset(settled), parts)

    def files(self) -> Iterator[str]:
        """Every file with lists of more than one version, in order of name."""
        several = [parts for parts in self.lists.files().values() if len(parts) > 1]
        yield from sorted(self.lists.file_of(next(iter(each.values()))[0]) for each in several)

    def review(self, file: str, step: Callable[[], None] = _nothing) -> Review:
        """What changed. Raises NotReconcilableError."""
        return self.reviewed(self.versions(file), step)

    def reviewed(
        self, versions: Versions, step: Callable[[], None], performers: set[str] | None = None
    ) -> Review:
        """What changed between versions; only for these performers, if given.

        `step` is called before each version's list is read.
        """

        def listed(version: str, settled: bool) -> Listing:
            step()
            rows = self.lists.rows(versions.parts.get(version, ()))
            kept = (row for row in rows if performers is None or row.performer in performers)
            return Listing(version, listing(kept), settled)

        older = [listed(version, version in versions.settled) for version in versions.older]
        return Review(versions, compare(older, listed(versions.newest.version, True)))

    def removable(self, review: Review) -> Removal:
        """What `reconcile` would do now. Changes nothing."""
        sources = self.items.sources(review.stale)
        mine = [row for row in review.stale if sources.get(row.key) == review.file]
        held = self._others.holders(mine, review.file, _nothing) if mine else {}
        gone = len(review.stale) - len(sources)
        return Removal(len(mine) - len(held), gone, len(sources) - len(mine) + len(held))

    def reconcile(self, file: str, owner: str) -> tuple[Review, Removal]:
        """Remove older versions' stale items, under the file's lease.

        Raises LeaseHeldError if the file, or another one with some of its performances, is being
        worked on; NotReconcilableError; RetryableError.
        """
        leases = self.ledger.leases
        lease = leases.acquire(file, owner, LEASE_SECONDS)

        def stay_alive() -> None:
            nonlocal lease
            if lease.until - self.ledger.now() < LEASE_SECONDS / 2:
                lease = leases.renew(lease, LEASE_SECONDS)

        try:
            review = self.review(file, stay_alive)
            if review.versions.is_reconciled or not review.versions.older:
                return review, Removal()
            self.ledger.adopt(lease, review.version)
            removal = self.remove(review, lease, stay_alive)
            self.ledger.reconciliations.finish(lease, review.version, removal)
            return review, removal
        finally:
            leases.release(lease)

    def remove(self, review: Review, lease: Lease, step: Callable[[], None]) -> Removal:
        """Remove the stale items, continuing where an earlier try stopped.

        The lease is the file's, and its attempt owns the version's record. `step` is called from
        time to time: it keeps the lease alive, or raises when time is up.
        """
        step()
        done = self.ledger.reconciliations.find(review.file, review.version).removal
        left = [row for row in review.stale if row.key > done.done_to]
        held = self._others.holders(left, review.file, step) if left else {}
        for first in range(0, len(left), ITEMS_A_STEP):
            step()
            rows = left[first : first + ITEMS_A_STEP]
            outcomes = self._hand_over([held[row.key] for row in rows if row.key in held], lease)
            mine = [row for row in rows if row.key not in held]
            outcomes += self.items.delete(mine, review.file, lease)
            done = replace(
                done,
                removed=done.removed + outcomes.count(ItemOutcome.CHANGED),
                gone=done.gone + outcomes.count(ItemOutcome.GONE),
                kept=done.kept + outcomes.count(ItemOutcome.ANOTHERS),
                done_to=rows[-1].key,
            )
            self.ledger.reconciliations.save(lease, review.version, done)
        return done

    def _hand_over(self, held: Sequence[Holder], lease: Lease) -> list[ItemOutcome]:
        """Give items to the other files that have them, under each file's own lease."""
        outcomes: list[ItemOutcome] = []
        for other in sorted({holder.file for holder in held}):
            mine = [holder for holder in held if holder.file == other]
            theirs = self.ledger.leases.acquire(other, lease.owner, OTHERS_LEASE_SECONDS)
            try:
                if self.ledger.reconciliations.head(other).current != mine[0].version:
                    raise RetryableError(f"s3://{other} has just got a new version: try again")
                rows = [holder.row for holder in mine]
                outcomes += self.items.hand_over(rows, lease.file, other, lease, theirs)
            finally:
                self.ledger.leases.release(theirs)
        return [
            ItemOutcome.ANOTHERS if outcome is ItemOutcome.CHANGED else outcome
            for outcome in outcomes
        ]

    @property
    def _others(self) -> OtherFiles:
        return OtherFiles(self.lists, self.ledger)


def _why_not(newest: VersionRecord | None, current: str) -> str:
    """Why a file cannot be reconciled, or ''."""
    if newest is None:
        return "the ledger does not know its newest version; ingest it with --again"
    if is_corrections(newest.file):
        return "corrections only ever add performances"
    if not current:
        return "it was deleted from its bucket; what it had stays in the table"
    if newest.version != current and not newest.version.startswith(current + MARK):
        return (
            f"its newest version is {current}, and {newest.version} was ingested last; wait for "
            "the ingest, or ingest it with --again"
        )
    if not newest.is_kept:
        said = f"{newest.status} {newest.outcome}".strip()
        return f"its newest version {newest.version} is not in the table as a whole ({said})"
    return ""


NEVER = Head("", "")


def versions_since(
    head: Head, lists: Mapping[str, Sequence[Part]], records: Iterable[VersionRecord]
) -> list[str]:
    """The versions that have a list, in the order they were begun, from the last reconciled one on.

    Versions before that one are settled. A version that the ledger has forgotten counts as begun
    when its list was.
    """
    began = {version: min(part.kept_at for part in parts) for version, parts in lists.items()}
    began |= {each.version: each.started_at for each in records if each.version in began}
    since = head.since or began.get(head.reconciled, "")
    return sorted((v for v in began if began[v] >= since), key=lambda version: began[version])
