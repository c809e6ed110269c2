"""Performances as lines of JSON or CSV, with the table's attributes.

They hold exactly what `festival.table.item.attributes` gives, one line per performance, made from
the same table of attributes: a dict and `json.dumps` per row would take five times as long.
"""

import csv
import io
from collections.abc import Iterable
from functools import lru_cache
from json.encoder import encode_basestring

from festival.lineup.model import MINUTES_PER_DAY, Performance, clock, wall_clock
from festival.table.item import renderer
from festival.table.schema import ATTRIBUTES, POPULARITY_BUCKET, Attribute

COLUMNS = tuple(each.name for each in ATTRIBUTES if each.needs != "source")

# Every minute at which a 24-hour performance that begins in a festival day's night can end.
_MINUTES = range(4 * MINUTES_PER_DAY)
_CLOCKS = tuple(map(clock, _MINUTES))
_WALL_CLOCKS = tuple(map(wall_clock, _MINUTES))


def _member(attribute: Attribute) -> str:
    quote = "" if attribute.type == "N" else '"'
    return f'"{attribute.name}": {quote}{attribute.value}{quote}'


_LINE = renderer("{{", _member, "}}\n", "source", between=", ")
_LINE_UNRANKED = renderer("{{", _member, "}}\n", "source", "popularity", between=", ")


# A lineup has few stages and many rows. Bounded, in case a file has many stages.
@lru_cache(maxsize=1024)
def _escaped(text: str) -> str:
    return encode_basestring(text)[1:-1]


def json_lines(performances: Iterable[Performance]) -> str:
    """One JSON object per line."""
    lines = []
    for performer, stage, date, start, end, popularity, _ in performances:
        render = _LINE_UNRANKED if popularity is None else _LINE
        lines.append(
            render(
                encode_basestring(performer)[1:-1],
                _escaped(stage),
                date,
                _CLOCKS[start],
                _WALL_CLOCKS[start],
                _WALL_CLOCKS[end],
                start,
                end,
                popularity,
            )
        )
    return "".join(lines)


def csv_lines(performances: Iterable[Performance]) -> str:
    """One CSV row per line, in the order of COLUMNS, without a header."""
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
