"""Performances as lines of JSON or CSV, with the table's attributes.

They say exactly what `festival.table.item.attributes` says, one line a performance, built by hand:
a dict and `json.dumps` for each row would take five times as long.
"""

import csv
import io
from collections.abc import Iterable
from functools import lru_cache
from json.encoder import encode_basestring

from festival.lineup.model import MINUTES_PER_DAY, Performance, clock, wall_clock
from festival.table.schema import POPULARITY_BUCKET

COLUMNS = (
    *("Performer", "Performance", "Stage", "Date", "StartTime", "EndTime", "StartMinutes"),
    *("EndMinutes", "DateStart", "StartSort", "Popularity", "PopularityBucket"),
)

# Every minute that a performance of 24 hours can end at, which begins in a festival day's night.
_MINUTES = range(4 * MINUTES_PER_DAY)
_CLOCKS = tuple(map(clock, _MINUTES))
_WALL_CLOCKS = tuple(map(wall_clock, _MINUTES))
# A lineup has few stages and many rows. Bounded, for a file where it has not.
_quoted = lru_cache(maxsize=1024)(encode_basestring)


def json_lines(performances: Iterable[Performance]) -> str:
    """One JSON object a line."""
    lines = []
    for performer, stage, date, start, end, popularity, _ in performances:
        stage_text, begins = _quoted(stage), _CLOCKS[start]
        at = f"{date}#{begins}"
        rank = ""
        if popularity is not None:
            rank = f', "Popularity": {popularity}, "PopularityBucket": "{POPULARITY_BUCKET}"'
        lines.append(
            f'{{"Performer": {encode_basestring(performer)}, '
            f'"Performance": "{at}#{stage_text[1:]}, "Stage": {stage_text}, "Date": "{date}", '
            f'"StartTime": "{_WALL_CLOCKS[start]}", "EndTime": "{_WALL_CLOCKS[end]}", '
            f'"StartMinutes": {start}, "EndMinutes": {end}, '
            f'"DateStart": "{at}", "StartSort": "{begins}"{rank}}}\n'
        )
    return "".join(lines)


def csv_lines(performances: Iterable[Performance]) -> str:
    """One CSV row a line, in the order of COLUMNS, without a header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(_cells, performances))
    return text.getvalue()


def _cells(performance: Performance) -> tuple[str | int | None, ...]:
    performer, stage, date, start, end, popularity, _ = performance
    begins = _CLOCKS[start]
    at = f"{date}#{begins}"
    bucket = None if popularity is None else POPULARITY_BUCKET
    return (
        *(performer, f"{at}#{stage}", stage, date, _WALL_CLOCKS[start], _WALL_CLOCKS[end]),
        *(start, end, at, begins, popularity, bucket),
    )
