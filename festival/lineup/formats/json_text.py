"""Decodes JSON values, without what Python's decoder adds, loses or fails on."""

import json
import re
from collections import Counter
from typing import Any

from festival.lineup.fields.text import Number

WHITE_SPACE = re.compile(r"[ \t\n\r]*")
_STRUCTURE = re.compile(r'["\[\]{}]')
_IN_STRING = re.compile(r'["\\]')
_LEVELS = {'"': 0, "[": 1, "{": 1, "]": -1, "}": -1}
_SCALAR_END = re.compile(r"[,\]}\s]")


class Repeated(dict[str, Any]):
    """An object with a repeated key; the last value is kept, as decoders do."""

    keys_twice: tuple[str, ...] = ()


class TooDeepError(Exception):
    """A value nested deeper than Python can decode."""


def value_at(text: str, begin: int) -> tuple[Any, int]:
    """The JSON value at `begin` and the index after it.

    Numbers stay as written (Number). NaN is null: pandas writes it for a missing cell. Raises
    json.JSONDecodeError, and TooDeepError.
    """
    try:
        return _DECODER.raw_decode(text, begin)
    except RecursionError:
        raise TooDeepError from None


def whole_value(text: str) -> Any:
    """A text's only JSON value. Raises json.JSONDecodeError, and TooDeepError."""
    begin = _after_space(text, 0)
    value, end = value_at(text, begin)
    if _after_space(text, end) != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


class Extent:
    """Finds where a JSON value ends without decoding it, in text that comes in pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._scalar = False

    def end(self, text: str, at: int = 0) -> int:
        """The index after the value that starts or continues at `at`.

        -1 if it continues past the text; the next call then gets the next piece.
        """
        while at < len(text):
            if self._escaped:
                self._escaped = False
                at += 1
            elif self._in_string:
                match = _IN_STRING.search(text, at)
                if not match:
                    return -1
                at = match.end()
                self._escaped = match[0] == "\\"
                self._in_string = self._escaped
                if not (self._in_string or self._depth):
                    return at
            elif self._scalar or (not self._depth and text[at] not in '"[{'):
                self._scalar = True
                match = _SCALAR_END.search(text, at)
                return match.start() if match else -1
            else:
                match = _STRUCTURE.search(text, at)
                if not match:
                    return -1
                at = match.end()
                self._in_string = match[0] == '"'
                self._depth += _LEVELS[match[0]]
                if not (self._in_string or self._depth):
                    return at
        return -1


def _after_space(text: str, at: int) -> int:
    match = WHITE_SPACE.match(text, at)
    return match.end() if match else at


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    repeated = Repeated(value)
    counts = Counter(key for key, _ in pairs)
    repeated.keys_twice = tuple(key for key, count in counts.items() if count > 1)
    return repeated


def _constant(text: str) -> Any:
    return None if text == "NaN" else Number(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=Number,
    parse_float=Number,
    parse_constant=_constant,
)
