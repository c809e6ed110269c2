"""The record of every ingest, by file and version, and the lease that lets one worker at a time in.

A file (`bucket/key`) has one HEAD item, which never expires: who holds the lease, until when, and the
number of the attempt. It has one VERSION item for each ingest: status, counts, progress, reasons.
Every write is conditional. An attempt's number is its fencing token: whoever has lost the lease to a
later attempt cannot change the version's record any more (DynamoDB: "Condition expressions").
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from festival.errors import FestivalError, RetryableError
from festival.ingest.attributes import pack, unpack
from festival.ingest.records import (
    FAILED,
    NOTIFIED,
    RUNNING,
    SUPERSEDED,
    VERSION_PREFIX,
    WRITTEN,
    Progress,
    VersionRecord,
    to_record,
)
from festival.ingest.report import Counts

HEAD = "HEAD"
KEEP_DAYS = 120
REASONS_KEPT_CHARACTERS = 400


class LeaseHeldError(RetryableError):
    """Somebody else works on this file now; `until` is when the lease lapses (epoch seconds)."""

    def __init__(self, file: str, owner: str, until: float) -> None:
        super().__init__(
            f"{file} is being ingested by {owner} until {utc(until)}; this try waits for that"
        )
        self.owner = owner
        self.until = until


class LeaseLostError(RetryableError):
    """A later attempt took the file over; this one has to stop."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a file until `until` (epoch seconds), as attempt number `attempt`."""

    file: str
    owner: str
    until: float
    attempt: int
    current_version: str = ""


