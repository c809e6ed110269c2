"""Access patterns asked and measured: answer, time, read units, and what a Scan would cost."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date as calendar_date
from datetime import timedelta
from typing import Any

import pandas as pd
from botocore.exceptions import BotoCoreError, ClientError

from festival.analysis.cost.capacity import READ_BLOCK, page_units
from festival.errors import FestivalError
from festival.lineup.model import Performance
from festival.query.columns import PageCost
from festival.query.patterns import AccessPattern, Page, ask, on_date
from festival.table.item import item_size


@dataclass(frozen=True, slots=True)
class MeasuredAnswer:
    """A question, its answer, and what it took.

    `read_units` is what DynamoDB says it charged, `units_by_rule` what its published rules give for
    the items it looked at; `milliseconds` is from the first request to the last answer of each
    Query, added.
    """

    pattern: AccessPattern
    performances: list[Performance]
    pages: int
    looked_at: int
    milliseconds: float
    read_units: float
    units_by_rule: float


ASKED = "festival"
SCAN = "Scan"


@dataclass(frozen=True, slots=True)
class AskedAnswer:
    """How an answer was found; it travels in the `attrs` of the answer's DataFrame.

    `conditions` has one entry for each Query, and `pages` what each page took.
    """

    question: str
    conditions: tuple[str, ...]
    pages: tuple[PageCost, ...]
    found: int

    def __deepcopy__(self, memo: Any) -> "AskedAnswer":
        # pandas copies `attrs` with every operation; this never changes.
        return self


def explain(answer: pd.DataFrame) -> pd.DataFrame:
    """How an answer was found: one row for each Query (or segment of a Scan).

    Columns: `key condition`, `items` looked at, `pages`, `RRU charged` by DynamoDB, `RRU by the
    rules` (4 KB for one unit, half of it for an eventually consistent read, at least 0.5 a page)
    and `milliseconds` from request to answer. Raises FestivalError for a frame that is not an
    answer of the table, or was made from one by an operation that drops `DataFrame.attrs`.
    """
    asked = answer.attrs.get(ASKED)
    if not isinstance(asked, AskedAnswer):
        raise FestivalError(
            "this DataFrame does not know how it was asked: expected an answer of the table, such "
            "as table.performer(…), as it came"
        )
    names = asked.conditions
    if names == (SCAN,):
        segments = max((page.request for page in asked.pages), default=0) + 1
        names = tuple(
            f"{SCAN}, segment {number} of {segments}" for number in range(1, segments + 1)
        )
    rows = []
    for number, name in enumerate(names):
        pages = [page for page in asked.pages if page.request == number]
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
    explained.attrs["question"] = asked.question
    return explained


@dataclass(frozen=True, slots=True)
class TableSize:
    """How much a Scan would read. DynamoDB updates both figures about every six hours."""

    items: int
    bytes: int

    @property
    def scan_units(self) -> float:
        """RRU of an eventually consistent Scan of the whole table."""
        return max(1, -(-self.bytes // READ_BLOCK)) / 2


def ask_and_measure(client: Any, table: str, pattern: AccessPattern) -> MeasuredAnswer:
    """The whole answer to a question, and what it took. Raises FestivalError as `access.ask`."""
    pages: list[Page] = list(ask(client, table, pattern))
    return MeasuredAnswer(
        pattern=pattern,
        performances=pattern.select([row for page in pages for row in page.performances]),
        pages=len(pages),
        looked_at=sum(page.scanned for page in pages),
        milliseconds=sum(page.milliseconds for page in pages),
        read_units=sum(page.read_units for page in pages),
        units_by_rule=sum(page_units(map(item_size, page.items)) for page in pages),
    )


def lineup_of(client: Any, table: str, first: str, days: int) -> list[Performance]:
    """What starts on each of so many days from a first one (`YYYY-MM-DD`) on, a Query a day.

    Raises FestivalError as `access.ask` does, and for what is no date.
    """
    on_date(first)
    begin = calendar_date.fromisoformat(first)
    each = [on_date((begin + timedelta(days=day)).isoformat()) for day in range(days)]
    return [row for day in each for row in ask_and_measure(client, table, day).performances]


def table_size(client: Any, table: str, asked: Iterable[MeasuredAnswer] = ()) -> TableSize:
    """The size of a table; where DynamoDB has not weighed it yet, by the items it found so far.

    Raises FestivalError where there is no such table.
    """
    try:
        described = client.describe_table(TableName=table)["Table"]
    except (ClientError, BotoCoreError) as error:
        raise FestivalError(f"table {table!r} cannot be described: {error}") from error
    items, size = described["ItemCount"], described["TableSizeBytes"]
    if items and not size:
        looked_at = sum(one.looked_at for one in asked)
        blocks = sum(2 * one.units_by_rule for one in asked)
        size = round(items * blocks * READ_BLOCK / max(looked_at, 1))
    return TableSize(items, size)


def asked_frame(asked: Sequence[MeasuredAnswer], size: TableSize) -> pd.DataFrame:
    """One row for each question: its key conditions, its answer's size, time and cost."""
    rows = [
        (
            one.pattern.question,
            "\n".join(_conditions(one.pattern)),
            len(one.performances),
            one.looked_at,
            one.pages,
            one.milliseconds,
            one.read_units,
            one.units_by_rule,
            size.scan_units,
        )
        for one in asked
    ]
    columns = ["question", "key condition", "found", "looked at", "pages", "milliseconds"]
    return pd.DataFrame(
        rows, columns=[*columns, "RRU charged", "RRU by the rules", "RRU as a Scan"]
    )


def scan_sentence(asked: Sequence[MeasuredAnswer], size: TableSize) -> str:
    """What the questions cost, and what they would have cost by reading the whole table."""
    units = sum(one.units_by_rule for one in asked)
    scans = len(asked) * size.scan_units
    return (
        f"{len(asked)} questions took {units:g} RRU by the rules; as Scans of {size.items:,} items "
        f"({size.bytes:,} bytes) they would take {scans:g}, {scans / units:,.1f} times as much."
    )


def _conditions(pattern: AccessPattern) -> Iterator[str]:
    yield from (line.strip() for line in pattern.describe().splitlines()[1:])
