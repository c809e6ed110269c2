"""How an answer was found and what it took, and what a Scan would cost."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from botocore.exceptions import BotoCoreError, ClientError

from festival.analysis.cost.capacity import READ_BLOCK, page_units
from festival.errors import FestivalError
from festival.query.columns import PageCost

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

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


def table_size(client: "DynamoDBClient", table: str) -> TableSize:
    """The size of a table. Raises FestivalError for a table that is not there."""
    try:
        described = client.describe_table(TableName=table)["Table"]
    except (ClientError, BotoCoreError) as error:
        raise FestivalError(f"table {table!r} cannot be described: {error}") from error
    return TableSize(described["ItemCount"], described["TableSizeBytes"])
