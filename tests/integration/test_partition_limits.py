"""The simulation of partition limits against an endpoint that throttles by the same rules.

The bulk writer itself does the writing. The endpoint gives out 1,000 WRU a second and partition, so
that no machine can be faster than that, and a slow one only slower.
"""

import json
import threading
import time
from zlib import crc32

import pytest

from festival.analysis.cost.forecast import (
    NEW_PARTITIONS,
    PARTITION_LIMIT,
    repeated,
    row_writes,
    simulate,
)
from festival.lineup.model import Performance
from festival.table.faults import Response
from festival.table.item import from_item
from festival.table.writer import BulkWriter

ROWS = 900
AT_ONCE = 100.0
THROTTLED = b'{"__type": "com.amazonaws#ProvisionedThroughputExceededException", "message": ""}'
LINEUP = [
    Performance(f"Band {n}", f"Stage {n % 4}", f"2025-07-{11 + n % 3}", 600 + n, 660 + n, 80, n)
    for n in range(60)
]


class Throttling:
    """A BatchWriteItem whose partitions refill at 1,000 WRU a second, a tenth of it at once."""

    def __init__(self):
        self.stored = []
        self.refused = 0
        self._levels = {}
        self._lock = threading.Lock()

    def call(self, operation, body, *, timeout=None):
        ((table, requests),) = json.loads(body)["RequestItems"].items()
        with self._lock:
            left = [one for one in requests if not self._store(one["PutRequest"]["Item"])]
            self.refused += len(left)
        if len(left) == len(requests):
            return Response(400, THROTTLED)
        unprocessed = {table: left} if left else {}
        return Response(200, json.dumps({"UnprocessedItems": unprocessed}).encode())

    def _store(self, item):
        performance, now = from_item(item), time.monotonic()
        wanted = [
            ((where, crc32(key.encode()) * NEW_PARTITIONS >> 32), units)
            for where, key, units in row_writes(performance)
        ]
        for place, _ in wanted:
            level, since = self._levels.get(place, (AT_ONCE, now))
            refilled = min(AT_ONCE, level + (now - since) * PARTITION_LIMIT)
            self._levels[place] = (refilled, now)
        if any(self._levels[place][0] < units for place, units in wanted):
            return False
        for place, units in wanted:
            self._levels[place] = (self._levels[place][0] - units, now)
        self.stored.append(performance.key)
        return True


@pytest.mark.parametrize("popularity", [80, None])
def test_an_endpoint_of_the_same_limits_is_not_faster_than_the_simulation_says(popularity):
    lineup = [row._replace(popularity=popularity) for row in LINEUP]
    rows = sorted(repeated(lineup, ROWS), key=lambda row: row.date)
    endpoint = Throttling()
    began = time.monotonic()
    with BulkWriter(endpoint, "festival") as writer:
        writer.put(rows)
        outcome = writer.flush()
    took = time.monotonic() - began
    assert not outcome.unwritten
    assert sorted(endpoint.stored) == sorted(row.key for row in rows)
    assert endpoint.refused > 0
    # The first tenth of a second's units is there at once.
    assert took >= simulate(rows).seconds - AT_ONCE / PARTITION_LIMIT - 0.1
