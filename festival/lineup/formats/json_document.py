"""Nested and wrapped JSON documents: the rows in them, by the path that a mapping gives."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from festival.errors import LineupError
from festival.lineup.decode import AS_CP1252, EXPECTED, MIB, Feed, Limits, Origin, last_resort
from festival.lineup.fields.text import clean, preview
from festival.lineup.formats.json_objects import TOO_DEEP, ObjectRows
from festival.lineup.formats.json_text import TooDeepError, whole_value
from festival.lineup.model import Rows

SHAPE = "document"
ANY = "*"
_ASK = "`festival inspect` proposes a mapping whose rows say where they are"


def document_rows(
    origin: Origin, feed: Feed, objects: ObjectRows, path: Sequence[str], limits: Limits
) -> Iterator[Rows]:
    """The rows of one JSON document, found by a mapping's `rows`; lines are their index, from 1.

    A document is only understood whole, so that it may not be larger than `document_bytes`, and
    reading cannot go on from its blocks. Raises LineupError.
    """
    document, assumed = read_document(origin, feed, limits)
    if assumed:
        objects.warn(0, "", assumed)
    if not path:
        raise LineupError(f"the file is {_described(document)}; {EXPECTED}; {_ASK}")
    for index, row in enumerate(rows_at(document, path), 1):
        objects.add(index, row)
        if len(objects) >= limits.block_rows:
            yield objects.give(None)
    yield objects.give(None)


def read_document(origin: Origin, feed: Feed, limits: Limits) -> tuple[Any, str]:
    """The whole of a JSON document, and what was assumed about its encoding, if anything was.

    Raises LineupError where it is too large or no JSON.
    """
    while not feed.ended:
        if len(feed.data) > limits.document_bytes:
            raise LineupError(
                f"the file is a JSON document of more than {limits.document_bytes / MIB:g} MiB; "
                "expected no more in one document: an array or JSON Lines may have any size"
            )
        feed.fill()
    if feed.failure:
        raise feed.failure
    assumed = ""
    try:
        text = feed.data.decode()
    except UnicodeDecodeError:
        text, reason = last_resort(feed.data, origin.encoding, multibyte=False)
        if reason:
            raise LineupError(f"the JSON document {reason}") from None
        assumed = AS_CP1252
    try:
        return whole_value(text), assumed
    except TooDeepError:
        raise LineupError(f"the JSON document {TOO_DEEP}") from None
    except json.JSONDecodeError as error:
        raise LineupError(
            f"the JSON document breaks in line {error.lineno}, character {error.colno}: "
            f"{error.msg}; {EXPECTED}"
        ) from None


def rows_at(document: Any, path: Sequence[str]) -> Iterator[Any]:
    """The rows that a path leads to, in the document's order.

    A step is a key to go into, `<Field>` for an object whose keys are that field's values, or `*`
    for one whose keys say nothing. Lists on the way are gone through. What the objects on the way
    say beside belongs to each row below them, under its own key and under `step.key`
    ("days.date"); the row's own keys go first. Raises LineupError where a step leads nowhere.
    """
    return _below(document, path, 0, {})


def _below(value: Any, path: Sequence[str], at: int, above: dict[str, Any]) -> Iterator[Any]:
    if isinstance(value, list):
        for element in value:
            yield from _below(element, path, at, above)
    elif at == len(path):
        yield {**above, **value} if isinstance(value, dict) else value
    elif not isinstance(value, dict):
        raise LineupError(_lost(path, at, f"meets {preview(value)}"))
    elif path[at] == ANY or path[at].startswith("<"):
        for key, item in value.items():
            named = {} if path[at] == ANY else {path[at]: key}
            yield from _below(item, path, at + 1, {**above, **named})
    else:
        step = next((key for key in value if clean(key) == path[at]), None)
        if step is None:
            raise LineupError(_lost(path, at, f"finds only {_keys(value)}"))
        yield from _below(value[step], path, at + 1, {**above, **_beside(value, path, at)})


def _beside(value: dict[str, Any], path: Sequence[str], at: int) -> dict[str, Any]:
    """What an object on the way says itself: by its keys, and by the step that led to it."""
    plain = {key: item for key, item in value.items() if not isinstance(item, dict | list)}
    came_by = path[at - 1] if at else ""
    if not came_by or came_by == ANY or came_by.startswith("<"):
        return plain
    return {**plain, **{f"{came_by}.{key}": item for key, item in plain.items()}}


def _lost(path: Sequence[str], at: int, what: str) -> str:
    steps = " → ".join(path[: at + 1])
    return f"the mapping's rows lead nowhere: {steps} {what}; expected {_ASK}"


def _described(document: Any) -> str:
    if isinstance(document, dict):
        return f"one JSON object with the keys {_keys(document)}"
    return f"JSON, but {preview(document)}"


def _keys(value: dict[str, Any]) -> str:
    return f"'{preview(', '.join(map(clean, value)))}'"
