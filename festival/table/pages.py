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

    With escapes out of the way every quote in the text delimits a string, so that a quote and a
    brace are what they look like. Anything else than strings and numbers ends in a ValueError.
    """
    escaped = b"\\" in body
    if escaped:
        body = body.replace(b"\\\\", _BACKSLASH).replace(b'\\"', _QUOTE)
    begin = body.index(_ITEMS) + len(_ITEMS) - 1
    body = body[begin : body.rindex(_END_OF_ITEMS) + len(_END_OF_ITEMS)]
    body = body.replace(b'{"S":"', b'"').replace(b'{"N":"', b'"').replace(b'"}', b'"')
    if escaped:
        body = body.replace(_QUOTE, b'\\"').replace(_BACKSLASH, b"\\\\")
    items: list[dict[str, str]] = loads(body)
    return items
