"""Forecasts how long an ingest takes, from the writer's own rules and DynamoDB's partition limits.

A simulated bulk writer, with the real one's lanes, pace and pauses, sends a lineup's rows to
partitions that each take 1,000 WRU a second. Nobody knows on which partition DynamoDB puts a key,
so fifty random placements are simulated. They give a range of times without burst credit, and one
with the credit of a table idle for five minutes, which DynamoDB lends but does not promise.

What the simulation leaves out, and how that shows:

- splitting for heat, by which DynamoDB in time gives busy keys their own partitions: a file that
  takes many minutes may be faster than forecast;
- the table's past: a table that has taken more than a new one's 4,000 WRU/s has more partitions,
  and is faster;
- other writers to the same partitions, which make it slower.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from heapq import heappop, heappush
from itertools import cycle, islice
from statistics import median
from typing import Any, NamedTuple

from festival.analysis.cost.capacity import put_units, written_item
from festival.lineup.model import Performance
from festival.table.faults import pause
from festival.table.schema import (
    DATE_INDEX,
    MAX_BATCH_ITEMS,
    NEW_TABLE_LIMIT,
    PARTITION_LIMIT,
    POPULARITY_BUCKET,
    POPULARITY_INDEX,
    STAGE_INDEX,
)
from festival.table.writer import BATCHES_WAITING_PER_LANE, Lanes, Pace

NEW_PARTITIONS = NEW_TABLE_LIMIT // PARTITION_LIMIT
# "Burst and adaptive capacity": DynamoDB keeps up to five minutes of what a partition did not use.
BURST_SECONDS = 300
# What a partition without credit takes at once: the units of a tenth of a second.
LEAST_LEVEL = PARTITION_LIMIT / 10
PLACEMENTS = 50
# Added at either end of a range, for placements not drawn and for longer pauses.
MARGIN = 0.1
# A longer file is forecast in proportion to this many rows.
MOST_SIMULATED = 3_000
LANES = 16
REQUEST_SECONDS = 0.010
TABLE = "table"

# "Configure Lambda function memory": at 1,769 MB a function has the equivalent of one vCPU.
MB_PER_VCPU = 1769
# A whole CSV ingest on one vCPU, from reading to the signed request. `make bench` measured 65,000
# on a whole core in November 2026; Lambda's vCPU is one of a core's two threads, so at most half.
ROWS_PER_CPU_SECOND = 30_000
# Importing the handler and making its clients; Lambda gives this phase a full vCPU.
COLD_START_SECONDS = 0.5

Write = tuple[str, str, int]


class Range(NamedTuple):
    """Seconds over all placements: least, median and most, with a margin at both ends."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        if f"{self.low:.1f}" == f"{self.high:.1f}":
            return f"{self.median:,.1f} s"
        return f"{self.low:,.1f} to {self.high:,.1f} s, median {self.median:,.1f} s"


