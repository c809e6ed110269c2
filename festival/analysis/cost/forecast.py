"""How long a file takes: the writer's own rules, against DynamoDB's partition limits.

The bulk writer's lanes, pace and pauses send a lineup's own rows to partitions that each take 1,000
WRU a second. Nobody knows on which partition DynamoDB puts a key, so fifty placements are drawn,
and what they take is a range: without burst credit, and with the credit of a table that was idle
for five minutes, which DynamoDB lends and does not promise.

What is left out, and which way that errs:

- splitting for heat, by which DynamoDB in time gives busy keys partitions of their own: a file that
  takes many minutes may be faster than this;
- what the table took before: one that has taken more than a new table's 4,000 WRU/s has more
  partitions, and is faster;
- other writers to the same partitions: with them it is slower.
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
# What a partition without credit takes at one moment: the units of a tenth of a second.
LEAST_LEVEL = PARTITION_LIMIT / 10
PLACEMENTS = 50
# What fifty draws have not shown, and pauses that came out longer: a tenth at either end.
MARGIN = 0.1
# More rows are forecast in proportion to so many.
MOST_SIMULATED = 3_000
LANES = 16
REQUEST_SECONDS = 0.010
TABLE = "table"

# "Configure Lambda function memory": at 1,769 MB a function has the equivalent of one vCPU.
MB_PER_VCPU = 1769
# Whole ingest of a CSV on one vCPU, reading to signed request. `make bench` gave 65,000 on a whole
# core in November 2026; Lambda's vCPU is one of a core's two threads, so take half of that at most.
ROWS_PER_CPU_SECOND = 30_000
# Importing the handler and making its clients; Lambda gives this phase a full vCPU.
COLD_START_SECONDS = 0.5

Write = tuple[str, str, int]


class Range(NamedTuple):
    """Seconds over all placements: the least, the median and the most, with a margin."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        if f"{self.low:.1f}" == f"{self.high:.1f}":
            return f"{self.median:,.1f} s"
        return f"{self.low:,.1f} to {self.high:,.1f} s, median {self.median:,.1f} s"


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
class Forecast:
    """What rows like these take, in seconds of each placement without credit, and their busiest
    keys, busiest first."""

    rows: int
    throttled: tuple[float, ...]
    loads: tuple[PartitionLoad, ...]

    def partitions(self, rows: float, *, credit: float = 0.0) -> Range:
        """How long the partitions take for so many rows of this kind.

        `credit` is the seconds of unused throughput that each partition still has.
        """
        scale = rows / self.rows if self.rows else 0.0
        found = min(self.throttled), median(self.throttled), max(self.throttled)
        least, middle, most = (seconds * scale for seconds in found)
        widened = least * (1 - MARGIN), middle, most * (1 + MARGIN)
        return Range(*(max(0.0, seconds - credit) for seconds in widened))

    @property
    def hottest(self) -> str:
        """The key that most of the units go to, `PopularityIndex POPULARITY`."""
        return " ".join(f"{load.where} {load.key}" for load in self.loads[:1])


def forecast(performances: Iterable[Performance], *, placements: int = PLACEMENTS) -> Forecast:
    """Write the rows in their order, or the first three thousand of them, in so many placements.

    >>> rows = [Performance("Elbow", "Park", "2025-07-11", n, n + 1, 70, 2) for n in range(500)]
    >>> forecast(rows).hottest
    'table Elbow'
    """
    rows = [row_writes(row) for row in islice(performances, MOST_SIMULATED)]
    seconds = tuple(_seconds(rows, seed) for seed in range(placements))
    return Forecast(len(rows), seconds, _loads(rows))


