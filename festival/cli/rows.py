"""Performances as lines of JSON or CSV, with the table's attributes.

They say exactly what `festival.table.item.attributes` says, one line a performance, built by hand:
a dict and `json.dumps` for each row would take four times as long.
"""

import csv
import io
from collections.abc import Iterable
from functools import lru_cache
from json.encoder import encode_basestring

from festival.lineup.model import Performance, clock, wall_clock
from festival.table.schema import POPULARITY_BUCKET

COLUMNS = (
    *("Performer", "Performance", "Stage", "Date", "StartTime", "EndTime", "StartMinutes"),
    *("EndMinutes", "DateStart", "StartSort", "Popularity", "PopularityBucket"),
)

# A lineup has few stages and times and many rows. Bounded, for files where it has not.
_quoted = lru_cache(maxsize=1024)(encode_basestring)
_clock = lru_cache(maxsize=4096)(clock)
_wall_clock = lru_cache(maxsize=4096)(wall_clock)


def json_lines(performances: Iterable[Performance]) -> str:
    """One JSON object a line."""
    return "".join(map(_json_line, performances))


def _json_line(performance: Performance) -> str:
    performer, stage, date, start, end, popularity, _ = performance
    stage_text = _quoted(stage)
    begins = _clock(start)
    rank = (
        ""
        if popularity is None
        else f', "Popularity": {popularity}, "PopularityBucket": "{POPULARITY_BUCKET}"'
    )
    return (
        f'{{"Performer": {encode_basestring(performer)}, '
        f'"Performance": "{date}#{begins}#{stage_text[1:]}, "Stage": {stage_text}, '
        f'"Date": "{date}", "StartTime": "{_wall_clock(start)}", "EndTime": "{_wall_clock(end)}", '
        f'"StartMinutes": {start}, "EndMinutes": {end}, '
        f'"DateStart": "{date}#{begins}", "StartSort": "{begins}"{rank}}}\n'
    )


def csv_lines(performances: Iterable[Performance]) -> str:
    """One CSV row a line, in the order of COLUMNS, without a header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(_cells, performances))
    return text.getvalue()


def _cells(performance: Performance) -> tuple[str | int | None, ...]:
    performer, stage, date, start, end, popularity, _ = performance
    begins = _clock(start)
    at = f"{date}#{begins}"
    bucket = None if popularity is None else POPULARITY_BUCKET
    return (
        *(performer, f"{at}#{stage}", stage, date, _wall_clock(start), _wall_clock(end)),
        *(start, end, at, begins, popularity, bucket),
    )
