"""What the package knows, as pandas DataFrames with proper types."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from festival.analysis.checks import Finding
from festival.analysis.cost.bill import BillLine
from festival.analysis.cost.forecast import PartitionRun
from festival.analysis.cost.original import Compared, Difference
from festival.analysis.cost.prices import PriceList
from festival.analysis.cost.workload import RowProfile
from festival.inspection.result import ColumnUse, Inspection
from festival.lineup.model import Performance


def performances_frame(performances: Iterable[Performance]) -> pd.DataFrame:
    """One row for each performance, in the order given.

    Columns: `Performer`, `Stage` (str), `Date` (the lineup's day), `Start` and `End` (timestamps by
    the calendar, right after midnight too), `Minutes` (Int64, the length) and `Popularity` (Int64,
    <NA> where there is none).
    """
    rows = list(performances)
    day = pd.to_datetime(pd.Series([row.date for row in rows], dtype="str"), format="%Y-%m-%d")
    start = _minutes([row.start for row in rows])
    end = _minutes([row.end for row in rows])
    return pd.DataFrame(
        {
            "Performer": pd.Series([row.performer for row in rows], dtype="str"),
            "Stage": pd.Series([row.stage for row in rows], dtype="str"),
            "Date": day,
            "Start": day + start,
            "End": day + end,
            "Minutes": pd.Series([row.end - row.start for row in rows], dtype="Int64"),
            "Popularity": pd.Series([row.popularity for row in rows], dtype="Int64"),
        }
    )


def findings_frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """One row for each finding: its kind, its day where it has only one, and what it is."""
    rows = []
    for finding in findings:
        days = {performance.date for performance in finding.performances}
        rows.append((finding.kind, days.pop() if len(days) == 1 else "", finding.what))
    return pd.DataFrame(rows, columns=["Kind", "Day", "What"])


def understood_frame(inspections: Iterable[tuple[str, Inspection]]) -> pd.DataFrame:
    """One row for each file: how it is written, and which column was taken for which field."""
    rows = [
        (
            file,
            one.shape,
            one.encoding,
            one.delimiter,
            ", ".join(_taken(use) for use in one.columns if use.field),
            ", ".join(use.name for use in one.columns if not use.field),
        )
        for file, one in inspections
    ]
    columns = ["file", "shape", "encoding", "delimiter", "fields, and their columns", "ignored"]
    return pd.DataFrame(rows, columns=columns)


def questions_frame(inspections: Iterable[tuple[str, Inspection]]) -> pd.DataFrame:
    """One row for each thing that a file leaves open, and the mapping's option that decides it."""
    rows = [
        (file, "decide" if each.must else "check", each.seen, each.option, each.choices)
        for file, one in inspections
        for each in one.questions
    ]
    return pd.DataFrame(rows, columns=["file", "", "seen", "option", "choices"])


def summaries_frame(summaries: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row for each ingest or check: file, status, and the five counts as whole numbers."""
    counts = ["read", "written", "rejected", "duplicates", "unwritten"]
    frame = pd.DataFrame(list(summaries), columns=["file", "status", *counts, "error"])
    frame[counts] = frame[counts].astype("Int64")
    frame["error"] = frame["error"].fillna("")
    return frame


def rows_frame(
    by_file: Iterable[tuple[str, Iterable[Mapping[str, Any]]]], columns: Iterable[str]
) -> pd.DataFrame:
    """The rejections, warnings or duplicate rows of several files, with the file in front."""
    wanted = list(columns)
    rows = [(file, *(row.get(name) for name in wanted)) for file, found in by_file for row in found]
    return pd.DataFrame(rows, columns=["file", *wanted])


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


def partition_runs_frame(runs: Mapping[str, PartitionRun]) -> pd.DataFrame:
    """One row for each simulated run: its seconds, its pace, and the busiest key."""
    rows = [
        (name, run.rows, run.seconds, run.rows_per_second, f"{top.where} {top.key}", top.units)
        for name, run in runs.items()
        for top in run.loads[:1]
    ]
    columns = ["run", "rows", "seconds", "rows a second", "busiest key", "its WRU"]
    return pd.DataFrame(rows, columns=columns)


def _taken(use: ColumnUse) -> str:
    """Which column was taken for a field, and why where its name does not say it."""
    return f"{use.field}: {use.name}" + (f" ({use.how})" if use.how != "name" else "")


def _minutes(values: list[int]) -> pd.Series:
    return pd.to_timedelta(pd.Series(values, dtype="int64"), unit="min")
