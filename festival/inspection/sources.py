"""Finds the lineups in a file, a folder or an S3 prefix, each with the mapping beside it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from festival.errors import FestivalError, LineupError
from festival.ingest.s3_object import current_object, object_chunks
from festival.ingest.sidecar import SIDECAR, applied_mapping
from festival.inspection.inspect import SampledFile, inspected
from festival.inspection.reading import inspect_any, read_any
from festival.inspection.result import Inspection
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import Block

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

S3 = "s3://"
CHUNK_BYTES = 256 * 1024
LINEUP_ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".xlsx", ".ics")


@dataclass(frozen=True, slots=True)
class LineupSource:
    """A lineup to read: its name, how to open its bytes, and the mapping it is read with.

    `sheet` is the workbook's sheet to read; None means the only one that has rows.
    """

    name: str
    open: Callable[[], Iterable[bytes]]
    mapping: LineupMapping = DEFAULT_MAPPING
    sheet: str | None = None

    def inspect(self) -> Inspection:
        """Inspect it. A bad file raises nothing: `problem` says why it cannot be read."""
        try:
            return inspect_any(self.open(), mapping=self.mapping, sheet=self.sheet)
        except LineupError as error:
            return inspected(SampledFile(problem=str(error)), self.mapping, lambda mapping: ())

    def blocks(self) -> Iterator[Block]:
        """Read its rows. Raises LineupError as `read_lineup` does."""
        return read_any(self.open(), mapping=self.mapping, sheet=self.sheet)


def existing(source: str) -> str:
    """The source itself. Raises FestivalError for a file or folder that does not exist."""
    if not source:
        raise FestivalError("source is empty: expected a file, a folder or s3://bucket/key")
    if not source.startswith(S3) and not Path(source).exists():
        raise FestivalError(f"{source} is not there: expected a file, a folder or s3://bucket/key")
    return source


def lineups_in(
    source: str, clients: Any = None, mapping: str | None = None
) -> Iterator[LineupSource]:
    """Every lineup of a source: a file, a folder or `s3://bucket/prefix`.

    In a folder or prefix, files named like a lineup (`.csv`, `.json`, `.xlsx`, …, also with `.gz`).
    `clients` (`ingest.clients.Clients`) are for S3. A file is read with the mapping beside it
    (`NAME.mapping.json`), otherwise with the file `mapping`. Raises FestivalError if there is
    nothing to read, or no such mapping.
    """
    default = _mapping_file(Path(mapping)) if mapping else DEFAULT_MAPPING
    is_empty = True
    for lineup in _sources(source, clients, default):
        is_empty = False
        yield lineup
    if is_empty:
        endings = ", ".join(LINEUP_ENDINGS)
        raise FestivalError(f"no lineup in {source}: expected names that end in {endings}")


def _sources(source: str, clients: Any, default: LineupMapping) -> Iterator[LineupSource]:
    if source.startswith(S3):
        yield from _objects(source, clients.s3, default)
    elif Path(source).is_dir():
        for path in sorted(path for path in Path(source).rglob("*") if path.is_file()):
            if _is_named_like_a_lineup(path.name):
                yield _file(str(path.relative_to(source)), path, default)
    else:
        yield _file(source, Path(source), default)


def _objects(source: str, s3: "S3Client", default: LineupMapping) -> Iterator[LineupSource]:
    bucket, _, prefix = source.removeprefix(S3).partition("/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for key in [entry["Key"] for page in pages for entry in page.get("Contents", [])]:
        if key == prefix or _is_named_like_a_lineup(key):
            applied = applied_mapping(s3, bucket, key, default)
            opener = partial(_object, s3, bucket, key)
            if applied.problem:
                opener = partial(_refused, applied.problem)
            yield LineupSource(f"{S3}{bucket}/{key}", opener, applied.mapping)


def _file(name: str, path: Path, default: LineupMapping) -> LineupSource:
    sidecar = path.with_name(path.name + SIDECAR)
    try:
        mapping = _mapping_file(sidecar) if sidecar.is_file() else default
    except FestivalError as error:
        return LineupSource(name, partial(_refused, str(error)))
    return LineupSource(name, partial(_bytes, path), mapping)


def _mapping_file(path: Path) -> LineupMapping:
    try:
        return LineupMapping.from_json(path.read_bytes())
    except OSError as error:
        raise FestivalError(f"mapping {path}: {error.strerror or error}") from None
    except LineupError as error:
        raise LineupError(f"{path.name}: {error}") from None


def _is_named_like_a_lineup(name: str) -> bool:
    plain = name.lower().removesuffix(".gz")
    return plain.endswith(LINEUP_ENDINGS) and not plain.endswith(SIDECAR)


def _bytes(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise LineupError(f"cannot be read: {error.strerror or error}") from None


def _object(s3: "S3Client", bucket: str, key: str) -> Iterator[bytes]:
    stored = current_object(s3, bucket, key)
    if stored is None:
        raise LineupError("was deleted before it could be read")
    yield from object_chunks(s3, stored)


def _refused(why: str) -> Iterator[bytes]:
    """No bytes, only an error, raised when the file is read."""
    yield from ()
    raise LineupError(why)
