"""The ledger's record of one ingest, as values: its status, its progress, its results."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import Any, NamedTuple

from festival.errors import Remedy
from festival.ingest.report import Counts, IngestReport, Outcome

VERSION_PREFIX = "VERSION#"
MESSAGE_FILE = "message/"  # in place of a file, for a message that names none


class Status(StrEnum):
    """How far one ingest of one version has come."""

    RUNNING = "running"
    WRITTEN = "written"
    NOTIFIED = "notified"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class Progress(NamedTuple):
    """A large file's progress: where to continue, and the counts so far.

    `preview` has the first rejections and warnings, for the e-mail. `continues` is the attempt
    whose continuation message may continue the file; any other is stale.
    """

    position: Mapping[str, Any]
    counts: Counts
    preview: Mapping[str, Any] = {}
    continues: int = 0

    def to_json(self) -> str:
        return json.dumps(
            {
                "position": dict(self.position),
                "counts": asdict(self.counts),
                "shown": dict(self.preview),
                "continues": self.continues,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Progress":
        saved = json.loads(text)
        continues = saved.get("continues", saved.get("nudge", 0))  # as earlier versions called it
        return cls(saved["position"], Counts(**saved["counts"]), saved["shown"], continues)


class VersionRecord(NamedTuple):
    """One ingest of one version of a file, as the ledger has it. Times are ISO 8601 in UTC.

    `preview` has the first rejections and warnings, for the e-mail. `progress` is the text that
    `Reports.save_progress` returned. `removed_at` is when the file was deleted from its bucket,
    `overtaken_by` the version that was ingested after this one.
    """

    file: str
    version: str
    status: Status
    attempt: int = 0
    outcome: str = ""
    counts: Counts = Counts()
    error: str = ""
    remedy: Remedy = Remedy.FILE
    started_at: str = ""
    finished_at: str = ""
    notified_at: str = ""
    notified_by: str = ""
    sequencer: str = ""
    rejected_rows_at: str = ""
    milliseconds: int = 0
    preview: Mapping[str, Any] = {}
    progress: str = ""
    reasons: Mapping[str, str] = {}
    given_up: bool = False
    reconciled_at: str = ""
    removed: int = 0
    removed_at: str = ""
    overtaken_by: str = ""

    @property
    def is_done(self) -> bool:
        """Nothing is left to do: no row, no e-mail."""
        return self.status in (Status.NOTIFIED, Status.SUPERSEDED) or (
            self.status == Status.FAILED and bool(self.notified_at)
        )

    @property
    def is_settled(self) -> bool:
        """It is done, and the table has it: no other version was ingested after it."""
        return self.is_done and self.status != Status.SUPERSEDED and not self.overtaken_by

    @property
    def advice(self) -> str:
        """What a person reading the history should know or do; '' if nothing."""
        if self.removed_at:
            return (
                f"deleted from its bucket at {self.removed_at}; its performances stay in the table"
            )
        if self.is_done:
            return ""
        if self.file.startswith(MESSAGE_FILE):
            return "a message that was not understood: `festival dlq` shows it"
        return (
            "not finished yet: it is tried again while its message is in the queue. If "
            "`festival status` shows an empty queue, put it back with `festival dlq --redrive` or "
            f"continue with `festival ingest s3://{self.file}`"
        )

    @property
    def awaits_notice(self) -> bool:
        """Its rows are settled, but its e-mail is not known to have been sent."""
        return not self.is_done and self.status in (Status.WRITTEN, Status.FAILED)

    @property
    def is_in_table(self) -> bool:
        """It was read to its end, and some of its rows are in the table."""
        return self.status in (Status.WRITTEN, Status.NOTIFIED) and self.outcome != Outcome.FAILURE

    @property
    def report(self) -> IngestReport:
        """The ingest's report from what the ledger has: counts, first rejections and warnings."""
        return IngestReport(
            self.file,
            self.counts,
            self.preview.get("rejections", []),
            self.preview.get("warnings", []),
            [],
            self.error,
            self.version,
            self.rejected_rows_at,
            self.given_up,
            self.remedy,
        )


def to_record(item: Mapping[str, Any]) -> VersionRecord:
    """A version's item, unpacked, as a VersionRecord."""
    return VersionRecord(
        file=item["File"],
        version=item["Entry"].removeprefix(VERSION_PREFIX),
        status=Status(item.get("Status", Status.RUNNING)),
        attempt=item.get("Attempt", 0),
        outcome=item.get("Outcome", ""),
        counts=Counts(**item.get("Counts", {})),
        error=item.get("Error", ""),
        remedy=Remedy(item.get("Remedy", Remedy.FILE)),
        given_up=bool(item.get("GivenUp")),
        started_at=item.get("StartedAt", ""),
        finished_at=item.get("FinishedAt", ""),
        notified_at=item.get("NotifiedAt", ""),
        notified_by=item.get("NotifiedBy", ""),
        sequencer=item.get("Sequencer", ""),
        rejected_rows_at=item.get("RejectedRowsAt", ""),
        milliseconds=item.get("Milliseconds", 0),
        preview=json.loads(item.get("Shown", "{}")),
        progress=item.get("Progress", ""),
        reasons=item.get("Reasons", {}),
        reconciled_at=item.get("ReconciledAt", ""),
        removed=item.get("Removal", {}).get("removed", 0),
        removed_at=item.get("RemovedAt", ""),
        overtaken_by=item.get("OvertakenBy", ""),
    )
