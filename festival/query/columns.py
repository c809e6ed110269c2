"""Reads the table's answers, straight into columns for DataFrames, or as performances.

Each page's values are added to lists while the next page is being fetched.
"""

import random
import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import repeat
from json import JSONDecoder, dumps, loads
from operator import itemgetter
from typing import Any, NamedTuple

from festival.errors import FestivalError, RetryableError
from festival.lineup.model import Performance
from festival.query.patterns import AccessPattern
from festival.table.connection import Connection
from festival.table.faults import failure, pause
from festival.table.item import from_item, item_size
from festival.table.schema import ATTRIBUTES

_ITEMS = b'"Items":['
_END_OF_ITEMS = b'"}}]'
# JSON text has no raw control characters, so these two can stand in for escapes meanwhile.
_BACKSLASH, _QUOTE = b"\x02", b"\x01"
_OTHER_ESCAPES = re.compile(rb'(?<!\\)(?:\\\\)*\\[^\\"]')


def texts(body: bytes) -> tuple[list[dict[str, str]], int]:
    """The items in a Query's or Scan's answer, and their size in bytes (see `item_size`).

    Every value is text; a number is its digits. Raises ValueError or LookupError if the body is
    anything else.
    """
    try:
        items, length = _unwrapped(body)
    except ValueError:
        typed = loads(body)["Items"]
        plain = [
            {name: next(iter(value.values())) for name, value in item.items()} for item in typed
        ]
        return plain, sum(map(_size, typed))
    # Less the brackets and commas around items, and six characters around each name and value.
    size = length - 1 - 2 * len(items) - 6 * sum(map(len, items))
    return items, size - _surplus(items)


def _size(item: dict[str, dict[str, Any]]) -> int:
    """Like `item_size`; attributes of another type, which the kit never writes, count as JSON."""
    own = {name: value for name, value in item.items() if "S" in value or "N" in value}
    others = [(name, value) for name, value in item.items() if name not in own]
    return item_size(own) + sum(len(name) + len(dumps(value)) for name, value in others)


def _surplus(items: list[dict[str, str]]) -> int:
    """How many fewer bytes the items' numbers take in DynamoDB than as digits."""
    surplus = _DIGITS_SURPLUS.__getitem__
    return sum(
        sum(map(surplus, [item.get(name, "") for item in items]))
        for name in ("StartMinutes", "EndMinutes", "Popularity")
    )


class _DigitsSurplus(dict[str, int]):
    def __missing__(self, digits: str) -> int:
        surplus = len(digits) - item_size({"": {"N": digits}}) if digits else 0
        if len(self) < 8192:
            self[digits] = surplus
        return surplus


_DIGITS_SURPLUS = _DigitsSurplus()


def _unwrapped(body: bytes) -> tuple[list[dict[str, str]], int]:
    """The items, by cutting `{"S":` and its closing brace out of DynamoDB's compact JSON.

    Once the escapes have been replaced, every quote delimits a string: `{"S":"` can only open a
    value, and each value ends in `"}`. A text that begins with `}` looks like such an end too, and
    so does the end of a value of another type. There are then more ends than beginnings, which
    raises ValueError. The length is that of the items' JSON, with each escape counted as the
    character it stands for.
    """
    escaped = b"\\" in body
    if escaped:
        if _OTHER_ESCAPES.search(body):
            raise ValueError("escapes whose length is not the text's")
        body = body.replace(b"\\\\", _BACKSLASH).replace(b'\\"', _QUOTE)
    begin = body.index(_ITEMS) + len(_ITEMS) - 1
    typed = body[begin : body.rindex(_END_OF_ITEMS) + len(_END_OF_ITEMS)]
    opened = typed.replace(b'{"S":"', b'"').replace(b'{"N":"', b'"')
    closed = opened.replace(b'"}', b'"')
    if len(typed) - len(opened) != len(b'{"S":') * (len(opened) - len(closed)):
        raise ValueError("not only strings and numbers, or a text that begins with a brace")
    length = len(closed)
    if escaped:
        closed = closed.replace(_QUOTE, b'\\"').replace(_BACKSLASH, b"\\\\")
    items: list[dict[str, str]] = loads(closed)
    return items, length


