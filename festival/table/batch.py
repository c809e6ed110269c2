"""Makes the body of a BatchWriteItem, and works out what the answer to it means. Pure.

A batch cannot come near the 16 MB limit of a request: the keys' limits and a `Source` path of at
most 4,096 bytes keep a row under about 60 KB of JSON, even if every byte is escaped to six.
"""

from collections.abc import Callable, Sequence
from json import dumps, loads
from typing import NamedTuple

from festival.errors import FestivalError, RetryableError
from festival.lineup.model import Performance
from festival.table.faults import Response, failure, is_throttle
from festival.table.item import from_item

# Errors about a whole body, which do not say which row caused them.
_ABOUT_A_ROW = frozenset({"ValidationException", "SerializationException"})
_ALL_STORED = b'"UnprocessedItems":{}'


class Stored(NamedTuple):
    """Every row is stored, except those that DynamoDB wants sent again."""

    unprocessed: list[Performance]

    @property
    def throttled(self) -> bool:
        return bool(self.unprocessed)


class Unprocessed(NamedTuple):
    """No row is known to be stored; a later try may succeed."""

    reason: str
    throttled: bool


class Refused(NamedTuple):
    """At least one of the rows can never be stored."""

    message: str


class Failed(NamedTuple):
    """No request of this writer can succeed."""

    reason: str


Verdict = Stored | Unprocessed | Refused | Failed


def last_of_each_key(rows: Sequence[Performance]) -> list[Performance]:
    """The last of the rows with each key, because a batch may not hold a key twice."""
    return list({row.identity: row for row in rows}.values())


def body(table: str, rows: Sequence[Performance], encode: Callable[[Performance], str]) -> bytes:
    """The JSON of a BatchWriteItem that puts these rows, no two of which share a key."""
    requests = ",".join(map(encode, rows))
    return f'{{"RequestItems":{{{dumps(table)}:[{requests}]}}}}'.encode("ascii")


def verdict(answer: Response | FestivalError, table: str, rows: Sequence[Performance]) -> Verdict:
    """What an answer, or the lack of one, means for the rows sent."""
    if isinstance(answer, RetryableError):
        return Unprocessed(str(answer), throttled=False)
    if isinstance(answer, FestivalError):
        return Failed(str(answer))
    if answer.status == 200:
        return _stored(answer, rows)
    code, message = answer.error()
    if code in _ABOUT_A_ROW:
        return Refused(message)
    error = failure(table, answer.status, code, message)
    if isinstance(error, RetryableError):
        return Unprocessed(str(error), throttled=is_throttle(answer.status, code))
    return Failed(str(error))


def _stored(answer: Response, rows: Sequence[Performance]) -> Verdict:
    if _ALL_STORED in answer.body:
        return Stored([])
    try:
        tables = loads(answer.body)["UnprocessedItems"].values()
        left = {
            from_item(request["PutRequest"]["Item"]).identity
            for items in tables
            for request in items
        }
    except (ValueError, LookupError, AttributeError, TypeError, FestivalError):
        return Unprocessed("an answer that is not DynamoDB's", throttled=False)
    unprocessed = [row for row in rows if row.identity in left]
    if len(unprocessed) != len(left):
        return Unprocessed("an answer about rows that were not sent", throttled=False)
    return Stored(unprocessed)
