"""Reconciling by the function itself after each upload: guarded, and reported by e-mail."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from festival.ingest.ledger.leases import Lease
from festival.ingest.ledger.reconciliations import Removal
from festival.ingest.reconcile.compare import (
    Change,
    ChangeKind,
    Comparison,
    TooManyStaleError,
    guard,
    place_and_time,
    stale_performers,
)
from festival.ingest.reconcile.reconciler import NotReconcilableError, Reconciler, Review, Versions
from festival.ingest.report import IngestReport, Outcome
from festival.ingest.reports_bucket import is_corrections
from festival.ingest.tally import KeyLog
from festival.lineup.model import Performance
from festival.text import one_line

# The rows to remove are held in memory, and an invocation's time is limited.
MOST_REMOVED = 10_000
CHANGES_SHOWN = 20


@dataclass(frozen=True)
class OnUpload:
    """Removes a new version's stale items, unless they are more than `percent` of the file."""

    reconciler: Reconciler
    percent: int

    def note(self, lease: Lease, report: IngestReport, step: Callable[[], None]) -> str:
        """Reconcile the version of `report`; return what the e-mail says about it, or ''.

        The lease is the file's, and its attempt owns the version's record. Called again after a
        crash, it continues and says the same. Raises RetryableError, and LeaseHeldError if another
        file with some of the performances is being worked on.
        """
        recorded = self.reconciler.ledger.reconciliations.find(report.file, report.version)
        if recorded.at or is_corrections(report.file):
            return recorded.note
        if report.status == Outcome.FAILURE:
            return self._note_of_failure(report)
        try:
            versions = self.reconciler.versions(report.file)
        except NotReconcilableError:  # deleted, or a newer version came: that one is compared
            return ""
        if versions.newest.version != report.version or not versions.older:
            return ""
        try:
            review = self._review(versions, step)
        except TooManyStaleError as error:
            return refused_note(report.file, str(error))
        removal = self.reconciler.remove(review, lease, step)
        note = removed_note(review.comparison, removal, report.counts.rejected)
        self.reconciler.ledger.reconciliations.finish(lease, report.version, removal, note)
        return note

    def note_of_giving_up(self, report: IngestReport, why: str) -> str:
        """What the e-mail says after the last try, without another call to S3 or to the table."""
        ledger = self.reconciler.ledger
        recorded = ledger.reconciliations.find(report.file, report.version)
        has_older = any(record.version != report.version for record in ledger.history(report.file))
        if recorded.at or report.status == Outcome.FAILURE or not has_older:
            return recorded.note
        return refused_note(report.file, why)

    def _note_of_failure(self, report: IngestReport) -> str:
        older = self.reconciler.lists.versions(report.file).keys() - {report.version}
        if not older:
            return ""
        return refused_note(report.file, "this version is not in the table as a whole")

    def _review(self, versions: Versions, step: Callable[[], None]) -> Review:
        """The stale rows, within the guard. The lists are read twice and never held whole."""
        rows = self.reconciler.lists.rows
        newest, older = versions.newest.version, versions.older
        performers = stale_performers(
            rows(versions.parts.get(newest, ())), self._rows_of(versions), MOST_REMOVED
        )
        review = self.reconciler.reviewed(versions, step, performers)
        if review.stale:
            before = next((v for v in reversed(older) if v in versions.settled), older[-1])
            guard(len(review.stale), _count(rows(versions.parts[before])), self.percent)
        return review

    def _rows_of(self, versions: Versions) -> Iterator[Performance]:
        for version in versions.older:
            yield from self.reconciler.lists.rows(versions.parts[version])


def removed_note(comparison: Comparison, removal: Removal, rejected: int) -> str:
    """What was removed, as a paragraph; '' if nothing was stale.

    An item that is no longer there counts as removed: an interrupted try may have removed it, and
    the table cannot tell.
    """
    stale = [
        change
        for change in comparison.changes
        if change.kind in (ChangeKind.MOVED, ChangeKind.CANCELLED)
    ]
    if not stale:
        return ""
    moved, gone = comparison.count(ChangeKind.MOVED), removal.removed + removal.gone
    lines = [
        f"Removed: {gone:,} {'performance' if gone == 1 else 'performances'} that the version "
        f"before had and this one has not ({moved:,} moved, {len(stale) - moved:,} cancelled)."
    ]
    lines += [f"  {_said(change)}" for change in stale[:CHANGES_SHOWN]]
    if len(stale) > CHANGES_SHOWN:
        lines.append(f"  ... and {len(stale) - CHANGES_SHOWN:,} more")
    if removal.kept:
        lines.append(f"{removal.kept:,} of them stay in the table: another file has them, too.")
    if rejected:
        lines.append("A performance whose row was rejected counts as cancelled until it is right.")
    return "\n".join(lines)


def refused_note(file: str, why: str) -> str:
    """Why nothing was removed, and how a person can do it."""
    return (
        f"What earlier versions left in the table is still there: {one_line(why, 300)}.\n"
        f"`festival reconcile` with s3://{one_line(file, 1100)} shows what changed, and removes "
        "with --yes."
    )


def _count(rows: Iterator[Performance]) -> int:
    keys = KeyLog()
    return sum(not keys.note([row]) for row in rows)


def _said(change: Change) -> str:
    row = change.performance
    now = f" -> {place_and_time(change.new)}" if change.new else ""
    return one_line(f"{change.kind} {row.performer}: {place_and_time(row)}{now}", 300)
