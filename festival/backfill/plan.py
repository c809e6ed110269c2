"""What a backfill would do: the bucket's files, their ledger entries, and what they would cost."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from festival.analysis.cost.forecast import MB_PER_VCPU, ROWS_PER_CPU_SECOND, ingest_time
from festival.analysis.cost.prices import known_regions, price_list
from festival.errors import FestivalError
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.records import Status, VersionRecord
from festival.ingest.s3_object import unversioned
from festival.ingest.sidecar import SIDECAR, AppliedMapping, applied_mapping
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.text import counted
from festival.threads import at_once

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A row's bytes in a file, measured on real lineups; a plan estimates, a run counts.
ROW_BYTES = {"csv": 60, "json": 150}
GZIP_RATIO = 6
# A new row is written to the table and three indexes; an existing, unchanged row is written to the
# table only ("Working with items and attributes", write capacity).
NEW_ROW_UNITS, SAME_ROW_UNITS = 4, 1
# A file takes about ten calls to S3 and the ledger, one after the other.
SECONDS_A_FILE = 0.3
FILES_AT_ONCE = 4
LOOK_UPS_AT_ONCE = 16

NEW, UNFINISHED, DONE, FAILED_BEFORE = "new", "unfinished", "done", "failed before"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of a bucket's files: under a prefix, changed since and until, matching a glob.

    `since` and `until` are `YYYY-MM-DD` (the whole day, UTC) or ISO date-times; both are included.
    """

    bucket: str
    prefix: str = ""
    since: str | None = None
    until: str | None = None
    glob: str = "*"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """The current version of one object. `has_sidecar`: there is a mapping beside it."""

    key: str
    version: str
    bytes: int
    modified: datetime
    has_sidecar: bool = False


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file, what the ledger knows about this very version, and whether to ingest it."""

    listed: ListedFile
    state: str
    ingest: bool
    counted: int | None = None

    @property
    def rows(self) -> int:
        """Rows as the ledger counted them in this version, else estimated from size and name."""
        if self.counted is not None:
            return self.counted
        name = self.listed.key.lower()
        plain = self.listed.bytes * (GZIP_RATIO if name.endswith(".gz") else 1)
        return -(-plain // ROW_BYTES["json" if ".json" in name else "csv"])


@dataclass(frozen=True, slots=True)
class Effort:
    """The work that files take: one model for the plan, the choice of engine and the report.

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
        """The longest of three: the calls for each file, the processor, the hottest partition.

        That partition is PopularityIndex's, whoever writes: more workers do not make it faster.
        """
        calls = self.files * SECONDS_A_FILE / files_at_once
        return max(calls, self.rows / (ROWS_PER_CPU_SECOND * cores), self._partition_seconds)

    def fleet_seconds(self, workers: int, memory_mb: int = 256) -> float:
        """The same for this many workers of the function, each with its share of a processor."""
        return self.seconds(workers, workers * min(1.0, memory_mb / MB_PER_VCPU))

    @property
    def _partition_seconds(self) -> float:
        return ingest_time(self.new_rows).partitions.median

    def dollars(self, price: float | None) -> float | None:
        """What the writes cost at this price per write unit; None without a price."""
        return None if price is None else self.write_units * price


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """The files in the order they are ingested, oldest first.

    `price` is for one write unit in US dollars, None if there are no prices for the region.
    """

    bucket: str
    files: tuple[PlannedFile, ...]
    price: float | None = None

    @property
    def effort(self) -> Effort:
        """The work that the files to ingest are estimated to take."""
        files = self.to_ingest
        same = sum(file.rows for file in files if file.state == DONE)
        return Effort(len(files), sum(file.rows for file in files) - same, same)

    @property
    def dollars(self) -> float | None:
        return self.effort.dollars(self.price)

    @property
    def minutes(self) -> float:
        """By this process."""
        return self.effort.seconds() / 60

    @property
    def to_ingest(self) -> tuple[PlannedFile, ...]:
        return tuple(file for file in self.files if file.ingest)

    @property
    def failed_before(self) -> tuple[PlannedFile, ...]:
        """Files whose current version could not be kept, and is not tried again now."""
        return tuple(file for file in self.files if file.state == FAILED_BEFORE and not file.ingest)


def list_files(s3: "S3Client", selection: Selection) -> list[ListedFile]:
    """The current version of each selected lineup, oldest first (docs: ListObjectVersions).

    Sidecars that hold a mapping are not lineups. Raises FestivalError if the bucket does not exist
    or may not be listed, if `since` or `until` is not a date, or if nothing is selected.
    """
    since = _moment(selection.since, "since")
    until = _moment(selection.until, "until", end=True)
    try:
        everything = _lineups(_current_versions(s3, selection.bucket, selection.prefix))
    except (ClientError, BotoCoreError) as error:
        raise FestivalError(f"bucket {selection.bucket!r} cannot be listed: {error}") from error
    found = [
        listed
        for listed in everything
        if fnmatchcase(listed.key, selection.glob)
        and (since is None or listed.modified >= since)
        and (until is None or listed.modified <= until)
    ]
    if not found:
        where = f"s3://{selection.bucket}/{selection.prefix}"
        why = f"none of its {len(everything):,} files matches {_said(selection)}"
        raise FestivalError(f"nothing to ingest in {where}: {why if everything else 'it is empty'}")
    return sorted(found, key=lambda listed: (listed.modified, listed.key))


def look_up(
    ledger: Ledger,
    bucket: str,
    files: Sequence[ListedFile],
    *,
    s3: "S3Client | None" = None,
    mapping: LineupMapping = DEFAULT_MAPPING,
) -> list[tuple[ListedFile, VersionRecord | None]]:
    """Each file with the ledger's record of its current version, read with its current mapping.

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
    """Decide what to ingest. Pure.

    Without `again`, files whose same version the ledger shows as done are skipped.
    """
    planned = tuple(_planned(listed, record, again) for listed, record in files)
    price = price_list(region)["dynamodb_write"].cost(1) if region in known_regions() else None
    return BackfillPlan(bucket, planned, price)


def plan_rows(plan: BackfillPlan) -> list[dict[str, Any]]:
    """A table with one row per file: size, rows, when it came, what is next and why."""
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
        return PlannedFile(listed, NEW, ingest=True)
    if not record.is_settled:  # unfinished, or overtaken by a version that has since been undone
        return PlannedFile(listed, UNFINISHED, ingest=True)
    state = FAILED_BEFORE if record.status == Status.FAILED else DONE
    return PlannedFile(listed, state, ingest=again, counted=record.counts.read)


def _lineups(objects: Iterable[ListedFile]) -> list[ListedFile]:
    """The objects that are not sidecars, each knowing whether it has one."""
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
                    version = unversioned(entry["ETag"], modified)
                yield ListedFile(entry["Key"], version, entry["Size"], modified)


def _moment(text: str | None, what: str, *, end: bool = False) -> datetime | None:
    """A day (its end with `end`) or a date-time, in UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise FestivalError(
            f"{what} {text!r}: expected YYYY-MM-DD, or a date-time such as 2025-07-11T18:00"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    whole_day = re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None
    return moment + timedelta(days=1, microseconds=-1) if end and whole_day else moment


def _said(selection: Selection) -> str:
    said = [f"glob {selection.glob!r}"]
    said += [f"since {selection.since}"] if selection.since else []
    said += [f"until {selection.until}"] if selection.until else []
    return ", ".join(said)