@dataclass(frozen=True, slots=True)
class PartitionLoad:
    """The WRU that go to one partition key of the table or of an index."""

    target: str
    key: str
    units: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long DynamoDB's partitions take to accept some rows, without burst credit.

    `throttled` has each placement's seconds; `loads` has the busiest partition keys, busiest first.
    """

    rows: int
    throttled: tuple[float, ...]
    loads: tuple[PartitionLoad, ...]

    def partitions(self, rows: float, *, credit: float = 0.0) -> Range:
        """How long the partitions take for `rows` rows of the same kind.

        `credit` is the unused throughput that each partition still has, in seconds.
        """
        scale = rows / self.rows if self.rows else 0.0
        simulated = min(self.throttled), median(self.throttled), max(self.throttled)
        least, middle, most = (seconds * scale for seconds in simulated)
        widened = least * (1 - MARGIN), middle, most * (1 + MARGIN)
        return Range(*(max(0.0, seconds - credit) for seconds in widened))

    @property
    def hottest(self) -> str:
        """The key that gets most of the units, such as `PopularityIndex POPULARITY`."""
        return " ".join(f"{load.target} {load.key}" for load in self.loads[:1])


def forecast(performances: Iterable[Performance], *, placements: int = PLACEMENTS) -> Forecast:
    """Simulate writing the rows in order, the first three thousand at most, for each placement.

    >>> rows = [Performance("Elbow", "Park", "2025-07-11", n, n + 1, 70, 2) for n in range(500)]
    >>> forecast(rows).hottest
    'table Elbow'
    """
    rows = [row_writes(row) for row in islice(performances, MOST_SIMULATED)]
    seconds = tuple(_seconds(rows, seed) for seed in range(placements))
    return Forecast(len(rows), seconds, _loads(rows))


@cache
def typical() -> Forecast:
    """The forecast for unknown rows: three days, four stages, each row with a popularity.

    All placements take the same time, because one partition gets every row.
    """
    rows = (
        Performance(
            f"Act {n}", f"Stage {n % 4}", f"2025-07-{11 + n % 3}", n, n + 45, 1 + n % 100, n
        )
        for n in range(2_000)
    )
    return forecast(rows, placements=5)


@dataclass(frozen=True, slots=True)
class IngestTime:
    """Seconds of one ingest. Its three parts run in parallel, so the longest decides.

    `partitions` is without burst credit, `with_credit` with that of five idle minutes.
    """

    processor: float
    requests: float
    partitions: Range
    with_credit: Range
    hottest: str

    @property
    def range(self) -> Range:
        """From the best placement with credit to the worst without; the median without credit."""
        return Range(
            self._whole(self.with_credit.low),
            self._whole(self.partitions.median),
            self._whole(self.partitions.high),
        )

    @property
    def seconds(self) -> float:
        """The median placement without credit."""
        return self.range.median

    @property
    def decided_by(self) -> str:
        """What would have to change for the ingest to be faster."""
        parts = {
            "the function's processor": self.processor,
            "DynamoDB's latency": self.requests,
            f"the hottest partition ({self.hottest})": self.partitions.median,
        }
        return max(parts, key=lambda name: parts[name])

    def _whole(self, partitions: float) -> float:
        return COLD_START_SECONDS + max(self.processor, self.requests, partitions)


def ingest_time(
    rows: float,
    *,
    memory_mb: int = 256,
    shape: Forecast | None = None,
    rows_per_cpu_second: float = ROWS_PER_CPU_SECOND,
) -> IngestTime:
    """The time to ingest one file of `rows` new rows, in a function with `memory_mb` of memory.

    Memory buys processor time: a share of `memory_mb` / 1,769 MB, up to the one vCPU that a thread
    can use. `shape` is the forecast for rows like these; by default the typical one.
    """
    shape = shape or typical()
    return IngestTime(
        processor=rows / (rows_per_cpu_second * min(1.0, memory_mb / MB_PER_VCPU)),
        requests=-(-rows // MAX_BATCH_ITEMS) / LANES * REQUEST_SECONDS,
        partitions=shape.partitions(rows),
        with_credit=shape.partitions(rows, credit=BURST_SECONDS),
        hottest=shape.hottest,
    )


def row_writes(performance: Performance) -> list[Write]:
    """The writes of one new row: table or index, partition key, WRU."""
    units = put_units(written_item(performance))
    keys = {
        DATE_INDEX.name: performance.date,
        STAGE_INDEX.name: performance.stage,
        POPULARITY_INDEX.name: POPULARITY_BUCKET,
    }
    on_indexes = [(name, keys[name], wru) for name, wru in units.indexes.items()]
    return [(TABLE, performance.performer, units.table), *on_indexes]


def repeated(performances: Sequence[Performance], rows: int) -> list[Performance]:
    """A larger lineup of the same shape: the rows over and over, each time with new performers."""
    return [
        row._replace(performer=f"{row.performer} {number // len(performances)}")
        for number, row in zip(range(rows), cycle(performances), strict=False)
    ]


class _Row(NamedTuple):
    """A row to simulate: its performer's number, and its WRU for each partition."""

    performer: int
    writes: list[tuple[int, int]]


