"""What a backfill would do: the bucket's files, what the ledger knows of them, what they cost."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from festival.analysis.cost.ingest_time import ROWS_PER_CPU_SECOND, Spread
from festival.analysis.cost.prices import known_regions, price_list
from festival.errors import FestivalError
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.records import Status, VersionRecord
from festival.ingest.s3_object import unversioned
from festival.ingest.sidecar import SIDECAR, AppliedMapping, applied_mapping
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.table.schema import PARTITION_LIMIT
from festival.threads import at_once

# What a row takes in a file, as measured on real lineups; a plan estimates, a run counts.
ROW_BYTES = {"csv": 60, "json": 150}
GZIP_RATIO = 6
WRITE_UNITS_PER_ROW = 4
LOOK_UPS_AT_ONCE = 16

NEW, UNFINISHED, DONE, FAILED_BEFORE = "new", "unfinished", "done", "failed before"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files of a bucket: under a prefix, changed since and until, matching a glob.

    `since` and `until` are `YYYY-MM-DD` (the whole day, UTC) or ISO date-times; both are included.
    """

    bucket: str
    prefix: str = ""
    since: str | None = None
    until: str | None = None
    glob: str = "*"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """The current version of one object. `has_sidecar`: its mapping lies beside it."""

    key: str
    version: str
    bytes: int
    modified: datetime
    has_sidecar: bool = False


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file, what the ledger knows of this very version, and whether it is to be ingested."""

    listed: ListedFile
    state: str
    ingest: bool

    @property
    def rows(self) -> int:
        """Rows, estimated by the file's size and name."""
        name = self.listed.key.lower()
        plain = self.listed.bytes * (GZIP_RATIO if name.endswith(".gz") else 1)
        return -(-plain // ROW_BYTES["json" if ".json" in name else "csv"])


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """The files in the order they are ingested, oldest first, and what that is estimated to take.

    `dollars` is None where there are no prices for the region.
    """

    bucket: str
    files: tuple[PlannedFile, ...]
    dollars: float | None
    minutes: float

    @property
    def to_ingest(self) -> tuple[PlannedFile, ...]:
        return tuple(file for file in self.files if file.ingest)

    @property
    def failed_before(self) -> tuple[PlannedFile, ...]:
        """Files whose present version could not be kept, and is not tried again now."""
        return tuple(file for file in self.files if file.state == FAILED_BEFORE and not file.ingest)


def list_files(s3: Any, selection: Selection) -> list[ListedFile]:
    """The current version of each selected lineup, oldest first (docs: ListObjectVersions).

    Sidecars with a mapping are not lineups. Raises FestivalError for a bucket that is not there or
    may not be listed, for a day that is none, and where nothing is selected.
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
        and (until is None or listed.modified < until)
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
    s3: Any = None,
    mapping: LineupMapping = DEFAULT_MAPPING,
) -> list[tuple[ListedFile, VersionRecord | None]]:
    """Each file with what the ledger has of its current version, read with its current mapping.

    `s3` reads the sidecars, and `mapping` is for files without one. Raises FestivalError where the
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
    """Decide what to ingest, and estimate what it takes. Pure.

    What the ledger shows as done for the same version is skipped, unless `again`. Dollars are the
    write units of new rows; minutes are the longer of this process's processor time and the hottest
    partition's, with rows of an ordinary spread.
    """
    planned = tuple(_planned(listed, record, again) for listed, record in files)
    rows = sum(file.rows for file in planned if file.ingest)
    _, share = Spread().hottest()
    seconds = max(rows / ROWS_PER_CPU_SECOND, rows * share / PARTITION_LIMIT)
    dollars = None
    if region in known_regions():
        dollars = price_list(region)["dynamodb_write"].cost(rows * WRITE_UNITS_PER_ROW)
    return BackfillPlan(bucket, planned, dollars, seconds / 60)


def plan_rows(plan: BackfillPlan) -> list[dict[str, Any]]:
    """One row of a table for each file: size, rows, when it came, what is next and why."""
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
    files = plan.to_ingest
    size = sum(file.listed.bytes for file in files)
    rows = sum(file.rows for file in files)
    cost = "no prices for this region" if plan.dollars is None else f"${plan.dollars:,.4f}"
    return (
        f"{len(files):,} of {len(plan.files):,} files to ingest, {size:,} bytes, about {rows:,} "
        f"rows; about {cost} for writes and {plan.minutes:,.1f} minutes"
    )


def _planned(listed: ListedFile, record: VersionRecord | None, again: bool) -> PlannedFile:
    if record is None:
        return PlannedFile(listed, NEW, ingest=True)
    if not record.is_done:
        return PlannedFile(listed, UNFINISHED, ingest=True)
    state = FAILED_BEFORE if record.status == Status.FAILED else DONE
    return PlannedFile(listed, state, ingest=again)


def _lineups(objects: Iterable[ListedFile]) -> list[ListedFile]:
    """The objects that are no sidecars, each knowing whether it has one."""
    by_key = {listed.key: listed for listed in objects}
    return [
        replace(listed, has_sidecar=key + SIDECAR in by_key)
        for key, listed in by_key.items()
        if not key.endswith(SIDECAR)
    ]


def _current_versions(s3: Any, bucket: str, prefix: str) -> Iterator[ListedFile]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Versions", []):
            if entry["IsLatest"] and not entry["Key"].endswith("/"):
                version, modified = entry["VersionId"], entry["LastModified"]
                if version == "null":
                    version = unversioned(entry["ETag"], modified)
                yield ListedFile(entry["Key"], version, entry["Size"], modified)


def _moment(text: str | None, what: str, *, end: bool = False) -> datetime | None:
    """A day (its end with `end`) or a date-time, in UTC where it does not say."""
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
    return moment + timedelta(days=1) if end and whole_day else moment


def _said(selection: Selection) -> str:
    said = [f"glob {selection.glob!r}"]
    said += [f"since {selection.since}"] if selection.since else []
    said += [f"until {selection.until}"] if selection.until else []
    return ", ".join(said)
