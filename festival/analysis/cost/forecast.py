"""A simulation of DynamoDB's partition limits while one file is written, row by row.

It predicts the time of an ingest from the file's own keys. What it does not model: burst capacity
(up to 300 seconds of unused throughput, which DynamoDB may lend), and splitting for heat, by which
DynamoDB in time gives busy keys partitions of their own. Both make the truth faster than this, the
worst case; neither can be counted on for a spike that is over within minutes.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from zlib import crc32

from festival.analysis.cost.capacity import put_units
from festival.analysis.cost.workload import EXAMPLE_SOURCE
from festival.lineup.model import Performance
from festival.table.item import to_item
from festival.table.schema import (
    DATE_INDEX,
    NEW_TABLE_LIMIT,
    PARTITION_LIMIT,
    POPULARITY_BUCKET,
    POPULARITY_INDEX,
    STAGE_INDEX,
)

NEW_PARTITIONS = NEW_TABLE_LIMIT // PARTITION_LIMIT
# "On-demand capacity mode": more than double the previous peak within 30 minutes may be throttled.
DOUBLING_SECONDS = 30 * 60
# Rows a writer has on the way before it waits: 16 lanes with a batch of 25 each.
ROWS_IN_FLIGHT = 400
# The clock of the simulation: a tenth of a second, with a tenth of a second's units.
SLICES = 10
TABLE = "table"

Write = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class PartitionLoad:
    """All WRU that one partition key of the table or an index takes, and the time they need."""

    where: str
    key: str
    units: int

    @property
    def seconds(self) -> float:
        return self.units / PARTITION_LIMIT


@dataclass(frozen=True, slots=True)
class PartitionRun:
    """What the simulation saw: the time of all rows, and the busiest keys, busiest first."""

    rows: int
    seconds: float
    loads: tuple[PartitionLoad, ...]

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds if self.seconds else 0.0


def row_writes(performance: Performance) -> list[Write]:
    """The writes of one new row: where, partition key, WRU."""
    units = put_units(to_item(performance, source=EXAMPLE_SOURCE))
    keys = {
        DATE_INDEX.name: performance.date,
        STAGE_INDEX.name: performance.stage,
        POPULARITY_INDEX.name: POPULARITY_BUCKET,
    }
    on_indexes = [(name, keys[name], wru) for name, wru in units.indexes.items()]
    return [(TABLE, performance.performer, units.table), *on_indexes]


def simulate(
    performances: Iterable[Performance],
    *,
    partitions: int = NEW_PARTITIONS,
    rows_per_second: float = float("inf"),
    in_flight: int = ROWS_IN_FLIGHT,
) -> PartitionRun:
    """Write the rows in their order against partitions of 1,000 WRU/s each.

    The table and each index begin with `partitions` partitions (4 in a new one: 4,000 WRU/s) and
    have twice as many after every 30 minutes. A row is written when its partition of the table and
    of every index it is in has the units left; otherwise it waits, and with `in_flight` rows
    waiting, so does the file. `rows_per_second` is what the writer itself can do.
    """
    rows = [row_writes(performance) for performance in performances]
    most = rows_per_second / SLICES
    waiting: list[list[Write]] = []
    position = slices = 0
    last = 0.0
    while waiting or position < len(rows):
        budget = _PartitionUnits(partitions << (slices // (SLICES * DOUBLING_SECONDS)))
        tried = len(waiting)
        waiting = [row for row in waiting if not budget.take(row)]
        written = tried - len(waiting)
        while position < len(rows) and len(waiting) < in_flight and written < most:
            if budget.take(rows[position]):
                written += 1
            else:
                waiting.append(rows[position])
            position += 1
        slices += 1
        last = min(1.0, max(budget.fullest(), written / most))
    seconds = (slices - 1 + last) / SLICES if slices else 0.0
    return PartitionRun(len(rows), seconds, _loads(rows))


def repeated(performances: Sequence[Performance], rows: int) -> list[Performance]:
    """A larger lineup of the same shape: the rows again and again, under other performers."""
    return [
        row._replace(performer=f"{row.performer} {number // len(performances)}")
        for number, row in zip(range(rows), cycle(performances), strict=False)
    ]


class _PartitionUnits:
    """The units that every partition has left in one slice of time."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._used: Counter[tuple[str, int]] = Counter()

    def take(self, row: Sequence[Write]) -> bool:
        """Spend what the row costs, everywhere or nowhere."""
        wanted = [((where, self._partition(key)), units) for where, key, units in row]
        if any(
            self._used[place] and self._used[place] + units > PARTITION_LIMIT / SLICES
            for place, units in wanted
        ):
            return False
        for place, units in wanted:
            self._used[place] += units
        return True

    def fullest(self) -> float:
        """The share of the slice that the busiest partition was busy."""
        return max(self._used.values(), default=0) * SLICES / PARTITION_LIMIT

    def _partition(self, key: str) -> int:
        # Ranges of a hash, so that doubling splits each range in two, as DynamoDB does.
        return crc32(key.encode("utf-8", "surrogatepass")) * self._partitions >> 32


def _loads(rows: Iterable[Sequence[Write]], most: int = 10) -> tuple[PartitionLoad, ...]:
    totals: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for where, key, units in row:
            totals[where, key] += units
    return tuple(
        PartitionLoad(where, key, units) for (where, key), units in totals.most_common(most)
    )
