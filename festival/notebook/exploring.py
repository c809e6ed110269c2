"""What the exploring notebook asks of a table before a person has asked anything."""

from typing import Any

import pandas as pd

from festival.analysis.charts import hours_grid
from festival.errors import FestivalError

# Days further apart than this are two festivals.
DAYS_APART = 3
MOST_DAYS = 14


def last_festival(
    dates: pd.DataFrame, first: str | None = None, last: str | None = None
) -> tuple[Any, Any]:
    """The first and last day to look at: those given, else of the last festival in the table.

    `dates` is `table.dates()`; a festival is a run of days without a longer gap than three days,
    and at most its first fourteen. Raises FestivalError if the table has no day.
    """
    if first and last:
        return first, last
    if dates.empty:
        raise FestivalError(
            "no day is recorded for this table: ingest a lineup, name first_day and last_day, or "
            "set scan to read the whole table"
        )
    days = dates["Date"].sort_values()
    if first:
        days = days[days >= pd.Timestamp(first)]
    if last:
        days = days[days <= pd.Timestamp(last)]
    if days.empty:
        return first or last, last or first
    runs = (days.diff() > pd.Timedelta(days=DAYS_APART)).cumsum()
    run = days[runs == runs.iloc[0 if first else -1]]
    return first or run.iloc[0], run.iloc[:MOST_DAYS].iloc[-1]


def in_short(lineup: pd.DataFrame) -> list[str]:
    """A lineup in a few sentences: its size, its most popular, its busiest hour."""
    if lineup.empty:
        return ["Nothing is on in these days."]
    first, last = lineup["Date"].min(), lineup["Date"].max()
    size = (
        f"{len(lineup):,} performances of {lineup['Performer'].nunique():,} performers on "
        f"{lineup['Stage'].nunique():,} stages, {first:%a %Y-%m-%d} to {last:%a %Y-%m-%d}."
    )
    return [size, _most_popular(lineup), _busiest(lineup)]


def most_popular(lineup: pd.DataFrame) -> pd.Series:
    """The most popular performance; without any popularity the first. Raises FestivalError if
    there is none at all."""
    if lineup.empty:
        raise FestivalError("nothing is on in these days: name a performer, a date and a stage")
    ranked = lineup.dropna(subset=["Popularity"])
    return (
        (ranked if len(ranked) else lineup)
        .sort_values("Popularity", ascending=False, kind="stable")
        .iloc[0]
    )


def _most_popular(lineup: pd.DataFrame) -> str:
    if lineup["Popularity"].isna().all():
        return "No performance has a popularity."
    top = most_popular(lineup)
    return (
        f"Most popular: {top['Performer']} ({top['Popularity']}), {top['Stage']}, "
        f"{top['Start']:%a %H:%M}."
    )


def _busiest(lineup: pd.DataFrame) -> str:
    grid = hours_grid(lineup)
    if grid.empty:
        return ""
    most = grid.max(axis=1)
    day = pd.Timestamp(str(most.idxmax()))
    when = day + pd.Timedelta(hours=int(str(grid.loc[day].idxmax())))
    return f"Busiest hour: {when:%a %H:%M}, with {most.max():.0f} performances."
