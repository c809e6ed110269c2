"""The record of every ingest, by file and version, and the leases, which admit one worker a file.

A file (`bucket/key`) has one HEAD item, which never expires: who holds the lease, until when, and
the number of the attempt. It has one VERSION item for each ingest: status, counts, progress,
reasons. Every write is conditional. An attempt's number is its fencing token: whoever has lost the
lease to a later attempt can no longer change the version's record (DynamoDB: "Condition
expressions").
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from festival.ingest.ledger.leases import IS_ITS_NEXT, Lease, Leases, utc, write_version
from festival.ingest.ledger.records import VERSION_PREFIX, Status, VersionRecord, to_record
from festival.ingest.ledger.table import ConditionFailed, LedgerTable, pack
from festival.ingest.report import IngestReport

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from festival.ingest.ledger.reconciliations import Reconciliations

KEEP_DAYS = 120
LONGEST_REASON = 400


class Ledger:
    """The ledger table. `now` gives epoch seconds."""

    def __init__(
        self, client: "DynamoDBClient", table: str, now: Callable[[], float] = time.time
    ) -> None:
        self._table = LedgerTable(client, table)
        self.now = now
        self.leases = Leases(self._table, now)

    @cached_property
    def reconciliations(self) -> "Reconciliations":
        """The entries about reconciling, which most of the function's invocations do not need."""
        from festival.ingest.ledger.reconciliations import Reconciliations

        return Reconciliations(self._table, self.now)

    def find(self, file: str, version: str) -> VersionRecord | None:
        """The record of one version, read consistently; None if there is none."""
        item = self._table.get(file, VERSION_PREFIX + version)
        return to_record(item) if item else None

    def begin(
        self, lease: Lease, version: str, *, sequencer: str = "", again: bool = False
    ) -> None:
        """Open the version's record for this attempt: a new record, or one to continue.

        With `again`, the results of an earlier ingest of the version are cleared. Raises
        LeaseLostError.
        """
        now = self.now()
        changes = [
            "#s = :running",
            "Attempt = :attempt",
            "VersionId = :version",
            "Sequencer = :sequencer",
            "ExpiresAt = :expires",
            "Reasons = if_not_exists(Reasons, :nothing)",
        ]
        values: dict[str, Any] = {
            ":running": Status.RUNNING,
            ":version": version,
            ":sequencer": sequencer,
            ":expires": self._expiry(),
            ":nothing": {},
            ":day": utc(now)[:10],
            ":start": utc(now),
        }
        names = {"#s": "Status", "#d": "Day"}
        if again:
            changes += ["#d = :day", "StartedAt = :start"]
            names["#e"] = "Error"
        else:
            changes += [
                "#d = if_not_exists(#d, :day)",
                "StartedAt = if_not_exists(StartedAt, :start)",
            ]
        expression = ", ".join(changes)
        if again:
            expression += (
                " REMOVE Progress, NotifiedAt, NotifiedBy, FinishedAt, Outcome, #e, Remedy, "
                "GivenUp, Removal, ReconciledAt, ReconcileNote, RemovedAt, OvertakenBy"
            )
        # A copy that is carried out late must not reopen what this attempt has settled.
        condition = (
            "attribute_not_exists(Attempt) OR Attempt < :attempt OR "
            f"({IS_ITS_NEXT} AND #s = :running)"
        )
        write_version(self._table, lease, version, expression, condition, values, names)

    def make_current(self, lease: Lease, version: str) -> None:
        """Record that this version is now the newest, in place of the one before it.

        If that one is unfinished, it is superseded; if it is finished, it is marked as overtaken,
        because the table no longer has it. Raises LeaseLostError.
        """
        before = lease.current_version
        if before not in ("", version):
            self.supersede(lease.file, before)
            self._table.update(
                lease.file,
                VERSION_PREFIX + before,
                "SET OvertakenBy = :version",
                None,  # `supersede` has made a record if there was none
                {":version": version},
                {},
            )
        self.leases.name_current(lease, version)

    def save_progress(self, lease: Lease, version: str, progress: str) -> None:
        """Save the progress, for a later attempt to continue from. Raises LeaseLostError."""
        self._as_attempt(lease, version, "Progress = :p", {":p": progress}, (Status.RUNNING,))

    def finish(
        self,
        lease: Lease,
        version: str,
        status: Status,
        report: IngestReport,
        preview: str,
        milliseconds: int,
    ) -> None:
        """Record that the rows are settled, as `written` or `failed`. The e-mail comes next."""
        self._as_attempt(
            lease,
            version,
            "#s = :status, Outcome = :outcome, Counts = :counts, FinishedAt = :at, "
            "#e = :error, Remedy = :remedy, RejectedRowsAt = :kept, Shown = :shown, "
            "Milliseconds = :ms, GivenUp = :given_up, ExpiresAt = :expires",
            {
                ":status": status,
                ":given_up": int(report.given_up),
                ":outcome": report.status,
                ":counts": asdict(report.counts),
                ":at": utc(self.now()),
                ":error": report.error,
                ":remedy": report.remedy,
                ":kept": report.rejected_rows_at,
                ":shown": preview,
                ":ms": milliseconds,
                ":expires": self._expiry(),
            },
            (Status.RUNNING, status),
            {"#e": "Error"},
        )

    def adopt(self, lease: Lease, version: str) -> None:
        """Let this attempt own a settled version, so that it may notify. Raises LeaseLostError."""
        condition = f"Attempt < :attempt OR {IS_ITS_NEXT}"
        write_version(self._table, lease, version, "Attempt = :attempt", condition, {})

    def mark_notified(self, lease: Lease, version: str, status: Status, by: str) -> None:
        """Record which message, or run, sent the e-mail about a settled version."""
        notified = Status.NOTIFIED if status == Status.WRITTEN else status
        self._as_attempt(
            lease,
            version,
            "#s = :status, NotifiedAt = :at, NotifiedBy = :by",
            {
                ":status": notified,
                ":at": utc(self.now()),
                ":by": by,
            },
            (status, notified),
        )

    def note_removed(self, lease: Lease, version: str, *, removed: bool) -> None:
        """Record that a version's file was deleted from its bucket, or has come back."""
        change = "SET RemovedAt = :at" if removed else "REMOVE RemovedAt"
        with suppress(ConditionFailed):
            self._table.update(
                lease.file,
                VERSION_PREFIX + version,
                change,
                "attribute_exists(#s) AND attribute_not_exists(RemovedAt)"
                if removed
                else "attribute_exists(RemovedAt)",
                {":at": utc(self.now())} if removed else {},
                {"#s": "Status"} if removed else {},
            )

    def supersede(self, file: str, version: str, sequencer: str = "") -> None:
        """Record that the version is no longer the newest, unless its ingest has finished."""
        now = self.now()
        try:
            self._table.update(
                file,
                VERSION_PREFIX + version,
                "SET #s = :superseded, VersionId = :version, "
                "Sequencer = if_not_exists(Sequencer, :sequencer), #d = if_not_exists(#d, :day), "
                "StartedAt = if_not_exists(StartedAt, :now), FinishedAt = :now, "
                "ExpiresAt = :expires",
                "attribute_not_exists(#s) OR #s = :running",
                {
                    ":superseded": Status.SUPERSEDED,
                    ":running": Status.RUNNING,
                    ":version": version,
                    ":sequencer": sequencer,
                    ":day": utc(now)[:10],
                    ":now": utc(now),
                    ":expires": self._expiry(),
                },
                {"#s": "Status", "#d": "Day"},
            )
        except ConditionFailed:
            return

    def note_failed_try(
        self,
        file: str,
        version: str,
        message: str,
        reason: str,
        status: Status = Status.RUNNING,
    ) -> None:
        """Record why a try failed, under its message or run; `status` is for a new record."""
        now = self.now()
        key = VERSION_PREFIX + version
        self._table.update(
            file,
            key,
            "SET Reasons = if_not_exists(Reasons, :nothing), VersionId = :version, "
            "#s = if_not_exists(#s, :status), #d = if_not_exists(#d, :day), "
            "StartedAt = if_not_exists(StartedAt, :now), ExpiresAt = :expires",
            None,
            {
                ":nothing": {},
                ":version": version,
                ":status": status,
                ":day": utc(now)[:10],
                ":now": utc(now),
                ":expires": self._expiry(),
            },
            {"#s": "Status", "#d": "Day"},
        )
        self._table.update(
            file,
            key,
            "SET Reasons.#m = :reason",
            None,
            {":reason": reason[:LONGEST_REASON]},
            {"#m": message or "-"},
        )

    def reopen(self, file: str, version: str) -> bool:
        """Let a failed version continue from where it stopped; False if it has not failed."""
        try:
            self._table.update(
                file,
                VERSION_PREFIX + version,
                "SET #s = :running REMOVE NotifiedAt, NotifiedBy, FinishedAt",
                "#s = :failed",
                {":running": Status.RUNNING, ":failed": Status.FAILED},
                {"#s": "Status"},
            )
        except ConditionFailed:
            return False
        return True

    def history(self, file: str) -> list[VersionRecord]:
        """Every version of a file, in the order in which they were begun."""
        items = self._table.query(
            KeyConditionExpression="#f = :file AND begins_with(#k, :version)",
            ExpressionAttributeNames={"#f": "File", "#k": "Entry"},
            ExpressionAttributeValues=pack({":file": file, ":version": VERSION_PREFIX}),
            ConsistentRead=True,
        )
        return sorted(map(to_record, items), key=lambda record: record.started_at)

    def recent(self, days: int = 7) -> Iterator[VersionRecord]:
        """All files' ingests of the last days, newest first. One Query per day."""
        today = datetime.fromtimestamp(self.now(), UTC)
        for back in range(days):
            items = self._table.query(
                IndexName="RecentIndex",
                KeyConditionExpression="#d = :day",
                ExpressionAttributeNames={"#d": "Day"},
                ExpressionAttributeValues=pack(
                    {":day": (today - timedelta(days=back)).date().isoformat()}
                ),
                ScanIndexForward=False,
            )
            yield from map(to_record, items)

    def _expiry(self) -> int:
        return int(self.now()) + KEEP_DAYS * 24 * 3600

    def _as_attempt(
        self,
        lease: Lease,
        version: str,
        changes: str,
        values: dict[str, Any],
        statuses: Sequence[Status],
        names: dict[str, str] | None = None,
    ) -> None:
        """Change the record if it is still this attempt's, and its status is among these."""
        expected = {f":status{number}": status for number, status in enumerate(statuses)}
        is_among = " OR ".join(f"#s = {name}" for name in expected)
        write_version(
            self._table,
            lease,
            version,
            changes,
            f"{IS_ITS_NEXT} AND ({is_among})",
            values | expected,
            {"#s": "Status"} | (names or {}),
        )