def utc(seconds: float) -> str:
    """Epoch seconds as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


class Ledger:
    """The ledger table. `now` gives epoch seconds."""

    def __init__(self, client: Any, table: str, now: Callable[[], float] = time.time) -> None:
        self._client = client
        self.table = table
        self._now = now

    def acquire(self, file: str, owner: str, seconds: float) -> Lease:
        """Take the file's lease for so many seconds from now, as its next attempt.

        Raises LeaseHeldError where another owner's lease still lives.
        """
        now = self._now()
        try:
            head = self._update(
                file,
                HEAD,
                "SET #o = :owner, LeaseUntil = :until, Attempt = if_not_exists(Attempt, :none) + :one",
                "attribute_not_exists(LeaseUntil) OR LeaseUntil <= :now OR #o = :owner",
                {":owner": owner, ":until": now + seconds, ":now": now, ":none": 0, ":one": 1},
                {"#o": "Owner"},
            )
        except ConditionFailed:
            held = self._get(file, HEAD)
            raise LeaseHeldError(
                file, held.get("Owner", "somebody"), float(held.get("LeaseUntil", now))
            ) from None
        return Lease(
            file, owner, now + seconds, int(head["Attempt"]), str(head.get("CurrentVersion", ""))
        )

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """The same lease, living so many seconds from now. Raises LeaseLostError."""
        until = self._now() + seconds
        self._as_holder(lease, "SET LeaseUntil = :until", {":until": until})
        return replace(lease, until=until)

    def release(self, lease: Lease) -> None:
        """Give the lease back; nothing happens where it has been taken over already."""
        try:
            self._as_holder(lease, "SET LeaseUntil = :never", {":never": 0})
        except LeaseLostError:
            return

    def break_lease(self, file: str, owner: str) -> None:
        """End the lease of an owner who is known to be dead."""
        try:
            self._update(
                file,
                HEAD,
                "SET LeaseUntil = :n",
                "#o = :o",
                {":n": 0, ":o": owner},
                {"#o": "Owner"},
            )
        except ConditionFailed:
            return

    def find(self, file: str, version: str) -> VersionRecord | None:
        """The record of one version, read consistently; None where there is none."""
        item = self._get(file, VERSION_PREFIX + version)
        return to_record(item) if item else None

    def begin(
        self, lease: Lease, version: str, *, run: str = "", sequencer: str = "", again: bool = False
    ) -> None:
        """Open the version's record for this attempt: a new one, or one to go on with.

        With `again`, what an earlier ingest of the version left is forgotten. A version of the file
        that was worked on before and is not finished becomes `superseded`.
        """
        now = self._now()
        changes = [
            "#s = :running",
            "Attempt = :attempt",
            "VersionId = :version",
            "Sequencer = :sequencer",
            "ExpiresAt = :expires",
            "Reasons = if_not_exists(Reasons, :nothing)",
        ]
        values: dict[str, Any] = {
            ":running": RUNNING,
            ":attempt": lease.attempt,
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
        if run:
            changes.append("RunId = :run")
            values[":run"] = run
        expression = "SET " + ", ".join(changes)
        if again:
            expression += " REMOVE Progress, NotifiedAt, NotifiedBy, FinishedAt, Outcome, #e"
        try:
            self._update(
                lease.file,
                VERSION_PREFIX + version,
                expression,
                "attribute_not_exists(Attempt) OR Attempt < :attempt",
                values,
                names,
            )
        except ConditionFailed:
            raise _lost(lease) from None
        if lease.current_version not in ("", version):
            self.supersede(lease.file, lease.current_version)
        self._as_holder(lease, "SET CurrentVersion = :version", {":version": version})

    def save_progress(self, lease: Lease, version: str, progress: Progress) -> None:
        """Where a later attempt can go on. Raises LeaseLostError."""
        self._as_attempt(lease, version, "SET Progress = :p", {":p": progress.to_json()})

    def finish(
        self,
        lease: Lease,
        version: str,
        status: str,
        outcome: str,
        counts: Counts,
        *,
        error: str = "",
        rejected_rows_at: str = "",
        milliseconds: int = 0,
    ) -> None:
        """The rows are settled: `written`, or `failed` for good. The e-mail comes after this."""
        self._as_attempt(
            lease,
            version,
            "SET #s = :status, Outcome = :outcome, Counts = :counts, FinishedAt = :at, #e = :error, "
            "RejectedRowsAt = :kept, Milliseconds = :ms, ExpiresAt = :expires",
            {
                ":status": status,
                ":outcome": outcome,
                ":counts": {name: getattr(counts, name) for name in Counts.__slots__},
                ":at": utc(self._now()),
                ":error": error,
                ":kept": rejected_rows_at,
                ":ms": milliseconds,
                ":expires": self._expiry(),
            },
            {"#s": "Status", "#e": "Error"},
        )

    def mark_notified(self, lease: Lease, record: VersionRecord, by: str) -> None:
        """The e-mail about this version was sent by `by` (an e-mail's id, or the run that tells)."""
        status = NOTIFIED if record.status == WRITTEN else record.status
        self._as_attempt(
            lease,
            record.version,
            "SET #s = :status, NotifiedAt = :at, NotifiedBy = :by",
            {":status": status, ":at": utc(self._now()), ":by": by},
            {"#s": "Status"},
        )

    def supersede(self, file: str, version: str, sequencer: str = "") -> None:
        """The version is no longer the key's current one; a finished one stays as it is."""
        now = self._now()
        try:
            self._update(
                file,
                VERSION_PREFIX + version,
                "SET #s = :superseded, VersionId = :version, Sequencer = :sequencer, #d = :day, "
                "StartedAt = if_not_exists(StartedAt, :now), FinishedAt = :now, ExpiresAt = :expires",
                "attribute_not_exists(#s) OR #s = :running",
                {
                    ":superseded": SUPERSEDED,
                    ":running": RUNNING,
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

    def note_failed_try(self, file: str, version: str, message: str, reason: str) -> None:
        """Keep why a try failed, by SQS message id (or the run's name)."""
        now = self._now()
        key = VERSION_PREFIX + version
        kept = reason[:REASONS_KEPT_CHARACTERS]
        self._update(
            file,
            key,
            "SET Reasons = if_not_exists(Reasons, :nothing), VersionId = :version, "
            "#s = if_not_exists(#s, :running), #d = if_not_exists(#d, :day), "
            "StartedAt = if_not_exists(StartedAt, :now), ExpiresAt = :expires",
            None,
            {
                ":nothing": {},
                ":version": version,
                ":running": RUNNING,
                ":day": utc(now)[:10],
                ":now": utc(now),
                ":expires": self._expiry(),
            },
            {"#s": "Status", "#d": "Day"},
        )
        self._update(
            file, key, "SET Reasons.#m = :reason", None, {":reason": kept}, {"#m": message or "-"}
        )

    def reopen(self, file: str, version: str) -> bool:
        """Let a failed version be worked on again, from where it was. False where it had not failed."""
        try:
            self._update(
                file,
                VERSION_PREFIX + version,
                "SET #s = :running REMOVE NotifiedAt, NotifiedBy, FinishedAt",
                "#s = :failed",
                {":running": RUNNING, ":failed": FAILED},
                {"#s": "Status"},
            )
        except ConditionFailed:
            return False
        return True

    def history(self, file: str) -> list[VersionRecord]:
        """Every version of a file, in the order they were begun."""
        found = self._query(
            KeyConditionExpression="#f = :file AND begins_with(#k, :version)",
            ExpressionAttributeNames={"#f": "File", "#k": "Entry"},
            ExpressionAttributeValues=pack({":file": file, ":version": VERSION_PREFIX}),
            ConsistentRead=True,
        )
        return sorted(found, key=lambda record: record.started_at)

    def recent(self, days: int = 7) -> Iterator[VersionRecord]:
        """The ingests of the last days over all files, newest first. One Query for each day."""
        today = datetime.fromtimestamp(self._now(), UTC)
        for back in range(days):
            yield from self._query(
                IndexName="RecentIndex",
                KeyConditionExpression="#d = :day",
                ExpressionAttributeNames={"#d": "Day"},
                ExpressionAttributeValues=pack(
                    {":day": (today - timedelta(days=back)).date().isoformat()}
                ),
                ScanIndexForward=False,
            )

    def of_run(self, run: str) -> Iterator[VersionRecord]:
        """The ingests that one run (a backfill) began."""
        yield from self._query(
            IndexName="RunIndex",
            KeyConditionExpression="RunId = :run",
            ExpressionAttributeValues=pack({":run": run}),
        )

    def _expiry(self) -> int:
        return int(self._now()) + KEEP_DAYS * 24 * 3600

    def _query(self, **request: Any) -> Iterator[VersionRecord]:
        while True:
            answer = self._client.query(TableName=self.table, **request)
            yield from (to_record(unpack(item)) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _get(self, file: str, entry: str) -> dict[str, Any]:
        answer = self._client.get_item(
            TableName=self.table, Key=pack({"File": file, "Entry": entry}), ConsistentRead=True
        )
        return unpack(answer.get("Item", {}))

    def _as_holder(self, lease: Lease, changes: str, values: dict[str, Any]) -> None:
        try:
            self._update(
                lease.file,
                HEAD,
                changes,
                "#o = :owner AND Attempt = :attempt",
                values | {":owner": lease.owner, ":attempt": lease.attempt},
                {"#o": "Owner"},
            )
        except ConditionFailed:
            raise _lost(lease) from None

    def _as_attempt(
        self,
        lease: Lease,
        version: str,
        changes: str,
        values: dict[str, Any],
        names: dict[str, str] | None = None,
    ) -> None:
        try:
            self._update(
                lease.file,
                VERSION_PREFIX + version,
                changes,
                "Attempt = :attempt",
                values | {":attempt": lease.attempt},
                names or {},
            )
        except ConditionFailed:
            raise _lost(lease) from None

    def _update(
        self,
        file: str,
        entry: str,
        changes: str,
        condition: str | None,
        values: dict[str, Any],
        names: dict[str, str],
    ) -> dict[str, Any]:
        request: dict[str, Any] = {
            "TableName": self.table,
            "Key": pack({"File": file, "Entry": entry}),
            "UpdateExpression": changes,
            "ExpressionAttributeValues": pack(values),
            "ReturnValues": "ALL_NEW",
        }
        if condition:
            request["ConditionExpression"] = condition
        if names:
            request["ExpressionAttributeNames"] = names
        try:
            answer = self._client.update_item(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise ConditionFailed from None
            raise
        return unpack(answer["Attributes"])


class ConditionFailed(FestivalError):  # noqa: N818 - DynamoDB's own word for it
    """The item was not as the write demanded."""


def _lost(lease: Lease) -> LeaseLostError:
    return LeaseLostError(
        f"attempt {lease.attempt} at {lease.file} was overtaken by a later one and stops here"
    )
