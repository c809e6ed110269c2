"""What became of one file: the counts, the rejected rows, the status."""

import json
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Any, Protocol

from festival.errors import Remedy


class Outcome(StrEnum):
    """What became of a file's rows, in one word."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILURE = "failure"


class RowList(Sized, Protocol):
    """A re-readable list of `{…}` rows, of any length."""

    def __iter__(self) -> Iterator[Any]: ...


@dataclass(frozen=True, slots=True)
class Counts:
    """A file's rows, counted by what became of them.

    Always read = written + rejected + duplicates + unwritten.
    """

    read: int = 0
    rejected: int = 0
    duplicates: int = 0
    unwritten: int = 0
    warnings: int = 0

    @property
    def written(self) -> int:
        return self.read - self.rejected - self.duplicates - self.unwritten

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.read + other.read,
            self.rejected + other.rejected,
            self.duplicates + other.duplicates,
            self.unwritten + other.unwritten,
            self.warnings + other.warnings,
        )

    def to_dict(self) -> dict[str, int]:
        """The counts by name, as the report and the ledger have them."""
        return {
            "read": self.read,
            "written": self.written,
            "rejected": self.rejected,
            "duplicates": self.duplicates,
            "unwritten": self.unwritten,
        }


def status_of(counts: Counts, error: str) -> Outcome:
    """`success`, `partial` or `failure`; `error` is why the file broke, or ''.

    `partial` if some rows were rejected, `failure` if the file broke, had no row that
    could be kept, or left rows unwritten.
    """
    if error or counts.unwritten or counts.written + counts.duplicates == 0:
        return Outcome.FAILURE
    return Outcome.PARTIAL if counts.rejected else Outcome.SUCCESS


@dataclass(frozen=True)
class IngestReport:
    """One ingest's result. The row lists cover this process's part of the file; the counts, all.

    `error` says why the status is `failure`, and `remedy` what has to change; `rejected_rows_at`,
    where the rejected rows are kept.
    `given_up` says that the last permitted try failed for a cause other than the file.
    """

    file: str
    counts: Counts
    rejections: RowList
    warnings: RowList
    duplicate_rows: RowList
    error: str = ""
    version: str = ""
    rejected_rows_at: str = ""
    given_up: bool = False
    remedy: Remedy = Remedy.FILE

    @property
    def status(self) -> Outcome:
        return status_of(self.counts, self.error)

    def summary(self) -> dict[str, Any]:
        """File, status and counts, without the lists of rows."""
        head: dict[str, Any] = {"file": self.file, "status": self.status, **self.counts.to_dict()}
        if self.error:
            head["error"] = self.error
        if self.version:
            head["version"] = self.version
        if self.rejected_rows_at:
            head["rejected_rows_at"] = self.rejected_rows_at
        return head

    def write_json(self, out: IO[str]) -> None:
        """One JSON document, written row by row, so that a million rejections take no memory."""
        out.write(json.dumps(self.summary(), ensure_ascii=False)[:-1])
        for name, rows in (
            ("rejections", self.rejections),
            ("warnings", self.warnings),
            ("duplicate_rows", self.duplicate_rows),
        ):
            out.write(f', "{name}": [')
            for number, row in enumerate(rows):
                out.write(",\n  " if number else "\n  ")
                out.write(json.dumps(public_row(row), ensure_ascii=False))
            out.write("]")
        out.write("}\n")


def public_row(row: dict[str, Any]) -> dict[str, Any]:
    """A rejection as the report shows it: without its source row and our internal fields."""
    return {name: value for name, value in row.items() if name not in ("original", "option")}
