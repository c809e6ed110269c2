"""The reports bucket: rejected rows, key lists, and the progress of large files.

A key list has every row that a version of a file may have put into the table, because a row is
listed before it is written. So whatever became of an ingest (killed, overtaken, given up), stale
items are found without reading the table.
"""

import csv
import gzip
import hashlib
import io
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from festival.ingest.ledger.records import Progress
from festival.ingest.tally import Spool
from festival.lineup.formats.header import ADDED_COLUMNS, RAW_COLUMN, guard
from festival.lineup.model import Performance

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CORRECTIONS = "corrections"
KEYS_FOLDER = "keys/"
LEDGER_BYTES = 100 * 1024
IN_BUCKET = "s3:"


def rejected_key(file: str, version: str, first_line: int) -> str:
    """The key for a file version's rejected rows; each pass over a large file has its own.

    The file's name is hashed, because it may be 1,024 bytes long and hold any character.
    """
    return f"rejected/{name_hash(file)}/{version}/from-line-{first_line:09d}.csv"


def name_hash(file: str) -> str:
    """A short, safe name for a `bucket/key` of any length and content."""
    return hashlib.sha256(file.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def corrected_name(key: str, version: str) -> str:
    """The name to upload corrected rows under: a new file's, so that it removes no rows."""
    folder, slash, name = key.rpartition("/")
    stem = name.removesuffix(".gz")
    stem = stem.rpartition(".")[0] or stem
    mark = hashlib.sha256(version.encode()).hexdigest()[:6]
    return f"{folder}{slash}{stem}.{CORRECTIONS}-{mark}.csv"


def is_corrections(key: str) -> bool:
    """Whether a file's name is one that `corrected_name` gives."""
    return re.search(rf"\.{CORRECTIONS}-[0-9a-f]{{6}}\.csv$", key) is not None


def write_rejected_rows(rows: Iterable[Mapping[str, Any]], file: str, out: IO[str]) -> None:
    """Write rejected rows as a CSV: their own columns, then file, line and reason."""
    columns = list(dict.fromkeys(name for row in rows for name in _cells(row)))
    writer = csv.writer(out)
    writer.writerow([guard(name) for name in columns] + list(ADDED_COLUMNS))
    for row in rows:
        cells = _cells(row)
        values = [guard(_text(cells.get(name))) for name in columns]
        writer.writerow([*values, guard(file), row["line"], guard(row["reason"])])


def _cells(row: Mapping[str, Any]) -> Mapping[str, Any]:
    original = row["original"]
    if isinstance(original, Mapping):
        return original
    return {RAW_COLUMN: row["value"] if original is None else original}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)


class Part(NamedTuple):
    """One object of a key list. Its name has the first row's line, and the first and last date.

    Its content is gzip JSON Lines: a line that names the file, which the key holds only as a hash,
    then the rows. If a pass over a file was repeated, parts overlap: for each key, the row with the
    last line counts.
    """

    key: str
    stored_at: str = ""

    @property
    def folder(self) -> str:
        """The file name's hash."""
        return self.key.split("/")[1]

    @property
    def version(self) -> str:
        return self.key.split("/")[2]

    def may_have(self, dates: Sequence[str]) -> bool:
        """Whether this part can have a row on one of these dates (sorted)."""
        _, first, last, *_ = self.key.rpartition("/")[2].split(".")
        return any(first <= date <= last for date in dates)


def part_content(file: str, version: str, rows: Sequence[Performance]) -> bytes:
    """A part of a version's list, compressed: its file, then one row per line."""
    lines = [json.dumps({"file": file, "version": version}), *map(json.dumps, rows)]
    return gzip.compress("\n".join(lines).encode(), compresslevel=1, mtime=0)


