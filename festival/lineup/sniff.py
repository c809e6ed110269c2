"""Which shape a file has, told by how its content begins and never by its name."""

import json

from festival.lineup import csvrows, jsonarray, jsonlines, shapes
from festival.lineup.columns import match
from festival.lineup.jsontext import TooDeepError, whole_value
from festival.lineup.limits import Limits
from festival.lineup.mapping import Mapping
from festival.lineup.source import Feed

_MARK = b"\xef\xbb\xbf"
_WHITE = b" \t\r\n"
_LINES_TRIED = 20


def sniff(feed: Feed, mapping: Mapping, limits: Limits) -> str:
    """The shape of the text at the beginning of a feed; takes its byte order mark away.

    What begins with `[` is a JSON array. What begins with `{` is JSON Lines where one of the first
    lines is an object of its own and looks like a row, else one JSON document. Where a mapping says
    where the rows are, both are a document.
    """
    feed.fill()
    if feed.data.startswith(_MARK):
        feed.take(len(_MARK))
        feed.marked = True
    while not (head := feed.data.lstrip(_WHITE)):
        if feed.ended or len(feed.data) > limits.record_bytes:
            break
        feed.fill()
    if head[:1] in (b"[", b"{") and mapping.rows:
        return shapes.SHAPE
    if head.startswith(b"["):
        return jsonarray.SHAPE
    if head.startswith(b"{"):
        return jsonlines.SHAPE if _has_object_line(feed, mapping, limits) else shapes.SHAPE
    return csvrows.SHAPE


def _has_object_line(feed: Feed, mapping: Mapping, limits: Limits) -> bool:
    while not feed.ended and len(feed.data) < limits.record_bytes:
        feed.fill()
    lines = feed.data[: limits.record_bytes].lstrip(_WHITE).splitlines()[:_LINES_TRIED]
    return any(_is_row(line, mapping) for line in lines)


def _is_row(line: bytes, mapping: Mapping) -> bool:
    """Whether a line is an object that is no wrapper: one that holds others and no field."""
    try:
        value = whole_value(line.decode("utf-8", "replace"))
    except (json.JSONDecodeError, TooDeepError):
        return False
    if not isinstance(value, dict):
        return False
    wraps = any(isinstance(item, dict | list) for item in value.values())
    return not wraps or any(place is not None for place in match(tuple(value), mapping).places)
