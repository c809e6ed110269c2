"""Many items at once, straight into columns, for DataFrames.

`access.answer` makes an object of each item, which is right for a screen of results. Here a page's
values go into lists at once, while the next page is already on its way.
"""

import random
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from json import JSONDecoder, dumps, loads
from operator import itemgetter
from typing import Any

from festival.errors import FestivalError, RetryableError
from festival.lineup.model import Performance
from festival.query.patterns import AccessPattern
from festival.table.connection import Connection
from festival.table.faults import failure, pause
from festival.table.item import from_item
from festival.table.schema import ATTRIBUTES

_ITEMS = b'"Items":['
_END_OF_ITEMS = b'"}}]'
# JSON text holds no raw control characters: these can stand for escapes for a moment.
_BACKSLASH, _QUOTE = b"\x02", b"\x01"


def texts(body: bytes) -> list[dict[str, str]]:
    """The items of a Query's or Scan's answer: each attribute as its text, a number as its digits.

    Raises ValueError or LookupError for what is no such answer.
    """
    with suppress(ValueError):
        return _unwrapped(body)
    return [
        {name: next(iter(value.values())) for name, value in item.items()}
        for item in loads(body)["Items"]
    ]


def _unwrapped(body: bytes) -> list[dict[str, str]]:
    """By cutting `{"S":` and its brace out of DynamoDB's own compact spelling.

    With escapes out of the way every quote delimits a string, so `{"S":"` only ever opens a value,
    and each value ends in `"}`. A text that begins with `}` looks like such an end, and so does
    that of another type: then there are more ends than beginnings. Raises ValueError for these.
    """
    escaped = b"\\" in body
    if escaped:
        body = body.replace(b"\\\\", _BACKSLASH).replace(b'\\"', _QUOTE)
    begin = body.index(_ITEMS) + len(_ITEMS) - 1
    typed = body[begin : body.rindex(_END_OF_ITEMS) + len(_END_OF_ITEMS)]
    opened = typed.replace(b'{"S":"', b'"').replace(b'{"N":"', b'"')
    closed = opened.replace(b'"}', b'"')
    if len(typed) - len(opened) != len(b'{"S":') * (len(opened) - len(closed)):
        raise ValueError("not only strings and numbers, or a text that begins with a brace")
    if escaped:
        closed = closed.replace(_QUOTE, b'\\"').replace(_BACKSLASH, b"\\\\")
    items: list[dict[str, str]] = loads(closed)
    return items


Columns = dict[str, list[Any]]

COLUMNS = tuple(each.name for each in ATTRIBUTES)
_ALWAYS = [each for each in ATTRIBUTES if not each.needs]
_TEXTS = [each.name for each in _ALWAYS if each.type == "S"]
_NUMBERS = [each.name for each in _ALWAYS if each.type == "N"]
_OPTIONAL_TEXTS = [each.name for each in ATTRIBUTES if each.needs and each.type == "S"]

_TRIES = 10
# A quote inside a value is escaped, so this can only be the answer's own key.
_NEXT_KEY = re.compile(rb'"LastEvaluatedKey"\s*:\s*')
_LONGEST_KEY_JSON = 1 << 16


def read_columns(connection: Connection, table: str, pattern: AccessPattern) -> Columns:
    """What `access.answer` answers, as columns.

    The same rows in the same order, but for ties: one Query gives them in its index's order. Every
    attribute of the table is a column (`COLUMNS`), numbers are int, and what an item may
    lack is None. Throttles are waited out; raises FestivalError for a table that is not there or
    may not be read, RetryableError where a later try may succeed.
    """
    columns: Columns = {name: [] for name in COLUMNS}
    for body in _bodies(connection, [query.request(table) for query in pattern.queries]):
        _append(columns, body)
    return _select(columns, pattern)


def _append(columns: Columns, body: bytes) -> None:
    items = texts(body)
    try:
        for name in _TEXTS:
            columns[name] += map(itemgetter(name), items)
        for name in _NUMBERS:
            columns[name] += map(int, map(itemgetter(name), items))
    except (KeyError, ValueError) as cause:
        for item in loads(body)["Items"]:
            from_item(item)
        raise FestivalError(f"an item has no usable {cause}: expected a performance") from cause
    for name in _OPTIONAL_TEXTS:
        columns[name] += [item.get(name) for item in items]
    columns["Popularity"] += [
        int(item["Popularity"]) if "Popularity" in item else None for item in items
    ]


def _select(columns: Columns, pattern: AccessPattern) -> Columns:
    """The rows that the pattern keeps, in its order. A row's line is its place, for a moment."""
    if len(pattern.queries) == 1 and pattern.keep is None:
        return columns
    places = range(len(columns["Performer"]))
    fields = ("Performer", "Stage", "Date", "StartMinutes", "EndMinutes", "Popularity")
    rows = map(Performance._make, zip(*(columns[name] for name in fields), places, strict=True))
    chosen = [row.line for row in pattern.select(list(rows))]
    if chosen == list(places):
        return columns
    return {name: [values[place] for place in chosen] for name, values in columns.items()}


def _bodies(connection: Connection, requests: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """The pages of several Queries as they come; the pages of one Query in their order."""
    with ThreadPoolExecutor(max_workers=len(requests)) as threads:

        def fetch(request: dict[str, Any]) -> Future[bytes]:
            return threads.submit(_fetch, connection, request)

        coming = {fetch(request): request for request in requests}
        while coming:
            arrived, _ = wait(coming, return_when=FIRST_COMPLETED)
            for page in arrived:
                request, body = coming.pop(page), page.result()
                if key := _next_key(body):
                    coming[fetch({**request, "ExclusiveStartKey": key})] = request
                yield body


def _fetch(connection: Connection, request: dict[str, Any]) -> bytes:
    """One page, asked for again while DynamoDB asks for patience."""
    body = dumps(request).encode()
    attempt = 0
    while True:
        attempt += 1
        trouble: FestivalError
        try:
            answer = connection.call("Query", body)
            if answer.status == 200:
                return answer.body
            trouble = failure(request["TableName"], answer.status, *answer.error())
        except RetryableError as lost:
            trouble = lost
        if attempt == _TRIES or not isinstance(trouble, RetryableError):
            raise trouble
        time.sleep(pause(attempt, random.random()))


def _next_key(body: bytes) -> Any:
    """Where the next page begins, found without decoding the page; None at the end."""
    found = _NEXT_KEY.search(body)
    if found is None:
        return None
    text = body[found.end() : found.end() + _LONGEST_KEY_JSON].decode("utf-8", "ignore")
    return JSONDecoder().raw_decode(text)[0]
