"""Cleans and shows cell values, which are text in a CSV and anything in JSON."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from festival.text import printable, shortened

SHOWN_CHARACTERS = 200
_REMEMBERED_CHARACTERS = 200
_SHOWN_DEPTH = 20
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad]")
_UNIMPORTANT = str.maketrans("", "", " _-")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class RuleError(Exception):
    """A value that breaks its field's rule; the message is the reason, without the value.

    `option` is the mapping option that would settle the matter, if there is one.
    """

    def __init__(self, reason: str, option: str = "") -> None:
        super().__init__(reason)
        self.option = option


class Number(NamedTuple):
    """A JSON number as it was written: "1914" is a band, 0.10 is not 0.1."""

    text: str


class RangeStart(NamedTuple):
    """A cell with both times, such as `20:00 - 21:30`, to be read for its start."""

    cell: Any


class RangeEnd(NamedTuple):
    """A cell with both times, to be read for its end."""

    cell: Any


class EndParts(NamedTuple):
    """The cells that make up an end: its time, its date, and the length of the performance."""

    end: Any
    date: Any
    length: Any


class Memo(dict[Any, Any]):
    """A bounded cache of a pure function: `memo[x]` is `rule(x)`, at the speed of a dict.

    Long texts are not cached: a hostile file must not fill the memory with them.
    """

    def __init__(self, rule: Callable[[Any], Any], bound: int = 4_096) -> None:
        super().__init__()
        self._rule = rule
        self._bound = bound

    def __missing__(self, key: Any) -> Any:
        text = key[0] if isinstance(key, tuple) else key
        if isinstance(text, str) and len(text) > _REMEMBERED_CHARACTERS:
            return self._rule(key)
        if len(self) >= self._bound:
            self.clear()
        value = self[key] = self._rule(key)
        return value


def clean(text: str) -> str:
    """The text in Unicode NFC, trimmed, with single spaces and without zero-width characters.

    The joiners U+200C and U+200D stay: scripts and emoji need them.
    """
    if text.isascii():
        return " ".join(text.split())
    return " ".join(unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).split())


def fold(name: str) -> str:
    """A name as it is compared: without case, spaces, underscores and hyphens."""
    return clean(name).casefold().translate(_UNIMPORTANT)


def text_of(value: Any) -> str:
    """A cell as clean text; a JSON number is its original text, null is blank.

    Raises RuleError for true, false, a list or an object.
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Number):
        return value.text
    if value is None:
        return ""
    if isinstance(value, bool):
        raise RuleError(f"is {'true' if value else 'false'}; expected text")
    kind, part = ("a list", "[0]") if isinstance(value, list) else ("an object", ".name")
    raise RuleError(
        f"is {kind}; expected text, or the mapping's columns to say which part of it, such as "
        f"'stage{part}'",
        "columns",
    )


def name(value: Any) -> str:
    """A performer or a stage: at least 1 character of text that can be stored and printed.

    Raises RuleError for a blank, for half of a surrogate pair (it has no UTF-8 form) and for a
    control character (it would reach terminals and e-mails).
    """
    text = text_of(value)
    if not text:
        raise RuleError("is blank; expected text")
    if text.isprintable():
        return text
    if bad := _CONTROL.search(text):
        raise RuleError(f"has the control character U+{ord(bad[0]):04X}; expected plain text")
    if bad := _SURROGATE.search(text):
        raise RuleError(f"has half a surrogate pair, U+{ord(bad[0]):04X}; expected whole text")
    return text


def plain(value: Any, depth: int = _SHOWN_DEPTH) -> Any:
    """A JSON value as plain Python that `json.dumps` and UTF-8 accept, cut off at a depth."""
    if isinstance(value, Number):
        return _plain_number(value.text)
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, Mapping | list) and not depth:
        return "…"
    if isinstance(value, Mapping):
        return {plain(key): plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, depth - 1) for item in value]
    return value


def preview(value: Any) -> str:
    """A value for a message: on one line, printable, at most 200 characters."""
    if isinstance(value, EndParts):
        value = value.end or value.length
    if isinstance(value, RangeStart | RangeEnd):
        value = value.cell
    if value is None:
        return ""
    if isinstance(value, Number):
        value = value.text
    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
    return printable(shortened(text, SHOWN_CHARACTERS))


def _plain_number(text: str) -> int | float | str:
    # Python refuses to convert integers of more than 4,300 digits; no real number has 300.
    if len(text) > 300:
        return text
    try:
        return int(text)
    except ValueError:
        return float(text)
