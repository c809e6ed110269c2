"""Reconciles one file: shows what its newest version changed, and removes stale items.

The order of the steps makes it exact. While the lease is held, nobody else writes this file's
items; a list is complete before its rows are in the table; an item is deleted only if it is still
this file's; and an item that another file also has is given that file's values under that file's
lease. Repeating it from any point gives the same result.
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
from festival.ingest.reports_bucket import KeyLists, Part, is_corrections, name_hash, rows_by_key
from festival.ingest.s3_object import current_object
from festival.ingest.sidecar import is_ingest_of
from festival.lineup.model import Performance
from festival.threads import at_once

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FILES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Holder:
    """A file whose newest version has a performance, and when that version was ingested."""

    file: str
    version: str
    row: Performance
    at: str


@dataclass(frozen=True)
class OtherFiles:
    """Searches the newest key lists of all files but one."""

    lists: KeyLists
    ledger: Ledger

    def holders(
        self, stale: Sequence[Performance], file: str, step: Callable[[], None]
    ) -> dict[Key, Holder]:
        """The other file that has each stale performance; of several, the one ingested last.

        If a file's newest version is not settled, all its versions since its last reconciling
        count, because it is not known yet which of them the table has. Only lists with the dates in
        question are read. `step` is called between files, and may raise.
        """
        keys, dates = {row.key for row in stale}, sorted({row.date for row in stale})
        own, by_key = name_hash(file), dict[Key, Holder]()
        others = [
            part
            for folder, versions in self.lists.files().items()
            if folder != own
            for part in _any_part(versions, dates)
        ]
        searches = at_once(lambda part: self._held_by(part, keys, dates), others, FILES_AT_ONCE)
        with closing(searches):
            for holders in searches:
                step()
                for holder in holders:
                    known = by_key.get(holder.row.key)
                    if known is None or known.at < holder.at:
                        by_key[holder.row.key] = holder
        return by_key

    def _held_by(self, part: Part, keys: set[Key], dates: Sequence[str]) -> list[Holder]:
        """Which of these keys the file of this part has.

        The file's lists are listed again after its head was read, because only then is the list of
        the version that the head names known to be complete.
        """
        file = self.lists.file_of(part)
        head = self.ledger.reconciliations.head(file)
        record = self.ledger.find(file, head.current) if head.current else None
        versions = self.lists.versions(file)
        if head.current in versions and (record is None or record.is_in_table):
            current = [head.current]
        else:
            current = versions_since(head, versions, self.ledger.history(file))
        at = record.finished_at if record and record.finished_at else ""
        rows: dict[Key, Performance] = {}
        for version in current:
            at = at or max(part.stored_at for part in versions[version])
            parts = [part for part in versions[version] if part.may_have(dates)]
            rows |= rows_by_key(row for row in self.lists.rows(parts) if row.key in keys)
        return [Holder(file, head.current, row, at) for row in rows.values()]


def _any_part(versions: Mapping[str, Sequence[Part]], dates: Sequence[str]) -> list[Part]:
    """One part that may have one of the dates, or none."""
    parts = (part for parts in versions.values() for part in parts if part.may_have(dates))
    return list(islice(parts, 1))


LEASE_SECONDS = 120.0
OTHERS_LEASE_SECONDS = 30.0  # an ingest of the other file may have to wait this long
ITEMS_A_STEP = 100


def _no_step() -> None:
    pass


class NotReconcilableError(FestivalError):
    """The file's newest version is not the one that the table has, or it is unknown."""


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
    """A file's versions, and what the newest one changed."""

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
        """Performances to remove if they are still this file's; none once that is done."""
        return () if self.versions.is_reconciled else self.comparison.stale


