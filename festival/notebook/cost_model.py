"""What the notebook cost_model shows: a workload's bill, ingest time and partition limits."""

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
from festival.analysis.cost.original import CostComparison, Difference
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
from festival.notebook.cells import Box, between, locate, prepare

__all__ = ["CostModel", "between", "prepare"]

SCALES = (100, 1_000, 10_000, 100_000, 1_000_000)
SIMULATED_ROWS = 5_000


@dataclass(frozen=True)
class CostModel:
    """A workload on a stack at a region's prices, with rows like those of a real lineup.

    Data has been stored for `months` months; the bill is for the last of them.
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
        """The model for rows like those of `lineup`, at the prices of `region`.

        Raises FestivalError for an unknown lineup or region, and for a lineup without rows.
        """
        checked = validation.check_lineups(locate(lineup), Clients.of_environment())
        rows = validation.all_performances(checked)
        if not rows:
            raise FestivalError(f"lineup {lineup!r} has no performance to take the average of")
        if rows_per_day and not files_per_day:
            raise FestivalError(
                f"{rows_per_day:,} rows a day in 0 files: expected files_per_day 1 or more"
            )
        units = read_units_of(rows, answer_rows=len(rows) / 10)
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
        """The bill if nobody uploads or asks anything."""
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
        time = self.stack.ingest_time(self.workload.rows_per_file, self.profile.shape)
        return (
            f"{self.workload.rows_per_file:,.0f} rows: {time.range}, decided by {time.decided_by}"
        )

    @property
    def by_scale(self) -> Figure:
        """A chart of dollars a month by component, against rows a day."""
        scaled = bills.bills(
            self.workload, SCALES, self.profile, self.prices, stack=self.stack, month=self.months
        )
        return charts.cost_by_component(scaled, month=self.months)

    @property
    def time_by_scale(self) -> Figure:
        return charts.time_to_ingest(SCALES, stack=self.stack, shape=self.profile.shape)

    @property
    def comparison(self) -> pd.DataFrame:
        return comparison_frame(original.compare(self.profile, self.prices, stack=self.stack))

    @property
    def differences(self) -> pd.DataFrame:
        return differences_frame(original.differences(self.profile, self.prices, stack=self.stack))

    @cached_property
    def shapes(self) -> dict[str, Forecast]:
        """Forecasts for five thousand rows like the lineup's: in its own order, and by date."""
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
    """The average row: its sizes in bytes, and its write units on the table and each index."""
    units = {f"WRU on {name}": wru for name, wru in profile.index_units.items()}
    return pd.DataFrame(
        {
            "a new row": {
                "bytes as an item": profile.item_bytes,
                "bytes stored, with its index entries": profile.stored,
                "bytes in a CSV file": profile.in_file,
                "WRU on the table": profile.table_units,
                **units,
                "WRU in total": profile.write_units,
            }
        }
    )


def bill_frame(lines: Iterable[BillLine]) -> pd.DataFrame:
    """The bill, one row for each line, with the line's share of the total."""
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
    """Every price of the region, and whether and where it was confirmed."""
    rows = [
        (price.what, price.dollars, price.per, price.unit, price.confirmed, price.seen, price.page)
        for price in prices.prices.values()
    ]
    columns = ["what", "dollars", "per", "unit", "confirmed", "seen", "page"]
    return pd.DataFrame(rows, columns=columns)


def comparison_frame(comparison: Iterable[CostComparison]) -> pd.DataFrame:
    """The original README's dollars a day and this model's, side by side."""
    rows = [
        (row.rows_per_day, row.original_from, row.original_to, row.work, row.idle, row.here)
        for row in comparison
    ]
    columns = ["rows a day", "README from", "README to", "work", "idle stack", "total"]
    return pd.DataFrame(rows, columns=columns)


def differences_frame(differences: Iterable[Difference]) -> pd.DataFrame:
    """The reasons why the two differ, each with its dollars a day."""
    rows = [(row.what, row.original, row.here, row.dollars_a_day) for row in differences]
    return pd.DataFrame(rows, columns=["what", "README", "here", "dollars a day"])


def forecasts_frame(shapes: Mapping[str, Forecast], rows: int) -> pd.DataFrame:
    """One row for each forecast: the seconds that `rows` rows take, and the busiest key."""
    values = [
        (name, rows, *shape.partitions(rows), shape.hottest, top.units / shape.rows)
        for name, shape in shapes.items()
        for top in shape.loads[:1]
    ]
    columns = ["rows are", "rows", "least s", "median s", "most s", "busiest key", "its WRU a row"]
    return pd.DataFrame(values, columns=columns)
