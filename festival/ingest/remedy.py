"""What the e-mail about a file proposes if a mapping would help. Loaded only then."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from festival.errors import Remedy
from festival.ingest.report import IngestReport
from festival.ingest.sidecar import SIDECAR
from festival.lineup.mapping import LineupMapping
from festival.text import printable

_ROWS_LOOKED_AT = 1000
_PROPOSED = 4
_LABELS = 12
_NUMBERS = re.compile(r"([0-9]{1,2}) ?[./-] ?([0-9]{1,2})\b")
_MONTHS = 12
DAY, ZONE = "YYYY-MM-DD", "Area/City"

Options = dict[str, Any]


def lines(report: IngestReport, mapping: LineupMapping) -> list[str]:
    """The mapping that the rejected rows need, ready to upload, and the command that makes one.

    `mapping` is the one the file was read with, and its options are kept. Nothing if no row names
    an option and a mapping would not help the file.
    """
    rows = [row for row in islice(report.rejections, _ROWS_LOOKED_AT) if row.get("option")]
    if not rows and report.remedy is not Remedy.MAPPING:
        return []
    said = [""]
    if found := proposals(rows, mapping.to_dict()):
        which = "this" if len(found) == 1 else "one of these"
        said += [
            f"What a mapping settles: upload {which} beside the file, and it is read again.",
            f"  {report.file.rpartition('/')[2]}{SIDECAR}",
        ]
        said += [f"    {json.dumps(options, ensure_ascii=False)}" for options in found]
        text = json.dumps(found[0])
        if blanks := [blank for blank in (DAY, ZONE) if blank in text]:
            said.append(f"First put what is right in place of {' and '.join(blanks)}.")
        said.append("Or have the whole file looked at; what you answer is saved beside it:")
    else:
        said.append("To see whether a mapping makes it readable, and to save that beside it:")
    said.append(f"  festival inspect {shlex.quote(f's3://{report.file}')} --ask")
    return [printable(line) for line in said]


def proposals(rows: Iterable[Mapping[str, Any]], given: Options) -> list[Options]:
    """Each mapping that the rejected rows may need, on top of the `given` options.

    >>> proposals([{"option": "date_order", "value": "25/06"}], {"year": 2025})
    [{'year': 2025, 'date_order': 'day_first'}]
    """
    asked: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if option := row.get("option"):
            asked.setdefault(option, []).append(row)
    found = [dict(given)]
    for option, refused in asked.items():
        values = [str(row["value"]) for row in refused]
        ways = _ways(option, values)
        found = [_with(each, way) for each in found for way in ways]
    return found[:_PROPOSED] if found != [given] else []


def _ways(option: str, values: Sequence[str]) -> list[Options]:
    """What an option may be, judging by the values that need it; {} if a person has to look."""
    labels = list(dict.fromkeys(values))[:_LABELS]
    match option:
        case "date_order":
            return [{option: order} for order in date_orders(values)]
        case "integer_is":
            return [{option: "hour"}, {option: "hhmm"}]
        case "year":
            return [{option: datetime.now(UTC).year}]
        case "first_date":
            return [{option: DAY}]
        case "dates":
            return [{option: dict.fromkeys(labels, DAY)}]
        case "time_zone":
            return [{option: ZONE}]
        case "default_length":
            return [{option: 60}]
        case "placeholders":
            return [{option: labels, "default_length": 60}]
        case "fill_down":
            return [{option: ["Date", "Stage"]}]
    return [{}]


def date_orders(values: Iterable[str]) -> list[str]:
    """The date orders that fit all of these dates, such as 25/06/2025."""
    found = [tuple(map(int, match.groups())) for match in map(_NUMBERS.match, values) if match]
    orders = ("day_first", 1), ("month_first", 0)
    fitting = [
        order for order, month in orders if all(numbers[month] <= _MONTHS for numbers in found)
    ]
    return fitting or ["day_first", "month_first"]


def _with(options: Options, more: Options) -> Options:
    """Both sets of options; an option that is an object or a list has the content of both."""
    return options | {name: _both(options.get(name), value) for name, value in more.items()}


def _both(known: Any, value: Any) -> Any:
    if isinstance(known, dict):
        return known | value
    return list(dict.fromkeys([*known, *value])) if isinstance(known, list) else value
