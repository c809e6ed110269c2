"""The cost model as pandas DataFrames: the average row, the bill, the prices, the forecast."""

from collections.abc import Iterable, Mapping

import pandas as pd

from festival.analysis.cost.bill import BillLine
from festival.analysis.cost.forecast import Forecast
from festival.analysis.cost.original import Compared, Difference
from festival.analysis.cost.prices import PriceList
from festival.analysis.cost.workload import RowProfile


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