@dataclass(frozen=True)
class KeyLists:
    """The key lists in the reports bucket."""

    s3: "S3Client"
    bucket: str

    def keep(self, file: str, version: str, rows: Sequence[Performance]) -> None:
        """Store one or more rows as a part of a version's list."""
        dates = sorted({row.date for row in rows})
        self.s3.put_object(
            Bucket=self.bucket,
            Key=f"{_folder(file)}{version}/from-line-{rows[0].line:09d}.{dates[0]}.{dates[-1]}"
            ".jsonl.gz",
            Body=part_content(file, version, rows),
        )

    def versions(self, file: str) -> dict[str, list[Part]]:
        """The parts of each version of a file that has a list."""
        return _by_version(self._parts(_folder(file)))

    def files(self) -> dict[str, dict[str, list[Part]]]:
        """The parts of every file's versions, by the hash of the file's name."""
        by_file: dict[str, list[Part]] = defaultdict(list)
        for part in self._parts(KEYS_FOLDER):
            by_file[part.folder].append(part)
        return {folder: _by_version(parts) for folder, parts in by_file.items()}

    def file_of(self, part: Part) -> str:
        """The name (`bucket/key`) of the file that a part belongs to."""
        return str(json.loads(next(self._lines(part)))["file"])

    def rows(self, parts: Iterable[Part]) -> Iterator[Performance]:
        """The rows of parts, one part in memory at a time."""
        for part in parts:
            lines = self._lines(part)
            next(lines)
            yield from (Performance(*json.loads(line)) for line in lines)

    def _parts(self, prefix: str) -> Iterator[Part]:
        request: Any = {"Bucket": self.bucket, "Prefix": prefix}
        while True:
            answer = self.s3.list_objects_v2(**request)
            for entry in answer.get("Contents", []):
                yield Part(entry["Key"], entry["LastModified"].isoformat(timespec="milliseconds"))
            if not answer.get("IsTruncated"):
                return
            request["ContinuationToken"] = answer["NextContinuationToken"]

    def _lines(self, part: Part) -> Iterator[str]:
        body = self.s3.get_object(Bucket=self.bucket, Key=part.key)["Body"].read()
        return iter(gzip.decompress(body).decode().split("\n"))


def rows_by_key(rows: Iterable[Performance]) -> dict[tuple[str, str], Performance]:
    """Rows by key; for each key the row with the last line, as in the table."""
    by_key: dict[tuple[str, str], Performance] = {}
    for row in rows:
        before = by_key.get(row.key)
        if before is None or before.line <= row.line:
            by_key[row.key] = row
    return by_key


def _folder(file: str) -> str:
    return f"{KEYS_FOLDER}{name_hash(file)}/"


def _by_version(parts: Iterable[Part]) -> dict[str, list[Part]]:
    by_version: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        by_version[part.version].append(part)
    return dict(by_version)


@dataclass(frozen=True)
class Reports:
    """The bucket for everything the kit writes; only people write to the upload bucket."""

    s3: "S3Client"
    bucket: str

    @property
    def key_lists(self) -> KeyLists:
        """What each version of a file may have put into the table."""
        return KeyLists(self.s3, self.bucket)

    def keep_rejected_rows(self, file: str, version: str, first_line: int, rows: Spool) -> None:
        """Store one part of a file's rejected rows, as a CSV to correct and upload."""
        with tempfile.TemporaryFile() as part:
            text = io.TextIOWrapper(part, "utf-8-sig", "replace", newline="")
            write_rejected_rows(rows, file, text)
            text.flush()
            part.seek(0)
            self.s3.put_object(
                Bucket=self.bucket,
                Key=rejected_key(file, version, first_line),
                Body=part,
                ContentType="text/csv; charset=utf-8",
            )
            text.detach()

    def rejected_rows_at(self, file: str, version: str) -> str:
        """Where a file version's rejected rows are: `s3://bucket/rejected/…/`."""
        folder = rejected_key(file, version, 1).rpartition("/")[0]
        return f"s3://{self.bucket}/{folder}/"

    def save_progress(self, file: str, name: str, progress: Progress) -> str:
        """Store the progress; return the ledger's text for it: the progress itself, or its key.

        `name` is different each time, so that even a put that is carried out late overwrites
        nothing.
        """
        text = progress.to_json()
        if len(text) <= LEDGER_BYTES:
            return text
        key = f"state/{name_hash(file)}/{name}.json"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=text.encode())
        return IN_BUCKET + key

    def load_progress(self, text: str) -> Progress:
        """The progress for which `save_progress` returned this text."""
        if text.startswith(IN_BUCKET):
            key = text.removeprefix(IN_BUCKET)
            text = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode()
        return Progress.from_json(text)
