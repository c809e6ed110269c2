"""The cost model notebook's work: one workload's bill, its time, and its partitions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
from matplotlib.figure import Figure

from festival.analysis import validation
from festival.analysis.cost import bill as bills
from festival.analysis.cost import charts, original
from festival.analysis.cost.bill import BillLine
from festival.analysis.cost.forecast import Forecast, forecast, repeated
from festival.analysis.cost.original import Compared, Difference
from festival.analysis.cost.prices import PriceList, price_list
from festival.analysis.cost.workload import (
    RowProfile,
    StackProfile,
    Workload,
    read_units_of,
    row_profile,
)
from festival.errors import FestivalError
from festival.ingest.clients import Clients
from festival.lineup.model import Performance
from festival.notebook.cells import Box, between, found, prepare

__all__ = ["CostModel", "between", "prepare"]

SCALES = (100, 1_000, 10_000, 100_000, 1_000_000)
SIMULATED_ROWS = 5_000


@dataclass(frozen=True)
class CostModel:
    """A workload of rows like those of a real lineup, on a stack, at a region's prices.

    `months` is how long data has been kept: the bill is of the last of them.
    """

    rows: Sequence[Performance]
    workload: Workload
    stack: StackProfile
    prices: PriceList
    months: int
    free_tier: bool

    @classmethod
    def of(
        cls,
        lineup: str,
        *,
        region: str,
        rows_per_day: int,
        files_per_day: int,
        reads_per_day: int,
        memory: int,
        rows_per_cpu_second: int,
        months: int,
        repeated: float,
        rejecting: float,
        builds_per_day: float,
        free_tier: bool,
    ) -> "CostModel":
        """Raises FestivalError for a lineup or a region that is not there, and for no rows."""
        checked = validation.check_lineups(found(lineup), Clients.of_environment())
        rows = validation.together(checked)
        if not rows:
            raise FestivalError(f"lineup {lineup!r} has no performance to take the average of")
        if rows_per_day and not files_per_day:
            raise FestivalError(
                f"{rows_per_day:,} rows a day in 0 files: expected files_per_day 1 or more"
            )
        units = read_units_of(rows, found=len(rows) / 10)
        return cls(
            rows,
            Workload(rows_per_day, files_per_day, reads_per_day, units, repeated, rejecting),
            StackProfile(
                memory_mb=memory,
                rows_per_cpu_second=rows_per_cpu_second,
                builds_per_day=builds_per_day,
            ),
            price_list(region),
            months,
            free_tier,
        )

    @cached_property
    def profile(self) -> RowProfile:
        return row_profile(self.rows)

    @cached_property
    def bill(self) -> list[BillLine]:
        return list(self._bill(self.workload))

    @cached_property
    def idle(self) -> list[BillLine]:
        """What is paid when nobody uploads or asks anything."""
        return list(bills.idle_bill(self.prices, stack=self.stack, free_tier=self.free_tier))

    @property
    def price_table(self) -> pd.DataFrame:
        return prices_frame(self.prices)

    @property
    def row_table(self) -> pd.DataFrame:
        return profile_frame(self.profile)

    @property
    def bill_table(self) -> pd.DataFrame:
        return bill_frame(self.bill)

    @property
    def idle_table(self) -> pd.DataFrame:
        return bill_frame(self.idle)

    @property
    def box(self) -> Box:
        """Dollars and time in two sentences."""
        return Box(bills.sentence(self.bill, self.idle, self.months), self.time)

    @property
    def time(self) -> str:
        took = self.stack.ingest_time(self.workload.rows_per_file, self.profile.shape)
        return (
            f"{self.workload.rows_per_file:,.0f} rows: {took.range}, decided by {took.decided_by}"
        )

    @property
    def by_scale(self) -> Figure:
        """Dollars a month by component against rows a day."""
        scaled = bills.bills(
            self.workload, SCALES, self.profile, self.prices, stack=self.stack, month=self.months
        )
        return charts.cost_by_component(scaled, month=self.months)

    @property
    def time_by_scale(self) -> Figure:
        return charts.time_to_ingest(SCALES, stack=self.stack, shape=self.profile.shape)

    @property
    def beside_original(self) -> pd.DataFrame:
        compared = original.compare(self.profile, self.prices, stack=self.stack)
        return compared_frame(compared)

    @property
    def differences(self) -> pd.DataFrame:
        found = original.differences(self.profile, self.prices, stack=self.stack)
        return differences_frame(found)

    @cached_property
    def shapes(self) -> dict[str, Forecast]:
        """The lineup, repeated to five thousand rows, in its own order and sorted by date."""
        many = repeated(self.rows, SIMULATED_ROWS)
        by_date = sorted(many, key=lambda row: row.date)
        return {"in the file's order": forecast(many), "sorted by date": forecast(by_date)}

    @property
    def partitions(self) -> Figure:
        return charts.forecasts(self.shapes, SIMULATED_ROWS)

    @property
    def partition_table(self) -> pd.DataFrame:
        return forecasts_frame(self.shapes, SIMULATED_ROWS)

    def _bill(self, workload: Workload) -> Sequence[BillLine]:
        return bills.bill(
            workload,
            self.profile,
            self.prices,
            stack=self.stack,
            month=self.months,
            free_tier=self.free_tier,
        )


def profile_frame(profile: RowProfile) -> pd.DataFrame:
    """The average row: its sizes in bytes, its write units on the table and on each index."""
    units = {f"WRU on {name}": wru for name, wru in profile.index_units.items()}
    return pd.DataFrame(
        {
            "a new row": {
                "bytes as an item": profile.item_bytes,
                "bytes stored, with its index entries": profile.stored,
                "bytes in a CSV file": profile.in_file,
                "WRU on the table": profile.table_units,
                **units,
                "WRU together": profile.write_units,
            }
        }
    )


def bill_frame(lines: Iterable[BillLine]) -> pd.DataFrame:
    """The bill, one row for each line, with its share of the whole."""
    frame = pd.DataFrame(
        [
            (line.component, line.item, line.amount, line.price.unit, line.how, line.dollars)
            for line in lines
        ],
        columns=["component", "item", "amount", "unit", "how", "dollars"],
    )
    frame["share"] = frame["dollars"] / (frame["dollars"].sum() or 1.0)
    frame.attrs["total"] = ("dollars", "share")
    return frame


def prices_frame(prices: PriceList) -> pd.DataFrame:
    """Every price of the region, and whether and where it was seen."""
    rows = [
        (price.what, price.dollars, price.per, price.unit, price.confirmed, price.seen, price.page)
        for price in prices.prices.values()
    ]
    columns = ["what", "dollars", "per", "unit", "confirmed", "seen", "page"]
    return pd.DataFrame(rows, columns=columns)


def compared_frame(compared: Iterable[Compared]) -> pd.DataFrame:
    """The original README's dollars a day beside this model's."""
    rows = [
        (row.rows_per_day, row.original_from, row.original_to, row.work, row.standing, row.here)
        for row in compared
    ]
    columns = ["rows a day", "README from", "README to", "work", "standing stack", "together"]
    return pd.DataFrame(rows, columns=columns)


def differences_frame(differences: Iterable[Difference]) -> pd.DataFrame:
    """Why the two differ, each with its dollars a day."""
    rows = [(row.what, row.original, row.here, row.dollars_a_day) for row in differences]
    return pd.DataFrame(rows, columns=["what", "README", "here", "dollars a day"])


def forecasts_frame(shapes: Mapping[str, Forecast], rows: int) -> pd.DataFrame:
    """One row for each kind of rows: the seconds of so many, and the busiest key."""
    found = [
        (name, rows, *shape.partitions(rows), shape.hottest, top.units / shape.rows)
        for name, shape in shapes.items()
        for top in shape.loads[:1]
    ]
    columns = ["rows are", "rows", "least s", "median s", "most s", "busiest key", "its WRU a row"]
    return pd.DataFrame(found, columns=columns)