@cache
def typical() -> Forecast:
    """Of rows nobody has seen yet: three days, four stages, each row with a popularity.

    All placements take the same, because one partition has every row.
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
    """Seconds of one ingest. Processor, requests and partitions go on at once: the longest decides.

    `partitions` is without burst credit, `lent` with the credit of five idle minutes.
    """

    processor: float
    requests: float
    partitions: Range
    lent: Range
    hottest: str

    @property
    def range(self) -> Range:
        """From the best placement with credit to the worst without; the median is without."""
        return Range(
            self._whole(self.lent.low),
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
    """The time for `rows` new rows in one file, in a function of so much memory.

    `memory_mb` buys processor: a share of memory / 1,769 MB, up to the one vCPU that one thread
    can use. `shape` is the forecast of rows like these; by default the typical one.
    """
    shape = shape or typical()
    return IngestTime(
        processor=rows / (rows_per_cpu_second * min(1.0, memory_mb / MB_PER_VCPU)),
        requests=-(-rows // MAX_BATCH_ITEMS) / LANES * REQUEST_SECONDS,
        partitions=shape.partitions(rows),
        lent=shape.partitions(rows, credit=BURST_SECONDS),
        hottest=shape.hottest,
    )


def row_writes(performance: Performance) -> list[Write]:
    """The writes of one new row: where, partition key, WRU."""
    units = put_units(written_item(performance))
    keys = {
        DATE_INDEX.name: performance.date,
        STAGE_INDEX.name: performance.stage,
        POPULARITY_INDEX.name: POPULARITY_BUCKET,
    }
    on_indexes = [(name, keys[name], wru) for name, wru in units.indexes.items()]
    return [(TABLE, performance.performer, units.table), *on_indexes]


def repeated(performances: Sequence[Performance], rows: int) -> list[Performance]:
    """A larger lineup of the same shape: the rows again and again, under other performers."""
    return [
        row._replace(performer=f"{row.performer} {number // len(performances)}")
        for number, row in zip(range(rows), cycle(performances), strict=False)
    ]


class _Row(NamedTuple):
    """A row in a simulated lane: its performer's number, and what it writes where."""

    performer: int
    writes: list[tuple[int, int]]


def _seconds(rows: Sequence[Sequence[Write]], seed: int) -> float:
    """How long the writer takes in one placement."""
    places = _Placement(seed)
    performers: dict[str, int] = {}
    numbered = [
        _Row(
            performers.setdefault(row[0][1], len(performers)),
            [(places[where, key], units) for where, key, units in row],
        )
        for row in rows
    ]
    return _SimulatedWriter(numbered, seed).seconds()


class _Placement(dict[tuple[str, str], int]):
    """Which partition each key of the table and the indexes is on: one draw."""

    def __init__(self, seed: int) -> None:
        self._seed = seed.to_bytes(4, "little")
        self._first: dict[str, int] = {}

    def __missing__(self, place: tuple[str, str]) -> int:
        where, key = place
        first = self._first.setdefault(where, NEW_PARTITIONS * len(self._first))
        drawn = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=4, salt=self._seed)
        self[place] = first + int.from_bytes(drawn.digest(), "little") % NEW_PARTITIONS
        return self[place]


class _Partitions:
    """Buckets that fill at 1,000 WRU a second, and hold a tenth of a second's.

    They begin empty: what they would begin with is not scaled to more rows.
    """

    def __init__(self) -> None:
        self._levels = [0.0] * (4 * NEW_PARTITIONS)
        self._at = [0.0] * len(self._levels)

    def take(self, writes: Sequence[tuple[int, int]], now: float) -> bool:
        """Spend what a row costs, everywhere or nowhere. A full bucket takes any row."""
        levels, at = self._levels, self._at
        for place, units in writes:
            level = levels[place] + (now - at[place]) * PARTITION_LIMIT
            levels[place], at[place] = min(level, LEAST_LEVEL), now
            if level < units and level < LEAST_LEVEL:
                return False
        for place, units in writes:
            levels[place] -= units
        return True


class _SimulatedWriter:
    """`BulkWriter` on a clock of its own: the same lanes, pace and pauses, and no network."""

    def __init__(self, rows: Sequence[_Row], seed: int) -> None:
        self._rows = rows
        self._fed = 0
        # Lanes look at a row's first place only, and a number is on the same lane in any process.
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
        """Send what may be on its way; feed the lanes as the reader of a file would."""
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
        for where, key, units in row:
            totals[where, key] += units
    return tuple(
        PartitionLoad(where, key, units) for (where, key), units in totals.most_common(most)
    )
