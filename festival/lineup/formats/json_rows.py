"""The rows of a JSON file: an array, JSON Lines or one document, told apart by the text."""

import json
from collections.abc import Iterator
from typing import Any

from festival.lineup.columns import match
from festival.lineup.decode import WHITE, Feed, Limits, Origin, line_reader
from festival.lineup.formats import json_document, json_stream
from festival.lineup.formats.json_objects import ObjectRows
from festival.lineup.formats.json_objects import original as original
from festival.lineup.formats.json_text import TooDeepError, whole_value
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import Position, Rows

_LINES_TRIED = 20


def open_json(
    shape: str,
    origin: Origin,
    feed: Feed,
    mapping: LineupMapping,
    start: Position | None,
    limits: Limits,
) -> Iterator[Rows]:
    """The rows of a JSON file of this shape, from its beginning or on from `start`."""
    objects = ObjectRows(mapping, warn_of_ignored=start is None)
    if shape == json_stream.ARRAY:
        return iter(json_stream.ArrayRows(origin, feed, objects, limits, start))
    if shape == json_stream.LINES:
        lines = line_reader(origin, feed, start, limits, mapping.encoding)
        return json_stream.line_rows(lines, objects)
    return json_document.document_rows(origin, feed, objects, mapping, limits)


def shape_of(feed: Feed, mapping: LineupMapping, limits: Limits) -> str:
    """The shape of JSON text, by its beginning.

    Text that begins with `[` is an array. Text that begins with `{` is JSON Lines if its first line
    is an object by itself (or, if that line is damaged, if all the next ones are); otherwise it is
    one document, as is a file of one line that holds other objects and no field. If a mapping says
    where the rows are, all of these are a document.
    """
    if mapping.rows:
        return json_document.SHAPE
    if feed.data.lstrip(WHITE).startswith(b"["):
        return json_stream.ARRAY
    return json_stream.LINES if _has_object_line(feed, mapping, limits) else json_document.SHAPE


def _has_object_line(feed: Feed, mapping: LineupMapping, limits: Limits) -> bool:
    while not feed.ended and len(feed.data) < limits.record_bytes:
        feed.fill()
    text = feed.data[: limits.record_bytes].lstrip(WHITE)
    lines = [line for line in text.splitlines()[:_LINES_TRIED] if line.strip(WHITE)]
    if len(lines) > 1 and len(text) == limits.record_bytes:
        lines.pop()  # it may be incomplete
    values = [_object(line) for line in lines]
    if len(values) == 1:
        return values[0] is not None and not _wraps(values[0], mapping)
    if values[0] is None and _object(lines[0].rstrip(b", \t\r")) is not None:
        return False  # an array's elements, without its brackets
    return values[0] is not None or None not in values[1:]


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = whole_value(line.decode("utf-8", "replace"))
    except (json.JSONDecodeError, TooDeepError):
        return None
    return value if isinstance(value, dict) else None


def _wraps(value: dict[str, Any], mapping: LineupMapping) -> bool:
    """Whether an object holds other objects and no field of its own."""
    holds = any(isinstance(item, dict | list) for item in value.values())
    return holds and all(place is None for place in match(tuple(value), mapping).places)
