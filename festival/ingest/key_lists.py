"""The key lists: what each version of a file may have put into the table.

A row is in its version's list before it is in the table. So whatever became of an ingest (killed,
overtaken, given up), the lists have every key it can have written, and a file's stale items are
found without reading the table.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from festival.ingest.pipeline import Writer
from festival.ingest.rejected import name_hash
from festival.lineup.model import Performance
from festival.table.writer import WriteOutcome

FOLDER = "keys/"


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a list. Its name tells from which line on its rows are, and of which dates.

    Rows are gzip JSON Lines; the first line names the file, which the key only has as a hash.
    Where a pass over a file was repeated, parts overlap: of one key the row of the last line holds.
    """

    key: str
    kept_at: str = ""

    @property
    def folder(self) -> str:
        """The hash of the file's name."""
        return self.key.split("/")[1]

    @property
    def version(self) -> str:
        return self.key.split("/")[2]

    def may_have(self, dates: Sequence[str]) -> bool:
        """Whether a row of one of these dates (sorted) can be in this part."""
        _, first, last, *_ = self.key.rpartition("/")[2].split(".")
        return any(first <= date <= last for date in dates)


@dataclass(frozen=True)
class KeyLists:
    """The lists in the reports bucket."""

    s3: Any
    bucket: str

    def keep(self, file: str, version: str, rows: Sequence[Performance]) -> None:
        """Put a part of a version's list. `rows` are one or more."""
        dates = sorted({row.date for row in rows})
        lines = [json.dumps({"file": file, "version": version}), *map(json.dumps, rows)]
        self.s3.put_object(
            Bucket=self.bucket,
            Key=f"{_folder(file)}{version}/from-line-{rows[0].line:09d}.{dates[0]}.{dates[-1]}"
            ".jsonl.gz",
            Body=gzip.compress("\n".join(lines).encode(), compresslevel=1, mtime=0),
        )

    def versions(self, file: str) -> dict[str, list[Part]]:
        """The parts of each version of a file that has a list."""
        return _by_version(self._parts(_folder(file)))

    def files(self) -> dict[str, dict[str, list[Part]]]:
        """The parts of every file's versions, by the hash of the file's name."""
        found: dict[str, list[Part]] = defaultdict(list)
        for part in self._parts(FOLDER):
            found[part.folder].append(part)
        return {folder: _by_version(parts) for folder, parts in found.items()}

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
        request = {"Bucket": self.bucket, "Prefix": prefix}
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


def listing(rows: Iterable[Performance]) -> dict[tuple[str, str], Performance]:
    """Rows by key; of one key the row of the last line, as the table has it."""
    kept: dict[tuple[str, str], Performance] = {}
    for row in rows:
        before = kept.get(row.key)
        if before is None or before.line <= row.line:
            kept[row.key] = row
    return kept


class ListedWriter:
    """A writer that lists rows before it hands them on."""

    def __init__(self, writer: Writer, lists: KeyLists, file: str, version: str) -> None:
        self._writer = writer
        self._lists = lists
        self._file = file
        self._version = version

    @property
    def deadline(self) -> float:
        return self._writer.deadline

    @deadline.setter
    def deadline(self, moment: float) -> None:
        self._writer.deadline = moment

    @property
    def stopped(self) -> str:
        return self._writer.stopped

    def put(self, performances: list[Performance]) -> None:
        if performances:
            self._lists.keep(self._file, self._version, performances)
        self._writer.put(performances)

    def flush(self) -> WriteOutcome:
        return self._writer.flush()


def _folder(file: str) -> str:
    return f"{FOLDER}{name_hash(file)}/"


def _by_version(parts: Iterable[Part]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        found[part.version].append(part)
    return dict(found)