def _seconds(rows: Sequence[Sequence[Write]], seed: int) -> float:
    """How long the writer takes in one placement."""
    placement = _Placement(seed)
    performers: dict[str, int] = {}
    numbered = [
        _Row(
            performers.setdefault(row[0][1], len(performers)),
            [(placement[target, key], units) for target, key, units in row],
        )
        for row in rows
    ]
    return _SimulatedWriter(numbered, seed).seconds()


class _Placement(dict[tuple[str, str], int]):
    """One random placement: the partition of each key of the table and the indexes."""

    def __init__(self, seed: int) -> None:
        self._seed = seed.to_bytes(4, "little")
        self._first: dict[str, int] = {}

    def __missing__(self, target_and_key: tuple[str, str]) -> int:
        target, key = target_and_key
        first = self._first.setdefault(target, NEW_PARTITIONS * len(self._first))
        drawn = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=4, salt=self._seed)
        partition = first + int.from_bytes(drawn.digest(), "little") % NEW_PARTITIONS
        self[target_and_key] = partition
        return partition


class _Partitions:
    """Token buckets that fill at 1,000 WRU a second and hold a tenth of a second's units.

    They start empty, because a forecast for more rows would scale up what they started with.
    """

    def __init__(self) -> None:
        self._levels = [0.0] * (4 * NEW_PARTITIONS)
        self._at = [0.0] * len(self._levels)

    def take(self, writes: Sequence[tuple[int, int]], now: float) -> bool:
        """Take a row's units from all its partitions, or from none. A full bucket takes any row."""
        levels, at = self._levels, self._at
        for partition, units in writes:
            level = levels[partition] + (now - at[partition]) * PARTITION_LIMIT
            levels[partition], at[partition] = min(level, LEAST_LEVEL), now
            if level < units and level < LEAST_LEVEL:
                return False
        for partition, units in writes:
            levels[partition] -= units
        return True


class _SimulatedWriter:
    """`BulkWriter` on a simulated clock: the same lanes, pace and pauses, without a network."""

    def __init__(self, rows: Sequence[_Row], seed: int) -> None:
        self._rows = rows
        self._fed = 0
        # Lanes hash a row's first field only, and a number hashes alike in every process.
        self._lanes: Any = Lanes(LANES)
        self._pace = Pace(most=LANES)
        self._partitions = _Partitions()
        self._chance = random.Random(seed).random
        self._active = self._sent = 0
        self._answers: list[tuple[float, int, float, Any, list[_Row], int]] = []

    def seconds(self) -> float:
        now = 0.0
        self._start(now)
        while self._answers:
            now, _, sent, load, rows, attempt = heappop(self._answers)
            left = [row for row in rows if not self._partitions.take(row.writes, now)]
            if left:
                self._pace = self._pace.after_throttle(sent, now)
                attempt = 1 if len(left) < len(rows) else attempt + 1
                self._send(load, left, attempt, now + pause(attempt, self._chance()))
            else:
                self._pace = self._pace.after_success(now)
                self._lanes.give_back(load)
                self._active -= 1
            self._start(now)
        return now

    def _start(self, now: float) -> None:
        """Feed the lanes as a file's reader would, and send as many batches as the pace allows."""
        most = LANES * MAX_BATCH_ITEMS * BATCHES_WAITING_PER_LANE
        while self._fed < len(self._rows) and self._lanes.waiting <= most:
            self._lanes.add(self._rows[self._fed : self._fed + MAX_BATCH_ITEMS])
            self._fed += MAX_BATCH_ITEMS
        all_fed = self._fed >= len(self._rows)
        while self._active < self._pace.allowed and (load := self._lanes.take(partial=all_fed)):
            self._active += 1
            self._send(load, load.rows, 0, now)

    def _send(self, load: Any, rows: list[_Row], attempt: int, at: float) -> None:
        self._sent += 1
        heappush(self._answers, (at + REQUEST_SECONDS, self._sent, at, load, rows, attempt))


def _loads(rows: Iterable[Sequence[Write]], most: int = 10) -> tuple[PartitionLoad, ...]:
    totals: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for target, key, units in row:
            totals[target, key] += units
    return tuple(
        PartitionLoad(target, key, units) for (target, key), units in totals.most_common(most)
    )
