"""Converts a performance into a table item, and back.

An item has three forms, all made from the schema's table of attributes: `attributes` (plain
values, for people), `to_item` (DynamoDB's typed attributes, for boto3) and `put_request_encoder`
(a PutRequest's JSON text, for the bulk writer).
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii

from festival.errors import FestivalError
from festival.lineup.model import Performance, Rejection, clock, wall_clock
from festival.table.schema import (
    ATTRIBUTES,
    MAX_ITEM_BYTES,
    MAX_PARTITION_KEY_BYTES,
    MAX_SORT_KEY_BYTES,
    Attribute,
)

Item = dict[str, dict[str, str]]

_SHOWN_CHARACTERS = 100
# If performer and stage together have fewer characters than this, no limit can be exceeded: UTF-8
# takes at most 4 bytes a character, and a sort key has 17 bytes before the stage.
_SURELY_SMALL = 250


def attributes(performance: Performance, *, source: str | None = None) -> dict[str, str | int]:
    """A performance's attributes in the table, in the table's order.

    >>> attributes(Performance("Elbow", "Park", "2024-06-28", 1500, 1560, None, 2))["StartTime"]
    '01:00'
    """
    performer, stage, date, start, end, popularity, _ = performance
    parts = {
        "performer": performer,
        "stage": stage,
        "date": date,
        "begins": clock(start),
        "starts_at": wall_clock(start),
        "ends_at": wall_clock(end),
        "start": start,
        "end": end,
        "popularity": popularity,
        "source": source,
    }
    values = {
        each.name: (each.type, each.value.format_map(parts))
        for each in ATTRIBUTES
        if not each.needs or parts[each.needs] is not None
    }
    return {name: int(text) if kind == "N" else text for name, (kind, text) in values.items()}


def to_item(performance: Performance, *, source: str | None = None) -> Item:
    """The performance as DynamoDB's typed attributes, `{"Stage": {"S": "Pyramid Stage"}, …}`."""
    return {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in attributes(performance, source=source).items()
    }


def from_item(item: Mapping[str, Mapping[str, str]]) -> Performance:
    """The performance in a stored item. Its line is 0, because the table does not store lines.

    Raises FestivalError for an item that lacks an attribute of the table.
    """
    try:
        popularity = item.get("Popularity")
        return Performance(
            item["Performer"]["S"],
            item["Stage"]["S"],
            item["Date"]["S"],
            int(item["StartMinutes"]["N"]),
            int(item["EndMinutes"]["N"]),
            None if popularity is None else int(popularity["N"]),
            0,
        )
    except (KeyError, ValueError) as cause:
        key = f"{item.get('Performer')} {item.get('Performance')}"
        raise FestivalError(
            f"item {key}: no usable {cause}; expected a performance. Ingest its lineup again"
        ) from cause


def item_size(item: Mapping[str, Mapping[str, str]]) -> int:
    """The bytes that DynamoDB counts for an item, by "DynamoDB item sizes and formats".

    Names and strings count their UTF-8 bytes; a number takes about one byte for every two
    significant digits, plus one (and one for a minus sign).
    """
    return sum(_bytes(name) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, str]) -> int:
    if "S" in value:
        return _bytes(value["S"])
    # Two digits share a byte; only whole pairs of zeros at the end take none.
    digits = re.sub("(00)+$", "", value["N"].lstrip("-0"))
    return (len(digits) + 1) // 2 + 1 + value["N"].startswith("-")


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def too_large(performance: Performance, *, source: str | None = None) -> Rejection | None:
    """Why DynamoDB could never store this performance, or None.

    Limits: "Quotas in Amazon DynamoDB": partition key 2,048 bytes, sort key 1,024 bytes, item
    400 KB. Index keys that contain the stage are within their limits if the table's sort key is.
    """
    performer, stage = performance.performer, performance.stage
    if len(performer) + len(stage) + len(source or "") < _SURELY_SMALL:
        return None
    if (size := _bytes(performer)) > MAX_PARTITION_KEY_BYTES:
        return _over(
            performance, "Performer", performer, size, "partition key", MAX_PARTITION_KEY_BYTES
        )
    if (size := _bytes(performance.sort_key)) > MAX_SORT_KEY_BYTES:
        return _over(
            performance, "Stage", stage, size, "sort key (date#start#stage)", MAX_SORT_KEY_BYTES
        )
    if (size := item_size(to_item(performance, source=source))) > MAX_ITEM_BYTES:
        return _over(performance, "Source", source or "", size, "item", MAX_ITEM_BYTES)
    return None


def _over(
    performance: Performance, field: str, value: str, size: int, what: str, limit: int
) -> Rejection:
    return rejection(
        performance, field, value, f"{size:,} bytes; DynamoDB's limit for the {what} is {limit:,}"
    )


def rejection(performance: Performance, field: str, value: str, reason: str) -> Rejection:
    """The rejection of a row whose performance DynamoDB cannot store."""
    excerpt = value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}…"
    original = {
        "Performer": performance.performer,
        "Stage": performance.stage,
        "Date": performance.date,
        "Start": clock(performance.start),
        "End": clock(performance.end),
        "Popularity": performance.popularity,
    }
    return Rejection(performance.line, field, excerpt, reason, original)


Render = Callable[[str, str, str, str, str, str, int, int, int | None], str]


def renderer(
    opening: str,
    form: Callable[[Attribute], str],
    closing: str,
    *lacking: str,
    between: str = ",",
) -> Render:
    """A function of a performance's parts, in the order of `Render`, that returns a row's text.

    `form` gives an attribute's text, with its value in the schema's form, such as `"{stage}"`.
    Attributes that need one of `lacking` are left out. Compiled as an f-string, because
    `str.format` takes nine times as long, and there may be a million rows.
    """
    present = (each for each in ATTRIBUTES if each.needs not in lacking)
    text = opening + between.join(map(form, present)) + closing
    parts = "performer, stage, date, begins, starts_at, ends_at, start, end, popularity"
    render: Render = eval(f"lambda {parts}: f{text!r}")
    return render


def put_request_encoder(*, source: str | None = None) -> Callable[[Performance], str]:
    """A function from a performance to the ASCII JSON text of its PutRequest.

    The text means the same as `{"PutRequest": {"Item": to_item(…)}}`. On a seventh of a CPU,
    json.dumps of nested dicts would take more time than everything else together.
    """
    lacking = ["source"] if source is None else []
    source_text = encode_basestring_ascii(source or "")[1:-1].replace("{", "{{").replace("}", "}}")

    def typed(attribute: Attribute) -> str:
        name, kind, value, needs = attribute
        value = source_text if needs == "source" else value
        return f'"{name}":{{{{"{kind}":"{value}"}}}}'

    opening, closing = '{{"PutRequest":{{"Item":{{', "}}}}}}"
    ranked = renderer(opening, typed, closing, *lacking)
    unranked = renderer(opening, typed, closing, *lacking, "popularity")

    def encode(performance: Performance) -> str:
        performer, stage, date, start, end, popularity, _ = performance
        render = unranked if popularity is None else ranked
        return render(
            encode_basestring_ascii(performer)[1:-1],
            _escaped(stage),
            _escaped(date),
            _clock(start),
            _wall_clock(start),
            _wall_clock(end),
            start,
            end,
            popularity,
        )

    return encode


# A lineup has few stages, days and times, and many rows. Bounded, in case a file has many.
@lru_cache(maxsize=1024)
def _escaped(text: str) -> str:
    return encode_basestring_ascii(text)[1:-1]


_clock = lru_cache(maxsize=4096)(clock)
_wall_clock = lru_cache(maxsize=4096)(wall_clock)