Columns = dict[str, list[Any]]

COLUMNS = tuple(each.name for each in ATTRIBUTES)
_NUMBERS = [each.name for each in ATTRIBUTES if not each.needs and each.type == "N"]
_OPTIONAL_TEXTS = [each.name for each in ATTRIBUTES if each.needs and each.type == "S"]

# The columns of a DataFrame of performances.
ESSENTIAL = ("Performer", "Stage", "Date", "StartMinutes", "EndMinutes", "Popularity")

_TRIES = 10
_AT_ONCE = 16
# Quotes inside a value are escaped, so a quoted name before a colon is the answer's own.
_AFTER_A_NAME = re.compile(rb"\s*:\s*")
_LONGEST_KEY_JSON = 1 << 16


@dataclass(frozen=True, slots=True)
class PageCost:
    """What one page cost: the RRU that DynamoDB charged, the bytes of its items, milliseconds."""

    request: int
    items: int
    bytes: int
    read_units: float
    milliseconds: float


class TableAnswer(NamedTuple):
    """The performances that a pattern asks for, in its order, and what each page cost."""

    performances: list[Performance]
    pages: list[PageCost]


def answer(connection: Connection, table: str, pattern: AccessPattern) -> TableAnswer:
    """The whole answer to a pattern. Raises the same errors as `read_columns`."""
    pages: list[PageCost] = []
    columns = read_columns(connection, table, pattern, names=ESSENTIAL, on_page=pages.append)
    return TableAnswer(sorted(_performances(columns, repeat(0)), key=pattern.order), pages)


def read_columns(
    connection: Connection,
    table: str,
    pattern: AccessPattern,
    *,
    names: Sequence[str] = COLUMNS,
    on_page: Callable[[PageCost], None] | None = None,
) -> Columns:
    """The answer to a pattern as columns.

    The rows are in the pattern's order; ties of a single Query are in its index's order. Each of
    `names` is a column, numbers are int, and attributes that an item lacks are None. `on_page` is
    called with the cost of each page. Waits while DynamoDB throttles. Raises FestivalError if the
    table does not exist or may not be read, RetryableError if a later try may succeed.
    """
    wanted = tuple(dict.fromkeys((*names, *(ESSENTIAL if _needs_selecting(pattern) else ()))))
    requests = [query.request(table) for query in pattern.queries]
    answers = [_empty(wanted) for _ in requests]
    for page, number in _pages(connection, "Query", requests):
        _append(answers[number], page, number, on_page)
    columns = answers[0]
    for more in answers[1:]:
        for name in wanted:
            columns[name] += more[name]
    return _select(columns, pattern)


def scan_columns(
    connection: Connection,
    table: str,
    *,
    names: Sequence[str] = COLUMNS,
    segments: int = 4,
    on_page: Callable[[PageCost], None] | None = None,
) -> Iterator[Columns]:
    """Every item in a table, a page of columns at a time, in no particular order: a parallel Scan.

    This reads the whole table and costs one RRU for each 8 KB. Segments are read at the same time
    ("Parallel scan" in Scan's docs); at most one page of each is in memory.
    """
    requests = [
        {
            "TableName": table,
            "Segment": segment,
            "TotalSegments": segments,
            "ReturnConsumedCapacity": "TOTAL",
        }
        for segment in range(segments)
    ]
    for page, number in _pages(connection, "Scan", requests):
        columns = _empty(names)
        _append(columns, page, number, on_page)
        yield columns


class _Page(NamedTuple):
    body: bytes
    milliseconds: float


def _empty(names: Sequence[str]) -> Columns:
    return {name: [] for name in names}


