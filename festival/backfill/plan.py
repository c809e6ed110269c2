"""Plans a backfill: a bucket's files, what the ledger knows of them, and what ingesting costs."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from festival.analysis.cost.forecast import MB_PER_VCPU, ROWS_PER_CPU_SECOND, ingest_time
from festival.analysis.cost.prices import known_regions, price_list
from festival.errors import FestivalError
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.records import Status, VersionRecord
from festival.ingest.s3_object import stand_in_version
from festival.ingest.sidecar import SIDECAR, AppliedMapping, applied_mapping
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.text import counted
from festival.threads import at_once

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A row's bytes in a file, measured on real lineups: a plan estimates rows, a run counts them.
ROW_BYTES = {"csv": 60, "json": 150}
GZIP_RATIO = 6
# A new row is written to the table and three indexes; an existing, unchanged row is written to the
# table only ("Working with items and attributes", write capacity).
NEW_ROW_UNITS, SAME_ROW_UNITS = 4, 1
# A file takes about ten calls to S3 and the ledger, one after the other.
SECONDS_A_FILE = 0.3
FILES_AT_ONCE = 4
LOOK_UPS_AT_ONCE = 16


class FileState(StrEnum):
    """What the ledger says about a file's current version."""

    NEW = "new"
    UNFINISHED = "unfinished"
    DONE = "done"
    FAILED_BEFORE = "failed before"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of a bucket's files: those under a prefix, changed in a period, matching a glob.

    `since` and `until` are `YYYY-MM-DD` (the whole day, UTC) or ISO date-times; both are inclusive.
    """

    bucket: str
    prefix: str = ""
    since: str | None = None
    until: str | None = None
    glob: str = "*"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """The current version of one object. `has_sidecar` says that a mapping is beside it."""

    key: str
    version: str
    bytes: int
    modified: datetime
    has_sidecar: bool = False


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file, what the ledger says about its version, and whether to ingest it.

    `counted` are the rows that the ledger counted in this version, if any.
    """

    listed: ListedFile
    state: FileState
    ingest: bool
    counted: int | None = None

    @property
    def rows(self) -> int:
        """The counted rows, else an estimate from the file's size and name."""
        if self.counted is not None:
            return self.counted
        name = self.listed.key.lower()
        plain = self.listed.bytes * (GZIP_RATIO if name.endswith(".gz") else 1)
        return -(-plain // ROW_BYTES["json" if ".json" in name else "csv"])


@dataclass(frozen=True, slots=True)
class Effort:
    """The work that files take. The plan, the choice of engine and the report all use this model.

    `same_rows` are already in the table with the same values.

    >>> Effort(files=1, new_rows=1_000, same_rows=1_000).write_units
    5000
    """

    files: int
    new_rows: int
    same_rows: int = 0

    @property
    def rows(self) -> int:
        return self.new_rows + self.same_rows

    @property
    def write_units(self) -> int:
        return self.new_rows * NEW_ROW_UNITS + self.same_rows * SAME_ROW_UNITS

    def seconds(self, files_at_once: int = FILES_AT_ONCE, cores: float = 1.0) -> float:
        """The longest of three: the calls for each file, the processor time, the hottest partition.

        That partition is PopularityIndex's: more workers do not make it faster.
        """
        calls = self.files * SECONDS_A_FILE / files_at_once
        return max(calls, self.rows / (ROWS_PER_CPU_SECOND * cores), self._partition_seconds)

    def fleet_seconds(self, workers: int, memory_mb: int = 256) -> float:
        """The same for `workers` invocations at once, each with its share of a processor."""
        return self.seconds(workers, workers * min(1.0, memory_mb / MB_PER_VCPU))

    @property
    def _partition_seconds(self) -> float:
        return ingest_time(self.new_rows).partitions.median

    def dollars(self, price: float | None) -> float | None:
        """What the writes cost at this price per write unit; None without a price."""
        return None if price is None else self.write_units * price


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """The files in the order in which they are ingested, oldest first.

    `price` is that of one write unit, in US dollars; None if the region's prices are unknown.
    """

    bucket: str
    files: tuple[PlannedFile, ...]
    price: float | None = None

    @property
    def effort(self) -> Effort:
        """The estimated work for the files to ingest."""
        files = self.to_ingest
        same = sum(file.rows for file in files if file.state == FileState.DONE)
        return Effort(len(files), sum(file.rows for file in files) - same, same)

    @property
    def dollars(self) -> float | None:
        return self.effort.dollars(self.price)

    @property
    def minutes(self) -> float:
        """How long this process would take."""
        return self.effort.seconds() / 60

    @property
    def to_ingest(self) -> tuple[PlannedFile, ...]:
        return tuple(file for file in self.files if file.ingest)

    @property
    def failed_before(self) -> tuple[PlannedFile, ...]:
        """Files whose current version failed in an earlier run, and is not tried again now."""
        return tuple(
            file for file in self.files if file.state == FileState.FAILED_BEFORE and not file.ingest
        )


def list_files(s3: "S3Client", selection: Selection) -> list[ListedFile]:
    """The current version of each selected lineup, oldest first (docs: ListObjectVersions).

    Sidecars (mappings) are left out. Raises FestivalError if the bucket does not exist
    or may not be listed, if `since` or `until` is not a date, or if nothing is selected.
    """
    since = _moment(selection.since, "since")
    until = _moment(selection.until, "until", end=True)
    try:
        lineups = _lineups(_current_versions(s3, selection.bucket, selection.prefix))
    except (ClientError, BotoCoreError) as error:
        raise FestivalError(f"bucket {selection.bucket!r} cannot be listed: {error}") from error
    selected = [
        listed
        for listed in lineups
        if fnmatchcase(listed.key, selection.glob)
        and (since is None or listed.modified >= since)
        and (until is None or listed.modified <= until)
    ]
    if not selected:
        folder = f"s3://{selection.bucket}/{selection.prefix}"
        reason = f"none of its {len(lineups):,} files matches {_filters(selection)}"
        raise FestivalError(
            f"nothing to ingest in {folder}: {reason if lineups else 'it is empty'}"
        )
    return sorted(selected, key=lambda listed: (listed.modified, listed.key))


def look_up(
    ledger: Ledger,
    bucket: str,
    files: Sequence[ListedFile],
    *,
    s3: "S3Client | None" = None,
    mapping: LineupMapping = DEFAULT_MAPPING,
) -> list[tuple[ListedFile, VersionRecord | None]]:
    """Each file with the ledger's record of its current version and mapping.

    `s3` reads the sidecars, and `mapping` is for files without one. Raises FestivalError if the
    ledger or a sidecar cannot be read.
    """

    def find(listed: ListedFile) -> VersionRecord | None:
        applied = AppliedMapping(mapping, mapping.fingerprint())
        if listed.has_sidecar and s3 is not None:
            applied = applied_mapping(s3, bucket, listed.key, mapping)
        return ledger.find(f"{bucket}/{listed.key}", applied.version(listed.version))

    try:
        return list(zip(files, at_once(find, files, LOOK_UPS_AT_ONCE), strict=True))
    except (ClientError, BotoCoreError) as error:
        raise FestivalError(f"the ledger cannot be read: {error}") from error


def make_plan(
    bucket: str,
    files: Iterable[tuple[ListedFile, VersionRecord | None]],
    *,
    again: bool = False,
    region: str = "",
) -> BackfillPlan:
    """Decide which files to ingest. Pure.

    Without `again`, files whose current version the ledger shows as done are skipped.
    """
    planned = tuple(_planned(listed, record, again) for listed, record in files)
    price = price_list(region)["dynamodb_write"].cost(1) if region in known_regions() else None
    return BackfillPlan(bucket, planned, price)


def plan_rows(plan: BackfillPlan) -> list[dict[str, Any]]:
    """A table with one row per file: size, rows, when it was modified, its state, what is next."""
    return [
        {
            "file": file.listed.key,
            "bytes": file.listed.bytes,
            "rows (estimated)": file.rows,
            "modified": file.listed.modified,
            "ledger": file.state,
            "next": "ingest" if file.ingest else "skip",
        }
        for file in plan.files
    ]


def plan_sentence(plan: BackfillPlan) -> str:
    """The plan in one sentence."""
    size = sum(file.listed.bytes for file in plan.to_ingest)
    effort = plan.effort
    cost = "no prices for this region" if plan.dollars is None else f"${plan.dollars:,.4f}"
    same = f", {effort.same_rows:,} of them unchanged" if effort.same_rows else ""
    return (
        f"{effort.files:,} of {counted(len(plan.files), 'file')} to ingest, {size:,} bytes, about"
        f" {effort.rows:,} rows{same}; about {cost} for writes and {plan.minutes:,.1f} minutes"
    )


def _planned(listed: ListedFile, record: VersionRecord | None, again: bool) -> PlannedFile:
    if record is None:
        return PlannedFile(listed, FileState.NEW, ingest=True)
    if not record.is_settled:  # unfinished, or overtaken by a version that was undone since
        return PlannedFile(listed, FileState.UNFINISHED, ingest=True)
    failed = record.status == Status.FAILED
    state = FileState.FAILED_BEFORE if failed else FileState.DONE
    return PlannedFile(listed, state, ingest=again, counted=record.counts.read)


def _lineups(objects: Iterable[ListedFile]) -> list[ListedFile]:
    """The objects that are not sidecars, marked if they have one."""
    by_key = {listed.key: listed for listed in objects}
    return [
        replace(listed, has_sidecar=key + SIDECAR in by_key)
        for key, listed in by_key.items()
        if not key.endswith(SIDECAR)
    ]


def _current_versions(s3: "S3Client", bucket: str, prefix: str) -> Iterator[ListedFile]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Versions", []):
            if entry["IsLatest"] and not entry["Key"].endswith("/"):
                version, modified = entry["VersionId"], entry["LastModified"]
                if version == "null":
                    version = stand_in_version(entry["ETag"], modified)
                yield ListedFile(entry["Key"], version, entry["Size"], modified)


def _moment(text: str | None, name: str, *, end: bool = False) -> datetime | None:
    """A date-time, or a day's start (its end with `end`), in UTC unless it has an offset."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise FestivalError(
            f"{name} {text!r}: expected YYYY-MM-DD, or a date-time such as 2025-07-11T18:00"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    whole_day = re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None
    return moment + timedelta(days=1, microseconds=-1) if end and whole_day else moment


def _filters(selection: Selection) -> str:
    filters = [f"glob {selection.glob!r}"]
    filters += [f"since {selection.since}"] if selection.since else []
    filters += [f"until {selection.until}"] if selection.until else []
    return ", ".join(filters)
