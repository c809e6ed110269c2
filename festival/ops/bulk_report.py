"""DynamoDB's report on a bulk load, turned back into rows of files.

Docs: "Bulk put items output and reconciliation". Nothing is made of the report's layout: it may be
JSON or JSON Lines, gzip or not, with a manifest beside it. A row counts as refused where a record
has its key, and `judge` leaves open whatever the operation's own counts do not bear out.
"""

import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from gzip import GzipFile
from typing import IO, Any

from festival.ops.bulk_load import Load
from festival.ops.bulk_operation import WITH_ERRORS, Ended
from festival.ops.bulk_parts import part_of, read_lines
from festival.ops.bulk_verdict import Refused, Verdict, judge
from festival.table import schema
from festival.table.item import from_item

# Rows were judged before they were loaded: so many refusals mean that something else is wrong.
MOST_REFUSALS = 100_000
GZIP_MAGIC = b"\x1f\x8b"
SAYS_WHY = re.compile("message|reason|error|code|description", re.IGNORECASE)
NO_REASON = "DynamoDB refused it in the bulk load and did not say why"

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a report says: the refused keys with the reason, and parts that it blames as a whole."""

    refusals: Mapping[Key, str]
    stopped: frozenset[int] = frozenset()


def read_verdict(s3: Any, load: Load, ended: Ended) -> Verdict:
    """The verdict on an operation, with its report where there has to be one."""
    if ended.status != WITH_ERRORS:
        return judge(load, ended)
    findings = read_report(s3, load)
    refused = tuple(find_rows(s3, load, findings.refusals))
    in_stopped = frozenset(
        place[0] for part in findings.stopped for place in _lines_of(s3, load, load.index_key(part))
    )
    return judge(load, ended, refused, findings.stopped, in_stopped)


def read_report(s3: Any, load: Load) -> Findings:
    """Everything that DynamoDB wrote under the load's output prefix."""
    refusals: dict[Key, str] = {}
    stopped: set[int] = set()
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=load.bucket, Prefix=f"{load.folder}output/"
    )
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        with tempfile.TemporaryFile() as kept:
            with closing(s3.get_object(Bucket=load.bucket, Key=entry["Key"])["Body"]) as body:
                shutil.copyfileobj(body, kept)
            for record in records(kept):
                named = dict(refusals_in(record))
                refusals |= named
                if not named:
                    stopped |= parts_in(record, load)
                if len(refusals) > MOST_REFUSALS:
                    return Findings({})
    return Findings(refusals, frozenset(stopped))


def records(stored: IO[bytes]) -> Iterator[Any]:
    """The JSON of an object: of each line, or of the whole; nothing where it is neither."""
    stored.seek(0)
    packed = stored.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    stored.seek(0)
    plain = GzipFile(fileobj=stored) if packed else stored
    try:
        try:
            yield from map(json.loads, plain)
        except ValueError:
            plain.seek(0)
            yield json.load(plain)
    except (ValueError, OSError, EOFError, zlib.error):
        return


def refusals_in(record: Any, reason: str = NO_REASON) -> Iterator[tuple[Key, str]]:
    """Each key in a record, at whatever depth, with what is said about it next to it or above."""
    if isinstance(record, str) and record.startswith("{"):
        try:
            record = json.loads(record)  # the line as it was read
        except ValueError:
            return
    if isinstance(record, list):
        for each in record:
            yield from refusals_in(each, reason)
    elif isinstance(record, dict):
        match record:
            case {
                schema.PARTITION_KEY: {"S": str(performer)},
                schema.SORT_KEY: {"S": str(sort_key)},
            }:
                yield (performer, sort_key), reason
                return
        said = [
            text
            for name, text in record.items()
            if SAYS_WHY.search(name) and isinstance(text, str) and not text.startswith("{")
        ]
        for each in record.values():
            yield from refusals_in(each, ": ".join(said) or reason)


def parts_in(record: Any, load: Load) -> set[int]:
    """The parts whose object a record names."""
    named = re.findall(re.escape(f"{load.folder}input/part-") + r"(\d+)", json.dumps(record))
    return {int(part) for part in named} & load.lines.keys()


def find_rows(s3: Any, load: Load, refusals: Mapping[Key, str]) -> Iterator[Refused]:
    """The rows with these keys, found again in the load's own objects."""
    for part in sorted({part_of(*key, load.parts) for key in refusals} & load.lines.keys()):
        items = _lines_of(s3, load, load.items_key(part))
        index = _lines_of(s3, load, load.index_key(part))
        for item, (number, line, *losers) in zip(items, index, strict=True):
            performance = from_item(item["Item"])._replace(line=line)
            if reason := refusals.get(performance.key):
                yield Refused(number, performance, reason, frozenset(losers))


def _lines_of(s3: Any, load: Load, key: str) -> Iterator[Any]:
    with closing(s3.get_object(Bucket=load.bucket, Key=key)["Body"]) as body:
        yield from read_lines(body)
