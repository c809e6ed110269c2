"""The access patterns: the questions that the table answers with Queries.

A pattern is pure data; `query.columns` runs its Queries.

If a lineup has festival days, a set at half past one at night is stored under the day before, as
`25:30`. A pattern's times are calendar times, so one before noon, which may have been stored like
that, has a second Query for it.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date as calendar_date
from typing import Any

from festival.errors import FestivalError
from festival.lineup.fields.text import clean
from festival.lineup.model import MINUTES_PER_DAY, Performance, clock
from festival.table.schema import (
    DATE_INDEX,
    PARTITION_KEY,
    POPULARITY_BUCKET,
    POPULARITY_INDEX,
    STAGE_INDEX,
    Index,
)

# How far past midnight a festival day may last: `35:59` is 11:59 of the next calendar day.
FESTIVAL_DAY_ENDS = MINUTES_PER_DAY + 12 * 60

# More days than this mean a mistyped year, or call for a Scan.
MOST_DAYS = 366

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"(\d{1,2}):([0-5]\d)", re.ASCII)


def day_and_minute(date: str, time: str) -> tuple[int, int]:
    """A calendar day's number and a minute of that day; `25:30` is half past one on the next day.

    Raises FestivalError for anything that is not a date or time.
    """
    days, minute = divmod(clock_minutes(time, "time"), MINUTES_PER_DAY)
    return usable_day(date) + days, minute


def usable_day(date: str) -> int:
    """The number of a date's day; the days around it have to exist too."""
    day = day_number(date)
    if 3 <= day < calendar_date.max.toordinal():
        return day
    raise FestivalError(f"date '{date}': expected a day with neighbours in the calendar")


def clock_minutes(time: str, what: str) -> int:
    """`HH:MM` as minutes since midnight; `what` names the time in the error."""
    match = _TIME.fullmatch(time)
    if match and (minutes := int(match[1]) * 60 + int(match[2])) < FESTIVAL_DAY_ENDS:
        return minutes
    raise FestivalError(f"{what} '{time}': expected HH:MM, 00:00 to 23:59, such as 21:30")


def day_number(date: str) -> int:
    """A date's day number, which grows by one from day to day."""
    if _DATE.fullmatch(date):
        with suppress(ValueError):
            return calendar_date.fromisoformat(date).toordinal()
    raise FestivalError(f"date '{date}': expected a day of the calendar as YYYY-MM-DD")


def day_text(day: int) -> str:
    """The date with this day number."""
    return calendar_date.fromordinal(day).isoformat()


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """One Query: its index (None means the table), key condition, names and values."""

    index: str | None
    condition: str
    names: dict[str, str]
    values: dict[str, dict[str, str]]
    forward: bool = True

    def request(self, table: str) -> dict[str, Any]:
        """The parameters for DynamoDB's Query, for boto3 or as a JSON body."""
        parameters: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": self.condition,
            "ExpressionAttributeNames": self.names,
            "ExpressionAttributeValues": self.values,
            "ScanIndexForward": self.forward,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if self.index is not None:
            parameters["IndexName"] = self.index
        return parameters


@dataclass(frozen=True, slots=True)
class AccessPattern:
    """A question in words, the Queries that answer it, and which of their items to keep.

    `keep` is a condition that a key condition cannot express; `order` sorts several Queries'
    answers. `in_order` says that the answers, one Query after the other, are already in order.
    """

    question: str
    queries: tuple[KeyQuery, ...]
    order: Callable[[Performance], Any] = field(compare=False)
    keep: Callable[[Performance], bool] | None = field(default=None, compare=False)
    in_order: bool = False

    def describe(self) -> str:
        """The question and each Query's key condition, one per line."""
        return "\n".join([self.question, *(f"  {_spelled(query)}" for query in self.queries)])

    def conditions(self) -> tuple[str, ...]:
        """Each Query's key condition, with its values."""
        return tuple(map(_spelled, self.queries))

    def select(self, performances: Sequence[Performance]) -> list[Performance]:
        """The performances to keep among those that the Queries returned, in order."""
        return sorted(
            filter(self.keep, performances) if self.keep else performances, key=self.order
        )


def by_performer(name: str) -> AccessPattern:
    """All performances of a performer."""
    name = _name(name, "performer")
    query = KeyQuery(
        None, "#performer = :performer", {"#performer": PARTITION_KEY}, {":performer": {"S": name}}
    )
    return AccessPattern(f"all performances of '{name}'", (query,), _by_start)


def on_date(date: str, time_from: str = "00:00", time_to: str = "23:59") -> AccessPattern:
    """The performances that start on a date, from one time to another, both included.

    A range past midnight (`22:00` to `02:00`) continues into the next day. Raises FestivalError for
    anything that is not a date or time.
    """
    day, begin, end = (
        usable_day(date),
        clock_minutes(time_from, "time from"),
        clock_minutes(time_to, "time to"),
    )
    day, begin, end = day + begin // MINUTES_PER_DAY, begin % MINUTES_PER_DAY, end % MINUTES_PER_DAY
    if end < begin:
        end += MINUTES_PER_DAY
    spans = [(day, begin, end)]
    if end >= MINUTES_PER_DAY:
        spans.append((day + 1, 0, end - MINUTES_PER_DAY))
    spans += _festival_spelling(day, begin, end)
    queries = tuple(
        _between(DATE_INDEX, day_text(on), clock(first), clock(last)) for on, first, last in spans
    )
    return AccessPattern(
        f"performances on {date} that start from {time_from} to {time_to}", queries, _by_start
    )


