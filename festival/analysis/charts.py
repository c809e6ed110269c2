"""Charts of many performances: what is on in each hour, how popular each stage is."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from festival.analysis.drawing import COLOURS, INK, Picture, picture
from festival.analysis.lineups import Performances, as_performances
from festival.errors import FestivalError
from festival.text import shortened

DAY, STAGE = "day", "stage"
PERFORMANCES, POPULARITY = "performances", "popularity"
# A festival's day starts at one of these hours, after the last set and before the first.
MORNING = range(3, 11)
HOUR = pd.Timedelta(hours=1)
# With many rows each gets less height, but enough for a line of text.
ROW_INCHES, LEAST_ROW_INCHES = 0.36, 0.2
TALL = 20
# Longer names are shortened beside the axes, to leave room for the chart itself.
LONGEST_NAME = 44
_FILLED = LinearSegmentedColormap.from_list("filled", ["#eef4fa", "#9dc3e0", "#2a6ca8", "#0b3460"])


def heat_map(answer: Performances, *, rows: str = DAY, show: str = PERFORMANCES) -> Picture:
    """A grid of numbers for each hour: days or stages as rows, hours of the clock as columns.

    `rows` is `day` or `stage`; `show` is `performances` (how many are on) or `popularity` (the
    highest of those that are on). Each hour of the clock has one column: performances after
    midnight are in the row of the evening before, whichever day the lineup gives them. Raises
    FestivalError for other values of `rows` and `show`.
    """
    if rows not in (DAY, STAGE):
        raise FestivalError(f"heat map rows {rows!r}: expected {DAY} or {STAGE}")
    if show not in (PERFORMANCES, POPULARITY):
        raise FestivalError(f"heat map of {show!r}: expected {PERFORMANCES} or {POPULARITY}")
    answer = as_performances(answer, ("Stage", "Start", "End", "Popularity"))
    grid = hours_grid(answer, rows=rows, show=show)
    what = "Performances on stage" if show == PERFORMANCES else "Highest popularity on stage"
    with picture(2.2 + 0.42 * max(grid.shape[1], 12), _height(len(grid))) as (figure, axes):
        axes.set_title(f"{what}, by {rows} and hour")
        if grid.empty:
            _leave_empty(axes, "no performance to show")
        else:
            _cells(axes, grid)
            axes.set_xlabel("Hour of the day (local time, from :00 to :59)")
            axes.set_ylabel("Festival day" if rows == DAY else "Stage")
    return figure


def popularity(answer: Performances) -> Picture:
    """How popular each stage is: a dot for each performance, the median, and the most popular.

    Stages are sorted by their median, highest first. The title counts performances without a
    popularity.
    """
    answer = as_performances(answer, ("Performer", "Stage", "Popularity"))
    known = answer.dropna(subset=["Popularity"])
    known = known.assign(Popularity=known["Popularity"].astype(float))
    medians = known.groupby("Stage")["Popularity"].median().sort_values(ascending=False)
    with picture(10, _height(len(medians))) as (figure, axes):
        if medians.empty:
            _leave_empty(axes, "no performance has a popularity")
        else:
            _dots(axes, known, medians)
        missing = len(answer) - len(known)
        without = f" ({missing:,} without one are not shown)" if missing else ""
        axes.set_title(f"Popularity of {len(known):,} performances by stage{without}")
    return figure


def hours_grid(answer: pd.DataFrame, *, rows: str = DAY, show: str = PERFORMANCES) -> pd.DataFrame:
    """Days or stages by hours: how many performances are on, or their highest popularity.

    Columns are hours, counted on past midnight (25 is 01:00). A day begins with the quietest hour
    of the morning. A performance counts in each hour in which it is on, even for a part of it; one
    of zero length counts in none.
    """
    on = _hours_on(answer)
    if on.empty:
        return pd.DataFrame(dtype=int)
    first = _first_hour(on["Hour"].dt.hour)
    on["Day"] = (on["Hour"] - first * HOUR).dt.normalize()
    on["Column"] = (on["Hour"] - on["Day"]).dt.total_seconds().floordiv(3600).astype(int)
    by = on.groupby(["Day" if rows == DAY else "Stage", "Column"])
    counts = by.size() if show == PERFORMANCES else by["Popularity"].max()
    grid = counts.unstack()
    grid = grid.reindex(columns=range(int(grid.columns.min()), int(grid.columns.max()) + 1))
    if rows == DAY:
        # A day without a performance becomes an empty row, so that days are evenly spaced.
        return grid if len(grid) < 2 else _with_every_day(grid)
    return grid.reindex(answer["Stage"].drop_duplicates()).dropna(how="all")


def _hours_on(answer: pd.DataFrame) -> pd.DataFrame:
    """A row for each hour in which a performance is on: `Hour`, `Stage`, `Popularity`."""
    rows = answer[answer["End"] > answer["Start"]]
    begin = rows["Start"].dt.floor("h")
    hours = (rows["End"].dt.ceil("h") - begin).dt.total_seconds().floordiv(3600).astype(int)
    repeated = rows.loc[rows.index.repeat(hours), ["Stage", "Popularity"]]
    offsets = np.concatenate([np.arange(count) for count in hours] or [np.empty(0, int)])
    starts = begin.loc[repeated.index] if begin.index.is_unique else begin.repeat(hours)
    return repeated.assign(Hour=starts.to_numpy() + offsets * HOUR.to_timedelta64()).reset_index(
        drop=True
    )


def _first_hour(hours: pd.Series) -> int:
    """The hour at which a day begins: the quietest of the morning; of several, nearest to 06:00."""
    busy = hours.value_counts()
    return min(MORNING, key=lambda hour: (busy.get(hour, 0), abs(hour - 6)))


def _with_every_day(grid: pd.DataFrame) -> pd.DataFrame:
    days = pd.date_range(grid.index.min(), grid.index.max())
    # If a date has a wrong year, the days between are not drawn.
    return grid.reindex(days) if len(days) <= 2 * len(grid) + 7 else grid


def _height(rows: int) -> float:
    return 1.4 + max(rows, 2) * (ROW_INCHES if rows <= TALL else LEAST_ROW_INCHES)


def _leave_empty(axes: Axes, reason: str) -> None:
    axes.text(0, 0.5, reason, transform=axes.transAxes)
    axes.set_axis_off()


def _cells(axes: Axes, grid: pd.DataFrame) -> None:
    figures = grid.to_numpy(dtype=float, na_value=np.nan)
    top = float(np.nanmax(figures))
    axes.imshow(
        np.ma.masked_invalid(figures), cmap=_FILLED, vmin=0, vmax=max(top, 1), aspect="auto"
    )
    for (row, column), figure in np.ndenumerate(figures):
        if not np.isnan(figure):
            colour = "white" if figure > 0.55 * top else INK
            axes.text(column, row, f"{figure:.0f}", ha="center", va="center", color=colour)
    axes.set_xticks(range(grid.shape[1]), [f"{hour % 24:02d}" for hour in grid.columns])
    axes.set_yticks(range(len(grid)), [_row_name(name) for name in grid.index])
    axes.tick_params(length=0, labeltop=len(grid) > TALL)
    axes.spines[:].set_visible(False)


def _row_name(name: object) -> str:
    day = isinstance(name, pd.Timestamp)
    return f"{name:%a %Y-%m-%d}" if day else shortened(str(name), LONGEST_NAME)


def _dots(axes: Axes, known: pd.DataFrame, medians: pd.Series) -> None:
    for y, (stage, median) in enumerate(medians.items()):
        of_stage = known[known["Stage"] == stage].sort_values("Popularity")
        # Fixed offsets, not random ones, keep equal values apart.
        height = y + 0.12 * (np.arange(len(of_stage)) % 3 - 1)
        axes.plot(of_stage["Popularity"], height, "o", color=COLOURS[0], alpha=0.5, ms=4.5, mew=0)
        axes.plot([median] * 2, [y - 0.32, y + 0.32], color=INK, linewidth=2)
        top = of_stage.iloc[-1]
        axes.text(106, y, f"{median:.0f}", va="center", ha="right")
        name = shortened(str(top["Performer"]), LONGEST_NAME)
        axes.text(108, y, f"{name} ({top['Popularity']:.0f})", va="center")
    axes.text(106, -0.75, "median", ha="right", weight="bold")
    axes.text(108, -0.75, "most popular", weight="bold")
    axes.set_yticks(range(len(medians)), [_row_name(stage) for stage in medians.index])
    axes.set_ylim(len(medians) - 0.5, -1)
    axes.set_xlim(0, 100.5)
    axes.set_xticks(range(0, 101, 10))
    axes.set_xlabel("Popularity, 1 to 100 (a dot is a performance, the bar is the median)")
    axes.set_ylabel("Stage")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labeltop=len(medians) > TALL)
