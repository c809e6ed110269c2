"""Finds the rows of nested and wrapped JSON documents, by a mapping's path."""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from festival.errors import LineupError, Remedy
from festival.lineup.columns import REQUIRED, match
from festival.lineup.decode import AS_CP1252, EXPECTED, MIB, Feed, Limits, Origin, last_resort
from festival.lineup.fields.text import clean, fold, preview
from festival.lineup.formats.json_objects import TOO_DEEP, ObjectRows, at_path
from festival.lineup.formats.json_text import TooDeepError, whole_value
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import FIELDS, Lookup, Rows, WarningKind

SHAPE = "document"
ANY = "*"
_SEVERAL = object()
_ASK = "`festival inspect` proposes a mapping whose rows say where they are"


def document_rows(
    origin: Origin, feed: Feed, objects: ObjectRows, mapping: LineupMapping, limits: Limits
) -> Iterator[Rows]:
    """The rows of one JSON document, found by a mapping's `rows`; lines are their index, from 1.

    Without a mapping, a document's rows are its only list of objects with the kit's own fields. A
    document can only be read whole, so it may not be larger than `document_bytes`, and reading
    cannot resume from its blocks. Raises LineupError.
    """
    document, assumed = read_document(origin, feed, limits)
    if assumed:
        objects.warn(0, "", assumed, WarningKind.ENCODING)
    path = mapping.rows or only_list(document)
    if not path:
        raise LineupError(f"the file is {_described(document)}; {EXPECTED}; {_ASK}", Remedy.MAPPING)
    tables = [(each, table_of(document, each)) for each in mapping.lookups]
    claimed = frozenset(name for _, name in mapping.columns if name)
    elements = PathRows(document, path, claimed)
    for index, element in enumerate(elements, 1):
        row, unknown = with_lookups(element, tables)
        if unknown:
            objects.refuse(index, row, unknown)
        else:
            objects.add(index, row)
        if len(objects) >= limits.block_rows:
            yield objects.give(None)
    if elements.passed_over:
        steps = " → ".join(path)
        reason = f"elements passed over, which have nothing at {steps}: {elements.passed_over:,}"
        objects.warn(0, elements.example, reason, WarningKind.PASSED_OVER)
    yield objects.give(None)


def only_list(document: Any) -> tuple[str, ...]:
    """The path to a document's only list of objects, if those have the kit's own fields."""
    lists = list(islice(_lists(document, ()), 2))
    if len(lists) != 1:
        return ()
    path, elements = lists[0]
    names = {fold(key) for key in elements[0]}
    return path if {fold(field) for field in REQUIRED} <= names else ()


