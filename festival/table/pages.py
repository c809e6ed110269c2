"""DynamoDB's JSON of a page of items, decoded without an object for each value.

An item is `{"Stage":{"S":"Park"},…}`: a decoder makes twelve small dicts of it that are thrown away
at once. Taking the type wrappers out of the text first needs less than half of the time.
"""

from contextlib import suppress
from json import loads

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
