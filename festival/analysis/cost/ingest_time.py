"""How long one file takes on its way into the table, and what the time is spent on."""

from collections.abc import Iterable
from dataclasses import dataclass

from festival.lineup.model import Performance
from festival.table.schema import MAX_BATCH_ITEMS, NEW_TABLE_LIMIT, PARTITION_LIMIT

# "Configure Lambda function memory": at 1,769 MB a function has the equivalent of one vCPU.
MB_PER_VCPU = 1769
# Whole ingest of a CSV on one vCPU, reading to signed request. `make bench` gave 65,000 on a whole
# core in November 2026; Lambda's vCPU is one of a core's two threads, so take half of that at most.
ROWS_PER_CPU_SECOND = 30_000
# Importing the handler and making its clients; Lambda gives this phase a full vCPU.
COLD_START_SECONDS = 0.5
REQUEST_SECONDS = 0.010
LANES = 16


@dataclass(frozen=True, slots=True)
class Spread:
    """How the rows of a file spread over the keys of the table and its indexes.

    Each figure is the share of all rows that the fullest key has: 1.0 means that every row has the
    same date (stage, performer). `popularity` is the share of rows that have one.
    """

    performer: float = 0.0
    date: float = 1 / 3
    stage: float = 1 / 4
    popularity: float = 1.0

    def hottest(self) -> tuple[str, float]:
        """The fullest partition key, and its share of the rows."""
        shares = {
            "PopularityIndex": self.popularity,
            "DateIndex": self.date,
            "StageIndex": self.stage,
            "table": self.performer,
        }
        return max(shares.items(), key=lambda pair: pair[1])


def spread(performances: Iterable[Performance]) -> Spread:
    """How these rows spread over the keys."""
    counts: tuple[dict[str, int], ...] = ({}, {}, {})
    rows = popular = 0
    for performance in performances:
        rows += 1
        popular += performance.popularity is not None
        keys = (performance.performer, performance.date, performance.stage)
        for tally, key in zip(counts, keys, strict=True):
            tally[key] = tally.get(key, 0) + 1
    performer, date, stage = (max(tally.values(), default=0) / max(rows, 1) for tally in counts)
    return Spread(performer, date, stage, popular / max(rows, 1))


@dataclass(frozen=True, slots=True)
class IngestTime:
    """Seconds of one ingest. The three go on at once, so the longest of them decides."""

    processor: float
    requests: float
    partitions: float
    hottest: str

    @property
    def seconds(self) -> float:
        return COLD_START_SECONDS + max(self.processor, self.requests, self.partitions)

    @property
    def decided_by(self) -> str:
        """What would have to change for the ingest to be faster."""
        parts = {
            "the function's processor": self.processor,
            "DynamoDB's latency": self.requests,
            f"the hottest partition ({self.hottest})": self.partitions,
        }
        return max(parts, key=lambda name: parts[name])


def ingest_time(
    rows: float,
    *,
    memory_mb: int = 256,
    spread: Spread | None = None,
    rows_per_cpu_second: float = ROWS_PER_CPU_SECOND,
    request_seconds: float = REQUEST_SECONDS,
    lanes: int = LANES,
) -> IngestTime:
    """The time for `rows` new rows of less than 1 KB in one file.

    `memory_mb` buys processor: a share of memory / 1,769 MB, up to the one vCPU that one thread
    can use. The partitions' part is the rows of the fullest key at 1,000 WRU/s, or all rows at the
    4,000 WRU/s of a new table; `partitions.simulate` looks at the real order of a real file.
    """
    name, share = (spread or Spread()).hottest()
    return IngestTime(
        processor=rows / (rows_per_cpu_second * min(1.0, memory_mb / MB_PER_VCPU)),
        requests=-(-rows // MAX_BATCH_ITEMS) / lanes * request_seconds,
        partitions=rows * max(share / PARTITION_LIMIT, 1 / NEW_TABLE_LIMIT),
        hottest=name if share / PARTITION_LIMIT >= 1 / NEW_TABLE_LIMIT else "new table",
    )
