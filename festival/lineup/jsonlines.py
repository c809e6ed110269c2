"""JSON Lines to rows: one object a line."""

import json
from collections.abc import Iterator

from festival.lineup.jsontext import TooDeepError, whole_value
from festival.lineup.lines import AS_CP1252, LineReader, Lines, LongLine
from festival.lineup.objects import TOO_DEEP, ObjectRows
from festival.lineup.rows import Rows

SHAPE = "jsonl"


def line_rows(reader: LineReader, objects: ObjectRows) -> Iterator[Rows]:
    """The rows of JSON Lines; a line that is no JSON object is refused.

    Raises what broke the source, once all whole lines are given.
    """
    while (lines := reader.next()) is not None:
        if isinstance(lines, LongLine):
            objects.refuse(lines.number, lines.head, lines.reason)
        else:
            for index, text in enumerate(lines.text):
                _take_line(objects, lines, index, text)
            reader.take(lines, len(lines.text))
        yield objects.give(reader.position(SHAPE))
    if reader.failure:
        raise reader.failure


def _take_line(objects: ObjectRows, lines: Lines, index: int, text: str) -> None:
    number = lines.first + index
    if index in lines.refused:
        objects.refuse(number, text, lines.refused[index])
    elif text.strip(" \t"):
        if index in lines.assumed:
            objects.warn(number, text, AS_CP1252)
        try:
            value = whole_value(text)
        except TooDeepError:
            objects.refuse(number, text, TOO_DEEP)
        except json.JSONDecodeError as error:
            reason = f"is no JSON ({error.msg} at character {error.pos + 1}); expected one object"
            objects.refuse(number, text, reason)
        else:
            objects.add(number, value)
