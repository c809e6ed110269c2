"""The cost model's input: the average row, what people do with the stack, the stack itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from festival.analysis.cost.capacity import (
    EXAMPLE_SOURCE,
    put_units,
    query_units,
    stored_bytes,
    written_item,
)
from festival.analysis.cost.forecast import (
    MOST_SIMULATED,
    ROWS_PER_CPU_SECOND,
    Forecast,
    IngestTime,
    forecast,
    ingest_time,
    repeated,
)
from festival.errors import FestivalError
from festival.ingest.reports_bucket import part_content
from festival.lineup.model import Performance
from festival.table.item import item_size
from festival.table.schema import INDEXES


@dataclass(frozen=True)
class RowProfile:
    """The size and write units of an average row: means over the items of `rows`.

    `table_units` and `index_units` (by index) are the WRU of a new row. The others are bytes:
    `stored` as billed in the table and all indexes, `in_table` in the table alone, `in_file` of
    the row's line, and `in_list` of its compressed entry in the list of keys.
    """

    item_bytes: float
    table_units: float
    index_units: dict[str, float]
    stored: float
    in_table: float
    in_file: float
    in_list: float
    rows: Sequence[Performance] = field(default=(), repr=False)

    @cached_property
    def shape(self) -> Forecast:
        """How long DynamoDB's partitions take to accept rows like these."""
        return forecast(repeated(self.rows, MOST_SIMULATED) if self.rows else ())

    @property
    def write_units(self) -> float:
        return self.table_units + sum(self.index_units.values())


def row_profile(performances: Iterable[Performance], *, source: str = EXAMPLE_SOURCE) -> RowProfile:
    """The average row of a real lineup, as the ingest of the file `source` writes it.

    Raises FestivalError if there is no performance.
    """
    rows = list(performances)
    if not rows:
        raise FestivalError("a cost per row needs at least one performance; the lineup has none")
    items = [written_item(row, source) for row in rows]
    units = [put_units(item) for item in items]
    return RowProfile(
        item_bytes=_mean(item_size(item) for item in items),
        table_units=_mean(unit.table for unit in units),
        index_units={
            index.name: _mean(unit.indexes.get(index.name, 0) for unit in units)
            for index in INDEXES
        },
        stored=_mean(stored_bytes(item) for item in items),
        in_table=_mean(stored_bytes(item, indexes=()) for item in items),
        in_file=_mean(_line_bytes(row) for row in rows),
        in_list=len(part_content(source, "", rows)) / len(rows),
        rows=rows,
    )


@dataclass(frozen=True, slots=True)
class Workload:
    """What people do with the stack. `read_units` is the RRU of an average question.

    `repeated` is the share of files that are uploaded a second time unchanged: their rows cost only
    the table's write, and S3 keeps the old version for 30 days. `rejecting` is the share of files
    with rejected rows, which the ledger and S3 keep.
    """

    rows_per_day: float
    files_per_day: float = 1
    reads_per_day: float = 100
    read_units: float = 0.5
    repeated: float = 0.0
    rejecting: float = 0.0

    @property
    def rows_per_file(self) -> float:
        return self.rows_per_day / self.files_per_day if self.files_per_day else 0.0


@dataclass(frozen=True, slots=True)
class StackProfile:
    """What the stack has, whether anyone uploads or not.

    `alarms` counts the metrics that alarms watch: an alarm on two metrics is billed as two.
    `metrics` counts the function's own metrics, in the embedded metric format.
    `rows_per_cpu_second` is how many rows the function's code ingests on one whole vCPU.
    `builds_per_day` is how often a schedule runs the backfill notebook (0: no schedule), for
    `build_minutes` each time, from an archive of `archive_mb`: about the size of the wheels of
    pandas, matplotlib and Jupyter.
    """

    memory_mb: int = 256
    rows_per_cpu_second: float = ROWS_PER_CPU_SECOND
    metrics: int = 5
    alarms: int = 10
    dashboards: int = 1
    topic_key: bool = False
    point_in_time_recovery: bool = True
    log_days: int = 30
    old_version_days: int = 30
    builds_per_day: float = 0.0
    build_minutes: float = 5.0
    archive_mb: float = 100.0

    def ingest_time(self, rows: float, shape: Forecast) -> IngestTime:
        """How long this stack takes to ingest a file of `rows` rows."""
        return ingest_time(
            rows,
            memory_mb=self.memory_mb,
            shape=shape,
            rows_per_cpu_second=self.rows_per_cpu_second,
        )


def read_units_of(
    rows: Sequence[Performance], *, answer_rows: float, source: str = EXAMPLE_SOURCE
) -> float:
    """RRU of an eventually consistent question whose answer has `answer_rows` average rows."""
    size = _mean(item_size(written_item(row, source)) for row in rows)
    return query_units([round(size)] * round(answer_rows))


def _line_bytes(row: Performance) -> int:
    """The row as a line of CSV: six cells, five commas, a line end."""
    popularity = "" if row.popularity is None else str(row.popularity)
    names = len(row.performer.encode()) + len(row.stage.encode())
    return names + len(row.date) + 2 * len("HH:MM") + len(popularity) + 6


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)
