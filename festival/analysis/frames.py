"""Performances, rejections and reports as pandas DataFrames with proper types."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date as calendar_date
from typing import Any

import numpy as np
import pandas as pd

from festival.errors import FestivalError
from festival.lineup.model import Performance
from festival.query.columns import ESSENTIAL, Columns

# The columns of every answer. `Date` is the lineup's day; `Start` and `End` are calendar times, so
# an end after midnight is on the next day and `Minutes` is the real length.
ANSWER_DTYPES = {
    "Performer": "str",
    "Stage": "str",
    "Date": "datetime64[s]",
    "Start": "datetime64[s]",
    "End": "datetime64[s]",
    "Minutes": "Int64",
    "Popularity": "Int64",
}
NEEDED = ("Performer", "Stage", "Date", "Start", "End")
EPOCH = calendar_date(1970, 1, 1).toordinal()
SECONDS_PER_DAY = 86_400


def performances_frame(performances: Iterable[Performance]) -> pd.DataFrame:
    """One row for each performance, in the order given, with the columns of `ANSWER_DTYPES`.

    >>> from festival.lineup.model import Performance
    >>> row = Performance("Elbow", "Park", "2025-07-11", 1410, 1490, 71, 2)
    >>> performances_frame([row]).loc[0, "End"]
    Timestamp('2025-07-12 00:50:00')
    """
    fields = zip(*performances, strict=True)
    values = [list(field) for field in fields] or [[] for _ in Performance._fields]
    return columns_frame(dict(zip(ESSENTIAL, values, strict=False)))


def columns_frame(columns: Columns) -> pd.DataFrame:
    """The same, from the table's columns that `ESSENTIAL` names."""
    dates = columns["Date"]
    try:
        numbers = {date: calendar_date.fromisoformat(date).toordinal() - EPOCH for date in {*dates}}
    except ValueError as error:
        raise FestivalError(f"an item has no usable Date: {error}") from None
    day = np.fromiter(map(numbers.__getitem__, dates), "int64", len(dates)) * SECONDS_PER_DAY
    start = np.array(columns["StartMinutes"], "int64")
    end = np.array(columns["EndMinutes"], "int64")
    return pd.DataFrame(
        {
            "Performer": pd.Series(columns["Performer"], dtype="str"),
            "Stage": pd.Series(columns["Stage"], dtype="str"),
            "Date": day.view("datetime64[s]"),
            "Start": (day + 60 * start).view("datetime64[s]"),
            "End": (day + 60 * end).view("datetime64[s]"),
            "Minutes": _whole(end - start),
            "Popularity": _whole_or_missing(columns["Popularity"]),
        }
    )


def performances_of(frame: pd.DataFrame) -> list[Performance]:
    """The performances in an answer's frame, in its order; `line` is the row's number in the frame.

    Raises FestivalError for a frame that lacks a column of `ANSWER_DTYPES`.

    >>> from festival.lineup.model import Performance
    >>> row = Performance("Elbow", "Park", "2025-07-11", 1410, 1490, None, 0)
    >>> performances_of(performances_frame([row])) == [row]
    True
    """
    require(frame, NEEDED)
    start, end = (whole_minutes(frame[name] - frame["Date"]).tolist() for name in ("Start", "End"))
    popularity = frame["Popularity"] if "Popularity" in frame.columns else [None] * len(frame)
    return list(
        map(
            Performance,
            frame["Performer"].tolist(),
            frame["Stage"].tolist(),
            frame["Date"].dt.strftime("%Y-%m-%d").tolist(),
            start,
            end,
            [None if rank is None or pd.isna(rank) else int(rank) for rank in popularity],
            range(len(frame)),
        )
    )


def require(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raises FestivalError if a frame lacks one of these columns of `ANSWER_DTYPES`."""
    if missing := [name for name in columns if name not in frame.columns]:
        raise FestivalError(
            f"the frame has no column {', '.join(missing)}: expected an answer of the table, or "
            "the performances of festival.read"
        )


def whole_minutes(lengths: pd.Series) -> pd.Series:
    """Lengths of time as whole minutes."""
    return pd.Series(lengths.dt.total_seconds().to_numpy() // 60, dtype="int64")


def summaries_frame(summaries: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row for each ingest or check: file, status, and the five counts as whole numbers."""
    counts = ["read", "written", "rejected", "duplicates", "unwritten"]
    rows = [{"error": "", **one, "status": str(one["status"])} for one in summaries]
    frame = pd.DataFrame(rows, columns=["file", "status", *counts, "error"])
    frame[counts] = frame[counts].astype("Int64")
    return frame


def rows_frame(
    by_file: Iterable[tuple[str, Iterable[Mapping[str, Any]]]], columns: Iterable[str]
) -> pd.DataFrame:
    """The rejections, warnings or duplicate rows of several files, with the file's name first."""
    names = list(columns)
    records = [(file, *(row.get(name) for name in names)) for file, rows in by_file for row in rows]
    return pd.DataFrame(records, columns=["file", *names])


def _whole(values: "np.ndarray[Any, Any]") -> pd.api.extensions.ExtensionArray:
    return pd.arrays.IntegerArray(values, np.zeros(len(values), "bool"))


def _whole_or_missing(values: Sequence[int | None]) -> pd.api.extensions.ExtensionArray:
    missing = np.fromiter((value is None for value in values), "bool", len(values))
    numbers = np.fromiter((value or 0 for value in values), "int64", len(values))
    return pd.arrays.IntegerArray(numbers, missing)
