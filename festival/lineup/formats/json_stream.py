"""Reads the rows of a JSON array, element by element and never whole, and of JSON Lines."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from festival.errors import LineupError
from festival.lineup.decode import (
    AS_CP1252,
    Feed,
    Limits,
    LineReader,
    Lines,
    LongLine,
    Origin,
    last_resort,
    too_long,
)
from festival.lineup.fields.text import preview
from festival.lineup.formats.json_objects import TOO_DEEP, ObjectRows
from festival.lineup.formats.json_text import (
    WHITE_SPACE,
    Extent,
    TooDeepError,
    value_at,
    whole_value,
)
from festival.lineup.model import Position, Rows, WarningKind

ARRAY = "json"
_HEAD_CHARACTERS = 800
_NOT_UTF8 = re.compile(r"[\udc80-\udcff]")


class _UnreadableError(Exception):
    """An element that can be skipped but not decoded."""


class ArrayRows:
    """The rows of a JSON array, decoded element by element.

    A syntax error ends the file: after the rows before it, LineupError says where it is.
    """

    def __init__(
        self,
        origin: Origin,
        feed: Feed,
        objects: ObjectRows,
        limits: Limits,
        start: Position | None = None,
    ) -> None:
        self._origin = origin
        self._feed = feed
        self._objects = objects
        self._limits = limits
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._index = start.line if start else 1
        self._multibyte = start.seen_multibyte if start else False
        self._opened = start is not None
        self._first = start is None
        # The text after the first `_taken` bytes. Reading is at `_at`; the last element ended at
        # `_done_to`.
        self._text = ""
        self._taken = feed.taken
        self._at = self._done_to = 0
        self._ended = False
        self._damaged = False

    def __iter__(self) -> Iterator[Rows]:
        more, broken = True, None
        while more:
            try:
                more = self._gather()
            except LineupError as error:
                more, broken = False, error
            if len(self._objects):
                yield self._objects.give(self._position())
        if broken:
            raise broken

    def _gather(self) -> bool:
        """Take in elements until a block is full; return whether there may be more."""
        size = 0
        while len(self._objects) < self._limits.block_rows and size < self._limits.block_bytes:
            if not self._at_element():
                return False
            try:
                size += self._take_element()
            except _UnreadableError as unreadable:
                # Give the rows before it first; then skip it without keeping its text.
                if len(self._objects):
                    self._at = self._done_to
                    return True
                self._skip(str(unreadable))
        return True

    def _at_element(self) -> bool:
        """Go to the next element, past the comma before it; False at the array's end."""
        if not self._opened:
            self._next_mark()
            self._opened = True
            self._at += 1
        mark = self._next_mark()
        if mark == "]":
            self._at += 1
            if self._next_mark() or self._feed.failure:
                raise self._broken("unexpected text after the end of the array", self._at)
            return False
        if self._first and mark:
            return True
        if mark != ",":
            raise self._broken("expected a comma or ] after an element", self._at)
        self._done_to = self._at
        self._at += 1
        if self._next_mark() in ("]", ""):
            raise self._broken("expected an element after the comma", self._at)
        return True

    def _take_element(self) -> int:
        """Decode the element that begins here and hand it on; return its length in characters."""
        while True:
            begin = self._at
            try:
                value, end = value_at(self._text, begin)
            except TooDeepError:
                raise _UnreadableError(TOO_DEEP) from None
            except json.JSONDecodeError as error:
                if (end := Extent().end(self._text, begin)) >= 0:
                    self._check_length(begin, end)
                    raise self._broken(error.msg, error.pos) from None
                if self._ended:
                    raise self._broken("", len(self._text)) from None
                if len(self._text) - begin > self._limits.record_bytes:
                    raise _UnreadableError(too_long(self._limits)) from None
            else:
                # A number at the very end of the text may continue in the next piece.
                if end < len(self._text) or self._ended:
                    break
            self._more()
        self._check_length(begin, end)
        if self._damaged:
            self._add_damaged(self._text[begin:end], value)
        else:
            self._objects.add(self._index, value)
        self._done(end)
        return end - begin

    def _check_length(self, begin: int, end: int) -> None:
        limit = self._limits.record_bytes
        # At most four bytes per character: only a long element has to be encoded to know its size.
        if (end - begin) * 4 > limit:
            source = self._text[begin:end].encode("utf-8", "surrogateescape")
            if len(source) > limit:
                raise _UnreadableError(too_long(self._limits))

    def _add_damaged(self, source: str, value: Any) -> None:
        """Hand on an element near bytes that are not UTF-8, as Windows-1252 if it may be that."""
        if not _NOT_UTF8.search(source):
            self._multibyte = self._multibyte or not source.isascii()
            self._objects.add(self._index, value)
            return
        raw = source.encode("utf-8", "surrogateescape")
        decoded, refusal = last_resort(raw, self._origin.encoding, self._multibyte)
        if refusal:
            self._objects.refuse(self._index, decoded, *refusal)
        else:
            self._objects.warn(self._index, decoded, AS_CP1252, WarningKind.ENCODING)
            self._objects.add(self._index, value_at(decoded, 0)[0])

    def _skip(self, reason: str) -> None:
        extent = Extent()
        shortest = min(_HEAD_CHARACTERS, self._limits.record_bytes // 4)
        head = self._text[self._at : self._at + shortest]
        while (end := extent.end(self._text, self._at)) < 0:
            if self._ended:
                raise self._broken("", len(self._text))
            self._at = self._done_to = len(self._text)
            self._more()
        self._objects.refuse(self._index, head, reason)
        self._done(end)

    def _done(self, end: int) -> None:
        self._at = self._done_to = end
        self._index += 1
        self._first = False

    def _next_mark(self) -> str:
        """The next character that is not white space; empty at the end of the file."""
        while True:
            if space := WHITE_SPACE.match(self._text, self._at):
                self._at = space.end()
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            if self._at - self._done_to > self._limits.record_bytes:
                raise self._broken("too much white space", self._at)
            self._more()

    def _more(self) -> None:
        """Drop the text that has been read, and get more."""
        self._drop_done()
        if not self._feed.data:
            self._feed.fill()
        data = self._feed.take(len(self._feed.data))
        self._ended = self._feed.ended
        piece = self._decoder.decode(data, self._ended)
        self._damaged = self._damaged or bool(_NOT_UTF8.search(piece))
        self._text += piece

    def _drop_done(self) -> None:
        done, self._text = self._text[: self._done_to], self._text[self._done_to :]
        if not self._damaged:
            self._multibyte = self._multibyte or not done.isascii()
        elif not _NOT_UTF8.search(self._text):
            self._damaged = False
        self._taken += len(done.encode("utf-8", "surrogateescape"))
        self._at -= self._done_to
        self._done_to = 0

    def _position(self) -> Position:
        self._drop_done()
        position = self._origin.position(self._taken, self._index, ARRAY)
        return position._replace(seen_multibyte=self._multibyte)

    def _broken(self, why: str, at: int) -> LineupError:
        if self._feed.failure and at >= len(self._text):
            return self._feed.failure
        before = self._text[:at].encode("utf-8", "surrogateescape")
        byte = self._origin.base + self._taken + len(before)
        where = "where the file ends"
        if at < len(self._text):
            where = f"at '{preview(self._text[at])}': {why}"
        return LineupError(
            f"the JSON array breaks at byte {byte:,}, in or after element {self._index}, {where}"
        )


LINES = "jsonl"


def line_rows(reader: LineReader, objects: ObjectRows) -> Iterator[Rows]:
    """The rows of JSON Lines; a line that is not a JSON object is rejected.

    If the source breaks, the error is raised after all whole lines have been given.
    """
    while (lines := reader.next()) is not None:
        if isinstance(lines, LongLine):
            objects.refuse(lines.number, lines.head, lines.reason)
        else:
            for index, text in enumerate(lines.text):
                _take_line(objects, lines, index, text)
            reader.take(lines, len(lines.text))
        yield objects.give(reader.position(LINES))
    if reader.failure:
        raise reader.failure


def _take_line(objects: ObjectRows, lines: Lines, index: int, text: str) -> None:
    number = lines.first + index
    if index in lines.refused:
        objects.refuse(number, text, *lines.refused[index])
    elif text.strip(" \t"):
        if index in lines.assumed:
            objects.warn(number, text, AS_CP1252, WarningKind.ENCODING)
        try:
            value = whole_value(text)
        except TooDeepError:
            objects.refuse(number, text, TOO_DEEP)
        except json.JSONDecodeError as error:
            reason = f"is not JSON ({error.msg} at character {error.pos + 1}); expected one object"
            objects.refuse(number, text, reason)
        else:
            objects.add(number, value)