@dataclass(frozen=True)
class Reconciler:
    """Reviews and reconciles files. `s3` reads the upload bucket."""

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

        Raises NotReconcilableError if the newest version is not completely in the table.
        """
        bucket, _, key = file.partition("/")
        head = self.ledger.reconciliations.head(file)
        newest = self.ledger.find(file, head.current) if head.current else None
        stored = current_object(self.s3, bucket, key)
        reason = _why_not(newest, stored.version if stored else "")
        if reason or newest is None:
            raise NotReconcilableError(f"s3://{file} cannot be reconciled: {reason}")
        parts = self.lists.versions(file)
        records = {record.version: record for record in self.ledger.history(file)}
        since = versions_since(head, parts, records.values())
        older = [version for version in since if version != newest.version]
        if not older:  # already reconciled: compared with the one before it, for people to read
            older = versions_since(NEVER, parts, records.values())[-2:-1]
        settled = {v for v in older if v not in records or records[v].is_in_table}
        return Versions(newest, tuple(older), frozenset(settled), parts)

    def files(self) -> Iterator[str]:
        """Every file with lists of more than one version, in order of name."""
        several = [parts for parts in self.lists.files().values() if len(parts) > 1]
        yield from sorted(self.lists.file_of(next(iter(each.values()))[0]) for each in several)

    def review(self, file: str, step: Callable[[], None] = _no_step) -> Review:
        """What changed. Raises NotReconcilableError."""
        return self.reviewed(self.versions(file), step)

    def reviewed(
        self, versions: Versions, step: Callable[[], None], performers: set[str] | None = None
    ) -> Review:
        """What changed between versions; only for these performers, if given.

        `step` is called before each version's list is read.
        """

        def read(version: str, settled: bool) -> Listing:
            step()
            rows = self.lists.rows(versions.parts.get(version, ()))
            wanted = (row for row in rows if performers is None or row.performer in performers)
            return Listing(version, rows_by_key(wanted), settled)

        older = [read(version, version in versions.settled) for version in versions.older]
        return Review(versions, compare(older, read(versions.newest.version, True)))

    def removable(self, review: Review) -> Removal:
        """What `reconcile` would do now. Changes nothing."""
        sources = self.items.sources(review.stale)
        own = [row for row in review.stale if sources.get(row.key) == review.file]
        holders = self._others.holders(own, review.file, _no_step) if own else {}
        gone = len(review.stale) - len(sources)
        return Removal(len(own) - len(holders), gone, len(sources) - len(own) + len(holders))

    def reconcile(self, file: str, owner: str) -> tuple[Review, Removal]:
        """Remove older versions' stale items, under the file's lease.

        Raises LeaseHeldError if the file, or another one with some of its performances, is being
        worked on; NotReconcilableError; RetryableError.
        """
        leases = self.ledger.leases
        lease = leases.acquire(file, owner, LEASE_SECONDS)

        def renew_if_due() -> None:
            nonlocal lease
            if lease.until - self.ledger.now() < LEASE_SECONDS / 2:
                lease = leases.renew(lease, LEASE_SECONDS)

        try:
            review = self.review(file, renew_if_due)
            if review.versions.is_reconciled or not review.versions.older:
                return review, Removal()
            self.ledger.adopt(lease, review.version)
            removal = self.remove(review, lease, renew_if_due)
            self.ledger.reconciliations.finish(lease, review.version, removal)
            return review, removal
        finally:
            leases.release(lease)

    def remove(self, review: Review, lease: Lease, step: Callable[[], None]) -> Removal:
        """Remove the stale items, continuing where an earlier try stopped.

        The lease is the file's, and its attempt owns the version's record. `step` is called from
        time to time: it renews the lease, or raises if time is up.
        """
        step()
        done = self.ledger.reconciliations.find(review.file, review.version).removal
        left = [row for row in review.stale if row.key > done.done_to]
        holders = self._others.holders(left, review.file, step) if left else {}
        for first in range(0, len(left), ITEMS_A_STEP):
            step()
            rows = left[first : first + ITEMS_A_STEP]
            held = [holders[row.key] for row in rows if row.key in holders]
            outcomes = self._hand_over(held, lease)
            unheld = [row for row in rows if row.key not in holders]
            outcomes += self.items.delete(unheld, review.file, lease)
            done = replace(
                done,
                removed=done.removed + outcomes.count(ItemOutcome.CHANGED),
                gone=done.gone + outcomes.count(ItemOutcome.GONE),
                kept=done.kept + outcomes.count(ItemOutcome.ANOTHERS),
                done_to=rows[-1].key,
            )
            self.ledger.reconciliations.save(lease, review.version, done)
        return done

    def _hand_over(self, holders: Sequence[Holder], lease: Lease) -> list[ItemOutcome]:
        """Hand items over to the other files that have them, under each file's own lease."""
        outcomes: list[ItemOutcome] = []
        for file in sorted({holder.file for holder in holders}):
            held = [holder for holder in holders if holder.file == file]
            other_lease = self.ledger.leases.acquire(file, lease.owner, OTHERS_LEASE_SECONDS)
            try:
                if self.ledger.reconciliations.head(file).current != held[0].version:
                    raise RetryableError(f"s3://{file} has just got a new version: try again")
                rows = [holder.row for holder in held]
                outcomes += self.items.hand_over(rows, lease.file, file, lease, other_lease)
            finally:
                self.ledger.leases.release(other_lease)
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
        return "it was deleted from its bucket; its performances stay in the table"
    if not is_ingest_of(newest.version, current):
        return (
            f"its newest version is {current}, and {newest.version} was ingested last; wait for "
            "the ingest, or ingest it with --again"
        )
    if not newest.is_in_table:
        state = f"{newest.status} {newest.outcome}".strip()
        return f"its newest version {newest.version} is not completely in the table ({state})"
    return ""


NEVER = Head("", "")


def versions_since(
    head: Head, lists: Mapping[str, Sequence[Part]], records: Iterable[VersionRecord]
) -> list[str]:
    """The versions with a list, in the order they were begun, from the last reconciled one on.

    Nothing is left of versions before that one. A version that the ledger no longer has counts as
    begun when its list was.
    """
    began = {version: min(part.stored_at for part in parts) for version, parts in lists.items()}
    began |= {each.version: each.started_at for each in records if each.version in began}
    since = head.since or began.get(head.reconciled, "")
    return sorted((v for v in began if began[v] >= since), key=lambda version: began[version])