def _append(
    columns: Columns, page: _Page, request: int, on_page: Callable[[PageCost], None] | None
) -> None:
    items, size = texts(page.body)
    try:
        for name in columns:
            columns[name] += _values(name, items)
    except (KeyError, ValueError) as cause:
        for item in loads(page.body)["Items"]:
            from_item(item)
        raise FestivalError(f"an item has no usable {cause}: expected a performance") from cause
    if on_page is not None:
        units = _value(b'"CapacityUnits"', page.body) or 0.0
        scanned = _value(b'"ScannedCount"', page.body) or len(items)
        on_page(PageCost(request, int(scanned), size, float(units), page.milliseconds))


def _values(name: str, items: list[dict[str, str]]) -> Iterable[Any]:
    if name in _NUMBERS:
        return map(int, map(itemgetter(name), items))
    if name == "Popularity":
        return [int(item[name]) if name in item else None for item in items]
    if name in _OPTIONAL_TEXTS:
        return [item.get(name) for item in items]
    return map(itemgetter(name), items)


def _needs_selecting(pattern: AccessPattern) -> bool:
    return pattern.keep is not None or (len(pattern.queries) > 1 and not pattern.in_order)


def _select(columns: Columns, pattern: AccessPattern) -> Columns:
    """The rows that the pattern keeps, in its order. Until then, a row's line is its index."""
    if not _needs_selecting(pattern):
        return columns
    indexes = range(len(columns["Performer"]))
    chosen = [row.line for row in pattern.select(list(_performances(columns, indexes)))]
    if chosen == list(indexes):
        return columns
    return {name: [values[index] for index in chosen] for name, values in columns.items()}


def _performances(columns: Columns, lines: Iterable[int]) -> Iterator[Performance]:
    return map(Performance._make, zip(*(columns[name] for name in ESSENTIAL), lines, strict=False))


def _pages(
    connection: Connection, operation: str, requests: Sequence[dict[str, Any]]
) -> Generator[tuple[_Page, int], None, None]:
    """The pages of several requests as they arrive, each with its request's number.

    A request's pages stay in order, and the next one is requested before one is yielded.
    """
    with ThreadPoolExecutor(max_workers=min(len(requests), _AT_ONCE)) as threads:

        def fetch(request: dict[str, Any]) -> Future[_Page]:
            return threads.submit(_fetch, connection, operation, request)

        coming = {fetch(request): number for number, request in enumerate(requests)}
        try:
            while coming:
                arrived, _ = wait(coming, return_when=FIRST_COMPLETED)
                for done in arrived:
                    number, page = coming.pop(done), done.result()
                    if key := _next_key(page.body):
                        coming[fetch({**requests[number], "ExclusiveStartKey": key})] = number
                    yield page, number
        finally:
            for waiting in coming:
                waiting.cancel()


def _fetch(connection: Connection, operation: str, request: dict[str, Any]) -> _Page:
    """One page, requested again as long as DynamoDB asks for patience."""
    body = dumps(request).encode()
    attempt = 0
    while True:
        attempt += 1
        trouble: FestivalError
        began = time.perf_counter()
        try:
            answer = connection.call(operation, body)
            if answer.status == 200:
                return _Page(answer.body, 1000 * (time.perf_counter() - began))
            trouble = failure(request["TableName"], answer.status, *answer.error())
        except RetryableError as lost:
            trouble = lost
        if attempt == _TRIES or not isinstance(trouble, RetryableError):
            raise trouble
        time.sleep(pause(attempt, random.random()))


def _next_key(body: bytes) -> Any:
    """The key after which the next page begins, without decoding the page; None at the end."""
    return _value(b'"LastEvaluatedKey"', body)


def _value(name: bytes, body: bytes) -> Any:
    """The value with this name beside the items in an answer; None if there is none.

    The search begins at the end, because to search every page's megabyte for each of three names
    would take a tenth of a reader's time.
    """
    at = len(body)
    while (at := body.rfind(name, 0, at)) >= 0:
        if colon := _AFTER_A_NAME.match(body, at + len(name)):
            text = body[colon.end() : colon.end() + _LONGEST_KEY_JSON].decode("utf-8", "ignore")
            return JSONDecoder().raw_decode(text)[0]
    return None