def _lists(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _lists(item, (*path, clean(key)))


def table_of(document: Any, lookup: Lookup) -> dict[str, Any]:
    """A lookup's objects by key, or the value to take from each by key."""
    table: dict[str, Any] = {}
    for each in PathRows(document, lookup.rows):
        if not isinstance(each, dict):
            continue
        pairs = each.items() if lookup.key == ANY else [(at_path(each, lookup.key), each)]
        for id_, item in pairs:
            if key := _id(id_):
                value = at_path(item, lookup.value) if lookup.value else item
                table[key] = value if table.get(key, value) == value else _SEVERAL
    return table


def with_lookups(row: Any, tables: Sequence[tuple[Lookup, dict[str, Any]]]) -> tuple[Any, str]:
    """A row with its ids resolved, and why it is rejected if one is unknown."""
    for lookup, table in tables:
        key = _id(at_path(row, lookup.column))
        if key and table.get(key, _SEVERAL) is _SEVERAL:
            where, how = " → ".join(lookup.rows), "twice" if key in table else "not"
            return row, f"has the {lookup.column} '{preview(key)}', which is {how} in {where}"
        if key:
            row = {**row, lookup.column: table[key]}
    return row, ""


def _id(value: Any) -> str:
    return "" if isinstance(value, dict | list) or value is None else preview(value)


def read_document(origin: Origin, feed: Feed, limits: Limits) -> tuple[Any, str]:
    """A whole JSON document, and what was assumed about its encoding, if anything.

    Raises LineupError if it is too large or not JSON.
    """
    while not feed.ended:
        if len(feed.data) > limits.document_bytes:
            raise LineupError(
                f"the file is a JSON document of more than {limits.document_bytes / MIB:g} MiB; "
                "expected less: an array or JSON Lines may have any size"
            )
        feed.fill()
    if feed.failure:
        raise feed.failure
    assumed = ""
    try:
        text = feed.data.decode()
    except UnicodeDecodeError:
        text, refusal = last_resort(feed.data, origin.encoding, multibyte=False)
        if refusal:
            raise refusal.error("the JSON document") from None
        assumed = AS_CP1252
    try:
        return whole_value(text), assumed
    except TooDeepError:
        raise LineupError(f"the JSON document {TOO_DEEP}") from None
    except json.JSONDecodeError as error:
        if (lines := _line_values(text)) is not None:
            return lines, assumed
        if text[error.pos : error.pos + 1] == ",":
            raise LineupError(
                "the file has objects with commas between them; put [ before the first and ] after "
                "the last, to make it a JSON array"
            ) from None
        raise LineupError(
            f"the JSON document breaks in line {error.lineno}, character {error.colno}: "
            f"{error.msg}; {EXPECTED}"
        ) from None


def _line_values(text: str) -> list[Any] | None:
    """The objects of JSON Lines, for a path to lead into; None for any other text."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        values = [whole_value(line) for line in lines] if len(lines) > 1 else []
    except (json.JSONDecodeError, TooDeepError):
        return None
    return values if values and all(isinstance(each, dict) for each in values) else None


class PathRows:
    """The rows that a path leads to, in the document's order.

    A step is a key to follow, `<Field>` for an object whose keys are that field's values, or `*`
    for an object whose keys mean nothing. The path continues in each element of a list.

    The other values of the objects along the path are added to each row below them, both under
    their key and under `step.key` ("days.date"). A row's own values take precedence, and its own
    `stage` over the key of a `<Stage>`. If the row has another name for the same field, the added
    value is called `above.title`. A value that the mapping has `claimed` as `step.key` is added
    under that name only: otherwise a stage's name would be taken for a performer's.

    An element without the next step is skipped and counted. Iterating raises LineupError if the
    path leads to no row at all.

    >>> [*PathRows({"Main": [{"act": "Abba"}]}, ["<Stage>"])]
    [{'<Stage>': 'Main', 'act': 'Abba'}]
    """

    def __init__(
        self, document: Any, path: Sequence[str], claimed: frozenset[str] = frozenset()
    ) -> None:
        self.passed_over = 0
        self.example: Any = ""
        self._document = document
        self._path = path
        self._claimed = claimed
        self._dead_end = ""

    def __iter__(self) -> Iterator[Any]:
        rows = 0
        for row in self._below(self._document, 0, {}):
            rows += 1
            yield row
        if not rows and self._dead_end:
            raise LineupError(self._dead_end, Remedy.MAPPING)

    def _below(self, value: Any, at: int, above: dict[str, Any]) -> Iterator[Any]:
        path = self._path
        if isinstance(value, list):
            for element in value:
                yield from self._below(element, at, above)
        elif at == len(path) and value is not None:
            yield self._with_above(value, above) if isinstance(value, dict) else value
        elif not isinstance(value, dict):
            self._pass_over(value, at, f"meets {preview(value)}")
        elif path[at] == ANY or path[at].startswith("<"):
            # Under such keys a plain value ("updated": "2025-05-01") is not a row.
            inside = {key: item for key, item in value.items() if isinstance(item, dict | list)}
            if not inside and value:
                self._pass_over(value, at, f"finds only {_keys(value)}")
            for key, item in inside.items():
                named = {} if path[at] == ANY else {path[at]: key}
                yield from self._below(item, at + 1, {**above, **named})
        else:
            step = next((key for key in value if clean(key) == path[at]), None)
            if step is None:
                self._pass_over(value, at, f"finds only {_keys(value)}")
            else:
                beside = {**above, **_beside(value, path, at, self._claimed)}
                yield from self._below(value[step], at + 1, beside)

    def _with_above(self, row: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
        """A row completed by the values from above it, with its own taking precedence."""
        own = tuple(key for key, item in row.items() if item not in (None, ""))
        named = {fold(f"<{key}>") for key in own}
        added = {
            key: item for key, item in above.items() if key[:1] != "<" or fold(key) not in named
        }
        rivals = _rivals(tuple(added), own) - self._claimed
        return {**{f"above.{k}" if k in rivals else k: added[k] for k in added}, **row}

    def _pass_over(self, value: Any, at: int, what: str) -> None:
        self.passed_over += 1
        if not self._dead_end:
            steps = " → ".join(self._path[: at + 1])
            self._dead_end = f"the mapping's rows lead nowhere: {steps} {what}; {_ASK}"
            self.example = value


@lru_cache(maxsize=256)
def _rivals(above: tuple[str, ...], own: tuple[str, ...]) -> frozenset[str]:
    """The names from above for fields that the row itself has a column for."""
    fields = _fields_of(own)
    return frozenset(key for key in above if key[:1] != "<" and fields & _fields_of((key,)))


def _fields_of(names: tuple[str, ...]) -> set[str]:
    places = match(names, DEFAULT_MAPPING).places
    return {field for field, place in zip(FIELDS, places, strict=True) if place is not None}


def _beside(
    value: dict[str, Any], path: Sequence[str], at: int, claimed: frozenset[str]
) -> dict[str, Any]:
    """The values that an object along the path adds to its rows: by key, and by `step.key`."""
    plain = dict(plain_values({key: item for key, item in value.items() if clean(key) != path[at]}))
    step = path[at - 1] if at else ""
    if not step or step == ANY or step.startswith("<"):
        return plain
    by_step = {f"{step}.{key}": item for key, item in plain.items()}
    free = {key: item for key, item in plain.items() if f"{step}.{key}" not in claimed}
    return {**free, **by_step}


def plain_values(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """An object's values by key, without lists; those of small objects in it by `stage.name`."""
    for key, item in value.items():
        if not isinstance(item, dict | list):
            yield key, item
        elif isinstance(item, dict) and not any(map(_is_container, item.values())):
            yield from ((f"{key}.{name}", each) for name, each in item.items())


def _is_container(value: Any) -> bool:
    return isinstance(value, dict | list)


def _described(document: Any) -> str:
    if isinstance(document, dict):
        return f"one JSON object with the keys {_keys(document)}"
    return f"JSON, but {preview(document)}"


def _keys(value: dict[str, Any]) -> str:
    return f"'{preview(', '.join(map(clean, value)))}'"
