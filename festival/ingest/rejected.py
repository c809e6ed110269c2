"""The refused rows of a file, kept as a CSV that a person corrects and uploads again.

Columns: the file's own, then `rejected_from` (the file's name), `line` and `reason`. A cell that a
spreadsheet would run as a formula gets an apostrophe in front (OWASP: "CSV Injection"); so does one
that begins with an apostrophe, so that the reader of such a file can take it off again.
"""

import csv
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import IO, Any

from festival.lineup.corrections import ADDED_COLUMNS, RAW_COLUMN, guard

PROPOSED = "corrections"


def rejected_key(file: str, version: str, first_line: int) -> str:
    """Where the refused rows of a file version go; one part for each pass over a large file.

    The file's name is hashed, since an S3 key may be 1,024 bytes and hold anything.
    """
    return f"rejected/{name_hash(file)}/{version}/from-line-{first_line:09d}.csv"


def name_hash(file: str) -> str:
    """A short, safe name for a `bucket/key` of any length and content."""
    return hashlib.sha256(file.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def corrected_name(key: str, version: str) -> str:
    """The name under which the corrected rows are uploaded: new, so that they only ever add."""
    folder, slash, name = key.rpartition("/")
    stem = name.removesuffix(".gz")
    stem = stem.rpartition(".")[0] or stem
    mark = hashlib.sha256(version.encode()).hexdigest()[:6]
    return f"{folder}{slash}{stem}.{PROPOSED}-{mark}.csv"


def is_corrections(key: str) -> bool:
    """Whether a file has a name that `corrected_name` gives."""
    return re.search(rf"\.{PROPOSED}-[0-9a-f]{{6}}\.csv$", key) is not None


def write_rejected_rows(rows: Iterable[Mapping[str, Any]], file: str, out: IO[str]) -> None:
    """Write spooled rejections (re-readable) as the CSV described above."""
    columns = list(dict.fromkeys(name for row in rows for name in _cells(row)))
    writer = csv.writer(out)
    writer.writerow([guard(name) for name in columns] + list(ADDED_COLUMNS))
    for row in rows:
        cells = _cells(row)
        mine = [guard(_text(cells.get(name))) for name in columns]
        writer.writerow([*mine, guard(file), row["line"], guard(row["reason"])])


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