def on_days(first: str, last: str) -> AccessPattern:
    """Every performance on the lineup's days from `first` to `last`, both included: a Query a day.

    A day is a Date of the lineup: if that continues past midnight, so does the day.
    """
    begin, end = day_number(first), day_number(last)
    if end < begin:
        raise FestivalError(f"last day '{last}' is before the first, '{first}'")
    if end - begin >= MOST_DAYS:
        raise FestivalError(
            f"{first} to {last} is {end - begin + 1:,} days: expected at most {MOST_DAYS}"
        )
    queries = tuple(
        KeyQuery(
            DATE_INDEX.name,
            "#date = :date",
            {"#date": DATE_INDEX.partition_key},
            {":date": {"S": day_text(day)}},
        )
        for day in range(begin, end + 1)
    )
    question = f"the lineup of {first}" + (f" to {last}" if last != first else "")
    return AccessPattern(question, queries, _by_day_and_start, in_order=True)


def stage_at_exactly(stage: str, date: str, time: str) -> AccessPattern:
    """The performances on a stage that start at exactly this time."""
    stage = _name(stage, "stage")
    day, minute = day_and_minute(date, time)
    spans = [(day, minute, minute), *_festival_spelling(day, minute, minute)]
    queries = tuple(
        KeyQuery(
            STAGE_INDEX.name,
            "#stage = :stage AND #start = :start",
            {"#stage": STAGE_INDEX.partition_key, "#start": STAGE_INDEX.sort_key},
            {":stage": {"S": stage}, ":start": {"S": f"{day_text(on)}#{clock(at)}"}},
        )
        for on, at, _ in spans
    )
    question = f"what starts on '{stage}' on {date} at {time}"
    return AccessPattern(question, queries, _by_start)


def on_stage_at(stage: str, date: str, time: str) -> AccessPattern:
    """Who is on a stage at a moment: all performances with start ≤ moment < end.

    No performance is longer than 24 hours, so the Query asks for starts in the last 24 hours, and
    `keep` compares absolute minutes. All that match are kept: stages do get double-booked.
    """
    stage = _name(stage, "stage")
    day, minute = day_and_minute(date, time)
    starts = [((day - 1, minute), (day, minute))]
    if minute < FESTIVAL_DAY_ENDS - MINUTES_PER_DAY:
        # It may have started yesterday morning, stored in the night of the day before yesterday.
        late = minute + MINUTES_PER_DAY
        starts.append(((day - 2, late), (day - 2, FESTIVAL_DAY_ENDS - 1)))
    queries = tuple(
        _between(STAGE_INDEX, stage, *(f"{day_text(on)}#{clock(at)}" for on, at in span))
        for span in starts
    )
    moment = day * MINUTES_PER_DAY + minute

    def is_on(performance: Performance) -> bool:
        return performance.begins <= moment < performance.ends

    question = f"who is on '{stage}' on {date} at {time}"
    return AccessPattern(question, queries, _by_start, is_on)


def more_popular_than(minimum: int) -> AccessPattern:
    """The performances with a popularity above a minimum, most popular first."""
    if not isinstance(minimum, int | float):
        raise FestivalError(f"popularity above {minimum!r}: expected a number, such as 80")
    query = KeyQuery(
        POPULARITY_INDEX.name,
        "#bucket = :bucket AND #popularity > :minimum",
        {"#bucket": POPULARITY_INDEX.partition_key, "#popularity": POPULARITY_INDEX.sort_key},
        {":bucket": {"S": POPULARITY_BUCKET}, ":minimum": {"N": str(minimum)}},
        forward=False,
    )
    question = f"performances with a popularity above {minimum}"
    return AccessPattern(question, (query,), _by_popularity)


def _between(index: Index, partition: str, first: str, last: str) -> KeyQuery:
    return KeyQuery(
        index.name,
        "#partition = :partition AND #start BETWEEN :first AND :last",
        {"#partition": index.partition_key, "#start": index.sort_key},
        {":partition": {"S": partition}, ":first": {"S": first}, ":last": {"S": last}},
    )


def _festival_spelling(day: int, begin: int, end: int) -> list[tuple[int, int, int]]:
    """The part of a range of minutes that a festival day may store under the day before."""
    last = min(end + MINUTES_PER_DAY, FESTIVAL_DAY_ENDS - 1)
    first = begin + MINUTES_PER_DAY
    return [(day - 1, first, last)] if first <= last else []


def _spelled(query: KeyQuery) -> str:
    words = query.names | {name: _literal(value) for name, value in query.values.items()}
    text = re.sub(r"[#:]\w+", lambda word: words[word[0]], query.condition)
    return f"{query.index or 'table'}: {text}"


def _literal(value: dict[str, str]) -> str:
    return value["N"] if "N" in value else f"'{value['S']}'"


def _by_start(performance: Performance) -> tuple[int, str, str]:
    return (performance.begins, performance.stage, performance.performer)


def _by_day_and_start(performance: Performance) -> tuple[str, int]:
    return (performance.date, performance.start)


def _by_popularity(performance: Performance) -> tuple[int, int, str, str]:
    return (-(performance.popularity or 0), *_by_start(performance))


def _name(name: str, what: str) -> str:
    """A name as the table has it, cleaned by the same rule as in a lineup."""
    if not isinstance(name, str):
        raise FestivalError(f"{what} {name!r}: expected the name as text")
    if cleaned := clean(name):
        return cleaned
    raise FestivalError(f"{what} is empty: expected the name as in the lineup")
