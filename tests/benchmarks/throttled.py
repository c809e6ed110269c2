"""The forecast of partition limits next to the bulk writer, on a stand-in that throttles.

    python -m tests.benchmarks.throttled

writes fifteen lineups, and prints for each what the forecast says and what was measured. Partitions
give out 1,000 WRU a second; keys are placed by MD5 or CRC-32, as DynamoDB does by a hash of its
own; each partition begins with the credit of 0, 1 or 300 seconds.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import md5
from zlib import crc32

from festival.analysis.cost.forecast import (
    LEAST_LEVEL,
    NEW_PARTITIONS,
    Range,
    forecast,
    ingest_time,
    repeated,
    row_writes,
)
from festival.lineup.model import Performance
from festival.table.connection import Response
from festival.table.item import from_item
from festival.table.schema import PARTITION_LIMIT
from festival.table.writer import BulkWriter

THROTTLED = b'{"__type": "com.amazonaws#ProvisionedThroughputExceededException", "message": ""}'
LINEUP = [
    Performance(f"Band {n}", f"Stage {n % 4}", f"2025-07-{11 + n % 3}", 600 + n, 660 + n, 80, n)
    for n in range(60)
]
Place = Callable[[str], int]


def by_md5(key: str) -> int:
    return int.from_bytes(md5(key.encode()).digest()[:4]) * NEW_PARTITIONS >> 32


def by_crc32(key: str) -> int:
    return crc32(key.encode()) * NEW_PARTITIONS >> 32


class Throttling:
    """A BatchWriteItem whose partitions refill at 1,000 WRU a second.

    They hold the units of `credit` seconds, at least of a tenth of one, and begin full.
    """

    def __init__(self, place: Place, credit: float) -> None:
        self.stored: list[tuple[str, str]] = []
        self.refused = 0
        self._place = place
        self._most = max(LEAST_LEVEL, credit * PARTITION_LIMIT)
        self._levels: dict[tuple[str, int], tuple[float, float]] = {}
        self._lock = threading.Lock()

    def call(self, operation: str, body: bytes, *, timeout: float | None = None) -> Response:
        ((table, requests),) = json.loads(body)["RequestItems"].items()
        with self._lock:
            left = [one for one in requests if not self._store(one["PutRequest"]["Item"])]
            self.refused += len(left)
        if len(left) == len(requests):
            return Response(400, THROTTLED)
        unprocessed = {table: left} if left else {}
        return Response(200, json.dumps({"UnprocessedItems": unprocessed}).encode())

    def _store(self, item: dict[str, dict[str, str]]) -> bool:
        performance, now = from_item(item), time.monotonic()
        wanted = [
            ((where, self._place(key)), units) for where, key, units in row_writes(performance)
        ]
        for place, _ in wanted:
            level, since = self._levels.get(place, (self._most, now))
            refilled = min(self._most, level + (now - since) * PARTITION_LIMIT)
            self._levels[place] = (refilled, now)
        if any(self._levels[place][0] < units for place, units in wanted):
            return False
        for place, units in wanted:
            self._levels[place] = (self._levels[place][0] - units, now)
        self.stored.append(performance.key)
        return True


@dataclass(frozen=True)
class Scenario:
    """A lineup, a placement of its keys, and the credit that its partitions begin with."""

    name: str
    rows: tuple[Performance, ...]
    place: Place
    credit: float

    def __str__(self) -> str:
        return f"{self.name}, {self.place.__name__}, {self.credit:g} s of credit"

    def forecast(self) -> Range:
        """What the cost model says of a whole core that need not read a file or start."""
        shape, core = forecast(self.rows), {"memory_mb": 1769, "rows_per_cpu_second": 100_000}
        took = ingest_time(len(self.rows), shape=shape, **core)
        least = max(took.processor, took.with_credit.low)
        return Range(least, max(least, took.partitions.median), took.partitions.high)

    def write(self) -> tuple[Throttling, float]:
        """Write the lineup; the stand-in, and the seconds it took."""
        endpoint, began = Throttling(self.place, self.credit), time.monotonic()
        with BulkWriter(endpoint, "festival") as writer:  # type: ignore[arg-type]
            writer.put(self.rows)
            outcome = writer.flush()
        assert not outcome.unwritten
        return endpoint, time.monotonic() - began


def scenarios(count: int) -> Iterator[Scenario]:
    """Fifteen, of so many rows each."""
    ranked = repeated(LINEUP, count)
    unranked = [row._replace(popularity=None) for row in ranked]
    by_date = sorted(unranked, key=lambda row: row.date)
    few = [row if row.line % 5 else row._replace(popularity=80) for row in unranked]
    for credit in (0.0, 1.0, 300.0):
        yield Scenario("each with a popularity", tuple(ranked), by_md5, credit)
        yield Scenario("one in five with a popularity", tuple(few), by_crc32, credit)
        yield Scenario("none with a popularity", tuple(unranked), by_md5, credit)
        yield Scenario("none with a popularity", tuple(unranked), by_crc32, credit)
        yield Scenario("none, sorted by date", tuple(by_date), by_crc32, credit)


def main() -> None:
    within = 0
    for each in scenarios(3_000):
        said = each.forecast()
        endpoint, took = each.write()
        inside = said.low <= took <= said.high
        within += inside
        print(
            f"{each!s:<60} forecast {said}; measured {took:.1f} s, "
            f"{endpoint.refused:,} rows refused{'' if inside else ': OUTSIDE'}",
            flush=True,
        )
    print(f"{within} of 15 within the forecast's range")


if __name__ == "__main__":
    main()
