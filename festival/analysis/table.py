"""`LineupTable`, an analyst's view of the table: each question is answered with a DataFrame."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from botocore.exceptions import BotoCoreError, ClientError

from festival.analysis.cost.capacity import READ_BLOCK, page_units
from festival.analysis.frames import columns_frame
from festival.errors import FestivalError
from festival.progress import ProgressLine, say
from festival.query import patterns
from festival.query.columns import (
    ESSENTIAL,
    Columns,
    PageCost,
    read_columns,
    scan_columns,
)
from festival.query.contents import Contents, Group, scanned_contents, unknown_name
from festival.query.names import matching, none_contains
from festival.query.patterns import AccessPattern
from festival.table.connection import Connection
from festival.text import counted

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Where an answer's DataFrame has its AnswerRecord: the key in `DataFrame.attrs`.
RECORD = "festival"
SCAN = "Scan"


class NothingFoundWarning(UserWarning):
    """A question about a name has an empty answer; the message suggests the nearest names."""


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """How an answer was made; kept in the `attrs` of the answer's DataFrame.

    `conditions` has one entry for each Query, and `pages` the cost of each page.
    """

    question: str
    conditions: tuple[str, ...]
    pages: tuple[PageCost, ...]

    def __deepcopy__(self, memo: Any) -> "AnswerRecord":
        # pandas copies `attrs` in every operation; this object never changes.
        return self


@dataclass(frozen=True, slots=True)
class TableSize:
    """How much a Scan would read. DynamoDB updates both numbers about every six hours."""

    items: int
    bytes: int

    @property
    def scan_units(self) -> float:
        """RRU of an eventually consistent Scan of the whole table."""
        return max(1, -(-self.bytes // READ_BLOCK)) / 2

    def __str__(self) -> str:
        cost = (
            f"{self.bytes:,} bytes, {self.scan_units:,g} RRU"
            if self.bytes
            else "size not known yet"
        )
        return f"about {counted(self.items, 'item')}, {cost}"


@dataclass
class LineupTable:
    """A table of performances. Every answer is a DataFrame with one row for each performance.

    | column | dtype | |
    | --- | --- | --- |
    | Performer, Stage | str | as the table spells them |
    | Date | datetime64[s] | the lineup's day; a night after midnight still belongs to it |
    | Start, End | datetime64[s] | by the calendar: an end after midnight is on the next day |
    | Minutes | Int64 | the length |
    | Popularity | Int64 | 1 to 100, <NA> if there is none |

    Answers have all pages, wait out throttles, and keep their columns when empty. Dates are
    `YYYY-MM-DD`, times `HH:MM`, moments `YYYY-MM-DD HH:MM`; a date or datetime object will do, too.
    Raises FestivalError for any other value, and for a table that does not exist or that you may
    not read.
    """

    name: str
    client: "DynamoDBClient"
    recorded_contents: Callable[[], Contents]

    def __repr__(self) -> str:
        return f"LineupTable({self.name!r})"

    def performer(self, name: str) -> pd.DataFrame:
        """All performances of a performer."""
        answer = self.ask(patterns.by_performer(name))
        return self._or_warn(answer, "performer", name)

    def on(self, date: str | Any, time_from: str = "00:00", time_to: str = "23:59") -> pd.DataFrame:
        """The performances that start on a calendar day in a time range, both ends included.

        A range past midnight (`"22:00", "02:00"`) continues into the next day.
        """
        return self.ask(patterns.on_date(_day(date), time_from, time_to))

    def playing(self, stage: str, moment: str | Any) -> pd.DataFrame:
        """Who is on a stage at a moment: every performance that has begun and not ended."""
        answer = self.ask(patterns.on_stage_at(stage, *_moment(moment)))
        return self._or_warn(answer, "stage", stage)

    def starting(self, stage: str, moment: str | Any) -> pd.DataFrame:
        """The performances that start on a stage at exactly this moment."""
        answer = self.ask(patterns.stage_at_exactly(stage, *_moment(moment)))
        return self._or_warn(answer, "stage", stage)

    def popular(self, above: int = 80) -> pd.DataFrame:
        """The performances with a popularity above a number, the most popular first."""
        return self.ask(patterns.more_popular_than(above))

    def lineup(self, first: str | Any, last: str | Any | None = None) -> pd.DataFrame:
        """The performances of the days `first` to `last`, both included, by one Query per day.

        A day is the lineup's own (`Date`): a night belongs to the day before if the lineup says so.
        """
        return self.ask(patterns.on_days(_day(first), _day(first if last is None else last)))

    def everything(self, *, progress: bool = True) -> pd.DataFrame:
        """Every performance in the table, in order of time, by a parallel Scan.

        Prints the cost before it begins and then its progress, unless `progress` is False.
        """
        size = self.size()
        costs: list[PageCost] = []
        columns: Columns = {name: [] for name in ESSENTIAL}
        pages = scan_columns(self._connection, self.name, names=ESSENTIAL, on_page=costs.append)
        if progress:
            say(f"reading the whole table {self.name}: {size}")
            pages = _with_progress(pages, size.items)
        for page in pages:
            for name, values in page.items():
                columns[name] += values
        answer = columns_frame(columns).sort_values(
            ["Start", "Stage", "Performer"], kind="stable", ignore_index=True
        )
        answer.attrs[RECORD] = AnswerRecord("the whole table", (SCAN,), tuple(costs))
        if progress:
            units = sum(cost.read_units for cost in costs)
            say(f"{counted(len(answer), 'performance')}, {units:g} RRU charged")
        return answer

    def dates(self, *, scan: bool = False) -> pd.DataFrame:
        """The days in the table, and how many performances, performers and stages each has.

        Reads what ingests recorded, without a Scan. A file that was ingested from a local machine,
        without the ledger, is only found with `scan`, which reads the whole table.
        """
        groups = self.contents(scan=scan).dates
        frame = _grouped("Date", groups, performers=True, stages=True)
        return frame.assign(Date=_days(frame["Date"]))

    def stages(self, *, scan: bool = False) -> pd.DataFrame:
        """The stages in the table, each with its first and last day (see `dates`)."""
        return _dated(_grouped("Stage", self.contents(scan=scan).stages, performers=True))

    def performers(self, text: str = "", *, scan: bool = False) -> pd.DataFrame:
        """The performers whose name contains a text, ignoring case and accents (see `dates`)."""
        groups = self.contents(scan=scan).performers
        names = matching(text, groups)
        if groups and not names:
            warnings.warn(none_contains(text, groups), NothingFoundWarning, stacklevel=2)
        return _dated(_grouped("Performer", {name: groups[name] for name in names}, stages=True))

    def contents(self, *, scan: bool = False) -> Contents:
        """The data behind `dates`, `stages` and `performers`."""
        if scan:
            return scanned_contents(self._connection, self.name)
        return self.recorded_contents()

    def size(self) -> TableSize:
        """How much a Scan would read, by a count of DynamoDB that may be six hours old."""
        return table_size(self.client, self.name)

    def ask(self, pattern: AccessPattern) -> pd.DataFrame:
        """The answer to an access pattern of your own (`festival.query.patterns`)."""
        costs: list[PageCost] = []
        columns = read_columns(
            self._connection, self.name, pattern, names=ESSENTIAL, on_page=costs.append
        )
        answer = columns_frame(columns)
        answer.attrs[RECORD] = AnswerRecord(pattern.question, pattern.conditions(), tuple(costs))
        return answer

    @cached_property
    def _connection(self) -> Connection:
        return Connection.from_client(self.client)

    def _or_warn(self, answer: pd.DataFrame, what: str, name: str) -> pd.DataFrame:
        """Return the answer; warn if it is empty because the table has no such name."""
        if len(answer) == 0 and (message := unknown_name(what, name, self.recorded_contents)):
            warnings.warn(message, NothingFoundWarning, stacklevel=3)
        return answer


def explain(answer: pd.DataFrame) -> pd.DataFrame:
    """What an answer cost: one row for each Query (or segment of a Scan).

    Columns: `key condition`, `items` read, `pages`, `RRU charged` by DynamoDB, `RRU by the rules`
    (one unit for 4 KB, half of that for an eventually consistent read, at least 0.5 a page) and
    `milliseconds` from request to answer. Raises FestivalError for a frame that is not an answer of
    the table, or that was made from one by an operation that drops `DataFrame.attrs`.
    """
    record = answer.attrs.get(RECORD)
    if not isinstance(record, AnswerRecord):
        raise FestivalError(
            "this DataFrame does not know its question: expected an unchanged answer of the table, "
            "such as table.performer(…)"
        )
    names = record.conditions
    if names == (SCAN,):
        segments = max((page.request for page in record.pages), default=0) + 1
        names = tuple(
            f"{SCAN}, segment {number} of {segments}" for number in range(1, segments + 1)
        )
    rows = []
    for number, name in enumerate(names):
        pages = [page for page in record.pages if page.request == number]
        rows.append(
            (
                name,
                sum(page.items for page in pages),
                len(pages),
                sum(page.read_units for page in pages),
                sum(page_units([page.bytes]) for page in pages),
                sum(page.milliseconds for page in pages),
            )
        )
    columns = ["key condition", "items", "pages", "RRU charged", "RRU by the rules", "milliseconds"]
    explained = pd.DataFrame(rows, columns=columns)
    explained.attrs["question"] = record.question
    return explained


def table_size(client: "DynamoDBClient", table: str) -> TableSize:
    """The size of a table. Raises FestivalError if there is no such table."""
    try:
        described = client.describe_table(TableName=table)["Table"]
    except (ClientError, BotoCoreError) as error:
        raise FestivalError(f"table {table!r} cannot be described: {error}") from error
    return TableSize(described["ItemCount"], described["TableSizeBytes"])


def _with_progress(pages: Iterable[Columns], items: int) -> Iterator[Columns]:
    """The pages of a Scan, with a progress line; `items` is about how many items there are."""
    with ProgressLine(items, "item") as line:
        for page in pages:
            line.update(len(page["Date"]))
            yield page
        line.total = line.done


def _grouped(
    heading: str, groups: Mapping[str, Group], *, performers: bool = False, stages: bool = False
) -> pd.DataFrame:
    values = list(groups.values())
    columns: dict[str, Any] = {heading: pd.Series(list(groups), dtype="str")}
    columns["Performances"] = _counts(one.performances for one in values)
    if performers:
        columns["Performers"] = _counts(len(one.performers) for one in values)
    if stages:
        columns["Stages"] = _counts(len(one.stages) for one in values)
    if heading != "Date":
        columns["First"] = pd.Series([one.first for one in values], dtype="str")
        columns["Last"] = pd.Series([one.last for one in values], dtype="str")
    return pd.DataFrame(columns)


def _dated(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{name: _days(frame[name]) for name in ("First", "Last")})


def _days(texts: "pd.Series[Any]") -> "pd.Series[Any]":
    return pd.Series(np.array(texts.tolist(), "datetime64[s]"))


def _counts(values: Iterable[int]) -> pd.Series:
    return pd.Series(list(values), dtype="Int64")


def _day(value: Any) -> str:
    """A date as `YYYY-MM-DD`."""
    if isinstance(value, str):
        return value
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    raise FestivalError(f"day {value!r}: expected YYYY-MM-DD, a date or a datetime")


def _moment(value: Any) -> tuple[str, str]:
    """Date and time of `YYYY-MM-DD HH:MM` (also with a `T`), of a datetime or a Timestamp."""
    if not isinstance(value, str | datetime):
        raise FestivalError(f"moment {value!r}: expected YYYY-MM-DD HH:MM, or a datetime")
    text = value if isinstance(value, str) else f"{value:%Y-%m-%d %H:%M}"
    day, _, time = text.strip().replace("T", " ").partition(" ")
    time = ":".join(time.split(":")[:2])  # seconds are dropped, as in a lineup
    if not time:
        raise FestivalError(f"moment '{text}': expected YYYY-MM-DD HH:MM, such as 2025-07-12 20:15")
    return day, time
