"""What a file, a folder or a prefix of lineups would come to: the validate notebook's work."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from festival.analysis.checks import Finding
from festival.errors import FestivalError, LineupError
from festival.ingest.mappings import SIDECAR, applied_mapping
from festival.ingest.pipeline import ingest_blocks
from festival.ingest.report import FAILURE, Counts, IngestReport
from festival.ingest.source import current_object, object_chunks
from festival.ingest.tally import Tally
from festival.lineup.mapping import DEFAULT_MAPPING, Mapping
from festival.lineup.model import Performance
from festival.lineup.read import read_lineup
from festival.table.writer import WriteOutcome

S3 = "s3://"
CHUNK_BYTES = 256 * 1024
LINEUP_ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class Checked:
    """One file as an ingest would take it: its report, and its performances, in memory."""

    file: str
    report: IngestReport
    performances: list[Performance]


@dataclass(frozen=True, slots=True)
class Source:
    """A lineup to check: its name, its bytes, and the mapping it is read with."""

    name: str
    chunks: Iterable[bytes]
    mapping: Mapping = DEFAULT_MAPPING


def check_lineups(
    source: str, clients: Any = None, mapping: str | None = None
) -> Iterator[Checked]:
    """Every lineup of a source, checked; nothing is written.

    `source` is a file, a folder or `s3://bucket/prefix`; of a folder or prefix, what is named like
    a lineup (`.csv`, `.json`, …, also with `.gz`). `clients` (`ingest.clients.Clients`) are for S3.
    A file is read with the mapping beside it (`NAME.mapping.json`), else with that of the file
    `mapping`. Raises FestivalError where there is nothing to check, or no such mapping.
    """
    default = _mapping_file(Path(mapping)) if mapping else DEFAULT_MAPPING
    nothing = True
    for found in _sources(source, clients, default):
        nothing = False
        yield check_lineup(found.name, found.chunks, found.mapping)
    if nothing:
        endings = ", ".join(LINEUP_ENDINGS)
        raise FestivalError(f"no lineup in {source}: expected names that end in {endings}")


def check_lineup(name: str, chunks: Iterable[bytes], mapping: Mapping = DEFAULT_MAPPING) -> Checked:
    """One lineup, checked. Of rows with one key the last is kept, as the table would keep it."""
    kept, tally = _Kept(), Tally(source=name)
    ended = ingest_blocks(read_lineup(chunks, mapping=mapping), tally, kept)
    return Checked(name, tally.report(name, error=ended.error), list(kept.by_key.values()))


def together(checked: Iterable[Checked]) -> list[Performance]:
    """The performances of all files; of one key, those of the last file, as the table has them."""
    by_key = {row.key: row for one in checked for row in one.performances}
    return list(by_key.values())


def require_clean(checked: Iterable[Checked]) -> None:
    """Raises FestivalError where a row was rejected or a file could not be read."""
    files = list(checked)
    refused = [one for one in files if one.report.counts.rejected]
    broken = [one.file for one in files if one.report.status == FAILURE]
    rows = sum(one.report.counts.rejected for one in refused)
    if broken:
        raise FestivalError(f"strict: {', '.join(broken)} could not be kept; see the reasons above")
    if rows:
        raise FestivalError(
            f"strict: {rows:,} rows rejected in {len(refused)} of {len(files)} files"
        )


def verdict(checked: Iterable[Checked], findings: Iterable[Finding]) -> str:
    """The whole check in one sentence."""
    files = list(checked)
    counts = sum((one.report.counts for one in files), Counts())
    broken = sum(one.report.status == FAILURE for one in files)
    return (
        f"{len(files)} files, {counts.read:,} rows: {counts.written:,} would be written, "
        f"{counts.rejected:,} rejected, {counts.duplicates:,} are duplicates; {broken} files could "
        f"not be kept; {len(list(findings)):,} findings to look at."
    )


class _Kept:
    """Takes performances as the table's writer would, and keeps the last of each key."""

    def __init__(self) -> None:
        self.by_key: dict[tuple[str, str], Performance] = {}
        self.deadline = inf
        self.stopped = ""

    def put(self, performances: list[Performance]) -> None:
        self.by_key.update((row.key, row) for row in performances)

    def flush(self) -> WriteOutcome:
        return WriteOutcome((), (), "", 0, 0, 0)


def _sources(source: str, clients: Any, default: Mapping) -> Iterator[Source]:
    if source.startswith(S3):
        yield from _objects(source, clients.s3, default)
    elif Path(source).is_dir():
        for path in sorted(path for path in Path(source).rglob("*") if path.is_file()):
            if _is_named_like_a_lineup(path.name):
                yield _file(str(path.relative_to(source)), path, default)
    else:
        yield _file(source, Path(source), default)


def _objects(source: str, s3: Any, default: Mapping) -> Iterator[Source]:
    bucket, _, prefix = source.removeprefix(S3).partition("/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for key in [entry["Key"] for page in pages for entry in page.get("Contents", [])]:
        if key == prefix or _is_named_like_a_lineup(key):
            applied = applied_mapping(s3, bucket, key, default)
            chunks = _refused(applied.problem) if applied.problem else _object(s3, bucket, key)
            yield Source(f"{S3}{bucket}/{key}", chunks, applied.mapping)


def _file(name: str, path: Path, default: Mapping) -> Source:
    sidecar = path.with_name(path.name + SIDECAR)
    try:
        mapping = _mapping_file(sidecar) if sidecar.is_file() else default
    except FestivalError as error:
        return Source(name, _refused(str(error)))
    return Source(name, _bytes(path), mapping)


def _mapping_file(path: Path) -> Mapping:
    try:
        return Mapping.from_json(path.read_bytes())
    except OSError as error:
        raise FestivalError(f"mapping {path}: {error.strerror or error}") from None
    except LineupError as error:
        raise LineupError(f"{path.name}: {error}") from None


def _is_named_like_a_lineup(name: str) -> bool:
    plain = name.lower().removesuffix(".gz")
    return plain.endswith(LINEUP_ENDINGS) and not plain.endswith(SIDECAR)


def _bytes(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as opened:
            while chunk := opened.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise LineupError(f"cannot be read: {error.strerror or error}") from None


def _object(s3: Any, bucket: str, key: str) -> Iterator[bytes]:
    stored = current_object(s3, bucket, key)
    if stored is None:
        raise LineupError("was deleted while it was looked for")
    yield from object_chunks(s3, stored)


def _refused(why: str) -> Iterator[bytes]:
    """No bytes, and the reason as a reader of the file would meet it."""
    yield from ()
    raise LineupError(why)
