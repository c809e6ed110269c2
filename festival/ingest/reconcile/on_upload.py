"""Reconciles a file after its upload, in the function: up to a limit, reported by e-mail."""

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
from festival.text import counted, one_line

# The rows to remove are held in memory, and an invocation has limited time.
MOST_REMOVED = 10_000
CHANGES_SHOWN = 20


@dataclass(frozen=True)
class OnUpload:
    """Removes a new version's stale items, unless they are more than `percent` of the file."""

    reconciler: Reconciler
    percent: int

    def note(self, lease: Lease, report: IngestReport, step: Callable[[], None]) -> str:
        """Reconcile the version of `report`; return the e-mail's paragraph about it, or ''.

        The lease is the file's, and its attempt owns the version's record. `step` is called between
        steps, and raises if time is up. Called again after a crash, it continues and returns the
        same text. Raises RetryableError, and LeaseHeldError if another file with some of the
        performances is being worked on.
        """
        recorded = self.reconciler.ledger.reconciliations.find(report.file, report.version)
        if recorded.at or is_corrections(report.file):
            return recorded.note
        if report.status == Outcome.FAILURE:
            return self._note_of_failure(report)
        try:
            versions = self.reconciler.versions(report.file)
        except NotReconcilableError:  # the file was deleted, or has a newer version
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

    def note_of_giving_up(self, report: IngestReport, reason: str) -> str:
        """The e-mail's paragraph after the last try, without another call to S3 or to the table."""
        ledger = self.reconciler.ledger
        recorded = ledger.reconciliations.find(report.file, report.version)
        has_older = any(record.version != report.version for record in ledger.history(report.file))
        if recorded.at or report.status == Outcome.FAILURE or not has_older:
            return recorded.note
        return refused_note(report.file, reason)

    def _note_of_failure(self, report: IngestReport) -> str:
        older = self.reconciler.lists.versions(report.file).keys() - {report.version}
        if not older:
            return ""
        return refused_note(report.file, "this version is not completely in the table")

    def _review(self, versions: Versions, step: Callable[[], None]) -> Review:
        """The stale rows, if the guard allows them. Each list is read twice, never held whole."""
        rows = self.reconciler.lists.rows
        newest, older = versions.newest.version, versions.older
        performers = stale_performers(
            rows(versions.parts.get(newest, ())), self._rows_of(versions), MOST_REMOVED
        )
        review = self.reconciler.reviewed(versions, step, performers)
        if review.stale:
            previous = next((v for v in reversed(older) if v in versions.settled), older[-1])
            guard(len(review.stale), _count(rows(versions.parts[previous])), self.percent)
        return review

    def _rows_of(self, versions: Versions) -> Iterator[Performance]:
        for version in versions.older:
            yield from self.reconciler.lists.rows(versions.parts[version])


def removed_note(comparison: Comparison, removal: Removal, rejected: int) -> str:
    """What was removed, as a paragraph; '' if nothing was stale.

    An item that is no longer in the table counts as removed, because an interrupted try may have
    removed it.
    """
    stale = [
        change
        for change in comparison.changes
        if change.kind in (ChangeKind.MOVED, ChangeKind.CANCELLED)
    ]
    if not stale:
        return ""
    moved, removed = comparison.count(ChangeKind.MOVED), removal.removed + removal.gone
    lines = [
        f"Removed: {counted(removed, 'performance')} that the previous version had and this one "
        f"does not have ({moved:,} moved, {len(stale) - moved:,} cancelled)."
    ]
    lines += [f"  {_change_line(change)}" for change in stale[:CHANGES_SHOWN]]
    if len(stale) > CHANGES_SHOWN:
        lines.append(f"  ... and {len(stale) - CHANGES_SHOWN:,} more")
    if removal.kept:
        lines.append(f"{removal.kept:,} of them stay in the table, because another file has them.")
    if rejected:
        lines.append(
            "A performance whose row was rejected counts as cancelled until the row is corrected."
        )
    return "\n".join(lines)


def refused_note(file: str, reason: str) -> str:
    """Why nothing was removed, and how a person can do it."""
    return (
        f"Items that only earlier versions had are still in the table: {one_line(reason, 300)}.\n"
        f"`festival reconcile` with s3://{one_line(file, 1100)} shows what changed; with --yes it "
        "removes them."
    )


def _count(rows: Iterator[Performance]) -> int:
    keys = KeyLog()
    return sum(not keys.note([row]) for row in rows)


def _change_line(change: Change) -> str:
    row = change.performance
    now = f" -> {place_and_time(change.new)}" if change.new else ""
    return one_line(f"{change.kind} {row.performer}: {place_and_time(row)}{now}", 300)
